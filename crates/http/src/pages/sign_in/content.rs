//! What the pages of sign-in display. `query` is the target of the sign-in as a query, for links and forms.

use crate::errors::ApiError;
use crate::mfa::qr;
use crate::pages::page::{ErrorText, FormError};
use crate::pages::passkeys::{PasskeyOptions, Signal};
use portcullis_usecases::mfa::TotpEnrolled;
use serde::Serialize;

/// A page of sign-in. Serializes to the variables of its template.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum SignInPage<'a> {
    /// `/account/login`: form for email and password, and a button for each provider.
    Login {
        query: &'a str,
        email: Option<&'a str>,
        /// Where the person goes on to, if an app sent them.
        app: Option<&'a str>,
        providers: Vec<ProviderButton<'a>>,
        sign_up: bool,
        /// True if this service has the page that resets passwords.
        reset: bool,
        /// Options to sign in with a passkey, if passkeys are on.
        passkey: Option<PasskeyOptions>,
        signal: Option<Signal>,
    },
    /// `/account/login` in a browser that is signed in: asks whether to go on to the app with this account.
    ContinueAs {
        query: &'a str,
        app: &'a str,
        email: &'a str,
        user_id: i64,
    },
    /// `/account/second-factor`.
    SecondFactor {
        query: &'a str,
        trust: bool,
        /// True if the account has an authenticator app.
        app: bool,
        /// Options to sign with a passkey of the account, if it has one.
        passkey: Option<PasskeyOptions>,
    },
    /// `/account/enrol`: the account must have a second factor.
    Enrol {
        query: &'a str,
    },
    /// The authenticator app to set up. The secret is displayed once.
    EnrolCode {
        query: &'a str,
        id: &'a str,
        app: Option<NewAuthenticator>,
    },
    /// Recovery codes, which are displayed once.
    RecoveryCodes {
        codes: Vec<String>,
        next: &'a str,
    },
    /// `/account/register`.
    Register {
        query: &'a str,
        email: Option<&'a str>,
        app: Option<&'a str>,
    },
    /// The email address must be verified before a sign-in.
    CheckInbox {
        query: &'a str,
        email: Option<&'a str>,
    },
    /// `/account/reauthenticate`: asks for what the account has.
    Reauthenticate {
        query: &'a str,
        email: &'a str,
        password: bool,
        second_factor: bool,
        providers: Vec<ProviderButton<'a>>,
        /// Options to sign with a passkey of the account, if it has one.
        passkey: Option<PasskeyOptions>,
    },
    /// `/account`: the account, and what it can be signed in to with.
    Overview(Overview<'a>),
    /// `/account/logout` in a browser that is signed in.
    Logout {
        email: &'a str,
    },
    LoggedOut {},
    /// Takes the reader to the app. A redirect in response to a form would be stopped by the `form-action` of the
    /// pages' `Content-Security-Policy`.
    ContinueToApp {
        app: &'a str,
        url: &'a str,
    },
    /// Takes the reader from a provider's response to the account pages. Browsers send cookies with
    /// `SameSite=Strict` only if a page of this service leads there.
    Returning {
        url: &'a str,
    },
}

/// Button that signs in with a provider.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ProviderButton<'a> {
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
}

/// An authenticator app that is not confirmed yet.
#[derive(Debug, Serialize)]
pub(crate) struct NewAuthenticator {
    /// The secret in base32, in groups of four, to be typed.
    pub(crate) secret: String,
    /// The secret as a URI, to be opened on the device of the app.
    pub(crate) uri: String,
    /// The URI as a QR code: an SVG element.
    pub(crate) qr_svg: String,
}

impl NewAuthenticator {
    /// Draws the QR code of a new app.
    pub(crate) fn new(enrolled: TotpEnrolled) -> Result<Self, ApiError> {
        let qr_svg = qr::svg(&enrolled.uri).ok_or_else(|| ApiError::internal("the URI fits in no QR code"))?;
        let secret = enrolled.secret.to_base32();
        let groups: Vec<_> = secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        Ok(Self { secret: groups.join(" "), uri: enrolled.uri, qr_svg })
    }

    /// Returns an app for samples.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            secret: "JBSWY3DPEHPK3PXP".to_owned(),
            uri: format!("otpauth://totp/{text}"),
            qr_svg: r#"<svg xmlns="http://www.w3.org/2000/svg"></svg>"#.to_owned(),
        }
    }
}

/// An account, for its owner.
#[derive(Debug, Serialize)]
pub(crate) struct Overview<'a> {
    pub(crate) email: &'a str,
    pub(crate) verified: bool,
    pub(crate) password: bool,
    pub(crate) passkeys: bool,
    /// Labels of the providers.
    pub(crate) providers: Vec<&'a str>,
    /// Number of authenticator apps.
    pub(crate) authenticators: usize,
    pub(crate) recovery_codes: u32,
}

impl<'a> SignInPage<'a> {
    /// Returns the name of the template.
    pub(crate) const fn template(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::ContinueAs { .. } => "continue_as",
            Self::SecondFactor { .. } => "second_factor",
            Self::Enrol { .. } => "enrol",
            Self::EnrolCode { .. } => "enrol_code",
            Self::RecoveryCodes { .. } => "sign_in_codes",
            Self::Register { .. } => "register",
            Self::CheckInbox { .. } => "check_inbox",
            Self::Reauthenticate { .. } => "reauthenticate",
            Self::Overview(_) => "account",
            Self::Logout { .. } => "logout",
            Self::LoggedOut {} => "logged_out",
            Self::ContinueToApp { .. } => "continue_to_app",
            Self::Returning { .. } => "returning",
        }
    }

    /// Returns whether the page needs the script.
    pub(crate) const fn uses_passkeys(&self) -> bool {
        matches!(
            self,
            Self::Login { passkey: Some(_), .. }
                | Self::SecondFactor { passkey: Some(_), .. }
                | Self::Reauthenticate { passkey: Some(_), .. }
        )
    }

    /// Returns the pages in every form that their templates distinguish.
    pub(crate) fn samples(text: &'a str) -> Vec<(&'static str, Self, Option<FormError>)> {
        let providers =
            || vec![ProviderButton { name: "google", label: "Google" }, ProviderButton { name: "corp", label: text }];
        let at = |text, field| Some(FormError { text, field });
        let query = "?continue=%2Faccount%2Fsecurity";
        let passkey = |is_on: bool| is_on.then(|| PasskeyOptions::sample(text));
        let login = |email: Option<&'a str>, app, providers, all| {
            let (passkey, signal) = (passkey(all), email.filter(|_| all).map(Signal::sample));
            Self::Login { query, email, app, providers, sign_up: all, reset: all, passkey, signal }
        };
        let again = |password, second_factor, providers, is_on| {
            let passkey = passkey(is_on);
            Self::Reauthenticate { query, email: text, password, second_factor, providers, passkey }
        };
        let second = |trust, app| Self::SecondFactor { query, trust, app, passkey: passkey(trust) };
        vec![
            ("login", login(None, None, providers(), true), None),
            ("login_app", login(Some(text), Some("app.example.org"), Vec::new(), false), None),
            (
                "login_credentials",
                login(Some(text), None, Vec::new(), true),
                at(ErrorText::Credentials, Some("password")),
            ),
            ("continue_as", Self::ContinueAs { query, app: text, email: text, user_id: 7 }, None),
            ("second_factor", second(true, true), None),
            ("second_factor_without_app", second(true, false), None),
            ("second_factor_wrong", second(false, true), at(ErrorText::WrongCode, Some("code"))),
            ("enrol", Self::Enrol { query }, None),
            ("enrol_code", Self::EnrolCode { query, id: "1", app: Some(NewAuthenticator::sample(text)) }, None),
            ("enrol_code_wrong", Self::EnrolCode { query, id: "1", app: None }, at(ErrorText::WrongCode, Some("code"))),
            (
                "sign_in_codes",
                Self::RecoveryCodes { codes: vec!["0000-1111-2222-3333".to_owned(), text.to_owned()], next: "login" },
                None,
            ),
            ("register", Self::Register { query, email: None, app: None }, None),
            (
                "register_app",
                Self::Register { query, email: Some(text), app: Some(text) },
                at(ErrorText::Registered, Some("email")),
            ),
            ("check_inbox", Self::CheckInbox { query, email: Some(text) }, None),
            ("reauthenticate", again(true, false, Vec::new(), true), None),
            ("reauthenticate_both", again(true, true, Vec::new(), false), at(ErrorText::WrongCode, Some("code"))),
            ("reauthenticate_provider", again(false, false, providers(), false), None),
            ("reauthenticate_nothing", again(false, false, Vec::new(), false), None),
            ("reauthenticate_passkey", again(false, false, Vec::new(), true), None),
            ("account", Self::Overview(Overview::sample(text, vec!["Google", text])), None),
            ("account_unverified", Self::Overview(Overview::sample(text, Vec::new())), None),
            ("logout", Self::Logout { email: text }, None),
            ("logged_out", Self::LoggedOut {}, None),
            ("continue_to_app", Self::ContinueToApp { app: text, url: text }, None),
            ("returning", Self::Returning { url: text }, None),
        ]
    }
}

impl<'a> Overview<'a> {
    /// Returns an account for samples, which has everything or nothing.
    fn sample(email: &'a str, providers: Vec<&'a str>) -> Self {
        let (all, authenticators) = (!providers.is_empty(), providers.len());
        let recovery_codes = if all { 7 } else { 0 };
        Self { email, verified: all, password: all, passkeys: all, providers, authenticators, recovery_codes }
    }
}
