#!/usr/bin/env python3
"""defer=latr: read-only pages move while others flush themselves at their ticks, and nearly nobody is interrupted."""

from common import bench, main, result

FEWER = 10  # times, than one flush per batch
PAGES, ROUNDS = 8192, 3  # rounds longer than a tick: else settling pays for all, as a batch does
MOVE = f"bench migrate --pages {PAGES} --threads 3 --mapping ro --warmup 1 --rounds {ROUNDS} --schemes batch,latr"


def asked(record: dict) -> float:
    """Of other CPUs per page, by interrupts and broadcasts."""
    counters = record["counters"]
    return (counters["ipis_sent"] + counters["bcast_syncs"]) / counters["pages_migrated"]


def body() -> None:
    found = bench(MOVE)
    counters = found["latr"]["counters"]
    moved = counters["pages_migrated"]
    result("moves-pages", moved == found["batch"]["counters"]["pages_migrated"] == PAGES * ROUNDS, f"{moved} pages")
    old, new = asked(found["batch"]), asked(found["latr"])
    result("asks-nobody", new * FEWER <= old, f"{new:.5f} per page, {old:.5f} with batches")
    for name in ("latr_posted", "latr_sweeps", "timer_irqs"):
        result(name.replace("_", "-"), counters[name] > 0, f"{counters[name]}")
    batches = moved // 512
    result("debts", counters["debts_created"] == counters["latr_posted"] == batches, f"{counters['debts_created']} for {batches} batches")
    held = found["latr"]["held_pages_max"]
    result("held", 0 < held <= PAGES, f"{held} frames at most, of {PAGES}")
    result("none-of-it-in-batch", not found["batch"]["held_pages_max"] and "latr_posted" not in found["batch"]["counters"], "")
    result("no-stale-reads", counters["stale_reads"] == 0, f"{counters['stale_reads']}, of {counters['reads_verified']} reads")


main(body)
