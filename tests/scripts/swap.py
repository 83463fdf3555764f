#!/usr/bin/env python3
"""Anonymous memory of twice what there is room for goes to swap and comes back: every read is right, and a batch of pages shares one flush.

Threads in one space, and each in its own; by interrupt and by broadcast. Counts are exact here.
"""

from common import Missing, boot, changed, main, note_verdicts, noted, records, result, settings

TASKS, PAGES, ROUNDS = 3, 1024, 2
BATCH = 32  # of the scheme batch-reclaim
LEAST = 96.0  # percent fewer shootdowns per page than page by page; 1 - 1/32 is 96.9
FITS = 2  # at most one page in so many is in memory
RUNS = {"x86_64": (("ipi", "threads"), ("ipi", "procs")), "arm64": (("bcast-late", "threads"), ("ipi", "procs"))}


def check(name: str, record: dict) -> float:
    """The shootdowns per page that left."""
    counters, ops = record["counters"], TASKS * PAGES * ROUNDS
    result(f"{name}.verified", (counters["reads_verified"], counters["stale_reads"]) == (ops, 0),
           f"{counters['reads_verified']} of {ops} reads, {counters['stale_reads']} wrong")
    result(f"{name}.read-in", ops // FITS <= counters["read_in"] <= ops, f"{counters['read_in']} pages of {ops} accesses")
    result(f"{name}.retried", counters["retried_faults"] == counters["read_in"], f"{counters['retried_faults']} faults waited")
    result(f"{name}.left", abs(counters["reclaimed"] - counters["read_in"]) <= TASKS * PAGES // FITS, f"{counters['reclaimed']} pages")
    result(f"{name}.written", (counters["written_back"], counters["store_errors"]) == (counters["reclaimed"], 0),
           f"{counters['written_back']} written, {counters['store_errors']} errors")
    return counters["shootdowns"] / max(counters["reclaimed"], 1)


def body() -> None:
    runs = RUNS[settings().arch]
    # Who allocates reclaims: what an idle CPU takes between rounds would not be counted.
    run = boot("; ".join(f"set default; set transport={transport} watermark_gap=0; bench swap_loop --{how} {TASKS} --pages {PAGES} "
                         f"--rounds {ROUNDS} --warmup 1 --schemes baseline,batch-reclaim" for transport, how in runs))
    found = [record for record in records.extract(run.text).records if "scale" in record]
    if run.guest_rc != 0 or len(found) != 2 * len(runs):
        raise Missing(f"rc={run.guest_rc}, {len(found)} records")
    note_verdicts("swap_loop", found)
    for number, (transport, how) in enumerate(runs):
        name, (one, batch) = f"swap.{transport}.{how}", found[2 * number:2 * number + 2]
        each, shared = check(f"{name}.baseline", one), check(f"{name}.batch", batch)
        # Which pages count as accessed depends on the emulator's own TLB.
        noted(f"{name}.baseline.shootdowns", each)
        noted(f"{name}.batch.shootdowns", shared)
        result(f"{name}.one-each", each <= 1.01, f"{each:.4f} page by page")
        result(f"{name}.fewer", changed(shared, each) >= LEAST, f"{changed(shared, each):.2f} %, of {BATCH} pages a batch")


main(body)
