//! The API document: what paperclip makes from the handlers, and one pass over it for what
//! paperclip cannot say.

mod examples;
mod hoist;
mod overlay;
mod statuses;

use crate::errors::{ErrorBody, ErrorDetails, ErrorResponse, FieldError, ProblemDocument};
use crate::health::{Check, Checks, Circuit, Circuits, MailCheck};
use crate::keys::Jwk;
use crate::routes;
use crate::sessions::{EventResponse, SessionResponse};
use actix_web::App;
use paperclip::actix::OpenApiExt;
use paperclip::v2::models::{DefaultApiRaw, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::registration::PasswordPolicy;
use serde_json::{Value, json};

/// The API document, an OpenAPI 3 description of every route, under the given title and with the
/// limits of the policy.
///
/// ```
/// use portcullis_domain::registration::PasswordPolicy;
/// let document = portcullis_http::document("Portcullis", &PasswordPolicy::default());
/// assert_eq!(document["paths"]["/auth/login"]["post"]["operationId"], "login");
/// ```
#[must_use]
pub fn document(title: &str, passwords: &PasswordPolicy) -> Value {
    let mut document = generated();
    hoist::nested_schemas(&mut document);
    each_operation(&mut document, |operation| {
        unfold(operation);
        statuses::describe(operation);
        // Without it, a reader cannot tell a public operation from a forgotten one.
        if let Some(members) = operation.as_object_mut() {
            members.entry("security").or_insert_with(|| json!([]));
        }
    });
    overlay::apply(&mut document);
    let password = json!({ "minLength": passwords.min_chars(), "maxLength": PasswordPolicy::MAX_CHARS });
    let settings = json!({
        "info": { "title": title, "version": env!("CARGO_PKG_VERSION") },
        "components": { "schemas": {
            "RegisterRequest": { "properties": { "password": password } },
            "ChangePasswordRequest": { "properties": { "new_password": password } },
            "ResetPasswordRequest": { "properties": { "new_password": password } },
        } },
    });
    json_patch(&mut document, &settings);
    document
}

/// What paperclip makes of the routes. Types that stand only inside others are named beforehand:
/// paperclip writes them out in place.
fn generated() -> Value {
    let mut spec = DefaultApiRaw::default();
    name::<ErrorResponse>(&mut spec);
    name::<ErrorBody>(&mut spec);
    name::<ErrorDetails>(&mut spec);
    name::<FieldError>(&mut spec);
    name::<ProblemDocument>(&mut spec);
    name::<Checks>(&mut spec);
    name::<Check>(&mut spec);
    name::<MailCheck>(&mut spec);
    name::<Circuits>(&mut spec);
    name::<Circuit>(&mut spec);
    name::<SessionResponse>(&mut spec);
    name::<EventResponse>(&mut spec);
    name::<Jwk>(&mut spec);
    let mut document = Value::Null;
    let _ = App::new().wrap_api_with_spec(spec).configure(routes::api).with_raw_json_spec_v3(|app, raw| {
        document = raw;
        app
    });
    document
}

fn name<T: Apiv2Schema>(spec: &mut DefaultApiRaw) {
    let schema: DefaultSchemaRaw = T::raw_schema();
    if let Some(name) = T::name() {
        spec.definitions.insert(name, schema);
    }
}

fn each_operation(document: &mut Value, mut change: impl FnMut(&mut Value)) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in item.as_object_mut().into_iter().flat_map(|methods| methods.values_mut()) {
            change(operation);
        }
    }
}

/// A doc comment's line breaks are the editor's: a description is one paragraph.
fn unfold(operation: &mut Value) {
    if let Some(Value::String(text)) = operation.get_mut("description") {
        *text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    }
}

/// Merges a patch into a target (RFC 7396): `null` removes.
fn json_patch(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            json_patch(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests;
