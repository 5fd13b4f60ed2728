//! `/account/delete`: deletes the account.

use super::{SettingsPage, Visit, at_password};
use crate::body::PASSWORD;
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::session::clear_cookie;
use crate::pages::sign_in::at_field;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_usecases::registration::OwnAccountDeletion;

/// Box that confirms the deletion.
const SURE: &str = "sure";

/// `GET`: asks for confirmation.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    visit.needs_proof().unwrap_or_else(|| visit.page(visit.delete_page()))
}

/// `POST`: deletes the account, and the cookie of the session.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    match visit.delete(payload).await {
        Ok(()) => {
            let mut response = visit.page(SettingsPage::Deleted {});
            clear_cookie(&visit.api, &mut response);
            response
        }
        Err(error) => visit.refused(visit.delete_page(), error),
    }
}

impl Visit {
    fn delete_page(&self) -> SettingsPage {
        SettingsPage::Delete { email: self.email(), has_password: self.session.has_password }
    }

    async fn delete(&self, payload: Payload) -> Result<(), ApiError> {
        let mut fields = self.form(payload).await?;
        let password = self.proof(&mut fields, PASSWORD)?;
        fields.optional(SURE).ok_or_else(|| at_field(SURE, "unconfirmed", "Field required"))?;
        let input = OwnAccountDeletion { owner: self.session.clone(), password };
        let call = Call::new(&self.api, &self.request);
        let deleted = call.counted(|api| &api.delete_own_account, input, CallLane::Crypto).await;
        deleted.map(drop).map_err(at_password(PASSWORD))
    }
}
