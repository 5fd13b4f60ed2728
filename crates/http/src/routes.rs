//! Routes of the API. The OpenAPI document is generated from the same list.

use crate::{health, keys, login, recovery, registration, sessions, tokens, verification};
use paperclip::actix::web::{self, ServiceConfig};

/// Registers every documented route.
pub(crate) fn api(config: &mut ServiceConfig) {
    config
        .service(web::resource("/auth/register").route(web::post().to(registration::register)))
        .service(web::resource("/auth/login").route(web::post().to(login::login)))
        .service(web::resource("/auth/refresh").route(web::post().to(tokens::refresh)))
        .service(web::resource("/auth/logout").route(web::post().to(sessions::logout)))
        .service(web::resource("/auth/logout-all").route(web::post().to(sessions::logout_all)))
        .service(
            web::resource("/auth/me").route(web::get().to(sessions::me)).route(web::delete().to(registration::leave)),
        )
        .service(web::resource("/auth/password/change").route(web::post().to(recovery::change)))
        .service(web::resource("/auth/password/forgot").route(web::post().to(recovery::forgot)))
        .service(web::resource("/auth/password/reset").route(web::post().to(recovery::reset)))
        .service(web::resource("/auth/email/verify").route(web::post().to(verification::verify)))
        .service(web::resource("/auth/email/resend").route(web::post().to(verification::resend)))
        .service(web::resource("/auth/email/change").route(web::post().to(verification::change)))
        .service(web::resource("/auth/sessions").route(web::get().to(sessions::list)))
        .service(web::resource("/auth/sessions/{id}").route(web::delete().to(sessions::revoke)))
        .service(web::resource("/auth/sessions/{id}/events").route(web::get().to(sessions::events)))
        .service(web::resource("/.well-known/jwks.json").route(web::get().to(keys::jwks)))
        .service(web::resource("/health").route(web::get().to(health::health)))
        .service(web::resource("/health/live").route(web::get().to(health::live)))
        .service(web::resource("/health/ready").route(web::get().to(health::ready)));
}
