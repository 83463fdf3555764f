#!/usr/bin/env python3
"""The transcript in docs/tutorial.md: a clone, `make run` on a terminal, what is typed there, and further lines of make.

Each "tarry> COMMAND" in an indented block is typed; what the document shows below it must come, in that
order: the same words, with any numbers. More may come, as how much is said depends on the host; tables of times
need not come from a busy one. CMD=write puts what came into the document instead.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, Missing, main, result, settings
from console_session import Terminal

DOCUMENT = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"(?:^    .*\n)*^    tarry> .*\n(?:^    .*\n|^\n(?=    ))*", re.MULTILINE)
WIDTH = 114  # columns of a line in the document, beside its indentation
CUT = "..."
# Numbers, and where one is not known; how trust is explained; what says how far a run is.
NUMBER = re.compile(r"[-+]?\d[\d,.]*|\bn/a\b")
TRUST = re.compile(r"trust .*")
# How paragraphs begin that depend on whether times are trusted.
TIMED = re.compile(r"\S+/page +median|of it, medians|readers ")
PASSING = re.compile(r"# [\w.+-]+: .*(?:rounds|warm-up)|# \d+ CPUs on |# only \d+ rounds|# \d+ of \d+ rounds|stale reads: n/a|floor, same boot")


def words(line: str) -> list[str]:
    """Of a line, without what a run on another host may change."""
    return TRUST.sub("trust", NUMBER.sub("N", line)).replace("N %", "N").split()


def commands(block: str) -> list[str]:
    return re.findall(r"^    tarry> (.*)$", block, re.MULTILINE)


def expected(block: str, command: str) -> list[str]:
    """What the document shows below a command."""
    after = block.split(f"    tarry> {command}\n", 1)[1].split("\n    tarry> ", 1)[0]
    return [line.removeprefix("    ") for line in after.splitlines()]


def missing(shown: list[str], came: list[str]) -> str:
    """The first line of the document that did not come, in its order; "" if all did."""
    rest = iter([words(line) for line in came])
    for line in shown:
        cut = line.endswith(CUT)
        wanted = words(line.removesuffix(CUT))[:-1 if cut else None]
        if wanted and not PASSING.match(line) and not any(got[:len(wanted)] == wanted for got in rest):
            return line
    return ""


def without_times(shown: list[str]) -> list[str]:
    """What the document shows, without the paragraphs that are there, or have columns, only where times are trusted."""
    out: list[str] = []
    timed = False
    for line in shown:
        timed = bool(TIMED.match(line)) or (timed and bool(line))
        out += [line] if not timed or line.startswith("# ") else []
    return out


def as_shown(command: str, came: list[str]) -> str:
    lines = [f"tarry> {command}", *came]
    cut = [line if len(line) <= WIDTH else line[:WIDTH - len(CUT)] + CUT for line in lines]
    return "".join(f"    {line}".rstrip() + "\n" for line in cut)


class Clone(Terminal):
    """`make run` in a clone, as somebody would who has just heard of this."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def command(self) -> list[str]:
        return ["make", "-s", "-C", str(self.folder), "run", f"ARCH={self.settings.arch}"]


def session(folder: Path, text: str) -> str:
    """Type what the document has; the document with what came instead."""
    with Clone(folder) as t:
        t.expect(b"tarry> ", 600)
        for block in BLOCK.findall(text):
            now = ""
            for command in commands(block):
                if command == "exit":
                    t.send(b"exit\r")
                    result("exit", t.ended() == 0 and b"TARRY-END rc=0" in t.seen, "exit ends the machine")
                    now += as_shown(command, ["TARRY-END rc=0"])
                    continue
                rc, came = t.run(command, 120)
                lines = [line.rstrip() for line in came.splitlines()[1:]]
                shown = expected(block, command)
                if any(" trust counts" in line for line in lines):  # a busy host
                    shown = without_times(shown)
                lost = missing(shown, [*lines, f"# rc={rc}"])
                result(re.sub(r"\W+", "-", command), not lost or settings().cmd == "write",
                       f"the document has this, the session has not: {lost}" if lost else f"{len(lines)} lines")
                now += as_shown(command, [*lines, f"# rc={rc}"])
            text = text.replace(block, now)
    return text


def commands_of_make(folder: Path, text: str) -> None:
    """Those that run by themselves; `make run` is the session."""
    lines = [line for line in re.findall(r"^    \$ (make .*)$", text, re.MULTILINE) if line != "make run"]
    for line in lines:
        done = subprocess.run(shlex.split(line), cwd=folder, capture_output=True, text=True, check=False)
        result(re.sub(r"\W+", "-", line), done.returncode == 0 and "TARRY-END rc=0" in done.stdout, f"{done.returncode} {done.stderr[-200:]}")
    result("make", bool(lines), f"{len(lines)} commands beside make run")


def body() -> None:
    text = DOCUMENT.read_text("utf-8")
    if not BLOCK.search(text):
        raise Missing(f"{DOCUMENT}: no block with a session")
    with tempfile.TemporaryDirectory(prefix="tarry-") as scratch:
        folder = Path(scratch, "tarry")
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        text = session(folder, text)
        commands_of_make(folder, text)
    if settings().cmd == "write":
        DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    main(body)
