//! `/account/second-factor`: completes a sign-in with a code.

use super::{SignInPage, Visit, at_code, at_field, cookies};
use crate::api::Api;
use crate::body::{CODE, Fields, REMEMBER_DEVICE};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent, see_other};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::tokens::ChallengePurpose;
use portcullis_usecases::mfa::{FactorCode, SecondFactorVerification};

/// `GET`: asks for the code.
pub(super) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    match visit.challenge(ChallengePurpose::SecondFactor) {
        Ok(_) => visit.reader.ok(visit.code_form()),
        Err(response) => *response,
    }
}

/// `POST`: checks the code and signs in.
pub(super) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.reader.with_error(visit.code_form(), error),
    };
    let mfa_token = match visit.challenge(ChallengePurpose::SecondFactor) {
        Ok(token) => token,
        Err(response) => return *response,
    };
    let remember_device = fields.optional(REMEMBER_DEVICE.name).is_some();
    let verified = match entered(&mut fields) {
        Ok(code) => {
            let call = Call::new(&api, &request);
            let input = SecondFactorVerification { mfa_token, code, remember_device };
            call.counted(|api| &api.mfa.verify, input, CallLane::Store).await.map(|logged_in| (logged_in, call))
        }
        Err(error) => Err(error),
    };
    match verified {
        Ok((logged_in, call)) => visit.signed_in(&call, logged_in).await,
        Err(error) if account::is_dead(&error) => visit.expired(),
        Err(error) => visit
            .refused(None, error)
            .unwrap_or_else(|error| visit.reader.with_error(visit.code_form(), at_code(error))),
    }
}

/// Reads the code of a form.
pub(crate) fn entered(fields: &mut Fields) -> Result<FactorCode, ApiError> {
    let code = fields.optional(CODE.name).filter(|code| !code.trim().is_empty());
    code.map(|code| FactorCode::parse(&code)).ok_or_else(|| at_field(CODE.name, "required", "Field required"))
}

impl Visit<'_> {
    fn code_form(&self) -> PageContent<'_> {
        let trust = self.api.mfa.verify.second_factor.trust_for.is_some();
        SignInPage::SecondFactor { query: &self.query, trust }.into()
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
