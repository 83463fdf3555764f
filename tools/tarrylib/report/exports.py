"""The same records in the forms that other tools read: CSV, Prometheus text, pmbench's XML."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from . import pmbench_xml
from .results import Results
from .summary import label

# What a row starts with; every other key of a record follows in the order of its first appearance.
FIRST = ("boot", "name", "scheme", "variant", "arch", "accel", "smp", "nodes", "trust", "unit", "n",
         "median", "mean", "stddev", "cv", "min", "max")


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists become words with spaces between."""
    if isinstance(value, dict):
        out: dict[str, object] = {}
        for key, item in value.items():
            out |= flatten(item, f"{prefix}.{key}" if prefix else key)
        return out
    if isinstance(value, list) and value and isinstance(value[0], dict):  # series, by name
        return flatten({item.get("name", str(i)): item for i, item in enumerate(value)}, prefix)
    if isinstance(value, list):
        return {prefix: " ".join(str(item) for item in value)}
    return {prefix: "" if value is None else value}


def write_csv(path: Path, results: Results) -> None:
    rows = [{"boot": boot.name, **flatten(record)}
            for boot in results.boots for record in boot.records]
    columns = dict.fromkeys(FIRST) | dict.fromkeys(key for row in rows for key in row)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_pmbench(folder: Path, results: Results) -> None:
    """pmbench-BOOT-VARIANT.xml for each record of that workload whose times mean something."""
    for boot in results.boots:
        for record in boot.records:
            if "pmbench" in record and (text := pmbench_xml.text(record)):
                name = re.sub(r"[^A-Za-z0-9.+_-]", "-", f"pmbench-{boot.name}-{record['variant']}")
                (folder / f"{name}.xml").write_text(text, "utf-8")


# Prometheus text format 0.0.4: family -> (counter of a record, help); one sample per record.
COUNTERS = {
    "tarry_tlb_shootdowns_total": ("shootdowns", "Shootdowns that had something to flush."),
    "tarry_tlb_ipis_total": ("ipis_sent", "Interrupts that carried a shootdown request."),
    "tarry_tlb_bcast_syncs_total": ("bcast_syncs", "Broadcast completions waited for."),
    "tarry_tlb_debts_total": ("debts_created", "Flushes that were deferred."),
    "tarry_stale_reads_total": ("stale_reads", "Reads that returned old contents; must stay 0."),
    "tarry_reads_verified_total": ("reads_verified", "Reads whose contents were checked."),
}


def _label(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _labels(**named: object) -> str:
    return "{" + ",".join(f"{key}={_label(value)}" for key, value in named.items()) + "}"


def prometheus(results: Results) -> str:
    pairs = [(boot, record) for boot in results.boots for record in boot.records]
    out: list[str] = []

    def family(name: str, kind: str, text: str, samples: list[tuple[str, object]]) -> None:
        if samples:
            out.extend([f"# HELP {name} {text}", f"# TYPE {name} {kind}"])
            out.extend(f"{name}{labels} {value}" for labels, value in samples)

    def where(boot, record) -> dict[str, object]:
        return {"boot": boot.name, "workload": record["name"], "scheme": label(record)}

    builds = {(r.get("build", ""), r.get("arch", "")): None for _, r in pairs}
    family("tarry_build_info", "gauge", "The build that was measured.",
           [(_labels(version=version, arch=arch), 1) for version, arch in builds])
    for name, (key, text) in COUNTERS.items():
        family(name, "counter", text,
               [(_labels(**where(b, r)), r["counters"][key]) for b, r in pairs
                if key in r["counters"]])
    moved = []
    for boot, record in pairs:
        counters = record["counters"]
        if "pages_migrated" not in counters:
            continue
        moved.append((_labels(**where(boot, record), result="moved"), counters["pages_migrated"]))
        failed = counters.get("pages_failed", 0)
        for reason, count in (failed.items() if isinstance(failed, dict) else [("failed", failed)]):
            moved.append((_labels(**where(boot, record), result=reason), count))
    family("tarry_migrated_pages_total", "counter", "Pages asked to move, by what came of it.",
           moved)
    family("tarry_tlb_held_pages", "gauge", "Most frames held back at one time.",
           [(_labels(**where(b, r)), r["counters"]["held_pages_max"]) for b, r in pairs
            if "held_pages_max" in r["counters"]])
    family("tarry_bench_median_seconds", "gauge",
           "Median of a benchmark's samples where its time means something.",
           [(_labels(**where(b, r), unit=r["unit"]), r["median"] / 1e9) for b, r in pairs
            if r["trust"] == "time" and r.get("median") is not None
            and str(r.get("unit", "")).startswith("ns")])
    return "\n".join(out) + "\n"
