//! Options as browsers parse them (WebAuthn §5.1.9, §5.1.10): `parseCreationOptionsFromJSON` and
//! `parseRequestOptionsFromJSON`.

use paperclip::actix::Apiv2Schema;
use portcullis_domain::passkeys::{Algorithm, PasskeyChallenge};
use portcullis_usecases::passkeys::{CreationOptions, CredentialDescriptor, RequestOptions};
use serde::Serialize;

/// Type of all credentials.
const PUBLIC_KEY: &str = "public-key";

/// Returns the time that a user has, in milliseconds: the lifetime of the challenge.
const fn timeout() -> i64 {
    PasskeyChallenge::LIFETIME.num_milliseconds()
}

const fn requirement(is_required: bool) -> &'static str {
    if is_required { "required" } else { "discouraged" }
}

/// Options for `PublicKeyCredential.parseCreationOptionsFromJSON`.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicKeyCreationOptions {
    /// The service.
    rp: RelyingPartyEntity,
    /// The account.
    user: UserEntity,
    /// Challenge in base64url, valid for 5 minutes.
    challenge: String,
    /// Accepted algorithms, the preferred one first.
    pub_key_cred_params: Vec<CredentialParameters>,
    /// Milliseconds that the user has.
    timeout: i64,
    /// Passkeys that the account has.
    exclude_credentials: Vec<CredentialReference>,
    /// What the authenticator must be able to do.
    authenticator_selection: AuthenticatorSelection,
    /// Always `none`.
    attestation: &'static str,
    /// Extensions.
    extensions: Extensions,
}

/// The service towards authenticators.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct RelyingPartyEntity {
    /// RP ID.
    id: String,
    /// Name of the service.
    name: String,
}

/// The account towards authenticators.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserEntity {
    /// Random id in base64url.
    id: String,
    /// Email address.
    name: String,
    /// Email address.
    display_name: String,
}

/// Accepted algorithm.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct CredentialParameters {
    /// Always `public-key`.
    r#type: &'static str,
    /// Number in the COSE registry.
    alg: i32,
}

/// Passkey that a browser may or must not use.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct CredentialReference {
    /// Credential id in base64url.
    id: String,
    /// Always `public-key`.
    r#type: &'static str,
    /// How browsers reach the authenticator.
    transports: Vec<String>,
}

/// What an authenticator must be able to do.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthenticatorSelection {
    /// `required` for a passkey that can sign in, `discouraged` for a second factor.
    resident_key: &'static str,
    /// True if `residentKey` is `required`.
    require_resident_key: bool,
    /// `required` for a passkey that can sign in, `discouraged` for a second factor.
    user_verification: &'static str,
}

/// Extensions of a registration.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extensions {
    /// Asks whether the passkey is discoverable.
    cred_props: bool,
}

/// Options for `PublicKeyCredential.parseRequestOptionsFromJSON`.
#[derive(Serialize, Apiv2Schema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicKeyRequestOptions {
    /// Challenge in base64url, valid for 5 minutes.
    challenge: String,
    /// Milliseconds that the user has.
    timeout: i64,
    /// RP ID.
    rp_id: String,
    /// Accepted passkeys; empty for any discoverable one.
    allow_credentials: Vec<CredentialReference>,
    /// `required`, or `discouraged` for a second factor.
    user_verification: &'static str,
}

impl PublicKeyCreationOptions {
    /// Creates the options of a service with this name.
    pub(crate) fn of(options: CreationOptions, app_name: &str) -> Self {
        let CreationOptions { challenge, rp_id, user_handle, email, exclude, second_factor } = options;
        let (name, required) = (email.original().to_owned(), requirement(!second_factor));
        let parameters = |algorithm: Algorithm| CredentialParameters { r#type: PUBLIC_KEY, alg: algorithm.cose() };
        Self {
            rp: RelyingPartyEntity { id: rp_id, name: app_name.to_owned() },
            user: UserEntity { id: user_handle.to_base64url(), display_name: name.clone(), name },
            challenge: challenge.to_base64url(),
            pub_key_cred_params: Algorithm::ALL.map(parameters).into(),
            timeout: timeout(),
            exclude_credentials: exclude.into_iter().map(CredentialReference::from).collect(),
            authenticator_selection: AuthenticatorSelection {
                resident_key: required,
                require_resident_key: !second_factor,
                user_verification: required,
            },
            attestation: "none",
            extensions: Extensions { cred_props: true },
        }
    }
}

impl From<RequestOptions> for PublicKeyRequestOptions {
    fn from(options: RequestOptions) -> Self {
        Self {
            challenge: options.challenge.to_base64url(),
            timeout: timeout(),
            rp_id: options.rp_id,
            allow_credentials: options.allow.into_iter().map(CredentialReference::from).collect(),
            user_verification: requirement(options.user_verification),
        }
    }
}

impl From<CredentialDescriptor> for CredentialReference {
    fn from(CredentialDescriptor { id, transports }: CredentialDescriptor) -> Self {
        Self { id: id.to_base64url(), r#type: PUBLIC_KEY, transports }
    }
}
