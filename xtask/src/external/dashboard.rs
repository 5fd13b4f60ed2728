//! Tests the Grafana dashboard in `deploy/grafana`: a Prometheus scrapes a service with traffic, and every query of
//! the dashboard returns data. The checks are in `xtask/deploy/dashboard.mjs`.

use super::{service::Service, tools};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use xtask::install::redis_server;
use xtask::repository::{root, run};

/// Nothing listens on it, so spans are dropped and counted.
const NO_COLLECTOR: &str = "http://127.0.0.1:9";

pub(crate) fn check() -> Result<()> {
    tools::program("prometheus", "prometheus")?;
    let scratch = tools::scratch("external/prometheus")?;
    let redis = Redis::start(&scratch)?;
    let metrics = free_address()?.to_string();
    let redis_url = format!("redis://{}", redis.address);
    let settings = [
        ("METRICS_ADDR", metrics.as_str()),
        ("REDIS_URL", &redis_url),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", NO_COLLECTOR),
        // The series of rate limits need them.
        ("RATE_LIMIT_ENABLED", "true"),
    ];
    let service = Service::start_with("dashboard", &settings)?;
    let mut dashboard = Command::new("node");
    dashboard.arg(root().join("xtask/deploy/dashboard.mjs")).args([&service.url(), &metrics]);
    run("the dashboard", dashboard.arg(root().join("deploy/grafana/portcullis.json")).arg(scratch))
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A Redis without a disk, killed when dropped. The service connects as soon as it is there.
struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Redis {
    fn start(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(redis_server::program()?);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &address.port().to_string(), "--dir"]);
        let child = command.arg(folder).stdout(Stdio::null()).spawn().context("Redis cannot be started")?;
        Ok(Self { child, address })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
