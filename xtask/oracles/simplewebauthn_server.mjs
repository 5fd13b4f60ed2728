// Judges credentials with @simplewebauthn/server, for `cargo xtask check passkeys`. The argument is a file of cases
// in the format of `crates/adapters/webauthn/examples/oracle.rs`.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(join(process.env.NODE_MODULES, "/"));
const { verifyAuthenticationResponse, verifyRegistrationResponse } = await import(
  pathToFileURL(resolve("@simplewebauthn/server"))
);

// Returns whether the library accepts a response, and why not.
async function verdict({ challenge, response, key }) {
  const expected = {
    response,
    expectedChallenge: challenge,
    expectedOrigin: "https://example.org",
    expectedRPID: "example.org",
    requireUserVerification: true,
  };
  try {
    if (key === null) {
      return [(await verifyRegistrationResponse({ ...expected, supportedAlgorithmIDs: [-7, -8, -257] })).verified];
    }
    const credential = { ...key, publicKey: new Uint8Array(Buffer.from(key.publicKey, "base64url")) };
    return [(await verifyAuthenticationResponse({ ...expected, credential })).verified];
  } catch (refusal) {
    return [false, `${refusal}`];
  }
}

const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
const wrong = [];
for (const one of cases) {
  const [accepted, reason] = await verdict(one);
  if (accepted !== one.accepted) wrong.push([one.name, reason]);
}
if (wrong.length > 0 || cases.length === 0) {
  console.error(`@simplewebauthn/server disagrees: ${JSON.stringify(wrong)}`);
  process.exit(1);
}
console.log(`@simplewebauthn/server: ${cases.length} verdicts agree`);
