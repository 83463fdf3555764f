"""Reads test results in KTAP, nested to any depth and mixed with log lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PASS, FAIL, SKIP = "passed", "failed", "skipped"

_RESULT = re.compile(r"^(?P<indent> *)(?P<verdict>ok|not ok)\s+(?P<number>\d+)(?:\s+-)?"
                     r"(?:\s+(?P<name>[^#\s]\S*))?[^#]*"
                     r"(?:#\s*(?P<directive>SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b\s*(?P<why>.*))?$")
_PLAN = re.compile(r"^(?P<indent> *)1\.\.(?P<count>\d+)(?:\s+#\s*SKIP\s*(?P<why>.*))?$")
_NOTE = re.compile(r"^ *# (?!Subtest:|Totals:)(?P<text>.*)$")


@dataclass
class Test:
    """One leaf: a test without sub-tests."""
    name: str  # "suite.test"
    verdict: str  # PASS, FAIL or SKIP
    why: str = ""  # reason of a skip, diagnostics of a failure


@dataclass
class _Level:
    """Results seen at one depth since the last result one level up."""
    plan: int | None = None
    seen: int = 0
    leaves: list[Test] = field(default_factory=list)


class Parser:
    """Feed lines, then take results()."""

    def __init__(self) -> None:
        self.done: list[Test] = []  # of earlier documents of the same console
        self.levels: list[_Level] = [_Level()]
        self.notes: list[str] = []
        self.last: Test | None = None

    def line(self, text: str) -> None:
        if text == "KTAP version 1":  # unindented: one more document
            self.done, self.levels = self.results(), [_Level()]
        elif match := _RESULT.match(text):
            self._result(match)
        elif match := _PLAN.match(text):
            self._level(len(match["indent"]) // 2).plan = int(match["count"])
        elif match := _NOTE.match(text):
            self._note(match["text"])

    def results(self) -> list[Test]:
        """All leaves; a plan that was not kept is a failure of its own."""
        while len(self.levels) > 1:
            deepest = self.levels.pop()
            self.levels[-1].leaves += deepest.leaves + _broken_plan(deepest, "sub-tests")
        top = self.levels[0]
        return self.done + top.leaves + _broken_plan(top, "tests")

    def _note(self, text: str) -> None:
        """A diagnostic comes before its result, or after it with the test's name in front."""
        if self.last and text.startswith(self.last.name + ":"):
            reason = text.removeprefix(f"{self.last.name}: ")
            self.last.why = f"{self.last.why}\n{reason}".strip()
        else:
            self.notes.append(text)

    def _level(self, depth: int) -> _Level:
        while len(self.levels) <= depth:
            self.levels.append(_Level())
        return self.levels[depth]

    def _result(self, match: re.Match) -> None:
        depth = len(match["indent"]) // 2
        level = self._level(depth)
        level.seen += 1
        name = match["name"] or f"test-{match['number']}"
        children: list[Test] = []
        while len(self.levels) > depth + 1:
            child = self.levels.pop()
            children = child.leaves + _broken_plan(child, "sub-tests") + children
        notes, self.notes = self.notes, []
        failed = match["verdict"] == "not ok" and match["directive"] not in ("XFAIL", "TODO")
        self.last = None
        if not children:
            leaf = _leaf(name, failed, match, notes)
            level.leaves.append(leaf)
            self.last = leaf if failed else None
            return
        for child in children:
            child.name = f"{name}.{child.name}"
        level.leaves += children
        if failed and all(child.verdict != FAIL for child in children):
            level.leaves.append(Test(name, FAIL, "\n".join(notes) or "failed as a whole"))


def _leaf(name: str, failed: bool, match: re.Match, notes: list[str]) -> Test:
    if failed:
        notes = [note.removeprefix(f"{name}: ") for note in notes]
        return Test(name, FAIL, "\n".join(notes + [match["why"] or ""]).strip())
    if match["directive"] == "SKIP":
        return Test(name, SKIP, match["why"].strip())
    return Test(name, PASS)


def _broken_plan(level: _Level, what: str) -> list[Test]:
    if level.plan is None or level.plan == level.seen:
        return []
    return [Test("plan", FAIL, f"{level.plan} {what} planned, {level.seen} reported")]


def parse(text: str) -> list[Test]:
    parser = Parser()
    for line in text.splitlines():
        parser.line(line.rstrip())
    return parser.results()


def count(tests: list[Test]) -> tuple[int, int, int]:
    """(passed, failed, skipped)"""
    verdicts = [test.verdict for test in tests]
    return verdicts.count(PASS), verdicts.count(FAIL), verdicts.count(SKIP)


class Writer:
    """Prints one flat KTAP document on standard output; the exit status by conventions."""

    def __init__(self) -> None:
        self.number = self.failed = self.skipped = 0
        print("KTAP version 1", flush=True)

    def result(self, name: str, ok: bool, why: str = "") -> bool:
        """One result line, and before it as a diagnostic what was measured or went wrong."""
        self.number += 1
        self.failed += not ok
        for line in why.splitlines():
            print(f"# {line}")
        print(f"{'ok' if ok else 'not ok'} {self.number} {name}", flush=True)
        return ok

    def skip(self, name: str, why: str) -> None:
        self.number += 1
        self.skipped += 1
        print(f"ok {self.number} {name} # SKIP {why}", flush=True)

    def end(self) -> int:
        """The plan, after the results since it is known only now, and the exit status."""
        print(f"1..{self.number}")
        passed = self.number - self.failed - self.skipped
        print(f"# Totals: pass:{passed} fail:{self.failed} xfail:0 skip:{self.skipped} error:0",
              flush=True)
        if self.failed or not self.number:
            return 1
        return 4 if self.skipped == self.number else 0
