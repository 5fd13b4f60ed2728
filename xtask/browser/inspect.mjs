// Checks of a page, whatever it displays: what axe finds, its width, and what the browser complained about.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const axe = readFileSync(createRequire(join(process.env.NODE_MODULES, "/")).resolve("axe-core/axe.min.js"), "utf8");

// Collects errors of a page, what the content security policy stopped, and requests to an origin that is neither the
// service's nor one of `others`, which fail.
export async function watch(page, service, others = []) {
  const faults = [];
  const origins = [new URL(service).origin, ...others];
  await page.route("**/*", (route) => {
    const url = new URL(route.request().url());
    const local = origins.includes(url.origin) || ["data:", "blob:"].includes(url.protocol);
    if (local) return route.continue();
    faults.push(`asks for ${url}`);
    return route.abort();
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  await page.exposeFunction("violated", (directive, uri) => faults.push(`the policy stopped ${directive} ${uri}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violated(event.effectiveDirective, event.blockedURI),
    );
  });
  return faults;
}

// Fails on anything that axe finds, and on a page that scrolls sideways.
export async function inspect(page, state) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], `axe: ${state}`);
  await fits(page, state);
}

// Fails on a page that scrolls sideways.
export async function fits(page, state) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${state} is ${wide} pixels too wide`);
}
