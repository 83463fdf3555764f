#!/usr/bin/env python3
"""Faults of interrupts on the modelled machine: lost, doubled, a CPU that takes none.

Doubled ones are harmless. A wait that a lost one leaves without an answer ends in the watchdog,
which names the CPU that was silent. Late ones are part of every run of the explorer.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.run import ktap  # noqa: E402

EXPLORE = ROOT / os.environ.get("BUILD", "build") / "host/explore"
SCHEMES = ("baseline", "batch+defer=skeleton")
DOUBLED = ("batch", "latr", "luf")  # with these, who sends in each way that there is; the others send as one of them
INTERRUPTING = ("x86", "arm64-ipi")  # variants that differ in what is sent for a flush; without it all are much alike
FAILURES_MIN = {"lost": 50, "deaf": 20}  # scenarios of two schemes in which somebody waits for it
OUT = ktap.Writer()

FAILURE = re.compile(r"^# \S+, scheme \S+, scenario \S+: (.*)$", re.MULTILINE)
# Who is named is who did not hear; or it is the waiter itself, whom nobody woke.
NAMED = re.compile(r"panic: watchdog: cpu (\d) waited for (?:shootdown; CPU (\d) has not acknowledged|"
                   r"the answer to a call; cpu (\d): )?.*; lost to CPU (-?\d)$")


# Whoever waits for what a waiter holds may give up first: it names that, and the CPU that has it, if it is one.
LOCKED = re.compile(r"panic: watchdog: cpu \d waited for (?:(?:a read lock|a write lock|readers to leave); rwlock |"
                    r"a locked page; page \S+: locked by cpu \d|page under migration; page \S+: on its way, by cpu \d|"
                    r"a batch that is reclaimed; batch: of cpu \d|"
                    r"a page on its way to or from its store; slot \S+: busy, by cpu \d)")
# Where whoever gave access is to flush it, the CPU that does not hear faults until it does: it is named by that.
FAULTING = re.compile(r"CPU (\d), address \S+: still a fault after \d+ were handled$")


def explore(*argv: str) -> tuple[int, str]:
    done = subprocess.run([EXPLORE, *argv, "--orderings", "3000"], capture_output=True, text=True,
                          check=False, timeout=600)
    return done.returncode, done.stdout


def is_named(text: str, silent: str) -> bool:
    faulting = FAULTING.match(text)
    if faulting:
        return faulting[1] == silent
    match = NAMED.match(text)
    if not match or LOCKED.match(text):
        return bool(match)
    waiter, unacked, uncalled, lost = match.groups()
    deaf = silent or lost
    return deaf in (unacked, uncalled) or (unacked is uncalled is None and waiter == deaf)


def doubled() -> None:
    ends = [explore("--fault", "doubled", "--scheme", scheme) for scheme in SCHEMES]
    ends += [explore("--fault", "doubled", "--scheme", scheme, "--rules", variant.partition("-")[0], "--variant", variant)
             for scheme in DOUBLED for variant in INTERRUPTING]
    wrong = [line for _, out in ends for line in out.splitlines() if re.match("not ok|# .*scenario .*:", line)]
    OUT.result("doubled.harmless", all(not code and out.count("\nok") >= 2 for code, out in ends), "; ".join(wrong[:3]))


def silent(fault: str, cpu: str) -> None:
    failures, codes = [], []
    for scheme in SCHEMES:
        code, out = explore("--fault", fault, "--scheme", scheme, "--product", "none")
        codes.append(code)
        failures += FAILURE.findall(out)
    wrong = [text for text in failures if not is_named(text, cpu)]
    OUT.result(f"{fault}.noticed", codes == [1, 1] and len(failures) >= FAILURES_MIN[fault],
               f"{len(failures)} scenarios end in a wait that nobody answers")
    OUT.result(f"{fault}.named", not wrong, "; ".join(wrong[:3]))


def main() -> int:
    doubled()
    silent("lost", "")
    silent("deaf", "1")
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
