//! `/account/identities`: accounts at providers that the person can sign in with.

use super::ago::Ago;
use super::content::{Identities, Identity, Provider};
use super::done::Done;
use super::{ID, SettingsPage, Visit};
use crate::api::{Api, with_store};
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::account::PageContent;
use crate::pages::page::FormError;
use crate::pages::sign_in::at_field;
use crate::providers::{begin, set_flow_cookies};
use actix_web::HttpResponse;
use actix_web::web::{Payload, Query};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::IdentityId;
use portcullis_usecases::providers::{IdentityReason, SignInStart};
use serde::Deserialize;

/// `GET`: lists the accounts. A provider's response that connects another one comes back here.
pub(super) async fn open(visit: Visit) -> HttpResponse {
    #[derive(Deserialize)]
    struct Returned {
        error: String,
    }
    let failed = Query::<Returned>::from_query(visit.request.query_string()).ok();
    let failed = failed.map(|returned| FormError::of_link(&returned.error));
    let done = if failed.is_some() { None } else { Done::of(&visit.request) };
    match visit.identities(done).await {
        Ok(identities) => {
            let content = PageContent::Settings(SettingsPage::Identities(identities));
            visit.reader().with_message(content, failed)
        }
        Err(error) => visit.failed(error),
    }
}

/// `POST`: connects an account of a provider, or disconnects one.
pub(super) async fn submit(visit: Visit, payload: Payload) -> HttpResponse {
    let changed = match visit.form(payload).await {
        Ok(mut fields) => match (fields.optional("provider"), fields.optional(ID)) {
            (Some(provider), None) => visit.connect(provider).await,
            (None, Some(id)) => visit.disconnect(&id).await,
            _ => Err(at_field("body", "form_invalid", "Neither a provider nor an identity")),
        },
        Err(error) => Err(error),
    };
    match changed {
        Ok(response) => response,
        Err(error) => match visit.identities(None).await {
            Ok(identities) => visit.refused(SettingsPage::Identities(identities), error),
            Err(error) => visit.failed(error),
        },
    }
}

impl Visit {
    async fn identities(&self, done: Option<Done>) -> Result<Identities, ApiError> {
        let session = self.session.clone();
        let read = move |api: &Api| (api.providers.list.run(&session), api.sessions.list.clock.now());
        let (listed, now) = with_store(self.api.clone(), read).await?;
        let providers = &self.api.providers.providers;
        let label = |name: &str| providers.find(name).map_or_else(|| name.to_owned(), |known| known.label.clone());
        let identities = listed?.identities.into_iter().map(|identity| Identity {
            id: identity.id.to_string(),
            provider: label(identity.provider.as_str()),
            email: identity.email,
            added: Ago::new(identity.created_at, now),
            used: identity.last_used_at.map(|used| Ago::new(used, now)),
        });
        let identities = identities.collect();
        let providers = providers.list.iter();
        let providers = providers.map(|one| Provider { name: one.name.to_string(), label: one.label.clone() });
        Ok(Identities { done, identities, providers: providers.collect() })
    }

    /// Begins a flow at a provider. The session's cookie proves that this is the browser of the session.
    async fn connect(&self, provider: String) -> Result<HttpResponse, ApiError> {
        let api = &self.api;
        Call::new(api, &self.request).count().await?;
        let session = self.session.clone();
        let link = with_store(api.clone(), move |api| api.providers.link.permit(&session)).await??;
        let label = api.providers.providers.find(&provider).map(|known| known.label.clone()).unwrap_or_default();
        let input = SignInStart {
            provider,
            redirect_uri: format!(
                "{}/account/{}",
                api.providers.providers.public_url,
                Done::IdentityLinked.url("identities")
            ),
            state: None,
            challenge: None,
            login_hint: None,
            prompt: None,
            again: None,
        };
        let started = begin(api, &self.request, input, Some(link)).await?;
        let mut response = self.reader().ok(PageContent::Continue { provider: &label, url: &started.url });
        set_flow_cookies(api, &self.request, &started, &mut response);
        Ok(response)
    }

    /// Disconnects an account, which another tab may have done before.
    async fn disconnect(&self, id: &str) -> Result<HttpResponse, ApiError> {
        let (session, caller) = (self.session.clone(), Call::new(&self.api, &self.request).caller);
        let id = IdentityId::parse(id).ok_or(IdentityReason::NotFound);
        let remove = move |api: &Api| Ok::<_, ApiError>(api.providers.unlink.run(&session, id?, &caller)?);
        match with_store(self.api.clone(), remove).await? {
            Err(error) if error.code != ErrorCode::NotFound => Err(error),
            _ => Ok(Done::IdentityUnlinked.at("identities")),
        }
    }
}
