#!/usr/bin/env python3
"""Variables of make's command line: what is misspelt, or not read by the goal, is refused with the right name."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.run import ktap, settings, variables  # noqa: E402

OUT = ktap.Writer()

# name: (words for make, what the message says)
REFUSED = {
    "misspelt": ("run SPM=2", ("SPM", "no such variable", "SMP?")),
    "misspelt-default-goal": ("AHCR=arm64", ("AHCR", "ARCH?")),
    "flags": ("CFLAGS=-O3", ("CFLAGS", "EXTRA_CFLAGS?")),
    "unknown": ("exec XYZZY=1", ("XYZZY", "no such variable", "make help")),
    "other-architecture": ("run GIC=2", ("GIC", "only arm64", "ARCH=x86_64")),
    "other-architecture-x86": ("exec ARCH=arm64 ACPITABLES=x", ("ACPITABLES", "only x86_64")),
    "other-goal": ("test SMP=2", ("SMP", "make test", "exec", "run")),
    "cmd-of-bench": ("bench CMD=x", ("CMD", "CFG=file")),
    "arch-of-test": ("test ARCH=arm64", ("ARCH", "ARCHES")),
    "timeout-of-run": ("run TIMEOUT=9", ("TIMEOUT", "make run", "exec")),
    "boot-of-iso": ("iso SMP=2 CMD=show", ("SMP", "CMD", "make iso", "exec")),
    **{f"arch-of-{goal}": (f"{goal} ARCH=arm64", ("ARCH", f"make {goal}", "does not depend on it"))
       for goal in ("explore", "figures", "test-host", "host", "format", "planted", "topology")},
    "oracle-of-format": ("format ORACLE=no", ("ORACLE", "make format", "does not depend on it")),
    "sample-of-all-places": ("mutants KIND=protocol SAMPLE=3", ("SAMPLE", "KIND=protocol")),
    "seed-of-all-places": ("mutants KIND=protocol SEED=3", ("SEED", "KIND=protocol")),
    "two-at-once": ("bench SPM=2 CASES=x", ("SPM", "CASES")),
}
TAKEN = ("run SMP=2", "exec ARCH=arm64 GIC=2 EL2=1 CMD=show", "bench CFG=mine.cfg ONLY=a SMP=1", "test CASES=x ARCHES=arm64",
         "V=1 ARCH=arm64 EXTRA_CFLAGS=-g BUILD=out", "prove SCHEME=batch ORDERINGS=10 SEED=1", "topology FROM=x",
         "print-ARCHES WARNINGS=-w", "host all ARCH=arm64",
         "figures CASES=x ORACLE=no", "exec TIMEOUT=9", "iso ARCH=arm64", "mutants KIND=generic SAMPLE=3 SEED=1")


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("MAKELEVEL", "MAKEFLAGS", "MAKEOVERRIDES", *variables.ALL)}


def make(words: str) -> tuple[int, str]:
    """Only read the Makefile and print what would be done."""
    done = subprocess.run(["make", "-n", "-s", "SETUP=no", *words.split()], cwd=ROOT, env=clean(), capture_output=True,
                          text=True, check=False, timeout=120)
    return done.returncode, done.stderr


def one_stamp() -> None:
    """The flags that a build is marked by are the same whichever file asks first; else the next build compiles all again."""
    stamps = {}
    for source in ("mm/mm", "kernel/core/main", "kernel/shell/shell", "kernel/lib/printf", "kernel/net/net"):
        done = subprocess.run(["make", "-n", "SETUP=no", "BUILD=none", f"none/x86_64/obj/{source}.c.o"], cwd=ROOT,
                              env=clean(), capture_output=True, text=True, check=False, timeout=120)
        stamp = re.search(r"printf '%s.n' '([^']* LWIP=[^']*)'", done.stdout)
        stamps[source] = stamp[1] if stamp else done.stderr
    OUT.result("one-stamp", len(set(stamps.values())) == 1 and "-std=gnu11" in stamps["mm/mm"],
               "; ".join(f"{source}: ...{stamp[-60:]}" for source, stamp in stamps.items()))


def main() -> int:
    for name, (words, said) in REFUSED.items():
        code, errors = make(words)
        OUT.result(f"refused.{name}", code != 0 and all(word in errors for word in said), f"{words}: {errors.strip()}")
    for words in TAKEN:
        goals = [word for word in words.split() if "=" not in word] or ["all"]
        given = [word.partition("=")[0] for word in words.split() if "=" in word]
        arch = "arm64" if "ARCH=arm64" in words else "x86_64"
        wrong = list(variables.refused(goals, arch, given))
        OUT.result(f"taken.{words.replace(' ', '_')}", not wrong, "; ".join(wrong))
    one_stamp()
    code, errors = make("run SMP=2")
    OUT.result("make-goes-on", code == 0, errors)
    for name, values in {"gic": {"GIC": "2"}, "el2": {"EL2": "1"}, "tables": {"ACPITABLES": "x", "ARCH": "arm64"}}.items():
        try:
            settings.parse(values)
            OUT.result(f"settings.{name}", False, f"{values} was accepted")
        except settings.UsageError as error:
            OUT.result(f"settings.{name}", next(iter(values)) in str(error), str(error))
    text = (ROOT / "tools/help.txt").read_text("utf-8")
    listed = set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", text.split("A boot's variables")[1]))
    documented = variables.BOOT.union(*variables.GOALS.values()) - {"FROM", "HOST"}  # which are with their goals
    OUT.result("help-lists-all", documented <= listed, f"not in tools/help.txt: {sorted(documented - listed)}")
    OUT.result("all-of-help-known", listed <= variables.ALL, f"not in variables.py: {sorted(listed - variables.ALL)}")
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
