//! `/account/reauthenticate`: makes the authentication of the session recent, and returns to the page that needs it.

use super::login::PROVIDER;
use super::second_factor::entered;
use super::{SignInPage, Visit, at_field, provider};
use crate::api::{Api, with_store};
use crate::body::{Fields, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account;
use crate::pages::session::{self, PageSession};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_usecases::mfa::{NewAccessToken, ReauthenticationInput};
use portcullis_usecases::tokens::Authenticated;

/// `GET`: asks for what the account has, unless its authentication is recent.
pub(super) async fn open(api: Data<Api>, request: HttpRequest, session: PageSession) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    if session.needs_reauthentication(&request, &api).is_none() {
        return visit.signed_in_already(&session.0);
    }
    visit.ask_again(&session.0, None).await
}

/// `POST`: authenticates again.
pub(super) async fn submit(
    api: Data<Api>,
    request: HttpRequest,
    session: PageSession,
    payload: Payload,
) -> HttpResponse {
    let (visit, session) = match Visit::new(&api, &request) {
        Ok(visit) => (visit, session.0),
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.ask_again(&session, Some(error)).await,
    };
    if let Some(name) = fields.optional(PROVIDER) {
        return provider::start(&visit, name, Some(&session.user)).await;
    }
    match visit.authenticate_again(&session, &mut fields).await {
        Ok(NewAccessToken { recovery_codes: Some(codes), .. }) => visit.recovery_codes(&codes),
        Ok(_) => visit.signed_in_already(&session),
        Err(error) => match session::detour(&request, &api, &error) {
            Some(response) => response,
            None => visit.ask_again(&session, Some(error)).await,
        },
    }
}

impl Visit<'_> {
    /// Displays the form. An account without a password signs in with one of its providers again.
    async fn ask_again(&self, session: &Authenticated, error: Option<ApiError>) -> HttpResponse {
        let mut providers = Vec::new();
        if !session.has_password {
            let owner = session.clone();
            let listed = with_store(self.api.clone(), move |api| api.providers.list.run(&owner)).await;
            let identities = match listed.and_then(|listed| Ok(listed?)) {
                Ok(listed) => listed.identities,
                Err(error) => return self.unavailable(error),
            };
            providers = self.providers();
            providers.retain(|button| identities.iter().any(|identity| identity.provider.as_str() == button.name));
        }
        let content = SignInPage::Reauthenticate {
            query: &self.query,
            email: session.user.email.original(),
            password: session.has_password,
            second_factor: session.has_password && session.second_factor,
            providers,
        };
        match error {
            Some(error) => self.reader.with_error(content.into(), error),
            None => self.reader.ok(content.into()),
        }
    }

    async fn authenticate_again(
        &self,
        session: &Authenticated,
        fields: &mut Fields,
    ) -> Result<NewAccessToken, ApiError> {
        let password = fields.optional(PASSWORD.name).filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| at_field(PASSWORD.name, "required", "Field required"))?;
        let code = if session.second_factor { Some(entered(fields)?) } else { None };
        let wrong = if code.is_some() { "password_or_code" } else { "password_wrong" };
        let input = ReauthenticationInput { session: session.clone(), password: Password::new(password), code };
        let call = Call::new(self.api, self.request);
        let again = call.counted(|api| &api.mfa.reauthenticate, input, CallLane::Crypto).await;
        again.map_err(|error| match error.code {
            // A 401 would request HTTP credentials (RFC 9110 §15.5.2).
            ErrorCode::InvalidCredentials => at_field(PASSWORD.name, wrong, "Wrong password or code"),
            _ => error,
        })
    }
}
