#!/usr/bin/env python3
"""How often `bench migrate --threads 1` on two virtual CPUs prints times: nearly always on two quiet cores, never with one of them loaded.

By hand, or in `make test-all`, on a host that has nothing else to do: else this is skipped.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from common import boot, main, result, skip

BOOTS, QUIET_MIN = 20, 19
COMMAND = "bench migrate --threads 1"
IDLE_MIN = 0.9  # of a second of each core, between boots
PATIENCE = 60  # seconds until the host is quiet
SPIN = "while True: pass"


def busy_times(cores: list[int]) -> list[tuple[int, int]]:
    """Of each core: ticks idle, and all."""
    lines = Path("/proc/stat").read_text("ascii").splitlines()
    fields = {line.split()[0]: [int(x) for x in line.split()[1:9]] for line in lines if line.startswith("cpu")}
    return [(fields[f"cpu{core}"][3], sum(fields[f"cpu{core}"])) for core in cores]


def quiet(cores: list[int]) -> bool:
    """Are they, within a while?"""
    for _ in range(PATIENCE):
        before = busy_times(cores)
        time.sleep(1)
        after = busy_times(cores)
        if all(b[0] - a[0] >= IDLE_MIN * (b[1] - a[1]) for a, b in zip(before, after)):
            return True
    return False


def trusted() -> bool:
    run = boot(COMMAND, SMP=2, NODES=2)
    shown = re.search(r"^migrate: \d+ rounds, seed \d+, trust (\w+)", run.text, re.MULTILINE)
    return bool(shown) and shown[1] == "time"


def on_quiet_cores(cores: list[int]) -> bool:
    """False: they were not quiet, and nothing was found out."""
    count = 0
    for _ in range(BOOTS):
        if not quiet(cores):
            return False
        count += trusted()
    result("quiet", count >= QUIET_MIN, f"{count} of {BOOTS} runs print times, at least {QUIET_MIN}")
    return True


def beside_a_load(core: int) -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN], preexec_fn=lambda: os.sched_setaffinity(0, {core})) as spinner:
        try:
            count = sum(trusted() for _ in range(BOOTS))
        finally:
            spinner.kill()
    result("one-core-loaded", count == 0, f"{count} of {BOOTS} runs print times")


def body() -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        skip("quiet", "needs two cores")
        return
    os.sched_setaffinity(0, cores)  # what is started here has these two, and is told so
    if not on_quiet_cores(cores):
        skip("quiet", f"the host was not quiet for {PATIENCE} s")
        return
    beside_a_load(cores[0])


main(body)
