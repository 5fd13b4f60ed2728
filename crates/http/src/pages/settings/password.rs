//! `/account/password`: changes the password, or sets the first one.

use super::done::Done;
use super::{SettingsPage, Visit, at_password};
use crate::body::{CURRENT_PASSWORD, Fields, NEW_PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::recovery::chosen;
use actix_web::HttpResponse;
use actix_web::http::header::SET_COOKIE;
use actix_web::web::Payload;
use portcullis_usecases::recovery::PasswordChange;

/// `GET`: displays the form.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    visit.needs_proof().unwrap_or_else(|| visit.page(visit.password()))
}

/// `POST`: changes the password.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let changed = match visit.form(payload).await {
        Ok(fields) => visit.change_password(fields).await,
        Err(error) => Err(error),
    };
    changed.unwrap_or_else(|error| visit.refused(visit.password(), error))
}

impl Visit {
    fn password(&self) -> SettingsPage {
        SettingsPage::Password { has_password: self.session.has_password, email: self.email() }
    }

    async fn change_password(&self, mut fields: Fields) -> Result<HttpResponse, ApiError> {
        let current = self.proof(&mut fields, CURRENT_PASSWORD)?;
        let new = chosen(fields, NEW_PASSWORD, &self.api)?;
        let call = Call::new(&self.api, &self.request);
        let input = PasswordChange { owner: self.session.clone(), current, new };
        let changed = call.counted(|api| &api.recovery.change, input, CallLane::Crypto).await;
        let changed = changed.map_err(at_password(CURRENT_PASSWORD))?;
        let done = if self.session.has_password { Done::PasswordChanged } else { Done::PasswordSet };
        let mut response = done.at("security");
        if let Some(cookie) = call.set_device_cookie(&changed.cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }
}
