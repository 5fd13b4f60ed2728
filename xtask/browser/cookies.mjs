// Cookie mode in a real browser: tabs that share cookies refresh and log out in all orders while responses
// are cut or come late; a thief presents a copied refresh cookie; pages of other origins send forged requests.
//   node cookies.mjs <url of the service> <public URL> <TLS key> <TLS certificate>
// NODE_MODULES names the folder in which playwright-core is installed, CHROMIUM the browser. COOKIE_ROUNDS (1000)
// and COOKIE_SEED (random) choose the rounds; the same seed draws the same plans, but their timing differs.
// Fails if a user is signed out who did not log out, if thief and owner both go on, or if a forged request
// has an effect.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { CuttingProxy } from "./cutting_proxy.mjs";
import { forgedRequests } from "./forgeries.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
const [service, publicUrl, key, cert] = process.argv.slice(2);
const rounds = Number(process.env.COOKIE_ROUNDS ?? 1000);
const seed = Number(process.env.COOKIE_SEED ?? Date.now() % 2 ** 32);
const password = "correct horse battery";
// Slightly more than the REFRESH_GRACE_SECONDS of the service.
const afterGrace = 1_100;
const names = { access: "__Host-portcullis_access", refresh: "__Host-portcullis_refresh" };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Mulberry32.
let state = seed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const below = (end) => Math.floor(random() * end);
const oneOf = (list) => list[below(list.length)];
const shuffled = (list) => {
  const rest = [...list];
  return list.map(() => rest.splice(below(rest.length), 1)[0]);
};

// Runs in the page, as an application would. Returns the status, or 0 if the connection was cut.
async function inPage({ method, path, body, headers }) {
  try {
    const content = body && { "content-type": "application/json" };
    const options = { method, body: body && JSON.stringify(body), headers: { ...content, ...headers } };
    return (await fetch(path, { credentials: "same-origin", ...options })).status;
  } catch {
    return 0;
  }
}

// A person with a browser of their own, one account, and some tabs.
class Owner {
  static async enter(browser, name, tabs) {
    const owner = new Owner();
    owner.name = name;
    owner.account = { email: `${name}-${seed}@example.com`, password };
    owner.context = await browser.newContext();
    owner.tabs = [];
    for (let tab = 0; tab < tabs; tab += 1) {
      const page = await owner.context.newPage();
      await page.goto(`${publicUrl}/app`);
      owner.tabs.push(page);
    }
    const post = { method: "POST", headers: { "content-type": "application/json" } };
    const response = await fetch(`${service}/auth/register`, { ...post, body: JSON.stringify(owner.account) });
    assert.equal(response.status, 201, "register");
    await owner.logIn(owner.tabs[0]);
    return owner;
  }

  call(tab, method, path, plan = {}, body) {
    const cuts = { ...(plan.cut && { "x-cut": plan.cut }), ...(plan.wait && { "x-wait": `${plan.wait}` }) };
    const headers = { ...(method !== "GET" && { "portcullis-tokens": "cookie" }), "x-owner": this.name, ...cuts };
    return tab.evaluate(inPage, { method, path, body, headers });
  }

  async logIn(tab) {
    assert.equal(await this.call(tab, "POST", "/auth/login", {}, this.account), 200, "login");
  }

  refresh(tab, plan) {
    return this.call(tab, "POST", "/auth/refresh", plan);
  }

  me(tab) {
    return this.call(tab, "GET", "/auth/me");
  }

  // As an application does: refreshes once before it shows the login form.
  async isSignedIn(tab) {
    if ((await this.me(tab)) === 200) return true;
    return (await this.refresh(tab)) === 200 && (await this.me(tab)) === 200;
  }

  async dropAccess() {
    await this.context.clearCookies({ name: names.access });
  }
}

// Scripts and other hosts cannot read the cookies.
async function storage(owner) {
  assert.equal(await owner.tabs[0].evaluate(() => document.cookie), "", "a script reads a cookie");
  const cookies = await owner.context.cookies();
  const kept = cookies.map(({ name, domain, path, httpOnly, secure, sameSite }) =>
    [name, domain, path, httpOnly, secure, sameSite].join(" "),
  );
  const host = new URL(publicUrl).hostname;
  assert.deepEqual(kept.sort(), [
    `__Host-portcullis_access ${host} / true true Lax`,
    `__Host-portcullis_device ${host} / true true Strict`,
    `__Host-portcullis_refresh ${host} / true true Strict`,
  ]);
}

// One round of tabs: two refreshes and maybe a logout at once, then up to three refreshes that overtake the held
// responses. Afterwards both tabs are signed in, or both are not if the user logged out.
async function tabsRound(owner, proxy, counts) {
  const [first, second] = owner.tabs;
  const plan = () => ({ cut: oneOf([undefined, "before", "after", "late"]), wait: below(12) });
  const out = random() < 0.4;
  const calls = [
    { tab: first, path: "/auth/refresh" },
    { tab: second, path: "/auth/refresh" },
    ...(out ? [{ tab: oneOf(owner.tabs), path: "/auth/logout" }] : []),
  ].map((call) => ({ ...call, plan: plan() }));
  const sent = shuffled(calls).map(async ({ tab, path, plan }) => {
    const status = await owner.call(tab, "POST", path, plan);
    return { path, status };
  });
  const isHeld = (call) => call.plan.cut === "late";
  const held = calls.filter(isHeld).length;
  await proxy.whenHeld(held);
  if (held < calls.length) await Promise.race(sent);
  for (let overtaking = below(4); overtaking > 0; overtaking -= 1) {
    const status = await owner.refresh(oneOf(owner.tabs));
    if (!out) assert.equal(status, 200, "an overtaking refresh");
  }
  proxy.release(shuffled);
  const responses = await Promise.all(sent);
  for (const { path, status } of responses) {
    const expected = out && path === "/auth/refresh" ? [0, 200, 401] : [0, 200];
    assert.ok(expected.includes(status), `${path}: ${status}`);
  }
  if (!out) {
    if (random() < 0.5) await owner.dropAccess();
    const signedIn = await Promise.all(owner.tabs.map((tab) => owner.isSignedIn(tab)));
    assert.deepEqual(signedIn, [true, true], "signed out without a logout");
    return;
  }
  counts.logouts += 1;
  // The user presses the button again if no response came.
  const done = responses.some(({ path, status }) => path === "/auth/logout" && status === 200);
  if (!done) assert.equal(await owner.call(first, "POST", "/auth/logout"), 200, "second logout");
  const signedIn = await Promise.all(owner.tabs.map((tab) => owner.isSignedIn(tab)));
  assert.deepEqual(signedIn, [false, false], "signed in after the logout");
  await owner.logIn(oneOf(owner.tabs));
}

// Presents a refresh token from outside the browser. Returns the status and the next token.
async function present(token, asCookie) {
  const body = JSON.stringify({ refresh_token: token });
  const headers = asCookie
    ? { cookie: `${names.refresh}=${token}`, "portcullis-tokens": "cookie", origin: new URL(publicUrl).origin }
    : { "content-type": "application/json" };
  const options = { method: "POST", headers, ...(!asCookie && { body }) };
  const response = await fetch(`${service}/auth/refresh`, options);
  const cookies = response.headers.getSetCookie().join("\n");
  const next = asCookie ? new RegExp(`^${names.refresh}=([^;]+)`, "m").exec(cookies)?.[1] : undefined;
  const text = await response.json();
  return { status: response.status, token: next ?? text.refresh_token ?? token };
}

// One round with a thief, who copies the newest refresh cookie at a random time, and presents it and its
// successors at random times while the owner works. Returns which of them still gets tokens after the grace.
async function thiefRound(owner, proxy) {
  const [tab] = owner.tabs;
  if (!(await owner.isSignedIn(tab))) await owner.logIn(tab);
  const asCookie = random() < 0.5;
  const waits = () => Array.from({ length: 1 + below(3) }, () => below(600));
  const times = { owner: waits(), copy: below(300), thief: waits() };
  const order = shuffled(["owner", "thief"]);
  const work = async () => {
    for (const wait of times.owner) {
      await pause(wait);
      await owner.refresh(tab);
    }
  };
  let token;
  const exchange = async () => {
    const response = await present(token, asCookie);
    token = response.token;
    return response.status;
  };
  const steal = async () => {
    await pause(times.copy);
    token = proxy.issued.get(owner.name).at(-1);
    let exchanged = false;
    for (const wait of times.thief) {
      await pause(wait);
      exchanged = (await exchange()) === 200 || exchanged;
    }
    return exchanged;
  };
  const [exchanged] = await Promise.all([steal(), work()]);
  const status = {};
  for (let turn = 0; turn < 2; turn += 1) {
    await pause(afterGrace);
    for (const who of order) status[who] = who === "owner" ? await owner.refresh(tab) : await exchange();
  }
  return { exchanged, both: status.owner === 200 && status.thief === 200, thief: status.thief === 200 };
}

async function thieves(browser, proxy, count) {
  const crowd = Math.min(20, count);
  const owners = await Promise.all([...Array(crowd).keys()].map((id) => Owner.enter(browser, `robbed-${id}`, 1)));
  const results = [];
  while (results.length < count) {
    results.push(...(await Promise.all(owners.map((owner) => thiefRound(owner, proxy)))));
  }
  await Promise.all(owners.map((owner) => owner.context.close()));
  const number = (name) => results.filter((result) => result[name]).length;
  assert.equal(number("both"), 0, "rounds in which thief and owner go on");
  assert.equal(number("thief"), 0, "rounds in which the thief goes on");
  return { rounds: results.length, exchanged: number("exchanged") };
}

console.log(`seed ${seed}`);
const proxy = new CuttingProxy(service, publicUrl, { key: readFileSync(key), cert: readFileSync(cert) });
await proxy.listen();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's sandbox refuses to run as root.
  args: [
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
    "--ignore-certificate-errors",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
  ],
});
const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
try {
  const owner = await Owner.enter(browser, "tabs", 2);
  await storage(owner);
  const counts = { logouts: 0 };
  for (let round = 0; round < rounds; round += 1) {
    await tabsRound(owner, proxy, counts).catch((error) => {
      error.message = `round ${round} of seed ${seed}: ${error.message}`;
      throw error;
    });
  }
  const { before, after, late } = proxy.cut;
  console.log(
    `${rounds} rounds of two tabs, ${counts.logouts} with a logout: ${before} requests and ${after} responses cut, ` +
      `${late} responses late, ${proxy.retried} pairs retried, 0 users signed out; ${seconds()} s`,
  );
  const robbed = await thieves(browser, proxy, Math.ceil(rounds / 5));
  console.log(
    `${robbed.rounds} rounds with a thief, who was first in ${robbed.exchanged}: ` +
      `0 in which both go on, 0 in which the thief does; ${seconds()} s`,
  );
  const forged = await forgedRequests({ owner, proxy, publicUrl, service });
  console.log(`${forged} forged requests from two origins, without effect; ${seconds()} s, seed ${seed}`);
} finally {
  await browser.close();
  proxy.close();
}
