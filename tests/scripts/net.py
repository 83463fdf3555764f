#!/usr/bin/env python3
"""The network, against real clients: DHCP, the console over TCP, what it refuses, and that nothing of it runs unasked."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from common import Console, Missing, boot, guest, main, qemu, records, result, settings

import tarryctl  # behind common, which says where tools are

TOKEN = "correct-horse-battery"
PORT = 2323
BENCH = "bench migrate --pages 64 --rounds 2 --warmup 0 --threads {threads} --schemes baseline,batch; results"
# Emulated CPUs that count instructions have turns of 100 ms: in the warm-up each reader gets one, and each shootdown finds all.
READERS = "bench migrate --pages 4096 --rounds 3 --warmup 5 --threads 3 --mapping ro --schemes baseline,batch; results"
SAME = ("shootdowns", "ipis_sent", "pages_migrated")
DRIVERS = {"virtio": "virtio-net-pci", "virtio-mmio": "virtio-net-mmio", "e1000": "e1000", "e1000e": "e1000e"}
# At most this many connections are served, those that have yet to send the token included: kernel/net/remote.c.
CONNECTIONS = 4
COMMANDS = 85  # `list tests`, of 4 KB each, are more than waits for a reader there
LOST = re.compile(rb"\[net: (\d+) bytes of output lost\]")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    """What `nc` would be: a connection to the console, from outside."""

    def __init__(self, port: int, buffer: int = 0):
        """buffer: bytes that may come unread; 0: as many as the host gives."""
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.seen = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def expect(self, what: bytes, timeout: float = 30.0) -> bytes:
        """What comes up to this, which is consumed. Raises Missing."""
        deadline = time.monotonic() + timeout
        while what not in self.seen:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, ConnectionError) as error:
                raise Missing(f"client: {error} while waiting for {what!r}; {self.seen[-200:]!r}") from error
            if not data:
                raise Missing(f"client: closed while waiting for {what!r}; {self.seen[-200:]!r}")
            self.seen += data
        before, _, self.seen = self.seen.partition(what)
        return before

    def is_closed(self, timeout: float = 20.0) -> bool:
        """Whatever comes until then."""
        self.socket.settimeout(timeout)
        try:
            while data := self.socket.recv(65536):
                self.seen += data
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def log_in(self, then: str = "") -> Client:
        self.expect(b"token? ")
        self.send(f"{TOKEN}\n{then}")
        self.expect(b"a client from 10.0.2.2\n")
        return self

    def run(self, line: str) -> str:
        """A line of one command and what it prints."""
        self.send(f"{line}\n")
        return (self.expect(b"# rc=") + self.expect(b"\n")).decode()


def card() -> str:
    return settings().net.card


def tokens(console: Console, port: int) -> None:
    """Only the token opens, and only for one."""
    for name, sent in {"wrong": "x" * len(TOKEN), "too-long": TOKEN + "y", "huge": "z" * 5000}.items():
        with Client(port) as client:
            client.expect(b"token? ")
            client.send(f"{sent}\nshow batch\n")
            closed = client.is_closed()
        result(f"token.{name}", closed and client.seen == b"wrong token\n", str(client.seen[-80:]))
    console.expect(b"a wrong token from 10.0.2.2")
    with Client(port).log_in() as first, Client(port) as second:
        second.expect(b"token? ")
        second.send(f"{TOKEN}\n")
        result("token.one-at-a-time", second.is_closed() and second.seen == b"in use\n", str(second.seen))
        result("token.first-goes-on", "mm/migrate.c" in first.run("show batch"), "a command, after that")
    console.expect(b"the client has gone")


def half_open(console: Console, port: int) -> None:
    """Those that send nothing take up places, and nothing else; a place is free again when they go."""
    clients = [Client(port) for _ in range(CONNECTIONS + 3)]
    served = refused = 0
    for client in clients:
        try:
            client.expect(b"token? ", 5 if served < CONNECTIONS else 1)
            served += 1
        except Missing:
            refused += 1
    console.send(b"show batch\r")
    console.expect(b"# rc=0")
    result("half-open", served == CONNECTIONS, f"{served} served, {refused} not, and the serial line answers")
    for client in clients:
        client.socket.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with Client(port) as client:
                client.log_in()
                break
        except (Missing, OSError):
            time.sleep(0.2)
    else:
        result("half-open.places-are-free-again", False, "no place after 20 s")
        return
    console.expect(b"the client has gone")
    result("half-open.places-are-free-again", True, "")


def served(port: int) -> dict[str, str]:
    """A machine whose console is at this port of ours, too."""
    return {"NET": f"{card()},{port}-{PORT}", "ARGS": f"ip=dhcp net.console={PORT} \"net.token={TOKEN}\""}


def counts(text: str) -> dict[str, list[int]]:
    block = records.extract(text.replace("\r", ""))
    if block.damaged or not block.records:
        raise Missing(f"{len(block.records)} records; {block.damaged}")
    if any(r["net"] != "on" for r in block.records):
        raise Missing("a record says that the network is off")
    return {r["scheme"]: [r["counters"][name] for name in SAME] for r in block.records if r["name"] != "floor"}


def on_serial(console: Console, line: str) -> dict[str, list[int]]:
    console.send(f"{line}\r".encode())
    return counts((console.expect(b"# rc=0", 60) + console.expect(b"# rc=0", 60)).decode("utf-8", "replace"))


def on_tcp(console: Console, port: int, line: str) -> dict[str, list[int]]:
    with Client(port).log_in() as client:
        client.send(f"{line}\n")
        seen = client.expect(b"# rc=0", 60) + client.expect(b"# rc=0", 60)
    console.expect(b"the client has gone", 60)
    return counts(seen.decode("utf-8", "replace"))


def by_post(console: Console, port: int, line: str) -> dict[str, list[int]]:
    machine = tarryctl.Machine(f"127.0.0.1:{port}", TOKEN)
    try:
        code, output = machine.run(line)
    except tarryctl.NoAnswer as error:
        raise Missing(str(error)) from error
    for _ in range(2):
        console.expect(b"# rc=0", 60)
    return counts(output.decode()) if not code else {}


def same_counts() -> None:
    """A benchmark that somebody starts over the network does what it does on the serial line. Deterministic: readers that run in
    parallel hold now this page, now that one, each of which costs a flush more."""
    port, pages = free_port(), free_port()
    words = served(port)
    with Console(DET=1, NET=f"{words['NET']},{pages}-80", ARGS=f"{words['ARGS']} net.http=80") as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        each = {"x86_64": 1, "arm64": 0}[settings().arch]  # interrupts that a reader gets for a shootdown; arm64 broadcasts
        # The same with each card; readers take their time.
        for threads, line in [(0, BENCH.format(threads=0)), *([(3, READERS)] if card() == "virtio" else [])]:
            serial, remote, posted = on_serial(console, line), on_tcp(console, port, line), by_post(console, pages, line)
            result(f"counts.threads-{threads}", serial == remote == posted and len(serial) == 2
                   and all(c[0] and c[1] == each * threads * c[0] and c[2] for c in serial.values()), f"serial {serial}, TCP {remote}, POST {posted}: {', '.join(SAME)}")


def slow_reader(console: Console, port: int) -> None:
    """Who does not read loses output, and is told so; the command does not wait."""
    with Client(port, 4096).log_in() as client:
        console.at = len(console.seen)
        client.send(";".join(["list tests"] * COMMANDS) + "\n")
        for _ in range(COMMANDS):
            console.expect(b"# rc=0", 60)
        while not (lost := LOST.search(client.seen)):
            client.expect(b"bytes of output lost]", 60)
            client.seen = b"[net: 1 bytes of output lost]" + client.seen
        result("slow-reader", lost is not None and "mm/migrate.c" in client.run("show batch"), "output was lost, and the console goes on")
    console.expect(b"the client has gone", 60)


def session() -> None:
    port = free_port()
    with Console(**served(port)) as console:
        console.expect(b"10.0.2.15/24 gw 10.0.2.2", 30)
        result("dhcp", True, "")
        if card() == "virtio":  # the same with each
            tokens(console, port)
            half_open(console, port)
            slow_reader(console, port)
        with Client(port).log_in() as client:
            look = client.run("look net")
            client.send("exit\n")
            ended = client.is_closed() or b"TARRY-END rc=0" in client.seen
        result("look", re.search(rf"^card +{DRIVERS[card()]} at .*\n^MAC +52:54:00:12:34:56\n^link +up\n^address +10.0.2.15/24", look, re.M)
               is not None, look)
        result("end", ended and b"TARRY-END rc=0" in client.seen, str(client.seen[-100:]))
        console.expect(b"TARRY-END rc=0")
        secret = TOKEN.encode()
        result("token.is-never-shown", secret not in console.seen + client.seen and b"net.token=***" in console.seen,
               "neither in the boot line nor anywhere else")


REFUSED = {
    "address": ("ip=10.0.2.256/24", "boot option ip=10.0.2.256/24: must be dhcp, or an address"),
    "http": ("ip=10.0.2.15/24 net.http=80 net.open=nothing", "boot option net.http=80: needs net.token= or net.open=read; no HTTP"),
    "port": (f"ip=10.0.2.15/24 net.console=65536 net.token={TOKEN}", "boot option net.console=65536: must be a port from 1 to 65535"),
    "no-token": ("ip=10.0.2.15/24 net.console=23", "boot option net.console=23: net.token= is missing"),
    "short-token": (f"ip=10.0.2.15/24 net.console=23 net.token={TOKEN[:15]}",
                    "boot option net.console=23: net.token= must have 16 to 64 characters"),
}


def bad_words() -> None:
    for name, (line, said) in REFUSED.items():
        run = boot("look net", ARGS=line, SMP=1)
        result(f"refused.{name}", said in run.text and TOKEN[:15] not in run.text, said)
    run = boot("look net", ARGS="ip=dhcp", NET="none", SMP=1)
    result("refused.no-card", "no card that can be driven" in run.text and "net        off" in run.text, "no card")
    run = boot("look net", ARGS="ip=10.0.2.15/24,gw=10.0.2.2", SMP=1)
    result("static", "net: 10.0.2.15/24 gw 10.0.2.2" in run.text and run.guest_rc == 0, "")
    if settings().arch == "arm64":  # where firmware has found the bus and assigned addresses: ACPI's MCFG
        run = boot("look net", ARGS="ip=10.0.2.15/24,gw=10.0.2.2", BOOT="uefi", SMP=1)
        result("uefi", "net: 10.0.2.15/24 gw 10.0.2.2" in run.text and run.guest_rc == 0, "")


def network_code() -> tuple[int, int, int, int]:
    """Where the network's code begins and ends in the image, and where its start does."""
    s = settings()

    def symbols(path: Path) -> list[tuple[int, int, str]]:
        listed = subprocess.run(["nm", "-n", "-S", path], capture_output=True, text=True, check=True).stdout
        return [(int(at, 16), int(size, 16), name) for at, size, name in re.findall(r"^(\w+) (\w+) [tT] (\w+)$", listed, re.M)]

    whole = symbols(s.out / "tarry.debug")
    # Its objects lie behind all others. What is static has no name of its own.
    names = {name for folder in ("drivers/net", "net") for path in (s.out / "obj/kernel" / folder).glob("*.o")
             for name in re.findall(r"^\w+ T (\w+)$", subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout, re.M)}
    i = next(i for i, (_, _, name) in enumerate(whole) if name in names)
    start = next((at, at + size) for at, size, name in whole if name == "start_network")
    return whole[i][0], max(at + size for at, size, _ in whole[i:]), *start


def executed(cmd: str, args: str, low: int, high: int) -> set[int]:
    """Where blocks begin that a boot executes between these addresses."""
    s = settings(CMD=cmd, ARGS=args, SMP=1)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        log = Path(folder, "exec")
        argv = [*qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"]), "-d", "exec,nochain",
                "-dfilter", f"{low:#x}..{high:#x}", "-D", str(log)]
        process = guest.start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            out = process.communicate(timeout=s.timeout)[0]
        finally:
            guest.kill(process)
        if b"TARRY-END rc=0" not in out:
            raise Missing(f"no end: {out[-200:]!r}")
        return {int(at, 16) for at in re.findall(r"^Trace \d+: \S+ \[\w+/(\w+)/", log.read_text(), re.M)}


def nothing_unasked() -> None:
    low, high, start, start_end = network_code()
    unasked = executed("bench migrate --pages 64 --rounds 1 --warmup 0 --threads 0 --schemes batch", "", low, high)
    result("unasked", bool(unasked) and all(start <= at < start_end for at in unasked),
           f"{len(unasked)} blocks, all of what looks whether the boot line has ip=" if unasked else "not even its start was seen")
    asked = executed("show batch", "ip=10.0.2.15/24", low, high)
    result("unasked.would-be-seen", len(asked) > 100, f"{len(asked)} blocks with ip=")


def body() -> None:
    session()
    same_counts()
    if card() == "virtio":  # the same with each
        bad_words()
        nothing_unasked()


if __name__ == "__main__":
    main(body)
