#!/usr/bin/env python3
"""No read returns old contents, over many interleavings that read while pages are being moved."""

from common import Missing, bench, main, result, settings

SEEDS = range(1, 21)
IN_WINDOW_MIN = 1000  # reads per CPU
THREADS = 3
PARALLEL_RUNS = 5  # at most
COMMAND = f"bench migrate --pages 64 --write-pct 20 --threads {THREADS} --schemes "
# 4 KiB pages and few of them: nothing in the emulator then hides a stale entry by accident.
ARGS = "large=off poison=full"


def scheme() -> str:
    """The emulator carries out a broadcast when it is issued, so that nobody can read in between;
    with interrupts the old entries live until the target has flushed."""
    return "batch" if settings().arch == "x86_64" else "batch+transport=ipi"


def run(name: str, more: str = "", **changes: object) -> tuple[int, list[int]]:
    """(stale reads, verified reads inside the window by reader) of one boot."""
    record = bench(COMMAND + name + more, ARGS=ARGS, **changes)[name]
    if not record["stale_visible"]:
        raise Missing(f"a stale read could not be seen: {record['stale_hidden_by']}")
    return record["counters"]["stale_reads"], record["victim"]["reads_in_window"]


def body() -> None:
    stale, in_window = 0, [0] * THREADS
    for seed in SEEDS:
        more, reads = run(scheme(), SEED=seed)
        stale, in_window = stale + more, [a + b for a, b in zip(in_window, reads)]
        if more:
            result(f"det-seed-{seed}", False, f"{more} stale reads")
    result("det.no-stale-reads", stale == 0, f"{stale} over seeds {SEEDS[0]}-{SEEDS[-1]}")
    result("det.reads-in-window", min(in_window) >= IN_WINDOW_MIN,
           f"{in_window} reads by CPU, at least {IN_WINDOW_MIN} each")
    stale, in_window = 0, [0] * THREADS
    for _ in range(PARALLEL_RUNS):  # a busy host gives some readers little time: add up
        more, reads = run(scheme(), " --reps 300", DET=0, SEED="")
        stale, in_window = stale + more, [a + b for a, b in zip(in_window, reads)]
        if min(in_window) >= IN_WINDOW_MIN:
            break
    result("parallel.no-stale-reads", stale == 0, f"{stale} stale reads")
    result("parallel.reads-in-window", min(in_window) >= IN_WINDOW_MIN,
           f"{in_window} reads by CPU, at least {IN_WINDOW_MIN} each")
    if scheme() != "batch":
        stale, _ = run("batch", " --reps 300", DET=0, SEED="")
        result("native.no-stale-reads", stale == 0, f"{stale} stale reads")


main(body)
