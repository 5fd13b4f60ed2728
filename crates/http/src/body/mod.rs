//! Request bodies: read within limits, parsed strictly, and turned into use-case input. All errors are
//! reported at once.

mod fields;
mod form;
mod json;
mod members;
mod read;

pub(crate) use fields::Fields;
pub(crate) use members::*;
pub(crate) use read::{announced, too_large};

use crate::api::Api;
use crate::errors::ApiError;
use crate::openapi::schema;
use crate::routes::Operation;
use crate::tokens::Transport;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use paperclip::actix::OperationModifier;
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::PasswordPolicy;
use serde_json::{Map, Value, json};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A documented request body that is parsed into a use case's input.
pub(crate) trait Input: Apiv2Schema {
    /// Input of the use case.
    type Command;
    /// Name and description of its form, if it accepts one as well as JSON.
    const FORM: Option<(&str, &str)> = None;
    /// Treats a missing body as an empty object.
    const OPTIONAL: bool = false;
    /// Treats a missing body as an empty object if the request wants its tokens in cookies.
    const COOKIE_SUFFICES: bool = false;

    /// Reads the command. Returns `None` if `fields` recorded an error, but only after it has read every
    /// member: the document lists those.
    fn read(fields: &mut Fields, passwords: &PasswordPolicy) -> Option<Self::Command>;
}

/// Describes the body of an operation in a merge patch (RFC 7396) of the document.
pub(crate) fn describe<T: Input>(operation: &Operation, passwords: &PasswordPolicy) -> Value {
    let (mut schemas, mut content, mut errors) = (Map::new(), Map::new(), Vec::new());
    let form = T::FORM.map(|(name, about)| (FORM, name.to_owned(), about));
    for (media_type, name, about) in T::name().map(|name| (JSON, name, T::description())).into_iter().chain(form) {
        content.insert(media_type.to_owned(), json!({ "schema": schema(&name) }));
        let (described, error) = Fields::describe::<T>(media_type == FORM, about, passwords);
        schemas.insert(name, described);
        errors.extend(error);
    }
    errors.truncate(1);
    let envelope = json!({ "value": { "error": { "details": { "errors": errors } } } });
    let invalid = json!({ "content": { JSON: { "examples": { ErrorCode::Validation.as_str(): envelope } } } });
    let body = json!({ "required": !T::OPTIONAL, "content": content });
    let patch = json!({ &operation.method: { "requestBody": body, "responses": { "422": invalid } } });
    json!({ "components": { "schemas": schemas }, "paths": { operation.path: patch } })
}

/// Extractor that parses the body into an [`Input`]'s command.
pub(crate) struct Body<T: Input>(pub(crate) T::Command);

impl<T: Input + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let format = Format::of(request, T::FORM.is_some());
        let headers = request.headers();
        let cookies = request.app_data::<Data<Api>>().is_some_and(|api| Transport::selects_cookies(headers, api));
        let optional = T::OPTIONAL || T::COOKIE_SUFFICES && cookies;
        let (has_body, encoded) = (read::has_body(request), read::is_encoded(request));
        let reading = read::within_bounds(request, payload.take());
        let api = request.app_data::<Data<Api>>().cloned();
        Box::pin(async move {
            let api = api.ok_or_else(|| ApiError::internal("no API in the application's data"))?;
            if format.is_none() && has_body && !optional {
                return Err(unsupported(T::FORM.is_some()));
            }
            if encoded && has_body {
                return Err(undecoded());
            }
            let bytes = reading.await?;
            let mut fields = match format {
                Some(Format::Json) if !bytes.is_empty() => json::fields(&bytes),
                Some(Format::Form) if !bytes.is_empty() => form::fields(&bytes),
                _ if optional && bytes.is_empty() => Ok(Fields::none()),
                None if optional => Err(unsupported(T::FORM.is_some())),
                _ => Fields::missing(),
            }?
            .in_cookie_mode(cookies);
            let command = T::read(&mut fields, &api.passwords);
            command.filter(|_| fields.is_valid()).map(Self).ok_or_else(|| fields.into_error())
        })
    }
}

/// Reads a form sent by one of the service's pages.
pub(crate) async fn page_form(request: &HttpRequest, payload: Payload) -> Result<Fields, ApiError> {
    if !matches!(Format::of(request, true), Some(Format::Form)) {
        let refusal = ApiError::new(ErrorCode::UnsupportedMediaType, "The body must be a form");
        return Err(ApiError { close: true, ..refusal });
    }
    if read::is_encoded(request) {
        return Err(undecoded());
    }
    form::fields(&read::within_bounds(request, payload).await?)
}

/// Reads a form that another site may send, as text.
pub(crate) async fn form_text(request: &HttpRequest, payload: Payload) -> Result<String, ApiError> {
    if !matches!(Format::of(request, true), Some(Format::Form)) {
        let refusal = ApiError::new(ErrorCode::UnsupportedMediaType, "The body must be a form");
        return Err(ApiError { close: true, ..refusal });
    }
    if read::is_encoded(request) {
        return Err(undecoded());
    }
    let bytes = read::within_bounds(request, payload).await?;
    String::from_utf8(bytes.to_vec()).map_err(|_| ApiError::new(ErrorCode::Validation, "The form must be UTF-8"))
}

/// Format of a body.
#[derive(Clone, Copy)]
enum Format {
    Json,
    Form,
}

impl Format {
    /// Returns the body's format, or `None` if it is not accepted.
    fn of(request: &HttpRequest, form: bool) -> Option<Self> {
        let mut values = request.headers().get_all(CONTENT_TYPE);
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            JSON => Some(Self::Json),
            FORM if form => Some(Self::Form),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

/// Creates the error for an unsupported `Content-Type`.
pub(crate) fn unsupported(form: bool) -> ApiError {
    let message = if form { "The body must be JSON or a form" } else { "The body must be JSON" };
    ApiError { close: true, ..ApiError::new(ErrorCode::UnsupportedMediaType, message) }
}

/// Creates the error for an encoded body. Decoding would allow decompression bombs.
fn undecoded() -> ApiError {
    let refusal = ApiError::new(ErrorCode::UnsupportedMediaType, "The body must not have a Content-Encoding");
    ApiError { close: true, encoded: true, ..refusal }
}

impl<T: Input> Apiv2Schema for Body<T> {
    fn name() -> Option<String> {
        T::name()
    }
}

impl<T: Input> OperationModifier for Body<T> {
    fn update_parameter(operation: &mut DefaultOperationRaw) {
        actix_web::web::Json::<Self>::update_parameter(operation);
    }
}
