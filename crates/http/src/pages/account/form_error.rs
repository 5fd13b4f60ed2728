//! Error messages of the pages, in the reader's language.

use super::{Translations, with_number};
use crate::errors::ApiError;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::PasswordPolicy;

/// Error message, and the form field it belongs to.
pub(crate) struct FormError {
    pub(crate) text: String,
    pub(crate) field: Option<&'static str>,
}

impl FormError {
    /// Creates an error of the form as a whole, or one that the reader did not cause.
    fn of_all(text: &str) -> Self {
        Self { text: text.to_owned(), field: None }
    }

    /// Translates an error for the reader.
    pub(crate) fn of(error: &ApiError, words: &Translations, policy: &PasswordPolicy) -> Self {
        let faults = &words.faults;
        match error.code {
            ErrorCode::Validation => Self::of_form(error, words, policy),
            ErrorCode::Conflict => Self::of_all(faults.taken),
            ErrorCode::RateLimited => Self::of_all(faults.limited),
            ErrorCode::Unavailable => Self::of_all(faults.unavailable),
            ErrorCode::Forbidden => Self::of_all(faults.foreign),
            ErrorCode::PayloadTooLarge | ErrorCode::UnsupportedMediaType => Self::of_all(faults.unreadable),
            _ => Self::of_all(faults.unexpected),
        }
    }

    /// Reports only the first invalid field, which gets the focus.
    fn of_form(error: &ApiError, words: &Translations, policy: &PasswordPolicy) -> Self {
        let faults = &words.faults;
        let Some(first) = error.fields.first() else { return Self::of_all(faults.unreadable) };
        let text = match (first.field, first.code) {
            ("email", _) => faults.email.to_owned(),
            (_, "password_wrong") => faults.wrong_password.to_owned(),
            ("password", "missing") => words.own_password.label.to_owned(),
            (_, "string_too_short" | "missing") => with_number(faults.too_short, policy.min_chars()),
            (_, "string_too_long") => with_number(faults.too_long, PasswordPolicy::MAX_CHARS),
            (_, "password_common") => faults.common.to_owned(),
            (_, "password_differs") => faults.differs.to_owned(),
            _ => return Self::of_all(faults.unreadable),
        };
        Self { text, field: Some(first.field) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::FieldError;
    use portcullis_domain::mail::Language;

    #[test]
    fn every_error_is_told_in_the_readers_words() {
        let words = Translations::of(Language::German);
        let policy = PasswordPolicy::with_min_chars(12);
        for code in ErrorCode::ALL {
            let fault = FormError::of(&ApiError::new(code, "in English"), words, &policy);
            assert!(!fault.text.contains("English") && fault.field.is_none(), "{code}");
        }
        let field = |field, code| {
            let error = ApiError::validation(vec![FieldError { field, code, message: "in English".to_owned() }]);
            let fault = FormError::of(&error, words, &policy);
            (fault.text, fault.field)
        };
        let short = "Das Passwort braucht mindestens 12 Zeichen.".to_owned();
        assert_eq!(field("new_password", "string_too_short"), (short, Some("new_password")));
        assert_eq!(field("password", "password_wrong"), (words.faults.wrong_password.to_owned(), Some("password")));
        assert_eq!(field("password", "missing"), (words.own_password.label.to_owned(), Some("password")));
        assert_eq!(field("email", "value_error"), (words.faults.email.to_owned(), Some("email")));
        assert_eq!(field("body", "form_invalid"), (words.faults.unreadable.to_owned(), None));
    }
}
