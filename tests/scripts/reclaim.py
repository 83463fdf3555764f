#!/usr/bin/env python3
"""Files larger than memory are read in turn, again and again: every read is right, and a batch of pages shares one flush.

Threads in one space, and each in its own. Counts are exact here.

CMD=ipi: by interrupt where the hardware broadcasts, too.
"""

from common import Missing, boot, changed, held, main, note_verdicts, noted, records, result, settings

TASKS, PAGES, ROUNDS = 3, 32768, 2
SPACES = "threads", "procs"  # one of all tasks, one of each
BATCH = 32  # of the scheme batch-reclaim
LEAST = 96.0  # percent fewer shootdowns per page than page by page; 1 - 1/32 is 96.9
TIMES = 2  # what all files have is so many times what memory has, at least
# Unmapping drops everything of the space: the oracle's log would not reach back to single pages a round ago.
TRANSPORT = {"x86_64": "ipi", "arm64": "bcast-late"}
KNOBS = {transport: f"transport={transport} range=33" for transport in ("ipi", "bcast-late")}


def check(name: str, record: dict) -> float:
    """The shootdowns per page that left."""
    counters, ops = record["counters"], TASKS * PAGES * ROUNDS
    frames = sum(record["node_pages"])
    result(f"{name}.larger", TASKS * PAGES >= TIMES * frames, f"{TASKS * PAGES} pages of files, {frames} frames")
    result(f"{name}.verified", (counters["reads_verified"], counters["stale_reads"]) == (ops, 0),
           f"{counters['reads_verified']} of {ops} reads, {counters['stale_reads']} wrong")
    # What a round finds in memory is at most what the last one left there.
    result(f"{name}.read-in", ops - (ROUNDS - 1) * frames <= counters["read_in"] <= ops, f"{counters['read_in']} pages of {ops} reads")
    result(f"{name}.left", counters["read_in"] - frames <= counters["reclaimed"] <= counters["read_in"] + frames, f"{counters['reclaimed']} pages")
    result(f"{name}.clean", counters["written_back"] == counters["store_errors"] == 0,
           f"{counters['written_back']} written, {counters['store_errors']} errors")
    return counters["shootdowns"] / max(counters["reclaimed"], 1)


def body() -> None:
    transport = "ipi" if settings().cmd == "ipi" else TRANSPORT[settings().arch]
    run = boot("; ".join(f"set default; set {KNOBS[transport]}; bench file_scan --{how} {TASKS} --pages {PAGES} --rounds {ROUNDS} "
                         "--warmup 0 --schemes baseline,batch-reclaim" for how in SPACES))
    found = [record for record in records.extract(run.text).records if "scale" in record]
    if run.guest_rc != 0 or len(found) != 2 * len(SPACES):
        raise Missing(f"rc={run.guest_rc}, {len(found)} records")
    note_verdicts("file_scan", found)
    for number, how in enumerate(SPACES):
        name, (one, batch) = f"reclaim.{transport}.{how}", found[2 * number:2 * number + 2]
        each, shared = check(f"{name}.baseline", one), check(f"{name}.batch", batch)
        # With broadcasts equal runs are up to 5 % apart: which pages count as accessed depends on the emulator's own
        # TLB, whose size follows the host's clock.
        keep = held if transport == "ipi" else noted
        keep(f"{name}.baseline.shootdowns", each)
        keep(f"{name}.batch.shootdowns", shared)
        result(f"{name}.one-each", each <= 1, f"{each:.4f} page by page")
        result(f"{name}.fewer", changed(shared, each) >= LEAST, f"{changed(shared, each):.2f} %, of {BATCH} pages a batch")


main(body)
