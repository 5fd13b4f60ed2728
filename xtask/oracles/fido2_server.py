"""Judges and creates credentials with fido2, Yubico's library, for `cargo xtask check passkeys`.

With the path of a file of cases it checks their verdicts. Without one it prints cases of its own. The format
is that of `crates/adapters/webauthn/examples/oracle.rs`.
"""

import json
import os
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor, cose
from fido2.server import Fido2Server
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
    PublicKeyCredentialRpEntity,
)

RP_ID = "example.org"
ORIGIN = "https://example.org"
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

server = Fido2Server(
    PublicKeyCredentialRpEntity(id=RP_ID, name="Portcullis"),
    attestation="none",
    verify_origin=lambda origin: origin == ORIGIN,
)


def verdict(case):
    """Returns whether the library accepts a response, and why not."""
    state = {"challenge": case["challenge"], "user_verification": "required"}
    key = case["key"]
    try:
        if key is None:
            server.register_complete(state, case["response"])
        else:
            public_key = cose.CoseKey.parse(cbor.decode(websafe_decode(key["publicKey"])))
            stored = AttestedCredentialData.create(bytes(16), websafe_decode(key["id"]), public_key)
            server.authenticate_complete(state, [stored], case["response"])
    except Exception as refusal:  # The library has no common type for refusals.
        return False, repr(refusal)
    return True, None


def new_keys():
    """Returns a private key, its public key and its signature function for each algorithm."""
    p256 = ec.generate_private_key(ec.SECP256R1())
    yield cose.ES256, p256, lambda message: p256.sign(message, ec.ECDSA(hashes.SHA256()))
    curve = ed25519.Ed25519PrivateKey.generate()
    yield cose.EdDSA, curve, curve.sign
    for bits in (2048, 4096):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        yield cose.RS256, key, lambda message, key=key: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def response(credential_id, members):
    encoded = websafe_encode(credential_id)
    members = {name: websafe_encode(value) for name, value in members.items()}
    return {"id": encoded, "rawId": encoded, "type": "public-key", "response": members, "clientExtensionResults": {}}


def cases():
    """Yields each key's responses, and changes of them that must be refused."""
    for kind, private_key, sign in new_keys():
        public_key = kind.from_cryptography_key(private_key.public_key())
        challenge, credential_id = os.urandom(32), os.urandom(64)
        stored = {
            "id": websafe_encode(credential_id),
            "algorithm": kind.ALGORITHM,
            "publicKey": websafe_encode(cbor.encode(public_key)),
            "counter": 0,
        }
        for flags, origin, rp_id, extensions in [
            (UP | UV, ORIGIN, RP_ID, None),
            (UP | UV | BE | BS | ED, ORIGIN, RP_ID, {"credProtect": 2}),
            (UP, ORIGIN, RP_ID, None),
            (UV, ORIGIN, RP_ID, None),
            (UP | UV, "https://example.net", RP_ID, None),
            (UP | UV, ORIGIN, "example.net", None),
        ]:
            accepted = flags & (UP | UV) == UP | UV and (origin, rp_id) == (ORIGIN, RP_ID)
            name = f"{kind.__name__} {flags:#x} {origin} {rp_id}"
            attested = AttestedCredentialData.create(os.urandom(16), credential_id, public_key)
            data = AuthenticatorData.create(sha256(rp_id.encode()), flags | AT, 0, attested, extensions)
            client = CollectedClientData.create("webauthn.create", challenge, origin)
            attestation = AttestationObject.create("none", data, {})
            registration = response(credential_id, {"clientDataJSON": client, "attestationObject": attestation})
            yield {"name": f"{name} registration", "response": registration, "key": None, "accepted": accepted,
                   "challenge": websafe_encode(challenge)}
            data = AuthenticatorData.create(sha256(rp_id.encode()), flags, 1, b"", extensions)
            client = CollectedClientData.create("webauthn.get", challenge, origin)
            signature = sign(data + client.hash)
            broken = bytes([*signature[:-1], signature[-1] ^ 1])
            for name, signature, accepted in [
                (f"{name} assertion", signature, accepted),
                (f"{name} broken assertion", broken, False),
            ]:
                members = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
                yield {"name": name, "response": response(credential_id, members), "key": stored,
                       "accepted": accepted, "challenge": websafe_encode(challenge)}


if len(sys.argv) == 1:
    print(json.dumps(list(cases())))
else:
    with open(sys.argv[1], encoding="utf-8") as file:
        theirs = json.load(file)
    verdicts = [(case["name"], case["accepted"], verdict(case)) for case in theirs]
    wrong = [(name, reason) for name, expected, (accepted, reason) in verdicts if accepted != expected]
    if wrong or not theirs:
        sys.exit(f"fido2 disagrees: {wrong}")
    print(f"fido2: {len(theirs)} verdicts agree")
