//! The service over HTTP: requests into use-case input, outcomes into responses, and the API
//! document that says so. What the service does is left to `usecases`.

mod api;
mod body;
mod client_info;
mod connection;
mod errors;
mod exposition;
mod health;
mod keys;
mod lanes;
mod language;
mod limits;
mod listeners;
mod login;
mod memory;
mod middleware;
mod openapi;
mod pages;
mod recovery;
mod registration;
mod reply;
mod routes;
mod server;
mod sessions;
mod time;
mod tokens;
mod traffic;
mod turn;
mod verification;

pub use api::{AccountPages, Api, Identity, Lanes, OwnSessions, Recovery, Verification};
pub use exposition::expose;
pub use lanes::{BatchLane, BatchSettings, Lane, LaneLoad, LaneObserver, LaneSettings};
pub use limits::{ForwardedHeader, Network, NotANetwork, TrustedProxies};
pub use openapi::document;
pub use server::{Running, ServerSettings, bind, start};
pub use traffic::{Answered, METHODS, ROUTES, RequestObserver};
