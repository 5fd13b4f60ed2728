//! What the pages for a new password show.

use crate::pages::account::{Field, FormError, Html, PageContext, PageView, with_number};
use portcullis_domain::registration::PasswordPolicy;

/// The page that these forms are posted to.
pub(crate) const PAGE: &str = "reset";
/// The members of the form.
pub(super) const TOKEN: &str = "token";
pub(super) const PASSWORD: &str = "new_password";
pub(super) const PASSWORD_AGAIN: &str = "repetition";
pub(super) const EMAIL: &str = "email";

/// Asks for a new password.
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

/// The form for a new password, which a token authorises. Without a script nobody can look at what
/// was typed, so it is typed twice.
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
        // No `maxlength`: browsers cut what is longer, and say nothing.
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

/// The password is changed.
pub(super) fn changed(reader: &PageContext<'_>) -> PageView {
    let told = &reader.words.password_changed;
    PageView { title: told.title, parts: vec![Html::done(told.text)] }
}

/// Asks whose password was forgotten.
pub(super) fn ask(reader: &PageContext<'_>, typed: Option<String>, fault: Option<&FormError>) -> PageView {
    let step = &reader.words.ask_reset;
    let form = email_form(reader, PAGE, step.button, typed, fault);
    PageView { title: step.title, parts: vec![Html::paragraph(step.text), form] }
}

/// A link that is worth nothing, and the way to another.
pub(super) fn expired_link(reader: &PageContext<'_>) -> PageView {
    let (dead, step) = (&reader.words.dead, &reader.words.ask_reset);
    let form = email_form(reader, PAGE, step.button, None, None);
    let parts = vec![Html::paragraph(dead.text), Html::section(step.title, vec![Html::paragraph(step.text), form])];
    PageView { title: dead.title, parts }
}

/// A mail may be on its way.
pub(super) fn sent(reader: &PageContext<'_>) -> PageView {
    let told = &reader.words.sent_reset;
    PageView { title: told.title, parts: vec![Html::done(told.text)] }
}

/// The form for an address that a mail is to go to.
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
