//! Starts the service for one gate, with its own port and SQLite file and the cheapest hashes.

use super::tools::scratch;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use xtask::repository::portcullis;
use xtask::repository::secret;

const START: Duration = Duration::from_secs(30);

/// A running service, killed when dropped.
pub(super) struct Service {
    child: Child,
    address: SocketAddr,
    /// Host of its URL.
    host: &'static str,
    /// Working directory; contains `service.log`.
    pub(super) folder: PathBuf,
}

impl Service {
    /// Builds and starts the service, and waits until it is healthy.
    pub(super) fn start(name: &str) -> Result<Self> {
        Self::start_with(name, &[])
    }

    /// Like [`start`](Self::start), with further settings.
    pub(super) fn start_with(name: &str, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_at("127.0.0.1", name, settings)
    }

    /// Like [`start_with`](Self::start_with), with a name of this computer as the host of `PUBLIC_URL`.
    pub(super) fn start_at(host: &'static str, name: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let binary = portcullis(false)?;
        let folder = scratch(&format!("external/{name}"))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(binary);
        command.arg("serve").current_dir(&folder);
        command.env("DATABASE_URL", format!("sqlite:///{}", folder.join("app.db").display()));
        command.env("SECRET_KEY", secret()?).env("DEBUG", "true").env("BCRYPT_COST", "4");
        // The gates send more requests from one IP address than the limits allow.
        command.env("RATE_LIMIT_ENABLED", "false");
        command.env("HOST", address.ip().to_string()).env("PORT", address.port().to_string());
        command.env("PUBLIC_URL", format!("http://{host}:{}", address.port())).envs(settings.iter().copied());
        command.stdout(File::create(folder.join("service.log"))?);
        let child = command.spawn().context("portcullis: cannot be started")?;
        let mut service = Self { child, address, host, folder };
        service.wait()?;
        Ok(service)
    }

    /// Returns the base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.address.port())
    }

    /// Sends a request with a JSON body and returns the status and body of the response.
    pub(super) fn call(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        self.send(method, path, "", body)
    }

    /// Posts JSON with an access token. The response must be a success; returns its JSON body.
    pub(super) fn tell(&self, path: &str, access: &str, body: &Value) -> Result<Value> {
        let bearer = format!("Authorization: Bearer {access}\r\n");
        let (status, answer) = self.send("POST", path, &bearer, &body.to_string())?;
        ensure!((200..300).contains(&status), "{path}: {status} {answer}");
        Ok(serde_json::from_str(&answer)?)
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address)?;
        write!(stream, "{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP response")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok((status, body.to_owned()))
    }

    fn wait(&mut self) -> Result<()> {
        let started = Instant::now();
        while !self.call("GET", "/health", "").is_ok_and(|(status, _)| status == 200) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the service exited ({status}), see {}", self.folder.join("service.log").display());
            }
            ensure!(started.elapsed() < START, "the service does not respond on {}", self.address);
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
