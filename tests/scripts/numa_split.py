#!/usr/bin/env python3
"""2 MiB pages of which two nodes use a half each: split, each half ends at home, for no flush."""

from common import bench, main, noted, result, settings

HOME_MIN = 95.0  # percent of the pages
WHOLE_MAX = 60.0  # percent at home of pages that are not split: half of each is far, whoever has it
MOVES_MAX = 2.0  # moves per page in the busiest round
FLUSHES = {"x86_64": "ipis_sent", "arm64": "bcast_syncs"}


SCHEMES = {"whole": "late-map", "split": "late-map+numa_split=shared"}


def run(use: str) -> list[dict]:
    """Of pages that stay whole, and of split ones. use: who touches what."""
    records = bench(f"bench numa_balance --thp --pages 4096 --threads 2 {use} --warmup 1 --reps 3 "
                    f"--schemes {','.join(SCHEMES.values())}")
    found = [records[scheme] for scheme in SCHEMES.values()]
    for name, record in zip(SCHEMES, found):
        prefix, numa = f"numa_split.{use.lstrip('-').split()[0]}.{name}", record["numa"]
        noted(f"{prefix}.home", numa["home_percent"])
        noted(f"{prefix}.most_moves", numa["most_moves_per_page"])
        noted(f"{prefix}.ops", numa["ops_per_minstr"])
    return found


def body() -> None:
    whole, split = run("--stripe 256")
    home = [record["numa"]["home_percent"] for record in (whole, split)]
    result("whole.half-is-far", home[0] <= WHOLE_MAX and not whole["counters"]["pages_split"],
           f"{home[0]} % at home, {whole['counters']['pages_split']} pages split")
    counters = split["counters"]
    result("split.halves-arrive", home[1] >= HOME_MIN,
           f"{home[1]} % at home, at least {HOME_MIN} %; {counters['pages_split']} pages split")
    most = [record["numa"]["most_moves_per_page"] for record in (whole, split)]
    result("split.no-ping-pong", most[1] <= min(MOVES_MAX, most[0]),
           f"{most[1]} moves per page in the busiest round, {most[0]} if they stay whole")
    flushes = counters[FLUSHES[settings().arch]]
    result("split.flushes-have-a-cause",
           counters["shootdowns"] <= counters["hint_faults_second"] + counters["spurious_flushes"],
           f"{flushes} {FLUSHES[settings().arch]}, {counters['shootdowns']} flushes, "
           f"{counters['spurious_flushes']} after faults that changed nothing, "
           f"{counters['hint_faults_second']} second faults")
    shared = run("--share 2")  # all of each page by both nodes: nothing to win; documents say what it costs
    stale = sum(record["counters"]["stale_reads"] for record in (whole, split, *shared))
    result("split.no-stale-reads", stale == 0, f"{stale}")


main(body)
