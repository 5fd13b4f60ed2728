// The pages of an account, as a person has them: from sign-up to deletion (account_walk.mjs), once in every language, on
// a phone of 320 pixels or a desktop, light or dark, and once in a browser that runs no scripts, by the keyboard alone.
// Then the pages of a service that requires a second factor and has its own look.
//   node account_pages.mjs <URL of the service> <URL of one that requires a second factor> <folder for pictures>
//     <folder of mails> <issuer of the OpenID provider>
// NODE_MODULES names the folder in which playwright-core, axe-core and oidc-provider are installed, CHROMIUM the browser.

import assert from "node:assert/strict";
import { walk } from "./account_walk.mjs";
import { startOidcProvider } from "./openid_servers.mjs";
import { Person, desktop, launch, phone, platform } from "./person.mjs";
import { Authenticator } from "./totp.mjs";

const [service, strict, pictures, mails, issuer] = process.argv.slice(2);
const password = "correct horse battery";
const people = {
  en: { viewport: desktop, colorScheme: "light" },
  de: { viewport: phone, colorScheme: "dark" },
  fr: { viewport: desktop, colorScheme: "dark" },
  es: { viewport: phone, colorScheme: "light" },
  pt: { viewport: desktop, colorScheme: "light" },
  zh: { viewport: phone, colorScheme: "dark" },
};

function person(browser, name, options) {
  return Person.at(browser, { service, pictures, mails, name, origins: [new URL(issuer).origin] }, options);
}

// Walks in each language, two people at a time. Returns the titles of the pages, by language and state.
async function walkInEveryLanguage(browser) {
  const titles = {};
  const waiting = Object.entries(people);
  const walkers = [0, 1].map(async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [locale, options] = next;
      const walker = await person(browser, locale, { ...options, locale, authenticator: platform });
      await walk(walker);
      titles[locale] = walker.titles;
    }
  });
  await Promise.all(walkers);
  return titles;
}

// A service with a logo and a style of its own, which requires a second factor.
async function enrolment(browser) {
  const visitor = await Person.at(browser, { service: strict, pictures, name: "branded" }, { viewport: phone });
  const { page } = visitor;
  await visitor.open("/account/register", "register");
  const email = `enrol-${Date.now()}@example.com`;
  await visitor.send({ email, password, repetition: password }, "/account/enrol", "enrol");
  await visitor.press("main form button", "/account/enrol", { state: "enrol-code" });
  const app = new Authenticator(await page.locator(".secret").innerText());
  await visitor.send({ code: app.code() }, "/account/enrol", "enrol-recovery-codes");
  assert.equal(await page.locator("header img").evaluate((image) => image.naturalWidth > 0), true, "the logo");
  const color = await page.locator("main .button").first().evaluate((button) => getComputedStyle(button).backgroundColor);
  assert.equal(color, "rgb(102, 0, 51)", "the style of the operator");
  await visitor.context.close();
}

const callback = `${service}/auth/providers/corp/callback`;
const clients = [{ id: "corp", secret: "secret of corp", callback, algorithm: "ES256" }];
const logins = [...Object.keys(people), "keyboard"];
const claims = Object.fromEntries(logins.map((name) => [name, { email: `${name}@work.example.com`, email_verified: true }]));
const provider = await startOidcProvider(issuer, claims, clients);
const browser = await launch();
try {
  const titles = await walkInEveryLanguage(browser);
  for (const [state, english] of titles.en) {
    for (const [locale, { size }] of Object.entries(titles)) {
      assert.equal(size, titles.en.size, `${locale}: states`);
      if (locale !== "en") assert.notEqual(titles[locale].get(state), english, `${locale}: ${state}`);
    }
  }
  await enrolment(browser);
  const walker = await person(browser, "keyboard", { javaScriptEnabled: false, colorScheme: "dark" });
  await walk(walker);
  console.log(`${titles.en.size} states of the account pages in ${logins.length - 1} languages; ${walker.steps} pages without scripts`);
  console.log(`pictures in ${pictures}`);
} finally {
  await browser.close();
  provider.close();
}
