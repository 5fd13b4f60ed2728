//! Short-lived cookies of a sign-in under way. Only the account pages read them.

use super::target::Target;
use crate::api::Api;
use crate::pages::session::is_secure;
use crate::tokens::cookie_value;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::providers::SIGN_IN_CODE_LIFETIME;
use portcullis_usecases::providers::CodeExchange;

/// Time for which a browser remembers where it goes on after an email: longer than a link to reset a password lasts.
const DETOUR: Duration = Duration::hours(1);

/// Maximum length of a remembered target. Proxies refuse a response whose header is larger than some kilobytes.
const MAX_TARGET: usize = 3_500;

/// Cookie of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The `mfa_token` between two factors.
    Challenge,
    /// Code and verifier between a provider's callback and the account pages.
    Code,
    /// The target of a sign-in that waits for an email.
    Detour,
}

impl Kind {
    /// Returns the name. A sibling host cannot set a cookie with the prefix.
    fn name(self, api: &Api) -> &'static str {
        match (self, is_secure(api)) {
            (Self::Challenge, true) => "__Host-portcullis_challenge",
            (Self::Challenge, false) => "portcullis_challenge",
            (Self::Code, true) => "__Host-portcullis_code",
            (Self::Code, false) => "portcullis_code",
            (Self::Detour, true) => "__Host-portcullis_detour",
            (Self::Detour, false) => "portcullis_detour",
        }
    }
}

/// Returns the `mfa_token` of the sign-in under way.
pub(super) fn challenge(request: &HttpRequest, api: &Api) -> Option<String> {
    read(request, api, Kind::Challenge)
}

pub(super) fn set_challenge(api: &Api, token: &str, seconds: i64, response: &mut HttpResponse) {
    set(api, Kind::Challenge, token, Duration::seconds(seconds), response);
}

pub(super) fn clear_challenge(api: &Api, response: &mut HttpResponse) {
    set(api, Kind::Challenge, "", Duration::ZERO, response);
}

/// Returns the code of a provider's callback, with its verifier.
pub(super) fn code(request: &HttpRequest, api: &Api, redirect_uri: String) -> Option<CodeExchange> {
    let value = read(request, api, Kind::Code)?;
    let (code, verifier) = value.split_once('.')?;
    Some(CodeExchange { code: code.to_owned(), code_verifier: verifier.to_owned(), redirect_uri })
}

pub(super) fn set_code(api: &Api, exchange: &CodeExchange, response: &mut HttpResponse) {
    let value = format!("{}.{}", exchange.code, exchange.code_verifier);
    set(api, Kind::Code, &value, Duration::seconds(SIGN_IN_CODE_LIFETIME.num_seconds()), response);
}

pub(super) fn clear_code(api: &Api, response: &mut HttpResponse) {
    set(api, Kind::Code, "", Duration::ZERO, response);
}

/// Returns the target that the browser remembers, or that of the account. Checks it like any other.
pub(super) fn detour(request: &HttpRequest, api: &Api) -> Target {
    let query = read(request, api, Kind::Detour).unwrap_or_default();
    Target::parse(&query, &api.providers.providers.redirect_uris).unwrap_or(Target::Page(None))
}

/// Remembers a target, unless it is that of the account.
pub(super) fn set_detour(api: &Api, target: &Target, response: &mut HttpResponse) {
    let query = target.query();
    let query = query.trim_start_matches('?');
    if is_remembered(query) {
        set(api, Kind::Detour, query, DETOUR, response);
    }
}

fn is_remembered(query: &str) -> bool {
    (1..=MAX_TARGET).contains(&query.len())
}

fn read(request: &HttpRequest, api: &Api, kind: Kind) -> Option<String> {
    cookie_value(request.headers(), kind.name(api)).filter(|value| !value.is_empty())
}

fn set(api: &Api, kind: Kind, value: &str, max_age: Duration, response: &mut HttpResponse) {
    let mut cookie = Cookie::new(kind.name(api), value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_secure(is_secure(api));
    // Read only after a page of this service led here.
    cookie.set_same_site(SameSite::Strict);
    cookie.set_max_age(max_age);
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_makes_the_header_too_large_is_forgotten() {
        for (length, remembered) in [(0, false), (1, true), (3_500, true), (3_501, false)] {
            assert_eq!(is_remembered(&"a".repeat(length)), remembered, "{length}");
        }
    }
}
