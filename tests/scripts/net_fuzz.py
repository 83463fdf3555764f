#!/usr/bin/env python3
"""The host's fuzzing tests of what the network and the console take in, with as many inputs as `make test-all` has time for."""

from __future__ import annotations

import os
import re
import subprocess

from common import ROOT, Missing, main, result

# Programs, and inputs of each: so many that each kind gets a million.
PROGRAMS = {"test_stack": 11_000_000, "test_net": 1_000_000, "test_shell": 1_000_000}
LEAST = 1_000_000
KINDS = ("segments of clients", "DHCP", "DNS")


def body() -> None:
    done = subprocess.run(["make", "-s", "SETUP=no", *(f"build/host/{name}" for name in PROGRAMS)], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise Missing(f"make: {done.stderr[-300:]}")
    for name, inputs in PROGRAMS.items():
        run = subprocess.run([f"build/host/{name}"], env={**os.environ, "FUZZ_INPUTS": str(inputs)}, capture_output=True, text=True,
                             check=False)
        result(name, run.returncode == 0, f"{inputs} inputs" if run.returncode == 0 else run.stdout[-300:] + run.stderr[-300:])
        if name == "test_stack":
            counts = {kind: int((re.search(rf"(\d+) {kind}", run.stdout) or [0, "0"])[1]) for kind in KINDS}
            result("test_stack.kinds", all(count >= LEAST for count in counts.values()), str(counts))


main(body)
