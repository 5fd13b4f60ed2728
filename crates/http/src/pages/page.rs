//! Pages for people: what they display, and the trait of what renders them.

use super::assets::PASSKEYS;
use super::brand::{Brand, Logo, Site};
pub(crate) use super::error_text::{ErrorText, FormError};
use super::settings::SettingsPage;
use super::sign_in::SignInPage;
use portcullis_domain::mail::Language;
use portcullis_domain::verification::Purpose;
use serde::Serialize;

/// Renders pages as HTML.
pub trait PageRenderer: Send + Sync {
    /// Returns the HTML document of a page.
    ///
    /// # Errors
    /// Returns the reason, for the log, if the template fails.
    fn render(&self, page: &Page<'_>) -> Result<String, String>;
}

/// A page. Serializes to the variables of its template.
#[derive(Debug, Serialize)]
pub struct Page<'a> {
    /// The reader's language.
    #[serde(skip)]
    pub language: Language,
    /// Relative path to the folder of the account pages, since the service may be served below a path.
    folder: String,
    site: Site,
    script: Option<&'static str>,
    error: Option<FormError>,
    #[serde(flatten)]
    content: PageContent<'a>,
}

/// Content of a page.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum PageContent<'a> {
    /// `/`: links to the account pages that this service serves itself, and to the API documentation.
    Home { account: bool, verify: bool, reset: bool },
    /// Asks the reader to confirm what the link is for, and for the password unless the browser proves
    /// that the password is the reader's own.
    Confirm { token: &'a str, purpose: &'static str, asks_password: bool },
    /// Outcome of a redeemed token.
    Confirmed {
        purpose: &'static str,
        email: &'a str,
        others_signed_out: bool,
        offer: Option<PasswordOffer>,
        /// Relative URL of the sign-in page.
        sign_in: Option<&'a str>,
    },
    /// Form that requests an email, with the typed address after an error.
    RequestEmail { page: AccountPage, email: Option<&'a str> },
    /// Confirms the request: an email may be on its way.
    EmailSent { page: AccountPage },
    /// Invalid link, with a form to request another.
    ExpiredLink { page: AccountPage },
    /// Form for a new password, which a token authorizes.
    NewPassword { token: &'a str, remove_others: bool },
    /// Confirms that the password was changed.
    PasswordChanged { sign_in: Option<&'a str> },
    /// Viewer of the OpenAPI document. `up` is the relative path to the root of the service.
    ApiViewer { up: &'static str, viewer_style: Option<&'static str>, root: &'static str, scripts: [&'static str; 2] },
    /// A sign-in with a provider that cannot go on, and what to do next.
    SignInFailed { reason: SignInProblem },
    /// Asks the reader to confirm that a provider's account is connected to the account with this email.
    LinkIdentity { token: &'a str, provider: &'a str, email: &'a str },
    /// Takes the reader to the provider. A redirect in response to a form would be stopped by the
    /// `form-action` of the pages' `Content-Security-Policy`.
    Continue { provider: &'a str, url: &'a str },
    /// An account page that cannot be displayed now.
    Failed {},
    /// A page of sign-in.
    SignIn(SignInPage<'a>),
    /// A page on which a person manages the account.
    Settings(SettingsPage),
}

/// Reason why a sign-in with a provider cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignInProblem {
    /// The app's `redirect_uri` is missing or not allowed.
    RedirectUri,
    /// The app's request has no PKCE challenge.
    Pkce,
    UnknownProvider,
    /// The sign-in is too old, was completed before, or began in another browser.
    Expired,
    /// An account can only be connected in the browser that is signed in to the other one.
    OtherBrowser,
    /// The provider cannot be reached.
    Unavailable,
}

/// Account page that a form is posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccountPage {
    Verify,
    Reset,
}

/// Offer to set a new password.
#[derive(Debug, Serialize)]
pub(crate) struct PasswordOffer {
    pub(crate) reason: OfferReason,
    pub(crate) token: String,
}

/// Reason to offer a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OfferReason {
    /// The old password was removed.
    PasswordRemoved,
    /// Another person may know the password.
    PasswordAtRisk,
}

/// Error of a sample, and its field.
type SampleError = (ErrorText, Option<&'static str>);

impl<'a> Page<'a> {
    pub(crate) fn new(language: Language, content: PageContent<'a>, error: Option<FormError>) -> Self {
        let usual = match content {
            PageContent::Home { .. } => "/",
            PageContent::SignIn(SignInPage::Overview(_)) => "/account",
            PageContent::SignInFailed { .. }
            | PageContent::LinkIdentity { .. }
            | PageContent::Continue { .. }
            | PageContent::SignIn(SignInPage::Returning { .. }) => "/auth/providers/corp/callback",
            _ => "/account/login",
        };
        let site = Site::new(&Brand::default(), false);
        let script = content.uses_passkeys().then(|| PASSKEYS.name());
        Self { language, folder: String::new(), site, script, error, content }.at(usual)
    }

    /// Sets the path that the page is served at.
    pub(crate) fn at(self, path: &str) -> Self {
        let base = "../".repeat(path.matches('/').count().saturating_sub(1));
        let folder = if path.starts_with("/account/") { String::new() } else { format!("{base}account/") };
        Self { folder, ..self }
    }

    /// Sets the style and links of the service.
    pub(super) fn of(self, site: Site) -> Self {
        Self { site, ..self }
    }

    /// Returns whether the page has the script.
    pub(super) const fn has_script(&self) -> bool {
        self.script.is_some()
    }

    /// Returns the name of the template.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        match &self.content {
            PageContent::Home { .. } => "home",
            PageContent::Confirm { .. } => "confirm",
            PageContent::Confirmed { .. } => "confirmed",
            PageContent::RequestEmail { .. } => "request_email",
            PageContent::EmailSent { .. } => "email_sent",
            PageContent::ExpiredLink { .. } => "expired_link",
            PageContent::NewPassword { .. } => "new_password",
            PageContent::PasswordChanged { .. } => "password_changed",
            PageContent::ApiViewer { .. } => "api_viewer",
            PageContent::SignInFailed { .. } => "sign_in_failed",
            PageContent::LinkIdentity { .. } => "link_identity",
            PageContent::Continue { .. } => "continue",
            PageContent::Failed {} => "failed",
            PageContent::SignIn(page) => page.template(),
            PageContent::Settings(page) => page.template(),
        }
    }

    /// Returns every page in every form that its template distinguishes, each with a name, to check
    /// the templates. `text` stands for everything that a client chooses.
    #[must_use]
    pub fn samples(language: Language, text: &'a str) -> Vec<(String, Self)> {
        use PageContent as Content;
        let mut samples = Vec::new();
        let mut add = |name: &str, content, error: Option<SampleError>| {
            let error = error.map(|(text, field)| FormError { text, field });
            samples.push((name.to_owned(), Self::new(language, content, error)));
        };
        add("home", Content::Home { account: true, verify: true, reset: true }, None);
        add("home_without_account_pages", Content::Home { account: false, verify: false, reset: false }, None);
        for (name, content, error) in Content::link_samples(text) {
            add(&name, content, error);
        }
        for (name, page) in [("verify", AccountPage::Verify), ("reset", AccountPage::Reset)] {
            add(&format!("request_{name}"), Content::RequestEmail { page, email: None }, None);
            let again = Content::RequestEmail { page, email: Some(text) };
            add(&format!("request_{name}_again"), again, Some((ErrorText::Email, Some("email"))));
            add(&format!("sent_{name}"), Content::EmailSent { page }, None);
            add(&format!("expired_{name}"), Content::ExpiredLink { page }, None);
        }
        for (name, error) in [
            ("new_password", None),
            ("new_password_too_short", Some((ErrorText::TooShort, Some("new_password")))),
            ("new_password_differs", Some((ErrorText::Differs, Some("repetition")))),
        ] {
            add(name, Content::NewPassword { token: text, remove_others: error.is_some() }, error);
        }
        add("password_changed", Content::PasswordChanged { sign_in: Some("login") }, None);
        // Every language has the same texts, so one is enough.
        for error in ErrorText::ALL.into_iter().filter(|_| language == Language::default()) {
            add(
                &format!("error_{error:?}").to_lowercase(),
                Content::PasswordChanged { sign_in: None },
                Some((error, None)),
            );
        }
        add("docs", Content::swagger_ui(""), None);
        add("redoc", Content::redoc("../"), None);
        add("failed", Content::Failed {}, Some((ErrorText::Unavailable, None)));
        for (name, content) in Content::provider_samples(text) {
            add(name, content, None);
        }
        samples.extend(Self::account_samples(language, text));
        samples
    }

    /// Returns the pages of sign-in and of an account, and one with the operator's style and logo.
    fn account_samples(language: Language, text: &'a str) -> Vec<(String, Self)> {
        let sign_in = SignInPage::samples(text).into_iter();
        let sign_in = sign_in.map(|(name, page, error)| (name.to_owned(), PageContent::SignIn(page), error));
        let settings = SettingsPage::samples(text).into_iter();
        let settings = settings.map(|(name, page, error)| (name, PageContent::Settings(page), error));
        // Every language has the same notices too.
        let settings = settings.filter(|(name, ..)| language == Language::default() || !name.starts_with("done_"));
        let all = sign_in.chain(settings).map(|(name, content, error)| (name, Self::new(language, content, error)));
        let brand = Brand { style: Some(String::new()), logo: Logo::parse(b"<svg>".to_vec()) };
        let home = Self::new(language, PageContent::Home { verify: true, reset: true, account: true }, None);
        all.chain([("home_with_brand".to_owned(), home.of(Site::new(&brand, true)))]).collect()
    }
}

impl<'a> From<SignInPage<'a>> for PageContent<'a> {
    fn from(page: SignInPage<'a>) -> Self {
        Self::SignIn(page)
    }
}

impl PageContent<'_> {
    /// Returns the `Referrer-Policy`. Pages with forms for the session of the browser send their own origin to this
    /// service, which proves who sent a form. URLs of the other pages may have a token.
    pub(crate) const fn referrer_policy(&self) -> &'static str {
        if matches!(self, Self::SignIn(_) | Self::Settings(_)) { "same-origin" } else { "no-referrer" }
    }
}

impl<'a> PageContent<'a> {
    /// Returns the pages that links in emails open for [`Page::samples`].
    fn link_samples(text: &'a str) -> Vec<(String, Self, Option<SampleError>)> {
        let mut samples = Vec::new();
        let mut add = |name: String, content, error| samples.push((name, content, error));
        let confirm = |purpose, asks_password| Self::Confirm { token: text, purpose, asks_password };
        for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::UndoEmailChange].map(Purpose::as_str) {
            add(format!("confirm_{purpose}"), confirm(purpose, false), None);
            add(format!("confirm_{purpose}_password"), confirm(purpose, true), None);
            let others_signed_out = purpose != Purpose::UndoEmailChange.as_str();
            let confirmed =
                Self::Confirmed { purpose, email: text, others_signed_out, offer: None, sign_in: Some("login") };
            add(format!("confirmed_{purpose}"), confirmed, None);
        }
        let wrong = Some((ErrorText::WrongPassword, Some("password")));
        add("confirm_wrong_password".to_owned(), confirm("verify_email", true), wrong);
        for (name, purpose, reason) in [
            ("confirmed_password_removed", "verify_email", OfferReason::PasswordRemoved),
            ("confirmed_password_at_risk", "undo_email", OfferReason::PasswordAtRisk),
        ] {
            let offer = Some(PasswordOffer { reason, token: text.to_owned() });
            let (others_signed_out, sign_in) = (false, None);
            add(name.to_owned(), Self::Confirmed { purpose, email: text, others_signed_out, offer, sign_in }, None);
        }
        samples
    }

    /// Returns the pages of sign-in with providers for [`Page::samples`].
    fn provider_samples(text: &'a str) -> [(&'static str, Self); 8] {
        let failed = |reason| Self::SignInFailed { reason };
        [
            ("sign_in_redirect_uri", failed(SignInProblem::RedirectUri)),
            ("sign_in_pkce", failed(SignInProblem::Pkce)),
            ("sign_in_unknown_provider", failed(SignInProblem::UnknownProvider)),
            ("sign_in_expired", failed(SignInProblem::Expired)),
            ("sign_in_other_browser", failed(SignInProblem::OtherBrowser)),
            ("sign_in_unavailable", failed(SignInProblem::Unavailable)),
            ("link_identity", Self::LinkIdentity { token: text, provider: "Google", email: text }),
            ("continue", Self::Continue { provider: "Google", url: text }),
        ]
    }
}
