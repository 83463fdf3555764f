#!/usr/bin/env python3
"""The clients that people have: curl, promtool, Prometheus' own parser of OpenMetrics, nc. Each where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from common import Console, Missing, main, result, settings, skip
from net import TOKEN, free_port

HTTP, CONSOLE = 80, 2323
PROMTOOL = settings().build / "deps/promtool"
SYSTEM_PYTHON = "/usr/bin/python3"  # whose packages are the distribution's
PARSE = """
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(sum(len(family.samples) for family in parse(sys.stdin.read())))
"""
READING = {  # path: status, type
    "/healthz": (200, "text/plain; charset=utf-8"), "/metrics": (200, "text/plain; version=0.0.4; charset=utf-8"),
    "/api/v1/info": (200, "application/json"), "/api/v1/topology": (200, "application/json"),
    "/api/v1/counters": (200, "application/json"), "/api/v1/schemes": (200, "application/json"),
    "/api/v1/results.jsonl": (200, "application/x-ndjson"), "/api/v1/run/1": (404, "application/json"), "/nix": (404, "application/json"),
}
PARALLEL = 20


def curl(port: int, path: str, *words: str, token: str = TOKEN) -> tuple[int, str, str]:
    """Status, type and body."""
    bearer = ["-H", f"Authorization: Bearer {token}"] if token else []
    done = subprocess.run(["curl", "-sS", "--max-time", "30", "-w", "\n%{http_code} %{content_type}", *bearer, *words,
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=False)
    body, _, last = done.stdout.rpartition("\n")
    status, _, kind = last.partition(" ")
    if done.returncode:
        raise Missing(f"curl {path}: {done.stderr.strip()}")
    return int(status), kind, body


def routes(port: int) -> None:
    found = {path: curl(port, path)[:2] for path in READING}
    result("curl.routes", found == READING, str({path: got for path, got in found.items() if got != READING[path]} or len(found)))
    got = {
        "delete": curl(port, "/metrics", "-X", "DELETE")[0], "put": curl(port, "/api/v1/run", "-X", "PUT", "-d", "{}")[0],
        "large": curl(port, "/api/v1/run", "-d", "x" * 3000)[0], "no-token": curl(port, "/metrics", token="")[0],
        "wrong-token": curl(port, "/api/v1/run", "-d", '{"cmd":"show batch"}', token="x" * 21)[0],
        "no-json": curl(port, "/api/v1/run", "-d", "show batch")[0],
    }
    result("curl.refused", got == {"delete": 405, "put": 413, "large": 413, "no-token": 401, "wrong-token": 401, "no-json": 400}, str(got))
    status, _, body = curl(port, "/api/v1/run", "-d", '{"cmd":"show batch"}')
    time.sleep(0.5)
    job = json.loads(curl(port, f"/api/v1/run/{json.loads(body)['id']}")[2])
    result("curl.run", status == 202 and (job["state"], job["rc"]) == ("done", 0), str(job))


def kept(port: int) -> None:
    urls = [f"http://127.0.0.1:{port}/api/v1/counters"] * 5
    done = subprocess.run(["curl", "-sSv", "-H", f"Authorization: Bearer {TOKEN}", *urls], capture_output=True, text=True, check=False)
    again = done.stderr.count("Re-using existing connection")
    result("curl.keep-alive", done.returncode == 0 and again == 4 and done.stdout.count('{"pages_migrated"') == 5, f"{again} times again")


def many(port: int) -> None:
    """More than are served at a time; those that are turned away come again."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        got = list(pool.map(lambda _: curl(port, "/metrics", "--retry", "30", "--retry-all-errors", "--retry-delay", "1")[0], range(PARALLEL)))
    result("curl.parallel", got == [200] * PARALLEL, f"{got.count(200)} of {PARALLEL}")


def metrics(port: int) -> None:
    text = curl(port, "/metrics")[2]
    if PROMTOOL.exists():
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        result("promtool", done.returncode == 0, (done.stdout + done.stderr)[:200])
    else:
        skip("promtool", f"no {PROMTOOL} (tools/fetch.sh promtool)")
    text = curl(port, "/metrics", "-H", "Accept: application/openmetrics-text; version=1.0.0")[2]
    done = subprocess.run([SYSTEM_PYTHON, "-c", PARSE], input=text, capture_output=True, text=True, check=False)
    if "No module named 'prometheus_client'" in done.stderr:
        skip("openmetrics", "no python3-prometheus-client")
    else:
        result("openmetrics", done.returncode == 0 and int(done.stdout) > 40, done.stdout.strip() + done.stderr[-200:])


def netcat(console: Console, port: int, log: subprocess.Popen) -> None:
    done = subprocess.run(["nc", "-N", "127.0.0.1", str(port)], input=f"{TOKEN}\nshow batch\n", capture_output=True, text=True,
                          timeout=60, check=False)
    result("nc.console", "token? " in done.stdout and "mm/migrate.c" in done.stdout and "# rc=0\n" in done.stdout, done.stdout[-200:])
    console.expect(b"the client has gone")
    time.sleep(0.5)
    log.terminate()
    lines = log.communicate(timeout=10)[0].splitlines()
    numbers = [int(line.split(",")[1]) for line in lines]
    result("nc.log", numbers == list(range(len(lines))) and len(lines) > 10 and lines[-1].endswith(",-;net: console: the client has gone"),
           f"{len(lines)} lines, the last one {lines[-1] if lines else ''}")


def body() -> None:
    if lacking := [name for name in ("curl", "nc") if not shutil.which(name)]:
        skip("clients", f"not installed: {' '.join(lacking)}")
        return
    pages, port, udp = free_port(), free_port(), free_port()
    ports = f"{pages}-{HTTP},{port}-{CONSOLE}"
    with subprocess.Popen(["nc", "-u", "-l", "127.0.0.1", str(udp)], stdout=subprocess.PIPE, text=True) as log:
        try:
            with Console(NET=f"{settings().net.card},{ports}",
                         ARGS=f"ip=dhcp net.http={HTTP} net.console={CONSOLE} net.log=10.0.2.2:{udp} net.token={TOKEN}") as console:
                console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
                routes(pages)
                kept(pages)
                many(pages)
                metrics(pages)
                netcat(console, port, log)
        finally:
            log.kill()


if __name__ == "__main__":
    main(body)
