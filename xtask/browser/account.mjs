// The pages that links in mails open, as a person has them: from the mail to a new password to a
// login, on a phone and on a desk, light and dark, in every language. axe looks at every state.

import assert from "node:assert/strict";
import { join } from "node:path";
import { inspect, watch } from "./inspect.mjs";
import { linkOf } from "./mailbox.mjs";

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const languages = ["en", "de", "fr", "es", "pt", "zh"];
const passwords = { first: "correct horse battery", second: "wrong donkey charger", third: "late zebra paperclip" };

export async function accountPages(tools) {
  const seen = [];
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      await walk({ ...tools, seen, name: `${size}-${colorScheme}`, options: { viewport, colorScheme } });
    }
  }
  for (const locale of languages) {
    await read({ ...tools, seen, name: `phone-${locale}`, options: { viewport: sizes.phone, locale } });
  }
  return seen.length;
}

// A person with a page of their own.
async function person(tools) {
  const context = await tools.browser.newContext(tools.options);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = await watch(page, tools.service);
  const email = `${tools.name}-${Date.now()}@example.com`;
  const mailbox = { folder: tools.mails, read: new Set() };
  const look = (state, status) => looked({ ...tools, page, state, status, faults });
  return { ...tools, context, page, faults, email, mailbox, look };
}

// Inspects a state. What a page answers with 4xx is in the console too.
async function looked({ page, name, state, faults, screenshots, seen }) {
  await inspect(page, `${name} ${state}`);
  const unknown = faults.filter((fault) => !/status of 4(10|22)/.test(fault));
  assert.deepEqual(unknown, [], `${name} ${state}`);
  await page.screenshot({ path: join(screenshots, `account-${name}-${state}.png`), fullPage: true });
  seen.push(`${name} ${state}`);
}

async function open(page, link, status) {
  const answer = await page.goto(link);
  assert.equal(answer.status(), status, link.split("?")[0]);
  const headers = answer.headers();
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.equal(headers["cache-control"], "no-store");
}

// Presses the page's button by the keyboard alone, and waits for the page that comes.
async function press(page, status) {
  const button = page.locator("form button").first();
  for (let steps = 0; !(await button.evaluate((element) => element === document.activeElement)); steps += 1) {
    assert.ok(steps < 10, "the button cannot be reached by the keyboard");
    await page.keyboard.press("Tab");
  }
  const [answer] = await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(answer.status(), status, page.url());
  assert.ok(!page.url().includes("token"), "the token is still in the address");
}

async function choose(page, password, repetition, status) {
  await page.locator("input[type=password]").nth(0).fill(password);
  await page.locator("input[type=password]").nth(1).fill(repetition);
  await press(page, status);
}

async function call(service, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(service + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

async function signIn({ service, email }, password, status) {
  const answer = await call(service, "/auth/login", { email, password });
  assert.equal(answer.status, status, "login");
  return answer.body.access_token;
}

async function walk(tools) {
  const reader = await person(tools);
  await verify(reader);
  await forget(reader);
  await move(reader);
  await reader.context.close();
}

// From the first mail to an address that is confirmed, a new password, and a login by it.
async function verify(reader) {
  const { page, service, email, mailbox, look } = reader;
  const registered = await call(service, "/auth/register", { email, password: passwords.first });
  assert.equal(registered.status, 201, "register");
  const link = await linkOf(mailbox, email);
  await open(page, link, 200);
  await look("verify");
  await page.locator("input[type=password]").fill(passwords.third);
  await press(page, 422);
  await look("wrong-password");
  // Nobody chose it: a new one is set.
  const [answer] = await Promise.all([page.waitForNavigation(), page.locator("button[name=disowned]").click()]);
  assert.equal(answer.status(), 200, page.url());
  await page.getByText(email).waitFor();
  await look("verified");
  await choose(page, passwords.second, passwords.third, 422);
  const field = page.locator("[aria-invalid=true]");
  assert.equal(await field.evaluate((element) => element === document.activeElement), true, "the fault has no focus");
  assert.match(await field.getAttribute("aria-describedby"), /\bproblem\b/);
  assert.equal(await page.locator("#problem").getAttribute("role"), "alert");
  await look("differs");
  await choose(page, passwords.second, passwords.second, 200);
  await look("password-changed");
  await signIn(reader, passwords.first, 401);
  await signIn(reader, passwords.second, 200);
  await open(page, link, 410);
  await look("dead-verify");
}

// From a forgotten password to a login by a new one.
async function forget(reader) {
  const { page, service, email, mailbox, look } = reader;
  await open(page, `${service}/account/reset`, 200);
  await look("forgot");
  await page.locator("input[type=email]").fill("nobody");
  await press(page, 422);
  await look("no-address");
  await page.locator("input[type=email]").fill(email);
  await press(page, 200);
  await look("sent");
  const link = await linkOf(mailbox, email);
  await open(page, link, 200);
  await look("reset");
  // The browser itself would stop it: the service's own answer is looked at.
  await page.locator("form").evaluate((form) => (form.noValidate = true));
  await choose(page, "short", "short", 422);
  await look("too-short");
  await choose(page, passwords.third, passwords.third, 200);
  await signIn(reader, passwords.second, 401);
  await signIn(reader, passwords.third, 200);
  await open(page, link, 410);
  await look("dead-reset");
  await open(page, `${service}/account/verify`, 200);
  await look("ask-verification");
}

// From a new address to the way back.
async function move(reader) {
  const { page, service, email, mailbox, look } = reader;
  const token = await signIn(reader, passwords.third, 200);
  const new_email = `new-${email}`;
  const asked = await call(service, "/auth/email/change", { password: passwords.third, new_email }, token);
  assert.equal(asked.status, 202, "change");
  await open(page, await linkOf({ ...mailbox, read: new Set() }, new_email), 200);
  await look("change");
  await page.locator("input[type=password]").fill(passwords.third);
  await press(page, 200);
  await look("changed");
  await open(page, await linkOf(mailbox, email), 200);
  await look("undo");
  await page.locator("input[type=password]").fill(passwords.third);
  await press(page, 200);
  await look("undone");
  await signIn(reader, passwords.third, 200);
}

// The page of the first mail in a language: none is too wide for a phone.
async function read(tools) {
  const reader = await person(tools);
  const { page, service, email, mailbox, look, options } = reader;
  const registered = await call(service, "/auth/register", { email, password: passwords.first });
  assert.equal(registered.status, 201, "register");
  await open(page, await linkOf(mailbox, email), 200);
  assert.equal(await page.locator("html").getAttribute("lang"), options.locale);
  await look("verify");
  await page.locator("input[type=password]").fill(passwords.first);
  await press(page, 200);
  await look("verified");
  await open(page, `${service}/account/reset`, 200);
  await look("forgot");
  await reader.context.close();
}
