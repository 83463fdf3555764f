#!/usr/bin/env python3
"""`make planted`: is each kind of wrong step in a shootdown found, and with which schedule?

Usage: tools/planted.py [--soonest] [--only REGEX] [--jobs N] [--doc FILE] [--no-boots] [--check]
                        [--results FILE] [--resume]

tools/planted.cfg declares mistakes: what to change, and which check must see it under which schemes
and rule sets. Each is made in a scratch copy, where the explorer runs until it fails; the schedule
that it prints must show the same failure again, and the sources as they are must pass under the same
schedule and the same plan. --soonest: only where the entry says that it is found soonest. --doc keeps
the table in that file up to date. Exit status 1 if one is not found; an entry whose text is no
longer in the sources is an error that names it.

What is found goes to --results at once. --resume takes from there what was found with the same sources and by the same entry.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.prove.keep import digest, keep_in, tree_digest, write_whole  # noqa: E402
from tarrylib.prove.scratch import Scratch, kind_of  # noqa: E402

CONFIG = ROOT / "tools/planted.cfg"
SOURCES = ("mm", "kernel/core", "kernel/include", "kernel/bench/workload", "arch")
RULES = ("x86", "arm64")  # or one of their variants, such as arm64-ipi
TIMEOUT = 600  # seconds, of one run of the explorer
EL2 = {"x86_64": [], "arm64": ["EL2=1"]}  # of boots: so that guests run there, too


class ConfigError(Exception):
    """tools/planted.cfg does not fit the sources, or itself."""


@dataclass
class Found:
    """How one mistake showed, or did not, under one scheme and rule set."""
    scheme: str
    rules: str
    check: str = ""  # kind of check that failed; "" = none did
    text: str = ""
    replay: str = ""
    executions: int = 0  # of the scenario that failed, the failing one included
    wrong: str = ""  # why it does not count


@dataclass
class Mistake:
    name: str
    kind: str
    what: str
    why: str  # instead of all below: why there is nothing to break
    edits: dict[str, str] = field(default_factory=dict)  # file: its text with the mistake
    schemes: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    alone: str = ""  # the explorer's --checks: these, and none of the others
    where: list[list[str]] = field(default_factory=list)  # rules, scheme, scenario: for --soonest
    says: str = ""  # words of the failure
    program: str = "explore"
    only: str = ""  # pattern of the scenarios that are run
    orderings: int = 20000
    boot: dict[str, str] = field(default_factory=dict)  # arch: what the console must say
    boot_cmd: str = ""
    hidden: str = ""  # why the emulator does not show it
    found: list[Found] = field(default_factory=list)
    booted: dict[str, str] = field(default_factory=dict)
    untried: str = ""  # why it could not be tried; a mistake that was not tried was not found

    @property
    def bad(self) -> bool:
        return not self.why and (bool(self.untried) or any(f.wrong for f in self.found) or (not self.found and not self.boot)
                                 or any(v.startswith("NOT") for v in self.booted.values()))


class Results:
    """What earlier runs found, by the names of mistakes."""

    def __init__(self, path: Path, resume: bool):
        self.path, self.tree, self.lock = path, tree_digest(ROOT), threading.Lock()
        self.rows: dict[str, dict] = json.loads(path.read_text()) if resume and path.exists() else {}

    def _of(self, m: Mistake) -> str:
        entry = {k: v for k, v in asdict(m).items() if k not in ("found", "booted", "untried")}
        return digest({self.tree: json.dumps(entry).encode()})

    def take(self, m: Mistake) -> None:
        row = self.rows.get(m.name)
        if row and row["of"] == self._of(m):
            m.found, m.booted = [Found(**f) for f in row["found"]], row["booted"]
            if any(f.wrong for f in m.found):
                m.found = []

    def add(self, m: Mistake) -> None:
        with self.lock:
            self.rows[m.name] = {"of": self._of(m), "found": [asdict(f) for f in m.found], "booted": m.booted}
            write_whole(self.path, self.rows)


# --- the list ----------------------------------------------------------------------------
def without_comments(text: str) -> str:
    """The same length: comments are spaces."""
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def read_sources() -> dict[str, tuple[str, str]]:
    texts = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            text = path.read_text()
            texts[str(path.relative_to(ROOT))] = (text, without_comments(text))
    return texts


def locate(find: str, within: list[str], sources: dict[str, tuple[str, str]]) -> tuple[str, int, int]:
    """(file, start, end) of the one place with these words, however they are spaced."""
    pattern = re.compile(r"\s+".join(re.escape(word) for word in find.split()))
    places = [(file, m.start(), m.end()) for file, (_, code) in sources.items()
              if any(file.startswith(prefix) for prefix in within) for m in pattern.finditer(code)]
    if len(places) != 1:
        raise ConfigError(f"{len(places) or 'no'} place{'s' * (len(places) != 1)} in "
                          f"{' '.join(within)} for: {' '.join(find.split())}")
    return places[0]


def edits_of(section: configparser.SectionProxy, sources: dict[str, tuple[str, str]]) -> dict[str, str]:
    within = section.get("in", "mm").split()
    changes = []
    for number in ("", "2", "3", "4"):
        if "find" + number in section:
            file, start, end = locate(section["find" + number], within, sources)
            changes.append((file, start, end, section.get("put" + number, "").strip() or ";"))
    texts: dict[str, str] = {}
    for file, start, end, put in sorted(changes, key=lambda c: c[1], reverse=True):
        text = texts.get(file, sources[file][0])
        texts[file] = text[:start] + put + text[end:]
    if not texts:
        raise ConfigError("no `find`")
    return texts


def read_config(all_schemes: list[str]) -> list[Mistake]:
    config = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    config.read(CONFIG)
    sources = read_sources()
    mistakes, errors = [], []
    for name in config.sections():
        s = config[name]
        m = Mistake(name, " ".join(s["kind"].split()), " ".join(s.get("what", "").split()),
                    " ".join(s.get("why", "").split()))
        if happened := " ".join(s.get("happened", "").split()):
            m.what += f" (happened: {happened})"
        mistakes.append(m)
        if m.why:
            continue
        try:
            m.edits = edits_of(s, sources)
        except ConfigError as error:
            errors.append(f"error: tools/planted.cfg [{name}]: {error}")
        m.schemes = [scheme for scheme in s.get("schemes", " ".join(all_schemes)).split()
                     if scheme not in s.get("without", "").split()]
        m.rules = s.get("rules", " ".join(RULES)).split() if "check" in s else []
        m.checks = [c.strip() for c in s.get("check", "").split(",")]
        m.where = [line.split() for line in s.get("where", "").strip().splitlines()]
        m.alone = s.get("alone", "")
        m.says = s.get("says", "")
        m.program = s.get("program", m.program)
        m.only = s.get("only", m.only)
        m.orderings = s.getint("orderings", m.orderings)
        m.hidden = " ".join(s.get("hidden", "").split())
        m.boot = dict(line.split(None, 1) for line in s.get("boot", "").strip().splitlines())
        m.boot_cmd = s.get("cmd", "")
    if errors:
        raise ConfigError("\n".join(errors))
    return mistakes


# --- running -----------------------------------------------------------------------------
class Bench(Scratch):
    """A scratch copy that goes back to what it was, objects included, so that each mistake is built quickly."""

    def __init__(self, folder: Path, programs: set[str]):
        super().__init__(ROOT, folder)
        self.programs = sorted(programs)
        self.take_built(ROOT, *(f"host/{p}.obj" for p in programs | {"explore"}))  # whose objects others are linked with
        self.build([])
        for program in self.programs:
            os.rename(folder / f"build/host/{program}", folder / f"build/host/{program}.clean")
        self.clean = {p: (p.stat().st_mtime_ns, p.read_bytes())
                      for p in (folder / "build/host").rglob("*.o")}
        self.steps = {program: self.commands(program) for program in self.programs}

    def build(self, programs: list[str]) -> None:
        errors = self.make(*(f"host/{program}" for program in programs or self.programs))
        if errors:
            raise RuntimeError(errors)

    def rebuild(self, m: Mistake) -> None:
        """The program with the mistake. Make would look longer for what to do than this takes, so only headers are left to it."""
        steps = self.steps[m.program]
        if not steps.keys() >= {*m.edits, m.program}:
            return self.build([m.program])
        for command in (*(steps[file] for file in m.edits), steps[m.program]):
            done = subprocess.run(command, cwd=self.folder, env=self.env, shell=True, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr)

    def plant(self, m: Mistake) -> Callable[[], None]:
        """Make the mistake; returns what undoes it."""
        times = {file: (self.folder / file).stat().st_mtime_ns for file in m.edits}
        old = {file: (self.folder / file).read_text() for file in m.edits}

        def undo() -> None:
            for file, text in old.items():
                self.put(file, text)
                os.utime(self.folder / file, ns=(times[file], times[file]))
            for path, (time, data) in self.clean.items():
                if path.stat().st_mtime_ns != time:
                    path.write_bytes(data)
                    os.utime(path, ns=(time, time))

        for file, text in m.edits.items():
            self.put(file, text)
        return undo


def command(program: str, alone: str) -> list[str]:
    return [f"build/host/{program}", *(["--checks", alone] if alone else [])]


def explore(bench: Bench, argv: list[str], scheme: str, rules: str, orderings: int, scenario: str) -> Found:
    argv = [*argv, "--stop", "--jobs", "1", "--orderings", str(orderings),
            "--scheme", scheme, "--rules", rules.partition("-")[0]]
    argv += ["--variant", rules] if "-" in rules else []
    argv += ["--scenario", scenario] if scenario else []
    code, out = bench.run(argv, TIMEOUT)
    found = Found(scheme, rules)
    failure = re.search(r"^# (\S+, scheme \S+, scenario [^:\s]+: .*)$", out, re.MULTILINE)
    order = re.search(r"^# (lock order: .*)$", out, re.MULTILINE)
    replay = re.search(r"^# execution (\d+) of .* --replay '(.*)'$", out, re.MULTILINE)
    if not code:
        return found
    found.text = failure[1] if failure else order[1] if order else out[-200:]
    found.check = kind_of(found.text)
    if replay:
        found.executions, found.replay = int(replay[1]), replay[2]
    return found


def again(bench: Bench, m: Mistake, found: Found) -> str:
    """What is wrong with the schedule, or nothing: the same failure with the mistake, none without."""
    if not found.replay:
        return ""  # what no single execution shows has none
    reason = found.text.split(": ", 1)[-1]
    code, out = bench.run([*command(m.program, m.alone), "--replay", found.replay], TIMEOUT)
    if code != 1 or reason not in out:
        return f"the schedule does not show it again: {out.strip()[-120:]}"
    clean = command(f"{m.program}.clean", m.alone)
    code, out = bench.run([*clean, "--replay", found.replay], TIMEOUT)
    if code or "passes" not in out:
        return f"without the mistake the schedule fails, too: {out.strip()[-120:]}"
    scenario = found.replay.split()[2]
    found = explore(bench, clean, found.scheme, found.rules, found.executions, scenario)
    return f"without the mistake the plan fails, too: {found.text}" if found.text else ""


def judge(bench: Bench, m: Mistake, soonest: bool) -> None:
    everywhere = [(rules, scheme, m.only) for scheme in m.schemes for rules in m.rules]
    todo = [(w[0], w[1], w[2]) for w in m.where] if soonest else everywhere
    undo = bench.plant(m)
    try:
        try:
            bench.rebuild(m)
        except RuntimeError as error:
            raise RuntimeError(f"[{m.name}] does not build: {error}") from error
        for rules, scheme, scenario in todo:
            found = explore(bench, command(m.program, m.alone), scheme, rules, m.orderings, scenario)
            if not found.check:
                found.wrong = f"not found in {m.orderings} orderings"
            elif found.check not in m.checks or m.says not in found.text:
                found.wrong = f"found by {found.check}, not by {' or '.join(m.checks)}: {found.text}"
            elif not found.replay and not found.text.startswith("lock order"):
                found.wrong = f"found without a schedule: {found.text}"
            else:
                found.wrong = again(bench, m, found)
            m.found.append(found)
    finally:
        undo()


def run_all(mistakes: list[Mistake], jobs: int, soonest: bool, done: Callable[[Mistake], None]) -> None:
    todo: queue.SimpleQueue[Mistake] = queue.SimpleQueue()
    for m in mistakes:
        todo.put(m)
    lock, errors = threading.Lock(), []

    def work(folder: Path) -> None:
        try:
            bench = Bench(folder, {m.program for m in mistakes})
            while not errors:
                m = todo.get_nowait()
                judge(bench, m, soonest)
                with lock:
                    done(m)
        except queue.Empty:
            pass
        except Exception as error:  # a full disk, a program that is not there: said below, not lost
            errors.append(f"{type(error).__name__}: {error}")

    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        threads = [threading.Thread(target=work, args=(Path(folder) / str(i),)) for i in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    untried = [m for m in mistakes if not m.found and not (m.boot and not m.rules)]
    for m in untried:
        m.untried = errors[0].splitlines()[0] if errors else "nothing was run for it"
    if errors:
        raise ConfigError(f"error: {len(untried)} of {len(mistakes)} mistakes were not tried: "
                          f"{errors[0].splitlines()[0]}")


# --- what a boot shows -------------------------------------------------------------------
def boot(scratch: Scratch, m: Mistake, arch: str, expected: str) -> str:
    """Boot a kernel with the mistake; what its console said, or NOT and why that is not what was expected."""
    for file, text in m.edits.items():
        scratch.put(file, text)
    try:
        code, out = scratch.run(["make", "-s", "SETUP=no", f"ARCH={arch}", "BUILD=build", "WARNINGS=-w",
                                 "SMP=4", "NODES=2", "EDU=1", *EL2[arch], "TIMEOUT=200", f"CMD={m.boot_cmd}", "exec"], TIMEOUT)
    finally:
        for file in m.edits:
            scratch.put(file, (ROOT / file).read_text())
    seen = re.search(expected, out, re.MULTILINE)
    if seen and code:
        return " ".join(seen[0].split())[:90]
    if expected == "nothing":
        return "nothing" if not code else f"NOT silent: {out.strip()[-120:]}"
    return f"NOT seen: {out.strip()[-120:]}"


def boot_all(mistakes: list[Mistake], done: Callable[[Mistake, str], None]) -> None:
    todo = [m for m in mistakes if m.boot and not (m.booted.keys() >= m.boot.keys() and not m.bad)]
    if not todo:
        return
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        scratch = Scratch(ROOT, Path(folder))
        for arch in sorted({arch for m in todo for arch in m.boot}):
            for m in todo:
                if arch in m.boot:
                    m.booted[arch] = boot(scratch, m, arch, m.boot[arch])
                    done(m, arch)


# --- the table ---------------------------------------------------------------------------
def orderings_of(m: Mistake) -> str:
    parts = []
    for rules in dict.fromkeys(f.rules for f in m.found):
        of = [f"{f.scheme.replace('batch+defer=', '')} {f.executions or 'any'}" for f in m.found
              if f.rules == rules and f.check]
        if of:
            parts.append(f"{rules}: {', '.join(of)}")
    return "; ".join(parts)


def emulator(m: Mistake) -> str:
    shown = [f"{arch}: {text}" for arch, text in m.booted.items()]
    return "; ".join(shown + ([m.hidden] if m.hidden else []))


def table(mistakes: list[Mistake]) -> str:
    lines = ["| kind | mistake | found by | executions until found, by scheme | a schedule | emulator |",
             "| --- | --- | --- | --- | --- | --- |"]
    for m in mistakes:
        if m.why:
            lines.append(f"| {m.kind} | - | does not apply: {m.why} | | | |")
            continue
        checks = ", ".join(dict.fromkeys(f.check for f in m.found if f.check))
        checks = checks or ("-" if m.boot else "**nothing**")
        # The shortest says most.
        replay = min((f.replay for f in m.found if f.replay), key=lambda r: len(r.split()), default="")
        lines.append(f"| {m.kind} | {m.what} | {checks} | {orderings_of(m)} | {f'`{replay}`' if replay else ''} | "
                     f"{emulator(m)} |")
    return "\n".join(lines)


def summary(mistakes: list[Mistake]) -> str:
    real = [m for m in mistakes if m.found or m.booted or m.bad]
    tried = [f for m in real for f in m.found]
    return (f"{len(real)} mistakes of {len({m.kind for m in real})} kinds, tried {len(tried)} times: "
            f"{sum(not m.bad for m in real)} found, {sum(m.bad for m in real)} not found; "
            f"{sum(bool(m.why) for m in mistakes)} kinds do not apply")


def describe(m: Mistake) -> str:
    """For people: what was tried and what became of it."""
    lines = [f"{m.name}: {m.kind}: {m.what or 'does not apply: ' + m.why}"]
    if m.untried:
        lines.append(f"    NOT TRIED: {m.untried}")
    for f in m.found:
        verdict = f"found by {f.check} in {f.executions or 'any'} executions" if f.check else "NOT FOUND"
        lines.append(f"    {f.rules} {f.scheme}: {f.wrong or verdict}")
        if f.text and not f.wrong:
            lines += [f"        {f.text}"] + ([f"        --replay '{f.replay}'"] if f.replay else [])
    return "\n".join(lines)


def schemes_of_the_explorer() -> list[str]:
    """Every scheme that it runs by itself: a new one is in this list without being named here."""
    program = Path(os.environ.get("BUILD") or "build") / "host/explore"
    if not program.exists():
        raise ConfigError(f"error: {program} is not there: make host")
    return subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soonest", action="store_true", help="each only where it is found soonest")
    parser.add_argument("--only", default="", help="entries whose name and kind this fits")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--doc", type=Path, help="file whose table is brought up to date")
    parser.add_argument("--check", action="store_true", help="only: do all entries fit the sources?")
    parser.add_argument("--no-boots", action="store_true", help="leave the emulator out")
    parser.add_argument("--results", type=Path, default=ROOT / "build/planted.json")
    parser.add_argument("--resume", action="store_true", help="take what was found before")
    args = parser.parse_args()
    os.chdir(ROOT)
    try:
        if args.check:
            read_config([])
            return 0
        mistakes = [m for m in read_config(schemes_of_the_explorer())
                    if re.search(args.only, f"{m.name}: {m.kind}")]
        real = [m for m in mistakes if not m.why]
        if not real:
            raise ConfigError(f"error: no mistake fits {args.only}")
        results = None if args.soonest else Results(args.results, args.resume)

        def done(m: Mistake, said: str) -> None:
            print(said, flush=True)
            if results:
                results.add(m)

        for m in real if results else []:
            results.take(m)
        if todo := [m for m in real if not m.found]:
            run_all(todo, min(args.jobs, len(todo)), args.soonest, lambda m: done(m, describe(m)))
        if not args.soonest and not args.no_boots:
            boot_all(real, lambda m, arch: done(m, f"{m.name} on {arch}: {m.booted[arch]}"))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(mistakes))
    if args.doc:
        keep_in(args.doc, "planted", f"{summary(mistakes)}\n\n{table(mistakes)}")
    print(summary(mistakes))
    return 1 if any(m.bad for m in mistakes) else 0


if __name__ == "__main__":
    sys.exit(main())
