//! The API as a part of another program's actix-web application, under a prefix.

use crate::api::Api;
use crate::pages::Document;
use crate::server::{Draining, app};
use actix_http::Request;
use actix_http::uri::{PathAndQuery, Uri};
use actix_service::{Service, apply_fn_factory, map_config};
use actix_web::HttpResponse;
use actix_web::dev::{AppService, HttpServiceFactory, ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use futures_util::future::{Either, ready};

/// The API with what its workers share.
#[derive(Clone)]
pub struct Mount {
    pub(crate) api: Data<Api>,
    pub(crate) draining: Data<Draining>,
    pub(crate) document: Data<Document>,
}

impl Mount {
    /// Prepares the API for one or many applications, such as those of the workers of an `HttpServer`.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self { api: Data::new(api), draining: Data::default(), document: Data::default() }
    }

    /// Returns the routes for an [`actix_web::App`], below a prefix such as `/id`; the empty prefix is the root.
    /// Set `PUBLIC_URL` to the address of the prefix, so that links, cookies and pages point there.
    ///
    /// Everything of the API comes along: its errors, CORS, request ids, log lines and pages. Middleware of the
    /// application runs around it, and does not see the API's extensions of the request. The listener, time-outs
    /// and the maximum number of connections are the application's.
    #[must_use]
    pub fn scope(&self, prefix: &str) -> MountedScope {
        MountedScope { prefix: prefix.trim_end_matches('/').to_owned(), mount: self.clone() }
    }

    /// Reports the API as not ready from now on; it still serves every request.
    pub fn announce_stop(&self) {
        self.draining.begin();
    }
}

/// Routes of the API below a prefix.
pub struct MountedScope {
    prefix: String,
    mount: Mount,
}

impl HttpServiceFactory for MountedScope {
    fn register(self, config: &mut AppService) {
        let Self { prefix, mount } = self;
        let (place, app_config) = (ResourceDef::prefix(prefix.clone()), config.config().clone());
        let service = apply_fn_factory(app(mount), move |request: ServiceRequest, api| {
            let (request, payload) = request.into_parts();
            if !prefix.is_empty() && request.uri().path() == prefix {
                return Either::Left(ready(Ok(ServiceResponse::new(request, with_slash(&prefix)))));
            }
            let mut inner = Request::with_payload(payload);
            *inner.head_mut() = request.head().clone();
            inner.head_mut().uri = without_prefix(request.uri(), &prefix);
            let response = api.call(inner);
            Either::Right(async move {
                Ok(ServiceResponse::new(request, response.await?.into_parts().1).map_into_boxed_body())
            })
        });
        config.register_service(place, None, map_config(service, move |()| app_config.clone()), None);
    }
}

/// Redirects from the prefix to its folder, since links in pages are relative. So is this one: a proxy may have
/// removed another prefix.
fn with_slash(prefix: &str) -> HttpResponse {
    let (_, last) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    HttpResponse::PermanentRedirect().insert_header((LOCATION, format!("{last}/"))).finish()
}

/// Removes the prefix from a path. A path that spells the prefix in another way stays, and is not found.
fn without_prefix(uri: &Uri, prefix: &str) -> Uri {
    let Some(path) = uri.path().strip_prefix(prefix) else { return uri.clone() };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    let Ok(target) = PathAndQuery::try_from(target) else { return uri.clone() };
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
