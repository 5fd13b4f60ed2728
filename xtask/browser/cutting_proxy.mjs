// A TLS proxy in front of the service that cuts, holds and delays responses on demand, as bad networks do.
// The page says in headers what happens to a request:
//   x-wait: <ms>       forward it later
//   x-cut: before      close the connection: the service sees nothing
//   x-cut: after       close the connection once the service has responded
//   x-cut: late        hold the response until `release` is called
// Other hosts than the service's, and `/app`, get an empty page, so that a check can open pages on them.

import { createServer } from "node:https";
import { Agent, request as send } from "node:http";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class CuttingProxy {
  // Refresh tokens that the service set, by the value of the header `x-owner`, in order.
  issued = new Map();
  cut = { before: 0, after: 0, late: 0 };
  retried = 0;
  // Requests of pages of other origins: how many came, with one of the service's cookies, and what was set.
  foreign = { requests: 0, withCookies: 0, set: [] };
  #held = [];
  #waiting = [];

  constructor(service, publicUrl, tls) {
    this.service = new URL(service);
    this.public = new URL(publicUrl);
    this.agent = new Agent({ keepAlive: true });
    this.server = createServer(tls, (request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  listen() {
    return new Promise((resolve) => this.server.listen(this.public.port, "127.0.0.1", resolve));
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
    this.agent.destroy();
  }

  // Waits until that many responses are held.
  whenHeld(count) {
    if (this.#held.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  #hold() {
    return new Promise((finish) => {
      this.#held.push(finish);
      for (const { count, resolve } of this.#waiting) if (this.#held.length >= count) resolve();
      this.#waiting = this.#waiting.filter(({ count }) => this.#held.length < count);
    });
  }

  // Sends the held responses, in the order that the caller chooses.
  release(order) {
    for (const finish of order(this.#held.splice(0))) finish();
  }

  async #serve(request, response) {
    if (request.headers.host !== this.public.host || request.url === "/app") {
      request.resume();
      return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>page</title>");
    }
    const { "x-cut": cut, "x-wait": wait } = request.headers;
    if (wait) await pause(Number(wait));
    if (cut in this.cut) this.cut[cut] += 1;
    if (cut === "before") return request.socket.destroy();
    const { status, headers, body } = await this.#forward(request);
    this.#record(request, headers["set-cookie"] ?? []);
    if (cut === "late") await this.#hold();
    if (cut === "after") return request.socket.destroy();
    response.writeHead(status, headers).end(body);
  }

  #forward(request) {
    return new Promise((resolve, reject) => {
      const { method, url: path, headers } = request;
      const { hostname, port } = this.service;
      const out = send({ agent: this.agent, hostname, port, method, path, headers }, async (reply) => {
        const chunks = await reply.toArray();
        resolve({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(chunks) });
      });
      out.on("error", reject);
      request.pipe(out);
    });
  }

  #record({ url, headers }, cookies) {
    const { origin, cookie, "x-owner": owner } = headers;
    if (origin && origin !== this.public.origin) {
      this.foreign.requests += 1;
      this.foreign.withCookies += Number(/__Host-portcullis_refresh=/.test(cookie));
      this.foreign.set.push(...cookies.map((cookie) => `${origin} ${url}: ${cookie.split("=")[0]}`));
    }
    for (const cookie of cookies) {
      const token = /^__Host-portcullis_refresh=([^;]+)/.exec(cookie)?.[1];
      if (!token) continue;
      const tokens = this.issued.get(owner) ?? [];
      if (tokens.includes(token)) this.retried += 1;
      else this.issued.set(owner, [...tokens, token]);
    }
  }
}
