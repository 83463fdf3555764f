#!/usr/bin/env python3
"""Faults that were retried after throttling, and the flush that follows a fault which changed nothing.

By arm64's rules, on either architecture, spurious=always flushes every CPU for nothing after nearly each of them, and the
other values never; by x86's own rules there is no such flush. Threads and processes, by interrupt and by broadcast.
"""

from common import Missing, boot, main, records, result, settings

VALUES = ("always", "rfc", "skip", "never")
LEAST = 0.9  # flushes for nothing per retried fault
RETRIED = 1 / 8  # of all faults, at least: what the workload's defaults ask for
TRANSPORTS = {"x86_64": ("ipi",), "arm64": ("bcast-late", "ipi")}
HW = {"x86_64": ("",), "arm64": ("", "hw=-hafdbs")}  # arm64 with hardware that sets accessed and dirty, and without


def tasks() -> int:
    """On every CPU but the console's."""
    return settings().smp - 1


def commands() -> dict[str, str]:
    """transport.model.how: command; more pages than may be dirty."""
    out = {}
    for transport in TRANSPORTS[settings().arch]:
        for model in ("native", "arm64")[:2 if settings().arch == "x86_64" else 1]:
            for how in ("threads", "procs"):
                out[f"{transport}.{model}.{how}"] = (
                    f"set default; set transport={transport} model={model} upgrade=all dirty_pages=16; "
                    f"bench page_fault3 --{how} {tasks()} --pages 64 --rounds 1 --warmup 1 --vary spurious={','.join(VALUES)}")
    return out


def check(name: str, record: dict, rules: str) -> None:
    counters, value = record["counters"], record["knobs"]["spurious"]
    retried, flushes = counters["retried_faults"], counters["spurious_flushes"]
    share, faults = flushes / max(retried, 1), counters["page_faults"]
    path = next(p["median"] for p in record["points"] if p["name"] == "all_cpus")
    text = f"{flushes} of {retried} retried faults, {faults} faults, {path:,.1f} instructions of all CPUs per operation"
    result(f"{name}.{value}.retried", retried >= RETRIED * faults, text)
    result(f"{name}.{value}.fix-ups", share >= LEAST if (value, rules) == ("always", "arm64") else flushes == 0, text)


def body() -> None:
    for hw in HW[settings().arch]:
        asked = commands()
        run = boot("; ".join(asked.values()), ARGS=hw)
        found = [record for record in records.extract(run.text).records if "scale" in record]
        if run.guest_rc != 0 or len(found) != len(asked) * len(VALUES):
            raise Missing(f"rc={run.guest_rc}, {len(found)} records")
        for number, name in enumerate(asked):
            for record in found[number * len(VALUES):(number + 1) * len(VALUES)]:
                rules = "arm64" if settings().arch == "arm64" or record["knobs"]["model"] == "arm64" else "x86"
                check(f"{hw or 'hw'}.{name}", record, rules)
        if settings().arch == "x86_64":
            result("why", "fix-ups: none by the rules of x86" in run.text, "the table says why there are none")


main(body)
