"""A cable to the guest beside QEMU's own network: Ethernet frames of any kind, written and read here."""

from __future__ import annotations

import random
import socket
import struct
from pathlib import Path

from common import Console

MAC = bytes.fromhex("525400123456")  # of QEMU's first card
OURS = bytes.fromhex("525500000099")
GUEST = bytes([10, 0, 2, 15])  # as QEMU's DHCP server gives it out


class Wire:
    """Frames go to the guest as datagrams that QEMU's end of the cable takes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            self.there = other.getsockname()

    def netdev(self) -> str:
        here = self.socket.getsockname()[1]
        return (f"dgram,id=wire,local.type=inet,local.host=127.0.0.1,local.port={self.there[1]},"
                f"remote.type=inet,remote.host=127.0.0.1,remote.port={here}")

    def send(self, frame: bytes) -> None:
        """A frame that nobody takes is lost, as on a cable."""
        try:
            self.socket.sendto(frame, self.there)
        except OSError:
            pass


class WiredConsole(Console):
    """A guest on QEMU's network and on a cable of ours, by one hub; or on the cable alone."""

    def __init__(self, wire: Wire, alone: bool = False, **changes: object):
        super().__init__(**changes)
        self.wire, self.alone = wire, alone

    def command(self, scratch: Path) -> list[str]:
        argv = super().command(scratch)
        at = argv.index("-netdev")
        if self.alone:
            argv[at + 1] = self.wire.netdev().replace("id=wire", "id=net0")
            return argv
        more = ["-netdev", self.wire.netdev()]
        for port, other in (("card", ""), ("user", ",netdev=net0"), ("out", ",netdev=wire")):
            more += ["-netdev", f"hubport,hubid=1,id={port}{other}"]
        argv[at + 2:at + 2] = more
        card = next(i for i, word in enumerate(argv) if word.endswith(",netdev=net0") and argv[i - 1] == "-device")
        argv[card] = argv[card].replace("netdev=net0", "netdev=card")
        return argv


# ---- frames ----

def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(kind: int, payload: bytes, to: bytes = MAC, sender: bytes = OURS) -> bytes:
    return to + sender + struct.pack("!H", kind) + payload


def ip(protocol: int, sender: bytes, to: bytes, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, sender, to)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(sender: tuple[bytes, int], to: tuple[bytes, int], data: bytes) -> bytes:
    return ip(17, sender[0], to[0], struct.pack("!HHHH", sender[1], to[1], 8 + len(data), 0) + data)


def tcp(sender: tuple[bytes, int], to: tuple[bytes, int], seq: int, ack: int, flags: int, window: int = 8192, data: bytes = b"") -> bytes:
    head = struct.pack("!HHIIBBHHH", sender[1], to[1], seq, ack, 5 << 4, flags, window, 0, 0) + data
    pseudo = sender[0] + to[0] + struct.pack("!HH", 6, len(head))
    head = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    return ip(6, sender[0], to[0], head)


def arp(operation: int, sender: bytes, to: bytes, mac: bytes = OURS) -> bytes:
    return ethernet(0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, mac, sender, MAC, to))


def random_frame(rng: random.Random, ports: list[int]) -> bytes:
    """Something that no machine should send, or a half-open connection."""
    sender = bytes([10, 0, 2, rng.randrange(20, 250)]), rng.randrange(1, 65536)
    to = GUEST, rng.choice(ports)
    kind = rng.randrange(8)
    if kind == 0:
        return ethernet(rng.choice([0x800, 0x806, 0x86dd, rng.randrange(65536)]), rng.randbytes(rng.randrange(1500)))
    if kind == 1:
        return arp(rng.randrange(4), rng.randbytes(4), GUEST)
    if kind == 2:
        return ethernet(0x800, udp((rng.randbytes(4), 67), (GUEST, 68), rng.randbytes(rng.randrange(600))))
    if kind == 3:
        return ethernet(0x800, tcp(sender, to, rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(8), rng.randrange(65536),
                                   rng.randbytes(rng.randrange(300))))
    if kind == 4:
        return ethernet(0x800, ip(1, sender[0], GUEST, b"\x08\0" + rng.randbytes(rng.randrange(100))))
    packet = bytearray(tcp(sender, to, rng.getrandbits(32), 0, 2))
    if kind == 5:
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)
    return ethernet(0x800, bytes(packet))
