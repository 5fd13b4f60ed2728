//! Members of request bodies, as the document describes them. Their types and limits are those of the
//! readers in `Fields`.

/// Member of a request body.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: &'static str,
}

const fn member(name: &'static str, about: &'static str, example: &'static str) -> Member {
    Member { name, about, example }
}

pub(crate) const EMAIL: Member = member("email", "Email address of the account.", "user@example.com");
/// [`EMAIL`] in an OAuth2 form.
pub(crate) const USERNAME: Member = Member { name: "username", ..EMAIL };
pub(crate) const GRANT_TYPE: Member = member("grant_type", "Ignored.", "password");
pub(crate) const NEW_EMAIL: Member = member("new_email", "New email address.", "new@example.com");
pub(crate) const PASSWORD: Member = member("password", "Password of the account.", "correct horse battery staple");
pub(crate) const CURRENT_PASSWORD: Member = Member { name: "current_password", about: "Current password.", ..PASSWORD };
pub(crate) const NEW_PASSWORD: Member =
    member("new_password", "Any characters are allowed, and all are significant.", "wrong donkey charger paperclip");
pub(crate) const REMOVE_OTHERS: Member = member(
    "remove_other_sign_in_methods",
    "True to also remove passkeys and the identities of providers. Trusted devices end with every new password, and a second factor stays.",
    "true",
);
pub(crate) const TOKEN: Member =
    member("token", "Token of the email's link.", "8f2b6c1d9e3a4705b8c6d2e1f0a9384756473829100f1e2d3c4b5a6978685746");
pub(crate) const REFRESH_TOKEN: Member = Member {
    name: "refresh_token",
    about: "Refresh token of the last pair.",
    example: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl",
};
pub(crate) const KEEP_CURRENT: Member = member("keep_current", "True to keep the current session.", "true");
pub(crate) const FACTOR_NAME: Member = member("name", "Name of the factor: 1 to 64 characters.", "Authenticator");
pub(crate) const MFA_TOKEN: Member =
    member("mfa_token", "Token of the login's 403 response.", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…");
pub(crate) const CODE: Member =
    member("code", "Authenticator code or recovery code. Ignored if the account has no second factor.", "123456");
pub(crate) const RECOVERY_CODE: Member =
    member("recovery_code", "Recovery code, if `code` is missing.", "7K3M-9QXA-2VTC-H5WN");
pub(crate) const CREDENTIAL: Member = Member {
    name: "credential",
    about: "Response of the browser: `credential.toJSON()` of the WebAuthn API.",
    example: r#"{"id":"-h1PYWRKJ3v7fNUmVcJd6Q","rawId":"-h1PYWRKJ3v7fNUmVcJd6Q","type":"public-key","response":{},"clientExtensionResults":{}}"#,
};
pub(crate) const REMEMBER: Member = member(
    "remember",
    "False to let the browser forget the cookies when it closes. Only counts in cookie mode.",
    "false",
);
pub(crate) const REMEMBER_DEVICE: Member =
    member("remember_device", "True to need no second factor on this device for a while. Needs a code.", "true");
