"""Clients that write, samplers of readiness and of the database, and the record of what was acknowledged."""

import base64
import http.client
import json
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field

ACCOUNT_PASSWORD = "correct horse battery"


@dataclass
class Sample:
    replica: str
    began: float
    ended: float
    ok: bool
    status: int


@dataclass
class Acknowledged:
    """What a response with 2xx promised."""

    emails: list = field(default_factory=list)
    issued: list = field(default_factory=list)
    spent: list = field(default_factory=list)
    logged_out: list = field(default_factory=list)
    live: list = field(default_factory=list)


def jti(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["jti"]


def send(port, method, path, body=None, headers=None, timeout=15):
    """Returns status and JSON. Status 0: no response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"content-type": "application/json", **(headers or {})})
        response = connection.getresponse()
        raw = response.read()
        return response.status, json.loads(raw) if raw.startswith(b"{") else {}
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


class Load:
    def __init__(self, cluster, clients):
        self.cluster, self.over = cluster, threading.Event()
        self.lock = threading.Lock()
        self.writes, self.ready, self.database, self.unexpected = [], [], [], []
        self.acknowledged = Acknowledged()
        targets = [(self.database_writes, (port,)) for port in cluster.pg.values()]
        for name in cluster.replicas:
            targets += [(self.sample_ready, (name,))] + [(self.client, (name,))] * clients
        self.threads = [threading.Thread(target=self.guarded, args=target, daemon=True) for target in targets]
        for thread in self.threads:
            thread.start()

    def guarded(self, work, args):
        try:
            while not self.over.is_set():
                work(*args)
        except Exception as error:  # A client that ended would hide what comes after it.
            self.unexpected.append(repr(error))

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                self.unexpected.append("a client did not end")

    def write(self, replica, path, body, headers=None):
        began = time.monotonic()
        status, answer = send(self.cluster.replicas[replica], "POST", path, body, headers)
        sample = Sample(replica, began, time.monotonic(), 200 <= status < 300, status)
        # A refusal by a rule, such as 409 to a repeated registration, says nothing about the database.
        if sample.ok or status == 0 or status >= 500:
            with self.lock:
                self.writes.append(sample)
        return status, answer

    def repeat(self, replica, path, body, headers=None):
        """Sends a request until it is not refused as temporary. Returns None at the end of the load."""
        while not self.over.is_set():
            status, answer = self.write(replica, path, body, headers)
            if status not in (0, 503):
                return status, answer
            self.over.wait(0.2)
        return None

    def client(self, replica):
        """One person: registers, logs in, refreshes, and logs out of every second session."""
        promised = self.acknowledged
        account = {"email": f"{secrets.token_hex(8)}@example.com", "password": ACCOUNT_PASSWORD}
        status, _ = self.write(replica, "/auth/register", account)
        if status != 201:
            if status not in (0, 503):
                self.unexpected.append(f"register: {status}")
            self.over.wait(0.2)
            return
        promised.emails.append(account["email"])
        for ends in (True, False):
            done = self.repeat(replica, "/auth/login", account)
            if not self.expected("login", done):
                return
            token = done[1]["refresh_token"]
            promised.issued.append(jti(token))
            for _ in range(3):
                key = {"Idempotency-Key": secrets.token_hex(16)}
                done = self.repeat(replica, "/auth/refresh", {"refresh_token": token}, key)
                if not self.expected("refresh", done):
                    return
                promised.spent.append(jti(token))
                token = done[1]["refresh_token"]
                promised.issued.append(jti(token))
                self.over.wait(0.05)
            if not ends:
                promised.live.append(token)
            elif self.expected("logout", self.repeat(replica, "/auth/logout", {"refresh_token": token})):
                promised.logged_out.append(token)

    def expected(self, what, done):
        if done and done[0] != 200:
            self.unexpected.append(f"{what}: {done[0]}")
        return bool(done) and done[0] == 200

    def sample_ready(self, replica):
        began = time.monotonic()
        status, answer = send(self.cluster.replicas[replica], "GET", "/health/ready")
        ok = status == 200 and answer.get("status") == "ok"
        self.ready.append(Sample(replica, began, time.monotonic(), ok, status))
        self.over.wait(0.25)

    def database_writes(self, port):
        """Inserts into one node over a new connection: only the primary acknowledges."""
        began = time.monotonic()
        try:
            self.cluster.sql(port, "INSERT INTO trial_probe DEFAULT VALUES", timeout=1.5)
            ok = True
        except (OSError, subprocess.TimeoutExpired):
            ok = False
        self.database.append(Sample(str(port), began, time.monotonic(), ok, 0))
        self.over.wait(0.2 if ok else 0.4)
