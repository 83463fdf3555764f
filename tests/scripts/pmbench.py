#!/usr/bin/env python3
"""pmbench's report, read by a parser that knows nothing but its format, adds up.

The parser takes what LKP's takes: accesses, mean latencies, and the buckets of the read and the
write histogram, a power of two each, most of them with sixteen parts of equal width.
"""

import re

from common import Missing, boot, main, result

PATTERNS = ("linear", "uniform", "normal", "normal_ih", "pareto", "zipf")
THREADS, ACCESSES, REPS, READ_PCT = 2, 5000, 2, 70
DONE = re.compile(r"^\s*Benchmark done - took (\d+\.\d+) sec for (\d+) page access")
MEAN = re.compile(r"^(Net average page latency \(Arith\. mean\)|"
                  r"Page latency during benchmark \(inc\. gen\)): (\d+\.\d{4}) us \((\d+) clks\)")
BUCKET = re.compile(r"^\s*2\^\((\d+),(\d+|inf)\) ns: (\d+)(?:\s+\[(\d+(?:, \d+){15})\])?\s*$")
TOLERANCE = 3.0  # percent of all accesses by which reads may miss READ_PCT


def parse(text: str) -> list[dict]:
    reports: list[dict] = []
    side = ""
    for line in text.splitlines():
        if found := DONE.match(line):
            reports.append({"seconds": float(found[1]), "accesses": int(found[2]), "means": {},
                            "Read": [], "Write": []})
        elif not reports:
            continue
        elif found := MEAN.match(line):
            reports[-1]["means"][found[1][:3]] = float(found[2])
        elif line.strip() in ("Read:", "Write:"):
            side = line.strip()[:-1]
        elif found := BUCKET.match(line):
            parts = [int(part) for part in (found[4] or "").split(", ") if part]
            reports[-1][side].append((int(found[1]), int(found[3]), parts))
    return reports


def total(report: dict, side: str) -> int:
    return sum(count for _, count, _ in report[side])


def check(name: str, report: dict) -> None:
    reads, writes = total(report, "Read"), total(report, "Write")
    result(f"{name}.histogram-is-complete", reads + writes == report["accesses"],
           f"{reads} reads and {writes} writes of {report['accesses']} accesses")
    wrong = [low for side in ("Read", "Write") for low, count, parts in report[side]
             if parts and sum(parts) != count or (8 <= low < 23) != bool(parts)]
    lows = [low for low, _, _ in report["Read"]]
    result(f"{name}.buckets", not wrong and lows == [0, *range(8, 31)], f"not right: {wrong}")
    share = 100 * reads / report["accesses"]
    result(f"{name}.read-share", abs(share - READ_PCT) <= TOLERANCE,
           f"{share:.2f} % reads, {READ_PCT} % asked for")
    net, gross = report["means"].get("Net"), report["means"].get("Pag")
    result(f"{name}.means", net is not None and gross is not None and 0 < net <= gross,
           f"net {net} us, with choosing {gross} us")


def body() -> None:
    for pattern in PATTERNS:
        run = boot(f"bench pmbench --access {pattern} --threads {THREADS} --warmup 0 --scan "
                   f"--map-size 8 --set-size 4 --accesses {ACCESSES} --reps {REPS} "
                   f"--read-pct {READ_PCT} --schemes baseline,late-map")
        reports = parse(run.text)
        if run.guest_rc != 0 or len(reports) != 2:
            raise Missing(f"{pattern}: rc={run.guest_rc}, {len(reports)} reports, 2 expected")
        for scheme, report in zip(("baseline", "late-map"), reports):
            expected = THREADS * ACCESSES * REPS
            result(f"{pattern}.{scheme}.accesses", report["accesses"] == expected,
                   f"{report['accesses']}, {expected} asked for")
            check(f"{pattern}.{scheme}", report)


main(body)
