// A person's way through an account in a browser that runs no scripts: sign-up, verification by mail, sign-in,
// authenticator app, recovery code, sessions, email address, password, connected account, sign-out and deletion.

import assert from "node:assert/strict";
import { join } from "node:path";
import { linkOf } from "./mailbox.mjs";
import { signInAtOidcProvider } from "./openid_servers.mjs";
import { Authenticator } from "./totp.mjs";

const first = "correct horse battery";
const second = "wrong donkey charger";

class Walker {
  constructor(tools, page) {
    Object.assign(this, tools, { page, steps: 0, mailbox: { folder: tools.mails, read: new Set() } });
    page.on("response", (response) => (this.steps += response.request().isNavigationRequest() ? 1 : 0));
  }

  async open(path) {
    const answer = await this.page.goto(path.startsWith("http") ? path : this.service + path);
    assert.equal(answer.status(), 200, path);
  }

  // Fills in a form, and presses its button by the keyboard alone.
  async send(form, values, path) {
    const fields = this.page.locator(`main ${form}`).first();
    for (const [name, value] of Object.entries(values)) await fields.locator(`[name=${name}]:not([type=hidden])`).fill(value);
    await this.reach(fields.locator("button").first());
    await Promise.all([this.page.waitForNavigation(), this.page.keyboard.press("Enter")]);
    this.at(path);
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

  at(path) {
    const { pathname, search } = new URL(this.page.url());
    assert.equal(pathname + search, path);
  }

  async follow(text, path) {
    await Promise.all([this.page.waitForNavigation(), this.page.locator(`main a:text-is("${text}")`).click()]);
    this.at(path);
  }

  async signOut() {
    await Promise.all([this.page.waitForNavigation(), this.page.locator("header button").click()]);
    this.at("/account/logout");
  }

  async displays(text) {
    await this.page.locator("main", { hasText: text }).waitFor();
  }
}

export async function walk(tools) {
  const context = await tools.browser.newContext({ javaScriptEnabled: false, acceptDownloads: true });
  const walker = new Walker(tools, await context.newPage());
  walker.page.setDefaultTimeout(15_000);
  try {
    const email = await signUp(walker);
    const codes = await secondStep(walker, email);
    await sessions(walker, email);
    const moved = await addressAndPassword(walker, email);
    await connect(walker);
    await leave(walker, moved, codes);
  } catch (error) {
    await walker.page.screenshot({ path: join(tools.pictures, "walk-failed.png"), fullPage: true });
    throw error;
  }
  await context.close();
  return walker.steps;
}

async function signUp(walker) {
  const email = `walk-${Date.now()}@example.com`;
  await walker.open("/");
  await walker.follow("Open your account", "/account/login?continue=%2Faccount");
  await walker.follow("Create an account", "/account/register?continue=%2Faccount");
  await walker.send("form", { email, password: first, repetition: first }, "/account");
  await walker.displays("Not confirmed");
  await walker.open(await linkOf(walker.mailbox, email));
  // The browser is signed in, which proves that the password is the person's own.
  await walker.send("form", {}, "/account/verify");
  await walker.displays(email);
  await walker.open("/account");
  await walker.displays("Confirmed");
  return email;
}

async function secondStep(walker, email) {
  await walker.follow("Password and security", "/account/security");
  await walker.follow("Add an authenticator app", "/account/authenticator");
  await walker.send("form", { name: "Phone" }, "/account/authenticator");
  const app = new Authenticator(await walker.page.locator(".secret").innerText());
  await walker.send("form", { code: app.code() }, "/account/authenticator");
  const codes = (await walker.page.locator(".codes li").allInnerTexts()).map((code) => code.trim());
  const [download] = await Promise.all([walker.page.waitForEvent("download"), walker.page.click("a[download]")]);
  assert.equal(download.suggestedFilename(), "recovery-codes.txt");
  let text = "";
  for await (const chunk of await download.createReadStream()) text += chunk;
  assert.deepEqual(text.trim().split("\n"), codes);
  await walker.follow("I've saved them", "/account/security");
  await walker.reach(walker.page.locator("summary:text-is('Rename')"));
  await walker.page.keyboard.press("Enter");
  await walker.send("details form", { name: "My phone" }, "/account/security?done=app_renamed");
  await walker.signOut();
  await walker.open("/account/login");
  await walker.send("form", { email, password: first }, "/account/second-factor");
  await walker.send("form", { code: codes[0] }, "/account");
  return codes;
}

async function sessions(walker, email) {
  const other = await fetch(`${walker.service}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: first }),
  });
  assert.equal(other.status, 403, "another login needs a code");
  await walker.open("/account/sessions");
  assert.equal(await walker.page.locator(".items > li").count(), 1);
}

async function addressAndPassword(walker, email) {
  const moved = `moved-${email}`;
  await walker.open("/account/email");
  await walker.send("form[novalidate]", { email: moved, password: first }, "/account/email?done=email_requested");
  await walker.open(await linkOf(walker.mailbox, moved));
  await walker.send("form", {}, "/account/verify");
  await walker.open("/account");
  if (new URL(walker.page.url()).pathname !== "/account") {
    assert.fail(`the address change signed this browser out: ${walker.page.url()}`);
  }
  await walker.displays(moved);
  await walker.open("/account/password");
  const passwords = { current_password: first, new_password: second, repetition: second };
  await walker.send("form", passwords, "/account/security?done=password_changed");
  return moved;
}

async function connect(walker) {
  await walker.open("/account/identities");
  await walker.page.click("button[name=provider]");
  await walker.page.waitForURL(/\/interaction\//);
  await signInAtOidcProvider(walker.page, "ada");
  await walker.page.waitForURL(/\/account\/identities/);
  walker.at("/account/identities?done=identity_linked");
  await walker.displays("ada@work.example.com");
}

async function leave(walker, email, codes) {
  await walker.signOut();
  await walker.open("/account/login");
  await walker.page.click("button[name=provider]");
  await walker.page.waitForURL(/\/account\/second-factor/);
  await walker.send("form", { code: codes[1] }, "/account");
  await walker.displays(email);
  await walker.open("/account/identities");
  await walker.page.click("summary");
  await walker.send("details form", {}, "/account/identities?done=identity_unlinked");
  await walker.open("/account/delete");
  await walker.page.check("[name=sure]");
  await walker.send("form", { password: second }, "/account/delete");
  await walker.displays("Your account was deleted");
  await walker.open("/account/login");
  await walker.send("form", { email, password: second }, "/account/login");
  await walker.displays("Wrong email address or password");
}
