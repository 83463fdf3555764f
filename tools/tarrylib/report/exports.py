"""The same records in the forms that other tools read: CSV, Prometheus text, pmbench's XML, will-it-scale's CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from . import pmbench_xml, will_it_scale
from .results import Results
from .summary import label

# What tells rows apart, by their names in a record; docs/results.md explains each column.
IDENTITY = {"workload": "name", "scheme": "scheme", "variant": "variant", "arch": "arch", "accel": "accel", "smp": "smp",
            "nodes": "nodes", "trust": "trust", "record": "crc"}
COLUMNS = ("section", *IDENTITY, "key", "index", "unit", "value")
# Keys whose unit is the record's, or that of the series in "points"; other units follow from the whole key or its end.
FIGURES = {"samples", "mean", "median", "stddev", "min", "max", "p50", "p90", "p95", "p99", "ci95"}
UNITS = (("_ns", "ns"), ("_hz", "Hz"), ("_kib", "KiB"), ("_mib", "MiB"), ("bytes_max", "bytes"), ("_pct", "%"),
         ("percent", "%"), ("pages_per_s", "pages/s"), ("ops_per_s", "ops/s"), ("ops_per_minstr", "ops/Minstr"), ("duration_s", "s"),
         ("_pages", "pages"), ("pages_used", "pages"), ("pages_on_node", "pages"), ("_frames", "frames"), ("accesses", "count"))
KEYS = {"longest_wait": "ns", "quiet_gap": "ns", "ns_per_instruction": "ns/instruction", "pmbench.threads.ns": "ns",
        "pmbench.delay": "cycles", "params.time": "s", "params.pages": "pages", "debts_at_end": "frames", "held_pages_max": "pages",
        **dict.fromkeys(("settle_ipis", "settle_flushes", "victim.ops", "victim.waits", "victim.reads_in_window", "scale.ops",
                         "pmbench.reads", "pmbench.writes", "pmbench.read", "pmbench.write", "pmbench.threads.draws"), "count")}


def leaves(value: object, key: str = "", index: str = "") -> Iterator[tuple[str, str, object]]:
    """(key, index, value) of all that a record holds: {"a": {"b": [1]}} is a.b, 0, 1. Without what is null.

    Items of a list that have a name have it in the key: points.copy.median.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}" if key else name, index)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, dict) and "name" in item:
                yield from leaves({k: v for k, v in item.items() if k != "name"}, f"{key}.{item['name']}", index)
            else:
                yield from leaves(item, key, f"{index}.{number}" if index else str(number))
    elif value is not None:
        yield key, index, str(value).lower() if isinstance(value, bool) else value


def unit_of(record: dict, key: str) -> str:
    """The unit of a value, "" for what has none."""
    group, _, last = key.rpartition(".")
    if (last in FIGURES and not group) or key == "disturbed_rounds.sample":
        return record.get("unit") or ""
    if last in FIGURES and group.startswith("points."):
        return next((p["unit"] for p in record["points"] if p["name"] == group.removeprefix("points.")), "")
    root = key.split(".")[0]
    if root in ("counters", "ack_ns"):  # these are numbers of acknowledgements, by how long they took
        return "count"
    if key in KEYS or group.endswith("_ns"):
        return KEYS.get(key, "ns")
    return next((unit for end, unit in UNITS if last.endswith(end)), "")


def write_csv(path: Path, results: Results) -> None:
    """All records in long form: one value a row."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for boot in results.boots:
            for record in boot.records:
                identity = [boot.name, *(record.get(name, "") for name in IDENTITY.values())]
                rest = {k: v for k, v in record.items() if k not in IDENTITY.values()}
                writer.writerows([*identity, key, index, unit_of(record, key), value]
                                 for key, index, value in leaves(rest))


def write_pmbench(folder: Path, results: Results) -> None:
    """pmbench-BOOT-VARIANT.xml for each record of that workload whose times mean something."""
    for boot in results.boots:
        for record in boot.records:
            if "pmbench" in record and (text := pmbench_xml.text(record)):
                name = re.sub(r"[^A-Za-z0-9.+_-]", "-", f"pmbench-{boot.name}-{record['variant']}")
                (folder / f"{name}.xml").write_text(text, "utf-8")


def write_will_it_scale(folder: Path, results: Results) -> None:
    """will-it-scale-BOOT-TEST-VARIANT.csv for each of its tests with times, and its title beside it, as postprocess.py wants."""
    for boot in results.boots:
        for (test, variant), records in will_it_scale.groups(boot.records).items():
            if text := will_it_scale.text(records):
                # Without dots: what reads the files takes a name up to the first one.
                name = re.sub(r"[^A-Za-z0-9+_-]", "-", f"will-it-scale-{boot.name}-{test}-{variant}")
                (folder / f"{name}.csv").write_text(text, "utf-8")
                (folder / f"{name}.title").write_text(f"{test}, {variant}, {records[0]['arch']}\n", "utf-8")


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
