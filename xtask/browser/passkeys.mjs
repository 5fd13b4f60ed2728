// Passkeys on the account pages, with Chromium and a virtual authenticator: added, used in every way, refused where
// they must be, and removed. axe looks at every state.
//   node passkeys.mjs <URL of the service> <folder for pictures>
// The host of the URL is localhost: browsers make no passkeys for IP addresses. NODE_MODULES names the folder in which
// playwright-core and axe-core are installed, CHROMIUM the browser.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inspect, watch } from "./inspect.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
const [service, pictures] = process.argv.slice(2);
const password = "correct horse battery";
const button = "form[data-passkey] button";
const device = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

// A person with a browser and an authenticator.
class Person {
  // The virtual authenticator would sign in by the autofill at once, so only one person has it.
  static async at(browser, options, autofill = false) {
    const person = new Person();
    person.states = 0;
    person.context = await browser.newContext({ viewport: { width: 390, height: 844 } });
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(10_000);
    person.faults = await watch(person.page, service);
    if (!autofill) await person.page.addInitScript(() => (PublicKeyCredential.isConditionalMediationAvailable = async () => false));
    person.devtools = await person.context.newCDPSession(person.page);
    await person.send("enable", {});
    const { authenticatorId } = await person.send("addVirtualAuthenticator", { options: { ...device, ...options } });
    person.authenticatorId = authenticatorId;
    return person;
  }

  send(method, values) {
    return this.devtools.send(`WebAuthn.${method}`, values);
  }

  tell(method, values) {
    return this.send(method, { authenticatorId: this.authenticatorId, ...values });
  }

  async open(path) {
    const answer = await this.page.goto(service + path);
    assert.equal(answer.status(), 200, path);
  }

  async fill(values) {
    for (const [name, value] of Object.entries(values)) await this.page.locator(`main [name=${name}]:not([type=hidden])`).first().fill(value);
  }

  // Presses a button, and waits for the page that it leads to.
  async press(selector, path) {
    await Promise.all([this.page.waitForNavigation(), this.page.locator(selector).first().click()]);
    this.at(path);
  }

  at(path) {
    const { pathname, search } = new URL(this.page.url());
    assert.equal(pathname + search, path);
  }

  async displays(text) {
    await this.page.locator("main", { hasText: text }).waitFor();
  }

  async look(state) {
    await inspect(this.page, state);
    const unknown = this.faults.filter((fault) => !/status of 4(03|09|22)/.test(fault));
    assert.deepEqual(unknown, [], state);
    await this.page.screenshot({ path: join(pictures, `${state}.png`), fullPage: true });
    this.states += 1;
  }

  async signUp() {
    await this.open("/account/register");
    this.email = `passkey-${Date.now()}-${Math.random().toString(36).slice(2)}@example.com`;
    await this.fill({ email: this.email, password, repetition: password });
    await this.press("main form button", "/account");
  }

  signOut() {
    return this.press("header button", "/account/logout");
  }

  async signIn() {
    await this.open("/account/login");
    await this.press(button, "/account");
    await this.displays(this.email);
  }

  async add(kind = "") {
    await this.open(`/account/passkey${kind}`);
    await this.fill({ name: "My laptop" });
  }

  async credential() {
    const { credentials } = await this.tell("getCredentials", {});
    assert.equal(credentials.length, 1);
    return credentials[0];
  }
}

async function passkey(browser) {
  const person = await Person.at(browser, { defaultBackupEligibility: false });
  await person.signUp();
  await person.open("/account/security");
  await person.look("security");
  await person.add();
  await person.look("add");
  await person.press(button, "/account/security?done=passkey_added");
  await person.look("added");
  await person.add();
  await person.page.click(button);
  await person.displays("already has a passkey");
  await person.look("exists");
  await person.signOut();
  await person.open("/account/login");
  await person.look("login");
  await person.signIn();
  await person.look("overview");
  await synced(person);
  await refused(person);
  await removed(person);
  await person.context.close();
  return person.states;
}

// A passkey of a device becomes a synced one: the backup flags are no reason to refuse it.
async function synced(person) {
  const { credentialId } = await person.credential();
  for (const [backupEligibility, backupState] of [[true, false], [true, true], [false, false]]) {
    await person.tell("setCredentialProperties", { credentialId, backupEligibility, backupState });
    await person.signOut();
    await person.signIn();
  }
}

// Nothing but a right response signs in.
async function refused(person) {
  await person.signOut();
  for (const bits of [{ isBogusSignature: true }, { isBadUV: true }, { isBadUP: true }]) {
    await person.tell("setResponseOverrideBits", bits);
    await person.open("/account/login");
    await person.page.click(button);
    await person.page.locator(".problem:visible").waitFor();
    person.at("/account/login");
    await person.tell("setResponseOverrideBits", { isBogusSignature: false, isBadUV: false, isBadUP: false });
  }
  await person.look("refused");
  await person.tell("setUserVerified", { isUserVerified: false });
  await person.open("/account/login");
  await person.page.click(button);
  await person.displays("canceled or took too long");
  await person.look("unverified");
  await person.tell("setUserVerified", { isUserVerified: true });
  await person.signIn();
}

async function removed(person) {
  await person.open("/account/security");
  const entry = person.page.locator("section:has(#passkeys) li");
  await entry.locator("summary", { hasText: "Rename" }).click();
  await person.look("rename");
  await entry.locator("[name=name]").fill("My tablet");
  await person.press("section:has(#passkeys) [name=action][value=rename_passkey] ~ button", "/account/security?done=passkey_renamed");
  await person.displays("My tablet");
  const credential = await person.credential();
  await person.page.locator("section:has(#passkeys) summary", { hasText: "Remove" }).click();
  await person.look("remove");
  await person.press("section:has(#passkeys) .danger", "/account/security?done=passkey_removed");
  await person.signOut();
  // The browser was told to forget it. A copy that is left signs in no more.
  const { credentials } = await person.tell("getCredentials", {});
  if (credentials.length === 0) await person.tell("addCredential", { credential });
  await person.open("/account/login");
  await person.page.click(button);
  await person.displays("This passkey can't be used here.");
  await person.look("unknown");
}

// Autofill: the browser signs in without a press of the button.
async function conditional(browser) {
  const person = await Person.at(browser, {}, true);
  await person.signUp();
  await person.add();
  await person.press(button, "/account/security?done=passkey_added");
  await person.signOut();
  await person.page.goto(`${service}/account/login`);
  await person.page.waitForURL(`${service}/account`);
  await person.displays(person.email);
  await person.context.close();
}

// A key that verifies no one, after the password.
async function secondFactor(browser) {
  const person = await Person.at(browser, { transport: "usb", hasResidentKey: false, hasUserVerification: false, isUserVerified: false });
  await person.signUp();
  await person.add("?second_factor=true");
  await person.look("add-security-key");
  await person.press(button, "/account/passkey?second_factor=true");
  await person.displays("Save your recovery codes");
  await person.open("/account/security");
  await person.look("security-key");
  await person.signOut();
  await person.open("/account/login");
  await person.fill({ email: person.email, password });
  await person.press("main form button", "/account/second-factor");
  await person.look("second-factor");
  await person.press(button, "/account");
  await person.displays(person.email);
  await person.open("/account/security");
  await person.context.close();
  return person.states;
}

// Another origin can neither embed the pages nor use the passkeys.
async function foreign(browser) {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<iframe src="${service}/account/login"></iframe>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${server.address().port}`;
  const context = await browser.newContext();
  const page = await context.newPage();
  const blocked = page.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
  await page.goto(origin);
  await blocked;
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable", {});
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: device });
  const answer = await fetch(`${service}/auth/passkeys/login/options`, { method: "POST" });
  const { publicKey } = await answer.json();
  // The other port is another origin of the same RP ID: the browser signs, and the service refuses.
  const credential = await page.evaluate(async (options) => {
    const user = { id: "AAAA", name: "eve", displayName: "eve" };
    const creation = { rp: { id: options.rpId, name: "x" }, user, challenge: options.challenge, pubKeyCredParams: [{ type: "public-key", alg: -7 }], authenticatorSelection: { residentKey: "required" } };
    await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(creation) });
    const signed = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
    return signed.toJSON();
  }, publicKey);
  const headers = { "content-type": "application/json", origin };
  const reply = await fetch(`${service}/auth/passkeys/login`, { method: "POST", headers, body: JSON.stringify({ credential }) });
  assert.equal(reply.status, 401, "an assertion of another origin");
  await context.close();
  server.close();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's sandbox refuses to run as root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
try {
  let states = await passkey(browser);
  states += await secondFactor(browser);
  await conditional(browser);
  await foreign(browser);
  console.log(`${states} states of the pages with passkeys`);
  console.log(`pictures in ${pictures}`);
} finally {
  await browser.close();
}
