#!/usr/bin/env python3
"""What leaves the machine by itself: its log, its results, and the question what time it is."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from common import Console, Missing, boot, main, records, result
from net import free_port

GATEWAY = "10.0.2.2"  # under which QEMU's network reaches this machine's loopback
NTP_EPOCH = 2208988800  # seconds from 1900 to 1970
NOW = 1795978800.25  # 2026-11-29T19:00:00.250Z: what our server says it is
BENCH = "bench migrate --pages 64 --rounds 2 --warmup 0 --threads 0 --schemes {schemes}"


# ---- an NTP server ----

@contextlib.contextmanager
def ntp_server() -> Iterator[int]:
    """Answers each question with the same time; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    asked, sender = s.recvfrom(1024)
                    if len(asked) < 48 or asked[0] & 7 != 3:
                        continue
                    stamp = struct.pack("!II", int(NOW) + NTP_EPOCH & 0xffffffff, int(NOW % 1 * 2**32))
                    s.sendto(struct.pack("!BBbb", 0x24, 1, 4, -20) + bytes(20) + asked[40:48] + stamp * 2, sender)

        threading.Thread(target=serve, daemon=True).start()
        yield s.getsockname()[1]


# ---- a server that takes files ----

class Taker(http.server.BaseHTTPRequestHandler):
    """Python's own server with PUT; refuses or drops the first ones as it is told."""
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:  # noqa: N802, the name that the library asks for
        body = self.rfile.read(int(self.headers["Content-Length"]))
        how = self.server.first.pop(0) if self.server.first else 201
        self.server.seen.append((self.path, how, self.headers["Content-Type"], body))
        if how == "drop":
            self.close_connection = True
            return
        self.send_response(how)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def taker(*first: int | str) -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        server.first, server.seen = list(first), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def taken(body: bytes) -> list[dict]:
    """The records of an upload, which its last line vouches for."""
    block = records.extract(body.decode())
    if block.damaged or len(block.ends) != 1:
        raise Missing(f"an upload is damaged: {block.damaged or 'no end'}")
    return block.records


# ---- what is shown ----

@contextlib.contextmanager
def listener(port: int) -> Iterator[subprocess.Popen]:
    with subprocess.Popen([sys.executable, "tools/tarryctl.py", "log", "--port", str(port)], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen, what: str) -> list[str]:
    os.set_blocking(process.stdout.fileno(), False)
    seen, deadline = b"", time.monotonic() + 30
    while what.encode() not in seen and time.monotonic() < deadline:
        seen += process.stdout.read() or b""
        time.sleep(0.02)
    return seen.decode().splitlines()


def attended() -> None:
    """At a prompt: the log, an NTP server's time in records, an upload that is refused first and dropped then."""
    port = free_port()
    with listener(port) as log, ntp_server() as ntp, taker(503, "drop") as files:
        args = f"ip=dhcp net.log={GATEWAY}:{port} net.ntp={GATEWAY}:{ntp} net.put=http://{GATEWAY}:{files.server_port}/lab/"
        with Console(ARGS=args) as console:
            console.expect(b"net: it is 2026-11-29T19:00:", 30)
            console.send(BENCH.format(schemes="baseline,batch").encode() + b"\r")
            console.expect(b"# rc=0", 60)
            console.expect(b"net: results of run 1 are at", 30)
            heard = lines_until(log, "net: results of run 1 are at")
            console.send(b"look net\r")
            look = console.expect(b"# rc=0").decode()
            said = console.seen.decode().replace("\r", "").splitlines()
    kernel = [line for line in said if line.startswith("[ ")]
    result("log", heard == kernel[:len(heard)] and len(heard) > 10, f"{len(heard)} lines by UDP, as on the serial line; none missing")
    paths = {path for path, *_ in files.seen}
    kinds = {kind for _, _, kind, _ in files.seen}
    result("put.retried", [how for _, how, _, _ in files.seen] == [503, "drop", 201] and len(paths) == 1
           and kinds == {"application/x-ndjson"}, str([how for _, how, _, _ in files.seen]))
    found = taken(files.seen[-1][3])
    result("put", [r["scheme"] for r in found] == ["baseline", "batch", "as-set"] and paths == {
        f"/lab/{int(found[0]['boot_id'], 16):016x}-1.jsonl"}, str(paths))
    result("time", all(r["utc"].startswith("2026-11-29T19:0") and r["utc"].endswith("Z") for r in found), found[0]["utc"])
    result("pools", re.search(r"pools +0 of 32 frames, \d of 32 connections, 0 of 128 segments", look) is not None, look[-160:])


def scripted() -> None:
    """From the boot line: each run's records are away before the next run, and before the machine ends."""
    with taker() as files:
        run = boot("; ".join(BENCH.format(schemes=scheme) for scheme in ("baseline", "batch")),
                   ARGS=f"ip=dhcp net.put=http://{GATEWAY}:{files.server_port}/")
    found = [[r["scheme"] for r in taken(body)] for _, _, _, body in files.seen]
    result("put.before-the-end", run.guest_rc == 0 and found == [["baseline", "as-set"], ["batch", "as-set"]], str(found))
    began = time.monotonic()
    run = boot(BENCH.format(schemes="batch"), DET=1, ARGS=f"ip=dhcp net.put=http://{GATEWAY}:{free_port()}/")
    result("put.nobody-there", run.guest_rc == 0 and "do not get to" in run.text and '"utc":null' in run.text,
           f"the machine ends all the same, after {time.monotonic() - began:.0f} s")


REFUSED = {
    "log": ("net.log=10.0.2.2:0", "boot option net.log=10.0.2.2:0: the port must be a number from 1 to 65535"),
    "ntp": ("net.ntp=a_b", "boot option net.ntp=a_b: must be a name or an address"),
    "put": ("net.put=ftp://x/", "boot option net.put=ftp://x/: must begin with http://"),
}


def bad_words() -> None:
    run = boot("look net", ARGS="ip=10.0.2.15/24,gw=10.0.2.2 " + " ".join(word for word, _ in REFUSED.values()), SMP=1)
    for name, (_, said) in REFUSED.items():
        result(f"refused.{name}", said in run.text, said)


def body() -> None:
    attended()
    scripted()
    bad_words()


if __name__ == "__main__":
    main(body)
