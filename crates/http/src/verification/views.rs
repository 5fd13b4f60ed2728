//! Content of the verification pages.

use crate::pages::account::{Field, FormError, Html, PageContext, PageView, Translations};
use crate::pages::account::{FormPage, Notice};
use crate::recovery::{email_form, password_form};
use portcullis_domain::registration::PasswordPolicy;
use portcullis_domain::verification::{OneTimeToken, Purpose};

/// The page that these forms are posted to.
const PAGE: &str = "verify";
/// Form fields.
pub(super) const TOKEN: &str = "token";
pub(super) const PURPOSE: &str = "purpose";
pub(super) const PASSWORD: &str = "password";
/// Present if the page asked for the password.
pub(super) const ASKED: &str = "asked";
/// Present if the reader did not choose the password.
pub(super) const DISOWNED: &str = "disowned";
pub(super) const EMAIL: &str = "email";

/// A link that was opened.
pub(super) struct Link<'a> {
    pub(super) token: &'a str,
    pub(super) purpose: Purpose,
    /// True if the password stays valid only when it is entered.
    pub(super) asks_password: bool,
}

impl Link<'_> {
    /// Returns the hidden fields of every form of the page. The purpose only selects the texts of a
    /// page with an error.
    fn hidden(&self) -> Vec<Html> {
        vec![Html::hidden(TOKEN, self.token), Html::hidden(PURPOSE, self.purpose.as_str())]
    }
}

/// Renders the confirmation. Asks for the password unless the browser proves that the password is the
/// reader's own.
pub(super) fn confirm(reader: &PageContext<'_>, link: &Link<'_>, fault: Option<&FormError>) -> PageView {
    let step = step(reader.words, link.purpose);
    let text = Html::paragraph(step.text);
    if !link.asks_password {
        return PageView { title: step.title, parts: vec![text, Html::form(PAGE, link.hidden(), step.button)] };
    }
    let asked = &reader.words.own_password;
    let field = Field {
        name: PASSWORD,
        label: asked.label,
        hint: Some(asked.hint.to_owned()),
        attributes: "type=\"password\" autocomplete=\"current-password\" spellcheck=\"false\"",
        value: None,
        min_chars: None,
    };
    let mut parts = link.hidden();
    parts.extend([Html::hidden(ASKED, "password"), Html::field(&field, fault)]);
    let none = &asked.none;
    let other = vec![Html::paragraph(none.text), Html::named_button(DISOWNED, none.button)];
    let form = Html::form_with_alternative(PAGE, parts, step.button, Html::section(none.title, other));
    PageView { title: step.title, parts: vec![text, form] }
}

fn step(words: &Translations, purpose: Purpose) -> &FormPage {
    match purpose {
        Purpose::ChangeEmail => &words.change,
        Purpose::UndoEmailChange => &words.undo,
        Purpose::VerifyEmail | Purpose::ResetPassword => &words.verify,
    }
}

/// Outcome of a redeemed token.
pub(super) struct Done<'a> {
    pub(super) purpose: Purpose,
    pub(super) email: &'a str,
    pub(super) others_signed_out: bool,
    pub(super) password_removed: bool,
    /// Token that authorizes a new password, if one is offered.
    pub(super) reset: Option<OneTimeToken>,
}

/// Renders the outcome, and offers a new password if the old one was removed or another person may know
/// it.
pub(super) fn done(reader: &PageContext<'_>, done: &Done<'_>, policy: &PasswordPolicy) -> PageView {
    let words = reader.words;
    let told = outcome(words, done.purpose);
    let mut parts = vec![Html::address(done.email), Html::done(told.text)];
    if done.others_signed_out && done.purpose != Purpose::UndoEmailChange {
        parts.push(Html::paragraph(words.others_signed_out));
    }
    if let Some(token) = &done.reset {
        let offer = if done.password_removed { &words.offer_removed } else { &words.offer_undone };
        let form = password_form(reader, &token.expose(), policy, Some(done.email), None);
        parts.push(Html::section(offer.title, vec![Html::paragraph(offer.text), form]));
    }
    PageView { title: told.title, parts }
}

fn outcome(words: &Translations, purpose: Purpose) -> &Notice {
    match purpose {
        Purpose::ChangeEmail => &words.changed,
        Purpose::UndoEmailChange => &words.undone,
        Purpose::VerifyEmail | Purpose::ResetPassword => &words.verified,
    }
}

/// Renders the form that requests a verification email.
pub(super) fn ask(reader: &PageContext<'_>, typed: Option<String>, fault: Option<&FormError>) -> PageView {
    let step = &reader.words.ask_verification;
    let form = email_form(reader, PAGE, step.button, typed, fault);
    PageView { title: step.title, parts: vec![Html::paragraph(step.text), form] }
}

/// Renders the page of an invalid link, with a form to request another.
pub(super) fn expired_link(reader: &PageContext<'_>) -> PageView {
    let (dead, step) = (&reader.words.dead, &reader.words.ask_verification);
    let form = email_form(reader, PAGE, step.button, None, None);
    let parts = vec![Html::paragraph(dead.text), Html::section(step.title, vec![Html::paragraph(step.text), form])];
    PageView { title: dead.title, parts }
}

/// Confirms the request: an email may be on its way.
pub(super) fn sent(reader: &PageContext<'_>) -> PageView {
    let told = &reader.words.sent_verification;
    PageView { title: told.title, parts: vec![Html::done(told.text)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::mail::Language;
    use std::collections::BTreeSet;

    fn text(screen: &PageView) -> String {
        format!("{} {:?}", screen.title, screen.parts)
    }

    #[test]
    fn every_purpose_has_a_page_of_its_own_before_and_after() {
        for language in Language::ALL {
            let reader = PageContext::named("Gate", language);
            let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
            for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::UndoEmailChange] {
                for asks_password in [false, true] {
                    let asked = text(&confirm(&reader, &Link { token: "t", purpose, asks_password }, None));
                    assert!(asked.contains(purpose.as_str()), "{asked}");
                    let field = asked.contains(reader.words.own_password.label);
                    assert_eq!((field, asked.contains(DISOWNED)), (asks_password, asks_password), "{asked}");
                    assert_eq!(asked.matches("<form").count(), 1, "both answers belong to one question: {asked}");
                }
                before.insert(step(reader.words, purpose).title);
                let reset = Some(OneTimeToken::new([7; 32]));
                let email = "ada@example.org";
                let told = Done { purpose, email, others_signed_out: true, password_removed: true, reset };
                let told = text(&done(&reader, &told, &PasswordPolicy::default()));
                let offered = told.contains("new_password") && told.contains(&OneTimeToken::new([7; 32]).expose());
                assert!(offered && told.contains("ada@example.org"), "{told}");
                after.insert(outcome(reader.words, purpose).title);
            }
            assert_eq!((before.len(), after.len()), (3, 3), "{language:?}");
        }
    }

    #[test]
    fn a_password_is_offered_with_a_token_alone() {
        let reader = PageContext::named("Gate", Language::English);
        let (purpose, email) = (Purpose::VerifyEmail, "a@b.org");
        let told = Done { purpose, email, others_signed_out: false, password_removed: false, reset: None };
        let told = text(&done(&reader, &told, &PasswordPolicy::default()));
        assert!(!told.contains("new_password") && !told.contains(reader.words.others_signed_out), "{told}");
    }
}
