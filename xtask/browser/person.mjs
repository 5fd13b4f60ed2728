// A person with a browser at the account pages, who looks at every state: axe finds nothing, nothing scrolls sideways,
// the browser complains about nothing, and a picture is kept.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fits, inspect, watch } from "./inspect.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
export const phone = { width: 320, height: 640 };
export const desktop = { width: 1280, height: 800 };
export const passkeyButton = "form[data-passkey] button";
// An authenticator that is part of the device, and verifies its user.
export const platform = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

export function launch() {
  // Chromium's sandbox refuses to run as root.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

export class Person {
  // `tools`: URL of the service, folder for pictures, name of the person in the pictures, origins of others that the
  // pages lead to. `options` are those of the browser. A person without scripts uses the keyboard alone.
  static async at(browser, tools, { authenticator, autofill = false, ...options } = {}) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const scripts = options.javaScriptEnabled ?? true;
    const faults = scripts ? await watch(page, tools.service, tools.origins) : [];
    const person = Object.assign(new Person(), tools, { context, page, scripts, faults, titles: new Map(), steps: 0 });
    page.on("response", (response) => (person.steps += response.request().isNavigationRequest() ? 1 : 0));
    if (authenticator) await person.plugIn(authenticator, autofill);
    return person;
  }

  // The virtual authenticator would sign in by the autofill at once: it is off unless that is what is tested.
  async plugIn(options, autofill) {
    if (!autofill) await this.page.addInitScript(() => (PublicKeyCredential.isConditionalMediationAvailable = async () => false));
    this.devtools = await this.context.newCDPSession(this.page);
    await this.devtools.send("WebAuthn.enable", {});
    const added = await this.devtools.send("WebAuthn.addVirtualAuthenticator", { options });
    this.authenticatorId = added.authenticatorId;
  }

  // Sends a command to the authenticator.
  command(method, values) {
    return this.devtools.send(`WebAuthn.${method}`, { authenticatorId: this.authenticatorId, ...values });
  }

  async open(path, state) {
    const answer = await this.page.goto(path.startsWith("http") ? path : this.service + path);
    assert.equal(answer.status(), 200, `${this.name}: ${path}`);
    if (state) await this.look(state);
  }

  async fill(values) {
    for (const [name, value] of Object.entries(values)) await this.page.locator(`main [name=${name}]:not([type=hidden])`).first().fill(value);
  }

  // Presses a button or a link, waits for the page that it leads to, and looks at it.
  async press(selector, path, { status = 200, state } = {}) {
    const element = this.page.locator(selector).first();
    if (!this.scripts) await this.reach(element);
    const pressed = this.scripts ? element.click() : this.page.keyboard.press("Enter");
    const [answer] = await Promise.all([this.page.waitForNavigation(), pressed]);
    this.at(path);
    assert.equal(answer.status(), status, `${this.name}: ${selector} at ${path}`);
    if (state) await this.look(state);
  }

  // Fills in the page's form, which is refused.
  async mistake(values, state) {
    // The browser's own validation would stop it: the service's answer is looked at.
    if (this.scripts) await this.page.evaluate(() => document.querySelectorAll("form").forEach((form) => (form.noValidate = true)));
    await this.fill(values);
    const { pathname, search } = new URL(this.page.url());
    await this.press("main form:has([name]:not([type=hidden])) button", pathname + search, { status: 422, state });
  }

  // Fills in the page's form and sends it.
  async send(values, path, state) {
    await this.fill(values);
    const names = Object.keys(values).map((name) => `:has([name=${name}]:not([type=hidden]))`);
    await this.press(`main form${names.join("")} button`, path, { state });
  }

  // Moves the focus to an element, which must be visible there.
  async reach(element) {
    const isFocused = () => element.evaluate((one) => one === document.activeElement);
    for (let steps = 0; !(await isFocused()); steps += 1) {
      assert.ok(steps < 40, `not reached by the keyboard: ${element} at ${this.page.url()}`);
      await this.page.keyboard.press("Tab");
    }
    const outline = await element.evaluate((one) => getComputedStyle(one).outlineStyle);
    assert.equal(outline, "solid", "the focus is visible");
  }

  // Opens everything that is folded up in a part of the page.
  async unfold(part, state) {
    for (const summary of await this.page.locator(`${part} summary`).all()) {
      if (this.scripts) {
        await summary.click();
      } else {
        await this.reach(summary);
        await this.page.keyboard.press("Enter");
      }
    }
    await this.look(state);
  }

  at(path) {
    const { pathname, search } = new URL(this.page.url());
    assert.equal(pathname + search, path, this.name);
  }

  async displays(text) {
    await this.page.locator("main", { hasText: text }).waitFor();
  }

  signOut(state) {
    return this.press("header button", "/account/logout", { state });
  }

  // Without scripts, axe does not run either.
  async look(state) {
    if (!this.scripts) return;
    const { page, name } = this;
    await inspect(page, `${name} ${state}`);
    // What a page answers with 4xx is in the console too.
    const unknown = this.faults.filter((fault) => !/status of 4(03|09|22)/.test(fault));
    assert.deepEqual(unknown, [], `${name} ${state}`);
    this.titles.set(state, await page.title());
    await page.screenshot({ path: join(this.pictures, `${name}-${state}.png`), fullPage: true });
    const size = page.viewportSize();
    if (size.width === phone.width) return;
    await page.setViewportSize(phone);
    await fits(page, `${name} ${state} on a phone`);
    await page.setViewportSize(size);
  }
}
