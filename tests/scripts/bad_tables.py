#!/usr/bin/env python3
"""Broken firmware tables, injected by QEMU: a warning names the table, and the machine runs.

What QEMU would not pass on as it is (it repairs lengths and checksums) is left to the host tests of
the parsers.
"""

import re
import struct
import tempfile
from pathlib import Path

from acpi_table import table
from common import boot, main, result

MIB = 1 << 20
HALF = 512 * MIB  # of the default 1 GiB
CPUS = 4


def cpu(apic_id: int, domain: int, enabled: int = 1) -> bytes:
    """SRAT type 0."""
    return struct.pack("<BBBBIB3sI", 0, 16, domain & 0xff, apic_id, enabled, 0,
                       (domain >> 8).to_bytes(3, "little"), 0)


def memory(base: int, length: int, domain: int, enabled: int = 1) -> bytes:
    """SRAT type 1."""
    return struct.pack("<BBIHQQIIQ", 1, 40, domain, 0, base, length, 0, enabled, 0)


def srat(*entries: bytes) -> bytes:
    return table(b"SRAT", struct.pack("<IQ", 1, 0) + b"".join(entries))


def slit(localities: int, matrix: bytes) -> bytes:
    return table(b"SLIT", struct.pack("<Q", localities) + matrix, 1)


def hmat(*localities: tuple[int, int, list[int]]) -> bytes:
    """Of two nodes; each locality: data type, unit, the four values. ACPI 6.5 section 5.2.29, revision 2."""
    return table(b"HMAT", bytes(4) + b"".join(
        struct.pack("<HHIBBHIIIQ4I4H", 1, 0, 56, 0, kind, 0, 2, 2, 0, unit, 0, 1, 0, 1, *values)
        for kind, unit, values in localities), 2)


def two_nodes(first: int = 0) -> list[bytes]:
    """CPUs and memory split over the domains first and first + 1."""
    cpus = [cpu(i, first + i // (CPUS // 2)) for i in range(CPUS)]
    return cpus + [memory(0, HALF, first), memory(HALF, HALF, first + 1)]


ABSENT_CPUS = [cpu(CPUS + i % 200, i, i & 1) for i in range(64, 3000)]
GOOD_SLIT = slit(2, bytes([10, 20, 20, 10]))

# name: (tables, nodes that must be found, regex that a warning must match or None)
CASES: dict[str, tuple[list[bytes], int, str | None]] = {
    "good": ([srat(*two_nodes()), GOOD_SLIT], 2, None),
    "domains-from-1": ([srat(*two_nodes(1)),
                        slit(3, bytes([10, 0, 0, 0, 10, 31, 0, 31, 10]))], 2, None),
    "slit-missing": ([srat(*two_nodes())], 2, r"SLIT|distance"),
    "slit-too-short": ([srat(*two_nodes()), slit(5, bytes([10, 20, 20, 10]))], 2, r"SLIT"),
    "slit-longer": ([srat(*two_nodes()), slit(2, bytes([10, 20, 20, 10]) + bytes(64))], 2, None),
    "slit-huge-count": ([srat(*two_nodes()), slit(1 << 62, bytes(16))], 2, r"SLIT"),
    "srat-many-cpus": ([srat(*two_nodes(), *ABSENT_CPUS), GOOD_SLIT], 2, None),
    "srat-zero-length": ([srat(*two_nodes(), bytes(16), memory(0, HALF, 7)), GOOD_SLIT], 2,
                         r"SRAT"),
    "srat-entry-cut": ([srat(*two_nodes(), b"\x01\x28\x00\x00"), GOOD_SLIT], 2, r"SRAT"),
    "srat-overlap": ([srat(*two_nodes(), memory(0, 2 * HALF, 1)), GOOD_SLIT], 2, r"SRAT|overlap"),
    "srat-no-cpus": ([srat(*two_nodes()[CPUS:]), GOOD_SLIT], 2, r"SRAT|CPU"),
    "srat-hole": ([srat(*[cpu(i, 0) for i in range(CPUS)], memory(0, HALF // 2, 0),
                        memory(HALF, HALF, 1)), GOOD_SLIT], 2, None),
    "srat-empty": ([srat(), GOOD_SLIT], 1, None),
    "none": ([table(b"OEM1", b"nothing to see")], 1, None),
}


def check(name: str, tables: list[bytes], nodes: int, warning: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        for i, data in enumerate(tables):
            Path(folder, f"{i}.dat").write_bytes(data)
        run = boot("numa", SMP=CPUS, MEM="1G", ACPITABLES=folder)
    found = re.search(r"^available: (\d+) nodes", run.text, re.MULTILINE)
    good = run.guest_rc == 0 and found is not None and int(found[1]) == nodes
    result(f"{name}.nodes", good, f"rc={run.guest_rc}, {found[0] if found else 'no nodes'}, "
                                  f"expected {nodes}")
    if warning:
        lines = [line for line in run.text.splitlines()
                 if re.search(warning, line) and "available" not in line]
        result(f"{name}.warning", bool(lines), lines[0][:160] if lines else f"nothing on {warning}")


def memory_gone() -> None:
    """The memory of node 1 is not in the memory map; what the HMAT says of both is shown."""
    nodes = [*two_nodes()[:CPUS], memory(0, 2 * HALF, 0), memory(64 << 30, HALF, 1)]
    figures = hmat((0, 100, [800, 2015, 2000, 0]), (3, 1024, [30, 10, 10, 30]))
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        for i, data in enumerate((srat(*nodes), GOOD_SLIT, figures)):
            Path(folder, f"{i}.dat").write_bytes(data)
        run = boot("numa; bench migrate --pages 64", SMP=CPUS, MEM="1G", ACPITABLES=folder)
    refused = "error: bench: node 1 has no memory (0 frames)"
    result("memory-gone.refused", refused in run.text and run.guest_rc == 2, f"rc={run.guest_rc}, expected: {refused}")
    for name, lines in {"latency": ["read latency (ns), from the HMAT:", "  0:     80.0    201.5", "  1:    200.0        -"],
                        "bandwidth": ["read bandwidth (GB/s), from the HMAT:", "  0:     30.7     10.2"]}.items():
        shown = [line.rstrip() for line in run.text.splitlines()]
        result(f"hmat.{name}", all(line in shown for line in lines), "\n".join(lines))


def body() -> None:
    memory_gone()
    for name, (tables, nodes, warning) in CASES.items():
        check(name, tables, nodes, warning)


main(body)
