// Sign-in with real OpenID providers in a real browser: a person goes from an application over the service to a
// provider's login page and back, and the application exchanges the code.
//   node providers.mjs <URL of the service> <port of the app> <port of oidc-provider> <port of oidc-provider-mock>
//     <port of the stubs> <port of Canaille> <port of LemonLDAP::NG> <folder of the Python programs>
//     <key of the client at Apple>
// NODE_MODULES names the folder in which playwright-core and oidc-provider are installed, CHROMIUM the browser. The
// service knows the providers `query` and `posted` (oidc-provider), `mock` and `untrusted` (oidc-provider-mock),
// `github`, `apple` and `microsoft` (stubs), `canaille`, `lemonldap`, and `unreachable`.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ClientApp } from "./client_app.mjs";
import * as servers from "./openid_servers.mjs";
import { signInAtVendor, startVendors } from "./vendor_stubs.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
const [service, ...ports] = process.argv.slice(2, 9);
const [appPort, oidcPort, mockPort, vendorPort, canaillePort, lemonldapPort] = ports.map(Number);
const [programs, appleKey] = process.argv.slice(9);
const { signInAtMock, signInAtOidcProvider } = servers;
const password = "correct horse battery";
const verified = (email) => ({ email, email_verified: true });
const callback = (name) => `${service}/auth/providers/${name}/callback`;
const client = (name, algorithm) => ({ id: name, secret: `secret of ${name}`, callback: callback(name), algorithm });
const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

const vendors = ["github", "apple", "microsoft"];
const ways = { mock: signInAtMock, untrusted: signInAtMock, canaille: servers.signInAtCanaille };
ways.lemonldap = servers.signInAtLemonldap;
for (const vendor of vendors) ways[vendor] = signInAtVendor;
let flows = 0;

// Opens the app and goes to the provider. The service asks first, because a loopback address proves no app.
async function begin(page, provider) {
  await page.goto(`${app.url}/start?provider=${provider}`);
  if (!page.url().startsWith(service)) return;
  assert.match(await page.innerText("h1"), new RegExp(new URL(app.url).host));
  await page.click("main a.button");
  await page.waitForURL((url) => !url.href.startsWith(service));
}

// Opens the app, signs in at the provider if `login` is given, and returns what the app got.
async function signIn(page, provider, login) {
  await begin(page, provider);
  if (login) await (ways[provider] ?? signInAtOidcProvider)(page, login);
  return outcome(page);
}

async function outcome(page) {
  const returned = (url) => url.href.startsWith(app.redirectUri);
  await page.waitForURL(returned, { timeout: 15_000 }).catch(async () => {
    assert.fail(`the browser stays at ${page.url()}: ${await page.innerText("body")}`);
  });
  flows += 1;
  return JSON.parse(await page.innerText("body"));
}

// A new account without a password, verified because the provider is trusted.
async function signUp(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const { me, exchanged } = await signIn(page, "query", "ada");
  assert.deepEqual([me.email, me.email_verified], ["ada@example.com", true]);
  assert.deepEqual(claimsOf(exchanged.body.access_token).amr, ["fed"]);
  return { context, page, me };
}

// The same person in the same and in another browser, by form_post, and by another provider with the same email.
async function signInAgain(browser, { page, me }) {
  const posts = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));
  assert.equal((await signIn(page, "posted", "ada")).me.id, me.id, "form_post");
  assert.ok(posts.includes(callback("posted")), "the provider posts its response");
  const other = await browser.newContext();
  const otherPage = await other.newPage();
  assert.equal((await signIn(otherPage, "posted", "ada")).me.id, me.id, "form_post in another browser");
  const { me: linked, exchanged } = await signIn(otherPage, "mock", "ada-at-mock");
  assert.equal(linked.id, me.id, "linked by email");
  const { body } = await app.get("/auth/identities", exchanged.body.access_token);
  assert.deepEqual(body.identities.map((one) => one.provider).sort(), ["mock", "query"]);
  assert.equal(body.password, false);
  await other.close();
}

// A provider that does not run, one whose word for an email is not taken, and a person who cancels.
async function refusals(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  assert.equal((await signIn(page, "unreachable")).error, "provider_unavailable");
  assert.equal((await signIn(page, "untrusted", "eve")).error, "account_exists");
  await begin(page, "query");
  await page.click("text=Cancel");
  assert.equal((await outcome(page)).error, "access_denied");
  await context.close();
}

// Codes, states and callbacks work once, and only for the browser and the app that began.
async function replays(browser, { page }) {
  let returned;
  const isCallback = (request) => request.url().startsWith(callback("query")) && request.url().includes("code=");
  page.on("request", (request) => isCallback(request) && (returned = request.url()));
  const { code, verifier, exchanged } = await signIn(page, "query", "ada");
  const access = exchanged.body.access_token;
  const again = await app.exchange(code, verifier);
  assert.deepEqual([again.status, again.body.error.code], [401, "AUTH_TOKEN_REVOKED"]);
  assert.equal((await app.get("/auth/me", access)).status, 401, "a code that is used twice ends its session");

  await page.goto(returned);
  assert.equal((await outcome(page)).error, "flow_expired");
  const thief = await browser.newContext();
  const refused = await thief.request.get(returned, { maxRedirects: 0 });
  assert.equal(refused.status(), 410, "a callback in another browser");
  await thief.close();
}

// The app's own code_verifier counts, and a wrong one spends the code.
async function interceptedCode({ page }) {
  app.keepsCodes = true;
  const { code, verifier } = await signIn(page, "query", "ada");
  app.keepsCodes = false;
  const stolen = await app.exchange(code, "a".repeat(43));
  assert.deepEqual([stolen.status, stolen.body.error.code], [401, "AUTH_TOKEN_INVALID"]);
  const late = await app.exchange(code, verifier);
  assert.deepEqual([late.status, late.body.error.code], [401, "AUTH_TOKEN_REVOKED"]);
}

// An account that someone else registered with the person's email loses its password and sessions. The person signs
// in at the page with a button for each provider.
async function reclaimed(browser) {
  const account = { email: "grace@example.com", password };
  const registered = await app.post("/auth/register", account);
  assert.equal(registered.status, 201);
  const attacker = (await app.post("/auth/login", account)).body.access_token;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${app.url}/start`);
  await page.click('button[name="provider"][value="mock"]');
  await signInAtMock(page, "grace");
  const { me } = await outcome(page);
  assert.deepEqual([me.id, me.email_verified], [registered.body.id, true]);
  assert.equal((await app.get("/auth/me", attacker)).status, 401, "the attacker's session");
  assert.equal((await app.post("/auth/login", account)).status, 401, "the attacker's password");
  await context.close();
}

// An ID token of a native app works once, with its nonce, for the client that it was issued to.
async function nativeApp() {
  const send = (id_token, nonce) => app.post("/auth/providers/mock/id-token", { id_token, nonce });
  const token = (client, nonce) => servers.idTokenOfMock(mockPort, client, "hedy", nonce);
  assert.equal((await send(await token("mock", "one"), "other")).status, 401, "another nonce");
  assert.equal((await send(await token("stranger", "two"), "two")).status, 401, "another client");
  const hashed = createHash("sha256").update("three").digest("hex");
  const used = await token("mock", hashed);
  assert.equal((await send(used, "three")).status, 200);
  assert.equal((await send(used, "three")).body.error.code, "AUTH_TOKEN_INVALID", "a used token");
  assert.equal((await send(await token("mock", "four"), "four")).status, 200);
}

// An account with a password gets an identity, in the browser of its session only, and not one of another account.
async function linking(browser) {
  const account = { email: "linus@example.com", password };
  assert.equal((await app.post("/auth/register", account)).status, 201);
  const context = await browser.newContext();
  const page = await context.newPage();
  // The context's own request, so that the browser gets the cookie of its device.
  const loggedIn = await context.request.post(`${service}/auth/login`, { data: account });
  const access = (await loggedIn.json()).access_token;
  const link = async (provider) => {
    const body = { redirect_uri: app.redirectUri, state: app.newState() };
    const offered = await app.post(`/auth/providers/${provider}/link`, body, access);
    assert.equal(offered.status, 200);
    return offered.body.start_url;
  };
  const url = await link("query");
  const other = await browser.newContext();
  assert.equal(await confirm(await other.newPage(), url), 403, "a link in another browser");
  await other.close();
  assert.equal(await confirm(page, url), 200);
  await page.waitForURL(/\/interaction\//);
  await signInAtOidcProvider(page, "linus-at-work");
  const linked = await outcome(page);
  assert.deepEqual([linked.code, linked.error], [undefined, undefined]);
  const { body } = await app.get("/auth/identities", access);
  assert.deepEqual(body.identities.map((one) => one.email), ["linus@work.example.com"]);

  assert.equal(await confirm(page, await link("mock")), 200);
  await page.waitForURL(/\/oauth2\/authorize/);
  await signInAtMock(page, "ada-at-mock");
  assert.equal((await outcome(page)).error, "identity_taken");
  await context.close();
}

// Signs people in at GitHub, Apple (form_post) and Microsoft, twice: an account with a verified email each.
async function atVendors(browser) {
  for (const vendor of vendors) {
    const ids = new Set();
    for (let visit = 0; visit < 2; visit += 1) {
      const context = await browser.newContext();
      const { me } = await signIn(await context.newPage(), vendor, `of-${vendor}`);
      assert.deepEqual([me.email, me.email_verified], [vendorPeople[`of-${vendor}`], true], vendor);
      ids.add(me.id);
      await context.close();
    }
    assert.equal(ids.size, 1, `${vendor}: the same person is the same account`);
  }
}

// Signs a person in at Canaille, whose word for an email is trusted but which says nothing of its verification.
async function atCanaille(browser) {
  const context = await browser.newContext();
  const { me, error } = await signIn(await context.newPage(), "canaille", alan);
  assert.deepEqual([me?.email, error], [alan.email, undefined]);
  await context.close();
}

// Signs a person in at LemonLDAP::NG, twice: once with its form, once by the session that it keeps.
async function atLemonldap(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const { me, error } = await signIn(page, "lemonldap", "dwho");
  assert.deepEqual([me?.email, me?.email_verified, error], ["dwho@badwolf.org", true, undefined]);
  assert.equal((await signIn(page, "lemonldap")).me.id, me.id);
  await context.close();
}

// Four tabs of one browser, which has no cookie yet, sign in at once, each with its own provider.
async function tabs(browser) {
  const context = await browser.newContext();
  const logins = { query: "tab-1", mock: "tab-2", github: "tab-3", apple: "tab-4" };
  const opened = Object.entries(logins).map(async ([provider, login]) => ({
    page: await context.newPage(),
    provider,
    login,
  }));
  const all = await Promise.all(opened);
  await Promise.all(all.map(({ page, provider }) => begin(page, provider)));
  const ends = await Promise.all(
    all.map(async ({ page, provider, login }) => {
      await (ways[provider] ?? signInAtOidcProvider)(page, login);
      return (await outcome(page)).me?.email;
    }),
  );
  assert.deepEqual(ends, Object.values(logins).map((login) => `${login}@example.com`));
  await context.close();
}

// Presses the button of the page that asks whether to link. Returns the status of the response.
async function confirm(page, url) {
  await page.goto(url);
  assert.match(await page.innerText("main"), /linus@example\.com/);
  const posted = page.waitForResponse((response) => response.request().method() === "POST");
  await page.click("main button");
  return (await posted).status();
}

const app = new ClientApp(appPort, service);
const emails = {
  ada: verified("ada@example.com"),
  "linus-at-work": verified("linus@work.example.com"),
  "tab-1": verified("tab-1@example.com"),
};
const people = {
  "ada-at-mock": verified("Ada@Example.com"),
  eve: verified("ada@example.com"),
  grace: verified("grace@example.com"),
  hedy: verified("hedy@example.com"),
  "tab-2": verified("tab-2@example.com"),
};
const alan = { login: "alan", email: "alan@example.com", password };
const vendorPeople = {
  "of-github": "octo@example.com",
  "of-apple": "tim@example.com",
  "of-microsoft": "satya@example.com",
  "tab-3": "tab-3@example.com",
  "tab-4": "tab-4@example.com",
};
await app.listen();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's sandbox refuses to run as root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
const started = performance.now();
const running = [];
try {
  const clients = [client("query", "ES256"), client("posted", "EdDSA")];
  running.push(await servers.startOidcProvider(`http://localhost:${oidcPort}`, emails, clients));
  running.push(await servers.startMock(join(programs, "oidc-provider-mock"), mockPort, people));
  running.push(await startVendors(vendorPort, vendorPeople, readFileSync(appleKey)));
  const program = join(programs, "canaille");
  const canaille = { ...client("canaille"), secret: "secret-of-canaille" };
  running.push(await servers.startCanaille(program, dirname(appleKey), canaillePort, canaille, alan));
  const lemonldap = { ...client("lemonldap"), secret: "secret-of-lemonldap" };
  running.push(await servers.startLemonldap(join(dirname(appleKey), "lemonldap"), lemonldapPort, lemonldap));
  const ada = await signUp(browser);
  await signInAgain(browser, ada);
  await refusals(browser);
  await replays(browser, ada);
  await interceptedCode(ada);
  await reclaimed(browser);
  await nativeApp();
  await linking(browser);
  await atVendors(browser);
  await atCanaille(browser);
  await atLemonldap(browser);
  await tabs(browser);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${flows} flows with four providers and the stubs of three; ${seconds} s`);
} finally {
  await browser.close();
  app.server.close();
  for (const provider of running) (provider.kill ?? provider.close).call(provider);
}
