// A person's way through an account, from sign-up to deletion: verification by mail, authenticator app, recovery code,
// passkey, recent authentication, devices, email address, password, an account at a provider. A person without scripts
// goes it without the passkey, and makes no mistakes.

import assert from "node:assert/strict";
import { linkOf } from "./mailbox.mjs";
import { signInAtOidcProvider } from "./openid_servers.mjs";
import { passkeyButton } from "./person.mjs";
import { Authenticator } from "./totp.mjs";

const first = "correct horse battery";
const second = "wrong donkey charger";
const wrongCode = "0000-0000-0000-0000";
const iPhone = "Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1";

export async function walk(person) {
  await signUp(person);
  const codes = await secondStep(person);
  await recoveryCode(person, codes);
  if (person.authenticatorId) await passkey(person, codes);
  await devices(person, codes);
  await addressAndPassword(person);
  await connect(person);
  await leave(person, codes);
  await person.context.close();
}

async function signUp(person) {
  person.mailbox = { folder: person.mails, read: new Set() };
  person.email = `${person.name}-${Date.now()}@example.com`;
  await person.open("/", "home");
  await person.press("main a[href=account]", "/account/login?continue=%2Faccount", { state: "login" });
  await person.open("/account/reset", "reset");
  await person.open("/account/login");
  await person.press("main a[href=register]", "/account/register", { state: "register" });
  if (person.scripts) await person.mistake({ email: "nobody", password: first, repetition: first }, "register-error");
  await person.send({ email: person.email, password: first, repetition: first }, "/account", "overview");
  const unverified = person.page.locator("main form[action$=verify]");
  assert.equal(await unverified.count(), 1, "not verified");
  await person.open(await linkOf(person.mailbox, person.email), "verify");
  // The browser is signed in, which proves that the password is the person's own.
  await person.press("main form button", "/account/verify", { state: "verified" });
  await person.displays(person.email);
  await person.open("/account");
  assert.equal(await unverified.count(), 0, "verified");
}

// Adds an authenticator app. Returns the recovery codes.
async function secondStep(person) {
  const { page } = person;
  await person.press("main a[href$=security]", "/account/security", { state: "security" });
  await person.press("main a[href=authenticator]", "/account/authenticator", { state: "authenticator" });
  await person.send({ name: "Phone" }, "/account/authenticator", "authenticator-setup");
  await page.locator(".qr svg").waitFor();
  const app = new Authenticator(await page.locator(".secret").innerText());
  if (person.scripts) await person.mistake({ code: "000000" }, "authenticator-error");
  await person.send({ code: app.code() }, "/account/authenticator", "new-recovery-codes");
  const codes = await recoveryCodes(person);
  await person.press("main .actions a[href=security]", "/account/security", { state: "security-app" });
  await person.unfold("section:has(#apps)", "security-app-open");
  await person.fill({ name: "My phone" });
  await person.press("section:has(#apps) form:has([value=rename]) button", "/account/security?done=app_renamed");
  return codes;
}

// Returns the codes that the page displays and offers as a file.
async function recoveryCodes({ page }) {
  const codes = (await page.locator(".codes li").allInnerTexts()).map((code) => code.trim());
  assert.equal(codes.length, 10);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[download]")]);
  assert.match(download.suggestedFilename(), /\.txt$/);
  let text = "";
  for await (const chunk of await download.createReadStream()) text += chunk;
  assert.deepEqual(text.trim().split("\n"), codes);
  return codes;
}

// Signs in with a recovery code, on a device that is then remembered.
async function recoveryCode(person, codes) {
  await person.open("/account/logout", "logout");
  await person.press("main form button", "/account/logout", { state: "logged-out" });
  await person.press("main a[href=login]", "/account/login");
  if (person.scripts) await person.mistake({ email: person.email, password: second }, "login-error");
  await person.send({ email: person.email, password: first }, "/account/second-factor", "second-factor");
  if (person.scripts) await person.mistake({ code: wrongCode }, "second-factor-error");
  await person.page.locator("[name=remember_device]").check();
  await person.send({ code: codes.pop() }, "/account");
  await person.open("/account/security", "security-devices");
}

// Adds a passkey, signs in with it, and confirms with it what needs recent authentication: new recovery codes.
async function passkey(person, codes) {
  await person.press("main a[href=passkey]", "/account/passkey", { state: "passkey" });
  await person.fill({ name: "My laptop" });
  await person.press(passkeyButton, "/account/security?done=passkey_added", { state: "passkey-added" });
  await person.unfold("section:has(#passkeys)", "passkey-open");
  await person.signOut();
  await person.open("/account/login");
  await person.press(passkeyButton, "/account", { state: "overview-passkey" });
  await person.displays(person.email);
  await person.signOut();
  await person.open("/account/login");
  // The device is remembered, which does not count as recent authentication.
  await person.send({ email: person.email, password: first }, "/account");
  await person.open("/account/recovery-codes", "reauthenticate");
  person.at("/account/reauthenticate?continue=%2Faccount%2Frecovery-codes");
  await person.mistake({ password: first, code: wrongCode }, "reauthenticate-error");
  await person.press(passkeyButton, "/account/recovery-codes", { state: "recovery-codes" });
  await person.press("main form button", "/account/recovery-codes", { state: "renewed-recovery-codes" });
  codes.splice(0, codes.length, ...(await recoveryCodes(person)));
}

// Ends a session of another device.
async function devices(person, codes) {
  const { service, email } = person;
  const logIn = async (code) => {
    const body = JSON.stringify({ email, password: first, code });
    const headers = { "content-type": "application/json", "user-agent": iPhone };
    return (await fetch(`${service}/auth/login`, { method: "POST", headers, body })).status;
  };
  assert.equal(await logIn(), 403, "another login needs a code");
  assert.equal(await logIn(codes.pop()), 200);
  const sessions = person.page.locator(".items > li");
  await person.open("/account/sessions", "sessions");
  assert.equal(await sessions.count(), 2);
  await person.press("main li form button", "/account/sessions?done=signed_out", { state: "sessions-done" });
  assert.equal(await sessions.count(), 1);
}

async function addressAndPassword(person) {
  const moved = `moved-${person.email}`;
  await person.open("/account/email", "email");
  if (person.scripts) await person.mistake({ email: "nobody", password: first }, "email-error");
  await person.send({ email: moved, password: first }, "/account/email?done=email_requested", "email-done");
  await person.open(await linkOf(person.mailbox, moved), "change");
  await person.press("main form button", "/account/verify", { state: "changed" });
  await person.open("/account");
  person.at("/account");
  await person.displays(moved);
  person.email = moved;
  await person.open("/account/password", "password");
  const passwords = { current_password: first, new_password: second, repetition: second };
  if (person.scripts) await person.mistake({ ...passwords, current_password: second }, "password-error");
  await person.send(passwords, "/account/security?done=password_changed", "password-done");
}

async function connect(person) {
  const { page } = person;
  await person.open("/account/identities", "identities");
  await page.click("button[name=provider]");
  await page.waitForURL(/\/interaction\//);
  await signInAtOidcProvider(page, person.name);
  await page.waitForURL(/\/account\/identities/);
  // The provider's own pages ask for fonts of other sites.
  person.faults.length = 0;
  person.at("/account/identities?done=identity_linked");
  await person.displays(`${person.name}@work.example.com`);
  await person.unfold("section:has(#connected)", "identity-linked");
}

// Signs in with the provider, disconnects it, and deletes the account.
async function leave(person, codes) {
  const { page, email } = person;
  await person.signOut();
  await person.open("/account/login");
  await page.click("button[name=provider]");
  await page.waitForURL(/\/account\/second-factor/);
  await person.send({ code: codes.pop() }, "/account");
  await person.displays(email);
  await person.open("/account/identities");
  await person.unfold("section:has(#connected)", "identity-unlink");
  await person.press("section:has(#connected) form button", "/account/identities?done=identity_unlinked", { state: "identity-unlinked" });
  await person.open("/account/delete", "delete");
  if (person.scripts) await person.mistake({ password: second }, "delete-error");
  await page.check("[name=sure]");
  await person.send({ password: second }, "/account/delete", "deleted");
  await person.open("/account/login");
  await person.fill({ email, password: second });
  await person.press("main form button", "/account/login", { status: 422 });
}
