//! Texts of the pages, one file per language. Texts are plain and always escaped.

mod de;
mod en;
mod es;
mod fr;
mod pt;
mod zh;

use portcullis_domain::mail::Language;

/// All texts of the pages. `{n}` is replaced by a number.
pub(crate) struct Translations {
    /// Prefix of the title of a page with an error.
    pub(crate) fault: &'static str,
    /// The page at `/`.
    pub(crate) home: Home,
    /// Pages that a link opens.
    pub(crate) verify: FormPage,
    pub(crate) change: FormPage,
    pub(crate) undo: FormPage,
    pub(crate) reset: FormPage,
    /// Results of those pages.
    pub(crate) verified: Notice,
    pub(crate) changed: Notice,
    pub(crate) undone: Notice,
    pub(crate) password_changed: Notice,
    /// Added if other devices were logged out.
    pub(crate) others_signed_out: &'static str,
    /// Question for the reader's password.
    pub(crate) own_password: OwnPassword,
    /// Offer of a new password: the old one was removed, or another person may know it.
    pub(crate) offer_removed: Notice,
    pub(crate) offer_undone: Notice,
    /// An invalid link.
    pub(crate) dead: Notice,
    /// Request for an email, and its confirmation.
    pub(crate) ask_verification: FormPage,
    pub(crate) ask_reset: FormPage,
    pub(crate) sent_verification: Notice,
    pub(crate) sent_reset: Notice,
    /// Form fields.
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
    pub(crate) password_hint: &'static str,
    pub(crate) repetition: &'static str,
    pub(crate) faults: ErrorTexts,
}

/// Texts of the home page and its links.
pub(crate) struct Home {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) account: &'static str,
    pub(crate) reset: &'static str,
    pub(crate) verify: &'static str,
    pub(crate) developers: &'static str,
    pub(crate) docs: &'static str,
    pub(crate) redoc: &'static str,
    pub(crate) document: &'static str,
}

/// Texts of a page with a button.
pub(crate) struct FormPage {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) button: &'static str,
}

/// Texts of the password field, and of the alternative for readers who chose no password.
pub(crate) struct OwnPassword {
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) none: FormPage,
}

/// A title and the text below it.
pub(crate) struct Notice {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

/// Error messages.
pub(crate) struct ErrorTexts {
    pub(crate) email: &'static str,
    pub(crate) too_short: &'static str,
    pub(crate) too_long: &'static str,
    pub(crate) common: &'static str,
    pub(crate) differs: &'static str,
    pub(crate) wrong_password: &'static str,
    pub(crate) taken: &'static str,
    pub(crate) limited: &'static str,
    pub(crate) unavailable: &'static str,
    pub(crate) foreign: &'static str,
    pub(crate) unreadable: &'static str,
    pub(crate) unexpected: &'static str,
}

impl Translations {
    /// Returns the texts in a language.
    pub(crate) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::WORDS,
            Language::German => &de::WORDS,
            Language::French => &fr::WORDS,
            Language::Spanish => &es::WORDS,
            Language::Portuguese => &pt::WORDS,
            Language::Chinese => &zh::WORDS,
        }
    }
}

/// Inserts a number into a text.
pub(crate) fn with_number(text: &str, number: usize) -> String {
    text.replace("{n}", &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all(words: &Translations) -> Vec<&'static str> {
        let own = &words.own_password;
        let steps = [
            &words.verify,
            &words.change,
            &words.undo,
            &words.reset,
            &own.none,
            &words.ask_verification,
            &words.ask_reset,
        ];
        let told = [
            &words.verified,
            &words.changed,
            &words.undone,
            &words.password_changed,
            &words.offer_removed,
            &words.offer_undone,
            &words.dead,
            &words.sent_verification,
            &words.sent_reset,
        ];
        let faults = &words.faults;
        let mut texts: Vec<_> = steps.iter().flat_map(|step| [step.title, step.text, step.button]).collect();
        texts.extend(told.iter().flat_map(|told| [told.title, told.text]));
        let home = &words.home;
        texts.extend([home.title, home.text, home.account, home.reset, home.verify, home.developers]);
        texts.extend([home.docs, home.redoc, home.document]);
        texts.extend([words.fault, words.others_signed_out, words.email, words.password, words.password_hint]);
        texts.extend([words.repetition, faults.email, faults.too_short, faults.too_long, faults.common]);
        texts.extend([faults.differs, faults.limited, faults.unavailable, faults.foreign, faults.unreadable]);
        texts.extend([faults.taken, faults.unexpected, faults.wrong_password, own.label, own.hint]);
        texts
    }

    #[test]
    fn every_language_says_everything_in_its_own_words() {
        let mut seen = BTreeSet::new();
        for language in Language::ALL {
            let words = Translations::of(language);
            for text in all(words) {
                assert!(!text.trim().is_empty() && !text.contains(['<', '>', '&']), "{language:?}: {text:?}");
            }
            // A forgotten text would still be a copy of another language's.
            let own: BTreeSet<_> = all(words).into_iter().filter(|text| text.chars().count() > 20).collect();
            for text in own {
                assert!(seen.insert(text), "{language:?}: {text}");
            }
            for text in [words.password_hint, words.faults.too_short, words.faults.too_long] {
                assert_eq!(text.matches("{n}").count(), 1, "{language:?}: {text}");
                assert!(with_number(text, 12).contains("12"));
            }
        }
    }
}
