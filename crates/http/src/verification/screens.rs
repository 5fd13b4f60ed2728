//! What the pages for a confirmed address show.

use crate::pages::account::{Fault, Html, Reader, Screen, Words};
use crate::pages::account::{Step, Told};
use crate::recovery::{email_form, password_form};
use portcullis_domain::registration::PasswordPolicy;
use portcullis_domain::verification::{OneTimeToken, Purpose};

/// The page that these forms are posted to.
const PAGE: &str = "verify";
/// The members of the form.
pub(super) const TOKEN: &str = "token";
pub(super) const PURPOSE: &str = "purpose";
pub(super) const EMAIL: &str = "email";

/// Asks whether the link is to do what it is for. The purpose goes along for the words of a page
/// that tells of a fault, and for nothing else.
pub(super) fn confirm(reader: &Reader<'_>, token: &str, purpose: Purpose) -> Screen {
    let step = step(reader.words, purpose);
    let parts = vec![Html::hidden(TOKEN, token), Html::hidden(PURPOSE, purpose.as_str())];
    Screen { title: step.title, parts: vec![Html::paragraph(step.text), Html::form(PAGE, parts, step.button)] }
}

fn step(words: &Words, purpose: Purpose) -> &Step {
    match purpose {
        Purpose::ChangeEmail => &words.change,
        Purpose::UndoEmailChange => &words.undo,
        Purpose::VerifyEmail | Purpose::ResetPassword => &words.verify,
    }
}

/// What was done.
pub(super) struct Done<'a> {
    pub(super) purpose: Purpose,
    pub(super) email: &'a str,
    pub(super) others_signed_out: bool,
    /// What authorises a new password, where one is offered.
    pub(super) reset: Option<OneTimeToken>,
}

/// Tells what was done, and offers a new password where somebody else may know the old one.
pub(super) fn done(reader: &Reader<'_>, done: &Done<'_>, policy: &PasswordPolicy) -> Screen {
    let words = reader.words;
    let (told, offer) = outcome(words, done.purpose);
    let mut parts = vec![Html::address(done.email), Html::done(told.text)];
    if done.others_signed_out && done.purpose != Purpose::UndoEmailChange {
        parts.push(Html::paragraph(words.others_signed_out));
    }
    if let Some(token) = &done.reset {
        let form = password_form(reader, &token.expose(), policy, Some(done.email), None);
        parts.push(Html::section(offer.title, vec![Html::paragraph(offer.text), form]));
    }
    Screen { title: told.title, parts }
}

fn outcome(words: &Words, purpose: Purpose) -> (&Told, &Told) {
    match purpose {
        Purpose::ChangeEmail => (&words.changed, &words.offer_verified),
        Purpose::UndoEmailChange => (&words.undone, &words.offer_undone),
        Purpose::VerifyEmail | Purpose::ResetPassword => (&words.verified, &words.offer_verified),
    }
}

/// Asks for the address that is to be confirmed.
pub(super) fn ask(reader: &Reader<'_>, typed: Option<String>, fault: Option<&Fault>) -> Screen {
    let step = &reader.words.ask_verification;
    let form = email_form(reader, PAGE, step.button, typed, fault);
    Screen { title: step.title, parts: vec![Html::paragraph(step.text), form] }
}

/// A link that is worth nothing, and the way to another.
pub(super) fn dead(reader: &Reader<'_>) -> Screen {
    let (dead, step) = (&reader.words.dead, &reader.words.ask_verification);
    let form = email_form(reader, PAGE, step.button, None, None);
    let parts = vec![Html::paragraph(dead.text), Html::section(step.title, vec![Html::paragraph(step.text), form])];
    Screen { title: dead.title, parts }
}

/// A mail may be on its way.
pub(super) fn sent(reader: &Reader<'_>) -> Screen {
    let told = &reader.words.sent_verification;
    Screen { title: told.title, parts: vec![Html::done(told.text)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::mail::Language;
    use std::collections::BTreeSet;

    fn text(screen: &Screen) -> String {
        format!("{} {:?}", screen.title, screen.parts)
    }

    #[test]
    fn every_purpose_has_a_page_of_its_own_before_and_after() {
        for language in Language::ALL {
            let reader = Reader::named("Gate", language);
            let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
            for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::UndoEmailChange] {
                let asked = text(&confirm(&reader, "t", purpose));
                assert!(asked.contains(purpose.as_str()), "{asked}");
                before.insert(step(reader.words, purpose).title);
                let reset = Some(OneTimeToken::new([7; 32]));
                let told = Done { purpose, email: "ada@example.org", others_signed_out: true, reset };
                let told = text(&done(&reader, &told, &PasswordPolicy::default()));
                let offered = told.contains("new_password") && told.contains(&OneTimeToken::new([7; 32]).expose());
                assert!(offered && told.contains("ada@example.org"), "{told}");
                after.insert(outcome(reader.words, purpose).0.title);
            }
            assert_eq!((before.len(), after.len()), (3, 3), "{language:?}");
        }
    }

    #[test]
    fn a_password_is_offered_with_a_token_alone() {
        let reader = Reader::named("Gate", Language::English);
        let told = Done { purpose: Purpose::VerifyEmail, email: "a@b.org", others_signed_out: false, reset: None };
        let told = text(&done(&reader, &told, &PasswordPolicy::default()));
        assert!(!told.contains("new_password") && !told.contains(reader.words.others_signed_out), "{told}");
    }
}
