//! `/account/enrol`: sets up an authenticator app, if the account needs a second factor to sign in.

use super::content::NewAuthenticator;
use super::second_factor::entered;
use super::{SignInPage, Visit, at_code};
use crate::api::{Api, with_store};
use crate::body::Fields;
use crate::call::Call;
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::mfa::{FactorId, FactorName};
use portcullis_domain::tokens::{ChallengeClaims, ChallengePurpose};
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::mfa::{Enrollee, MfaReason, TotpConfirmation, TotpEnrolment};

/// Field with the id of the app to confirm.
const ID: &str = "id";

/// `GET`: explains what is needed.
pub(super) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    match visit.challenge(ChallengePurpose::Enrolment) {
        Ok(_) => visit.reader.ok(visit.intro()),
        Err(response) => *response,
    }
}

/// `POST`: begins the enrolment, or confirms it and signs in.
pub(super) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.reader.with_error(visit.intro(), error),
    };
    let claims = match visit.challenge(ChallengePurpose::Enrolment) {
        Ok(token) => api.mfa.challenges.read(&token, ChallengePurpose::Enrolment),
        Err(response) => return *response,
    };
    let Ok(claims) = claims else { return visit.expired() };
    let Some(id) = fields.optional(ID) else { return visit.begin(claims).await };
    match visit.confirm(claims, &id, &mut fields).await {
        Ok((logged_in, call)) => visit.signed_in(&call, logged_in).await,
        Err(error) if account::is_dead(&error) => visit.expired(),
        Err(error) => visit.refused(None, error).unwrap_or_else(|error| {
            let content = SignInPage::EnrolCode { query: &visit.query, id: &id, app: None };
            visit.reader.with_error(content.into(), at_code(error))
        }),
    }
}

impl<'a> Visit<'a> {
    fn intro(&self) -> PageContent<'_> {
        SignInPage::Enrol { query: &self.query }.into()
    }

    async fn begin(&self, claims: ChallengeClaims) -> HttpResponse {
        match self.enrol(claims).await {
            Ok((id, app)) => {
                let content = SignInPage::EnrolCode { query: &self.query, id: &id, app: Some(app) };
                self.reader.ok(content.into())
            }
            Err(error) if account::is_dead(&error) => self.expired(),
            Err(error) => self.reader.with_error(self.intro(), error),
        }
    }

    async fn enrol(&self, claims: ChallengeClaims) -> Result<(String, NewAuthenticator), ApiError> {
        let input = TotpEnrolment { enrollee: Enrollee::LogIn(claims), name: FactorName::default() };
        let enrolled = with_store(self.api.clone(), move |api| api.mfa.enrol.run(input)).await??;
        Ok((enrolled.id.to_string(), NewAuthenticator::new(enrolled)?))
    }

    /// Confirms the app. Returns the session that begins, with the recovery codes of the first factor.
    async fn confirm(
        &self,
        claims: ChallengeClaims,
        id: &str,
        fields: &mut Fields,
    ) -> Result<(LoggedIn, Call<'a>), ApiError> {
        let code = entered(fields)?;
        let id = FactorId::parse(id).ok_or(MfaReason::NotFound)?;
        let input = TotpConfirmation { enrollee: Enrollee::LogIn(claims), id, code };
        let call = Call::new(self.api, self.request);
        let caller = call.caller.clone();
        let confirmed = with_store(self.api.clone(), move |api| api.mfa.confirm.run(&input, &caller)).await??;
        let logged_in = confirmed.logged_in.ok_or_else(|| ApiError::internal("the enrolment began no session"))?;
        Ok((LoggedIn { recovery_codes: confirmed.recovery_codes, ..logged_in }, call))
    }
}
