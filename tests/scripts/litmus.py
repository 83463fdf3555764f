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

from common import Missing, boot, guest, main, result, settings, skip

RUNS = 100000
TESTS_MIN = {"x86_64": 36, "arm64": 84}  # without the flush tester and what is broken on purpose
PART = 8  # tests per boot
PART_TIMEOUT = 1800  # seconds: ten times what the slowest part takes on two free CPUs
LISTED = re.compile(r"^(\S+) +(?:forbidden|allowed|broken) +(?:emulator|model)", re.MULTILINE)
LISTED_ALL = re.compile(r"^# (\d+) tests$", re.MULTILINE)
# What the console prints for a test, between "Test NAME" and the next one.
OBSERVATION = re.compile(r"^Observation (\S+) (Never|Sometimes|Always) (\d+) (\d+)\s*$", re.MULTILINE)
VERDICT = re.compile(r"^# (forbidden|allowed|broken)", re.MULTILINE)
TWIN = re.compile(r"^# twin: (\S+)$", re.MULTILINE)
UNSEEN = re.compile(r"^# not seen: (.*)$", re.MULTILINE)
SKIPPED = re.compile(r"^# skipped: (.*\S)", re.MULTILINE)
TALLY = re.compile(r"^# (\d+) tests run, .* (\d+) skipped$", re.MULTILINE)  # last of a boot
UNEXPLAINED = "it takes more runs"  # how a reason begins that is none


@dataclass
class Observed:
    """What a test showed, or why the guest skipped it."""
    name: str
    verdict: str = ""
    twin: str = ""
    asked: int = 0
    runs: int = 0
    unseen: str = ""  # why the outcome was not
    skipped: str = ""

    def is_short(self, runs: int) -> bool:
        return not self.skipped and self.runs < runs

    def is_silent(self) -> bool:
        """It ran, and nothing says why its outcome was not seen."""
        return bool(self.runs) and not self.asked and (
            not self.unseen or self.unseen.startswith(UNEXPLAINED))


def parse(text: str) -> dict[str, Observed]:
    """By name; a test whose lines are not whole is left out."""
    found = {}
    for block in re.split(r"^Test ", text, flags=re.MULTILINE)[1:]:
        name = block.split()[0]
        observation, verdict = OBSERVATION.search(block), VERDICT.search(block)
        twin, unseen = TWIN.search(block), UNSEEN.search(block)
        if (skipped := SKIPPED.search(block)) and not observation:
            found[name] = Observed(name, skipped=skipped[1])
        elif observation and observation[1] == name and verdict:
            asked, others = int(observation[3]), int(observation[4])
            found[name] = Observed(name, verdict[1], twin[1] if twin else "", asked, asked + others,
                                   unseen[1] if unseen else "")
    return found


def chosen() -> tuple[list[str], int, bool]:
    """Names of the list that are wanted, runs of each, and whether that is the whole list."""
    globs, _, runs = settings().cmd.partition("--runs")
    listing = boot("list litmus").text
    names, said = LISTED.findall(listing), LISTED_ALL.search(listing)
    if not said or len(set(names)) != int(said[1]):
        raise Missing(f"{len(set(names))} names in the list of {said[1] if said else 'no'} tests")
    wanted = [n for n in names if any(fnmatch.fnmatchcase(n, g) for g in globs.split() or ["*"])]
    if not wanted:
        raise Missing(f"no test matches {globs.strip()}")
    if runs and not (runs.strip().isdecimal() and int(runs)):
        raise Missing(f"CMD: --runs {runs.strip()} is no number above 0")
    return wanted, int(runs or RUNS), len(wanted) == len(names)


def short_of(names: list[str], found: dict[str, Observed], runs: int) -> list[str]:
    return [n for n in names if n not in found or found[n].is_short(runs)]


def run_part(number: int, names: list[str], runs: int) -> dict[str, Observed]:
    """One boot. How it ended shows in what is missing of its tests."""
    run = guest.run(settings(CMD=f"litmus {' '.join(names)} --runs {runs}", TIMEOUT=PART_TIMEOUT))
    if prefix := os.environ.get("TARRY_LOG"):
        Path(f"{prefix}-part{number}.console").write_bytes(run.console)
    found = parse(run.text)
    short = short_of(names, found, runs)
    skipped = [n for n in names if n in found and found[n].skipped]
    tally = TALLY.search(run.text)
    counted = tally and [int(n) for n in tally.groups()] == [len(names) - len(skipped), len(skipped)]
    ended = run.message or f"rc={run.guest_rc}"
    what = f"{names[0]} to {names[-1]}: {run.seconds:.0f} s, {ended}"
    if run.guest_rc == 4 and counted and skipped == names:
        skip(f"part-{number}", what)
    else:
        result(f"part-{number}", run.guest_rc == 0 and bool(counted) and not short,
               f"{what}\nfewer than {runs} runs: {', '.join(short) or 'none'}; "
               f"skipped: {len(skipped)}; said: {tally[0] if tally else 'nothing'}")
    return found


def judge_outcomes(found: dict[str, Observed]) -> None:
    ran = [o for o in found.values() if o.runs]
    seen = [f"{o.name} {o.asked} of {o.runs}" for o in ran if o.verdict == "forbidden" and o.asked]
    result("forbidden", not seen,
           f"{sum(o.verdict == 'forbidden' for o in ran)} tests with a forbidden outcome, "
           f"{sum(o.runs for o in ran)} runs in all; seen: {', '.join(seen) or 'none'}")
    others = [o for o in ran if o.verdict != "forbidden"]
    never = [o for o in others if not o.asked]
    hidden = [o for o in never if not o.is_silent()]
    luck = [o.name for o in never if o.is_silent()]
    print(f"# other outcomes seen: {len(others) - len(never)} of {len(others)}; hidden here: "
          f"{', '.join(o.name for o in hidden) or 'none'}; not seen: {', '.join(luck) or 'none'}")


def judge_twins(found: dict[str, Observed], whole: bool) -> None:
    """A forbidden test whose twin stays silent for no known reason could not have failed."""
    twins = {o.twin for o in found.values() if o.runs and o.twin}
    ran = [found[n] for n in twins if n in found and found[n].runs]
    absent = sorted(twins - {o.name for o in ran})
    silent = sorted(o.name for o in ran if o.is_silent())
    result("twins", not silent and not (whole and absent),
           f"{sum(o.asked > 0 for o in ran)} twins showed the outcome; "
           f"silent: {', '.join(silent) or 'none'}; not run: {', '.join(absent) or 'none'}")


def body() -> None:
    names, runs, whole = chosen()
    found: dict[str, Observed] = {}
    for i in range(0, len(names), PART):
        found |= run_part(i // PART + 1, names[i:i + PART], runs)
    skipped = [f"{o.name} ({o.skipped})" for o in found.values() if o.skipped]
    print(f"# skipped: {', '.join(skipped) or 'none'}")
    if not whole and len(skipped) == len(names):
        skip("tests", "the guest skipped all of them")
        return
    short = short_of(names, found, runs)
    complete = sum(o.runs >= runs for o in found.values())
    counted = [o for n, o in found.items()
               if o.runs >= runs and o.verdict != "broken" and not n.startswith("FLUSH")]
    least = TESTS_MIN[settings().arch] if whole else 0
    result("tests", len(counted) >= least and complete > 0,
           f"{len(counted)} tests with all their runs, at least {least}; "
           f"{complete} with the flush tester and broken ones")
    result("runs", not short, f"fewer than {runs} runs: {', '.join(short) or 'none'}")
    judge_outcomes(found)
    judge_twins(found, whole)


main(body)
