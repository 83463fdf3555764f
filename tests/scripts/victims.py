#!/usr/bin/env python3
"""The longest wait of a reader whose pages are moved, in guest instructions.

Of several short boots, each with another interleaving. With more than one CPU, QEMU has a timer that goes off every
100 ms of virtual time. Where its main thread is the one to notice, that thread ends the turn of the CPU that runs, so on
a busy host two equal runs part there: one of eleven such moments was enough for a median that was 3 % off. Five rounds of
512 pages are over before the first: the run begins after 6 ms, 40 ms are without migration, and a round takes 6 to 9 ms.
"""

from common import Missing, bench, held, longest_waits, main, median, result

SEEDS, ROUNDS = (1, 2, 3, 4), 5
COMMAND = f"bench migrate --pages 512 --threads 1 --schemes batch --reps {ROUNDS} --warmup 0"


def body() -> None:
    records = [bench(COMMAND, SEED=seed)["batch"] for seed in SEEDS]
    waits = [wait / record["ns_per_instruction"] for record in records for wait in longest_waits(record)]
    result("rounds", len(waits) == len(SEEDS) * ROUNDS, f"{len(waits)} rounds, {len(SEEDS) * ROUNDS} were asked for")
    why = {record["trust_why"] for record in records}
    result("why-no-times", why == {"deterministic, 2 CPUs are busy"}, str(why))
    if not any(waits):
        raise Missing("no reader ever waited: the run shows nothing")
    held("victims.longest_wait", median(waits))


main(body)
