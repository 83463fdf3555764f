#!/usr/bin/env python3
"""defer=migrc, luf and stamp: nothing is flushed while read-only pages move, its bounds hold, and writable pages cost what they did."""

from common import bench, main, result, settings

ROUNDS = 3
MOVE = f"bench migrate --pages 4096 --threads 3 --warmup 1 --reps {ROUNDS}"
FLUSHES = ("flush_local_page", "flush_local_full", "flush_remote_page", "flush_remote_full", "bcast_ops")
BOUND = 1024  # frames
WRITABLE_MORE = 0.02  # of path length, where nothing can wait


def nothing_before_settling(record: dict, name: str) -> None:
    """Settling is the only payment, and every flush of the round is its."""
    counters = record["counters"]
    result(f"{name}.moves-pages", counters["pages_migrated"] >= 4096 * ROUNDS, f"{counters['pages_migrated']} pages")
    paid = {event: n for event, n in counters["debts_forced_by"].items() if n}
    result(f"{name}.only-settling-pays", paid == {"settle": ROUNDS}, str(paid))
    result(f"{name}.shootdowns", counters["shootdowns"] == ROUNDS, f"{counters['shootdowns']}, one for each settling of {ROUNDS}")
    flushes = sum(counters[name] for name in FLUSHES)
    result(f"{name}.flushes", flushes == record["settle_flushes"], f"{flushes}, of settling {record['settle_flushes']}")
    if settings().arch == "x86_64":
        result(f"{name}.ipis", counters["ipis_sent"] == record["settle_ipis"] == 3 * ROUNDS, f"{counters['ipis_sent']}")
    result(f"{name}.no-stale-reads", counters["stale_reads"] == 0, f"{counters['stale_reads']}")
    result(f"{name}.verdicts", counters["oracle_unknown"] == 0, f"{counters['oracle_unknown']} without one")


def body() -> None:
    bounded = f"migrc+defer_pages={BOUND}"
    found = bench(f"{MOVE} --mapping ro --schemes migrc,luf,stamp,{bounded}")
    nothing_before_settling(found["migrc"], "readonly")
    for scheme, name in ("luf", "freed"), ("stamp", "stamped"):
        nothing_before_settling(found[scheme], name)
        result(f"{name}.held", found[scheme]["held_pages_max"] == 0, "frames are free at once")
    held = found[bounded]["held_pages_max"]
    result("bounded.held", 0 < held <= BOUND, f"{held} frames at most, of {BOUND}")
    # Nobody reads: who waits for a page ends its batch early, and when that is differs from scheme to scheme.
    found = bench("bench migrate --pages 4096 --threads 0 --mapping rw --schemes batch,migrc,luf,stamp", SMP=1)
    flushed = {name: record["counters"]["shootdowns"] for name, record in found.items() if name != "floor"}
    result("writable.shootdowns", len(set(flushed.values())) == 1, str(flushed))
    path = {name: record["median"] for name, record in found.items() if name != "floor"}
    result("writable.path", max(path.values()) <= path["batch"] * (1 + WRITABLE_MORE), f"{path}, instructions per page")


main(body)
