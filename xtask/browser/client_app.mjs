// A web application that signs its users in with the service (RFC 6749 §4.1, RFC 7636). It displays what it got.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";

const random = () => randomBytes(32).toString("base64url");

export class ClientApp {
  #pending = new Map();

  constructor(port, service) {
    this.service = service;
    // True if codes are displayed and not exchanged.
    this.keepsCodes = false;
    this.url = `http://127.0.0.1:${port}`;
    this.redirectUri = `${this.url}/callback`;
    this.server = createServer((request, response) => {
      this.#respond(new URL(request.url, this.url), response).catch((error) => {
        response.writeHead(500).end(`${error.stack}`);
      });
    });
    this.port = port;
  }

  async listen() {
    await new Promise((done) => this.server.listen(this.port, "127.0.0.1", done));
  }

  // Returns a state that the app will recognize. It has a code_verifier too.
  newState() {
    const state = random();
    this.#pending.set(state, random());
    return state;
  }

  // Posts JSON to the service.
  async post(path, body, access) {
    const headers = { "content-type": "application/json", ...(access && { authorization: `Bearer ${access}` }) };
    const options = { method: "POST", headers, body: JSON.stringify(body) };
    return this.#read(await fetch(this.service + path, options));
  }

  async get(path, access) {
    return this.#read(await fetch(this.service + path, { headers: { authorization: `Bearer ${access}` } }));
  }

  // Exchanges a code.
  exchange(code, verifier) {
    return this.post("/auth/code", { code, code_verifier: verifier, redirect_uri: this.redirectUri });
  }

  async #read(response) {
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }

  async #respond(url, response) {
    if (url.pathname === "/start") {
      const state = this.newState();
      const challenge = createHash("sha256").update(this.#pending.get(state)).digest("base64url");
      const query = new URLSearchParams({ redirect_uri: this.redirectUri, state });
      query.set("code_challenge", challenge);
      query.set("code_challenge_method", "S256");
      const provider = url.searchParams.get("provider");
      const path = provider ? `/auth/providers/${provider}/start` : "/account/login";
      return response.writeHead(302, { location: `${this.service}${path}?${query}` }).end();
    }
    if (url.pathname !== "/callback") return response.writeHead(404).end();
    const given = Object.fromEntries(url.searchParams);
    const verifier = this.#pending.get(given.state);
    assert.ok(verifier, "the state is not this app's");
    if (given.code) assert.equal(given.iss, this.service, "iss");
    const exchanged = given.code && !this.keepsCodes ? await this.exchange(given.code, verifier) : undefined;
    const me = exchanged?.status === 200 ? await this.get("/auth/me", exchanged.body.access_token) : undefined;
    const page = JSON.stringify({ ...given, verifier, exchanged, me: me?.body });
    return response.writeHead(200, { "content-type": "application/json" }).end(page);
  }
}
