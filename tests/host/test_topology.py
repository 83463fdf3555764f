#!/usr/bin/env python3
"""`make topology` from the outside: folders, acpidump texts, single tables, broken input.

Usage: tests/host/test_topology.py [PROGRAM [GLOB]]

PROGRAM is the topology program ($BUILD/host/topology, BUILD as in the Makefile). Prints KTAP
and ends with "N passed, N failed"; exit status 0, 1 if a test failed, 2 without the program.
"""

from __future__ import annotations

import fnmatch
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / os.environ.get("BUILD", "build")
PROGRAM = Path(sys.argv[1] if len(sys.argv) > 1 else BUILD / "host/topology").resolve()

TESTS: list[Callable[[Path], None]] = []


def test(function: Callable[[Path], None]) -> Callable[[Path], None]:
    """Register a test; it gets a folder of its own."""
    TESTS.append(function)
    return function


def run(path: Path | str, *more: str) -> tuple[int, str, str]:
    done = subprocess.run([PROGRAM, str(path), *more], capture_output=True, text=True, timeout=20,
                          check=False)
    return done.returncode, done.stdout, done.stderr


KEYS = ["nodes", "distances", "console", "warnings"]


def topology(path: Path | str, rc: int = 0) -> dict:
    """The one JSON object; the exit status must be rc and standard error empty."""
    code, out, err = run(path)
    assert (code, err) == (rc, ""), f"exit {code}, expected {rc}: {out}{err}"
    assert out.endswith("}\n") and out.count("\n") == 1, out
    result = json.loads(out)
    assert list(result) in (KEYS, [*KEYS, "hmat"]), out
    return result


# --- tables ------------------------------------------------------------------

def table(signature: str, body: bytes, revision: int = 3) -> bytes:
    data = bytearray(struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), revision, 0,
                                 b"TARRY ", b"TESTTABL", 1, b"TEST", 1) + body)
    data[9] = -sum(data) & 0xff
    return bytes(data)


def madt(*cpus: tuple[int, int]) -> bytes:
    """(APIC id, flags) each, the even ones as local APICs, the odd ones as x2APICs."""
    body = struct.pack("<II", 0xfee00000, 1)
    for n, (apic, flags) in enumerate(cpus):
        if apic < 255 and n % 2 == 0:
            body += struct.pack("<BBBBI", 0, 8, n, apic, flags)
        else:
            body += struct.pack("<BBHIII", 9, 16, 0, apic, flags, n)
    return table("APIC", body)


def srat(cpus: list[tuple[int, int]], memory: list[tuple[int, int, int, int]]) -> bytes:
    """CPUs as (APIC id, domain), memory as (domain, base, length, flags)."""
    body = struct.pack("<IQ", 1, 0)
    for apic, domain in cpus:
        body += struct.pack("<BBHIIIIQ", 2, 24, 0, domain, apic, 1, 0, 0)[:24]
    for domain, base, length, flags in memory:
        body += struct.pack("<BBIHQQIIQ", 1, 40, domain, 0, base, length, 0, flags, 0)
    return table("SRAT", body)


def slit(rows: list[list[int]]) -> bytes:
    return table("SLIT", struct.pack("<Q", len(rows)) + bytes(sum(rows, [])))


def spcr(address: int) -> bytes:
    return table("SPCR", struct.pack("<B3xBBBBQ6xB21x", 0, 1, 8, 0, 1, address, 7), 2)


GIB = 1 << 30
TWO_NODES = {
    "apic.dat": madt((0, 1), (2, 1), (4, 0), (0x105, 1), (1, 1)),
    "srat.dat": srat([(0, 1), (1, 1), (2, 3), (0x105, 3)],
                     [(3, 17 * GIB, 16 * GIB, 1), (1, 0, 17 * GIB, 1), (1, 99 * GIB, GIB, 0),
                      (3, 0, 0, 1)]),
    "slit.dat": slit([[10, 99, 99, 99], [99, 10, 99, 21], [99, 99, 10, 99], [99, 31, 99, 10]]),
    "spcr.dat": spcr(0x2f8),
}
TWO_NODES_SEEN = {
    "nodes": [
        {"id": 0, "domain": 1, "cpus": ["0x0", "0x1"], "memory": [["0x0", "0x440000000"]]},
        {"id": 1, "domain": 3, "cpus": ["0x2", "0x105"],
         "memory": [["0x440000000", "0x400000000"]]},
    ],
    "distances": [[10, 21], [31, 10]],
    "console": {"type": "16550-io", "base": "0x2f8", "baud": 115200, "width": 1, "stride": 1},
    "warnings": [],
}


def write(folder: Path, tables: dict[str, bytes]) -> Path:
    for name, data in tables.items():
        (folder / name).write_bytes(data)
    return folder


def dump(tables: list[bytes], style: str = "new") -> str:
    """The text that acpidump makes of the tables, in the layout of its versions."""
    text = ""
    for data in tables:
        name = data[:4].decode("latin-1")
        text += f"{name} @ 0x{0x7ffe0000:016X}\n" if style != "nil" else f"{name} @ (nil)\n"
        for at in range(0, len(data), 16):
            line = data[at:at + 16]
            digits = " ".join(f"{byte:02x}" for byte in line)
            if style == "wide" and len(line) > 8:
                digits = digits[:23] + " " + digits[23:]
            chars = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
            if style == "new":
                text += f"    {at:04X}: {digits.upper():<47}  {chars}\n"
            else:
                text += f"  {at:04x}: {digits:<48}  {chars}\n"
        text += "\n"
    return text


# --- what is read ------------------------------------------------------------

@test
def folder_of_tables(folder: Path) -> None:
    assert topology(write(folder, TWO_NODES)) == TWO_NODES_SEEN


@test
def folder_with_other_files(folder: Path) -> None:
    write(folder, {name.replace(".dat", ".AML"): data for name, data in TWO_NODES.items()})
    write(folder, {"readme.txt": b"not a table", "srat.dsl": b"x", "ssdt1.dat": table("SSDT", b""),
                   "ssdt2.dat": table("SSDT", b""), "facs.dat": b"FACS" + bytes(60),
                   "dmar.dat": table("DMAR", bytes(12))})
    (folder / "dynamic").mkdir()
    assert topology(folder) == TWO_NODES_SEEN


@test
def acpidump_texts(folder: Path) -> None:
    for style in "new", "old", "wide", "nil":
        text = folder / style
        text.write_text(dump(list(TWO_NODES.values()), style))
        assert topology(text) == TWO_NODES_SEEN, style
        text.write_text(dump(list(TWO_NODES.values()), style).replace("\n", "\r\n"))
        assert topology(text) == TWO_NODES_SEEN, style


@test
def acpidump_text_of_every_last_line(folder: Path) -> None:
    """Tables of all lengths modulo 16, with characters that look like hex bytes."""
    for length in range(17):
        for style in "new", "old", "wide":
            tables = [table("OEM1", b"A0 B1 CC DD EE F"[:length] or b""), TWO_NODES["apic.dat"]]
            text = folder / "text"
            text.write_text(dump(tables, style))
            result = topology(text)
            assert result["nodes"][0]["cpus"] == ["0x0", "0x1", "0x2", "0x105"], (length, style)


@test
def single_tables(folder: Path) -> None:
    write(folder, TWO_NODES)
    result = topology(folder / "srat.dat")
    assert [node["domain"] for node in result["nodes"]] == [1, 3], result
    assert result["nodes"][1]["cpus"] == ["0x2", "0x105"], result
    assert any("MADT: missing" in text for text in result["warnings"])
    result = topology(folder / "apic.dat")
    assert result["nodes"] == [{"id": 0, "domain": 0, "cpus": ["0x0", "0x1", "0x2", "0x105"],
                                "memory": []}], result
    assert result["distances"] == [[10]] and result["console"] is None
    assert result["warnings"] == ["SRAT: missing: one node"], result


@test
def tables_that_are_absent(folder: Path) -> None:
    write(folder, TWO_NODES)
    (folder / "slit.dat").unlink()
    (folder / "spcr.dat").unlink()
    result = topology(folder)
    assert result["nodes"] == TWO_NODES_SEEN["nodes"]
    assert result["distances"] == [[10, 20], [20, 10]]
    assert result["console"] is None
    assert len(result["warnings"]) == 1 and "SLIT: missing" in result["warnings"][0], result


@test
def console_switched_off(folder: Path) -> None:
    write(folder, TWO_NODES | {"spcr.dat": spcr(0)})
    assert topology(folder) == TWO_NODES_SEEN | {"console": None}


@test
def emulated_pc(_: Path) -> None:
    result = topology(HERE / "tables/q35.txt")
    assert result["warnings"] == []
    assert [node["cpus"] for node in result["nodes"]] == [
        ["0x0", "0x1", "0x2", "0x4", "0x5", "0x6"], [], [], []]
    assert result["nodes"][0]["memory"] == [["0x0", "0xa0000"], ["0x100000", "0x3f00000"]]
    assert result["nodes"][3]["memory"] == [["0xc000000", "0x4000000"]]
    assert result["distances"] == [[10, 18, 21, 24], [18, 10, 22, 25], [21, 22, 10, 26],
                                   [24, 25, 26, 10]]


@test
def figures_of_the_hmat(_: Path) -> None:
    hmat = topology(HERE / "tables/q35.txt")["hmat"]
    assert hmat["read_latency_ps"][:2] == [[80000, 201000, 202000, 203000], [200000, 80000, 202000, 203000]]
    assert hmat["read_bandwidth_mbps"][0] == [30720, 10240, 10240, 10240]


@test
def names_of_a_running_linux(folder: Path) -> None:
    """/sys/firmware/acpi/tables: files without suffix, and folders beside them."""
    (folder / "data").mkdir()
    for name, data in TWO_NODES.items():
        (folder / name.removesuffix(".dat").upper()).write_bytes(data)
    assert topology(folder) == TWO_NODES_SEEN


@test
def distances_that_say_nothing(folder: Path) -> None:
    flat = slit([[10] * 4] * 4)
    result = topology(write(folder, TWO_NODES | {"slit.dat": flat}), rc=1)
    assert result["distances"] == [[10, 20], [20, 10]], result
    assert "distance 10 is not valid (2 such)" in result["warnings"][0], result


@test
def emulated_arm64(_: Path) -> None:
    result = topology(HERE / "tables/virt.txt")
    assert result["warnings"] == []
    assert [node["cpus"] for node in result["nodes"]] == [["0x0", "0x1"], ["0x2", "0x3"]]
    assert result["distances"] == [[10, 28], [28, 10]]
    assert result["console"]["type"] == "pl011" and result["console"]["base"] == "0x9000000"


# --- what is broken ----------------------------------------------------------

@test
def wrong_checksum(folder: Path) -> None:
    data = bytearray(TWO_NODES["srat.dat"])
    data[9] ^= 1
    result = topology(write(folder, TWO_NODES | {"srat.dat": bytes(data)}), rc=1)
    assert result["nodes"] == TWO_NODES_SEEN["nodes"]
    assert result["warnings"][0].startswith("SRAT+0x9: checksum"), result


@test
def truncated_at_every_length(folder: Path) -> None:
    write(folder, TWO_NODES)
    for name, data in TWO_NODES.items():
        for length in range(0, len(data), 7):
            (folder / name).write_bytes(data[:length])
            result = topology(folder, rc=1)
            assert result["nodes"] and result["warnings"], (name, length)
        (folder / name).write_bytes(data)
    assert topology(folder) == TWO_NODES_SEEN


@test
def unusable_file_is_named(folder: Path) -> None:
    result = topology(write(folder, TWO_NODES | {"x.dat": b"ab"}), rc=1)
    assert "x.dat: not used" in result["warnings"], result
    assert result["nodes"] == TWO_NODES_SEEN["nodes"]


@test
def text_that_is_damaged(folder: Path) -> None:
    text = dump(list(TWO_NODES.values()))
    lines = text.split("\n")
    where = lines.index(next(line for line in lines if line.startswith("SRAT"))) + 3
    doubled = lines[where] + "\n" + lines[where]
    for what in "", "garbage", lines[where][:20], "    0FF0: 00", doubled:
        damaged = folder / "damaged"
        damaged.write_text("\n".join(lines[:where] + [what] + lines[where + 1:]))
        result = topology(damaged, rc=1)
        assert result["nodes"][0]["cpus"], what
    damaged.write_text(text[:len(text) * 2 // 3])
    topology(damaged, rc=1)
    damaged.write_text("SRAT @ 0x1\n")
    assert "line 1: a table without bytes" in topology(damaged, rc=1)["warnings"]
    damaged.write_text("some text about tables\n")
    assert "no table in this text" in topology(damaged, rc=1)["warnings"]
    damaged.write_text("")
    topology(damaged, rc=1)


@test
def same_kind_twice(folder: Path) -> None:
    text = folder / "text"
    text.write_text(dump([*TWO_NODES.values(), srat([(0, 9)], [])]))
    result = topology(text, rc=1)
    assert result["nodes"] == TWO_NODES_SEEN["nodes"]
    assert result["warnings"] == ["SRAT: more than one table, only the first is used"], result


@test
def warnings_are_plain_text(folder: Path) -> None:
    data = bytearray(table("SRAT", bytes(12)))
    data[:4] = b'"\\\n\xff'
    write(folder, {"a.dat": bytes(data)})
    assert "????+0x9" in topology(folder, rc=1)["warnings"][0]


@test
def more_warnings_than_are_kept(folder: Path) -> None:
    entries = b"".join(struct.pack("<BB2x", 9, 4) for _ in range(100))
    write(folder, {"a.dat": table("APIC", struct.pack("<II", 0, 0) + entries)})
    assert topology(folder, rc=1)["warnings"][-1].endswith("more warnings")


# --- wrong use ---------------------------------------------------------------

def refused(path: Path | str, reason: str, *more: str) -> None:
    code, out, err = run(path, *more)
    assert (code, out) == (2, ""), f"exit {code}: {out}{err}"
    assert err.startswith("error: topology: ") and err.count("\n") == 1, err
    assert reason in err, err


@test
def wrong_usage(folder: Path) -> None:
    refused("", "usage")
    refused(folder, "usage", "another")
    refused(folder / "nothing", "nothing: No such file or directory")
    refused(folder, "no *.dat or *.aml files")


@test
def device_trees(folder: Path) -> None:
    """A tree that ends after its magic: refused by a build without the parser, else told."""
    tree = folder / "machine.dtb"
    for data in b"\xd0\x0d\xfe\xed", b"\xd0\x0d\xfe\xed" + bytes(36), b"":
        tree.write_bytes(data)
        code, _, err = run(tree)
        if code == 2:
            assert err == "error: topology: device trees are not supported by this build\n", err
        else:
            assert topology(tree, rc=1)["warnings"]


class Tree:
    """A flattened device tree (Devicetree Specification 0.4, chapter 5)."""

    def __init__(self) -> None:
        self.structs, self.strings = struct.pack(">I4x", 1), b""

    def prop(self, name: str, data: bytes) -> None:
        self.structs += struct.pack(">III", 3, len(data), len(self.strings)) + data + bytes(-len(data) % 4)
        self.strings += name.encode() + b"\0"

    def memory(self, base: int, length: int, domain: int | None) -> None:
        name = f"memory@{base:x}".encode() + b"\0"
        self.structs += struct.pack(">I", 1) + name + bytes(-len(name) % 4)
        self.prop("device_type", b"memory\0")
        self.prop("reg", struct.pack(">QQ", base, length))
        if domain is not None:
            self.prop("numa-node-id", struct.pack(">I", domain))
        self.structs += struct.pack(">I", 2)

    def blob(self) -> bytes:
        structs = self.structs + struct.pack(">II", 2, 9)
        at = 40 + 16
        return struct.pack(">10I", 0xd00dfeed, at + len(structs) + len(self.strings), at, at + len(structs), 40,
                           17, 16, 0, len(self.strings), len(structs)) + bytes(16) + structs + self.strings


@test
def memory_of_a_device_tree(folder: Path) -> None:
    """What has no numa-node-id is node 0's: all of it, or a part."""
    def memory(*pieces: tuple[int, int, int | None]) -> list[list[list[str]]]:
        tree = Tree()
        tree.prop("#address-cells", struct.pack(">I", 2))
        tree.prop("#size-cells", struct.pack(">I", 2))
        for piece in pieces:
            tree.memory(*piece)
        path = folder / "tree.dtb"
        path.write_bytes(tree.blob())
        return [node["memory"] for node in topology(path, rc=1)["nodes"]]  # it has no CPUs and no GIC

    assert memory((GIB, GIB, None)) == [[["0x40000000", "0x40000000"]]]
    assert memory((4 * GIB, GIB, None), (GIB, GIB, None)) == [
        [["0x40000000", "0x40000000"], ["0x100000000", "0x40000000"]]]
    assert memory((GIB, GIB, 0), (2 * GIB, GIB, 1), (3 * GIB, GIB, None)) == [
        [["0xc0000000", "0x40000000"], ["0x40000000", "0x40000000"]], [["0x80000000", "0x40000000"]]]


def main() -> int:
    if not PROGRAM.exists():
        print(f"error: {PROGRAM}: not built (make host)", file=sys.stderr)
        return 2
    pattern = sys.argv[2] if len(sys.argv) > 2 else "*"
    chosen = [t for t in TESTS if fnmatch.fnmatch(t.__name__, pattern)]
    passed = 0
    print(f"KTAP version 1\n1..{len(chosen)}")
    for number, function in enumerate(chosen, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                function(Path(folder))
                verdict = "ok"
                passed += 1
            except (AssertionError, OSError, ValueError, KeyError, IndexError,
                    subprocess.TimeoutExpired) as error:
                verdict = "not ok"
                for line in f"{type(error).__name__}: {error}".splitlines():
                    print(f"# {line}")
        print(f"{verdict} {number} {function.__name__}", flush=True)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    return 0 if chosen and passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
