//! A shop with accounts: Portcullis is mounted at `/id`, next to the shop's own routes, on the shop's listener.
//!
//!     SECRET_KEY=$(openssl rand -hex 32) PUBLIC_URL=http://localhost:8080/id cargo run -p portcullis-app --example embed
//!     curl http://localhost:8080/id/health/ready

use actix_web::web::get;
use actix_web::{App, HttpServer};
use portcullis_app::Embedded;
use portcullis_app::settings::{Settings, Sources};
use std::net::TcpListener;
use std::path::Path;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::read(&Sources::load(std::env::vars_os(), Path::new(""))?)?;
    serve(&settings, TcpListener::bind("localhost:8080")?).await
}

/// Serves the shop until Ctrl+C.
pub(crate) async fn serve(settings: &Settings, listener: TcpListener) -> anyhow::Result<()> {
    let portcullis = Embedded::start(settings).await?;
    let accounts = portcullis.mount();
    let shop = move || App::new().route("/", get().to(products)).service(accounts.scope("/id"));
    HttpServer::new(shop).listen(listener)?.run().await?;
    portcullis.stop().await;
    Ok(())
}

async fn products() -> &'static str {
    "Boats, ropes and lanterns"
}
