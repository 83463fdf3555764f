"""From records to tables. No table shows a time that its record does not trust."""

from __future__ import annotations

from statistics import median

from .results import Boot, Results
from .table import NOT_AVAILABLE, Table, change, number

REFERENCES = ("baseline", "like-linux-6.12")
PHASES = ("unmap", "flush", "copy", "map", "other")
EMULATED = "emulated (QEMU TCG): a time is the emulator's, never hardware's"


def is_comparison(record: dict) -> bool:
    """A record of moved pages, one per scheme; the others describe the machine."""
    return record["name"] != "floor" and "pages_migrated" in record["counters"] \
        and record.get("unit") == "ns/page"


def ipis(record: dict) -> int:
    """All interrupts that one CPU sent another."""
    c = record["counters"]
    return c.get("ipis_sent", 0) + c.get("ipis_wake", 0) + c.get("ipis_call", 0)


def orders_per_page(record: dict) -> float | None:
    """What a flush on other CPUs costs them, per page: interrupts, and broadcasts waited for."""
    c = record["counters"]
    pages = c["pages_migrated"]
    return (c.get("ipis_sent", 0) + c.get("bcast_syncs", 0)) / pages if pages else None


def scale(record: dict) -> float | None:
    """What one ns of the record is worth: 1 where time is trusted, instructions where path is."""
    if record["trust"] == "time":
        return 1.0
    if record["trust"] == "path":
        return 1.0 / record["ns_per_instruction"]
    return None


def unit(record: dict) -> str:
    return {"time": "ns", "path": "insns"}.get(record["trust"], "")


def headline(record: dict) -> float | None:
    """Median time or path per page, settling included."""
    factor = scale(record)
    value = record.get("median")
    return None if factor is None or value is None else value * factor


def phases(record: dict) -> dict[str, float | None]:
    """Each phase per page."""
    factor, pages = scale(record), record["counters"]["pages_migrated"]
    times = record.get("phase_ns") or {}
    if factor is None or not pages:
        return dict.fromkeys(PHASES)
    return {p: times[p] * factor / pages if times.get(p) is not None else None for p in PHASES}


def flush_share(record: dict) -> float | None:
    """Percent of the time per page that went into flushing."""
    parts = phases(record)
    known = [value for value in parts.values() if value is not None]
    if len(known) < len(PHASES) or not sum(known):
        return None
    return 100 * parts["flush"] / sum(known)


def longest_wait(record: dict) -> float | None:
    """Median over the rounds of each round's longest wait of a reader."""
    waits = record.get("longest_wait") or (record.get("victim") or {}).get("longest_wait")
    factor = scale(record)
    if factor is None or not isinstance(waits, list) or not waits:
        return None
    return median(waits) * factor


def stale(record: dict) -> tuple[str, str]:
    """(cell, note): a count means something only where a stale read could have been seen."""
    visible = record.get("stale_visible", True)
    count = record["counters"].get("stale_reads", 0)
    if visible is True or visible == "yes" or count:
        return number(count), ""
    return NOT_AVAILABLE, visible if isinstance(visible, str) else "this set-up hides stale reads"


def setup_of(record: dict) -> str:
    parts = [record.get("arch", ""), record.get("accel", "")]
    parts += [f"{key} {record[key]}" for key in ("smp", "nodes", "seed", "copy", "check", "hw", "net")
              if record.get(key) not in (None, "")]
    return ", ".join(part for part in parts if part)


def _reference(group: list[dict], name: str) -> dict | None:
    return next((r for r in group if r["scheme"] == name), None)


def _changes(record: dict, group: list[dict], measure) -> list[str]:
    cells = []
    for name in REFERENCES:
        reference = _reference(group, name)
        same = reference is record
        cells.append("-" if same else change(measure(record), reference and measure(reference)))
    return cells


def counts_table(boot: Boot, group: list[dict]) -> Table:
    """Who flushed, how often, on whose order, what was held back."""
    broadcasts = any(r["counters"].get("bcast_syncs") for r in group)
    header = ["scheme", "pages", "failed", "shootdowns", "ipis/page", "all ipis"]
    header += ["bcast ops/page", "syncs/page"] if broadcasts else []
    header += [f"vs {name}" for name in REFERENCES] + ["held pages", "stale reads"]
    rows, notes = [], []
    for record in group:
        c = record["counters"]
        pages = c["pages_migrated"]

        def per_page(key: str) -> str:
            return number(c.get(key, 0) / pages if pages else None, 4)

        cell, why = stale(record)
        if why and f"stale reads n/a: {why}" not in notes:
            notes.append(f"stale reads n/a: {why}")
        failed = c.get("pages_failed", 0)
        row = [record["scheme"], number(pages),
               number(sum(failed.values()) if isinstance(failed, dict) else failed),
               number(c.get("shootdowns", 0)), per_page("ipis_sent"), number(ipis(record))]
        row += [per_page("bcast_ops"), per_page("bcast_syncs")] if broadcasts else []
        row += _changes(record, group, orders_per_page)
        rows.append(row + [number(c.get("held_pages_max", 0)), cell])
    notes.append("vs: change of " + ("ipis and syncs" if broadcasts else "ipis") + " per page")
    notes += _caveats(group)
    return Table(f"{boot.name}: flushes and interrupts", header, rows, notes)


def time_table(boot: Boot, group: list[dict], floor: dict | None) -> Table:
    """Where the time or the path went, with the floor beneath."""
    what = next((unit(r) for r in group if unit(r)), "")
    header = ["scheme", f"{what}/page"] + [f"vs {name}" for name in REFERENCES]
    header += [*PHASES, "flush share", "longest wait", "cv"]
    rows = []
    for record in group:
        parts, share = phases(record), flush_share(record)
        rows.append([record["scheme"], number(headline(record)), *_changes(record, group, headline),
                     *[number(parts[p]) for p in PHASES],
                     NOT_AVAILABLE if share is None else f"{share:.1f} %",
                     number(longest_wait(record)),
                     number(record.get("cv") if scale(record) else None, 3)])
    notes = [f"{what} per 4 KiB page by phase on the initiator; the longest wait is a reader's, from "
             f"fault to resume, median over rounds, in {what}"]
    if floor:
        notes.insert(0, "floor: " + floor_line(floor))
    noisy = [r["scheme"] for r in group if scale(r) and (r.get("cv") or 0) > 0.10]
    notes += [f"NOISY (cv above 0.10): {', '.join(noisy)}"] if noisy else []
    return Table(f"{boot.name}: {what} per page", header, rows, notes + _caveats(group))


def _caveats(group: list[dict]) -> list[str]:
    notes = []
    for record in group:
        if record.get("unsafe"):
            notes.append(f"{record['scheme']} is UNSAFE: {record['unsafe']}")
    if all(record.get("accel") == "tcg" for record in group):
        notes.append(EMULATED)
    return notes


def floor_line(record: dict) -> str:
    """The floor's figures in one line, as far as its record trusts them."""
    factor = scale(record)
    if factor is None:
        return f"{NOT_AVAILABLE} (trust {record['trust']})"
    what = unit(record)
    values = record.get("floor") or {}
    parts = [f"{key.removesuffix('_ns').replace('_', ' ')} {value * factor:,.0f} {what}"
             for key, value in values.items() if isinstance(value, (int, float))]
    if record.get("median") is not None and not parts:
        parts.append(f"{record['median'] * factor:,.0f} {what} ({record.get('unit', '')})")
    return ", ".join(parts) or NOT_AVAILABLE


def plain_table(boot: Boot, group: list[dict]) -> Table:
    """Records that compare nothing: one line each."""
    header = ["record", "scheme", "unit", "n", "median", "min", "max", "cv", "trust"]
    rows = []
    for r in group:
        trusted = r["trust"] != "counts"
        rows.append([r["name"], r["scheme"], r.get("unit", ""), number(r.get("n"))]
                    + [number(r.get(key) if trusted else None, 3 if key == "cv" else 0)
                       for key in ("median", "min", "max", "cv")] + [r["trust"]])
    return Table(f"{boot.name}: {boot.summary}", header, rows, _caveats(group))


def tables_of(boot: Boot) -> list[Table]:
    floor = next((r for r in boot.records if r["name"] == "floor"), None)
    compared = [r for r in boot.records if is_comparison(r)]
    others = [r for r in boot.records if not is_comparison(r)]
    out = []
    if compared:
        out.append(counts_table(boot, compared))
        if any(scale(r) for r in compared):
            out.append(time_table(boot, compared, floor))
        elif floor:
            out[-1].notes.insert(0, "floor: " + floor_line(floor))
        others = [r for r in others if r is not floor]
    if others:
        out.append(plain_table(boot, others))
    return out


def problems(results: Results) -> list[str]:
    """What a reader must know before any figure: damaged records, boots that went wrong."""
    out = []
    for boot in results.boots:
        out += [f"{boot.name}: DAMAGED RECORD: {text}" for text in boot.damaged]
        if boot.code:
            out.append(f"{boot.name}: exit status {boot.code} {boot.message}".rstrip())
        if not boot.records:
            out.append(f"{boot.name}: no record")
        stale_count = sum(r["counters"].get("stale_reads", 0) for r in boot.records)
        if stale_count:
            out.append(f"{boot.name}: {stale_count} STALE READS")
    return out
