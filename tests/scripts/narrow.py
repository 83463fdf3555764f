#!/usr/bin/env python3
"""A kernel whose generations have 10 bits: they come round again and again, every CPU is made to flush for it, and nothing is stale."""

import os
import subprocess
import tempfile
from pathlib import Path

from common import Missing, bench, main, result, settings

BITS = 10
BUILT_QUICKLY = "LWIP=no", "EXTRA_CFLAGS=-g0"  # the code that is measured is the same
PAGES, ROUNDS = 4096, 3
# Four forced flushes bring a generation round, and each page that moves owing steps it once.
FORCED_MIN = PAGES * ROUNDS // 2 ** (BITS - 2) - ROUNDS
SCHEMES = ("batch", "migrc", "luf", "stamp")


def build(folder: Path) -> None:
    done = subprocess.run(["make", "-s", "SETUP=no", f"GENERATION_BITS={BITS}", f"BUILD={folder}", f"ARCH={settings().arch}",
                           *BUILT_QUICKLY, "all"],
                          capture_output=True, text=True, check=False, env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})
    if done.returncode:
        raise Missing(f"the build with GENERATION_BITS={BITS} fails: {done.stderr[-300:]}")


def body() -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-narrow-") as folder:
        build(Path(folder))
        found = bench(f"bench migrate --pages {PAGES} --mapping ro --threads 3 --warmup 1 --reps {ROUNDS} --schemes {','.join(SCHEMES)}",
                      BUILD=folder, ARGS="check=full large=off")
        for scheme in SCHEMES:
            counters = found[scheme]["counters"]
            least = 0 if scheme == "batch" else FORCED_MIN
            result(f"{scheme}.forced", counters["flushes_forced"] >= least, f"{counters['flushes_forced']}, at least {least}")
            result(f"{scheme}.no-stale-reads", counters["stale_reads"] == 0, f"{counters['stale_reads']}")
            result(f"{scheme}.verdicts", counters["oracle_unknown"] == 0, f"{counters['oracle_unknown']} without one")
    # With 64 bits none is forced.
    counters = bench(f"bench migrate --pages {PAGES} --mapping ro --threads 3 --schemes luf --reps 1 --warmup 0")["luf"]["counters"]
    result("wide.forced", counters["flushes_forced"] == 0, f"{counters['flushes_forced']}")


main(body)
