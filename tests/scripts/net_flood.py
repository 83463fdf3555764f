#!/usr/bin/env python3
"""Floods: nonsense by Ethernet, connections that are never made, requests without pause and readers that read a byte at a time.

The serial line is looked at between every few frames all the same, a benchmark counts what it counted before, and in the end the
pools are as they were. CMD=SECONDS: how long, 5 if nothing is said.
"""

from __future__ import annotations

import http.client
import random
import re
import socket
import threading
import time
from collections.abc import Callable

from common import Missing, main, result, settings
from net import BENCH, SAME, TOKEN, free_port, on_serial
from net_http import ask
from wire import GUEST, Wire, WiredConsole, arp, random_frame

FRAMES_MAX = 16  # in one look: kernel/net/net.c
BACK = 60  # seconds that lwIP may wait for others before it lets go of a connection
BURST, PAUSE = 60, 0.25  # frames, seconds
HTTP, CONSOLE = 80, 2323


def state(console: WiredConsole) -> dict[str, int]:
    """What `look net` says of frames and pools."""
    console.send(b"look net\r")
    text = console.expect(b"# rc=0", 60).decode()
    found = {name: int((re.search(pattern, text) or [0, "-1"])[1]) for name, pattern in {
        "received": r"frames +(\d+) received", "most": r"looks +at most (\d+) frames", "bytes": r"memory +(\d+) bytes",
        "frames": r"pools +(\d+) of", "connections": r"(\d+) of \d+ connections", "segments": r"(\d+) of \d+ segments"}.items()}
    if -1 in found.values():
        raise Missing(f"look net: {found}")
    return found


class Flood:
    """What strains the machine, each in a thread of its own, until it is stopped."""

    def __init__(self, wire: Wire, port: int, console: int):
        self.wire, self.port, self.console = wire, port, console
        self.kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.over = threading.Event()
        self.done = dict.fromkeys(("nonsense", "requests", "silent", "slow"), 0)
        self.threads = [threading.Thread(target=self.repeat, args=(name, getattr(self, name)), daemon=True) for name in self.done]

    def repeat(self, name: str, once: Callable[[random.Random], None]) -> None:
        rng = random.Random(name)
        while not self.over.is_set():
            try:
                once(rng)
                self.done[name] += 1
            except (OSError, http.client.HTTPException):
                self.over.wait(0.05)

    def nonsense(self, rng: random.Random) -> None:
        """More at once than a look takes; then others get their turn, or QEMU would be what is measured."""
        for _ in range(BURST):
            self.wire.send(random_frame(rng, [HTTP, CONSOLE, rng.randrange(65536)]))
        self.over.wait(PAUSE)

    def requests(self, _: random.Random) -> None:
        """On one connection, which is there before those that are never made take up what may be half-open."""
        try:
            self.kept.request("GET", "/healthz")
            self.kept.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.kept.close()  # it opens another one
            raise

    def silent(self, _: random.Random) -> None:
        with socket.create_connection(("127.0.0.1", self.console), 5):
            self.over.wait(0.3)

    def slow(self, _: random.Random) -> None:
        """A byte at a time, of a connection that is there before, too."""
        self.reader.settimeout(1)
        if not self.reader.recv(1):
            raise OSError("closed")
        self.over.wait(0.05)

    def __enter__(self) -> Flood:
        self.requests(random.Random())
        self.reader = socket.create_connection(("127.0.0.1", self.port), 20)
        self.reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        self.reader.recv(1)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        self.kept.close()
        self.reader.close()


def strain(console: WiredConsole, flood: Flood, seconds: float) -> tuple[int, dict, dict]:
    """Type at the serial line meanwhile: how many commands it ran, and what a benchmark counted before and in between."""
    line = BENCH.format(threads=0)
    before, during, commands = on_serial(console, line), {}, 0
    with flood:
        during = on_serial(console, line)
        until = time.monotonic() + seconds  # at the prompt, where the network is looked at all the time
        while time.monotonic() < until:
            console.send(b"show batch\r")
            console.expect(b"# rc=0", 60)
            commands += 1
            time.sleep(0.05)
    return commands, before, during


def body() -> None:
    seconds = float(settings().cmd or 5)
    pages, port, wire = free_port(), free_port(), Wire()
    card = settings().net.card
    with WiredConsole(wire, CMD="", NET=f"{card},{pages}-{HTTP},{port}-{CONSOLE}",
                      ARGS=f"ip=dhcp net.http={HTTP} net.console={CONSOLE} net.open=read net.token={TOKEN}") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        wire.send(arp(1, bytes([10, 0, 2, 99]), GUEST))
        start = state(console)
        flood = Flood(wire, pages, port)
        began = time.monotonic()
        commands, before, during = strain(console, flood, seconds)
        took, after = time.monotonic() - began, state(console)
        others = flood.done["nonsense"] and flood.done["silent"] and flood.done["requests"] + flood.done["slow"]
        result("flood", after["received"] - start["received"] > 50 * seconds and others > 0,
               f"{after['received'] - start['received']} frames in {took:.0f} s; {flood.done}")
        result("flood.look", 0 < after["most"] <= FRAMES_MAX, f"at most {after['most']} frames between two looks at the serial line")
        result("flood.serial-line", commands > 0, f"{commands} commands meanwhile")
        result("flood.counts", before == during and len(before) == 2 and all(c[0] and c[2] for c in before.values()),
               f"{before}, during it {during}: {', '.join(SAME)}")
        deadline = time.monotonic() + BACK
        pools = ("bytes", "frames", "connections", "segments")
        while (now := state(console)) and any(now[name] > start[name] for name in pools) and time.monotonic() < deadline:
            time.sleep(1)
        result("flood.pools", all(now[name] <= start[name] for name in pools), f"{start}, at the end {now}")
        result("flood.goes-on", ask(pages, "/healthz")[2] == "ok\n", "and it answers")


if __name__ == "__main__":
    main(body)
