#!/usr/bin/env python3
"""Every litmus test 100000 times: none of the forbidden outcomes, and each twin shows its own.

The list is run in parts, a boot each, so that one that does not end costs only what it had left.
CMD chooses tests by name and another number of runs, for a part of the list or a slow machine:
    tests/scripts/litmus.py ARCH=arm64 CMD='FLUSH.4K* MP* --runs 20000'
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from pathlib import Path

from common import Missing, boot, guest, main, result, settings

RUNS = 100000
TESTS_MIN = {"x86_64": 15, "arm64": 60}  # without the flush tester and what is broken on purpose
PART = 8  # tests per boot
PART_TIMEOUT = 1800  # seconds: ten times what the slowest part takes on two free CPUs
# What the console prints for a test, between "Test NAME" and the next one.
OBSERVATION = re.compile(r"^Observation (\S+) (Never|Sometimes|Always) (\d+) (\d+)\s*$", re.MULTILINE)
VERDICT = re.compile(r"^# (forbidden|allowed|broken)", re.MULTILINE)
TWIN = re.compile(r"^# twin: (\S+)$", re.MULTILINE)
UNSEEN = re.compile(r"^# not seen: (.*)$", re.MULTILINE)
UNEXPLAINED = "it takes more runs"  # how a reason begins that is none


@dataclass
class Observed:
    """What a test showed. Runs 0: it was skipped."""
    name: str
    verdict: str = ""
    twin: str = ""
    asked: int = 0
    runs: int = 0
    reason: str = ""  # why the outcome was not seen, or the test not run


def parse(text: str) -> dict[str, Observed]:
    """By name; a test whose lines are not whole is left out."""
    found = {}
    for block in re.split(r"^Test ", text, flags=re.MULTILINE)[1:]:
        name = block.split()[0]
        observation, verdict = OBSERVATION.search(block), VERDICT.search(block)
        twin, unseen = TWIN.search(block), UNSEEN.search(block)
        if skipped := re.search(r"^# skipped: (.*)$", block, re.MULTILINE):
            found[name] = Observed(name, reason=skipped[1])
        elif observation and verdict:
            asked, others = int(observation[3]), int(observation[4])
            found[name] = Observed(name, verdict[1], twin[1] if twin else "", asked, asked + others,
                                   unseen[1] if unseen else "")
    return found


def chosen() -> tuple[list[str], int, bool]:
    """Names of the list that are wanted, runs of each, and whether that is the whole list as asked."""
    globs, _, runs = settings().cmd.partition("--runs")
    listing = boot("list litmus").text
    names = re.findall(r"^(\S+) +(?:forbidden|allowed|broken) +(?:emulator|model)", listing, re.MULTILINE)
    wanted = [n for n in names if any(fnmatch.fnmatchcase(n, g) for g in globs.split() or ["*"])]
    if not wanted:
        raise Missing(f"no test matches {globs.strip()}")
    try:
        return wanted, int(runs or RUNS), not globs.strip() and not runs
    except ValueError as error:
        raise Missing(f"CMD: --runs {runs.strip()} is no number") from error


def run_part(number: int, names: list[str], runs: int) -> dict[str, Observed]:
    """One boot. How it ended shows in what is missing of its tests."""
    run = guest.run(settings(CMD=f"litmus {' '.join(names)} --runs {runs}", TIMEOUT=PART_TIMEOUT))
    if prefix := os.environ.get("TARRY_LOG"):
        Path(f"{prefix}-part{number}.console").write_bytes(run.console)
    found = parse(run.text)
    short = [n for n in names if n not in found or 0 < found[n].runs < runs]
    ended = run.message or f"rc={run.guest_rc}"
    result(f"part-{number}", run.guest_rc in (0, 4) and not short,
           f"{names[0]} to {names[-1]}: {run.seconds:.0f} s, {ended}\n"
           f"fewer than {runs} runs: {', '.join(short) or 'none'}")
    return found


def judge_outcomes(found: dict[str, Observed]) -> None:
    ran = [o for o in found.values() if o.runs]
    seen = [f"{o.name} {o.asked} of {o.runs}" for o in ran if o.verdict == "forbidden" and o.asked]
    result("forbidden", not seen,
           f"{sum(o.verdict == 'forbidden' for o in ran)} tests with a forbidden outcome, "
           f"{sum(o.runs for o in ran)} runs in all; seen: {', '.join(seen) or 'none'}")
    others = [o for o in ran if o.verdict != "forbidden"]
    never = [o for o in others if not o.asked]
    hidden = [o for o in never if not o.reason.startswith(UNEXPLAINED)]
    luck = [o.name for o in never if o.reason.startswith(UNEXPLAINED)]
    print(f"# other outcomes seen: {len(others) - len(never)} of {len(others)}; hidden here: "
          f"{', '.join(o.name for o in hidden) or 'none'}; not seen: {', '.join(luck) or 'none'}")
    skipped = [f"{o.name} ({o.reason})" for o in found.values() if not o.runs]
    print(f"# skipped: {', '.join(skipped) or 'none'}")


def judge_twins(found: dict[str, Observed], whole: bool) -> None:
    """A forbidden test whose twin stays silent for no known reason could not have failed."""
    silent, shown = set(), set()
    for test in (o for o in found.values() if o.runs and o.twin):
        twin = found.get(test.twin)
        if twin and twin.asked:
            shown.add(twin.name)
        elif (whole and not twin) or (twin and twin.runs and twin.reason.startswith(UNEXPLAINED)):
            silent.add(test.twin)
    result("twins", not silent,
           f"{len(shown)} twins showed the outcome; silent: {', '.join(sorted(silent)) or 'none'}")


def body() -> None:
    names, runs, whole = chosen()
    found: dict[str, Observed] = {}
    for i in range(0, len(names), PART):
        found |= run_part(i // PART + 1, names[i:i + PART], runs)
    short = [n for n in names if n not in found or 0 < found[n].runs < runs]
    counted = [o for n, o in found.items()
               if o.runs >= runs and o.verdict != "broken" and not n.startswith("FLUSH")]
    least = TESTS_MIN[settings().arch] if whole else 1
    result("tests", len(counted) >= least or not whole,
           f"{len(counted)} tests with all their runs, at least {least}; "
           f"{sum(o.runs >= runs for o in found.values())} with the flush tester and broken ones")
    result("runs", not short, f"fewer than {runs} runs: {', '.join(short) or 'none'}")
    judge_outcomes(found)
    judge_twins(found, whole)


main(body)
