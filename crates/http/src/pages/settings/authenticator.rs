//! `/account/authenticator`: sets up an authenticator app.

use super::done::Done;
use super::{ID, NAME, SettingsPage, Visit};
use crate::api::with_store;
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::sign_in::{NewAuthenticator, at_code, at_field, entered};
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_domain::mfa::{FactorId, FactorName, RecoveryCode};
use portcullis_usecases::mfa::{Enrollee, MfaReason, TotpConfirmation, TotpEnrolment};

/// `GET`: explains what is needed, and asks for a name.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    visit.needs_reauthentication().unwrap_or_else(|| visit.page(SettingsPage::Authenticator { name: None }))
}

/// `POST`: displays the secret, or confirms the app with a code.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let mut fields = match visit.form(payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.refused(SettingsPage::Authenticator { name: None }, error),
    };
    match fields.optional(ID) {
        Some(id) => visit.confirm_app(id, &mut fields).await,
        None => visit.begin_app(fields.optional(NAME).unwrap_or_default()).await,
    }
}

impl Visit {
    async fn begin_app(&self, typed: String) -> HttpResponse {
        match self.enrol(&typed).await {
            Ok(setup) => self.page(setup),
            Err(error) => self.refused(SettingsPage::Authenticator { name: Some(typed) }, error),
        }
    }

    async fn enrol(&self, typed: &str) -> Result<SettingsPage, ApiError> {
        let name = FactorName::parse(typed).ok_or_else(|| at_field(NAME, "name_invalid", "Invalid name"))?;
        let input = TotpEnrolment { enrollee: Enrollee::Session(self.session.clone()), name };
        let enrolled = with_store(self.api.clone(), move |api| api.mfa.enrol.run(input)).await??;
        let id = enrolled.id.to_string();
        Ok(SettingsPage::AuthenticatorSetup { id, app: Some(NewAuthenticator::new(enrolled)?) })
    }

    async fn confirm_app(&self, id: String, fields: &mut Fields) -> HttpResponse {
        match self.confirm(&id, fields).await {
            Ok(Some(codes)) => {
                let codes = codes.iter().map(RecoveryCode::expose).collect();
                self.page(SettingsPage::NewRecoveryCodes { done: Some(Done::SecondStepOn), codes })
            }
            Ok(None) => Done::AppAdded.at("security"),
            Err(error) => self.refused(SettingsPage::AuthenticatorSetup { id, app: None }, at_code(error)),
        }
    }

    /// Confirms the app. Returns recovery codes with the account's first one.
    async fn confirm(&self, id: &str, fields: &mut Fields) -> Result<Option<Vec<RecoveryCode>>, ApiError> {
        let code = entered(fields)?;
        let id = FactorId::parse(id).ok_or(MfaReason::NotFound)?;
        let input = TotpConfirmation { enrollee: Enrollee::Session(self.session.clone()), id, code };
        let caller = Call::new(&self.api, &self.request).caller;
        let confirmed = with_store(self.api.clone(), move |api| api.mfa.confirm.run(&input, &caller)).await??;
        Ok(confirmed.recovery_codes)
    }
}
