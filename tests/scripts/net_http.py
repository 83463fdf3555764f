#!/usr/bin/env python3
"""HTTP from outside: every page in its dialects, what is refused and how, who may read, many at once, slow ones."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

from common import Console, Missing, main, records, result, settings
from net import BENCH, TOKEN, counts, free_port, on_serial

PORT = 80
CLIENTS = 6  # that are served at a time: kernel/net/http.c
ENDLESS_RUN = "bench migrate --pages 512 --threads 0 --rounds 10000 --schemes baseline,batch"  # minutes, unless it is stopped
CTRL_C = b"\x03"
IDLE = 200  # bytes of lwIP's heap where nothing is to be sent: DHCP's state
COUNTER = re.compile(r"tarry_(\w+)_total (\d+)")


def ask(port: int, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers, body of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise Missing(f"{method} {path}: {error}") from error
    finally:
        connection.close()


def raw(port: int, data: bytes, timeout: float = 20.0) -> bytes:
    """What comes back until the other side closes."""
    seen = b""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.settimeout(timeout)
        try:
            s.sendall(data)
            while part := s.recv(65536):
                seen += part
        except OSError:
            pass
    return seen


def unsound(text: str, openmetrics: bool) -> str:
    """What of an exposition breaks the rules of its dialect; "" if nothing does."""
    lines = text.split("\n")
    if lines.pop() != "" or (openmetrics and lines.pop() != "# EOF"):
        return "the end"
    family, kind, seen = "", "", set()
    for line in lines:
        if match := re.fullmatch(r"# HELP (\w+) (.+)", line):
            family, kind = match[1], ""
            if family in seen:
                return f"{family} twice"
            seen.add(family)
        elif match := re.fullmatch(r"# TYPE (\w+) (counter|gauge|info)", line):
            kind = match[2]
            if match[1] != family or (kind == "counter" and family.endswith("_total") == openmetrics):
                return line
        elif match := re.fullmatch(r'(\w+)(\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})? \d+(\.\d+)?', line):
            suffix = {"counter": "_total", "info": "_info"}.get(kind, "") if openmetrics else ""
            if not kind or match[1] != family + suffix:
                return line
        else:
            return line
    return "" if len(seen) > 40 else f"only {len(seen)} families"


def pages(port: int) -> None:
    status, headers, body = ask(port, "/healthz")
    result("healthz", (status, body) == (200, "ok\n") and headers["content-type"].startswith("text/plain"), body)
    status, headers, body = ask(port, "/metrics")
    wrong = unsound(body, openmetrics=False)
    result("metrics.prometheus", status == 200 and "version=0.0.4" in headers["content-type"] and not wrong, wrong)
    status, headers, body = ask(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    wrong = unsound(body, openmetrics=True)
    result("metrics.openmetrics", status == 200 and headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
           and not wrong, wrong)
    info = json.loads(ask(port, "/api/v1/info?x=1")[2])
    s = settings()
    result("info", info["arch"] == s.arch and info["cpus"] == s.smp and info["nodes"] == len(s.nodes), str(info))
    topology = json.loads(ask(port, "/api/v1/topology")[2])
    result("topology", [len(node["cpus"]) for node in topology["nodes"]] == [node.cpus for node in s.nodes]
           and [node["distances"] for node in topology["nodes"]] == [[10, 20], [20, 10]]
           and topology["cpus"] == list(range(s.smp)) and len(topology["cores"]) == len(topology["packages"]) == s.smp, str(topology))
    known = json.loads(ask(port, "/api/v1/schemes")[2])
    names = [scheme["name"] for scheme in known["schemes"]]
    result("schemes", {"baseline", "batch", "like-linux-6.12", "never"} <= set(names) and known["knobs"]["batch"] == "1"
           and next(scheme for scheme in known["schemes"] if scheme["name"] == "batch")["settings"].startswith("batch=512 "), str(names))
    counters = json.loads(ask(port, "/api/v1/counters")[2])
    sampled = dict(COUNTER.findall(ask(port, "/metrics")[2]))
    result("counters", {name: str(value) for name, value in counters.items()} == sampled, f"{len(counters)} of them, as in /metrics")
    status, headers, body = ask(port, "/healthz", "HEAD")
    result("head", status == 200 and headers["content-length"] == "3" and body == "", "no body")


def results_file(console: Console, port: int) -> None:
    """The records of a run as a file: what the console shows, and nothing else."""
    status, _, body = ask(port, "/api/v1/results.jsonl")
    result("results.none", (status, body) == (200, ""), body[:80])
    console.send(b"bench migrate --pages 64 --rounds 3 --warmup 0 --schemes baseline,batch,like-linux-6.12; results\r")
    shown = (console.expect(b"# rc=0", 60) + console.expect(b"# rc=0", 60)).decode("utf-8", "replace").replace("\r", "")
    console.expect(b"tarry> ")
    status, headers, body = ask(port, "/api/v1/results.jsonl")
    one, other = [json.loads(line) for line in body.splitlines()], records.extract(shown).records
    result("results", status == 200 and len(one) >= 3 and one == other and body.endswith("\n") and all(r["net"] == "on" for r in one),
           f"{len(one)} records, {len(body)} bytes, on the console {len(other)}")


BAD = {  # what is sent, status
    "no-version": (b"GET /healthz\r\n\r\n", 400),
    "no-slash": (b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no-host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "folded": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400),
    "bare-lf": (b"GET /healthz HTTP/1.1\nHost: x\r\n\r\n", 400),
    "zero": (b"GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two-lengths": (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "chunked": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    "version-2": (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "body": (b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413),
    "many-headers": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 40 + b"\r\n", 431),
    "long": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 5000 + b"\r\n\r\n", 431),
}


def refused(port: int) -> None:
    for name, (data, status) in BAD.items():
        seen = raw(port, data)
        body = seen.partition(b"\r\n\r\n")[2]
        good = seen.startswith(b"HTTP/1.1 %d " % status) and b"Connection: close" in seen and seen.count(b"HTTP/1.1") == 1
        result(f"refused.{name}", good and "error" in json.loads(body or b"{}"), str(seen[:60]))
    status, headers, _ = ask(port, "/metrics", "DELETE")
    result("refused.method", status == 405 and headers["allow"] == "GET, HEAD", f"{status}")
    result("refused.path", ask(port, "/metrics/")[0] == 404, "")


def kept(port: int) -> None:
    """One connection for several requests, also when they come at once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    lengths = set()
    for _ in range(5):
        connection.request("GET", "/api/v1/counters")
        lengths.add(connection.getresponse().read()[:1])
    connection.close()
    piped = raw(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    result("kept", lengths == {b"{"} and piped.count(b"HTTP/1.1 200 OK") == 4 and piped.count(b"\r\n\r\nok\n") == 4, str(piped[-80:]))


def memory(console: Console) -> int:
    console.send(b"look net\r")
    text = console.expect(b"# rc=0").decode()
    console.expect(b"tarry> ")
    return int(re.search(r"memory +(\d+) bytes", text)[1])


def slow_ones(port: int) -> list[socket.socket]:
    """They begin a request, and never end it."""
    slow = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(2)]
    for s in slow:
        s.sendall(b"GET /metr")
    return slow


def many(console: Console, port: int, slow: list[socket.socket]) -> None:
    """More than are served at a time: each gets all of its page, some after they tried again. Slow ones hold nobody up."""
    done = []

    def one() -> None:
        for _ in range(60):
            try:
                if ask(port, "/metrics")[2].endswith("\n"):
                    done.append(1)
                    return
            except Missing:
                time.sleep(0.2)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result("many", len(done) == 20, f"{len(done)} of 20, {CLIENTS} at a time")
    for s in slow:
        s.settimeout(30)
    answers = [s.recv(4096) for s in slow]  # after ten seconds
    for s in slow:
        s.close()
    result("slow", all(a.startswith(b"HTTP/1.1 408 ") for a in answers), str(answers[0][:40]))
    deadline = time.monotonic() + 20
    while (after := memory(console)) > IDLE and time.monotonic() < deadline:
        time.sleep(0.5)
    result("many.memory-is-back", after <= IDLE, f"{after} bytes at rest")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def run_refused(port: int) -> None:
    good = json.dumps({"cmd": "show batch"})
    got = {
        "no-token": ask(port, "/api/v1/run", "POST", good)[0], "wrong-token": ask(port, "/api/v1/run", "POST", good, **bearer("x" * 21))[0],
        "get": ask(port, "/api/v1/run", **bearer(TOKEN))[0], "unknown-id": ask(port, "/api/v1/run/7", **bearer(TOKEN))[0],
        "no-id": ask(port, "/api/v1/run/x", **bearer(TOKEN))[0], "long": ask(port, "/api/v1/run", "POST", "x" * 3000, **bearer(TOKEN))[0],
    }
    for name, text in {"empty": "", "no-json": "show batch", "other-key": '{"run":"show"}', "no-text": '{"cmd":""}', "number": '{"cmd":1}',
                       "line-feed": '{"cmd":"a\\nb"}', "more": '{"cmd":"show batch"} x', "open": '{"cmd":"show batch'}.items():
        got[name] = ask(port, "/api/v1/run", "POST", text, **bearer(TOKEN))[0]
    expected = {"no-token": 401, "wrong-token": 401, "get": 405, "unknown-id": 404, "no-id": 404, "long": 413}
    wrong = {name: status for name, status in got.items() if status != expected.get(name, 400)}
    result("run.refused", not wrong, f"{wrong or len(got)}")


def post(port: int, line: str) -> dict:
    """Run a line; what became of it."""
    status, _, body = ask(port, "/api/v1/run", "POST", json.dumps({"cmd": line}), **bearer(TOKEN))
    if status != 202:
        raise Missing(f"{line}: {status} {body}")
    number = json.loads(body)["id"]
    deadline = time.monotonic() + 60
    while (job := json.loads(ask(port, f"/api/v1/run/{number}", **bearer(TOKEN))[2]))["state"] != "done" and time.monotonic() < deadline:
        time.sleep(0.1)
    return job


def run_commands(console: Console, port: int) -> None:
    """A benchmark that is started by a request does what it does on the serial line."""
    line = BENCH.format(threads=0)
    serial = on_serial(console, line)
    job = post(port, line)
    console.expect(b"# rc=0", 60)
    text = ask(port, "/api/v1/results.jsonl", **bearer(TOKEN))[2]
    fetched = counts(f"BENCH-BEGIN\n{text}BENCH-END\n")
    own = job.pop("records")
    result("run.counts", job == {"id": 1, "cmd": line, "state": "done", "rc": 0} and serial == fetched and len(serial) == 2,
           f"{job['state']}, rc {job['rc']}; serial {serial}, fetched {fetched}")
    result("run.records", own == [json.loads(one) for one in text.splitlines()] and len(own) == 3, f"{len(own)} of them")
    output = ask(port, "/api/v1/run/1/output", **bearer(TOKEN))[2]
    result("run.output", output.startswith(f"tarry> {line}\n") and output.count("# rc=0\n") == 2 and "BENCH-END\n" in output
           and "net:" not in output, output[:60])
    job = post(port, 'show "batch"; nix')
    gone = ask(port, "/api/v1/run/1/output", **bearer(TOKEN))[0], json.loads(ask(port, "/api/v1/run/1", **bearer(TOKEN))[2])["records"]
    result("run.rc", (job["id"], job["rc"], job["cmd"], job["records"]) == (2, 2, 'show "batch"; nix', None), str(job))
    result("run.of-before", gone[0] == 404 and len(gone[1]) == 3, "its output is gone; its records are there, as no other run has any")


def run_in_parts(console: Console, port: int) -> None:
    """While a benchmark runs, it is said so between its rounds, and another command is refused. Ctrl-C ends it, not a time."""
    def submit(cmd: str) -> tuple[int, dict]:
        status, _, body = ask(port, "/api/v1/run", "POST", json.dumps({"cmd": cmd}), **bearer(TOKEN))
        return status, json.loads(body)

    def state() -> dict:
        return json.loads(ask(port, f"/api/v1/run/{number}", **bearer(TOKEN))[2])

    number = submit(ENDLESS_RUN)[1]["id"]
    running = state()["state"]
    status, body = submit("show batch")
    again = state()["state"]
    console.send(CTRL_C)
    console.expect(b"# rc=1", 60)
    result("run.one-at-a-time", status == 503 and "error" in body, f"{status} {body}")
    result("run.running", (running, again) == ("running", "running"), f"{running}, {again}")
    end = state()
    result("run.stopped", (end["state"], end["rc"]) == ("done", 1), str(end)[:200])


def control(*words: str, token: str = TOKEN) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "tools/tarryctl.py", *words], env={**os.environ, "TARRY_TOKEN": token}, capture_output=True,
                          text=True, timeout=60, check=False)


def launched(here: str, cmd: str) -> subprocess.CompletedProcess:
    """make exec HOST=: what make starts, which builds nothing, and what comes of that."""
    env = {**{name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}, "TARRY_TOKEN": TOKEN}
    words = ["make", "-s", "-n", "exec", f"HOST={here}", f"CMD={cmd}"]
    plan = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, env=env).stdout.split()
    if plan[1:] != ["tools/launch.py", "exec", f"'HOST={here}'"]:
        raise Missing(f"make exec HOST= would do {' '.join(plan)[:200]}")
    return subprocess.run([plan[0], "tools/launch.py", "exec", f"HOST={here}", f"CMD={cmd}"], env=env, capture_output=True, text=True,
                          timeout=60, check=False)


def controlled(port: int) -> None:
    """tools/tarryctl.py against the same machine."""
    here = f"127.0.0.1:{port}"
    done = control("run", here, "bench migrate --pages 64 --rounds 2 --warmup 0 --schemes batch", "--records", "-")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    result("control.run", done.returncode == 0 and [r["scheme"] for r in lines if r["name"] == "migrate"] == ["batch"], done.stderr)
    done = control("run", here, "nix")
    result("control.rc", done.returncode == 2 and done.stdout.startswith("tarry> nix\nerror: nix: unknown command")
           and done.stdout.endswith("# rc=2\n"), done.stdout + done.stderr)
    done = launched(here, "show batch; nix")
    result("control.make-exec", done.returncode == 2 and "mm/migrate.c" in done.stdout and done.stdout.endswith("# rc=2\n"),
           done.stdout[-200:] + done.stderr)
    done = control("fetch", here, "api/v1/info")
    result("control.fetch", done.returncode == 0 and json.loads(done.stdout)["arch"] == settings().arch, done.stderr)
    done = control("run", here, "show batch", token="x" * 20)
    result("control.wrong-token", done.returncode == 125 and "401 Unauthorized; is TARRY_TOKEN" in done.stderr, done.stderr)
    done = control("fetch", f"127.0.0.1:{free_port()}", "healthz")
    result("control.nobody-there", done.returncode == 125 and "refused" in done.stderr, done.stderr)


def with_token() -> None:
    port = free_port()
    with Console(NET=f"{settings().net.card},{port}-{PORT}", ARGS=f"ip=dhcp net.http={PORT} net.token={TOKEN}") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        got = {name: ask(port, path, **headers)[0] for name, path, headers in (
            ("none", "/healthz", {}), ("unknown-path", "/nix", {}), ("wrong", "/metrics", bearer("x" * 21)),
            ("long", "/metrics", bearer(TOKEN + "x" * 80)), ("right", "/metrics", bearer(TOKEN)))}
        result("token", got == {"none": 401, "unknown-path": 401, "wrong": 401, "long": 401, "right": 200}, str(got))
        run_refused(port)
        run_commands(console, port)
        run_in_parts(console, port)
        controlled(port)


def body() -> None:
    port = free_port()
    with Console(NET=f"{settings().net.card},{port}-{PORT}", ARGS=f"ip=dhcp net.http={PORT} net.open=read") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        slow = slow_ones(port)
        pages(port)
        results_file(console, port)
        refused(port)
        kept(port)
        many(console, port, slow)
    with_token()


if __name__ == "__main__":
    main(body)
