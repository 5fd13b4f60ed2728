// OpenID providers that are not ours: oidc-provider (panva), and oidc-provider-mock (Authlib). Each runs on another site
// than the service: on `localhost` if that is on 127.0.0.1, and the other way round.

import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const resolve = createRequire(join(process.env.NODE_MODULES, "/")).resolve;

// Starts oidc-provider with a client for each callback. Its ID tokens have no email, which is read from userinfo.
// Anyone can sign in, with any password; the login is the subject.
export async function startOidcProvider(issuer, claims, clients) {
  const { default: Provider } = await import(pathToFileURL(resolve("oidc-provider")));
  const key = (kind, options) => generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });
  const pair = [key("ec", { namedCurve: "P-256" }), key("ed25519")];
  const provider = new Provider(issuer, {
    clients: clients.map(({ id, secret, callback, algorithm }) => ({
      client_id: id,
      client_secret: secret,
      redirect_uris: [callback],
      id_token_signed_response_alg: algorithm,
    })),
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...claims[sub] }) }),
    jwks: { keys: pair.map((jwk, id) => ({ ...jwk, kid: `key-${id}`, use: "sig" })) },
    enabledJWA: { idTokenSigningAlgValues: ["ES256", "EdDSA"] },
    cookies: { keys: ["a key of a test"] },
  });
  const server = provider.listen(Number(new URL(issuer).port), "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  return server;
}

// Starts oidc-provider-mock, which puts the email into the ID token and sends no `iss` with the code.
export async function startMock(program, port, claims) {
  const users = Object.entries(claims).map(([sub, user]) => `--user-claims=${JSON.stringify({ sub, ...user })}`);
  const mock = spawn(program, [`--port=${port}`, ...users], { stdio: ["ignore", "ignore", "ignore"] });
  const url = `http://localhost:${port}/.well-known/openid-configuration`;
  for (let wait = 0; wait < 300; wait += 1) {
    if (await fetch(url).then((response) => response.ok, () => false)) return mock;
    await new Promise((done) => setTimeout(done, 50));
  }
  mock.kill();
  throw new Error(`oidc-provider-mock does not respond on port ${port}`);
}

// Gets an ID token from oidc-provider-mock, as a native app does.
export async function idTokenOfMock(port, clientId, login, nonce) {
  const url = `http://localhost:${port}/oauth2`;
  const redirectUri = "com.example.app:/back";
  const client = { client_id: clientId, redirect_uri: redirectUri };
  const request = { ...client, response_type: "code", scope: "openid email", nonce };
  const form = (body) => ({ method: "POST", body: new URLSearchParams(body), redirect: "manual" });
  const signedIn = await fetch(`${url}/authorize?${new URLSearchParams(request)}`, form({ sub: login }));
  const code = new URL(signedIn.headers.get("location")).searchParams.get("code");
  const exchange = { ...client, client_secret: "any", grant_type: "authorization_code", code };
  const tokens = await fetch(`${url}/token`, form(exchange));
  return (await tokens.json()).id_token;
}

// Signs in at oidc-provider.
export async function signInAtOidcProvider(page, login) {
  // A provider remembers the browser, and then asks for nothing.
  if (page.url().includes("/interaction/") && (await page.locator("input[name=login]").count()) > 0) {
    await page.fill("input[name=login]", login);
    await page.fill("input[name=password]", "any");
    await page.click("button[type=submit]");
  }
  if (page.url().includes("/interaction/")) await page.click("button[type=submit]");
}

// Signs in at oidc-provider-mock.
export async function signInAtMock(page, login) {
  await page.click(`button[value="${login}"]`);
}
