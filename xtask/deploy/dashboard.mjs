// Tests the Grafana dashboard: real traffic, a Prometheus that scrapes the service, and every query of every
// panel. A query passes if Prometheus returns at least one number for it. Fails also if a metric that the service
// exports is on no panel.
//
//     node dashboard.mjs URL METRICS_ADDRESS DASHBOARD SCRATCH
//
// The service runs with Redis and traces, so that it exports everything.

import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const [url, metrics, dashboardFile, scratch] = process.argv.slice(2);
const PASSWORD = "correct horse battery";
const DEADLINE_MS = 60_000;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function post(path, body, expected) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (response.status !== expected) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

// Logins that succeed and fail, refreshes and a repeated one, emails.
async function traffic(round) {
  const email = `ada${round}@example.org`;
  await post("/auth/register", { email, password: PASSWORD }, 201);
  const { refresh_token } = await post("/auth/login", { email, password: PASSWORD }, 200);
  await post("/auth/login", { email, password: "wrong password" }, 401);
  await post("/auth/refresh", { refresh_token }, 200);
  await post("/auth/refresh", { refresh_token }, 401);
}

const panels = (board) => board.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);

// Grafana replaces these when it sends a query.
const replaced = (expr) =>
  expr.replaceAll("$__rate_interval", "30s").replaceAll("$job", "portcullis").replaceAll("$instance", ".*");

function queries(board) {
  const all = panels(board).flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  if (all.length === 0) throw new Error("the dashboard has no query");
  return all;
}

async function ask(prometheus, expr) {
  const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: replaced(expr) })}`);
  const { status, data, error } = await response.json();
  if (status !== "success") throw new Error(`${expr}: ${error}`);
  return data.result.some(({ value }) => Number.isFinite(Number(value[1])));
}

// Returns the queries without a number. Repeats them while traffic goes on: a rate needs two scrapes, and a
// quantile a change between them.
async function missing(prometheus, all) {
  const end = Date.now() + DEADLINE_MS;
  let open = all;
  for (let round = 0; open.length > 0 && Date.now() < end; round += 1) {
    await traffic(round);
    await sleep(1000);
    const answers = await Promise.all(open.map(({ expr }) => ask(prometheus, expr)));
    open = open.filter((_, index) => !answers[index]);
  }
  return open;
}

// Metrics of the page, without the suffixes of histograms.
async function exported() {
  const page = await (await fetch(`http://${metrics}/metrics`)).text();
  return page.split("\n").flatMap((line) => line.match(/^# TYPE (\S+)/)?.slice(1) ?? []);
}

async function main() {
  const all = queries(JSON.parse(readFileSync(dashboardFile, "utf8")));
  const unused = (await exported()).filter((name) => !all.some(({ expr }) => new RegExp(`\\b${name}(_bucket)?\\b`).test(expr)));
  if (unused.length > 0) throw new Error(`metrics on no panel: ${unused.join(", ")}`);

  const port = await freePort();
  const config = { global: { scrape_interval: "1s" }, scrape_configs: [{ job_name: "portcullis", static_configs: [{ targets: [metrics] }] }] };
  writeFileSync(`${scratch}/prometheus.yml`, JSON.stringify(config));
  const flags = [`--config.file=${scratch}/prometheus.yml`, `--storage.tsdb.path=${scratch}/data`, `--web.listen-address=127.0.0.1:${port}`, "--log.level=warn"];
  const prometheus = spawn("prometheus", flags, { stdio: ["ignore", "ignore", "inherit"] });
  try {
    const address = `http://127.0.0.1:${port}`;
    while (!(await fetch(`${address}/-/ready`).catch(() => undefined))?.ok) {
      if (prometheus.exitCode !== null) throw new Error("Prometheus ended");
      await sleep(100);
    }
    // Prometheus scrapes a new target after some seconds.
    while (!(await ask(address, "up == 1"))) await sleep(200);
    const open = await missing(address, all);
    for (const { title, expr } of open) console.log(`no data: ${title}: ${expr}`);
    if (open.length > 0) throw new Error(`${open.length} of ${all.length} queries return nothing`);
    console.log(`${all.length} queries of ${new Set(all.map(({ title }) => title)).size} panels return data`);
  } finally {
    prometheus.kill();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
