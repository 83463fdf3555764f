#!/usr/bin/env python3
"""Deterministic runs print the same bytes, but for the boot id and what is summed over it.

The emulator resizes its own TLB by the host's clock. So how long a stale entry or a cleared accessed bit lasts follows
the host, and with it what a thread meets that races with the kernel; what runs behind such a race then counts other
faults. Suites of such races are left out, as is the timer that tools/tarrylib/run/qemu.py takes away; and the benchmark
has no readers where CPUs take turns inside a move, as on a busy host hardly two boots count the same faults of theirs.
A third boot may agree with either of two: equal bytes do not come about by chance, and a kernel that followed the
host's clock itself would print other bytes in every boot.
"""

import re

from common import Missing, boot, main, result

FIRST, LAST = "look cpus; numa", "bench migrate --pages 512 --schemes baseline,batch --threads "
LEFT_OUT = {"litmus", "file", "dup", "reclaim"}  # suites in which CPUs race with the kernel
SEED = 7
BOOTS_MAX = 5


def command(threads: int) -> str:
    listed = re.findall(r"^(\w+)\.\w+$", boot("list tests").text, re.MULTILINE)
    suites = dict.fromkeys(suite for suite in listed if suite not in LEFT_OUT)
    if not suites:
        raise Missing("list tests names no suite")
    return "; ".join([FIRST, *(f"test {suite}.*" for suite in suites), f"{LAST}{threads}"])


def without_boot_id(console: bytes) -> bytes:
    boot_id = re.search(rb'"boot_id":"([0-9a-zA-Z-]+)"', console)
    if boot_id:
        console = console.replace(boot_id[1], b"BOOT-ID")
    return re.sub(rb'"crc":"[0-9a-f]{8}"', b'"crc":"CRC"', console)


def difference(a: bytes, b: bytes) -> str:
    for number, (one, other) in enumerate(zip(a.splitlines(), b.splitlines()), 1):
        if one != other:
            return f"line {number}: {one[:150]!r}, {other[:150]!r}"
    return f"lengths {len(a)} and {len(b)}"


def console(commands: str, **changes: object) -> bytes:
    run = boot(commands, **changes)
    if run.guest_rc not in (0, 4):  # 4: a suite has nothing to run here
        raise Missing(f"rc={run.guest_rc}: a run that failed shows nothing")
    return without_boot_id(run.console)


def identical(name: str, commands: str, **changes: object) -> bytes:
    """Boots until two agree; what they print."""
    seen: list[bytes] = []
    for _ in range(BOOTS_MAX):
        one = console(commands, **changes)
        if one in seen:
            result(f"{name}.identical", True, f"{len(one)} bytes, {len(seen) + 1} boots")
            return one
        seen.append(one)
    result(f"{name}.identical", False, f"{BOOTS_MAX} boots differ: {difference(seen[0], seen[1])}")
    return seen[0]


def body() -> None:
    identical("plain", command(3))
    identical("yielding", command(0), SEED=SEED)
    one, other = (console(f"{LAST}3", SEED=SEED + more) for more in range(2))
    result("seed.changes-the-run", one != other, "another seed is another interleaving")


main(body)
