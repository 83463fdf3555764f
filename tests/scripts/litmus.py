#!/usr/bin/env python3
"""Every litmus test 100000 times: none of the forbidden outcomes, and enough tests."""

import re

from common import Missing, boot, main, result, settings

RUNS = 100000
TESTS_MIN = {"x86_64": 15, "arm64": 60}  # without the flush tester and what is broken on purpose
# What the console prints for a test, between "Test NAME" and the next one.
OBSERVATION = re.compile(r"^Observation (\S+) (Never|Sometimes|Always) (\d+) (\d+)\s*$", re.MULTILINE)
VERDICT = re.compile(r"^# (forbidden|allowed|broken)", re.MULTILINE)


def body() -> None:
    run = boot(f"litmus * --runs {RUNS}")
    counted, short, seen = 0, [], []
    for block in re.split(r"^Test ", run.text, flags=re.MULTILINE)[1:]:
        observed, verdict = OBSERVATION.search(block), VERDICT.search(block)
        if "# skipped: " in block:
            continue
        if not observed or not verdict:
            raise Missing(f"cannot read what is printed for {block.split()[0]}")
        name, _, asked, others = observed.groups()
        if int(asked) + int(others) < RUNS:
            short.append(name)
        if verdict[1] == "forbidden" and int(asked):
            seen.append(f"{name} {asked} times")
        counted += verdict[1] != "broken" and not name.startswith("FLUSH")
    least = TESTS_MIN[settings().arch]
    result("tests", counted >= least, f"{counted} tests ran, at least {least}")
    result("runs", not short, f"fewer than {RUNS} runs: {', '.join(short) or 'none'}")
    result("forbidden", not seen and run.guest_rc == 0,
           f"rc={run.guest_rc}, forbidden and seen: {', '.join(seen) or 'none'}")


main(body)
