"""A copy of the sources with a build of its own, to break on purpose: mutants and planted mistakes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

FETCHED = ("deps/font.psf", "deps/lwip")  # tools/fetch.sh
COPIED = ("arch", "boot", "docs", "kernel", "mm", "tests", "tools", "Makefile", "README.md", "linker.ld")

# Host programs: a mistake is compiled for each of its runs, which are so short that code for speed does not pay.
BUILT_QUICKLY = ["WARNINGS=-w", "EXTRA_CFLAGS=-O0"]
CPU_SECONDS = 60  # of one process of a check, which takes 2 s where nothing is broken
WALL_SECONDS = 900  # for hosts with more to do; what a check does ends by CPU_SECONDS

# Kinds of checks that do not lean on each other, and how a failure's text tells them apart.
CHECKS = [
    ("locks", re.compile(r"lock order:|with the spinlock of")),
    ("invariants", re.compile(r": I\d+")),
    ("oracle", re.compile(r"panic: oracle")),
    ("contents", re.compile(r" reads |lost write")),
    ("progress", re.compile(r"deadlock|no end|still a fault|did not end|stuck")),
    ("end state", re.compile(r"at the end|after settling")),
    ("races", re.compile(r": race:")),
    ("subscribers", re.compile(r"a subscriber is called|in a change that|a change (?:ends|that was heard)|a guest (?:reaches|has|on CPU)")),
    ("assertion", re.compile(r"panic")),
]


def kind_of(text: str) -> str:
    return next((name for name, pattern in CHECKS if pattern.search(text)), "crash")


class Scratch:
    """texts: contents of files as they were when somebody looked; they may have changed meanwhile."""

    def __init__(self, root: Path, folder: Path, texts: dict[str, str] | None = None):
        self.folder = folder
        for name in COPIED:
            source, to = root / name, folder / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, to, symlinks=False)
            elif source.exists():
                shutil.copy2(source, to)
        for name in FETCHED:  # a build without them would fetch them
            source, to = root / os.environ.get("BUILD", "build") / name, folder / "build" / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, to)
            elif source.exists():
                shutil.copy2(source, to)
        for name, text in (texts or {}).items():
            if (folder / name).read_text() != text:
                self.put(name, text)

    def copy(self, folder: Path) -> Scratch:
        """Another one, with what is built so far."""
        other = Scratch.__new__(Scratch)
        other.folder = folder
        shutil.copytree(self.folder, folder)
        return other

    def take_built(self, root: Path, *names: str) -> None:
        """What is built of these, by their names below build/: what is up to date there is so here, too."""
        built = root / os.environ.get("BUILD", "build")
        for name in names:
            if (built / name).is_dir():
                shutil.copytree(built / name, self.folder / "build" / name)

    def put(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)

    @property
    def env(self) -> dict[str, str]:
        """No bytecode: a source that is changed twice in a second, to the same length, would run as it was."""
        return {k: v for k, v in os.environ.items() if k not in ("BUILD", "MAKEFLAGS", "ARCH")} | {"PYTHONDONTWRITEBYTECODE": "1"}

    def make(self, *targets: str, arch: str = "") -> str:
        """Errors of the build, or nothing. Targets by their names below build/; kernels are compiled as they are used."""
        flags = BUILT_QUICKLY if all(t.startswith("host/") for t in targets) else ["WARNINGS=-w"]
        done = subprocess.run(["make", "-s", f"-j{os.cpu_count() or 1}", "SETUP=no", *flags,
                               *([f"ARCH={arch}"] if arch else []), *(f"build/{t}" for t in targets)],
                              cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""

    def commands(self, program: str) -> dict[str, str]:
        """What make would run for a host program: source, or the program itself, -> command; nothing where its plan reads otherwise."""
        plan = subprocess.run(["make", "-nBs", "SETUP=no", *BUILT_QUICKLY, f"build/host/{program}"], cwd=self.folder, env=self.env,
                              capture_output=True, text=True, check=False).stdout.splitlines()
        commands = {line.split()[-1]: line for line in plan if " -c -o " in line}
        links = [line for line in plan if f" -o build/host/{program} " in line]
        return commands | {program: links[0]} if links else {}

    def run(self, argv: list[str], timeout: float = WALL_SECONDS, cpu: int = CPU_SECONDS) -> tuple[int, str]:
        """Exit status and output. cpu: seconds of each process, 0 = any; no measure of a busy host."""
        limited = ["sh", "-c", f'ulimit -t {cpu}; exec "$@"', "sh", *argv] if cpu else argv
        process = subprocess.Popen(limited, cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0)
        try:
            out, _ = process.communicate(timeout=timeout)
            if process.returncode in (126, 127):  # of sh: a check that did not run has not failed
                raise OSError(f"{argv[0]}: cannot be run: {out.strip()}")
            return process.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return 124, "# timeout: no end"
