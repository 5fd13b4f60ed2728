"""Faults of a PostgreSQL cluster under Patroni, with two replicas of the service under load.

    trial.py <portcullis> <repository>

The service promises, for each fault:
- Nothing that a 2xx acknowledged is lost: accounts, issued and spent refresh tokens, logouts.
- Each replica acknowledges a write at most 5 s after the database does, and refuses none after that.
- `/health/ready` is never `ok` while writes fail: between two failed writes of a replica with no success in
  between, no sample that begins more than PROBE seconds after the first failure and ends before the second
  write begins is `ok`.
- Prometheus fires PortcullisCircuitOpen if a replica failed MIN_FAILED writes in MIN_ALERT seconds or more. While
  commits hang, each write fails after 9 s, so that a few clients open no circuit in this time."""

import json
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
from cluster import Cluster, fetch, until
from load import Load, jti, send

BACK, PROBE, CLIENTS = 5.0, 1.0, 2
# Five failures open the circuit; then come `for: 5s`, a scrape and an evaluation.
MIN_ALERT, MIN_FAILED = 15.0, 20
SETTLE = 3.0


def switchover(cluster):
    cluster.switchover(cluster.primary(), cluster.standby())
    return None


def primary_killed(cluster):
    name = cluster.primary()
    cluster.signal_node(name, signal.SIGKILL)
    return lambda: cluster.start_node(name)


def frozen(name, cluster):
    cluster.signal_node(name, signal.SIGSTOP)
    return lambda: cluster.signal_node(name, signal.SIGCONT)


def primary_frozen(cluster):
    return frozen(cluster.primary(), cluster)


def standby_frozen(cluster):
    return frozen(cluster.standby(), cluster)


def standby_frozen_for_long(cluster):
    """With PostgreSQL's default, commits wait until Patroni gives the standby up: longer than the service waits."""
    cluster.configure({"wal_sender_timeout": "1min"})
    return standby_frozen(cluster)


FAULTS = {
    "switchover": switchover,
    "primary killed": primary_killed,
    "primary frozen": primary_frozen,
    "standby frozen": standby_frozen,
    "commits hang": standby_frozen_for_long,
}


def outage(samples, began, ended):
    """Returns start of the first failure, and end of the first success that no failure follows."""
    within = sorted((one for one in samples if began <= one.began <= ended), key=lambda one: one.began)
    failures = [one for one in within if not one.ok]
    if not failures:
        return None
    back = [one.ended for one in within if one.ok and one.began >= failures[-1].began]
    return failures[0].began, min(back, default=None)


def database_outage(samples, began, ended):
    """Returns the longest time between two acknowledged inserts: its start and end."""
    good = sorted(one.ended for one in samples if one.ok and began - 5 <= one.ended <= ended)
    gaps = [(after - before, before, after) for before, after in zip(good, good[1:]) if after >= began]
    return max(gaps)[1:] if gaps else (began, None)


def false_ready(writes, ready, replica):
    """Lists the samples that said `ok` while writes failed."""
    found, run = [], []
    for write in sorted((one for one in writes if one.replica == replica), key=lambda one: one.ended):
        if write.ok:
            run = []
            continue
        if run:
            first = run[0].ended + PROBE
            found += [
                one for one in ready
                if one.replica == replica and one.ok and one.began > first and one.ended < write.began
            ]
        run.append(write)
    return list({id(one): one for one in found}.values())


def alert_fired(cluster, seconds):
    query = f'max_over_time(ALERTS{{alertname="PortcullisCircuitOpen",alertstate="firing"}}[{int(seconds) + 1}s])'
    url = f"http://127.0.0.1:{cluster.prometheus}/api/v1/query?query={urllib.parse.quote(query)}"
    found = json.loads(fetch(url)[1])["data"]["result"]
    return sorted({one["metric"]["circuit"] for one in found})


def recovered(load, began):
    """Returns whether both replicas and the database have written without a failure for SETTLE seconds."""
    now = time.monotonic()
    if now < began + SETTLE:
        return False
    recent = lambda samples: [one for one in list(samples) if one.ended > now - SETTLE]
    if not any(one.ok for one in recent(load.database)):
        return False
    return all(
        (own := [one for one in recent(load.writes) if one.replica == name]) and all(one.ok for one in own)
        for name in load.cluster.replicas
    )


def run_fault(name, fault, cluster, load):
    """Injects a fault, waits until the service writes again, and heals the node. Returns the violations."""
    until("a healthy cluster", cluster.healthy, 120)
    until("a quiet start", lambda: recovered(load, 0), 60)
    began = time.monotonic()
    heal = fault(cluster)
    # Fewer seconds than a frozen node takes to be noticed would end the fault before its effect.
    time.sleep(25 if heal else 5)
    until(f"{name}: writes again", lambda: recovered(load, began), 120)
    ended = time.monotonic()
    lost, db_back = database_outage(load.database, began, ended)
    database_gap = db_back - lost if db_back else float("inf")
    violations, must_fire, figures = [], False, []
    for replica in cluster.replicas:
        found = outage([one for one in list(load.writes) if one.replica == replica], began, ended)
        hidden = false_ready(list(load.writes), list(load.ready), replica)
        failed = sum(1 for one in list(load.writes) if one.replica == replica and not one.ok and began <= one.began <= ended)
        wrong = sum(1 for one in hidden if began <= one.began <= ended)
        if wrong:
            violations.append(f"{name}: {replica}: ready was ok in {wrong} samples while writes failed")
        if found is None:
            figures.append(f"{replica}: no failed write")
            continue
        start, back = found
        late = back - db_back if back and db_back else float("inf")
        must_fire |= failed >= MIN_FAILED and (back or ended) - start >= MIN_ALERT
        figures.append(f"{replica}: {failed} failed, {(back or ended) - start:.1f} s, back {late:+.1f} s, false ok {wrong}")
        if late > BACK:
            violations.append(f"{name}: {replica}: back {late:.1f} s after the database")
    fired = alert_fired(cluster, ended - began)
    if must_fire and not fired:
        violations.append(f"{name}: PortcullisCircuitOpen did not fire")
    print(f"{name:>16}: database {database_gap:.1f} s; {'; '.join(figures)}; alert {', '.join(fired) or '-'}", flush=True)
    if heal:
        heal()
    return violations


def missing(cluster, table, column, condition, values):
    """Returns the values without a row."""
    listed = ",".join(f"'{one}'" for one in values)
    query = f"SELECT {column} FROM {table} WHERE {condition} AND {column} IN ({listed})" if values else "SELECT 1 WHERE false"
    return set(values) - set(cluster.sql(cluster.pg[cluster.primary()], query).split())


def lost(cluster, promised):
    """Compares the acknowledged writes with the database, and presents every token that must still work."""
    logged_out = [jti(one) for one in promised.logged_out]
    count = {
        "accounts": len(missing(cluster, "users", "email", "true", promised.emails)),
        "issued tokens": len(missing(cluster, "refresh_tokens", "jti", "true", promised.issued)),
        "spent tokens": len(missing(cluster, "refresh_tokens", "jti", "revoked", promised.spent)),
        "logouts": len(missing(cluster, "refresh_tokens", "jti", "revoked", logged_out)),
    }
    ports = list(cluster.replicas.values())
    present = lambda token, number: send(ports[number % 2], "POST", "/auth/refresh", {"refresh_token": token})[0]
    count["live tokens refused"] = sum(present(one, at) != 200 for at, one in enumerate(promised.live))
    count["ended tokens accepted"] = sum(present(one, at) != 401 for at, one in enumerate(promised.logged_out))
    return count


def trial(cluster):
    cluster.start()
    load = Load(cluster, CLIENTS)
    violations = []
    try:
        for name, fault in FAULTS.items():
            violations += run_fault(name, fault, cluster, load)
        until("a healthy cluster", cluster.healthy, 120)
        until("a quiet end", lambda: recovered(load, 0), 60)
    finally:
        load.finish()
    promised = load.acknowledged
    found = lost(cluster, promised)
    good = sum(one.ok for one in load.writes)
    print(f"{good} acknowledged writes, {len(load.writes) - good} failed, {len(load.ready)} samples of ready")
    print(f"{len(promised.emails)} accounts, {len(promised.issued)} tokens, {len(promised.logged_out)} logouts; lost: {found}")
    violations += [f"{count} {what}" for what, count in found.items() if count]
    return violations + [f"unexpected: {one}" for one in load.unexpected[:10]]


def main():
    binary, root = sys.argv[1:]
    folder = tempfile.mkdtemp(prefix="portcullis-patroni-")
    cluster = Cluster(binary, root, folder)
    try:
        violations = trial(cluster)
    except BaseException:
        print(f"logs: {folder}", file=sys.stderr)
        raise
    finally:
        cluster.stop()
    if violations:
        raise SystemExit("\n".join([*violations, f"logs: {folder}"]))
    shutil.rmtree(folder)


main()
