#!/usr/bin/env python3
"""Mistakes made on purpose are found by the explorer, with schedules (tools/planted.py).

CMD=all: under every scheme and rule set, and on emulated machines; else each where it shows soonest.
"""

import sys

from common import Missing, main, result, settings, skip

import planted


def body() -> None:
    everything = settings().cmd == "all"

    def one(m: planted.Mistake) -> None:
        result(m.name, not m.bad, planted.describe(m))

    try:
        mistakes = planted.read_config(planted.schemes_of_the_explorer())
        for m in mistakes:
            if m.why:
                skip(m.name, f"{m.kind}: {m.why}")
        if not everything:
            for m in mistakes:
                if m.boot:
                    skip(m.name, f"{m.kind}: is for boots of emulated machines, which `make test-all` does")
        real = [m for m in mistakes if not m.why and (everything or not m.boot)]
        planted.run_all(real, 1, not everything, one)
        if everything:
            planted.boot_all(real, lambda m, arch: result(
                f"{m.name}.{arch}", not m.booted[arch].startswith("NOT"), m.booted[arch]))
    except planted.ConfigError as error:
        raise Missing(str(error)) from error
    print(f"# {planted.summary(mistakes)}", file=sys.stdout)


main(body)
