#!/usr/bin/env python3
"""Guest instructions per migrated page, on one CPU under instruction counting."""

import re

from common import Missing, bench, boot, main, phase_per_page, records, result, settings

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
    found = bench("bench migrate --pages 4096 --threads 0 --schemes baseline,batch")
    phases = {scheme: instructions(found[scheme]) for scheme in ("baseline", "batch")}
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
           f"{batch['copy']:.0f} instructions with {found['batch']['copy']}, at most {limit}")


def large_pages() -> None:
    """2 MiB pages cost hardly more than copying them."""
    found = bench("bench migrate --thp --pages 4096 --threads 0 --schemes batch")
    floor = found["floor"]["median"]
    page = sum(instructions(found["batch"]).values())
    result("batch.huge", floor / page >= HUGE_OF_FLOOR_MIN,
           f"{page:.1f} instructions per 4 KiB, floor {floor:.1f}: {floor / page:.1%} of the floor")


def operations() -> None:
    """mprotect, munmap and dropping, beside what a stock kernel takes for the same."""
    record = bench("bench mem")["as-set"]
    for point in record["points"]:
        if limit := OPERATION_MAX.get(point["name"]):
            count = point["median"]
            result(point["name"], count <= limit, f"{count:.0f} instructions, at most {limit}")


def units() -> None:
    """Nothing that counts instructions is called a time."""
    run = boot("bench migrate --pages 64 --threads 0 --reps 6 --schemes baseline,baseline+batch=1,batch; bench mem --reps 1; "
               "bench tlb --reps 1; bench floor --reps 1")
    values = [line.split() for line in run.text.splitlines() if line.startswith("# bench ")]
    found = records.extract(run.text).records
    result("units.values", bool(values) and all(v[4].startswith(("unit=instructions", "unit=ipis")) for v in values),
           str(values))
    shown = [(r["unit"], r["median"], r["samples"]) for r in found if r["trust"] == "path"]
    result("units.records", bool(shown) and all(what.startswith("instructions") for what, _, _ in shown), str(shown)[:200])
    first = next(r for r in found if r["scheme"] == "batch")
    whole = sum(first["phase_ns"].values()) / first["ns_per_instruction"] / first["counters"]["pages_migrated"]
    result("units.are-instructions", abs(first["median"] - whole) < 20, f"median {first['median']}, phases {whole:.1f}")
    rows = {line.split()[0]: line for line in run.text.splitlines() if re.match(r"ba\S+ +[\d.]+ +\[", line)}
    result("table.same-scheme", "no change (\u00b1" in rows.get("baseline+batch=1", ""), rows.get("baseline+batch=1", "no row"))
    result("table.other-scheme", bool(re.search(r" -\d+\.\d %", rows.get("batch", ""))), rows.get("batch", "no row"))
    points = {p["unit"] for r in found for p in r["points"]}
    result("units.points", points <= {"instructions", "instructions/page"}, str(points))


def everything() -> None:
    body()
    units()
    large_pages()
    if settings().arch == "x86_64":
        operations()


main(everything)
