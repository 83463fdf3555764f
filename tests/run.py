#!/usr/bin/env python3
"""Run the tests: host programs, and the boots of tests/cases.cfg in QEMU.

Usage: tests/run.py [--arches 'x86_64 arm64'] [--group test] [--only GLOB] [--host 'PROGRAM ...']

One line and one log (build/test-logs/) per case, JUnit in build/test-logs/junit.xml, and last a
line "N passed, N failed, N skipped" that counts tests. Exit status: 0 all passed, 1 a test failed,
2 wrong usage, 4 all skipped, 124 all failures are timeouts, 125 all failures did not boot.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.run import cases, junit, ktap  # noqa: E402
from tarrylib.run.settings import UsageError, host_cpus  # noqa: E402


class Queue:
    """Cases in the order in which they begin. The weights of those that run at the same time sum to at most the total.

    Those that keep several CPUs busy come first, since they wait longest for enough that are free, and meanwhile the
    others fill the gaps. Of the same weight the longest come first, so that no long one is left over at the end.
    """

    def __init__(self, todo: list[cases.Case], total: float):
        self.todo = sorted(todo, key=lambda case: (-max(case.weight, 1), -case.seconds))
        self.total = self.free = total
        self.changed = threading.Condition()

    def _fits(self) -> cases.Case | None:
        return next((case for case in self.todo if min(case.weight, self.total) <= self.free), None)

    def take(self) -> cases.Case | None:
        """The next case, as soon as one fits; None: there is no more."""
        with self.changed:
            self.changed.wait_for(lambda: self._fits() or not self.todo)
            if case := self._fits():
                self.todo.remove(case)
                self.free -= min(case.weight, self.total)
            return case

    def give(self, case: cases.Case) -> None:
        with self.changed:
            self.free += min(case.weight, self.total)
            self.changed.notify_all()


class Reporter:
    """Prints one line per finished case, keeps the outcomes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outcomes: list[cases.Outcome] = []

    def add(self, outcome: cases.Outcome) -> None:
        passed, failed, skipped = ktap.count(outcome.tests)
        parts = [f"{passed} passed"] if passed else []
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{skipped} skipped"] if skipped else []
        with self.lock:
            self.outcomes.append(outcome)
            print(f"{outcome.status:<10} {outcome.case:<34} {outcome.seconds:7.1f} s  "
                  f"{', '.join(parts)}", flush=True)
            for test in outcome.tests:
                if test.verdict == ktap.FAIL:
                    why = test.why.splitlines() or [""]
                    print(f"           not ok {test.name}: {why[0]}")
                    for line in why[1:6]:
                        print(f"             {line}")
            if failed:
                print(f"           log: {outcome.log}", flush=True)


def run_all(todo: list[cases.Case], jobs: int, report: Reporter) -> None:
    """Every case has an outcome afterwards, whatever became of it."""
    queue = Queue(todo, jobs)
    threads = []

    def work(case: cases.Case) -> None:
        try:
            report.add(case.run())
        finally:
            queue.give(case)

    while case := queue.take():
        thread = threading.Thread(target=work, args=(case,), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    for lost in cases.missing(todo, report.outcomes, Path("-")):
        report.add(lost)


def summarise(outcomes: list[cases.Outcome], logs: Path, seconds: float) -> int:
    suites = [junit.Suite(o.case, o.seconds, o.tests) for o in outcomes]
    junit.write(logs / "junit.xml", suites)
    bad = [o for o in outcomes if ktap.count(o.tests)[1]]
    passed, failed, skipped = ktap.count([test for o in outcomes for test in o.tests])
    print(f"{len(outcomes)} cases in {seconds:.0f} s; logs and junit.xml in {logs}")
    for outcome in bad:
        print(f"{outcome.status}: {outcome.case}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if bad:
        kinds = {o.status for o in bad}
        return 124 if kinds == {cases.TIMED_OUT} else 125 if kinds == {cases.DIED} else 1
    return 0 if passed else 4 if skipped else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arches", default="x86_64")
    parser.add_argument("--group", default="test", help="a group of cases.cfg, all, or none")
    parser.add_argument("--only", default="", help="glob on case names")
    parser.add_argument("--host", default="", help="host test programs")
    parser.add_argument("--no-host", action="store_true", help="no tests of host tools either")
    # One more than there are CPUs: what waits for a console, a disk or another virtual CPU leaves its own to somebody.
    parser.add_argument("--jobs", type=int, default=host_cpus() + 1, help="host CPUs to fill")
    parser.add_argument("--cases", default=ROOT / "tests/cases.cfg", type=Path)
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    args = parser.parse_args()

    os.chdir(ROOT)
    build = Path(os.environ.get("BUILD") or "build")
    logs = build / "test-logs"
    try:
        todo = [] if args.no_host else cases.host_cases(args.host.split(), logs)
        todo += cases.load(args.cases, args.arches.split(), args.group, build, logs)
        todo = cases.select(todo, args.only)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.list:
        print("\n".join(case.name for case in todo))
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    logs.mkdir(parents=True, exist_ok=True)
    report = Reporter()
    begin = time.monotonic()
    run_all(todo, args.jobs, report)
    return summarise(report.outcomes, logs, time.monotonic() - begin)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
