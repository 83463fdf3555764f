#!/usr/bin/env python3
"""Interrupts per migrated page: batching must save 99.1 % of them, and not move them elsewhere."""

from common import bench, changed, main, result

PER_PAGE_DROP = 99.1  # percent, the figure measured for batching on a 2-socket server
ALL_IPIS_MAX = 5.0  # percent of baseline's, waking and calling interrupts included


def per_page(record: dict, *names: str) -> float:
    counters = record["counters"]
    return sum(counters[name] for name in names) / counters["pages_migrated"]


def body() -> None:
    records = bench("bench migrate --pages 4096 --threads 3 --schemes baseline,batch")
    baseline, batch = records["baseline"], records["batch"]
    for record in (baseline, batch):
        moved = record["counters"]["pages_migrated"]
        result(f"{record['scheme']}.moves-pages", moved >= 4096, f"{moved} pages migrated")
        stale = record["counters"]["stale_reads"]
        result(f"{record['scheme']}.no-stale-reads", stale == 0, f"{stale} stale reads")
    old, new = per_page(baseline, "ipis_sent"), per_page(batch, "ipis_sent")
    drop = changed(new, old)
    result("ipis-sent-per-page", drop >= PER_PAGE_DROP,
           f"{old:.4f} to {new:.4f} per page: down {drop:.2f} %, needed {PER_PAGE_DROP} %")
    names = ("ipis_sent", "ipis_wake", "ipis_call")
    old, new = per_page(baseline, *names), per_page(batch, *names)
    share = 100 * new / old
    result("all-ipis", share <= ALL_IPIS_MAX,
           f"{old:.4f} to {new:.4f} per page: {share:.2f} % of baseline, at most {ALL_IPIS_MAX} %")


main(body)
