//! The map of the API: which method of which path is which handler. The document is made from
//! the same map.

use crate::{health, keys, login, registration, sessions, tokens};
use paperclip::actix::web::{self, ServiceConfig};

/// Every documented route.
pub(crate) fn api(config: &mut ServiceConfig) {
    config
        .service(web::resource("/auth/register").route(web::post().to(registration::register)))
        .service(web::resource("/auth/login").route(web::post().to(login::login)))
        .service(web::resource("/auth/refresh").route(web::post().to(tokens::refresh)))
        .service(web::resource("/auth/logout").route(web::post().to(sessions::logout)))
        .service(web::resource("/auth/logout-all").route(web::post().to(sessions::logout_all)))
        .service(web::resource("/auth/me").route(web::get().to(sessions::me)))
        .service(web::resource("/auth/sessions").route(web::get().to(sessions::list)))
        .service(web::resource("/auth/sessions/{id}").route(web::delete().to(sessions::revoke)))
        .service(web::resource("/auth/sessions/{id}/events").route(web::get().to(sessions::events)))
        .service(web::resource("/.well-known/jwks.json").route(web::get().to(keys::jwks)))
        .service(web::resource("/health").route(web::get().to(health::health)))
        .service(web::resource("/health/live").route(web::get().to(health::live)))
        .service(web::resource("/health/ready").route(web::get().to(health::ready)));
}
