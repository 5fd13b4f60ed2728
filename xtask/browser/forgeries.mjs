// Requests that pages of another site (evil.test) and of another host of the same site (sister.example.test) forge
// while a user is signed in, and the cookies that the latter sets for the service's host.

import assert from "node:assert/strict";

const forms = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
const thief = { email: "attacker@example.com", password: "wrong donkey charger" };

// Runs in the foreign page: submits a form into a frame and waits for the response.
function submitted({ action, enctype, fields }) {
  return new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), { name: `frame${Math.random()}` });
    document.body.append(frame);
    const form = Object.assign(document.createElement("form"), { method: "post", action, enctype, target: frame.name });
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), { name, value }));
    }
    document.body.append(form);
    frame.addEventListener("load", () => resolve());
    form.submit();
  });
}

// Runs in the foreign page. Returns what the page can read of the response.
async function fetched({ url, method, mode, headers, body }) {
  try {
    const response = await fetch(url, { method, mode, headers, body, credentials: "include" });
    return `${response.type} ${response.status} ${await response.text()}`;
  } catch {
    return "refused";
  }
}

// The state that a forged request must not change: the cookies, the account and its sessions.
async function snapshot(owner) {
  const own = (await owner.context.cookies()).filter(({ name }) => name.startsWith("__Host-"));
  const cookies = own.map(({ name, domain, value }) => [name, domain, value].join(" ")).sort();
  const read = async (path) => (await fetch(path)).text();
  const account = await owner.tabs[0].evaluate(read, "/auth/me");
  const { sessions } = JSON.parse(await owner.tabs[0].evaluate(read, "/auth/sessions"));
  assert.ok(account.includes(owner.account.email), account);
  return { cookies, account, sessions };
}

// State-changing calls, with a body that would do harm.
function calls(owner, sessions) {
  const { password } = owner.account;
  return [
    ["POST", "/auth/login", { ...thief, username: thief.email }],
    ["POST", "/auth/refresh", {}],
    ["POST", "/auth/logout", {}],
    ["POST", "/auth/logout-all", {}],
    ["POST", "/auth/reauthenticate", { password }],
    ["POST", "/auth/password/change", { current_password: password, new_password: thief.password }],
    ["POST", "/auth/email/change", { password, new_email: thief.email }],
    ["POST", "/auth/mfa/totp", {}],
    ["DELETE", "/auth/me", { password }],
    ["DELETE", `/auth/sessions/${sessions[0].id}`, {}],
  ];
}

async function forge(owner, page, service) {
  const before = await snapshot(owner);
  let sent = 0;
  const unchanged = async (what) => {
    sent += 1;
    assert.deepEqual(await snapshot(owner), before, `${new URL(page.url()).host}: ${what}`);
  };
  for (const [method, path, body] of calls(owner, before.sessions)) {
    const url = service + path;
    for (const enctype of method === "POST" ? forms : []) {
      // A form of plain text can be valid JSON.
      const json = JSON.stringify({ ...body, end: "" });
      const plain = { [json.slice(0, -2)]: `"}` };
      await page.evaluate(submitted, { action: url, enctype, fields: enctype === "text/plain" ? plain : body });
      await unchanged(`form ${enctype} ${path}`);
    }
    const headers = { "portcullis-tokens": "cookie", "content-type": "application/json" };
    const request = { url, method, body: JSON.stringify(body) };
    const seen = await page.evaluate(fetched, { ...request, mode: "cors", headers });
    assert.equal(seen, "refused", `${method} ${path} with the header`);
    await unchanged(`fetch with the header, ${method} ${path}`);
    if (method !== "POST") continue;
    for (const mode of ["cors", "no-cors"]) {
      const seen = await page.evaluate(fetched, { ...request, mode, headers: { "content-type": "text/plain" } });
      assert.match(seen, /^refused$|^opaque 0 $/, `${mode} ${path}`);
      await unchanged(`fetch ${mode} ${path}`);
    }
  }
  const seen = await page.evaluate(fetched, { url: `${service}/auth/me`, method: "GET", mode: "cors" });
  assert.equal(seen, "refused", "a foreign page reads /auth/me");
  await unchanged("read");
  return sent;
}

// A sister host can set cookies for the service's host, but none that the service reads.
async function toss(owner, sister, tokens) {
  const before = await snapshot(owner);
  const kinds = { access: tokens.access_token, refresh: tokens.refresh_token, device: tokens.device };
  for (const [kind, value] of Object.entries(kinds)) {
    const name = `portcullis_${kind}`;
    for (const cookie of [
      `__Host-${name}=${value}; Domain=example.test; Path=/; Secure`,
      `__host-${name}=${value}; Domain=example.test; Path=/; Secure`,
      `=__Host-${name}=${value}; Domain=example.test; Path=/; Secure`,
      `__Host-${name}=; Domain=example.test; Path=/; Secure; Max-Age=0`,
      `${name}=${value}; Domain=example.test; Path=/; Secure`,
      `__Secure-${name}=${value}; Domain=example.test; Path=/; Secure`,
    ]) {
      await sister.evaluate((cookie) => void (document.cookie = cookie), cookie);
      assert.deepEqual(await snapshot(owner), before, `tossed ${cookie.split(";")[0].slice(0, 40)}`);
    }
  }
  const received = (await owner.context.cookies()).filter(({ domain }) => domain === ".example.test");
  assert.equal(received.length, 6, "cookies of the sister host that the service receives");
  await owner.dropAccess();
  const [tab] = owner.tabs;
  assert.ok(await owner.isSignedIn(tab), "signed out by tossed cookies");
  assert.equal((await snapshot(owner)).account, before.account, "signed in as another account");
}

// Login CSRF: a form tries to sign the user in as the attacker.
async function signIn(owner, page, service) {
  const form = { action: `${service}/auth/login`, enctype: forms[0], fields: { ...thief, username: thief.email } };
  await page.evaluate(submitted, form);
  assert.equal(await owner.isSignedIn(owner.tabs[0]), false, `${page.url()} signed the user in`);
  const cookies = (await owner.context.cookies()).map(({ name }) => name).sort();
  assert.ok(!cookies.some((name) => /access|refresh/.test(name) && name.startsWith("__Host-")), cookies.join());
}

export async function forgedRequests({ owner, proxy, publicUrl, service }) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(thief) };
  assert.equal((await fetch(`${service}/auth/register`, post)).status, 201, "register");
  const response = await fetch(`${service}/auth/login`, post);
  const device = /portcullis_device=([^;]+)/.exec(response.headers.getSetCookie().join())[1];
  const tokens = { ...(await response.json()), device };
  const { port } = new URL(publicUrl);
  const pages = {};
  for (const host of ["evil.test", "sister.example.test"]) {
    pages[host] = await owner.context.newPage();
    await pages[host].goto(`https://${host}:${port}/`);
  }
  let sent = 0;
  for (const page of Object.values(pages)) sent += await forge(owner, page, publicUrl);
  await toss(owner, pages["sister.example.test"], tokens);
  assert.equal(await owner.call(owner.tabs[0], "POST", "/auth/logout"), 200, "logout");
  for (const page of Object.values(pages)) await signIn(owner, page, publicUrl);
  const { requests, withCookies, set } = proxy.foreign;
  assert.ok(requests > 0 && withCookies > 0, "no forged request reached the service with a cookie");
  assert.deepEqual(set, [], "cookies set by forged requests");
  return sent;
}
