// Codes of an authenticator app (RFC 6238), computed from the secret that a page displays.

import { createHmac } from "node:crypto";

const STEP = 30_000;

function decoded(base32) {
  const bits = [...base32].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

function codeAt(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", decoded(secret)).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

export class Authenticator {
  #used = 0;

  constructor(secret) {
    this.secret = secret.replace(/\s/g, "");
  }

  // Returns a code that was not used yet. The service accepts a code one step early, and each step once.
  code() {
    const now = Math.floor(Date.now() / STEP);
    this.#used = Math.max(now, this.#used + 1);
    if (this.#used > now + 1) throw new Error("the next code is not valid yet: use a recovery code");
    return codeAt(this.secret, this.#used);
  }
}
