//! A service that sends its emails to the test's own mail server.

use super::databases::Database;
use super::services::{Service, ServiceBuilder};
use super::timing::eventually;
use portcullis_testkit::smtp::Server;
use serde_json::Value;

/// Sender of the emails.
pub(crate) const FROM: &str = "Zugang <no-reply@auth.example.org>";
/// Public address of the service.
pub(crate) const PUBLIC_URL: &str = "https://auth.example.org/id";

impl ServiceBuilder {
    /// Sends emails to this server, whose certificate the service trusts.
    pub(crate) fn mailing(self, server: &Server) -> Self {
        let setup = self.set("SMTP_URL", &server.url()).set("MAIL_FROM", FROM).set("PUBLIC_URL", PUBLIC_URL);
        setup.set("SSL_CERT_FILE", &server.authority().display().to_string())
    }
}

impl Service {
    /// Returns the readiness status, the mail check and the mail circuit's state.
    pub(crate) fn mail_state(&self) -> (u16, Value, String) {
        let ready = self.get("/health/ready");
        let body = ready.json();
        let circuit = body["circuits"]["mail"]["state"].as_str().unwrap().to_owned();
        (ready.status, body["checks"]["mail"].clone(), circuit)
    }
}

impl Database {
    /// Makes every queued email due now, or in the far future.
    pub(crate) fn make_mails_due(&self, due: bool) {
        let at = if due { "2020-01-01 00:00:00" } else { "2099-01-01 00:00:00" };
        self.execute(&format!("UPDATE outbox SET due_at = '{at}' WHERE dead_at IS NULL"));
    }

    /// Waits until the outbox has nothing left to send.
    pub(crate) fn wait_for_empty_outbox(&self) {
        eventually("an empty outbox", || (self.count("FROM outbox WHERE dead_at IS NULL") == 0).then_some(()));
    }
}
