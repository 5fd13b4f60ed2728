//! `/account/sessions`: where the person is signed in.

use super::device::Device;
use super::done::Done;
use super::{ID, SettingsPage, Visit};
use crate::api::{Api, with_store};
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::account::see_other;
use crate::pages::session::clear_cookie;
use actix_web::HttpResponse;
use actix_web::web::Payload;
use portcullis_domain::ErrorCode;
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::sessions::{LogoutAll, NoSuchSession, SessionRevocation};

/// `GET`: lists the sessions.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    match visit.sessions(Done::of(&visit.request)).await {
        Ok(sessions) => visit.page(sessions),
        Err(error) => visit.failed(error),
    }
}

/// `POST`: ends one session, the others, or all.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let ended = match visit.form(payload).await {
        Ok(fields) => visit.end(fields).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(response) => response,
        Err(error) => match visit.sessions(None).await {
            Ok(sessions) => visit.refused(sessions, error),
            Err(error) => visit.failed(error),
        },
    }
}

impl Visit {
    async fn sessions(&self, done: Option<Done>) -> Result<SettingsPage, ApiError> {
        let session = self.session.clone();
        let read = move |api: &Api| (api.sessions.list.run(&session), api.sessions.list.clock.now());
        let (listed, now) = with_store(self.api.clone(), read).await?;
        let sessions = listed?.0.iter().map(|own| Device::of_session(own, now)).collect();
        Ok(SettingsPage::Sessions { done, sessions })
    }

    async fn end(&self, mut fields: Fields) -> Result<HttpResponse, ApiError> {
        if let Some(id) = fields.optional(ID) {
            return self.revoke(&id).await;
        }
        let keep_current = fields.optional("all").is_none();
        let (input, caller) =
            (LogoutAll { owner: self.session.clone(), keep_current }, Call::new(&self.api, &self.request).caller);
        with_store(self.api.clone(), move |api| api.sessions.log_out_all.run(&input, &caller)).await??;
        if keep_current {
            return Ok(Done::OthersSignedOut.at("sessions"));
        }
        let mut response = see_other("login");
        clear_cookie(&self.api, &mut response);
        Ok(response)
    }

    /// Ends a session, which may have ended before.
    async fn revoke(&self, id: &str) -> Result<HttpResponse, ApiError> {
        let (owner, caller) = (self.session.clone(), Call::new(&self.api, &self.request).caller);
        let id = SessionId::parse(id).ok_or(NoSuchSession);
        let end = move |api: &Api| {
            let input = SessionRevocation { session_id: id?, owner };
            Ok::<_, ApiError>(api.sessions.revoke.run(&input, &caller).map(drop)?)
        };
        match with_store(self.api.clone(), end).await? {
            Err(error) if error.code != ErrorCode::NotFound => Err(error),
            _ => Ok(Done::SignedOut.at("sessions")),
        }
    }
}
