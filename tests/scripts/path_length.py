#!/usr/bin/env python3
"""Guest instructions per migrated page, on one CPU under instruction counting."""

from common import Missing, bench, main, phase_per_page, result, settings

OUTSIDE_COPY_MAX = 890  # instructions per 4 KiB page
UNMAP_MAX = {"x86_64": 200}  # of these; arm64 issues its broadcasts while it unmaps
BASELINE_EXTRA_MAX = 170  # a local flush, a generation step, clock reads
HUGE_OF_FLOOR_MIN = 0.95
# A stock general-purpose kernel in this emulator: 4,990, 70,127, 6,901 and 3,805.
OPERATION_MAX = {"mprotect_1": 900, "mprotect_512": 14000, "munmap_1": 1200, "drop_1": 700}
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
    if limit := UNMAP_MAX.get(settings().arch):
        result("batch.unmap", batch["unmap"] <= limit,
               f"{batch['unmap']:.0f} instructions, at most {limit}")
    extra = outside["baseline"] - outside["batch"]
    result("baseline.outside-copy", extra <= BASELINE_EXTRA_MAX,
           f"{extra:.0f} instructions more than batch, at most {BASELINE_EXTRA_MAX}: "
           f"{describe(phases['baseline'])}")
    limit = COPY_MAX[settings().arch]
    result("batch.copy", batch["copy"] <= limit,
           f"{batch['copy']:.0f} instructions with {records['batch']['copy']}, at most {limit}")


def large_pages() -> None:
    """2 MiB pages cost hardly more than copying them."""
    records = bench("bench migrate --thp --pages 4096 --threads 0 --schemes batch")
    floor = records["floor"]["median"] / records["floor"]["ns_per_instruction"]
    page = sum(instructions(records["batch"]).values())
    result("batch.huge", floor / page >= HUGE_OF_FLOOR_MIN,
           f"{page:.1f} instructions per 4 KiB, floor {floor:.1f}: {floor / page:.1%} of the floor")


def operations() -> None:
    """mprotect, munmap and dropping, beside what a stock kernel takes for the same."""
    record = bench("bench mem")["as-set"]
    for point in record["points"]:
        if limit := OPERATION_MAX.get(point["name"]):
            count = point["median"] / record["ns_per_instruction"]
            result(point["name"], count <= limit, f"{count:.0f} instructions, at most {limit}")


def everything() -> None:
    body()
    large_pages()
    if settings().arch == "x86_64":
        operations()


main(everything)
