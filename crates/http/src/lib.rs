//! HTTP interface of the service: turns requests into use-case input and outcomes into responses, and
//! generates the OpenAPI document. The business logic is in `portcullis-usecases`.

mod api;
mod body;
mod call;
mod connection;
mod errors;
mod health;
mod keys;
mod lanes;
mod language;
mod limits;
mod listeners;
mod login;
mod memory;
mod metrics_server;
mod mfa;
mod middleware;
mod mount;
mod openapi;
mod pages;
mod passkeys;
mod providers;
mod proxy_protocol;
mod recovery;
mod registration;
mod reply;
mod request_gate;
mod request_metrics;
mod routes;
mod server;
mod sessions;
mod time;
mod tokens;
mod verification;

pub use api::{
    AccountPages, Api, HttpConfig, Lanes, MfaUseCases, PasskeyUseCases, ProviderUseCases, RecoveryUseCases,
    SessionUseCases, VerificationUseCases,
};
pub use lanes::{BatchLane, BatchSettings, Lane, LaneLoad, LaneObserver, LaneSettings, OutboundLanes};
pub use limits::{ForwardedHeader, ParseProxiesError, TrustedProxies};
pub use metrics_server::serve_metrics;
pub use mount::{Mount, MountedScope};
pub use openapi::document;
pub use pages::{Brand, Logo, Page, PageRenderer};
pub use request_metrics::{LoginObserver, METHODS, ROUTES, RequestObserver, RequestRecord};
pub use server::{RunningServer, ServerSettings, bind, start};
pub use tokens::TokenCookies;
