#!/usr/bin/env python3
"""Odd memory maps, booted: what the kernel cannot reach is named and not used, and the rest works.

On x86-64 the map is put in place of QEMU's at the PVH entry point. On arm64 QEMU's device tree gets a node
of memory more. The same kinds go through every loader's parser, in hundreds, in tests/host/test_memory_maps.c.
"""

import re
import struct
import subprocess
import tempfile
from pathlib import Path

from common import Missing, guest, main, qemu, result, settings
from gdb_stub import KERNEL_OFFSET, Stub, symbols

DEBUG = qemu.kernel(settings()).with_name("tarry.debug")
MAGIC = struct.pack("<I", 0x336ec578)  # of struct hvm_start_info
TABLE = 0x2000000  # RAM that is free at the entry point
RAM, RESERVED, ACPI = 1, 2, 3
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
PHYS_BITS = 40  # of QEMU's CPU models
LIMIT = 1 << PHYS_BITS
WIDE = {"beyond-the-direct-map": "max,phys-bits=48"}  # the CPU of some
# What QEMU's machine really has, in 1 GiB.
LOW, HIGH = (0, 639 * KIB, RAM), (MIB, 1022 * MIB, RAM)
REAL = [LOW, (639 * KIB, KIB, RESERVED), (960 * KIB, 64 * KIB, RESERVED), HIGH,
        (0xfd000000, 48 * MIB, RESERVED)]
PIECES = [(MIB + i * 2 * MIB, 2 * MIB - (i % 3) * 4 * KIB, RAM) for i in range(500)]
# name: (map, what the console must say, MiB that node 0 has at least)
MAPS = {
    "as-it-is": (REAL, "", 1000),
    "unsorted": (REAL[::-1], "", 1000),
    "overlapping": (REAL + [(MIB, 512 * MIB, RAM), (16 * MIB, MIB, RESERVED)], "", 999),
    "parts-of-a-page": (REAL[:3] + [(MIB, 1022 * MIB - 0x800, RAM), (0x500, 0x300, RAM)], "", 1000),
    "beyond-the-cpu": (REAL + [(64 * TIB, GIB, RAM)], "0x400000000000+0x40000000 not used", 1000),
    "at-the-limit": (REAL + [(LIMIT, MIB, RAM)], "0x10000000000+0x100000 not used", 1000),
    "to-the-end-of-addresses": (REAL + [(0 - 4 * KIB & (1 << 64) - 1, 4 * KIB, RAM)],
                                "0xfffffffffffff000+0x1000 not used", 1000),
    "around-the-end": (REAL + [(0 - 8 * KIB & (1 << 64) - 1, MIB, RAM)], "longer than the address space", 1000),
    "beyond-the-direct-map": (REAL + [(80 * TIB, 256 * MIB, RAM)], "0x500000000000+0x10000000 not used", 1000),
    "beyond-as-acpi": (REAL + [(LIMIT + GIB, MIB, ACPI)], "0x10040000000+0x100000 not used", 1000),
    "hundreds": (REAL[:3] + PIECES, "more than 256 ranges", 400),
}
# arm64: name: (CPU, base and length of the memory that is added, what the console must say)
NODES = {
    "beyond-the-cpu": ("cortex-a57", 16 * TIB, GIB, "0x100000000000+0x40000000 not used above 0x100000000000, out of reach"),
    "beyond-the-direct-map": ("max", 128 * TIB, GIB, "0x800000000000+0x40000000 not used above 0x800000000000, out of reach"),
    "to-the-end-of-addresses": ("max", 0 - 4 * KIB & (1 << 64) - 1, 4 * KIB, "0xfffffffffffff000+0x1000 not used above"),
}
# Devicetree Specification 0.4, 5.2 and 5.4: of the header, and tokens.
STRUCTS, STRINGS, STRINGS_SIZE, STRUCTS_SIZE = 2, 3, 8, 9
BEGIN_NODE, END_NODE, PROPERTY, END = 1, 2, 3, 9


def replace_map(stub: Stub, entries: list[tuple[int, int, int]]) -> None:
    """QEMU leaves its information somewhere in low memory."""
    stub.run_to(symbols(DEBUG, "pvh_entry")["pvh_entry"] - KERNEL_OFFSET)
    places = [at + i for at in range(0, 0xa0000, KIB) if (i := stub.read(at, KIB).find(MAGIC)) >= 0]
    info = next((at for at in places if stub.read(at + 4, 4) == struct.pack("<I", 1)), None)
    if info is None:
        raise Missing("no start information in low memory")
    stub.write(TABLE, b"".join(struct.pack("<QQII", base, length, kind, 0) for base, length, kind in entries))
    stub.write(info + 40, struct.pack("<Q", TABLE))
    stub.write(info + 48, struct.pack("<I", len(entries)))
    stub.go()


def add_memory(tree: bytes, base: int, length: int) -> bytes:
    """QEMU replaces nodes whose name begins with "memory", so this has another: what counts is its device_type."""
    words = list(struct.unpack(">10I", tree[:40]))
    structs, strings = (tree[words[at]:][:words[size]] for at, size in ((STRUCTS, STRUCTS_SIZE), (STRINGS, STRINGS_SIZE)))
    tail = struct.pack(">II", END_NODE, END)  # of the root

    def prop(name: bytes, value: bytes) -> bytes:
        at = strings.index(b"\0" + name + b"\0") + 1
        return struct.pack(">III", PROPERTY, len(value), at) + value + b"\0" * (-len(value) % 4)

    if not structs.endswith(tail):
        raise Missing("the device tree ends otherwise than expected")
    structs = (structs.removesuffix(tail) + struct.pack(">I4s", BEGIN_NODE, b"far") + prop(b"device_type", b"memory\0")
               + prop(b"reg", struct.pack(">QQ", base, length)) + struct.pack(">I", END_NODE) + tail)
    words[STRINGS] = words[STRUCTS] + len(structs)
    words[STRUCTS_SIZE], words[1] = len(structs), words[STRINGS] + len(strings)
    return struct.pack(">10I", *words) + tree[40:words[STRUCTS]] + structs + strings


def boot_with_node(cpu: str, base: int, length: int) -> str:
    s = settings(CMD="numa; bench mem --reps 1", CPU=cpu)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        tree = Path(folder, "tree")
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        machine = argv[argv.index("-machine") + 1]
        dump = [f"{machine},dumpdtb={tree}" if word == machine else word for word in argv]
        subprocess.run(dump, check=True, capture_output=True, timeout=s.timeout)
        tree.write_bytes(add_memory(tree.read_bytes(), base, length))
        process = guest.start([*argv, "-dtb", str(tree)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            console = process.communicate(timeout=s.timeout)[0]
        except subprocess.TimeoutExpired as error:
            raise Missing(f"{type(error).__name__}: {error}") from error
        finally:
            guest.kill(process)
    return console.decode("utf-8", "replace")


def boot_with(name: str, entries: list[tuple[int, int, int]]) -> str:
    s = settings(CMD="numa; bench mem --reps 1", **({"CPU": WIDE[name]} if name in WIDE else {}))
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        gdb = Path(folder, "gdb")
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        process = guest.start([*argv, "-S", "-gdb", f"unix:{gdb},server=on,wait=off"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            replace_map(Stub(gdb), entries)
            console = process.communicate(timeout=s.timeout)[0]
        except (subprocess.TimeoutExpired, OSError, EOFError) as error:
            raise Missing(f"{type(error).__name__}: {error}") from error
        finally:
            guest.kill(process)
    return console.decode("utf-8", "replace")


def check(name: str, console: str, says: str, least: int) -> None:
    size = re.search(r"^node 0 size: (\d+) MB", console, re.MULTILINE)
    problems = [] if re.search(r"^TARRY-END rc=0", console, re.MULTILINE) else [console.strip()[-200:] or "silent"]
    if says not in console:
        problems.append(f"does not say {says!r}")
    if not size or not least <= int(size[1]) <= 1022:
        problems.append(f"node 0 has {size[1] if size else 'no'} MB, not {least} to 1022")
    result(name, not problems, "\n".join(problems))


def body() -> None:
    if settings().arch == "arm64":
        for name, (cpu, base, length, says) in NODES.items():
            check(name, boot_with_node(cpu, base, length), says, 1000)
        return
    for name, (entries, says, least) in MAPS.items():
        check(name, boot_with(name, entries), says, least)


main(body)
