//! `GET /`: home page with links to the account pages and the API documentation. Links are relative,
//! since the service may be served below a path.

use super::{PageContent, PageContext};
use crate::api::Api;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// Renders the home page.
pub(super) async fn home(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let own = api.config.account_pages;
    PageContext::of(&request, &api).ok(PageContent::Home { account: own.enabled, verify: own.verify, reset: own.reset })
}
