//! Selects the error message of a page.

use crate::errors::ApiError;
use crate::pages::page::{ErrorText, FormError};
use portcullis_domain::ErrorCode;

/// Fields that a person does not see.
const HIDDEN: [&str; 2] = ["body", "credential"];

impl FormError {
    /// Creates the message for an error.
    pub(super) fn of(error: &ApiError) -> Self {
        let text = match error.code {
            ErrorCode::Validation => return Self::of_form(error),
            ErrorCode::Conflict => match error.details.as_ref().and_then(|details| details.get("reason")?.as_str()) {
                Some("too_many") => ErrorText::TooManyApps,
                Some("passkey_taken") => ErrorText::PasskeyTaken,
                Some("mfa_required") => ErrorText::AppRequired,
                Some("last_sign_in_method") => ErrorText::LastSignInMethod,
                _ => ErrorText::Taken,
            },
            ErrorCode::RateLimited => ErrorText::Limited,
            ErrorCode::Unavailable => ErrorText::Unavailable,
            ErrorCode::Forbidden => ErrorText::OtherSite,
            ErrorCode::PayloadTooLarge | ErrorCode::UnsupportedMediaType => ErrorText::Unreadable,
            _ => ErrorText::Unexpected,
        };
        Self { text, field: None }
    }

    /// Reports only the first invalid field, which gets the focus.
    fn of_form(error: &ApiError) -> Self {
        let text = error.fields.first().and_then(|first| {
            let text = match (first.field, first.code) {
                ("email", _) => ErrorText::Email,
                (_, "password_wrong") => ErrorText::WrongPassword,
                ("password", "missing") => ErrorText::NoPassword,
                ("password" | "current_password", "required") => ErrorText::PasswordMissing,
                (_, "current_password_wrong") => ErrorText::CurrentPassword,
                (_, "name_invalid") => ErrorText::Name,
                (_, "unconfirmed") => ErrorText::Sure,
                (_, "passkey_refused") => ErrorText::PasskeyRefused,
                ("credential", "challenge" | "challenge_expired") => ErrorText::PasskeyExpired,
                ("credential", _) => ErrorText::PasskeyFailed,
                (_, "setup_expired") => ErrorText::SetupExpired,
                (_, "required") => ErrorText::CodeMissing,
                (_, "credentials") => ErrorText::Credentials,
                (_, "password_or_code") => ErrorText::PasswordOrCode,
                (_, "code_wrong") => ErrorText::WrongCode,
                (_, "string_too_short" | "missing") => ErrorText::TooShort,
                (_, "string_too_long") => ErrorText::TooLong,
                (_, "password_common") => ErrorText::Common,
                (_, "password_differs") => ErrorText::Differs,
                _ => return None,
            };
            Some(Self { text, field: Some(first.field).filter(|field| !HIDDEN.contains(field)) })
        });
        text.unwrap_or(Self { text: ErrorText::Unreadable, field: None })
    }
}

impl FormError {
    /// Creates the message for the error of a flow that connects an account of a provider.
    pub(crate) fn of_link(reason: &str) -> Self {
        let text = match reason {
            "identity_taken" => ErrorText::IdentityTaken,
            "access_denied" => ErrorText::LinkCanceled,
            _ => ErrorText::ProviderFailed,
        };
        Self { text, field: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::FieldError;

    #[test]
    fn the_first_invalid_field_has_the_message() {
        for code in ErrorCode::ALL {
            assert_eq!(FormError::of(&ApiError::new(code, "in English")).field, None, "{code}");
        }
        for (field, code, text) in [
            ("new_password", "string_too_short", ErrorText::TooShort),
            ("new_password", "missing", ErrorText::TooShort),
            ("password", "password_wrong", ErrorText::WrongPassword),
            ("password", "missing", ErrorText::NoPassword),
            ("email", "value_error", ErrorText::Email),
            ("body", "form_invalid", ErrorText::Unreadable),
            ("credential", "challenge_expired", ErrorText::PasskeyExpired),
            ("credential", "user_verification", ErrorText::PasskeyFailed),
        ] {
            let fields = [field, "other"].map(|field| FieldError { field, code, message: "in English".to_owned() });
            let at = (!HIDDEN.contains(&field)).then_some(field);
            assert_eq!(FormError::of(&ApiError::validation(fields.into())), FormError { text, field: at });
        }
    }
}
