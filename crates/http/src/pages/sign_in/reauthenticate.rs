//! `/account/reauthenticate`: makes the authentication of the session recent, and returns to the page that needs it.

use super::login::PROVIDER;
use super::second_factor::entered;
use super::target::Parameters;
use super::{SignInPage, Visit, at_field, at_passkey, provider};
use crate::api::{Api, with_store};
use crate::body::{Fields, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account;
use crate::pages::passkeys::{self, PasskeyOptions};
use crate::pages::session::{self, PageSession};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_usecases::mfa::{NewAccessToken, ReauthenticationInput, ReauthenticationProof};
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
    /// Displays the form. An account without a password presents a passkey, or signs in with a provider again.
    async fn ask_again(&self, session: &Authenticated, error: Option<ApiError>) -> HttpResponse {
        let owner = session.clone();
        let read = move |api: &Api| {
            let identities = if owner.has_password { Vec::new() } else { api.providers.list.run(&owner)?.identities };
            Ok::<_, ApiError>((identities, api.mfa.prepare_reauthentication.run(&owner)?.passkey))
        };
        let (identities, passkey) = match with_store(self.api.clone(), read).await.flatten() {
            Ok(read) => read,
            Err(error) => return self.unavailable(error),
        };
        let mut providers = self.providers();
        providers.retain(|button| identities.iter().any(|identity| identity.provider.as_str() == button.name));
        let content = SignInPage::Reauthenticate {
            query: &self.query,
            email: session.user.email.original(),
            password: session.has_password,
            second_factor: session.has_password && session.second_factor,
            providers,
            passkey: passkey.and_then(PasskeyOptions::request),
        };
        match error {
            Some(error) => self.reader.with_error(content.into(), error),
            None => {
                let message = Parameters::of(self.request.query_string()).message();
                self.reader.with_message(content.into(), message)
            }
        }
    }

    async fn authenticate_again(
        &self,
        session: &Authenticated,
        fields: &mut Fields,
    ) -> Result<NewAccessToken, ApiError> {
        if let Some(credential) = passkeys::credential(fields) {
            return self.present(session, ReauthenticationProof::Passkey(credential)).await.map_err(at_passkey);
        }
        let password = fields.optional(PASSWORD.name).filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| at_field(PASSWORD.name, "required", "Field required"))?;
        let code = if session.second_factor { Some(entered(fields)?) } else { None };
        let wrong = if code.is_some() { "password_or_code" } else { "password_wrong" };
        let proof = ReauthenticationProof::Password { password: Password::new(password), code };
        self.present(session, proof).await.map_err(|error| match error.code {
            // A 401 would request HTTP credentials (RFC 9110 §15.5.2).
            ErrorCode::InvalidCredentials => at_field(PASSWORD.name, wrong, "Wrong password or code"),
            _ => error,
        })
    }

    async fn present(&self, session: &Authenticated, proof: ReauthenticationProof) -> Result<NewAccessToken, ApiError> {
        let input = ReauthenticationInput { session: session.clone(), proof };
        Call::new(self.api, self.request).counted(|api| &api.mfa.reauthenticate, input, CallLane::Crypto).await
    }
}
