"""What a mobile or desktop app does to sign its user in at Portcullis. Needs Python 3.9 or newer and nothing else.

    REDIRECT_URIS=com.example.app:/signed-in portcullis
    PORTCULLIS=http://127.0.0.1:8000 python3 native_app.py

It prints the address for the system's browser, and reads the address that the system opens the app with.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request

PORTCULLIS = os.environ.get("PORTCULLIS", "http://127.0.0.1:8000")
REDIRECT_URI = os.environ.get("REDIRECT_URI", "com.example.app:/signed-in")


def portcullis(method, path, body=None, token=None):
    """Calls the API. Returns status and body."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(PORTCULLIS + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def begin():
    """Returns what the app keeps until it is opened again, and the address for the browser."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urllib.parse.urlencode({
        "redirect_uri": REDIRECT_URI,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    })
    return {"verifier": verifier, "state": state}, f"{PORTCULLIS}/account/login?{query}"


def complete(pending, url):
    """Exchanges the code. Another app may open this one with any address, so the state is checked first."""
    address, _, query = url.strip().partition("?")
    given = dict(urllib.parse.parse_qsl(query))
    if address != REDIRECT_URI or given.get("state") != pending["state"] or given.get("iss") != PORTCULLIS:
        raise SystemExit("This sign-in did not begin here.")
    body = {"code": given.get("code", ""), "code_verifier": pending["verifier"], "redirect_uri": REDIRECT_URI}
    status, tokens = portcullis("POST", "/auth/code", body)
    if status != 200:
        raise SystemExit(f"The code was refused: {tokens['error']['code']}")
    return tokens


if __name__ == "__main__":
    pending, url = begin()
    print(url, flush=True)
    tokens = complete(pending, sys.stdin.readline())
    # Keep the refresh token in the system's keychain. Name each refresh, so that a lost response can be repeated.
    status, me = portcullis("GET", "/auth/me", token=tokens["access_token"])
    print(f"Signed in as {me['email']}")
