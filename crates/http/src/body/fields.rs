//! Members of a request body, read one by one. Records errors, but never the invalid values. Error
//! codes are pydantic's, which clients of the FastAPI app know.

use crate::errors::{ApiError, FieldError};
use portcullis_domain::mfa::FactorName;
use portcullis_domain::registration::{EmailAddress, EmailError, NewPassword, Password, PasswordError, PasswordPolicy};
use portcullis_usecases::mfa::FactorCode;
use std::collections::BTreeMap;

/// Value of a member. Types that no endpoint accepts are `Other`.
pub(super) enum Value {
    String(String),
    Bool(bool),
    Null,
    Other,
}

/// Members of a body, and the errors recorded so far.
pub(crate) struct Fields {
    members: BTreeMap<String, Value>,
    faults: Vec<FieldError>,
    form: bool,
}

impl Fields {
    pub(super) fn of(members: BTreeMap<String, Value>) -> Self {
        Self { members, faults: Vec::new(), form: false }
    }

    pub(super) fn of_form(members: BTreeMap<String, Value>) -> Self {
        Self { form: true, ..Self::of(members) }
    }

    /// Returns whether the body was a form.
    pub(crate) fn is_form(&self) -> bool {
        self.form
    }

    /// Creates an empty body.
    pub(super) fn none() -> Self {
        Self::of(BTreeMap::new())
    }

    /// Returns the error for a request without a body.
    pub(super) fn missing() -> Result<Self, ApiError> {
        Err(Self::body_error("missing", "Field required"))
    }

    /// Creates an error of the body as a whole.
    pub(super) fn body_error(code: &'static str, message: &'static str) -> ApiError {
        ApiError::validation(vec![FieldError { field: "body", code, message: message.into() }])
    }

    /// Reads a required string. Like the other readers, returns `None` and records an error if the
    /// member is invalid.
    pub(crate) fn string(&mut self, field: &'static str) -> Option<String> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Bool(_) | Value::Null | Value::Other) => {
                self.push_error(field, "string_type", "Input should be a valid string")
            }
            None => self.push_error(field, "missing", "Field required"),
        }
    }

    /// Reads an optional string. A value of another type counts as missing.
    pub(crate) fn optional(&mut self, field: &'static str) -> Option<String> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Reads an optional password. The inner `None` means missing or null.
    pub(crate) fn optional_password(&mut self, field: &'static str) -> Option<Option<Password>> {
        if self.has(field) { self.password(field).map(Some) } else { Some(None) }
    }

    /// Returns whether a member is there and not null.
    pub(crate) fn has(&self, field: &'static str) -> bool {
        self.members.get(field).is_some_and(|value| !matches!(value, Value::Null))
    }

    /// Reads an optional code of a second factor. The inner `None` means missing or null.
    pub(crate) fn factor_code(&mut self, field: &'static str) -> Option<Option<FactorCode>> {
        if !self.has(field) {
            return Some(None);
        }
        self.string(field).map(|text| Some(FactorCode::parse(&text)))
    }

    /// Reads the name of a second factor.
    pub(crate) fn factor_name(&mut self, field: &'static str) -> Option<FactorName> {
        let text = self.string(field)?;
        match FactorName::parse(&text) {
            Some(name) => Some(name),
            None => {
                let message = format!("Input should be 1 to {} characters on one line", FactorName::MAX_CHARS);
                self.push_error(field, "value_error", message)
            }
        }
    }

    /// Reads a boolean, which a form writes as `true` or `false`. A missing member is `false`.
    pub(crate) fn bool(&mut self, field: &'static str) -> Option<bool> {
        match self.members.remove(field) {
            None => Some(false),
            Some(Value::Bool(value)) => Some(value),
            Some(Value::String(text)) if self.form && matches!(&*text, "true" | "false") => Some(text == "true"),
            Some(Value::String(_) | Value::Null | Value::Other) => {
                self.push_error(field, "bool_type", "Input should be a valid boolean")
            }
        }
    }

    /// Reads a boolean. A missing or null member is `false`.
    pub(crate) fn optional_bool(&mut self, field: &'static str) -> Option<bool> {
        if self.has(field) { self.bool(field) } else { Some(false) }
    }

    /// Reads an email address by the rules for new accounts.
    pub(crate) fn email(&mut self, field: &'static str) -> Option<EmailAddress> {
        self.email_by(EmailAddress::parse, field)
    }

    /// Reads an email address of an existing account, which older rules may have allowed.
    pub(crate) fn known_email(&mut self, field: &'static str) -> Option<EmailAddress> {
        self.email_by(EmailAddress::parse_known, field)
    }

    fn email_by(
        &mut self,
        parse: fn(&str) -> Result<EmailAddress, EmailError>,
        field: &'static str,
    ) -> Option<EmailAddress> {
        let text = self.string(field)?;
        match parse(&text) {
            Ok(email) => Some(email),
            Err(error) => self.push_error(field, "value_error", format!("value is not a valid email address: {error}")),
        }
    }

    /// Reads an existing password. Does not check the policy.
    pub(crate) fn password(&mut self, field: &'static str) -> Option<Password> {
        self.string(field).map(Password::new)
    }

    /// Reads a new password and checks it against the policy.
    pub(crate) fn new_password(&mut self, field: &'static str, policy: &PasswordPolicy) -> Option<NewPassword> {
        match policy.validate(self.password(field)?) {
            Ok(password) => Some(password),
            Err(error) => {
                let code = match error {
                    PasswordError::TooShort { .. } => "string_too_short",
                    PasswordError::TooLong { .. } => "string_too_long",
                    _ => "value_error",
                };
                self.push_error(field, code, error.to_string())
            }
        }
    }

    /// Returns whether no error was recorded.
    pub(super) fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }

    /// Returns an error that lists all recorded errors.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::validation(self.faults)
    }

    fn push_error<T>(&mut self, field: &'static str, code: &'static str, message: impl Into<String>) -> Option<T> {
        self.faults.push(FieldError { field, code, message: message.into() });
        None
    }
}
