// The pages of an account, as a person has them. A tour visits every page and every state of it, on a phone and on a
// desktop, light and dark, and on a phone in every language: axe finds nothing, nothing scrolls sideways, and a picture
// is kept. The walk (account_walk.mjs) goes from sign-up to deletion in a browser that runs no scripts.
//   node account_pages.mjs <URL of the service> <URL of one that requires a second factor> <folder for pictures>
//     <folder of mails> <port of the OpenID provider>
// NODE_MODULES names the folder in which playwright-core, axe-core and oidc-provider are installed, CHROMIUM the browser.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inspect, watch } from "./inspect.mjs";
import { startOidcProvider } from "./openid_servers.mjs";
import { Authenticator } from "./totp.mjs";
import { walk } from "./account_walk.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
const [service, strict, pictures, mails, port] = process.argv.slice(2);
const password = "correct horse battery";
const phone = { width: 320, height: 640 };
const desktop = { width: 1280, height: 800 };
const languages = ["en", "de", "fr", "es", "pt", "zh"];

// A person with a browser, who looks at every state.
class Visitor {
  constructor(page, name, faults) {
    Object.assign(this, { page, name, faults, titles: new Map() });
  }

  static async at(browser, name, options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const faults = await watch(page, service);
    return new Visitor(page, name, faults);
  }

  async open(path, state) {
    const answer = await this.page.goto(path.startsWith("http") ? path : service + path);
    assert.equal(answer.status(), 200, `${this.name}: ${path}`);
    if (state) await this.look(state);
  }

  // Presses a button, and looks at the page that comes.
  async press(selector, status, state) {
    const [answer] = await Promise.all([this.page.waitForNavigation(), this.page.locator(selector).first().click()]);
    assert.equal(answer.status(), status, `${this.name}: ${selector} at ${this.page.url()}`);
    if (state) await this.look(state);
  }

  async fill(values) {
    for (const [name, value] of Object.entries(values)) await this.page.locator(`main [name=${name}]:not([type=hidden])`).fill(value);
  }

  // Turns off the browser's own validation, so that the service's answer is seen.
  async unchecked() {
    await this.page.evaluate(() => document.querySelectorAll("form").forEach((form) => (form.noValidate = true)));
  }

  async look(state) {
    await inspect(this.page, `${this.name} ${state}`);
    // What a page answers with 4xx is in the console too.
    const unknown = this.faults.filter((fault) => !/status of 4(09|22)/.test(fault));
    assert.deepEqual(unknown, [], `${this.name} ${state}`);
    this.titles.set(state, await this.page.title());
    await this.page.screenshot({ path: join(pictures, `${this.name}-${state}.png`), fullPage: true });
  }

  text(selector) {
    return this.page.locator(selector).first().innerText();
  }
}

async function tour(browser, name, options) {
  const visitor = await Visitor.at(browser, name, options);
  await signUp(visitor);
  await account(visitor);
  const codes = await secondFactor(visitor);
  await signInAgain(visitor, codes);
  await visitor.press("header button", 200, "logged-out");
  await visitor.page.context().close();
  return visitor.titles;
}

async function signUp(visitor) {
  const email = `${visitor.name}-${Date.now()}@example.com`;
  await visitor.open("/", "home");
  await visitor.open("/account/reset", "reset");
  await visitor.open("/account/register", "register");
  await visitor.fill({ email: "nobody", password, repetition: password });
  await visitor.press("main form button", 422, "register-error");
  await visitor.fill({ email, password, repetition: password });
  await visitor.press("main form button", 200);
  await visitor.open("/account/logout", "logout");
  await visitor.press("main form button", 200);
  await visitor.open("/account/login", "login");
  await visitor.fill({ email, password: "wrong donkey charger" });
  await visitor.press("main form button", 422, "login-error");
  await visitor.fill({ password });
  await visitor.press("main form button", 200, "overview");
  visitor.email = email;
}

async function account(visitor) {
  const { email } = visitor;
  // A second session of the account.
  const headers = { "content-type": "application/json", "user-agent": "Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1" };
  await fetch(`${service}/auth/login`, { method: "POST", headers, body: JSON.stringify({ email, password }) });
  await visitor.open("/account/security", "security");
  await visitor.open("/account/password", "password");
  await visitor.unchecked();
  await visitor.fill({ current_password: "wrong donkey charger", new_password: password, repetition: password });
  await visitor.press("main form button", 422, "password-error");
  await visitor.open("/account/identities", "identities");
  await visitor.open("/account/sessions", "sessions");
  await visitor.press("main li form button", 200, "sessions-done");
  await visitor.open("/account/email", "email");
  await visitor.fill({ email: "nobody", password });
  await visitor.press("main form[novalidate] button", 422, "email-error");
  await visitor.fill({ email: `new-${email}`, password });
  await visitor.press("main form[novalidate] button", 200, "email-done");
  await visitor.open("/account/delete", "delete");
  await visitor.unchecked();
  await visitor.fill({ password });
  await visitor.press("main form button", 422, "delete-error");
}

async function secondFactor(visitor) {
  await visitor.open("/account/authenticator", "authenticator");
  await visitor.fill({ name: "My phone" });
  await visitor.press("main form button", 200, "authenticator-setup");
  const app = new Authenticator(await visitor.text(".secret"));
  await visitor.fill({ code: "000000" });
  await visitor.press("main form button", 422, "authenticator-error");
  await visitor.fill({ code: app.code() });
  await visitor.press("main form button", 200, "new-recovery-codes");
  const codes = await visitor.page.locator(".codes li").allInnerTexts();
  assert.equal(codes.length, 10);
  await visitor.open("/account/security", "security-app");
  for (const summary of await visitor.page.locator("summary").all()) await summary.click();
  await visitor.look("security-app-open");
  await visitor.open("/account/recovery-codes", "recovery-codes");
  return codes.map((code) => code.trim());
}

// With a second factor, on a device that is then remembered, which does not count as recent.
async function signInAgain(visitor, codes) {
  const { email } = visitor;
  await visitor.press("header button", 200);
  await visitor.open("/account/login");
  await visitor.fill({ email, password });
  await visitor.press("main form button", 200, "second-factor");
  await visitor.fill({ code: "0000-0000-0000-0000" });
  await visitor.press("main form button", 422, "second-factor-error");
  await visitor.fill({ code: codes[0] });
  await visitor.page.locator("[name=remember_device]").check();
  await visitor.press("main form button", 200);
  await visitor.open("/account/security", "security-devices");
  await visitor.press("header button", 200);
  await visitor.open("/account/login?continue=%2Faccount%2Fauthenticator");
  await visitor.fill({ email, password });
  await visitor.press("main form button", 200, "reauthenticate");
  await visitor.fill({ password, code: "0000-0000-0000-0000" });
  await visitor.press("main form button", 422, "reauthenticate-error");
  await visitor.fill({ password, code: codes[1] });
  await visitor.press("main form button", 200, "after-reauthentication");
  assert.match(visitor.page.url(), /\/account\/authenticator$/);
}

// A service with a logo and a style of its own, which requires a second factor.
async function enrolment(browser) {
  const visitor = await Visitor.at(browser, "branded", { viewport: phone });
  visitor.faults = await watch(await visitor.page.context().newPage(), strict);
  const page = await visitor.page.context().newPage();
  visitor.page = page;
  visitor.faults = await watch(page, strict);
  await visitor.open(`${strict}/account/register`, "register");
  const email = `enrol-${Date.now()}@example.com`;
  await visitor.fill({ email, password, repetition: password });
  await visitor.press("main form button", 200, "enrol");
  await visitor.press("main form button", 200, "enrol-code");
  const app = new Authenticator(await visitor.text(".secret"));
  await visitor.fill({ code: app.code() });
  await visitor.press("main form:has([name=code]) button", 200, "enrol-recovery-codes");
  assert.equal(await page.locator("header img").evaluate((image) => image.naturalWidth > 0), true, "the logo");
  const color = await page.locator("main .button").first().evaluate((button) => getComputedStyle(button).backgroundColor);
  assert.equal(color, "rgb(102, 0, 51)", "the style of the operator");
  await page.context().close();
}

const callback = `${service}/auth/providers/corp/callback`;
const clients = [{ id: "corp", secret: "secret of corp", callback, algorithm: "ES256" }];
const people = { ada: { email: "ada@work.example.com", email_verified: true } };
const provider = await startOidcProvider(Number(port), people, clients);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's sandbox refuses to run as root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
try {
  let states = 0;
  const titles = {};
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries({ phone, desktop })) {
      states += (await tour(browser, `${size}-${colorScheme}`, { viewport, colorScheme })).size;
    }
  }
  for (const locale of languages) titles[locale] = await tour(browser, `phone-${locale}`, { viewport: phone, locale });
  for (const [state, english] of titles.en) {
    for (const locale of languages.slice(1)) assert.notEqual(titles[locale].get(state), english, `${locale}: ${state}`);
  }
  await enrolment(browser);
  const steps = await walk({ browser, service, mails, pictures });
  states += languages.length * titles.en.size;
  console.log(`${states} states of the account pages; ${steps} pages from sign-up to deletion without scripts`);
  console.log(`pictures in ${pictures}`);
} finally {
  await browser.close();
  provider.close();
}
