#!/usr/bin/env python3
"""What the oracle costs: instructions per page outside the copy, with it and in a build without it.

With one CPU the guest counts itself. With more, the emulator is asked to say every instruction
that it executes in mm/, and those of the CPU that migrates are counted: the path of the initiator,
without the loops in which it waits.
"""

import bisect
import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from common import Missing, ROOT, bench, held, main, note_cpus, phase_per_page, qemu, settings

SHARE_MAX = 3.0  # percent of the instructions outside the copy; asked where docs/performance.md gives no reason for more
MORE = {"x86_64": ("huge",), "arm64": ("baseline", "batch", "huge")}
PAGES, REPS = 128, (1, 3)  # of the traced runs: what differs between them is two rounds


def build(folder: Path) -> None:
    done = subprocess.run(["make", "-s", "SETUP=no", "ORACLE=no", f"BUILD={folder}",
                           f"ARCH={settings().arch}", "all"], capture_output=True, text=True,
                          check=False, env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})
    if done.returncode:
        raise Missing(f"the build without oracle fails: {done.stderr[-300:]}")


# --- one CPU --------------------------------------------------------------------------------
def outside(record: dict) -> float:
    phases = phase_per_page(record)
    return (sum(phases.values()) - phases["copy"]) / record["ns_per_instruction"]


def compare(name: str, kind: str, old: float, new: float) -> None:
    share = 100 * (new - old) / old
    held(f"oracle.{name}.without", old)
    held(f"oracle.{name}.with", new)
    held(f"oracle.{name}.cost", new - old)
    held(f"oracle.{name}.share", share, None if kind in MORE[settings().arch] else SHARE_MAX)


def one_cpu(without: Path) -> None:
    for form, more, schemes in (("", "", "baseline,batch"), ("ro.", "--mapping ro", "never"),
                                ("huge.", "--thp", "baseline,batch")):
        command = f"bench migrate --pages 4096 --threads 0 --schemes {schemes} {more}"
        new, old = (bench(command, SMP=1, **b) for b in ({}, {"BUILD": without}))
        for scheme in schemes.split(","):
            if (check := old[scheme]["check"]) != "none-built":
                raise Missing(f"the build without oracle says check={check}")
            compare(f"smp1.{form}{scheme}", "huge" if "thp" in more else scheme,
                    outside(old[scheme]), outside(new[scheme]))


# --- several: the initiator's path ------------------------------------------------------------
def symbols(folder: Path) -> list[tuple[int, str]]:
    lines = (folder / settings().arch / "tarry.sym").read_text().splitlines()
    return [(int(a, 16), n) for a, t, n in (line.split() for line in lines) if t in "tT"]


# Of mm/, where the initiator waits for others: how often it looks is not its path. Nor is what the benchmark does between
# rounds: it reads all counters of all CPUs, which costs more with each new counter.
NOT_PATH = {"wait_for_acks", "migration_wait", "fault_wait_for_store", "mm_counters_read"}


def counted(folder: Path) -> set[str]:
    """The functions of mm/ that are of a path: copying, locks and reading clocks are elsewhere."""
    objects = (folder / settings().arch / "obj/mm").rglob("*.o")
    names = subprocess.run(["nm", "--defined-only", "--format=posix", *objects], capture_output=True, text=True,
                           check=True).stdout
    return {line.split()[0] for line in names.splitlines() if re.search(r" [tT] ", line)} - NOT_PATH


def traced(folder: Path, cpus: int, scheme: str, reps: int) -> Counter:
    """Instructions of CPU 0 by function."""
    s = settings(SMP=cpus, BUILD=folder, MEM="2G" if cpus > 32 else "1G",
                 CMD=f"bench migrate --pages {PAGES} --threads 3 --reps {reps} --warmup 0 "
                     f"--schemes {scheme}")
    note_cpus(s)
    names, wanted = symbols(folder), counted(folder)
    starts = [address for address, _ in names]
    ranges = [f"{a:#x}+{b - a:#x}" for (a, n), (b, _) in zip(names, names[1:]) if n in wanted]
    seen: Counter = Counter()
    with tempfile.TemporaryDirectory(prefix="tarry-") as scratch:
        log = Path(scratch) / "log"
        os.mkfifo(log)
        argv = qemu.command(s, Path(scratch), ["-serial", f"file:{scratch}/console", "-monitor", "none"])
        process = subprocess.Popen(argv + ["-singlestep", "-d", "exec,nochain", "-D", str(log),
                                           "-dfilter", ",".join(ranges)])
        with log.open("rb") as lines:
            for line in lines:
                if line.startswith(b"Trace 0:"):
                    seen[line.split(b"/", 2)[1]] += 1
        process.wait()
        console = (Path(scratch) / "console").read_text(errors="replace")
    if "TARRY-END rc=0" not in console:
        raise Missing(f"the traced run of {scheme} on {cpus} CPUs did not end well")
    total: Counter = Counter()
    for address, count in seen.items():
        total[names[bisect.bisect(starts, int(address, 16)) - 1][1]] += count
    return total


def path(folder: Path, cpus: int, scheme: str) -> float:
    few, many = (sum(traced(folder, cpus, scheme, n).values()) for n in REPS)
    return (many - few) / (PAGES * (REPS[1] - REPS[0]))


def several(without: Path, cpus: int, *schemes: str) -> None:
    for scheme in schemes:
        old, new = path(without, cpus, scheme), path(settings().build, cpus, scheme)
        name = f"smp{cpus}.initiator.{scheme}"
        compare(name, scheme, old, new)


def body() -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-no-oracle-") as folder:
        without = Path(folder)
        build(without)
        one_cpu(without)
        several(without, settings().smp, "batch", "baseline")


main(body)
