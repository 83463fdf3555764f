#!/usr/bin/env python3
"""Wall time per page on two free host CPUs: an honest baseline, and what a reader feels.

Only boots count that trust their own times, and during which the host did nothing else; and of these
the first that meets a limit. Without such a boot the checks are skipped.
"""

import os
import time
from pathlib import Path

from common import bench, longest_waits, main, median, result, skip

BASELINE_LOW, BASELINE_HIGH = 0.8, 1.25  # times (batch + one interrupt round trip)
FLUSH_SHARE_MAX = 8.3  # percent of batch's time
WAIT_MAX_NS = 1_500_000  # median of each round's longest wait
OTHERS_MAX = 0.1  # of one host CPU, that anything but the emulator may take during a boot
ROUNDS = 30
BOOTS = 4
COMMAND = ("bench migrate --pages 4096 --threads 1 --schemes baseline,batch "
           f"--reps {ROUNDS}")


def busy_seconds() -> float:
    """CPU time since the host started, of everybody: user, nice, system, interrupts, stolen."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def timed_bench() -> tuple[dict[str, dict], float]:
    """The records of a boot, and the share of a host CPU that was not the emulator's meanwhile."""
    begin, busy, own = time.monotonic(), busy_seconds(), os.times()
    records = bench(COMMAND)
    spent, now = busy_seconds() - busy, os.times()
    ours = sum(now[:4]) - sum(own[:4])
    return records, (spent - ours) / (time.monotonic() - begin)


def trusted(records: dict[str, dict]) -> bool:
    return records["baseline"]["trust"] == records["batch"]["trust"] == "time" \
        and bool(records["floor"]["ipi_busy_ns"])


def honest_baseline(records: dict[str, dict]) -> tuple[bool, str]:
    baseline, batch = records["baseline"]["median"], records["batch"]["median"]
    round_trip = records["floor"]["ipi_busy_ns"]
    ratio = baseline / (batch + round_trip)
    return (BASELINE_LOW <= ratio <= BASELINE_HIGH,
            f"baseline {baseline} ns/page is {ratio:.2f} x (batch {batch} + round trip {round_trip}),"
            f" from {BASELINE_LOW} to {BASELINE_HIGH}")


def flush_share(records: dict[str, dict]) -> tuple[bool, str]:
    phases = records["batch"]["phase_ns"]
    share = 100 * phases["flush"] / sum(phases.values())
    return share <= FLUSH_SHARE_MAX, f"{share:.1f} %, at most {FLUSH_SHARE_MAX} %"


def longest_wait(records: dict[str, dict]) -> tuple[bool, str]:
    wait = median(longest_waits(records["batch"]))
    return wait <= WAIT_MAX_NS, f"median {wait} ns, at most {WAIT_MAX_NS}"


CHECKS = {"baseline-is-batch-plus-round-trip": honest_baseline, "batch.flush-share": flush_share,
          "batch.longest-wait": longest_wait}


def body() -> None:
    outcomes: dict[str, list[tuple[bool, str]]] = {name: [] for name in CHECKS}
    for _ in range(BOOTS):
        records, others = timed_bench()
        if others <= OTHERS_MAX and trusted(records):
            for name, check in CHECKS.items():
                outcomes[name].append(check(records))
        if all(any(ok for ok, _ in tries) for tries in outcomes.values()):
            break
    for name, tries in outcomes.items():
        if tries:
            result(name, any(ok for ok, _ in tries), "\n".join(text for _, text in tries))
        else:
            skip(name, f"no two free host CPUs during any of {BOOTS} boots")


main(body)
