"""A server-rendered app whose users sign in at Portcullis. Needs Python 3.9 or newer and nothing else.

    REDIRECT_URIS=http://127.0.0.1/callback portcullis
    PORTCULLIS=http://127.0.0.1:8000 PORT=3000 python3 hosted_sign_in.py

PORTCULLIS is the PUBLIC_URL of the service. A real app serves https, and keeps sessions in its database.
"""

import base64
import hashlib
import html
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORTCULLIS = os.environ.get("PORTCULLIS", "http://127.0.0.1:8000")
PORT = int(os.environ.get("PORT", "3000"))
REDIRECT_URI = f"http://127.0.0.1:{PORT}/callback"
sessions = {}  # the app's sessions, by the value of its cookie


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


class App(BaseHTTPRequestHandler):
    def session(self):
        """Returns the session of the browser's cookie, or an empty one that is not kept."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        return sessions.get(cookie.value if cookie else None, {})

    def keep(self, session):
        """Stores a session under a new value, so that no one can plant a known one. Returns its cookie."""
        value = secrets.token_urlsafe(32)
        sessions[value] = session
        # Lax: the browser comes back from another site.
        return {"Set-Cookie": f"session={value}; HttpOnly; SameSite=Lax; Path=/"}

    def respond(self, status, text="", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Logs nothing: the address of the callback has the code."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/":
            return self.home()
        if url.path == "/sign-in":
            return self.sign_in()
        if url.path == "/callback":
            return self.callback(query)
        return self.respond(404)

    def do_POST(self):
        if self.path != "/sign-out":
            return self.respond(404)
        session = self.session()
        if "refresh_token" in session:
            portcullis("POST", "/auth/logout", {"refresh_token": session["refresh_token"]})
        session.clear()
        return self.respond(303, headers={"Location": "/"})

    def home(self):
        session = self.session()
        if "access_token" not in session:
            return self.respond(200, '<a href="/sign-in">Sign in</a>')
        status, me = portcullis("GET", "/auth/me", token=session["access_token"])
        if status == 401:  # expired: refresh once
            status, tokens = portcullis("POST", "/auth/refresh", {"refresh_token": session["refresh_token"]})
            if status != 200:
                session.clear()
                return self.respond(303, headers={"Location": "/"})
            session.update(tokens)
            status, me = portcullis("GET", "/auth/me", token=session["access_token"])
        name = html.escape(me.get("email", "?"))
        return self.respond(200, f'Hello {name} <form method="post" action="/sign-out"><button>Sign out</button></form>')

    def sign_in(self):
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urllib.parse.urlencode({
            "redirect_uri": REDIRECT_URI,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        })
        cookie = self.keep({"verifier": verifier, "state": state})
        return self.respond(303, headers={"Location": f"{PORTCULLIS}/account/login?{query}", **cookie})

    def callback(self, query):
        pending = self.session()
        state, verifier = pending.pop("state", None), pending.pop("verifier", None)
        # The sign-in began in this browser, and the response is from this Portcullis.
        if not state or query.get("state") != state or query.get("iss") != PORTCULLIS:
            return self.respond(400, 'This sign-in did not begin here. <a href="/sign-in">Sign in</a>')
        body = {"code": query.get("code", ""), "code_verifier": verifier, "redirect_uri": REDIRECT_URI}
        status, tokens = portcullis("POST", "/auth/code", body)
        if status != 200:
            return self.respond(400, 'That did not work. <a href="/sign-in">Sign in again</a>')
        return self.respond(303, headers={"Location": "/", **self.keep(tokens)})


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), App)
    print(f"Open http://127.0.0.1:{PORT}/", flush=True)
    server.serve_forever()
