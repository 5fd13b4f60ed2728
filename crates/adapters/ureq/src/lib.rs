//! HTTP client for calls to other services whose URLs may come from those services (a discovery document names
//! its endpoints). It must not become a way into the network that this service runs in (SSRF).

mod addresses;
mod client;
mod policy;
mod resolver;

pub use client::UreqHttp;
pub use policy::AddressPolicy;
