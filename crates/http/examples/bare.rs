//! An actix-web handler with nothing around it: the limit that `cargo xtask bench` holds the
//! service against. The JSON has the size of the service's answers; there is no database, no
//! token, no log and no middleware.
//!
//! `cargo run --release -p portcullis-http --example bare -- 127.0.0.1:8000`; port 0 is any free
//! one. Prints the address.

#![expect(clippy::print_stdout, reason = "a tool for developers")]

use actix_web::web::{Json, get};
use actix_web::{App, HttpServer};
use serde::Serialize;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Account {
    id: i64,
    email: &'static str,
    is_active: bool,
    created_at: &'static str,
    email_verified: bool,
}

async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

async fn me() -> Json<Account> {
    Json(Account {
        id: 1,
        email: "user0@example.com",
        is_active: true,
        created_at: "2026-11-22T16:51:56.263077Z",
        email_verified: false,
    })
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let app = || App::new().route("/health", get().to(health)).route("/auth/me", get().to(me));
    let server = HttpServer::new(app).bind(address)?;
    for address in server.addrs() {
        println!("{address}");
    }
    server.run().await
}
