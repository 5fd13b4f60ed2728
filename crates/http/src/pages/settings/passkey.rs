//! `/account/passkey`: adds a passkey, or a security key that is only a second factor.

use super::done::Done;
use super::{NAME, SettingsPage, Visit};
use crate::api::with_store;
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::account::{PageContent, see_other};
use crate::pages::page::{ErrorText, FormError};
use crate::pages::passkeys::{self, PasskeyOptions};
use crate::pages::session;
use crate::pages::sign_in::at_field;
use actix_web::HttpResponse;
use actix_web::web::{Payload, Query};
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::{FactorName, RecoveryCode};
use portcullis_usecases::passkeys::{PasskeyAdded, PasskeyRegistration};
use serde::Deserialize;

/// Query of the page.
#[derive(Deserialize)]
struct Kind {
    /// True for a security key that is only a second factor.
    #[serde(default)]
    second_factor: bool,
}

/// `GET`: asks for a name, and has the options for the browser.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    match visit.needs_reauthentication() {
        Some(response) => response,
        None => visit.ask_passkey(None, None).await,
    }
}

/// `POST`: adds the passkey that the browser created.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let mut fields = match visit.form(payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.ask_passkey(None, Some(error)).await,
    };
    let typed = fields.optional(NAME).unwrap_or_default();
    match visit.add_passkey(&typed, &mut fields).await {
        Ok(PasskeyAdded { enabled: Some(enabled), .. }) => {
            let codes = enabled.recovery_codes.iter().map(RecoveryCode::expose).collect();
            visit.page(SettingsPage::NewRecoveryCodes { done: Some(Done::SecondStepOn), codes })
        }
        Ok(_) => Done::PasskeyAdded.at("security"),
        Err(error) => visit.ask_passkey(Some(typed), Some(error)).await,
    }
}

/// Returns the message of an account with too many passkeys. Other errors have their usual one.
fn too_many(error: &ApiError) -> Option<FormError> {
    let reason = error.details.as_ref()?.get("reason")?.as_str()?;
    (reason == "too_many").then_some(FormError { text: ErrorText::TooManyPasskeys, field: None })
}

impl Visit {
    fn is_second_factor(&self) -> bool {
        Query::<Kind>::from_query(self.request.query_string()).is_ok_and(|query| query.second_factor)
    }

    /// Displays the form with new options.
    async fn ask_passkey(&self, name: Option<String>, error: Option<ApiError>) -> HttpResponse {
        let (session, second_factor) = (self.session.clone(), self.is_second_factor());
        let prepare = with_store(self.api.clone(), move |api| api.passkeys.prepare.run(&session, second_factor)).await;
        let options = match prepare.and_then(|options| Ok(options?)) {
            Ok(options) => PasskeyOptions::creation(options, &self.api.config.app_name),
            // Passkeys are off.
            Err(error) if error.code == ErrorCode::NotFound => return see_other("security"),
            Err(error) => {
                return session::detour(&self.request, &self.api, &error).unwrap_or_else(|| self.failed(error));
            }
        };
        let page = SettingsPage::Passkey { name, second_factor, options };
        match error {
            Some(error) => match too_many(&error) {
                Some(text) => self.reader().with_error_text(PageContent::Settings(page), error, text),
                None => self.refused(page, error),
            },
            None => self.page(page),
        }
    }

    async fn add_passkey(&self, typed: &str, fields: &mut Fields) -> Result<PasskeyAdded, ApiError> {
        let name = FactorName::parse(typed).ok_or_else(|| at_field(NAME, "name_invalid", "Invalid name"))?;
        let credential = passkeys::credential(fields);
        let credential = credential.ok_or_else(|| at_field("credential", "missing", "Field required"))?;
        let second_factor = self.is_second_factor();
        let input = PasskeyRegistration { session: self.session.clone(), name, second_factor, credential };
        let caller = Call::new(&self.api, &self.request).caller;
        Ok(with_store(self.api.clone(), move |api| api.passkeys.add.run(input, &caller)).await??)
    }
}
