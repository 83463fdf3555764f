#!/usr/bin/env python3
"""Guest instructions per migrated page, on one CPU under instruction counting."""

from common import Missing, bench, main, phase_per_page, result, settings

OUTSIDE_COPY_MAX = 890  # instructions per 4 KiB page
UNMAP_MAX = 200  # of these
BASELINE_EXTRA_MAX = 170  # a local flush, a generation step, clock reads
COPY_MAX = {"x86_64": 530, "arm64": 660}  # copy_page() itself


def instructions(record: dict) -> dict[str, float]:
    if record["trust"] != "path":
        raise Missing(f"trust is {record['trust']}, not path: is this DET=1 on one CPU?")
    per_instruction = record["ns_per_instruction"]
    return {phase: ns / per_instruction for phase, ns in phase_per_page(record).items()}


def describe(phases: dict[str, float]) -> str:
    return ", ".join(f"{phase} {count:.0f}" for phase, count in phases.items())


def body() -> None:
    records = bench("bench migrate --pages 4096 --threads 0 --schemes baseline,batch")
    phases = {scheme: instructions(records[scheme]) for scheme in ("baseline", "batch")}
    outside = {scheme: sum(p.values()) - p["copy"] for scheme, p in phases.items()}
    batch = phases["batch"]
    result("batch.outside-copy", outside["batch"] <= OUTSIDE_COPY_MAX,
           f"{outside['batch']:.0f} instructions, at most {OUTSIDE_COPY_MAX}: {describe(batch)}")
    result("batch.unmap", batch["unmap"] <= UNMAP_MAX,
           f"{batch['unmap']:.0f} instructions, at most {UNMAP_MAX}")
    extra = outside["baseline"] - outside["batch"]
    result("baseline.outside-copy", extra <= BASELINE_EXTRA_MAX,
           f"{extra:.0f} instructions more than batch, at most {BASELINE_EXTRA_MAX}: "
           f"{describe(phases['baseline'])}")
    limit = COPY_MAX[settings().arch]
    result("batch.copy", batch["copy"] <= limit,
           f"{batch['copy']:.0f} instructions with {records['batch']['copy']}, at most {limit}")


main(body)
