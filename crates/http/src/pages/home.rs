//! `GET /`: home page with links to the account pages and the API documentation. Links are relative,
//! since the service may be served below a path.

use super::account::{Html, PageContext, PageView};
use crate::api::Api;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// Renders the home page.
pub(super) async fn home(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    screen(&reader, &api).shown_at_root(&reader)
}

fn screen(reader: &PageContext<'_>, api: &Api) -> PageView {
    let (words, own) = (&reader.words.home, &api.config.account_pages);
    let account = [(own.reset, "account/reset", words.reset), (own.verify, "account/verify", words.verify)];
    let account: Vec<_> = account.into_iter().filter(|(is_own, ..)| *is_own).map(|(_, to, name)| (to, name)).collect();
    let developers = [("docs", words.docs), ("redoc", words.redoc), ("openapi.json", words.document)];
    let mut parts = vec![Html::paragraph(words.text)];
    if !account.is_empty() {
        parts.push(Html::links("account", words.account, &account));
    }
    parts.push(Html::links("developers", words.developers, &developers));
    PageView { title: words.title, parts }
}
