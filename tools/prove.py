#!/usr/bin/env python3
"""`make prove SCHEME=x`: one scheme through everything that looks for stale reads.

Usage: tools/prove.py SCHEME [--orderings N] [--seed N] [--arches 'x86_64 arm64'] [--no-mutants]
                      [--no-boots]

The explorer under the rules of each architecture (10^6 orderings each, every plan with two deviations), races of plain
accesses, host tests, the mutants of the scheme's own sources, litmus tests, and migrations of written and
of read-only pages and the NUMA scan under full checks in QEMU on each architecture (read-only pages
alone, if the scheme is unsafe for others). Composed names such as batch+late-map work, and
those of deferrals alone: `skeleton` is batch+defer=skeleton. Prints what each step found, and at
the end what was checked, with figures, and what was not. The outputs are kept in
BUILD/prove/SCHEME/. Exit status 0, 1 if a step failed, 2 for a scheme that does not exist, 4 if none
failed but one was INCOMPLETE: too few orderings to have seen most pairs of accesses in both orders.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.report import records  # noqa: E402

BUILD = ROOT / os.environ.get("BUILD", "build")
NOT_SHOWN = ROOT / "tests/host/model/not-shown.txt"
EXPLORER = BUILD / "host/explore"
RACE_ORDERINGS = 20000
RULES = {"x86_64": "x86", "arm64": "arm64"}  # architecture: the explorer's name for its rules
HOST_TESTS = {"x86_64": "test_mm", "arm64": "test_mm_arm64"}
# As many pages as the emulated TLB holds: with more it forgets by itself, and hides what is stale.
BENCH = "bench {} --pages 256 --threads 3 --reps 2 --schemes {}"
BENCH_ARGS = "large=off poison=full check=full"
TELL_SECONDS = 20  # between two lines that say how far a step is
PASSED, FAILED, INCOMPLETE, LEFT_OUT = "passed", "FAILED", "INCOMPLETE", "not done"
# What a run that found no fault, but ran too little to say much, prints.
TOO_FEW = re.compile(r"^# conflicting pairs in both orders: less than", re.MULTILINE)


def last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return lines[-1].strip() if lines else ""


def verdict_of(code: int, text: str) -> str:
    """A scheme that was explored too little has not failed: more orderings settle it."""
    if not code:
        return PASSED
    failures = re.search(r"^# .* scheme \S+, scenario [^:\n]*: |^# lock order:|^Bail out", text, re.MULTILINE)
    return INCOMPLETE if TOO_FEW.search(text) and not failures else FAILED


@dataclass
class Step:
    name: str
    argv: list[str]
    figures: Callable[[str], str]  # from what it printed
    environ: dict[str, str]
    tells: bool = False  # how far it is, by itself
    verdict: str = LEFT_OUT
    says: str = ""

    def run(self, log: Path) -> None:
        """Progress goes to the terminal; all else to the log."""
        start = time.monotonic()
        print(f"{self.name} ...", flush=True)
        with open(log, "wb") as file, subprocess.Popen(
                self.argv, cwd=ROOT, env={**os.environ, **self.environ}, stdout=file,
                stdin=subprocess.DEVNULL) as process:
            code = None
            while code is None:
                try:
                    code = process.wait(TELL_SECONDS)
                except subprocess.TimeoutExpired:
                    if self.tells:
                        continue
                    print(f"{self.name} ... {time.monotonic() - start:.0f} s, {last_line(log)[:90]}",
                          file=sys.stderr, flush=True)
        text = log.read_text("utf-8", "replace")
        self.verdict = verdict_of(code, text)
        self.says = self.figures(text) + (f" (exit status {code}, see {log})" if code else "")
        print(f"{self.name}: {self.verdict} in {time.monotonic() - start:.0f} s: {self.says}", flush=True)


# --- figures ---------------------------------------------------------------------------
def of_explorer(text: str) -> str:
    found = re.findall(r"^# (\S+) \S+: (\d+) scenarios, (\d+) distinct.* in (\d+) of them, conflicting "
                       r"pairs in both orders (\d+) of (\d+)", text, re.MULTILINE)
    failures = len(re.findall(r"^# .* scheme \S+, scenario [^:\n]*: ", text, re.MULTILINE))
    parts = [f"{rules} {int(distinct):,} orderings of {runs} scenarios, bound exhausted in {exhausted}, "
             f"pairs in both orders {both} of {pairs}" for rules, runs, distinct, exhausted, both, pairs in found]
    product = re.findall(r"^# product of (\d+) combinations, (\S+) \S+: (\d+) of them, (\d+) left out, .*?"
                         r"(\d+) distinct", text, re.MULTILINE)
    parts += [f"{rules} {int(distinct):,} orderings of {run} of {all_of} combinations"
              for all_of, rules, run, _, distinct in product]
    return "; ".join([*parts, f"{failures} failures"])


def of_ktap(text: str) -> str:
    passed = len(re.findall(r"^\s*ok \d+(?!.*# SKIP)", text, re.MULTILINE))
    skipped = len(re.findall(r"^\s*ok \d+.*# SKIP", text, re.MULTILINE))
    failed = len(re.findall(r"^\s*not ok \d+", text, re.MULTILINE))
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def of_last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing said")


def of_bench(text: str) -> str:
    verdicts = re.findall(r"TARRY-END rc=(\d+)", text)
    parts = [f"guest's verdict {verdicts[-1] if verdicts else 'missing'}"]
    for record in records.extract(text).records:
        if record["name"] == "floor":
            continue
        counters, hidden = record["counters"], record["stale_hidden_by"]
        stale = f"{counters['stale_reads']} stale" + (f" (could not show: {hidden})" if hidden else "")
        parts.append(f"{record['name']} {record['params']['mapping']}: "
                     + (record["skipped"] or f"{counters['pages_migrated']} pages moved, "
                        f"{counters['reads_verified']} reads verified, {stale}, "
                        f"{counters['oracle_checked']} frees checked"))
    return "; ".join(parts)


# --- steps -------------------------------------------------------------------------------
def settings_of(scheme: str) -> tuple[str, str]:
    """Its full name, and what that stands for; leaves the program if it stands for nothing."""
    errors = []
    for name in scheme, f"batch+defer={scheme}":
        done = subprocess.run([EXPLORER, "--scheme", name, "--settings"], capture_output=True, text=True,
                              check=False)
        if not done.returncode:
            return name, done.stdout.strip()
        errors.append(re.sub(r"^error: --scheme:? ?", "", done.stderr.strip()) or f"exit status {done.returncode}")
    print(f"error: prove: {errors[0]}", file=sys.stderr)
    raise SystemExit(2)


def own_source(settings: str) -> str:
    """The file of the deferral that the settings put in force, or nothing."""
    defer = re.findall(r"defer=(\S+)", settings.replace("+", " "))
    path = f"mm/defer/{defer[-1]}.c" if defer and defer[-1] != "none" else ""
    return path if path and (ROOT / path).exists() else ""


def explorer_steps(args: argparse.Namespace) -> list[Step]:
    arches = args.arches.split()
    common = ["--scheme", args.scheme, "--seed", str(args.seed)]
    rules = ["--rules", RULES[arches[0]]] if len(arches) == 1 else []
    steps = [Step("explorer", [str(EXPLORER), *common, *rules, "--orderings", str(args.orderings), "--bound", "2",
                               "--product", "all", "--share", "95", "--each", "--state", str(BUILD / "explore.state")],
                  of_explorer, {}, tells=True)]
    if "arm64" in arches:  # x86 orders plain accesses by itself
        steps.append(Step("races", [str(BUILD / "host/explore_races"), *common, "--orderings", str(RACE_ORDERINGS)],
                          of_explorer, {}, tells=True))
    return steps + [Step(f"host tests {name}", [str(BUILD / f"host/{name}")], of_ktap, {})
                    for name in (HOST_TESTS[arch] for arch in arches)]


def mutant_steps(source: str, arches: str) -> list[Step]:
    return [Step(f"mutants of {source}",
                 [sys.executable, "tools/mutants.py", "--only", source, "--keep", "--arches", arches,
                  "--results", str(BUILD / "mutants.json")], of_last_line, {})]


def migrations(scheme: str, source: str) -> str:
    """Console commands: what the scheme may be used for."""
    unsafe = source and re.search(r"^\t\.unsafe = ", (ROOT / source).read_text(), re.MULTILINE)
    commands = [BENCH.format("migrate", scheme) + " --mapping ro"]
    if not unsafe:
        commands += [BENCH.format("migrate", scheme), BENCH.format("numa_balance", scheme)]
    return "; ".join(commands)


def boot_steps(args: argparse.Namespace, commands: str) -> list[Step]:
    steps = [Step("litmus", [sys.executable, "tests/run.py", "--arches", args.arches, "--only", "litmus"],
                  of_last_line, {})]
    for arch in args.arches.split():
        steps.append(Step(f"migration on {arch}", [sys.executable, "tools/launch.py", "exec"], of_bench,
                          {"ARCH": arch, "SMP": "4", "NODES": "2", "CMD": commands,
                           "ARGS": BENCH_ARGS}))
    return steps


# What steps take, by their first words, in seconds of an idle host of two CPUs; the explorer's is per 10^6 orderings.
USUAL = {"explorer": 150, "races": 20, "host": 1, "mutants": 240, "litmus": 40, "migration": 15}


def left(done: list[Step], todo: list[Step], took: float) -> str:
    """How long the rest will take, by what this host took for steps that usually take as long."""
    usual = sum(USUAL[step.name.split()[0]] for step in done)
    rest = sum(USUAL[step.name.split()[0]] for step in todo)
    return f"{len(todo)} steps left, about {rest * took / usual:.0f} s" if todo else "no step left"


def not_done(source: str, args: argparse.Namespace) -> list[str]:
    lines = [f"rules and boots of {arch}{', and races' * (arch == 'arm64')}: not in ARCHES"
             for arch in RULES if arch not in args.arches.split()]
    if not source:
        lines.append("mutants: the scheme has no source of its own; `make mutants` mutates what all share")
    elif args.no_mutants:
        lines.append(f"mutants of {source}: left out as asked")
    if args.no_boots:
        lines.append("litmus tests and migration in QEMU: left out as asked")
    lines.append("litmus tests that the emulator cannot show: `make exec CMD='test litmus.*'` says which")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scheme")
    parser.add_argument("--orderings", type=int, default=1000000, help="per rule set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arches", default="x86_64 arm64")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--no-boots", action="store_true")
    args = parser.parse_args()
    if not args.arches.split() or set(args.arches.split()) - RULES.keys():
        parser.error(f"--arches '{args.arches}': must be of {' '.join(RULES)}")

    args.scheme, settings = settings_of(args.scheme)
    source = own_source(settings)
    steps = explorer_steps(args)
    if source and not args.no_mutants:
        steps += mutant_steps(source, args.arches)
    if not args.no_boots:
        steps += boot_steps(args, migrations(args.scheme, source))
    folder = BUILD / "prove" / args.scheme
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{args.scheme}: {settings}", flush=True)
    begin = time.monotonic()
    for number, step in enumerate(steps):
        step.run(folder / f"{step.name.replace('/', '-').replace(' ', '-')}.log")
        print(left(steps[:number + 1], steps[number + 1:], time.monotonic() - begin), flush=True)

    print(f"\nChecked, scheme {args.scheme}:")
    for step in steps:
        print(f"  {step.verdict:<7} {step.name}: {step.says}")
    print("Not checked here:")
    for line in not_done(source, args):
        print(f"  {line}")
    print(NOT_SHOWN.read_text(), end="")
    failed = [step.name for step in steps if step.verdict in (FAILED, LEFT_OUT)]
    incomplete = [step.name for step in steps if step.verdict == INCOMPLETE]
    print(f"{len(steps) - len(failed) - len(incomplete)} of {len(steps)} steps passed"
          + (f"; failed: {', '.join(failed)}" if failed else "")
          + (f"; incomplete: {', '.join(incomplete)}; ORDERINGS={10 * args.orderings} runs more" if incomplete else ""))
    return 1 if failed else 4 if incomplete else 0


if __name__ == "__main__":
    sys.exit(main())
