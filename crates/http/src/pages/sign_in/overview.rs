//! `/account` and `/account/logout`.

use super::SignInPage;
use super::content::Overview;
use crate::api::{Api, with_store};
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent, PageContext};
use crate::pages::session::{self, PageSession};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_usecases::mfa::FactorOverview;
use portcullis_usecases::providers::IdentitiesListed;
use portcullis_usecases::tokens::Authenticated;

/// `GET /account`: the account, and what it can be signed in to with.
pub(super) async fn open(api: Data<Api>, request: HttpRequest, session: PageSession) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let session = session.0;
    let (identities, factors) = match read(&api, session.clone()).await {
        Ok(read) => read,
        Err(error) => return reader.with_error(PageContent::Failed {}, error),
    };
    let find = |name: &str| api.providers.providers.find(name).map(|provider| provider.label.as_str());
    let labels = identities.identities.iter().map(|one| find(one.provider.as_str()).unwrap_or(one.provider.as_str()));
    let overview = Overview {
        email: session.user.email.original(),
        verified: session.user.email_verified_at.is_some(),
        password: identities.password,
        passkeys: identities.passkeys > 0,
        providers: labels.collect(),
        authenticators: factors.totp.len(),
        recovery_codes: factors.recovery_codes_left,
    };
    reader.ok(SignInPage::Overview(overview).into())
}

async fn read(api: &Data<Api>, session: Authenticated) -> Result<(IdentitiesListed, FactorOverview), ApiError> {
    let read = move |api: &Api| Ok::<_, ApiError>((api.providers.list.run(&session)?, api.mfa.list.run(&session)?));
    with_store(api.clone(), read).await?
}

/// `GET /account/logout`: a button.
pub(super) async fn ask_logout(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    match PageSession::find(&request, &api).await {
        Ok(Some(PageSession(session))) => reader.ok(SignInPage::Logout { email: session.user.email.original() }.into()),
        Ok(None) => reader.ok(SignInPage::LoggedOut {}.into()),
        Err(error) => reader.with_error(PageContent::Failed {}, error),
    }
}

/// `POST /account/logout`: ends the session and deletes its cookie.
pub(super) async fn log_out(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let ended = async {
        account::form(&request, &api, payload).await?;
        match PageSession::find(&request, &api).await? {
            Some(PageSession(session)) => session::end(&api, &request, session).await,
            None => Ok(()),
        }
    };
    match ended.await {
        Ok(()) => {
            let mut response = reader.ok(SignInPage::LoggedOut {}.into());
            session::clear_cookie(&api, &mut response);
            response
        }
        Err(error) => reader.with_error(PageContent::Failed {}, error),
    }
}
