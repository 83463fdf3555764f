"""From records to tables. No table shows a time that its record does not trust."""

from __future__ import annotations

from math import ceil, floor
from statistics import median

from .results import Boot, Results
from .table import NOT_AVAILABLE, NOTHING, Table, change, number

REFERENCES = ("baseline", "like-linux-6.12")
PHASES = ("unmap", "flush", "copy", "map", "other")
SERVER_GAIN = "+291.7 %"  # pages/s of batched flushing in migrate_pages(), as its author reported
PUBLISHED_LOSS = "over 70 % with processes and over 20 % with threads"  # as the patch that skips them on retried faults reported
EMULATED = "emulated (QEMU TCG): a time is the emulator's, never hardware's"


def is_comparison(record: dict) -> bool:
    """A record of moved pages, one per scheme; the others describe the machine."""
    c = record["counters"]
    return bool(c.get("batches") or c.get("hint_faults")) or \
        (bool(record.get("skipped")) and record["name"] != "floor" and record["unit"].endswith("/page"))


def label(record: dict) -> str:
    """The scheme, and the knob that was varied on top of it."""
    return record.get("variant") or record["scheme"]


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
    """What one ns of the keys that end in _ns is worth: 1 where time is trusted, instructions where path is."""
    if record["trust"] == "time":
        return 1.0
    if record["trust"] == "path":
        return 1.0 / record["ns_per_instruction"]
    return None


def unit(record: dict) -> str:
    return {"time": "ns", "path": "insns"}.get(record["trust"], "")


def worth(record: dict, what: str, trust: str) -> float | None:
    """What one of a figure's unit is worth in tables; None: not to be shown.

    Records of earlier builds have nanoseconds of virtual time where later ones have instructions.
    """
    if trust == "counts":
        return None
    return 1.0 / record["ns_per_instruction"] if trust == "path" and what.startswith("ns") else 1.0


def headline(record: dict) -> float | None:
    """Median time or path per page, settling included."""
    factor, value = worth(record, record.get("unit", ""), record["trust"]), record.get("median")
    return None if factor is None or value is None else value * factor


def interval(record: dict, figures: dict, trust: str) -> tuple[float, float] | None:
    """Of the median of a record or a point: at 95 % by ranks, or of fewer than six samples from least to greatest."""
    factor = worth(record, figures.get("unit", ""), trust)
    ends = figures.get("ci95") or figures.get("samples")
    return None if factor is None or not ends else (min(ends) * factor, max(ends) * factor)


def apart(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    """Do two intervals have nothing in common? Where one is not known they might."""
    return bool(one and other) and (one[0] > other[1] or one[1] < other[0])


def bounds(value: tuple[float, float] | None) -> str:
    return NOT_AVAILABLE if value is None else f"[{number(value[0], 1)}, {number(value[1], 1)}]"


def median_change(record: dict, reference: dict | None) -> str:
    """How the medians differ, where their intervals lie apart; else how far at most they could."""
    if reference is None or reference is record:
        return NOTHING
    if headline(record) is None or not headline(reference):
        return NOT_AVAILABLE
    new, old = (interval(r, r, r["trust"]) for r in (record, reference))
    if new is None or old is None:
        return NOT_AVAILABLE
    if apart(new, old):
        return change(headline(record), headline(reference))
    most = max(abs(new[1] - old[0]), abs(new[0] - old[1])) / headline(reference)
    return f"no change (\u00b1{ceil(1000 * most) / 10:.1f} %)"


def phases(record: dict) -> dict[str, float | None]:
    """Each phase per page: medians where the record has them by round, else means."""
    factor, pages = scale(record), record["counters"]["pages_migrated"]
    points = {p["name"]: p.get("median") for p in record.get("points") or []}
    times = record.get("phase_ns") or {}
    if factor is None or not pages:
        return dict.fromkeys(PHASES)
    if set(PHASES) <= set(points):
        return {p: points[p] for p in PHASES}
    return {p: times[p] * factor / pages if times.get(p) is not None else None for p in PHASES}


def flush_share(record: dict) -> float | None:
    """Percent of the time per page that went into flushing."""
    parts = phases(record)
    known = [value for value in parts.values() if value is not None]
    if len(known) < len(PHASES) or not sum(known):
        return None
    return 100 * parts["flush"] / sum(known)


def longest_wait(record: dict) -> str:
    """Median over the rounds of each round's longest wait of a reader, with its unit."""
    waits = record.get("longest_wait")
    if not isinstance(waits, list) or not waits:
        return NOT_AVAILABLE
    if record.get("ns_per_instruction"):
        return f"{median(waits) / record['ns_per_instruction']:,.0f} insns"
    return f"{median(waits):,.0f} ns" if record["trust"] == "time" else NOT_AVAILABLE


def stale(record: dict) -> tuple[str, str]:
    """(cell, note): a count means something only where a stale read could have been seen, in a page that was moving."""
    counters = record["counters"]
    count, met = counters.get("stale_reads", 0), counters.get("reads_in_window", 0)
    note = f"{label(record)}: readers met {number(met)} windows, where a stale read would have been seen"
    if count or (record.get("stale_visible") and met):
        return number(count), note if met else ""
    hidden = record.get("stale_hidden_by") or "this set-up hides them"
    why = "no reader met a page that was moving (DET=1 with SEED=N lets them)" if record.get("stale_visible") else hidden
    return NOT_AVAILABLE, f"stale reads n/a: {why}"


def setup_of(record: dict) -> str:
    parts = [record.get("arch", ""), record.get("accel", "")]
    parts += [f"{key} {record[key]}" for key in ("smp", "nodes", "seed", "copy", "check", "poison",
                                                 "idle", "hw", "net")
              if record.get(key) not in (None, "")]
    return ", ".join(part for part in parts if part)


def _reference(group: list[dict], name: str) -> dict | None:
    return next((r for r in group if r["scheme"] == name), None)


def _changes(record: dict, group: list[dict], measure) -> list[str]:
    cells = []
    for name in REFERENCES:
        reference = _reference(group, name)
        same = reference is record
        cells.append(NOTHING if same else change(measure(record), reference and measure(reference)))
    return cells


def _failed(record: dict) -> int:
    return sum(record["counters"].get("pages_failed", {}).values())


def counts_table(boot: Boot, group: list[dict]) -> Table:
    """Who flushed, how often, on whose order, who waited, what was held back."""
    broadcasts = any(r["counters"].get("bcast_syncs") for r in group)
    header = ["scheme", "pages", "failed", "shootdowns", "ipis/page", "all ipis"]
    header += ["bcast ops/page", "syncs/page"] if broadcasts else []
    header += [f"vs {name}" for name in REFERENCES]
    header += ["longest wait", "held pages", "stale reads"]
    rows, notes = [], []
    for record in group:
        c = record["counters"]
        pages = c["pages_migrated"]

        def per_page(key: str) -> str:
            return number(c.get(key, 0) / pages if pages else None, 4)

        cell, why = stale(record)
        if why and why not in notes:
            notes.append(why)
        row = [label(record), number(pages), number(_failed(record)),
               number(c.get("shootdowns", 0)), per_page("ipis_sent"), number(ipis(record))]
        row += [per_page("bcast_ops"), per_page("bcast_syncs")] if broadcasts else []
        row += _changes(record, group, orders_per_page)
        rows.append(row + [longest_wait(record), number(c.get("held_pages_max", 0)), cell])
    notes.append("vs: change of " + ("ipis and syncs" if broadcasts else "ipis") + " per page; "
                 "longest wait: a reader's, from fault to resume, median of the rounds' longest")
    return Table(f"{boot.name}: flushes and interrupts", header, rows, notes)


def numa_table(boot: Boot, group: list[dict]) -> Table:
    """What NUMA balancing did: who faulted, what that flushed, whether pages got home."""
    header = ["scheme", "pages moved", "hint faults", "second", "ipis/page", "syncs/page"]
    header += [f"vs {name}" for name in REFERENCES]
    header += ["scanner", "home", "moves/page, worst", "ops/Minsn", "stale reads"]
    rows = []
    for record in group:
        c, numa = record["counters"], record.get("numa") or {}
        pages = c["pages_migrated"]
        orders = [number(c.get(key, 0) / pages if pages else None, 4)
                  for key in ("ipis_sent", "bcast_syncs")]
        rows.append([label(record), number(pages), number(c["hint_faults"]),
                     number(c["hint_faults_second"]), *orders,
                     *_changes(record, group, orders_per_page),
                     number(c["ipis_scanner"] + c["bcast_scanner"]),
                     f"{numa['home_percent']:.1f} %" if numa else NOT_AVAILABLE,
                     number(numa.get("most_moves_per_page"), 2),
                     number(numa.get("ops_per_minstr")), stale(record)[0]])
    notes = [note for note in dict.fromkeys(stale(record)[1] for record in group) if note]
    notes += ["second: faults of other threads on a page that was being moved; scanner: the scan's own "
             "interrupts and broadcasts, in no other column; home: pages on the node that uses them, at the end",
             "vs: change of ipis and syncs per page; ops/Minsn: what the threads got done in a "
             "million instructions, all CPUs"]
    return Table(f"{boot.name}: hint faults and flushes", header, rows, notes)


def vm_table(boot: Boot, group: list[dict]) -> Table:
    """What NUMA scans made of a guest: what its second MMU zapped, and for what."""
    header = ["scheme", "passes", "guest ops", "exits/Mop", "zapped", "useless", "refills", "flushes", "retried", "hints",
              "spared", "moved", "stale reads"]
    keys = ("secondary_invalidations", "secondary_useless", "secondary_refills", "secondary_flushes", "secondary_retried",
            "hint_entries", "hint_spared", "hint_moved")
    rows = []
    for record in group:
        vm, c = record.get("vm") or {}, record["counters"]
        rows.append([label(record), number(vm.get("passes")), number(vm.get("guest_ops")), number(vm.get("exits_per_mop")),
                     *(number(c.get(key, 0)) for key in keys), stale(record)[0]])
    notes = ["zapped: entries of the guest's MMU; useless: refilled with the same frame; flushes: of that MMU, on any CPU; "
             "hints: entries that the scan took; spared: that it left alone; moved: pages, to the node of the virtual CPU"]
    return Table(f"{boot.name}: a guest's second MMU", header, rows, notes)


def time_table(boot: Boot, group: list[dict]) -> Table:
    """Where the time or the path of a page went."""
    what = next((unit(r) for r in group if unit(r)), "")
    header = ["scheme", f"median {what}/page", "interval"] + [f"vs {name}" for name in REFERENCES]
    header += [*PHASES, "flush share", "pages/s", "cv"]
    rows = []
    for record in group:
        parts, share = phases(record), flush_share(record)
        references = [_reference(group, name) for name in REFERENCES]
        rows.append([label(record), number(headline(record), 1),
                     bounds(interval(record, record, record["trust"])),
                     *[median_change(record, r) for r in references],
                     *[number(parts[p]) for p in PHASES],
                     NOT_AVAILABLE if share is None else f"{share:.1f} %",
                     number(record.get("pages_per_s")),
                     number(record.get("cv") if scale(record) else None, 3)])
    notes = [f"{what} per 4 KiB page, medians, settling included; by phase on the initiator, without it",
             "interval: of the median, 95 % by order statistics (fewer than 6 rounds: least to greatest sample); "
             "no change: the intervals overlap, and leave at most that much possible"]
    noisy = [label(r) for r in group if scale(r) and (r.get("cv") or 0) > 0.10]
    notes += [f"NOISY (cv above 0.10): {', '.join(noisy)}"] if noisy else []
    notes += [f"{label(r)}: {len(r['disturbed_rounds'])} rounds with a busy host were measured again, and are in no figure"
              for r in group if r.get("disturbed_rounds")]
    return Table(f"{boot.name}: {what} per page", header, rows, notes + _gain(group))


def _gain(group: list[dict]) -> list[str]:
    """Batching's gain beside the one that a kernel on real hardware was measured to have; nothing where the medians may be one."""
    found = {label(r): r for r in group if r.get("pages_per_s")}
    if not {"baseline", "batch"} <= set(found):
        return []
    batch, baseline = found["batch"], found["baseline"]
    if not apart(*(interval(r, r, r["trust"]) for r in (batch, baseline))):
        return []
    return [f"batch against baseline: {change(batch['pages_per_s'], baseline['pages_per_s'])} pages/s "
            f"(measured for Linux on a 2-socket server: {SERVER_GAIN})"]


def median_interval(samples: list[float]) -> tuple[float, float]:
    """Between which samples the median lies at 95 %, whatever their distribution (ranks of a binomial)."""
    ranked = sorted(samples)
    reach = 0.98 * len(ranked) ** 0.5  # 1.96 standard deviations of Binomial(n, 1/2)
    low, high = floor((len(ranked) - 1) / 2 - reach), ceil((len(ranked) - 1) / 2 + reach)
    return ranked[max(low, 0)], ranked[min(high, len(ranked) - 1)]


def honest_baseline(group: list[dict], floor_record: dict | None) -> list[str]:
    """Is a page-by-page flush as dear as it must be, batching's path plus one interrupt round trip, and no dearer?"""
    found = {label(r): r for r in group if r["trust"] == "time" and r.get("samples")}
    trip = next((p["median"] for p in (floor_record or {}).get("points") or []
                 if p["name"] == "ipi_busy" and p["trust"] == "time"), None)
    if not trip or not {"baseline", "batch"} <= set(found):
        return []
    (low, high), (least, most) = (median_interval(found[name]["samples"]) for name in ("baseline", "batch"))
    ratio = found["baseline"]["median"] / (found["batch"]["median"] + trip)
    return [f"baseline is {ratio:.2f} times batch plus the floor's round trip of an interrupt to a busy CPU, same boot "
            f"(95 %: {low / (most + trip):.2f} to {high / (least + trip):.2f}; 1 = it pays for the flush and nothing else)"]


def _caveats(group: list[dict]) -> list[str]:
    notes = []
    for record in group:
        if record.get("skipped"):
            notes.append(f"{label(record)} skipped: {record['skipped']}")
        if record.get("unsafe"):
            notes.append(f"{label(record)} is UNSAFE: {record['unsafe']}")
        if record.get("not_modelled"):
            notes.append(f"{label(record)} does not model: {record['not_modelled']}")
        if record.get("interrupted"):
            notes.append(f"{label(record)} was interrupted")
    reasons = dict.fromkeys(r["trust_why"] for r in group if r.get("trust_why"))
    notes += [f"no times: {reason}" for reason in reasons]
    if all(record.get("accel") == "tcg" for record in group):
        notes.append(EMULATED)
    return notes


def point_value(record: dict, point: dict, key: str) -> tuple[float | None, str]:
    """A series' figure with its unit, where its own trust allows it."""
    what, value = point["unit"], point.get(key)
    factor = worth(record, what, point["trust"])
    if point["trust"] == "path":
        what = "/".join(["insns", *what.split("/")[1:]])
    return (None if factor is None or value is None else value * factor), what


def floor_line(record: dict) -> str:
    """The floor's figures in one line, as far as each is trusted."""
    parts = []
    for point in record.get("points") or []:
        value, what = point_value(record, point, "median")
        limits = interval(record, point, point["trust"])
        between = "" if limits is None else f"[{number(limits[0])}, {number(limits[1])}] "
        shown = NOT_AVAILABLE if value is None else f"{number(value)} {between}{what}"
        parts.append(f"{point['name'].replace('_', ' ')} {shown}")
    return "floor, same boot: " + (", ".join(parts) or NOT_AVAILABLE)


def points_table(boot: Boot, record: dict) -> Table:
    """A record that compares nothing: one line per series."""
    header = [record["name"], "median", "interval", "min", "p99", "unit", "cv", "trust"]
    rows = []
    for point in record.get("points") or []:
        cells = [point_value(record, point, key)[0] for key in ("median", "min", "p99")]
        figures = [number(cell, 0 if (cell or 0) >= 100 else 1) for cell in cells]
        limits = interval(record, point, point["trust"])
        rows.append([point["name"], figures[0], bounds(limits), *figures[1:],
                     point_value(record, point, "median")[1],
                     number(point.get("cv") if cells[0] is not None else None, 3), point["trust"]])
    return Table(f"{boot.name}: {boot.summary} ({label(record)})", header, rows, _caveats([record]))


def tasks_table(boot: Boot, name: str, group: list[dict]) -> Table:
    """A test of will-it-scale: what its tasks did, and what an operation took of the machine."""
    what = next((unit(r) for r in group if unit(r)), "")
    rate, rate_key = ("ops/Minsn", "ops_per_minstr") if what == "insns" else ("ops/s", "ops_per_s")
    broadcasts = any(r["counters"].get("bcast_syncs") for r in group)
    reach = {"ipis/op": "ipis_sent"} if not broadcasts or any(r["counters"].get("ipis_sent") for r in group) else {}
    reach |= {"bcast ops/op": "bcast_ops", "syncs/op": "bcast_syncs"} if broadcasts else {}
    header = ["scheme", "tasks", "spaces", f"median {what or 'time'}/op", "interval", rate, "all CPUs insns/op", "faults/op",
              "retried/op", "fix-ups/retried", "shootdowns/op", *reach, "wrong"]
    rows = []
    for record in group:
        c, did = record["counters"], record["scale"]
        points = {point["name"]: point["median"] for point in record["points"]}
        retried = c.get("retried_faults", 0)

        def per_op(key: str) -> str:
            return number(c.get(key, 0) / did["ops"] if did["ops"] else None, 4)

        rows.append([label(record), number(did["tasks"]), number(did["spaces"]), number(headline(record), 1),
                     bounds(interval(record, record, record["trust"])), number(did.get(rate_key)),
                     number(points.get("all_cpus"), 1), per_op("page_faults"), per_op("retried_faults"),
                     number(c.get("spurious_flushes", 0) / retried if retried else None, 4), per_op("shootdowns"),
                     *map(per_op, reach.values()), number(c.get("stale_reads", 0))])
    notes = [f"an operation of one task; {rate}: of all tasks together; wrong: reads that failed the test's own assertion"]
    if any(r["counters"].get("retried_faults") for r in group):
        notes += ["fix-ups: flushes everywhere after a fault that changed nothing; by x86's rules there are none, as a fault drops "
                  "what the CPU holds of the address",
                  f"page_fault3 of arm64 lost {PUBLISHED_LOSS} by them; an emulator, where a broadcast costs one instruction, "
                  "cannot show that"]
    return Table(f"{boot.name}: {name}", header, rows, notes + _caveats(group))


def tasks_tables(boot: Boot, records: list[dict]) -> list[Table]:
    names = dict.fromkeys(r["name"] for r in records)
    return [tasks_table(boot, name, [r for r in records if r["name"] == name]) for name in names]


def tables_of(boot: Boot) -> list[Table]:
    compared = [r for r in boot.records if is_comparison(r)]
    scaled = [r for r in boot.records if "scale" in r]
    others = [r for r in boot.records if not is_comparison(r) and "scale" not in r]
    out = tasks_tables(boot, scaled)
    if compared:
        balanced = any(r["counters"].get("hint_faults") for r in compared)
        table = vm_table if any("vm" in r for r in compared) else numa_table if balanced else counts_table
        out.append(table(boot, compared))
        if any(scale(r) for r in compared):
            out.append(time_table(boot, compared))
        floors = [r for r in others if r["name"] == "floor"]
        out[-1].notes += honest_baseline(compared, next(iter(floors), None))
        out[-1].notes = [floor_line(r) for r in floors] + out[-1].notes + _caveats(compared)
        others = [r for r in others if r["name"] != "floor"]
    # The floor beside another workload is in short; by itself it is the subject.
    main = [r for r in others if r["name"] != "floor"] or (others if not scaled else [])
    return out + [points_table(boot, r) for r in main]


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
