//! Table of all routes. Each feature registers its own; the server, the metrics labels and the OpenAPI
//! document are made from it.

use crate::api::{AccountPages, Api};
use crate::body::{self, Input};
use crate::{
    health, keys, login, mfa, pages, passkeys, providers, recovery, registration, sessions, tokens, verification,
};
use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{FromRequest, Handler, Responder};
use paperclip::actix::web::{self, Route, ServiceConfig};
use paperclip::v2::schema::Apiv2Operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::PasswordPolicy;
use serde_json::{Value, json};

/// Returns whether a page is on.
pub(crate) type Switch = fn(&AccountPages) -> bool;

/// All routes, in order of registration.
#[derive(Default)]
pub(crate) struct Table {
    api: Vec<(&'static str, Vec<Route>)>,
    pages: Vec<(&'static str, Vec<actix_web::Route>)>,
    /// Pages that an operator may turn off.
    switches: Vec<(&'static str, Switch)>,
    /// Documentation of the API's routes.
    pub(crate) operations: Vec<Operation>,
}

impl Table {
    /// Registers the routes of every feature.
    pub(crate) fn new() -> Self {
        let mut table = Self::default();
        login::routes(&mut table);
        tokens::routes(&mut table);
        mfa::routes(&mut table);
        passkeys::routes(&mut table);
        providers::routes(&mut table);
        sessions::routes(&mut table);
        registration::routes(&mut table);
        recovery::routes(&mut table);
        verification::routes(&mut table);
        keys::routes(&mut table);
        health::routes(&mut table);
        pages::routes(&mut table);
        table
    }

    /// Adds a documented route.
    pub(crate) fn add<F, A>(&mut self, method: Method, path: &'static str, handler: F, operation: Operation)
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
        F::Future: Apiv2Operation,
    {
        self.operations.push(Operation { path, method: method.as_str().to_ascii_lowercase(), ..operation });
        let route = web::method(method).to(handler);
        // One resource a path: a second one would never be tried, and the methods of the first get 405.
        match self.api.iter_mut().find(|(known, _)| *known == path) {
            Some((_, routes)) => routes.push(route),
            None => self.api.push((path, vec![route])),
        }
    }

    /// Adds the routes of a page, which the document does not list.
    pub(crate) fn page<const N: usize>(&mut self, path: &'static str, routes: [actix_web::Route; N]) {
        self.pages.push((path, routes.into()));
    }

    /// Adds the routes of an account page. `is_on` is false if the operator turned the page off.
    pub(crate) fn account_page<const N: usize>(
        &mut self,
        path: &'static str,
        is_on: Switch,
        routes: [actix_web::Route; N],
    ) {
        self.page(path, routes);
        self.switches.push((path, is_on));
    }

    /// Returns the patterns of all routes.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &'static str> {
        self.api.iter().map(|(path, _)| *path).chain(self.pages.iter().map(|(path, _)| *path))
    }

    /// Moves the documented routes into an application.
    pub(crate) fn serve_api(&mut self, config: &mut ServiceConfig) {
        for (path, routes) in self.api.drain(..) {
            config.service(routes.into_iter().fold(web::resource(path), web::Resource::route));
        }
    }

    /// Moves the pages into an application.
    pub(crate) fn serve_pages(&mut self, config: &mut actix_web::web::ServiceConfig) {
        for (path, routes) in self.pages.drain(..) {
            let mut resource = routes.into_iter().fold(actix_web::web::resource(path), actix_web::Resource::route);
            for is_on in self.switches.iter().filter(|(switched, _)| *switched == path).map(|(_, is_on)| *is_on) {
                resource = resource.guard(fn_guard(move |context| {
                    context.app_data::<Data<Api>>().is_some_and(|api| is_on(&api.config.account_pages))
                }));
            }
            config.service(resource.wrap(from_fn(pages::session::renew_cookie)));
        }
    }
}

/// Documentation of a route that paperclip cannot derive from its handler.
#[derive(Default)]
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    /// Method in lower case.
    pub(crate) method: String,
    /// Description of the successful response.
    pub(crate) success: &'static str,
    /// Example of a successful response that only has a message.
    pub(crate) example: Option<Value>,
    /// Errors other than those of every bearer token and of every body.
    pub(crate) errors: &'static [ErrorCode],
    /// Describes the body in a merge patch (RFC 7396) of the document.
    pub(crate) body: Option<fn(&Self, &PasswordPolicy) -> Value>,
    pub(crate) parameters: Vec<Value>,
    /// JSON merge patch (RFC 7396) of the operation.
    pub(crate) patch: Option<Value>,
}

/// Documents a route by its successful response.
pub(crate) fn responds(success: &'static str) -> Operation {
    Operation { success, ..Operation::default() }
}

impl Operation {
    pub(crate) fn example(self, body: &impl serde::Serialize) -> Self {
        Self { example: serde_json::to_value(body).ok(), ..self }
    }

    pub(crate) fn fails(self, errors: &'static [ErrorCode]) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn reads<T: Input>(self) -> Self {
        Self { body: Some(body::describe::<T>), ..self }
    }

    pub(crate) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds the header that selects the language of emails.
    pub(crate) fn sends_email(self) -> Self {
        self.parameter(json!({ "$ref": "#/components/parameters/AcceptLanguage" }))
    }

    /// Adds the header that puts tokens into cookies.
    pub(crate) fn offers_cookies(self) -> Self {
        self.parameter(json!({ "$ref": "#/components/parameters/PortcullisTokens" }))
    }

    pub(crate) fn patch(self, patch: Value) -> Self {
        Self { patch: Some(patch), ..self }
    }
}
