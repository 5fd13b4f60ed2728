// Rolling restarts of two replicas behind each load balancer of `deploy/`, under load. No call may fail.
//   node rolling_restart.mjs <portcullis> <folder deploy> <scratch folder with key.pem, certificate.pem, both.pem>
// Uses the shipped configurations: only names, ports and paths of certificates are replaced.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";

const [portcullis, deploy, scratch] = process.argv.slice(2);
const callsWanted = 1_000;
const clients = 4;
const password = "correct horse battery";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function run(name, command, args, env = {}) {
  const child = spawn(command, args, { cwd: scratch, env: { ...process.env, ...env } });
  const log = createWriteStream(join(scratch, `${name}.log`), { flags: "a" });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  return child;
}

// Sends one request on a connection of its own. Returns the status, or the code of the error.
function send(url, method, path, { token, body } = {}) {
  const client = url.startsWith("https:") ? https : http;
  const headers = { host: "auth.example.org", "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  return new Promise((resolve) => {
    const options = { method, headers, agent: false, rejectUnauthorized: false, servername: "auth.example.org" };
    const request = client.request(new URL(path, url), options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", (error) => resolve({ status: error.code }));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode, json: text.startsWith("{") ? JSON.parse(text) : undefined });
      });
    });
    request.on("error", (error) => resolve({ status: error.code }));
    request.end(body && JSON.stringify(body));
  });
}

async function until(what, check) {
  for (let left = 150; left > 0; left -= 1) {
    if (await check()) return;
    await pause(100);
  }
  assert.fail(`${what}: not within 15 s, see ${scratch}`);
}

class Replica {
  constructor(port, settings) {
    this.port = port;
    this.settings = settings;
  }

  start() {
    this.process = run(`replica-${this.port}`, portcullis, ["serve"], { ...this.settings, PORT: String(this.port) });
    return until(`replica ${this.port}`, async () => {
      return (await send(`http://127.0.0.1:${this.port}`, "GET", "/health/ready")).status === 200;
    });
  }

  async stop() {
    const exit = once(this.process, "exit");
    this.process.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null], "a replica that stops exits with 0");
  }
}

// Starts a balancer with its shipped configuration. Returns its process and URL.
async function balancer({ name, file, command, scheme, listens, wrap }, replicas) {
  const port = await freePort();
  let text = readFileSync(join(deploy, file), "utf8");
  for (const [shipped, here] of [
    ["127.0.0.1:8000", `127.0.0.1:${replicas[0].port}`],
    ["127.0.0.1:8001", `127.0.0.1:${replicas[1].port}`],
    [listens[0], listens[1].replace("{port}", port)],
    ...(scheme === "https" ? [["/etc/ssl/portcullis", scratch]] : []),
  ]) {
    assert(text.includes(shipped), `${file} has no ${shipped}`);
    text = text.replaceAll(shipped, here);
  }
  const configuration = join(scratch, `${name}.conf`);
  writeFileSync(configuration, wrap ? wrap(text) : text);
  const [program, ...args] = command(configuration);
  const homes = { XDG_DATA_HOME: scratch, XDG_CONFIG_HOME: scratch };
  return { process: run(name, program, args, homes), url: `${scheme}://127.0.0.1:${port}` };
}

const balancers = [
  {
    name: "nginx",
    file: "nginx/portcullis.conf",
    scheme: "https",
    listens: ["listen 443", "listen 127.0.0.1:{port}"],
    command: (file) => ["nginx", "-p", scratch, "-c", file, "-e", join(scratch, "nginx-error.log")],
    wrap: (text) => {
      const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      const paths = kinds.map((kind) => `${kind}_temp_path ${scratch}/${kind};`);
      return `daemon off; pid ${scratch}/nginx.pid; events {} http { access_log off; ${paths.join(" ")}\n${text}}`;
    },
  },
  {
    name: "haproxy",
    file: "haproxy/haproxy.cfg",
    scheme: "https",
    listens: ["bind :443", "bind 127.0.0.1:{port}"],
    command: (file) => ["haproxy", "-db", "-f", file],
  },
  {
    name: "tcp",
    file: "haproxy/tcp.cfg",
    scheme: "http",
    listens: ["bind :8080", "bind 127.0.0.1:{port}"],
    command: (file) => ["haproxy", "-db", "-f", file],
  },
  {
    name: "caddy",
    file: "caddy/Caddyfile",
    scheme: "https",
    listens: ["\nauth.example.org {", "\nhttps://auth.example.org:{port} {"],
    command: (file) => ["caddy", "run", "--config", file, "--adapter", "caddyfile"],
    wrap: (text) => `{\n\tadmin off\n\tauto_https off\n}\n${text}`,
  },
];

// One person: every call on a new connection, alternately reading and exchanging a token.
async function client(url, number, state) {
  const email = `person${number}-${randomBytes(4).toString("hex")}@example.com`;
  const account = { email, password };
  assert.equal((await send(url, "POST", "/auth/register", { body: account })).status, 201);
  let pair = (await send(url, "POST", "/auth/login", { body: account })).json;
  while (!state.over) {
    const me = await send(url, "GET", "/auth/me", { token: pair.access_token });
    const refreshed = await send(url, "POST", "/auth/refresh", { body: { refresh_token: pair.refresh_token } });
    for (const { status } of [me, refreshed]) {
      state.calls += 1;
      if (status !== 200) state.failed.push(status);
    }
    const next = refreshed.status === 200 ? refreshed : await send(url, "POST", "/auth/login", { body: account });
    pair = next.json;
  }
}

const settings = {
  HOST: "127.0.0.1",
  DATABASE_URL: `sqlite:///${join(scratch, "app.db")}`,
  SECRET_KEY: randomBytes(32).toString("hex"),
  DEBUG: "true",
  BCRYPT_COST: "4",
  RATE_LIMIT_ENABLED: "false",
  TRUSTED_PROXIES: "127.0.0.1",
  SHUTDOWN_DELAY_SECONDS: process.env.SHUTDOWN_DELAY_SECONDS ?? "2",
};
const replicas = [new Replica(await freePort(), settings), new Replica(await freePort(), settings)];
let failed = 0;
try {
  for (const replica of replicas) await replica.start();
  for (const kind of balancers) {
    const { process: running, url } = await balancer(kind, replicas);
    try {
      await until(kind.name, async () => (await send(url, "GET", "/health/ready")).status === 200);
      const state = { calls: 0, failed: [], over: false };
      const people = Array.from({ length: clients }, (_, number) => client(url, number, state));
      let restarts = 0;
      while (restarts < 4 || state.calls < callsWanted) {
        const replica = replicas[restarts % 2];
        await replica.stop();
        await replica.start();
        // The balancer looks every half second, and takes one success.
        await pause(1_000);
        restarts += 1;
      }
      state.over = true;
      await Promise.all(people);
      const { calls, failed: some } = state;
      console.log(`${kind.name}: ${calls} calls, ${restarts} restarts, ${some.length} failed ${some.slice(0, 5)}`);
      failed += state.failed.length;
    } finally {
      running.kill("SIGTERM");
    }
  }
} finally {
  for (const replica of replicas) replica.process?.kill("SIGKILL");
}
assert.equal(failed, 0, "calls failed during rolling restarts");
