//! `GET /`: a page for people who come upon the service, with links to what it shows them. Links are
//! relative, for the service may be reached below a path.

use super::account::{Html, PageContext, PageView};
use crate::api::Api;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// The page.
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
