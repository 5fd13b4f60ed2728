//! `/account/email`: requests a change of the email address.

use super::done::Done;
use super::{SettingsPage, Visit, at_password};
use crate::body::{EMAIL, Fields, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::recovery::address;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_usecases::verification::EmailChangeRequest;

/// `GET`: displays the address and the form.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    visit.needs_proof().unwrap_or_else(|| visit.page(visit.email_page(Done::of(&visit.request), None)))
}

/// `POST`: sends an email to the new address.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let mut fields = match visit.form(payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.refused(visit.email_page(None, None), error),
    };
    let typed = fields.optional(EMAIL.name).unwrap_or_default();
    match visit.request_change(&typed, &mut fields).await {
        Ok(()) => Done::EmailRequested.at("email"),
        Err(error) => visit.refused(visit.email_page(None, Some(typed)), error),
    }
}

impl Visit {
    fn email_page(&self, done: Option<Done>, typed: Option<String>) -> SettingsPage {
        let is_verified = self.session.user.email_verified_at.is_some();
        SettingsPage::Email { done, email: self.email(), is_verified, has_password: self.session.has_password, typed }
    }

    async fn request_change(&self, typed: &str, fields: &mut Fields) -> Result<(), ApiError> {
        let new_email = address(typed)?;
        let password = self.proof(fields, PASSWORD)?;
        let input = EmailChangeRequest { owner: self.session.clone(), password, new_email };
        let call = Call::new(&self.api, &self.request);
        let requested = call.counted(|api| &api.verification.change, input, CallLane::Crypto).await;
        requested.map(drop).map_err(at_password(PASSWORD))
    }
}
