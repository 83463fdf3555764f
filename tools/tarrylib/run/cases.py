"""Test cases: host programs, boots and scripts of tests/cases.cfg, and how each one ended."""

from __future__ import annotations

import configparser
import fnmatch
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from . import guest, ktap, qemu
from .ktap import FAIL, PASS, SKIP, Test
from .settings import DEFAULTS, Settings, UsageError, parse

# How a case ended.
PASSED, FAILED, SKIPPED = PASS, FAIL, SKIP
TIMED_OUT, DIED = "timed out", "no boot"

HOST_TIMEOUT = 2400  # seconds for one host program; the explorer needs some 190 of CPU time, and gives way to all boots
OWN_KEYS = {"arch", "groups", "script", "weight", "seconds", "summary", "args-in-test", "mem-in-test", "cmd-in-test", "gives-way"}
# About how long the longest host programs take on an idle host of two CPUs, in seconds; cases.cfg has those of cases.
HOST_SECONDS = {"explore": 95, "litmus_arm64": 25, "explore_races": 26, "litmus_x86_64": 15, "test_faults": 20}
DEFAULT_CMD = "test *"


@dataclass
class Outcome:
    case: str
    status: str
    tests: list[Test]
    seconds: float
    log: Path


@dataclass
class Case:
    """Something with a name that runs and yields test results."""
    name: str
    logs: Path
    weight: float = 1  # host CPUs that it keeps busy; 0.5: it mostly waits
    seconds: float = 5  # about how long it takes: only the order in which cases begin depends on that

    def run(self) -> Outcome:
        begin = time.monotonic()
        try:
            status, tests = self.execute()
        except Exception as error:  # whatever happens to a case, it has an outcome
            self.log.write_text(traceback.format_exc())
            status, tests = self.one(FAILED, f"the case could not be run: {type(error).__name__}: {error}")
        if status == PASSED and not tests:
            status, tests = FAILED, [Test(self.name, FAIL, "no test ran")]
        if status == PASSED and any(test.verdict == FAIL for test in tests):
            status = FAILED
        if status == PASSED and all(test.verdict == SKIP for test in tests):
            status = SKIPPED
        return Outcome(self.name, status, tests, time.monotonic() - begin, self.log)

    @property
    def log(self) -> Path:
        return self.logs / (self.name.replace("/", "-") + ".log")

    def execute(self) -> tuple[str, list[Test]]:
        raise NotImplementedError

    def one(self, status: str, why: str, tests: list[Test] | None = None) -> tuple[str, list[Test]]:
        """The case as a whole has this verdict, on top of the tests it ran."""
        verdict = SKIP if status == SKIPPED else FAIL
        return status, (tests or []) + [Test(self.name, verdict, why)]


@dataclass
class ProgramCase(Case):
    """A program on the host that prints KTAP, or nothing that matters and an exit status."""
    argv: list[str] = field(default_factory=list)
    timeout: float = HOST_TIMEOUT
    environ: dict[str, str] = field(default_factory=dict)
    # Boots beside it go first: the CPUs of one wait for each other, and all of that time is lost where one of them is not run.
    gives_way: bool = False

    def execute(self) -> tuple[str, list[Test]]:
        with open(self.log, "wb") as log:
            try:
                process = guest.start(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=subprocess.STDOUT, env={**os.environ, **self.environ})
            except OSError as error:
                return self.one(FAILED, f"{self.argv[0]}: {error.strerror}")
            if self.gives_way:
                guest.give_way(process)
            try:
                code = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                guest.kill(process)
        tests = ktap.parse(self.log.read_text("utf-8", "replace"))
        if code is None:
            return self.one(TIMED_OUT, f"timed out after {self.timeout:.0f} s", tests)
        if code == 77:
            return self.one(SKIPPED, "cannot run here; see the log", tests)
        if code < 0:
            return self.one(FAILED, f"ended by {signal.Signals(-code).name}", tests)
        if code not in (0, 4) and not any(test.verdict == FAIL for test in tests):
            return self.one(FAILED, f"exit status {code}", tests)
        return PASSED, tests or [Test(self.name, PASS)]


@dataclass
class BootCase(Case):
    """One boot that runs console commands and prints KTAP."""
    settings: Settings | None = None

    def execute(self) -> tuple[str, list[Test]]:
        try:
            run = guest.run(self.settings)
        except qemu.CannotRun as error:
            return self.one(SKIPPED, str(error))
        except UsageError as error:
            return self.one(FAILED, str(error))
        self.log.write_bytes(f"# {' '.join(run.argv)}\n".encode() + run.console
                             + f"\n# exit status {run.code} {run.message}\n".encode())
        tests = ktap.parse(run.text)
        if run.code == guest.TIMEOUT:
            return self.one(TIMED_OUT, run.message, tests)
        if not run.booted:
            return self.one(DIED, run.message)
        expected = (0, 1, 4) if any(test.verdict == FAIL for test in tests) else (0, 4)
        if run.code not in expected:
            panics = [line for line in run.text.splitlines() if "panic: " in line]
            why = [run.message or f"the guest ended with rc={run.code}", *panics[:1]]
            return self.one(FAILED, "\n".join(why), tests)
        return PASSED, tests


def host_cases(programs: list[str], logs: Path) -> list[Case]:
    """The tests of host tools, then the programs that were built."""
    scripts = [Path("tests/host_tools.py"), *sorted(Path("tests/host").glob("test_*.py"))]
    todo = [[sys.executable, str(script)] for script in scripts] + [[p] for p in programs]
    names = [Path(argv[-1]).stem for argv in todo]
    return [ProgramCase(f"host/{name}", logs, seconds=HOST_SECONDS.get(name, Case.seconds), argv=argv, gives_way=True)
            for name, argv in zip(names, todo)]


def missing(planned: list[Case], outcomes: list[Outcome], logs: Path) -> list[Outcome]:
    """A failure for each case that was planned and has no outcome: a runner that lost it is broken."""
    seen = {outcome.case for outcome in outcomes}
    return [Outcome(case.name, FAILED, [Test(case.name, FAIL, "was planned, and has no outcome")], 0.0, logs)
            for case in planned if case.name not in seen]


def select(todo: list[Case], pattern: str) -> list[Case]:
    """Those whose name, with or without the architecture, matches; an error if none does."""
    if not pattern:
        return todo
    chosen = [case for case in todo if fnmatch.fnmatch(case.name, pattern)
              or fnmatch.fnmatch(case.name.partition("/")[2], pattern)]
    if not chosen:
        raise UsageError(f"no case matches {pattern}")
    return chosen


def load(path: Path, arches: list[str], group: str, build: Path, logs: Path) -> list[Case]:
    """The cases of a group ("all": every one, "none": none) for these architectures."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            config.read_file(file)
    except (OSError, configparser.Error) as error:
        raise UsageError(f"{path}: {error}") from error
    todo: list[Case] = []
    for arch in arches:
        for name in config.sections():
            section = config[name]
            if arch not in section.get("arch", " ".join(arches)).split():
                continue
            if group == "all" or group in section.get("groups", "test").split():
                todo.append(_case(path, name, dict(section), arch, build, logs, in_test=group == "test"))
    return todo


def _case(path: Path, name: str, section: dict[str, str], arch: str, build: Path, logs: Path, in_test: bool) -> Case:
    """in_test: with what is for `make test` only. Of two words with the same name the kernel takes the first."""
    values = {key.upper(): value for key, value in section.items() if key not in OWN_KEYS}
    values |= {"ARCH": arch, "BUILD": str(build)}
    if "script" not in section:
        if in_test:
            values["ARGS"] = f"{section.get('args-in-test', '')} {values.get('ARGS', '')}".strip()
            values.setdefault("MEM", section.get("mem-in-test", DEFAULTS["MEM"]))
            values.setdefault("CMD", section.get("cmd-in-test", DEFAULT_CMD))
        values.setdefault("CMD", DEFAULT_CMD)
    where = f"{path.name} [{name}]"
    if unknown := set(values) - set(DEFAULTS):
        raise UsageError(f"{where}: unknown key {', '.join(sorted(unknown)).lower()}")
    try:
        settings = parse(values)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    # A deterministic guest runs on one host thread; others on as many as they have busy CPUs. Scripts mostly wait.
    alone = settings.det or settings.smp == 1 or "script" in section
    try:
        weight, seconds = float(section.get("weight", 1 if alone else 2)), float(section.get("seconds", Case.seconds))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    full_name = f"{arch}/{name}"
    if "script" not in section:
        return BootCase(full_name, logs, weight, seconds, settings=settings)
    argv = [sys.executable, section["script"], *(f"{k}={v}" for k, v in values.items())]
    log_prefix = str(logs / f"{arch}-{name}")
    return ProgramCase(full_name, logs, weight, seconds, argv, settings.timeout, {"TARRY_LOG": log_prefix},
                       section.get("gives-way") == "1")
