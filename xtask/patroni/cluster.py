"""Three PostgreSQL nodes under Patroni, etcd, HAProxy, Prometheus and two replicas of the service, on loopback.

Every process starts from the files in `deploy`: only addresses, paths and passwords are replaced."""

import json
import os
import pwd
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

NAMES = ("n1", "n2", "n3")
PASSWORD = secrets.token_hex(12)
PG_BIN = os.environ.get("PORTCULLIS_TEST_PG_BIN", "/usr/lib/postgresql/15/bin")


def free_ports(count):
    """Returns ports from the kernel, all held until the last is known."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def until(what, check, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"{what}: not within {seconds} s")


def fetch(url, timeout=2):
    """Returns status and body. Status 0: no response."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def replaced(text, pairs):
    for shipped, here in pairs:
        if shipped not in text:
            raise SystemExit(f"the shipped file has no {shipped}")
        text = text.replace(shipped, here)
    return text


def descendants(pid):
    """Lists a process and its children of every generation."""
    found = [pid]
    for one in found:
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        found += [int(child) for child in children]
    return found


class Cluster:
    def __init__(self, binary, root, folder):
        self.binary, self.root, self.folder = binary, Path(root), Path(folder)
        ports = free_ports(14)
        self.pg = dict(zip(NAMES, ports[0:3]))
        self.rest = dict(zip(NAMES, ports[3:6]))
        self.etcd, self.etcd_peer, self.haproxy, self.prometheus = ports[6:10]
        self.replicas = dict(zip(("hosts", "haproxy"), ports[10:12]))
        self.metrics = dict(zip(self.replicas, ports[12:14]))
        self.owner = "postgres" if os.geteuid() == 0 else None
        if self.owner:
            user = pwd.getpwnam(self.owner)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.processes, self.patroni = [], {}

    def spawn(self, name, command, owner=None, env=None):
        log = open(self.folder / f"{name}.log", "a")
        extra = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
        process = subprocess.Popen(
            [str(part) for part in command], stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **(env or {})}, **extra
        )
        self.processes.append(process)
        return process

    def start(self):
        client = f"http://127.0.0.1:{self.etcd}"
        peer = f"http://127.0.0.1:{self.etcd_peer}"
        self.spawn("etcd", [
            "etcd", "--name", "e1", "--data-dir", self.folder / "etcd", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"e1={peer}",
        ])
        until("etcd", lambda: fetch(f"{client}/health")[0] == 200, 30)
        for name in NAMES:
            self.start_node(name)
        until("three nodes, one synchronous", lambda: len(self.roles()) == 3 and self.standby(), 180)
        self.start_haproxy()
        self.start_prometheus()
        self.sql(self.pg[self.primary()], "CREATE TABLE trial_probe (id bigserial PRIMARY KEY)")
        for name in self.replicas:
            self.start_replica(name)

    def start_node(self, name):
        address = f"127.0.0.1:{self.pg[name]}"
        text = replaced((self.root / "deploy/patroni/patroni.yml").read_text(), [
            ("name: n1", f"name: {name}"),
            ("10.0.0.1:8008", f"127.0.0.1:{self.rest[name]}"),
            ("10.0.0.9:2379", f"127.0.0.1:{self.etcd}"),
            ("10.0.0.1:5432", address),
            ("/var/lib/postgresql/portcullis", str(self.folder / name)),
            ("/usr/lib/postgresql/15/bin", PG_BIN),
            ("/run/postgresql/pgpass", str(self.folder / f"pgpass-{name}")),
            ("unix_socket_directories: /run/postgresql", f"unix_socket_directories: {self.folder}"),
            *((f"replace-{role}", PASSWORD) for role in ("superuser", "replicator", "rewind")),
        ])
        file = self.folder / f"{name}.yml"
        file.write_text(text)
        self.patroni[name] = self.spawn(f"patroni-{name}", ["patroni", file], self.owner)

    def start_haproxy(self):
        pairs = [("bind :5000", f"bind 127.0.0.1:{self.haproxy}")]
        for number, name in enumerate(NAMES, 1):
            shipped = f"10.0.0.{number}:5432 check port 8008"
            pairs.append((shipped, f"127.0.0.1:{self.pg[name]} check port {self.rest[name]}"))
        file = self.folder / "haproxy.cfg"
        file.write_text(replaced((self.root / "deploy/haproxy/postgresql.cfg").read_text(), pairs))
        self.spawn("haproxy", ["haproxy", "-db", "-f", file])

    def start_prometheus(self):
        """Starts Prometheus with the shipped alerts. A failover is shorter than 30 s, so `for` is 5 s here."""
        rules, count = re.subn(
            r"(alert: PortcullisCircuitOpen\n.*\n\s+for:) 30s", r"\1 5s", (self.root / "docs/alerts.yml").read_text()
        )
        if count != 1:
            raise SystemExit("docs/alerts.yml has no PortcullisCircuitOpen with `for: 30s`")
        (self.folder / "alerts.yml").write_text(rules)
        targets = [f"127.0.0.1:{port}" for port in self.metrics.values()]
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": "portcullis", "static_configs": [{"targets": targets}]}],
        }))
        self.spawn("prometheus", [
            "prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}", f"--web.listen-address=127.0.0.1:{self.prometheus}",
        ])

    def start_replica(self, name):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.pg.values())
        at, suffix = (hosts, "?target_session_attrs=read-write") if name == "hosts" else (f"127.0.0.1:{self.haproxy}", "")
        if not hasattr(self, "secret"):
            self.secret = secrets.token_hex(32)
        port = self.replicas[name]
        self.spawn(f"replica-{name}", [self.binary, "serve"], env={
            "DATABASE_URL": f"postgresql://postgres:{PASSWORD}@{at}/postgres{suffix}", "SECRET_KEY": self.secret,
            "HOST": "127.0.0.1", "PORT": str(port), "METRICS_ADDR": f"127.0.0.1:{self.metrics[name]}",
            "BCRYPT_COST": "4", "RATE_LIMIT_ENABLED": "false", "PUBLIC_URL": "http://127.0.0.1", "LOG_HEALTH": "false",
            "DEBUG": "true", "MAIL_DIR": str(self.folder / "outbox"),
        })
        until(f"replica {name}", lambda: fetch(f"http://127.0.0.1:{port}/health/ready")[0] == 200, 60)

    def roles(self):
        """Returns the role of each running member as any responding node knows it."""
        for port in self.rest.values():
            status, body = fetch(f"http://127.0.0.1:{port}/cluster", timeout=1)
            if status == 200:
                members = json.loads(body)["members"]
                return {one["name"]: one["role"] for one in members if one["state"] in ("running", "streaming")}
        return {}

    def primary(self):
        return next((name for name, role in self.roles().items() if role == "leader"), None)

    def standby(self):
        """Returns the synchronous standby."""
        return next((name for name, role in self.roles().items() if role == "sync_standby"), None)

    def healthy(self):
        return len(self.roles()) == 3 and self.primary() and self.standby()

    def switchover(self, leader, candidate):
        body = json.dumps({"leader": leader, "candidate": candidate}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest[leader]}/switchover", body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status

    def configure(self, parameters):
        """Changes parameters of PostgreSQL on every node, as `patronictl edit-config` does."""
        body = json.dumps({"postgresql": {"parameters": parameters}}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest[self.primary()]}/config", body, method="PATCH")
        urllib.request.urlopen(request, timeout=10).close()
        port = self.pg[self.primary()]
        for name, value in parameters.items():
            until(f"{name} is {value}", lambda: self.sql(port, f"SHOW {name}").strip() == value, 30)

    def signal_node(self, name, number):
        """Sends a signal to Patroni and every process of PostgreSQL on a node, parents first."""
        node = descendants(self.patroni[name].pid) + self.postmaster(name)
        for pid in dict.fromkeys(node):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def postmaster(self, name):
        """Lists PostgreSQL's processes: the postmaster is no child of Patroni, or not for long."""
        try:
            return descendants(int((self.folder / name / "postmaster.pid").read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            return []

    def sql(self, port, statement, timeout=30):
        env = {**os.environ, "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "2"}
        command = ["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(command, input=statement, env=env, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout

    def stop(self):
        for name in self.patroni:
            self.signal_node(name, signal.SIGKILL)
        for process in self.processes:
            process.kill()
            process.wait()
