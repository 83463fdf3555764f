#!/usr/bin/env python3
"""Variants that reach other CPUs by interrupts beside some that broadcast: tables show both, and compare what both asked of others."""

from common import Missing, boot, main, records, result

VARY = "--rounds 2 --warmup 0 --schemes baseline --vary transport=bcast,ipi"
# workload: (options, what an amount is per, further counters that have a column)
RUNS = {"migrate": ("--pages 64 --threads 2", "pages_migrated", ("ipis_sent",)),
        "numa_balance": ("--pages 64 --threads 2", "pages_migrated", ("bcast_ops",)),
        "tlb_flush1": ("--pages 16 --threads 2", "ops", ("bcast_ops",))}
ASKED = ("ipis_sent", "bcast_syncs")


def row(lines: list[str], label: str) -> list[str]:
    """The first row of that label: of the table of counts."""
    return next((line.split() for line in lines if line.startswith(f"{label} ")), [])


def body() -> None:
    for name, (options, per, more) in RUNS.items():
        run = boot(f"bench {name} {options} {VARY}")
        lines, found = run.text.splitlines(), [r for r in records.extract(run.text).records if r["name"] == name]
        if run.guest_rc or len(found) != 2:
            raise Missing(f"{name}: rc={run.guest_rc}, {len(found)} records")
        for record, sent, other in zip(found, ("bcast_syncs", "ipis_sent"), ("ipis_sent", "bcast_syncs")):
            counters, cells = record["counters"], row(lines, record["variant"])
            result(f"{name}.{sent}", counters[sent] > 0 and not counters[other], f"{counters[sent]}, {other} {counters[other]}")
            units = counters.get(per) or record["scale"][per]
            for names in (ASKED, *((one,) for one in more)):
                cell = f"{sum(counters[one] for one in names) / units:.4f}"
                result(f"{name}.{sent}.{'+'.join(names)}", cell in cells, f"{cell} per {per} in {' '.join(cells)}")
        heading = next((line for line in lines if "IPIs+syncs" in line), "")
        result(f"{name}.heading", heading, heading)


main(body)
