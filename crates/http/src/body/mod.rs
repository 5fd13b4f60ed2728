//! Request bodies: read within limits, parsed strictly, and turned into use-case input. All errors are
//! reported at once.

mod fields;
mod form;
mod json;
mod read;

pub(crate) use fields::Fields;
pub(crate) use read::{announced, too_large};

use crate::api::Api;
use crate::errors::ApiError;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use paperclip::actix::OperationModifier;
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema;
use portcullis_domain::ErrorCode;

/// A documented request body that is parsed into a use case's input.
pub(crate) trait Input: Apiv2Schema {
    /// Input of the use case.
    type Command;
    /// Accepts a form as well as JSON.
    const FORM: bool = false;
    /// Treats a missing body as an empty object.
    const OPTIONAL: bool = false;

    /// Reads the command. Returns `None` if `fields` recorded an error.
    fn read(fields: &mut Fields, api: &Api) -> Option<Self::Command>;
}

/// Extractor that parses the body into an [`Input`]'s command.
pub(crate) struct Body<T: Input>(pub(crate) T::Command);

impl<T: Input + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let format = Format::of(request, T::FORM);
        let (has_body, encoded) = (read::has_body(request), read::is_encoded(request));
        let reading = read::within_bounds(request, payload.take());
        let api = request.app_data::<Data<Api>>().cloned();
        Box::pin(async move {
            let api = api.ok_or_else(|| ApiError::internal("no API in the application's data"))?;
            if format.is_none() && has_body && !T::OPTIONAL {
                return Err(unsupported(T::FORM));
            }
            if encoded && has_body {
                return Err(undecoded());
            }
            let bytes = reading.await?;
            let mut fields = match format {
                Some(Format::Json) if !bytes.is_empty() => json::fields(&bytes),
                Some(Format::Form) if !bytes.is_empty() => form::fields(&bytes),
                _ if T::OPTIONAL && bytes.is_empty() => Ok(Fields::none()),
                None if T::OPTIONAL => Err(unsupported(T::FORM)),
                _ => Fields::missing(),
            }?;
            let command = T::read(&mut fields, &api);
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
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" if form => Some(Self::Form),
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

    fn raw_schema() -> paperclip::v2::models::DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Input> OperationModifier for Body<T> {
    fn update_parameter(operation: &mut DefaultOperationRaw) {
        actix_web::web::Json::<T>::update_parameter(operation);
    }
}
