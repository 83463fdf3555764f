#!/usr/bin/env python3
"""The tests of will-it-scale: each operation does what the published test does, in one space and in several.

Counts are exact here: faults and flushes per operation, what was verified, whom a flush had to reach. The CSV file of a run
of one task, whose path is known, is read by a program that knows only will-it-scale's format.
"""

import subprocess
import sys
import tempfile

from common import ROOT, Missing, boot, main, records, result, settings, will_it_scale

TASKS = 3
# name: (pages, faults per page, flushes per page at least, reads verified per page)
TESTS = {
    "page_fault1": (64, 1, 0, 2),
    "page_fault2": (64, 1, 0, 2),
    "page_fault3": (64, 1, 0, 2),
    "tlb_flush1": (64, 2, 1, 1),
    "tlb_flush2": (64, 2, 1, 1),
    "tlb_flush3": (64, 2, 1, 1),
    "write1": (64, 0, 0, 1),
    "file_scan": (64, 1, 0, 1),
}
LOOP = 512  # operations of a lap of mprotect_loop
ROUNDS = 2


def commands() -> dict[str, str]:
    """name.space: command."""
    out = {}
    for name, (pages, *_) in TESTS.items():
        for how in ("--threads", "--procs"):
            out[f"{name}.{how[2:]}"] = f"bench {name} {how} {TASKS} --pages {pages} --rounds {ROUNDS} --warmup 0"
    out["mprotect_loop.threads"] = f"bench mprotect_loop --threads {TASKS} --pages 4 --rounds {ROUNDS} --warmup 0"
    out["mprotect_loop.procs"] = f"bench mprotect_loop --procs {TASKS} --pages 4 --rounds {ROUNDS} --warmup 0"
    return out


def asked(counters: dict) -> int:
    return counters["ipis_sent"] + counters["bcast_syncs"]


def check_form(name: str, record: dict) -> None:
    """One record: the tasks that were asked for, all in one space or each in its own; times only where they mean something."""
    scale, spaces = record["scale"], TASKS if name.endswith("procs") else 1
    result(f"{name}.tasks", (scale["tasks"], scale["spaces"]) == (TASKS, spaces), str(scale))
    points = {point["name"]: point for point in record["points"]}
    result(f"{name}.series", list(points) == ["op", "loop", "ends", "all_cpus"], str(list(points)))
    result(f"{name}.no-time", record["trust"] == "counts" and points["op"]["median"] is None and
           scale["ops_per_s"] is scale["ops_per_minstr"] is None,
           f"trust {record['trust']}")
    result(f"{name}.path", points["all_cpus"]["median"] > 100, f"{points['all_cpus']['median']} {points['all_cpus']['unit']}")
    result(f"{name}.right", record["counters"]["stale_reads"] == 0, f"{record['counters']['stale_reads']} wrong reads")


def check_counts(name: str, record: dict) -> None:
    pages, faults, flushes, verified = TESTS[name.split(".")[0]]
    counters, ops = record["counters"], TASKS * pages * ROUNDS
    result(f"{name}.ops", record["scale"]["ops"] == ops, f"{record['scale']['ops']}, not {ops}")
    result(f"{name}.faults", counters["page_faults"] == faults * ops, f"{counters['page_faults']} for {ops} operations")
    result(f"{name}.verified", counters["reads_verified"] == verified * ops, str(counters["reads_verified"]))
    result(f"{name}.flushes", counters["shootdowns"] >= flushes * ops, f"{counters['shootdowns']} for {ops} operations")


def check_reach(name: str, found: dict[str, dict]) -> None:
    """Tasks that share a space reach each other with every flush; those in spaces of their own reach nobody by interrupts."""
    shared, own = (found[f"{name}.{how}"]["counters"] for how in ("threads", "procs"))
    result(f"{name}.reached", asked(shared) >= shared["shootdowns"], f"{asked(shared)} for {shared['shootdowns']} flushes")
    result(f"{name}.alone", own["ipis_sent"] == 0, f"{own['ipis_sent']} interrupts")


def csv_file() -> None:
    """Where one CPU is busy, instructions are known, and so are operations in a million of them; in the file, in a virtual second."""
    text = boot("bench page_fault1 --threads 1 --pages 64 --rounds 2 --warmup 0").text
    [one] = [record for record in records.extract(text).records if "scale" in record]
    scale = one["scale"]
    result("path.rate", scale["ops_per_s"] is None and abs(scale["ops_per_minstr"] * one["median"] - 10**6) <= 1000, f"{scale}")
    result("path.no-seconds", " ops/Minstr" in text and "ops/s" not in text and f" {scale['ops_per_minstr']}" in text, "the table")
    rate = 10**9 / (one["median"] * one["ns_per_instruction"]) if one["trust"] == "path" else 0
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(will_it_scale.text([one]))
        file.flush()
        done = subprocess.run([sys.executable, ROOT / "tests/host/read_will_it_scale.py", file.name], capture_output=True, text=True,
                              check=False)
    fields = done.stdout.split()
    result("csv.read", done.returncode == 0 and len(fields) == 4, done.stdout + done.stderr)
    result("csv.rate", len(fields) == 4 and abs(int(fields[1]) - rate) <= rate / 1000, f"{fields}, {rate:.0f} by the median")


def refusals() -> None:
    for what, words, says in (("spaces", "--threads 2 --procs 3", "--procs 3: there are only 2 tasks"),
                              ("one-task", "--threads 0 --procs 2", "--procs 2: there is only 1 task"),
                              ("room", "--threads 3 --pages 1000000", "--pages 1000000: of each of 3 tasks"),
                              ("of-another", "--thp", "--thp does not apply to page_fault1")):
        run = boot(f"bench page_fault1 {words}")
        errors = [line for line in run.text.splitlines() if line.startswith("error: ")]
        result(f"refused.{what}", run.guest_rc == 2 and any(says in line for line in errors), str(errors))


def body() -> None:
    asked_for = commands()
    run = boot("; ".join(asked_for.values()))
    # The floor is measured beside each; it is not looked at here.
    block = [record for record in records.extract(run.text).records if record["name"] != "floor"]
    if run.guest_rc != 0 or len(block) != len(asked_for):
        raise Missing(f"rc={run.guest_rc}, {len(block)} records of {len(asked_for)}")
    found = dict(zip(asked_for, block))
    for name, record in found.items():
        check_form(name, record)
        if name.split(".")[0] in TESTS:
            check_counts(name, record)
    check_reach("tlb_flush1", found)
    check_reach("tlb_flush2", found)
    check_reach("tlb_flush3", found)
    check_reach("mprotect_loop", found)
    ops = found["mprotect_loop.threads"]["scale"]["ops"]
    result("mprotect_loop.ops", ops == TASKS * LOOP * ROUNDS, f"{ops} operations")
    csv_file()
    if settings().arch == "x86_64":
        refusals()


main(body)
