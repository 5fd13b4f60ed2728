// GitHub, Sign in with Apple and the Microsoft identity platform, as their documents describe them, for
// `providers.mjs`. They refuse requests that the documents do not allow, and print why.
//   https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
//   https://developer.apple.com/documentation/signinwithapplerestapi
//   https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow

import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { createServer } from "node:http";

const tenant = "9122040d-6c67-4c5b-b112-36a304b66dad";
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const parsed = (part) => JSON.parse(Buffer.from(part, "base64url"));
const random = () => randomBytes(24).toString("base64url");
const escaped = (text) => text.replace(/[&"<]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const now = () => Math.floor(Date.now() / 1000);

// Starts the stubs. `people` has the email of each login, `appleKey` the private key of the client at Apple (PEM).
export async function startVendors(port, people, appleKey) {
  const stubs = new Vendors(`http://localhost:${port}`, people, createPublicKey(appleKey));
  const server = createServer((request, response) => {
    stubs.respond(request, response).catch((error) => {
      console.error(`${request.method} ${request.url}: ${error.stack}`);
      response.writeHead(400).end();
    });
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  return server;
}

// Signs in at a stub.
export async function signInAtVendor(page, login) {
  await page.click(`button[value="${login}"]`);
}

class Vendors {
  // Requests by their code, and logins by their access token.
  #codes = new Map();
  #tokens = new Map();

  constructor(base, people, applePublicKey) {
    Object.assign(this, { base, people, applePublicKey });
    this.key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    this.routes = {
      "/github/login/oauth/authorize": (call) => this.#authorize(call, githubRequest),
      "/github/login/oauth/access_token": (call) => this.#githubToken(call),
      "/github/api/v3/user": (call) => this.#githubUser(call),
      "/github/api/v3/user/emails": (call) => this.#githubEmails(call),
      "/apple/.well-known/openid-configuration": (call) => this.#json(call, this.#appleMetadata()),
      "/apple/auth/authorize": (call) => this.#authorize(call, appleRequest),
      "/apple/auth/token": (call) => this.#appleToken(call),
      "/apple/auth/keys": (call) => this.#json(call, { keys: [this.#jwk()] }),
      "/microsoft/common/v2.0/.well-known/openid-configuration": (call) => this.#json(call, this.#microsoftMetadata()),
      "/microsoft/common/oauth2/v2.0/authorize": (call) => this.#authorize(call, microsoftRequest),
      "/microsoft/common/oauth2/v2.0/token": (call) => this.#microsoftToken(call),
      "/microsoft/common/discovery/v2.0/keys": (call) =>
        this.#json(call, { keys: [{ ...this.#jwk(), issuer: `${this.base}/microsoft/{tenantid}/v2.0` }] }),
    };
  }

  async respond(request, response) {
    const url = new URL(request.url, this.base);
    const body = Buffer.concat(await request.toArray()).toString();
    const route = this.routes[url.pathname];
    if (url.pathname === "/favicon.ico") return response.writeHead(404).end();
    assert.ok(route, "no such path");
    const query = Object.fromEntries(url.searchParams);
    const form = Object.fromEntries(new URLSearchParams(body));
    route({ request, response, url, query, form, headers: request.headers });
  }

  // Asks who signs in, and sends the browser back as the request wants it.
  #authorize({ request, response, url, query, form }, check) {
    check(query);
    if (request.method === "GET") {
      const button = (login) => `<button name="login" value="${login}">${login}</button>`;
      return this.#form(response, url.pathname + url.search, Object.keys(this.people).map(button));
    }
    const code = random();
    this.#codes.set(code, { ...query, login: form.login });
    const back = { code, state: query.state };
    if (url.pathname.startsWith("/microsoft/")) back.session_state = random();
    if (query.response_mode !== "form_post") {
      const target = new URL(query.redirect_uri);
      for (const [name, value] of Object.entries(back)) target.searchParams.set(name, value);
      return response.writeHead(302, { location: target.href }).end();
    }
    back.user = JSON.stringify({ name: { firstName: "A", lastName: "B" }, email: this.people[form.login] });
    const field = ([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`;
    const script = "<script>document.forms[0].submit()</script>";
    return this.#form(response, query.redirect_uri, Object.entries(back).map(field), script);
  }

  #form(response, action, fields, script = "") {
    const form = `<form method="post" action="${escaped(action)}">${fields.join("")}</form>`;
    response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html>${form}${script}`);
  }

  // Returns the request of a code, which works once.
  #redeem(form) {
    const granted = this.#codes.get(form.code);
    this.#codes.delete(form.code);
    assert.ok(granted, "unknown code");
    assert.equal(form.redirect_uri, granted.redirect_uri);
    return granted;
  }

  #checkVerifier(form, granted) {
    const challenge = createHash("sha256").update(form.code_verifier).digest("base64url");
    assert.equal(challenge, granted.code_challenge, "code_verifier");
  }

  #githubToken(call) {
    const { form, headers } = call;
    assert.deepEqual([form.client_id, form.client_secret], ["github", "secret of github"]);
    assert.equal(headers.accept, "application/json", "the response is a form otherwise");
    const granted = this.#redeem(form);
    this.#checkVerifier(form, granted);
    const token = `gho_${random()}`;
    this.#tokens.set(token, granted.login);
    this.#json(call, { access_token: token, scope: "user:email", token_type: "bearer" });
  }

  #githubLogin({ headers }) {
    assert.ok(headers["user-agent"], "GitHub refuses requests without a User-Agent");
    const login = this.#tokens.get(headers.authorization?.replace(/^Bearer /, ""));
    assert.ok(login, "access token");
    return login;
  }

  #githubUser(call) {
    const login = this.#githubLogin(call);
    this.#json(call, { login, id: 1000 + Object.keys(this.people).indexOf(login), type: "User", email: null });
  }

  #githubEmails(call) {
    const email = this.people[this.#githubLogin(call)];
    const noreply = "1+any@users.noreply.github.com";
    this.#json(call, [
      { email: noreply, primary: false, verified: true, visibility: null },
      { email, primary: true, verified: true, visibility: "private" },
    ]);
  }

  #appleMetadata() {
    const issuer = `${this.base}/apple`;
    return {
      issuer,
      authorization_endpoint: `${issuer}/auth/authorize`,
      token_endpoint: `${issuer}/auth/token`,
      revocation_endpoint: `${issuer}/auth/revoke`,
      jwks_uri: `${issuer}/auth/keys`,
      response_types_supported: ["code"],
      response_modes_supported: ["query", "fragment", "form_post"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      scopes_supported: ["openid", "email", "name"],
      token_endpoint_auth_methods_supported: ["client_secret_post"],
    };
  }

  #appleToken(call) {
    const { form } = call;
    const [header, payload, signature] = form.client_secret.split(".");
    const key = { key: this.applePublicKey, dsaEncoding: "ieee-p1363" };
    const signed = Buffer.from(`${header}.${payload}`);
    assert.ok(verify("sha256", signed, key, Buffer.from(signature, "base64url")), "the client secret is not signed");
    const { alg, kid } = parsed(header);
    const { iss, sub, aud, iat, exp } = parsed(payload);
    assert.deepEqual([alg, kid, iss, sub, aud], ["ES256", "KEY123", "TEAM123", "apple", `${this.base}/apple`]);
    assert.ok(iat <= now() && exp > now() && exp - iat <= 15_777_000, "lifetime of the client secret");
    assert.equal(form.client_id, "apple");
    const { login, nonce } = this.#redeem(form);
    const claims = {
      nonce,
      nonce_supported: true,
      email: this.people[login],
      // A string, as Apple sent it for years.
      email_verified: "true",
      is_private_email: "false",
      auth_time: now(),
      real_user_status: 2,
    };
    const id = this.#idToken(`${this.base}/apple`, "apple", `000123.${login}.0456`, claims);
    const tokens = { access_token: random(), refresh_token: random(), id_token: id };
    this.#json(call, { ...tokens, token_type: "Bearer", expires_in: 3600 });
  }

  #microsoftMetadata() {
    const common = `${this.base}/microsoft/common`;
    return {
      token_endpoint: `${common}/oauth2/v2.0/token`,
      token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt", "client_secret_basic"],
      jwks_uri: `${common}/discovery/v2.0/keys`,
      response_modes_supported: ["query", "fragment", "form_post"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code", "id_token", "code id_token", "id_token token"],
      scopes_supported: ["openid", "profile", "email", "offline_access"],
      issuer: `${this.base}/microsoft/{tenantid}/v2.0`,
      request_uri_parameter_supported: false,
      userinfo_endpoint: `${this.base}/microsoft/oidc/userinfo`,
      authorization_endpoint: `${common}/oauth2/v2.0/authorize`,
    };
  }

  #microsoftToken(call) {
    const { form, headers } = call;
    const basic = Buffer.from(headers.authorization?.replace(/^Basic /, "") ?? "", "base64").toString();
    const [id, secret] = basic ? basic.split(":").map((part) => decodeURIComponent(part.replaceAll("+", " "))) : [];
    const client = [id ?? form.client_id, secret ?? form.client_secret];
    assert.deepEqual(client, ["microsoft", "secret of microsoft"]);
    const granted = this.#redeem(form);
    this.#checkVerifier(form, granted);
    const { login, nonce } = granted;
    const claims = {
      nbf: now(),
      aio: random(),
      email: this.people[login],
      name: login,
      nonce,
      oid: "00000000-0000-0000-66f3-3332eca7ea81",
      preferred_username: this.people[login],
      rh: random(),
      tid: tenant,
      uti: random(),
      ver: "2.0",
      xms_edov: true,
    };
    const token = this.#idToken(`${this.base}/microsoft/${tenant}/v2.0`, "microsoft", `AAAA-${login}`, claims);
    this.#json(call, {
      token_type: "Bearer",
      scope: "openid email",
      expires_in: 4825,
      ext_expires_in: 4825,
      access_token: random(),
      id_token: token,
    });
  }

  #jwk() {
    const { kty, n, e } = createPublicKey(this.key).export({ format: "jwk" });
    return { kty, n, e, kid: "one", use: "sig", alg: "RS256" };
  }

  #idToken(iss, aud, sub, claims) {
    const all = { iss, aud, sub, iat: now(), exp: now() + 3600, ...claims };
    const signed = `${base64url({ typ: "JWT", alg: "RS256", kid: "one" })}.${base64url(all)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), this.key).toString("base64url")}`;
  }

  #json({ response }, value) {
    response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
  }
}

function githubRequest({ client_id, scope, state, code_challenge, code_challenge_method }) {
  assert.deepEqual([client_id, scope, code_challenge_method], ["github", "user:email", "S256"]);
  assert.ok(state && code_challenge);
}

function appleRequest({ client_id, response_type, response_mode, scope, state, nonce }) {
  assert.deepEqual([client_id, response_type], ["apple", "code"]);
  assert.ok(state && nonce);
  assert.ok(!scope || response_mode === "form_post", "response_mode must be form_post if a scope is requested");
}

function microsoftRequest({ client_id, response_type, scope, state, nonce, code_challenge_method }) {
  assert.deepEqual([client_id, response_type, code_challenge_method], ["microsoft", "code", "S256"]);
  assert.ok(scope.split(" ").includes("openid") && state && nonce);
}
