#!/usr/bin/env python3
"""No read returns old contents, over many interleavings that read while pages are being moved."""

from common import bench, main, result

SEEDS = range(1, 21)
IN_WINDOW_MIN = 1000  # reads per CPU
THREADS = 3
COMMAND = f"bench migrate --pages 64 --write-pct 20 --threads {THREADS} --schemes batch"
# 4 KiB pages and few of them: nothing in the emulator then hides a stale entry by accident.
ARGS = "large=off poison=full"


def totals(record: dict) -> tuple[int, int]:
    counters = record["counters"]
    return counters["stale_reads"], counters["reads_in_window"]


def body() -> None:
    stale = in_window = 0
    for seed in SEEDS:
        more_stale, more_in_window = totals(bench(COMMAND, SEED=seed, ARGS=ARGS)["batch"])
        stale, in_window = stale + more_stale, in_window + more_in_window
        if more_stale:
            result(f"det-seed-{seed}", False, f"{more_stale} stale reads")
    need = IN_WINDOW_MIN * THREADS
    result("det.no-stale-reads", stale == 0, f"{stale} over seeds {SEEDS[0]}-{SEEDS[-1]}")
    result("det.reads-in-window", in_window >= need, f"{in_window} reads, at least {need}")
    stale, in_window = totals(bench(COMMAND, DET=0, SEED="", ARGS=ARGS)["batch"])
    result("parallel.no-stale-reads", stale == 0, f"{stale} stale reads")
    result("parallel.reads-in-window", in_window >= need, f"{in_window} reads, at least {need}")


main(body)
