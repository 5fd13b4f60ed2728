//! The members of a body, read one by one; what is wrong is noted, never the value.
//! The codes of faults are pydantic's, which clients of the FastAPI application know.

use crate::errors::{ApiError, FieldError};
use portcullis_domain::registration::{EmailAddress, EmailError, NewPassword, Password, PasswordError, PasswordPolicy};
use std::collections::BTreeMap;

/// A member's value, as far as anybody asks.
pub(super) enum Value {
    /// A string.
    String(String),
    /// A truth value.
    Bool(bool),
    /// Null.
    Null,
    /// Anything else.
    Other,
}

/// The members of a body.
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

    /// Whether the members came in a form.
    pub(crate) fn is_form(&self) -> bool {
        self.form
    }

    /// No members.
    pub(super) fn none() -> Self {
        Self::of(BTreeMap::new())
    }

    /// The error of a request that has no body.
    pub(super) fn missing() -> Result<Self, ApiError> {
        Err(Self::body_error("missing", "Field required"))
    }

    /// An error of the body as a whole.
    pub(super) fn body_error(code: &'static str, message: &'static str) -> ApiError {
        ApiError::validation(vec![FieldError { field: "body", code, message: message.into() }])
    }

    /// A member that must be a string.
    pub(crate) fn string(&mut self, field: &'static str) -> Option<String> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Bool(_) | Value::Null | Value::Other) => {
                self.push_error(field, "string_type", "Input should be a valid string")
            }
            None => self.push_error(field, "missing", "Field required"),
        }
    }

    /// A member that may be missing, and is as good as missing where it is no string.
    pub(crate) fn optional(&mut self, field: &'static str) -> Option<String> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A password that may be missing, or null; the inner option says whether it is there.
    pub(crate) fn optional_password(&mut self, field: &'static str) -> Option<Option<Password>> {
        match self.members.get(field) {
            None | Some(Value::Null) => Some(None),
            Some(_) => self.password(field).map(Some),
        }
    }

    /// A member that must be a truth value, and means no where it is missing.
    pub(crate) fn bool(&mut self, field: &'static str) -> Option<bool> {
        match self.members.remove(field) {
            None => Some(false),
            Some(Value::Bool(value)) => Some(value),
            Some(Value::String(_) | Value::Null | Value::Other) => {
                self.push_error(field, "bool_type", "Input should be a valid boolean")
            }
        }
    }

    /// A member that must be an email address.
    pub(crate) fn email(&mut self, field: &'static str) -> Option<EmailAddress> {
        self.email_by(EmailAddress::parse, field)
    }

    /// A member that must be an email address that an account may have, however long ago it got it.
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

    /// A member that must be a password somebody may have.
    pub(crate) fn password(&mut self, field: &'static str) -> Option<Password> {
        self.string(field).map(Password::new)
    }

    /// A member that must be a password that the policy lets through.
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

    /// Whether all that was read was right.
    pub(super) fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }

    /// The error that tells every fault.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::validation(self.faults)
    }

    fn push_error<T>(&mut self, field: &'static str, code: &'static str, message: impl Into<String>) -> Option<T> {
        self.faults.push(FieldError { field, code, message: message.into() });
        None
    }
}
