//! Members of a request body, read one by one. Records errors, but never the invalid values. Error
//! codes are pydantic's, which clients of the FastAPI app know.

use super::{Input, Member, REMEMBER};
use crate::errors::{ApiError, FieldError};
use crate::openapi::json_patch;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::registration::{EmailAddress, EmailError, NewPassword, Password, PasswordError, PasswordPolicy};
use portcullis_usecases::mfa::FactorCode;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Value of a member. Types that no endpoint accepts are `Other`.
pub(super) enum Value {
    String(String),
    Bool(bool),
    /// Object, as its JSON text.
    Object(String),
    Null,
    Other,
}

/// Members of a body, and the errors recorded so far.
pub(crate) struct Fields {
    members: BTreeMap<String, Value>,
    faults: Vec<FieldError>,
    /// Missing password, which is an error unless the account has none.
    missing_password: Option<FieldError>,
    form: bool,
    /// True if the request wants its tokens in cookies.
    cookies: bool,
    /// Schemas of the members that were read, if this is an empty body to describe.
    schemas: Option<Map<String, Json>>,
}

impl Fields {
    pub(super) fn of(members: BTreeMap<String, Value>) -> Self {
        Self { members, faults: Vec::new(), missing_password: None, form: false, cookies: false, schemas: None }
    }

    pub(super) fn of_form(members: BTreeMap<String, Value>) -> Self {
        Self { form: true, ..Self::of(members) }
    }

    /// Returns whether the body was a form.
    pub(crate) fn is_form(&self) -> bool {
        self.form
    }

    /// Sets whether the request wants its tokens in cookies.
    pub(super) fn in_cookie_mode(self, cookies: bool) -> Self {
        Self { cookies, ..self }
    }

    /// Creates an empty body.
    pub(super) fn none() -> Self {
        Self::of(BTreeMap::new())
    }

    /// Returns the schema of the members that `T` reads, and the first error of a body without them. If
    /// none is required, of one in which they are invalid.
    pub(super) fn describe<T: Input>(form: bool, about: &str, policy: &PasswordPolicy) -> (Json, Option<FieldError>) {
        let mut fields = Self { form, schemas: Some(Map::new()), ..Self::none() };
        let _ = T::read(&mut fields, policy);
        let missing = fields.faults.iter().filter(|fault| fault.code == "missing").map(|fault| fault.field);
        // OpenAPI 3.0 forbids an empty list.
        let required = Some(missing.collect::<Vec<_>>()).filter(|names| !names.is_empty());
        let patch = json!({ "description": about, "properties": fields.schemas, "required": required });
        let mut schema = json!({ "type": "object" });
        json_patch(&mut schema, &patch);
        (schema, fields.missing_password.or_else(|| fields.faults.into_iter().next()))
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
    pub(crate) fn string(&mut self, member: Member) -> Option<String> {
        self.note(member, || json!({ "type": "string" }));
        match self.members.remove(member.name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Bool(_) | Value::Object(_) | Value::Null | Value::Other) => {
                self.push_error(member, "string_type", "Input should be a valid string")
            }
            None => self.push_error(member, "missing", "Field required"),
        }
    }

    /// Reads a JSON object, and returns its text. The limit on bodies bounds it.
    pub(crate) fn object(&mut self, member: Member) -> Option<String> {
        let example = || serde_json::from_str::<Json>(member.example).unwrap_or_default();
        self.note(member, || json!({ "type": "object", "example": example() }));
        match self.members.remove(member.name) {
            Some(Value::Object(text)) => Some(text),
            Some(_) => self.push_error(member, "malformed", "Input should be an object"),
            None => self.push_error(member, "missing", "Field required"),
        }
    }

    /// Reads an optional JSON object. The inner `None` means missing or null.
    pub(crate) fn optional_object(&mut self, member: Member) -> Option<Option<String>> {
        if self.has(member) { self.object(member).map(Some) } else { Some(None) }
    }

    /// Reads a token that this service signed.
    pub(crate) fn jwt(&mut self, member: Member) -> Option<String> {
        self.note(member, || json!({ "maxLength": 8192 }));
        self.string(member)
    }

    /// Reads a token that this service signed. The inner `None` means that the token is in a cookie.
    pub(crate) fn jwt_or_cookie(&mut self, member: Member) -> Option<Option<String>> {
        if self.cookies && !self.has(member) { Some(None) } else { self.jwt(member).map(Some) }
    }

    /// Reads whether a browser must forget the tokens when it closes. Without cookies it has none.
    pub(crate) fn forget(&mut self) -> Option<bool> {
        if !self.cookies && self.schemas.is_none() {
            return Some(false);
        }
        let is_set = self.has(REMEMBER);
        self.note(REMEMBER, || json!({ "default": true, "example": false }));
        if is_set { self.bool(REMEMBER).map(|remember| !remember) } else { Some(false) }
    }

    /// Reads an optional string. A value of another type counts as missing.
    pub(crate) fn optional(&mut self, field: &'static str) -> Option<String> {
        match self.members.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Reads an optional password. The inner `None` means missing or null.
    pub(crate) fn optional_password(&mut self, member: Member) -> Option<Option<Password>> {
        if self.has(member) { self.password(member).map(Some) } else { Some(None) }
    }

    /// Returns whether a member is there and not null.
    pub(crate) fn has(&mut self, member: Member) -> bool {
        // A form has no null.
        let nullable = (!self.form).then_some(true);
        self.note_optional(member, || json!({ "type": "string", "nullable": nullable }));
        self.members.get(member.name).is_some_and(|value| !matches!(value, Value::Null))
    }

    /// Returns whether a member is there, not null and not empty: forms send fields that were left empty.
    pub(crate) fn is_filled(&mut self, member: Member) -> bool {
        self.has(member) && !matches!(self.members.get(member.name), Some(Value::String(text)) if text.is_empty())
    }

    /// Reads an optional code of a second factor. The inner `None` means missing, null or empty.
    pub(crate) fn factor_code(&mut self, member: Member) -> Option<Option<FactorCode>> {
        if !self.is_filled(member) {
            return Some(None);
        }
        self.string(member).map(|text| Some(FactorCode::parse(&text)))
    }

    /// Reads a required code of a second factor. An empty one counts as missing.
    pub(crate) fn required_code(&mut self, member: Member, parse: fn(&str) -> FactorCode) -> Option<FactorCode> {
        self.note(member, || json!({ "minLength": 1 }));
        let text = self.string(member)?;
        if text.is_empty() { self.push_error(member, "missing", "Field required") } else { Some(parse(&text)) }
    }

    /// Reads the name of a second factor.
    pub(crate) fn factor_name(&mut self, member: Member) -> Option<FactorName> {
        const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
        self.note(member, || json!({ "minLength": 1, "maxLength": FactorName::MAX_CHARS, "pattern": ONE_LINE }));
        let text = self.string(member)?;
        match FactorName::parse(&text) {
            Some(name) => Some(name),
            None => {
                let message = format!("Input should be 1 to {} characters on one line", FactorName::MAX_CHARS);
                self.push_error(member, "value_error", message)
            }
        }
    }

    /// Reads a boolean, which a form writes as `true`, `false` or a checkbox's `on`. A missing member is `false`.
    pub(crate) fn bool(&mut self, member: Member) -> Option<bool> {
        self.note_optional(member, || json!({ "type": "boolean", "default": false, "example": true }));
        match self.members.remove(member.name) {
            None => Some(false),
            Some(Value::Bool(value)) => Some(value),
            Some(Value::String(text)) if self.form && matches!(&*text, "true" | "on" | "false") => {
                Some(text != "false")
            }
            Some(Value::String(_) | Value::Object(_) | Value::Null | Value::Other) => {
                self.push_error(member, "bool_type", "Input should be a valid boolean")
            }
        }
    }

    /// Reads a boolean. A missing or null member is `false`, and an empty field of a form.
    pub(crate) fn optional_bool(&mut self, member: Member) -> Option<bool> {
        let is_set = if self.form { self.is_filled(member) } else { self.has(member) };
        if is_set { self.bool(member) } else { Some(false) }
    }

    /// Reads an email address by the rules for new accounts.
    pub(crate) fn email(&mut self, member: Member) -> Option<EmailAddress> {
        self.email_by(EmailAddress::parse, member)
    }

    /// Reads an email address of an existing account, which older rules may have allowed.
    pub(crate) fn known_email(&mut self, member: Member) -> Option<EmailAddress> {
        self.email_by(EmailAddress::parse_known, member)
    }

    fn email_by(
        &mut self,
        parse: fn(&str) -> Result<EmailAddress, EmailError>,
        member: Member,
    ) -> Option<EmailAddress> {
        self.note(member, || json!({ "format": "email", "minLength": 5, "maxLength": 254 }));
        let text = self.string(member)?;
        match parse(&text) {
            Ok(email) => Some(email),
            Err(error) => {
                self.push_error(member, "value_error", format!("value is not a valid email address: {error}"))
            }
        }
    }

    /// Reads an existing password. Does not check the policy.
    pub(crate) fn password(&mut self, member: Member) -> Option<Password> {
        self.note(member, || json!({ "format": "password", "writeOnly": true }));
        self.string(member).map(Password::new)
    }

    /// Reads the password of a user who may have none, or present something else. The inner `None` means missing,
    /// which is listed with other errors only.
    pub(crate) fn own_password(&mut self, member: Member) -> Option<Option<Password>> {
        self.note(member, || json!({ "type": "string", "format": "password", "writeOnly": true }));
        if self.members.contains_key(member.name) {
            return self.password(member).map(Some);
        }
        self.missing_password = Some(FieldError::missing(member.name));
        Some(None)
    }

    /// Reads a new password and checks it against the policy.
    pub(crate) fn new_password(&mut self, member: Member, policy: &PasswordPolicy) -> Option<NewPassword> {
        self.note(member, || json!({ "minLength": policy.min_chars(), "maxLength": PasswordPolicy::MAX_CHARS }));
        match policy.validate(self.password(member)?) {
            Ok(password) => Some(password),
            Err(error) => {
                let code = match error {
                    PasswordError::TooShort { .. } => "string_too_short",
                    PasswordError::TooLong { .. } => "string_too_long",
                    _ => "value_error",
                };
                self.push_error(member, code, error.to_string())
            }
        }
    }

    /// Returns whether no error was recorded.
    pub(super) fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }

    /// Returns an error that lists all recorded errors.
    pub(crate) fn into_error(self) -> ApiError {
        ApiError::validation(self.missing_password.into_iter().chain(self.faults).collect())
    }

    fn push_error<T>(&mut self, member: Member, code: &'static str, message: impl Into<String>) -> Option<T> {
        self.faults.push(FieldError { field: member.name, code, message: message.into() });
        None
    }

    /// Adds to the schema of a member if the body is described.
    fn note(&mut self, member: Member, schema: impl FnOnce() -> Json) {
        if let Some(schemas) = &mut self.schemas {
            let first = || json!({ "description": member.about, "example": member.example });
            json_patch(schemas.entry(member.name).or_insert_with(first), &schema());
        }
    }

    /// Like [`Self::note`]. Makes the member invalid rather than missing, because it is not required.
    fn note_optional(&mut self, member: Member, schema: impl FnOnce() -> Json) {
        self.note(member, schema);
        if self.schemas.is_some() {
            self.members.insert(member.name.to_owned(), Value::Other);
        }
    }
}
