#!/usr/bin/env python3
"""No read returns old contents, over many interleavings that read while pages are being moved."""

from common import Missing, bench, boot, main, records, result, settings

SEEDS = range(1, 21)
IN_WINDOW_MIN = 1000  # reads per CPU; how they spread over CPUs that run at once is the host's affair
THREADS = 3
PARALLEL_RUNS = 10  # at most
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


def hidden(name: str, command: str, reasons: list[str | None], **changes: object) -> None:
    """What the records say of why a stale read could not be seen; None: it could."""
    found = records.extract(boot(command, **changes).text).records
    said = [record["stale_hidden_by"] for record in found if record["name"] == "migrate"]
    result(f"hidden.{name}", len(said) == len(reasons) and all(
        (text is None) if reason is None else reason in (text or "") for text, reason in zip(said, reasons)), str(said))


def rules() -> None:
    """Both sides of each rule by which a table says n/a."""
    one = "bench migrate --rounds 1 --warmup 0 --schemes batch "
    hidden("by-pages", "; ".join(one + more for more in ("--threads 1 --pages 256", "--threads 1 --pages 257",
                                                         "--threads 0 --pages 64")),
           [None, "more than 256 pages", "no thread"], ARGS=ARGS)
    hidden("by-large-pages", one + "--threads 1 --pages 64", ["large pages in use"])
    hidden("by-equal-contents", "; ".join(one + more for more in ("--threads 1 --pages 64 --write-pct 0",
                                                                  "--threads 1 --pages 64 --write-pct 1")),
           ["keep their contents", None], ARGS="large=off poison=off")
    hidden("by-check-off", one + "--threads 1 --pages 64", ["readers do not look"], ARGS="large=off check=off")


def body() -> None:
    rules()
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
    for _ in range(PARALLEL_RUNS):
        more, reads = run(scheme(), " --reps 100", DET=0, SEED="")
        stale, in_window = stale + more, [a + b for a, b in zip(in_window, reads)]
        if met := min(in_window) > 0 and sum(in_window) >= IN_WINDOW_MIN * THREADS:
            break
    result("parallel.no-stale-reads", stale == 0, f"{stale} stale reads")
    result("parallel.reads-in-window", met,
           f"{in_window} reads by CPU, some by each and {IN_WINDOW_MIN * THREADS} together at least")
    if scheme() != "batch":
        stale, _ = run("batch", " --reps 100", DET=0, SEED="")
        result("native.no-stale-reads", stale == 0, f"{stale} stale reads")


main(body)
