//! The example that mounts the service in another program's application.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../examples/embed.rs"]
mod embed;

use portcullis_app::settings::{Settings, Sources};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use ureq::Agent;
use ureq::http::Response;

/// Starts the shop on a free port, on a thread that ends with the process. Returns its address.
fn shop(folder: &Path) -> String {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let address = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let file = |name: &str| folder.join(name).display().to_string();
    let environment = [
        ("SECRET_KEY", concat!("marker-Kd8sQ2vXzLm4-", "TgB7nWc9yRfHj1pE0u3").to_owned()),
        ("DATABASE_URL", format!("sqlite:///{}", file("app.db"))),
        ("MAIL_DIR", file("outbox")),
        ("PUBLIC_URL", format!("{address}/id")),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    let settings = Settings::read(&Sources::load(environment, folder).unwrap()).unwrap();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(embed::serve(&settings, listener)).unwrap();
    });
    address
}

fn body(mut response: Response<ureq::Body>) -> Value {
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn mounted_service_works_under_its_prefix_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let address = shop(folder.path());
    let agent: Agent = Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let get = |path: &str| agent.get(format!("{address}{path}")).call().unwrap();
    let post = |path: &str, sent: Value| agent.post(format!("{address}{path}")).send_json(sent).unwrap();

    assert_eq!(get("/").into_body().read_to_string().unwrap(), "Boats, ropes and lanterns");
    assert_eq!(body(get("/id/health/ready"))["status"], "ok");
    let person = json!({ "email": "ada@example.com", "password": "a long passphrase 7" });
    assert_eq!(post("/id/auth/register", person.clone()).status(), 201);
    let pair = body(post("/id/auth/login", person.clone()));
    let pair = body(post("/id/auth/refresh", json!({ "refresh_token": pair["refresh_token"] })));
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let me = agent.get(format!("{address}/id/auth/me")).header("authorization", bearer).call().unwrap();
    assert_eq!(body(me)["email"], "ada@example.com");

    let missing = get("/id/nowhere?x=1");
    assert_eq!(missing.status(), 404);
    assert!(missing.headers().contains_key("x-request-id"));
    assert_eq!(body(missing)["error"]["code"], "NOT_FOUND");
    for path in ["/auth/me", "/identity", "/%69d/auth/me", "/id%2Fauth%2Fme"] {
        assert_eq!(get(path).status(), 404, "{path}");
    }
    assert_eq!(get("/id").headers().get("location").unwrap(), "id/");
    assert!(get("/id/").into_body().read_to_string().unwrap().contains("href=\"account\""));
    let to = get("/id/account").headers().get("location").unwrap().to_str().unwrap().to_owned();
    assert_eq!(to, "account/login?continue=%2Fid%2Faccount");
}
