#!/usr/bin/env python3
"""Firmware tables of machines as they are sold, made up here by the habits of their makers, through `make topology`'s parsers.

Each machine is a few lines of what its firmware is known to do; what must be seen of it is worked out from the same lines. Prints KTAP
and ends with "N passed, N failed".
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.run import ktap  # noqa: E402

PROGRAM = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / os.environ.get("BUILD", "build") / "host/topology").resolve()
OUT = ktap.Writer()
GIB, TIB = 1 << 30, 1 << 40
HOLE = 2 * GIB  # below 4 GiB, of PCs


def table(signature: str, body: bytes, revision: int) -> bytes:
    data = bytearray(struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), revision, 0, b"MAKER ", b"MACHINE ", 1, b"TEST", 1) + body)
    data[9] = -sum(data) & 0xff
    return bytes(data)


@dataclass
class Node:
    domain: int
    cpus: list[int] = field(default_factory=list)  # hardware ids
    memory: list[tuple[int, int]] = field(default_factory=list)  # base, length


@dataclass
class Machine:
    name: str
    nodes: list[Node]
    distance: object  # (i, j) -> SLIT entry, or None: no SLIT
    arm: bool = False
    lapic_below: int = 255  # ids below go as local APICs, the others as x2APICs
    disabled: int = 0  # places for CPUs that are listed and not there
    empty_srat: int = 0  # memory entries of empty slots
    console: tuple[int, int, int] | None = None  # SPCR: type, address space, address
    warnings: tuple[str, ...] = ()  # those that are right
    slit_of: int = 0  # more rows than there are nodes with something in them
    hot_plug: tuple[int, int, int] | None = None  # domain, base, length: of memory that may come

    def ids(self) -> list[int]:
        """As the MADT has them: sockets in turns."""
        lists = [list(n.cpus) for n in self.nodes]
        return [ids.pop(0) for _ in range(max(map(len, lists))) for ids in lists if ids]

    def madt(self) -> bytes:
        body = struct.pack("<II", 0xfee00000, 1)
        for uid, cpu in enumerate(self.ids()):
            if self.arm:
                body += struct.pack("<BBHIIIIIQQQQIQQB3x", 11, 80, 0, uid, uid, 1, 0, 0, 0, 0, 0, 0, 0,
                                    0x100000 + uid * 0x40000, cpu, 0)
            elif cpu < self.lapic_below:
                body += struct.pack("<BBBBI", 0, 8, uid & 0xff, cpu, 1)
            else:
                body += struct.pack("<BBHIII", 9, 16, 0, cpu, 1, uid)
        for n in range(self.disabled):
            body += b"" if self.arm else struct.pack("<BBHIII", 9, 16, 0, 0xffffffff, 0, 0x1000 + n)
        if self.arm:
            body += struct.pack("<BBHIQIB3x", 12, 24, 0, 0, 0x10000, 0, 3)
        else:
            body += struct.pack("<BBBBII", 1, 12, 8, 0, 0xfec00000, 0) + struct.pack("<BBBHB", 4, 6, 0xff, 5, 1)
        return table("APIC", body, 4)

    def srat(self) -> bytes:
        body, uid = struct.pack("<IQ", 1, 0), {cpu: n for n, cpu in enumerate(self.ids())}
        for node in self.nodes:
            for cpu in node.cpus:
                if self.arm:
                    body += struct.pack("<BBIIII", 3, 18, node.domain, uid[cpu], 1, 0)
                elif cpu < self.lapic_below and node.domain < 256:
                    body += struct.pack("<BBBBIBBBBI", 0, 16, node.domain, cpu, 1, 0, 0, 0, 0, 0)
                else:
                    body += struct.pack("<BBHIIIII", 2, 24, 0, node.domain, cpu, 1, 0, 0)
            for base, length in node.memory:
                body += struct.pack("<BBIHQQIIQ", 1, 40, node.domain, 0, base, length, 0, 1, 0)
        body += struct.pack("<BBIHQQIIQ", 1, 40, 0, 0, 0, 0, 0, 0, 0) * self.empty_srat
        if self.hot_plug:
            body += struct.pack("<BBIHQQIIQ", 1, 40, self.hot_plug[0], 0, *self.hot_plug[1:], 0, 3, 0)
        return table("SRAT", body, 3)

    def rows(self) -> int:
        return max(self.slit_of, max(n.domain for n in self.nodes) + 1)

    def slit(self) -> bytes:
        n = self.rows()
        known = {node.domain: i for i, node in enumerate(self.nodes)}
        cells = [10 if a == b else self.distance(known[a], known[b]) if a in known and b in known else 255
                 for a in range(n) for b in range(n)]
        return table("SLIT", struct.pack("<Q", n) + bytes(cells), 1)

    def tables(self) -> dict[str, bytes]:
        found = {"APIC": self.madt(), "SRAT": self.srat()}
        if self.distance:
            found["SLIT"] = self.slit()
        if self.console:
            kind, space, address = self.console
            found["SPCR"] = table("SPCR", struct.pack("<B3xBBBBQ6xB21x", kind, space, 32 if space == 0 else 8, 0, 3 if space == 0 else 1,
                                                      address, 7), 2)
        return found


def low_and_high(start: int, length: int) -> list[tuple[int, int]]:
    """The memory of a PC's first node: around video memory and the hole."""
    return [(0, 0xa0000), (0x100000, HOLE - 0x100000), (4 * GIB, length - HOLE)] if start == 0 else [(start, length)]


def epyc() -> Machine:
    """Two sockets, four nodes each: x2APIC ids with the socket in bit 8, 64 cores with two threads, 256 GiB a node, above 1 TiB too; the
    hole below it that AMD's HyperTransport keeps at 1012 GiB."""
    nodes, at = [], 4 * GIB
    for i in range(8):
        socket, quarter = divmod(i, 4)
        cpus = [socket << 8 | quarter << 5 | n for n in range(32)]
        length = 256 * GIB - (4 * GIB - HOLE if i == 0 else 0)
        memory = low_and_high(0, 254 * GIB) if i == 0 else []
        if i:
            end = at + length
            if at < 1012 * GIB < end:
                memory += [(at, 1012 * GIB - at), (TIB, end - 1012 * GIB)]
                end += 12 * GIB
            else:
                memory += [(at, length)]
            at = end
        else:
            at = 4 * GIB + 254 * GIB - HOLE
        nodes.append(Node(i, cpus, memory))
    return Machine("epyc-nps4", nodes, lambda i, j: 12 if i // 4 == j // 4 else 32, disabled=256, console=(0x12, 1, 0x2f8))


def sapphire() -> Machine:
    """Two sockets with SNC 4 and HBM in flat mode: nodes of memory only behind those with CPUs, then CXL far away."""
    nodes = [Node(i, [i // 4 << 7 | i % 4 << 5 | n for n in range(28)], low_and_high(0, 64 * GIB) if i == 0 else [(62 * GIB + i * 64 * GIB, 64 * GIB)])
             for i in range(8)]
    nodes += [Node(8 + i, [], [(TIB + i * 16 * GIB, 16 * GIB)]) for i in range(8)]
    nodes.append(Node(16, [], [(4 * TIB, 512 * GIB)]))
    return Machine("sapphire-snc4-hbm-cxl", nodes, lambda i, j: 26 if max(i, j) == 16 else 13 if i % 8 == j % 8 else 12 if i % 8 // 4 == j % 8 // 4 else 21,
                   empty_srat=40, disabled=200, hot_plug=(16, 8 * TIB, TIB))


def eight_sockets() -> Machine:
    """Domains that begin at 1 and have gaps, a SLIT with rows for sockets that are empty, ids as local APICs and x2APICs."""
    nodes = [Node(1 + 2 * i, [i << 6 | n for n in range(40)], low_and_high(0, 512 * GIB) if i == 0 else [(i * TIB, 512 * GIB)]) for i in range(8)]
    return Machine("eight-sockets", nodes, lambda i, j: 16 if i ^ j == 1 else 22, slit_of=32)


def altra() -> Machine:
    """Two sockets of arm64: MPIDRs with the core in Aff1 and the socket in Aff3, memory from 2 GiB on with a hole to 512 GiB, PL011 high up."""
    nodes = [Node(i, [i << 32 | n << 8 for n in range(80)], [(0x80000000, 2 * GIB), (0x8080000000, 126 * GIB)] if i == 0 else [(0x400000000000, 128 * GIB)])
             for i in range(2)]
    return Machine("altra", nodes, lambda i, j: 20, arm=True, console=(3, 0, 0x100002600000))


def grace() -> Machine:
    """One socket of 72 cores, its node, a GPU's memory as a node, and seven empty domains for its parts, which SRAT does not list."""
    nodes = [Node(0, [n << 16 for n in range(72)], [(0x80000000, 480 * GIB)]), Node(1, [], [(0x1000000000000, 96 * GIB)])]
    return Machine("grace", nodes, lambda i, j: 80, arm=True, slit_of=9, console=(0x0e, 0, 0xfffff9000))


def no_slit() -> Machine:
    """Workstation with two nodes and no SLIT; SPCR says that redirection is off."""
    return Machine("workstation", [Node(0, [0, 2, 4, 6], low_and_high(0, 32 * GIB)), Node(1, [1, 3, 5, 7], [(34 * GIB, 32 * GIB)])], None,
                   console=(0, 1, 0), warnings=("SLIT: missing",))


def more_nodes() -> Machine:
    """More nodes than CPUs: 64, two of which have one each."""
    nodes = [Node(i, [i] if i < 2 else [], low_and_high(0, 4 * GIB) if i == 0 else [(4 * GIB + i * 4 * GIB, 4 * GIB)]) for i in range(64)]
    return Machine("64-nodes-2-cpus", nodes, lambda i, j: 11 + abs(i - j))


def joined(memory: list[list[int]]) -> list[list[int]]:
    """Neighbours made one."""
    out: list[list[int]] = []
    for base, length in sorted(map(list, memory)):
        if out and out[-1][0] + out[-1][1] == base:
            out[-1][1] += length
        else:
            out.append([base, length])
    return out


CONSOLES = {3: "pl011", 0x0e: "sbsa", 0x12: "16550-io", 0: "16550-io"}


def same(name: str, seen: object, expected: object) -> None:
    OUT.result(name, seen == expected, "" if seen == expected else f"{seen}\nexpected {expected}"[:2000])


def check(machine: Machine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in machine.tables().items():
            Path(folder, name).write_bytes(data)
        done = subprocess.run([PROGRAM, folder], capture_output=True, text=True, check=False, timeout=60)
    seen = json.loads(done.stdout)
    nodes, hot = machine.nodes, machine.hot_plug
    same(f"{machine.name}.warnings", (done.returncode, [w.partition(": all")[0] for w in seen["warnings"]]), (0, list(machine.warnings)))
    same(f"{machine.name}.cpus", [(n["domain"], sorted(int(c, 16) for c in n["cpus"])) for n in seen["nodes"]],
         [(n.domain, sorted(n.cpus)) for n in nodes])
    same(f"{machine.name}.memory", [joined([[int(x, 16) for x in piece] for piece in n["memory"]]) for n in seen["nodes"]],
         [joined([*n.memory, *([hot[1:]] if hot and hot[0] == n.domain else [])]) for n in nodes])
    far = machine.distance or (lambda i, j: 20)
    same(f"{machine.name}.distances", seen["distances"], [[10 if i == j else far(i, j) for j in range(len(nodes))] for i in range(len(nodes))])
    kind, _, address = machine.console or (0, 0, 0)
    console = seen["console"] and (seen["console"]["type"], int(seen["console"]["base"], 16))
    same(f"{machine.name}.console", console, (CONSOLES[kind], address) if address else None)


def main() -> int:
    if not PROGRAM.exists():
        print(f"error: {PROGRAM}: not built (make host)", file=sys.stderr)
        return 2
    for machine in (epyc(), sapphire(), eight_sockets(), altra(), grace(), no_slit(), more_nodes()):
        check(machine)
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
