#!/usr/bin/env python3
"""dnsmasq gives the address, and knows names: on a cable of its own, without privileges, by a relay as RFC 2131 4.1 has them."""

from __future__ import annotations

import contextlib
import getpass
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from common import Missing, main, result, skip
from net_out import ntp_server
from wire import MAC, OURS, Wire, WiredConsole, arp, ethernet, udp

DNSMASQ = "/usr/sbin/dnsmasq"
ROUTER, NETWORK = bytes([10, 9, 8, 1]), bytes([10, 9, 8, 0])
RELAY = "127.0.0.2"  # where answers for us go: dnsmasq has the same port at 127.0.0.1
SUBNET, END = 118, 255  # options: RFC 3011, and the last one
GIADDR = slice(24, 28)


@contextlib.contextmanager
def dnsmasq(ports: tuple[int, int, int]) -> Iterator[None]:
    """DHCP server, DHCP client and DNS at these ports of the loopback."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        log = Path(folder, "log")
        argv = [DNSMASQ, "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-ping", f"--port={ports[2]}",
                f"--dhcp-alternate-port={ports[0]},{ports[1]}", "--bind-interfaces", "--interface=lo",
                "--dhcp-range=10.9.8.50,10.9.8.50,255.255.255.0,10m", f"--dhcp-leasefile={folder}/leases",
                "--dhcp-option=option:router,10.9.8.1", "--dhcp-option=option:dns-server,10.9.8.1",
                "--address=/time.lab.example/10.9.8.1", f"--user={getpass.getuser()}"]
        with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
            try:
                time.sleep(0.3)
                if process.poll() is not None:
                    raise Missing(f"dnsmasq: {log.read_text()[-300:]}")
                yield
            finally:
                process.terminate()


class Router(threading.Thread):
    """The other end of the cable: hands DHCP, DNS and NTP on, and their answers back."""

    def __init__(self, wire: Wire, ports: tuple[int, int, int], ntp: int):
        super().__init__(daemon=True)
        self.wire, self.ports = wire, ports
        self.dhcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.dhcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.dhcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.dhcp.bind((RELAY, ports[0]))
        self.others = {53: ports[2], 123: ntp}
        self.seen: list[str] = []
        threading.Thread(target=self.offers, daemon=True).start()

    def run(self) -> None:
        while True:
            frame = self.wire.socket.recv(2048)
            kind = struct.unpack("!H", frame[12:14])[0]
            if kind == 0x806 and frame[20:22] == b"\0\1" and frame[38:42] == ROUTER:
                self.wire.send(arp(2, ROUTER, frame[28:32]))
            elif kind == 0x800 and frame[23] == 17:
                self.datagram(frame[26:30], frame[30:34], frame[34:])

    def datagram(self, sender: bytes, to: bytes, packet: bytes) -> None:
        here, there, length = struct.unpack("!HHH", packet[:6])
        data = packet[8:length]
        if there == 67:
            self.seen.append("DHCP")
            self.dhcp.sendto(self.relayed(data), ("127.0.0.1", self.ports[0]))
        elif there in self.others:
            self.seen.append({53: "DNS", 123: "NTP"}[there])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.sendto(data, ("127.0.0.1", self.others[there]))
                with contextlib.suppress(OSError):
                    self.wire.send(ethernet(0x800, udp((to, there), (sender, here), s.recv(2048))))

    @staticmethod
    def relayed(data: bytes) -> bytes:
        """With the relay's address, and the network that it is for."""
        options = data[240:data.rindex(END)] + bytes([SUBNET, 4]) + NETWORK + bytes([END])
        return data[:GIADDR.start] + socket.inet_aton(RELAY) + data[GIADDR.stop:240] + options

    def offers(self) -> None:
        while True:
            data = self.dhcp.recv(2048)
            self.wire.send(ethernet(0x800, udp((ROUTER, 67), (data[16:20], 68), data), MAC, OURS))


def free_ports() -> tuple[int, int, int]:
    """Two one behind the other, as that option wants them, and another."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(2):
            s = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            s.bind(("127.0.0.1", 0))
            found.append(s.getsockname()[1])
        return found[0], found[0] + 1, found[1]


def body() -> None:
    if not Path(DNSMASQ).exists():
        skip("dhcp", f"no {DNSMASQ} (package dnsmasq-base)")
        return
    wire, ports = Wire(), free_ports()
    with dnsmasq(ports), ntp_server() as ntp:
        router = Router(wire, ports, ntp)
        router.start()
        with WiredConsole(wire, alone=True, ARGS="ip=dhcp net.ntp=time.lab.example") as console:
            console.expect(b"net: 10.9.8.50/24 gw 10.9.8.1", 30)
            result("dhcp", True, "an address of dnsmasq's")
            console.expect(b"net: it is 2026-11-29T19:00:", 30)
            result("dns", "DNS" in router.seen, f"the time server by its name; {sorted(set(router.seen))}")


if __name__ == "__main__":
    main(body)
