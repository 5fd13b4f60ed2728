// The pages /docs and /redoc, and those that links in mails open (account.mjs), as a person with no
// network but the service sees them.
//   node pages.mjs <url of the service> <folder for screenshots> <folder of its mails>
// NODE_MODULES names the folder in which playwright-core and axe-core are installed, CHROMIUM the browser.
// Fails on a missing operation, a sign-in or call that does not work, an error of a page, and
// anything that the content security policy stopped.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { accountPages } from "./account.mjs";
import { watch } from "./inspect.mjs";

const { chromium } = createRequire(join(process.env.NODE_MODULES, "/"))("playwright-core");
const [service, screenshots, mails] = process.argv.slice(2);
const account = { email: `browser-${Date.now()}@example.com`, password: "correct horse battery" };
// ReDoc's bundle asks for this picture and hides it when it does not come: the policy stops it.
const stopped = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

async function operations() {
  const answer = await fetch(`${service}/openapi.json`);
  assert.equal(answer.status, 200, "/openapi.json");
  const { paths } = await answer.json();
  const found = Object.entries(paths).flatMap(([path, item]) =>
    methods.filter((method) => item[method]).map((method) => ({ method, path, summary: item[method].summary })),
  );
  assert.ok(found.length > 0, "the document names no operation");
  for (const { method, path, summary } of found) assert.ok(summary, `${method} ${path} has no summary`);
  return found;
}

async function register() {
  const answer = await fetch(`${service}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(account),
  });
  assert.equal(answer.status, 201, "register");
}

// Opens a page that reaches the service and nothing else, looks at it, and tells what went wrong.
async function visit(browser, path, look) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(15_000);
  const faults = await watch(page, service);
  try {
    const answer = await page.goto(service + path);
    assert.equal(answer.status(), 200, path);
    assert.ok(answer.headers()["content-security-policy"], `${path} has no content security policy`);
    await look(page);
  } catch (error) {
    await page.screenshot({ path: join(screenshots, `${path.slice(1)}-failed.png`) });
    faults.push(error.message);
  }
  await page.close();
  const unknown = faults.filter((fault) => !fault.includes(stopped));
  assert.deepEqual(unknown, [], path);
}

async function swagger(page) {
  for (const { method, path, summary } of await operations()) {
    const block = page.locator(`.opblock-${method}:has([data-path="${path}"])`);
    await block.getByText(summary, { exact: true }).waitFor();
  }
  await page.screenshot({ path: join(screenshots, "docs.png"), fullPage: true });
  await authorize(page);
  await callMe(page);
}

async function authorize(page) {
  await page.locator("button.authorize").first().click();
  const form = page.locator(".auth-container:has(#oauth_username)");
  await form.locator("#oauth_username").fill(account.email);
  await form.locator("#oauth_password").fill(account.password);
  await form.locator("button.authorize").click();
  await page.locator(".modal-ux button", { hasText: "Logout" }).waitFor();
  await page.screenshot({ path: join(screenshots, "docs-authorized.png") });
  await page.locator(".modal-ux button.close-modal").click();
}

async function callMe(page) {
  const block = page.locator('.opblock-get:has([data-path="/auth/me"])');
  await block.locator(".opblock-summary-control").click();
  const execute = block.locator("button.execute");
  const tryOut = block.getByRole("button", { name: "Try it out" });
  await execute.or(tryOut).waitFor();
  if (await tryOut.isVisible()) await tryOut.click();
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url() === `${service}/auth/me`),
    execute.click(),
  ]);
  assert.equal(answer.status(), 200, "GET /auth/me");
  assert.equal((await answer.json()).email, account.email, "GET /auth/me");
  await block.locator(".live-responses-table .response-col_status", { hasText: "200" }).first().waitFor();
  await block.screenshot({ path: join(screenshots, "docs-me.png") });
}

async function redoc(page) {
  for (const { summary } of await operations()) {
    await page.locator("h2", { hasText: summary }).first().waitFor();
  }
  await page.screenshot({ path: join(screenshots, "redoc.png") });
}

await register();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's sandbox refuses to run as root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
try {
  await visit(browser, "/docs", swagger);
  await visit(browser, "/redoc", redoc);
  const states = await accountPages({ browser, service, screenshots, mails });
  console.log(`/docs and /redoc show every operation, sign in and call; ${states} states of the pages for mails`);
  console.log(`pictures in ${screenshots}`);
} finally {
  await browser.close();
}
