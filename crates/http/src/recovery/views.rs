//! Content of the password-reset pages.

use crate::pages::account::{Field, FormError, Html, PageContext, PageView, with_number};
use portcullis_domain::registration::PasswordPolicy;

/// The page that these forms are posted to.
pub(crate) const PAGE: &str = "reset";
/// Form fields.
pub(super) const TOKEN: &str = "token";
pub(super) const PASSWORD: &str = "new_password";
pub(super) const PASSWORD_AGAIN: &str = "repetition";
pub(super) const EMAIL: &str = "email";

/// Renders the form for a new password.
pub(super) fn new_password(
    reader: &PageContext<'_>,
    token: &str,
    policy: &PasswordPolicy,
    fault: Option<&FormError>,
) -> PageView {
    let reset = &reader.words.reset;
    let form = password_form(reader, token, policy, None, fault);
    PageView { title: reset.title, parts: vec![Html::paragraph(reset.text), form] }
}

/// Creates the form for a new password, which a token authorizes. The password is typed twice, since
/// without a script it cannot be revealed.
pub(crate) fn password_form(
    reader: &PageContext<'_>,
    token: &str,
    policy: &PasswordPolicy,
    email: Option<&str>,
    fault: Option<&FormError>,
) -> Html {
    let words = reader.words;
    let hint = Some(with_number(words.password_hint, policy.min_chars()));
    let field = |name, label, hint| {
        let attributes = "type=\"password\" autocomplete=\"new-password\" spellcheck=\"false\"";
        // No `maxlength`: browsers truncate silently.
        Html::field(&Field { name, label, hint, attributes, value: None, min_chars: Some(policy.min_chars()) }, fault)
    };
    let parts = vec![
        Html::hidden(TOKEN, token),
        email.map(Html::username).unwrap_or_default(),
        field(PASSWORD, words.password, hint),
        field(PASSWORD_AGAIN, words.repetition, None),
    ];
    Html::form(PAGE, parts, words.reset.button)
}

/// Confirms that the password was changed.
pub(super) fn changed(reader: &PageContext<'_>) -> PageView {
    let told = &reader.words.password_changed;
    PageView { title: told.title, parts: vec![Html::done(told.text)] }
}

/// Renders the form that requests a reset email.
pub(super) fn ask(reader: &PageContext<'_>, typed: Option<String>, fault: Option<&FormError>) -> PageView {
    let step = &reader.words.ask_reset;
    let form = email_form(reader, PAGE, step.button, typed, fault);
    PageView { title: step.title, parts: vec![Html::paragraph(step.text), form] }
}

/// Renders the page of an invalid link, with a form to request another.
pub(super) fn expired_link(reader: &PageContext<'_>) -> PageView {
    let (dead, step) = (&reader.words.dead, &reader.words.ask_reset);
    let form = email_form(reader, PAGE, step.button, None, None);
    let parts = vec![Html::paragraph(dead.text), Html::section(step.title, vec![Html::paragraph(step.text), form])];
    PageView { title: dead.title, parts }
}

/// Confirms the request: an email may be on its way.
pub(super) fn sent(reader: &PageContext<'_>) -> PageView {
    let told = &reader.words.sent_reset;
    PageView { title: told.title, parts: vec![Html::done(told.text)] }
}

/// Creates the form for the email address to write to.
pub(crate) fn email_form(
    reader: &PageContext<'_>,
    page: &'static str,
    button: &str,
    typed: Option<String>,
    fault: Option<&FormError>,
) -> Html {
    let attributes = "type=\"email\" autocomplete=\"email\"";
    let field = Field { name: EMAIL, label: reader.words.email, hint: None, attributes, value: typed, min_chars: None };
    Html::unchecked_form(page, vec![Html::field(&field, fault)], button)
}
