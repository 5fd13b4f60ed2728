//! `/account/recovery-codes`: replaces the recovery codes.

use super::{SettingsPage, Visit};
use crate::api::with_store;
use crate::errors::ApiError;
use crate::pages::account::see_other;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::RecoveryCode;

/// `GET`: asks before it replaces them.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    if !visit.session.second_factor {
        return see_other("security");
    }
    visit.needs_reauthentication().unwrap_or_else(|| visit.page(SettingsPage::RecoveryCodes {}))
}

/// `POST`: displays new codes.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    match visit.renew(payload).await {
        Ok(codes) => {
            let codes = codes.iter().map(RecoveryCode::expose).collect();
            visit.page(SettingsPage::NewRecoveryCodes { done: None, codes })
        }
        Err(error) if error.code == ErrorCode::NotFound => see_other("security"),
        Err(error) => visit.refused(SettingsPage::RecoveryCodes {}, error),
    }
}

impl Visit {
    async fn renew(&self, payload: Payload) -> Result<Vec<RecoveryCode>, ApiError> {
        self.form(payload).await?;
        let session = self.session.clone();
        Ok(with_store(self.api.clone(), move |api| api.mfa.renew_recovery_codes.run(&session)).await??)
    }
}
