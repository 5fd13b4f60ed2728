// Passkeys on the account pages, with Chromium and a virtual authenticator: used in every way, refused where they must
// be, and removed. axe looks at every state that the walk of `account_pages.mjs` does not come to.
//   node passkeys.mjs <URL of the service> <folder for pictures>
// The host of the URL is localhost: browsers make no passkeys for IP addresses. NODE_MODULES names the folder in which
// playwright-core and axe-core are installed, CHROMIUM the browser.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Person, launch, passkeyButton, platform } from "./person.mjs";

const [service, pictures] = process.argv.slice(2);
const password = "correct horse battery";
let people = 0;

function holder(browser, name, authenticator, autofill) {
  const options = { viewport: { width: 390, height: 844 }, authenticator: { ...platform, ...authenticator }, autofill };
  return Person.at(browser, { service, pictures, name }, options);
}

async function signUp(person) {
  people += 1;
  person.email = `${person.name}-${people}-${Date.now()}@example.com`;
  await person.open("/account/register");
  await person.send({ email: person.email, password, repetition: password }, "/account");
}

async function signIn(person) {
  await person.open("/account/login");
  await person.press(passkeyButton, "/account");
  await person.displays(person.email);
}

async function add(person, kind = "") {
  await person.open(`/account/passkey${kind}`);
  await person.fill({ name: "My laptop" });
}

async function credential(person) {
  const { credentials } = await person.command("getCredentials", {});
  assert.equal(credentials.length, 1);
  return credentials[0];
}

async function passkey(browser) {
  const person = await holder(browser, "passkey", { defaultBackupEligibility: false });
  await signUp(person);
  await add(person);
  await person.press(passkeyButton, "/account/security?done=passkey_added");
  await add(person);
  await person.page.click(passkeyButton);
  await person.displays("already has a passkey");
  await person.look("exists");
  await synced(person);
  await refused(person);
  await removed(person);
  await person.context.close();
  return person.titles.size;
}

// A passkey of a device becomes a synced one: the backup flags are no reason to refuse it.
async function synced(person) {
  const { credentialId } = await credential(person);
  for (const [backupEligibility, backupState] of [[true, false], [true, true], [false, false]]) {
    await person.command("setCredentialProperties", { credentialId, backupEligibility, backupState });
    await person.signOut();
    await signIn(person);
  }
}

// Nothing but a right response signs in.
async function refused(person) {
  await person.signOut();
  for (const bits of [{ isBogusSignature: true }, { isBadUV: true }, { isBadUP: true }]) {
    await person.command("setResponseOverrideBits", bits);
    await person.open("/account/login");
    await person.page.click(passkeyButton);
    await person.page.locator(".problem:visible").waitFor();
    person.at("/account/login");
    await person.command("setResponseOverrideBits", { isBogusSignature: false, isBadUV: false, isBadUP: false });
  }
  await person.look("refused");
  await person.command("setUserVerified", { isUserVerified: false });
  await person.open("/account/login");
  await person.page.click(passkeyButton);
  await person.displays("canceled or took too long");
  await person.look("unverified");
  await person.command("setUserVerified", { isUserVerified: true });
  await signIn(person);
}

async function removed(person) {
  const entry = "section:has(#passkeys) li";
  await person.open("/account/security");
  await person.page.locator(`${entry} summary`).first().click();
  await person.fill({ name: "My tablet" });
  await person.press(`${entry} form:has([value=rename_passkey]) button`, "/account/security?done=passkey_renamed");
  await person.displays("My tablet");
  const lost = await credential(person);
  await person.page.locator(`${entry} summary`).last().click();
  await person.press(`${entry} .danger`, "/account/security?done=passkey_removed");
  await person.signOut();
  // The browser was told to forget it. A copy that is left signs in no more.
  const { credentials } = await person.command("getCredentials", {});
  if (credentials.length === 0) await person.command("addCredential", { credential: lost });
  await person.open("/account/login");
  await person.page.click(passkeyButton);
  await person.displays("This passkey can't be used here.");
  await person.look("unknown");
}

// Autofill: the browser signs in without a press of the button.
async function conditional(browser) {
  const person = await holder(browser, "autofill", {}, true);
  await offersNothing(person);
  await signUp(person);
  await add(person);
  await person.press(passkeyButton, "/account/security?done=passkey_added");
  await person.signOut();
  await person.page.goto(`${service}/account/login`);
  await person.page.waitForURL(`${service}/account`);
  await person.displays(person.email);
  await person.context.close();
}

// A browser without a passkey refuses the request behind the autofill at once, which is no error of the person.
async function offersNothing(person) {
  await person.page.addInitScript(() => {
    const get = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = (options) => {
      const response = get(options);
      response.catch(() => (window.isRefused = true));
      return response;
    };
  });
  await person.page.goto(`${service}/account/login`);
  await person.page.waitForFunction(() => window.isRefused);
  assert.equal(await person.page.locator(".problem:visible").count(), 0);
}

// A key that verifies no one, after the password.
async function secondFactor(browser) {
  const key = { transport: "usb", hasResidentKey: false, hasUserVerification: false, isUserVerified: false };
  const person = await holder(browser, "key", key);
  await signUp(person);
  await add(person, "?second_factor=true");
  await person.look("add");
  await person.press(passkeyButton, "/account/passkey?second_factor=true");
  await person.displays("Save your recovery codes");
  await person.open("/account/security", "security");
  await person.signOut();
  await person.open("/account/login");
  await person.send({ email: person.email, password }, "/account/second-factor", "second-factor");
  await person.press(passkeyButton, "/account");
  await person.displays(person.email);
  await person.context.close();
  return person.titles.size;
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
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options: platform });
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

const browser = await launch();
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
