#!/usr/bin/env python3
"""The longest wait of a reader whose pages are moved, in guest instructions."""

from common import Missing, bench, held, longest_waits, main, median, result

ROUNDS = 20


def body() -> None:
    command = f"bench migrate --pages 4096 --threads 1 --schemes batch --reps {ROUNDS}"
    record = bench(command)["batch"]
    waits = longest_waits(record)
    result("rounds", len(waits) >= ROUNDS, f"{len(waits)} rounds, at least {ROUNDS}")
    result("why-no-times", record["trust_why"] == "deterministic, 2 CPUs are busy", str(record["trust_why"]))
    if not any(waits):
        raise Missing("no reader ever waited: the run shows nothing")
    held("victims.longest_wait", median(waits) / record["ns_per_instruction"])


main(body)
