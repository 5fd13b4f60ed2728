//! `/account/second-factor`: completes a sign-in with a code or a passkey.

use super::{SignInPage, Visit, at_code, at_field, at_passkey, cookies};
use crate::api::{Api, with_store};
use crate::body::{CODE, Fields, REMEMBER_DEVICE};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent, see_other};
use crate::pages::passkeys::{self, PasskeyOptions};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::tokens::ChallengePurpose;
use portcullis_usecases::mfa::{FactorCode, Factors, PresentedFactor, SecondFactorVerification};

/// `GET`: asks for the second factor.
pub(super) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    match visit.challenge(ChallengePurpose::SecondFactor) {
        Ok(mfa_token) => visit.ask_factor(mfa_token, None).await,
        Err(response) => *response,
    }
}

/// `POST`: checks the second factor and signs in.
pub(super) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.reader.with_error(visit.factor_form(true, None), error),
    };
    let mfa_token = match visit.challenge(ChallengePurpose::SecondFactor) {
        Ok(token) => token,
        Err(response) => return *response,
    };
    let call = Call::new(&api, &request);
    let verified = async {
        let remember_device = fields.optional(REMEMBER_DEVICE.name).is_some();
        let (factor, at): (_, fn(ApiError) -> ApiError) = match passkeys::credential(&mut fields) {
            Some(credential) => (PresentedFactor::Passkey(credential), at_passkey),
            None => (entered(&mut fields)?.into(), at_code),
        };
        let input = SecondFactorVerification { mfa_token: mfa_token.clone(), factor, remember_device };
        call.counted(|api| &api.mfa.verify, input, CallLane::Store).await.map_err(at)
    };
    match verified.await {
        Ok(logged_in) => visit.signed_in(&call, logged_in).await,
        Err(error) if account::is_dead(&error) => visit.expired(),
        Err(error) => match visit.refused(None, error) {
            Ok(response) => response,
            Err(error) => visit.ask_factor(mfa_token, Some(error)).await,
        },
    }
}

/// Reads the code of a form.
pub(crate) fn entered(fields: &mut Fields) -> Result<FactorCode, ApiError> {
    let code = fields.optional(CODE.name).filter(|code| !code.trim().is_empty());
    code.map(|code| FactorCode::parse(&code)).ok_or_else(|| at_field(CODE.name, "required", "Field required"))
}

impl Visit<'_> {
    /// Displays the form, with new options for a passkey.
    async fn ask_factor(&self, mfa_token: String, error: Option<ApiError>) -> HttpResponse {
        let read = with_store(self.api.clone(), move |api| api.mfa.verify.factors(&mfa_token)).await;
        let Factors { totp, passkey, .. } = match read.and_then(|factors| Ok(factors?)) {
            Ok(factors) => factors,
            Err(error) if account::is_dead(&error) => return self.expired(),
            Err(error) => return self.unavailable(error),
        };
        let page = self.factor_form(totp, passkey.and_then(PasskeyOptions::request));
        match error {
            Some(error) => self.reader.with_error(page, error),
            None => self.reader.ok(page),
        }
    }

    fn factor_form(&self, app: bool, passkey: Option<PasskeyOptions>) -> PageContent<'_> {
        let trust = self.api.mfa.verify.second_factor.trust_for.is_some();
        SignInPage::SecondFactor { query: &self.query, trust, app, passkey }.into()
    }

    /// Returns the `mfa_token` of the browser, or the response without a valid one.
    pub(super) fn challenge(&self, purpose: ChallengePurpose) -> Result<String, Box<HttpResponse>> {
        let Some(token) = cookies::challenge(self.request, self.api) else {
            return Err(Box::new(see_other(&self.path("login", &[]))));
        };
        match self.api.mfa.challenges.read(&token, purpose) {
            Ok(_) => Ok(token),
            Err(_) => Err(Box::new(self.expired())),
        }
    }
}
