#!/usr/bin/env python3
"""Two deterministic runs print the same bytes, but for the boot id and what is summed over it."""

import re

from common import Missing, boot, main, result

COMMAND = "look cpus; numa; test *; bench migrate --pages 512 --threads 3 --schemes baseline,batch"
SEED = 7


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


def console(**changes: object) -> bytes:
    run = boot(COMMAND, **changes)
    if run.guest_rc != 0:
        raise Missing(f"rc={run.guest_rc}: a run that failed shows nothing")
    return without_boot_id(run.console)


def body() -> None:
    for name, changes in {"plain": {}, "yielding": {"SEED": SEED}}.items():
        first, second = console(**changes), console(**changes)
        result(f"{name}.identical", first == second,
               f"{len(first)} bytes" if first == second else difference(first, second))
    result("seed.changes-the-run", console(SEED=SEED + 1) != second,
           "another seed is another interleaving")


main(body)
