// OpenID providers that are not ours: oidc-provider (panva), oidc-provider-mock (Authlib), Canaille and LemonLDAP::NG
// (Perl). Each runs on another site than the service: on `localhost` if that is on 127.0.0.1, and the other way round.

import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
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
  return started(mock, "oidc-provider-mock", port);
}

// Waits until a provider responds.
async function started(provider, name, port) {
  const url = `http://localhost:${port}/.well-known/openid-configuration`;
  for (let wait = 0; wait < 600; wait += 1) {
    if (await fetch(url).then((response) => response.ok, () => false)) return provider;
    await new Promise((done) => setTimeout(done, 50));
  }
  provider.kill();
  throw new Error(`${name} does not respond on port ${port}`);
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

// Starts Canaille (Authlib, Flask) with a person and a client. It announces `iss` and encodes its keys as RSA. Its data
// are in the folder.
export async function startCanaille(program, folder, port, { id, secret, callback }, { login, email, password }) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = Object.entries({ kid: "one", ...privateKey.export({ format: "jwk" }) });
  const config = `
SECRET_KEY = "a key of a test"
SERVER_NAME = "localhost:${port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE.ACL.DEFAULT]
PERMISSIONS = ["edit_self", "use_oidc"]
READ = ["user_name", "emails"]
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///${join(folder, "canaille.db")}"
[CANAILLE_OIDC]
ACTIVE_JWKS = [{ ${key.map(([name, value]) => `${name} = "${value}"`).join(", ")} }]
`;
  const file = join(folder, "canaille.toml");
  writeFileSync(file, config);
  const options = { cwd: folder, stdio: "ignore", env: { ...process.env, CANAILLE_CONFIG: file } };
  const person = ["--user-name", login, "--family-name", login, "--emails", email, "--password", password];
  const client = ["--client-id", id, "--client-secret", secret, "--client-name", id, "--redirect-uris", callback];
  client.push("--grant-types", "authorization_code", "--response-types", "code");
  // Without it, the ID tokens of a client that the program created are not signed.
  client.push("--id-token-signed-response-alg", "RS256");
  client.push("--token-endpoint-auth-method", "client_secret_basic", "--scope", "openid", "--scope", "email");
  // Without it, ID tokens have no audience.
  const audience = ["set", "client", id, "--audience", id];
  const create = [["create", "user", ...person], ["create", "client", ...client]];
  for (const command of [["install"], ...create, audience]) {
    const { status } = spawnSync(program, command, options);
    if (status !== 0) throw new Error(`canaille ${command.slice(0, 2).join(" ")} failed`);
  }
  const server = spawn(program, ["run", "--bind", `127.0.0.1:${port}`], options);
  return started(server, "canaille", port);
}

// Signs in at Canaille, and consents.
export async function signInAtCanaille(page, { login, password }) {
  await page.fill("input[name=login]", login);
  await page.click("#loginform button[type=submit]");
  await page.fill("input[name=password]", password);
  await page.click("form button[type=submit]:has-text('Sign in')");
  await page.click("button[name=answer][value=accept]");
}

// Starts the portal of LemonLDAP::NG with its built-in people and a client that must use PKCE. Its data are in the folder.
export async function startLemonldap(folder, port, { id, secret, callback }) {
  const origin = `http://localhost:${port}`;
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = (key, type) => key.export({ type, format: "pem" });
  const place = (name) => {
    mkdirSync(join(folder, name, "lock"), { recursive: true });
    return join(folder, name);
  };
  const storage = (name) => ({ Directory: place(name), LockDirectory: join(folder, name, "lock") });
  const options = {
    ClientID: id,
    ClientSecret: secret,
    RedirectUris: callback,
    IDTokenSignAlg: "RS256",
    IDTokenForceClaims: 1,
    RequirePKCE: 1,
    BypassConsent: 1,
  };
  const prefixed = Object.entries(options).map(([name, value]) => [`oidcRPMetaDataOptions${name}`, value]);
  const configuration = {
    cfgNum: 1,
    cfgDate: 1,
    portal: `${origin}/`,
    domain: "localhost",
    cookieName: "lemonldap",
    key: "a key of a test",
    authentication: "Demo",
    userDB: "Same",
    passwordDB: "Demo",
    registerDB: "Null",
    demoExportedVars: { mail: "mail", uid: "uid" },
    globalStorage: "Apache::Session::File",
    globalStorageOptions: storage("sessions"),
    persistentStorage: "Apache::Session::File",
    persistentStorageOptions: storage("persistent"),
    localSessionStorage: "",
    locationRules: {},
    issuerDBOpenIDConnectActivation: 1,
    oidcServiceMetaDataIssuer: origin,
    oidcServicePrivateKeySig: pem(privateKey, "pkcs8"),
    oidcServicePublicKeySig: pem(publicKey, "spki"),
    oidcServiceKeyIdSig: "one",
    oidcServiceAllowAuthorizationCodeFlow: 1,
    oidcRPMetaDataOptions: { portcullis: Object.fromEntries(prefixed) },
    oidcRPMetaDataExportedVars: { portcullis: { email: "mail", email_verified: "verified;bool" } },
    oidcRPMetaDataMacros: { portcullis: { verified: "1" } },
  };
  writeFileSync(join(place("configuration"), "lmConf-1.json"), JSON.stringify(configuration));
  const ini = join(folder, "lemonldap-ng.ini");
  const cache = `{ namespace => 'configuration', cache_root => '${place("cache")}' }`;
  writeFileSync(
    ini,
    `[all]
logLevel = error
logger = Lemonldap::NG::Common::Logger::Std
[configuration]
type = File
dirName = ${join(folder, "configuration")}
localStorage = Cache::FileCache
localStorageOptions = ${cache}
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
`,
  );
  const portal = ["-MLemonldap::NG::Portal::Main", "-e", "Lemonldap::NG::Portal::Main->run({})"];
  const server = ["--server", "HTTP::Server::PSGI", "--host", "127.0.0.1", "--port", port];
  const env = { ...process.env, LLNG_DEFAULTCONFFILE: ini };
  const lemonldap = spawn("plackup", [...server, ...portal], { cwd: folder, stdio: "ignore", env });
  return started(lemonldap, "LemonLDAP::NG", port);
}

// Signs in at LemonLDAP::NG, whose built-in people have their names as passwords.
export async function signInAtLemonldap(page, login) {
  await page.fill("input[name=user]", login);
  await page.fill("input[name=password]", login);
  await page.click("form button[type=submit]");
}
