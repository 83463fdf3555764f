#!/usr/bin/env python3
"""What `bench` prints and records, number by number, against what it printed when somebody looked (bench_output/*.txt).

Counts and everything that was asked must be the same. What is measured may lie a quarter off, as paths get
shorter or longer; where several CPUs run, only its form is held. Each record is then computed again from itself.

CMD=renew writes the files anew (`make` first); look at the difference before keeping it.
"""

from __future__ import annotations

import json
import re
from math import isqrt
from pathlib import Path

from common import ROOT, Missing, boot, main, records, result, settings

HERE = ROOT / "tests/scripts/bench_output"
OFF = 0.25  # of a measured value, either way

# One CPU: every count is exact.
ONE = (
    "bench migrate --threads 0 --pages 64 --reps 12 --warmup 1 --pin 3 --schemes baseline,batch,like-linux-6.12,never",
    "bench migrate --threads 0 --pages 1024 --thp --reps 3 --warmup 0 --from 1 --mapping ro --schemes batch,never --vary batch_2m=1,8",
    "bench migrate --threads 0 --procs 3 --pages 96 --reps 2 --seed 7 --vary batch=1,16",
    "bench floor --reps 2 --warmup 1",
    "bench tlb --reps 2 --warmup 1",
    "bench mem --reps 2 --warmup 1 --schemes baseline,batch",
    "bench page_fault1 --pages 64 --reps 2 --warmup 1 --schemes never,baseline; bench tlb_flush2 --pages 16 --reps 2 --warmup 0; bench mprotect_loop --reps 2 --warmup 0",
    "results",
    "bench migrate --threads 0 --pages 8 --reps 2 --membind 1 --keep", "numa", "drop",
    "bench migrate --threads 0 --pages 8 --reps 2 --time 1",
)

# Several: what was asked, and the form of what came.
FOUR = (
    "bench migrate --threads 2 --cpus 2:1,3 --pages 64 --reps 3 --warmup 1 --write-pct 50 --pattern zipf --schemes baseline,batch",
    "bench migrate --threads 4 --slice 50 --procs 2 --share 2 --stripe 4 --pages 64 --reps 2 --interleave 0-1",
    "bench numa_balance --threads 2 --pages 64 --reps 2 --warmup 0 --eat 1:50 --pattern linear --schemes never,baseline,late-map",
    "bench page_fault1 --threads 2 --pages 8 --reps 2 --warmup 0 --schemes never,baseline",
    "bench pmbench --threads 2 --accesses 300 --map-size 4 --set-size 2 --reps 2 --warmup 1 --access normal --shape 9000 --read-pct 70 "
    "--offset 5 --initialize",
    "bench pmbench --affinity 1/2-3:4 --slice 20 --accesses 200 --map-size 2 --set-size 1 --reps 2 --warmup 0 --cold --scan --preferred 1",
    "bench pmbench --affinity 1/2 --accesses 100 --map-size 2 --set-size 1 --reps 2 --warmup 0 --access pareto",
    "bench floor --reps 2 --warmup 0",
    "bench tlb --reps 2 --warmup 0",
)

# Refused, with every word of why.
WRONG = tuple("bench " + words for words in (
    "", "fly", "mem 3", "mem --pages 5", "floor --threads 1", "tlb --thp", "migrate --pages 0", "migrate --pages 16777217", "migrate --threads 512",
    "migrate --threads 4", "migrate --cpus 4", "migrate --cpus 0:0", "migrate --cpus 1:0", "migrate --cpus 0:1,1", "migrate --cpus 0:2-1", "migrate --cpus 0:1-",
    "migrate --cpus 0:", "migrate --cpus 0-1:2", "migrate --cpus x", "migrate --cpus 0:1-9", "migrate --threads 3 --cpus 0:1,2", "migrate --write-pct 101",
    "migrate --pattern random", "migrate --mapping x", "migrate --from 2", "migrate --to 2", "migrate --from 1 --to 1", "migrate --procs 65", "migrate --procs 0",
    "migrate --share 0", "migrate --vary", "migrate --vary batch", "migrate --vary batch=", "migrate --vary =1", "migrate --vary nothing=1", "migrate --vary batch=0",
    "migrate --schemes nothing", "migrate --schemes batch,,",
    "migrate --schemes " + "+".join(["baseline"] * 11), "migrate --schemes " + "x" * 510, "migrate --schemes " + "x" * 511, "migrate --reps 0", "migrate --reps 10001", "migrate --warmup 10001", "migrate --time 86401",
    "migrate --preferred 2", "migrate --preferred 0,1", "migrate --interleave 0-2", "migrate --interleave x", "migrate --membind 5", "migrate --membind 0 --interleave 1",
    "migrate --localalloc --preferred 1", "migrate --seed x", "migrate --pages 64 --pin 65",
    "numa_balance --eat 1", "numa_balance --eat 2:5", "numa_balance --eat 0:0", "numa_balance --eat 0:101", "numa_balance --eat 0-1:5", "numa_balance --eat 1:x",
    "numa_balance --from 1", "numa_balance --share 4", "pmbench --access random", "pmbench --map-size 0", "pmbench --map-size 2 --set-size 3", "pmbench --read-pct 101",
    "pmbench 0", "pmbench 86401", "pmbench x", "pmbench 5 --accesses 5", "pmbench --offset 1025", "pmbench --affinity 0", "pmbench --affinity 4", "pmbench --affinity 1,1",
    "pmbench --affinity 2-1", "pmbench --affinity 1:2", "pmbench --affinity 1:0", "pmbench --affinity 1:x", "pmbench --affinity 1/", "pmbench --affinity 1: --slice 5",
    "pmbench --affinity 1:1-2", "pmbench --affinity 1 --threads 1", "pmbench --affinity 1 --cpus 0:1", "pmbench --affinity 1 --membind 0",
    "pmbench --slice 9 --affinity 1:600", "pmbench --slice 9 --affinity 1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1"))
HELP = tuple(f"bench {w} -h" for w in ("floor", "mem", "migrate", "numa_balance", "pmbench", "tlb")) + ("bench -h", "list workloads")

BOOTS = {"one": (ONE, {"SMP": 1}), "four": (FOUR, {"SMP": 4}), "wrong": (WRONG + HELP, {"SMP": 4})}
LINE_MAX = 3500  # bytes of commands in one boot line

MEASURED = re.compile(r"^(samples|scale\.ops_per_\w+|mean|median|stddev|cv|min|max|p\d+|ci95|outliers|phase_ns|settle_ns|pages_per_s|wait_ns|ack_ns|victim|longest_wait|"
                      r"quiet_gap|noise_floor_ns|node_pages|counters\.(oracle_unknown|timer_irqs)|points\.\d+\.(median|min|p99|cv|ci95).*|pmbench\.(threads|histogram|memory).*)")
CHANGING = re.compile(r"^(crc|kernel|build|boot_id|version|copy|features|errata|clock.*|hw|cpu.*|host.*|noise.*)(\.|$)")
ASKED = ("params", "knobs", "schema", "name", "unit", "scheme", "variant", "skipped", "unsafe")
PROGRESS = re.compile(r"# \w+: \d+ of \d+ rounds")
NAMES = re.compile(r"^(schemes|knobs): .*")  # a new one changes nothing else
NUMBER = re.compile(r"-?\d[\d.]*")


# --- what is compared ---------------------------------------------------------------------
def flat(value: object, name: str = "") -> dict[str, object]:
    """{"a": {"b": [1]}} -> {"a.b.0": 1}"""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {name: value}
    out: dict[str, object] = {name: "empty"} if not value else {}
    for key, item in items:
        out |= flat(item, f"{name}.{key}" if name else str(key))
    return out


def says(key: str, value: object) -> bool:
    """A spread that is 0 in one build and hardly more in the next is there in both."""
    return (value not in (0, None, "empty", "") or key.endswith("cv") and value is not None) and not CHANGING.match(key)


def lines_of(console: str, form_only: bool) -> list[str]:
    """From the first command on: text as it is, of each record the fields that say something, a line each."""
    out: list[str] = []
    for line in console.splitlines():
        line = line.rstrip()
        if line.startswith("tarry> "):
            out.append(line)
        elif not out or line.startswith(("[", "TARRY-END")) or PROGRESS.match(line):
            continue  # the log before, and beside
        elif line.startswith("{"):
            fields = flat(json.loads(line))
            out += [f"| {key} = {value}" for key, value in fields.items()
                    if (key.startswith(ASKED) if form_only else says(key, value))]
        else:
            out.append(NAMES.sub(r"\1: ...", " ".join(line.split())))
    return out


def near(got: str, expected: str) -> bool:
    a, b = float(got.strip(".")), float(expected.strip("."))
    return abs(a - b) <= OFF * abs(b) or abs(a - b) <= 0.0101


def same(got: str, expected: str, form_only: bool) -> bool:
    """Exact, but for numbers that were measured."""
    if got == expected:
        return True
    field = re.match(r"\| (\S+) = ", got)
    if got.startswith(("tarry> ", "error:", "# rc=")) or (field and not MEASURED.match(field[1])):
        return False
    if NUMBER.sub("#", got) != NUMBER.sub("#", expected):
        return False
    return form_only or all(near(a, b) for a, b in zip(NUMBER.findall(got), NUMBER.findall(expected)))


# --- a record, computed again from itself ----------------------------------------------------
def close(got: float, expected: float, by: float) -> bool:
    return abs(got - expected) <= by


def wrong_statistics(r: dict) -> list[str]:
    samples, n = r["samples"], r["n"]
    if samples is None:
        return [key for key in ("mean", "median", "stddev", "cv", "min", "max", "p50", "p90", "p95", "p99") if r[key] is not None]
    ranked = sorted(samples)
    unit = 10 ** -max(len(str(x).partition(".")[2]) for x in samples)
    mean = sum(samples) / n
    spread = (sum((x - mean) ** 2 for x in samples) / (n - 1)) ** 0.5 if n > 1 else 0.0
    checks = {"n": len(samples) == n == r["params"]["reps"], "min": r["min"] == ranked[0], "max": r["max"] == ranked[-1],
              "mean": close(r["mean"], mean, unit / 10), "stddev": close(r["stddev"], spread, unit * 0.2 + spread / 1000),
              "median": close(r["median"], (ranked[(n - 1) // 2] + ranked[n // 2]) / 2, unit),
              "cv": close(r["cv"], spread / mean if mean else 0, 0.001)}
    for percent in (50, 90, 95, 99):
        checks[f"p{percent}"] = r[f"p{percent}"] == ranked[-(-n * percent // 100) - 1]
    half = isqrt(n * 1000000) * 196 // 100
    low, high = max((1000 * n - half + 1000) // 2000, 1), min((3000 + 1000 * n + half) // 2000, n)
    checks["ci95"] = r["ci95"] == ([ranked[low - 1], ranked[high - 1]] if n >= 6 else None)
    return [key for key, good in checks.items() if not good]


ALIASES = {"nr_tlb_remote_flush": "shootdowns", "nr_tlb_remote_flush_received": "ipis_received", "nr_tlb_local_flush_all": "flush_local_full",
           "nr_tlb_local_flush_one": "flush_local_page", "pgmigrate_success": "pages_migrated", "pgfault": "page_faults", "numa_hint_faults": "hint_faults",
           "numa_hint_faults_local": "hint_faults_local", "numa_pages_migrated": "hint_moved", "numa_pte_updates": "hint_entries",
           "tlb_flush_skipped": "flush_skipped", "tlb_flush_merged": "ipis_merged", "tlb_stale_reads": "stale_reads"}


def wrong_counters(r: dict) -> list[str]:
    c = r["counters"]
    wrong = [alias for alias, name in ALIASES.items() if c[alias] != c[name]]
    if c["pgmigrate_fail"] != sum(c["pages_failed"].values()):
        wrong.append("pgmigrate_fail")
    if r["name"] == "migrate" and not r["skipped"]:
        asked = r["params"]["pages"] * r["params"]["reps"]
        if not asked - r["params"]["pin"] * r["params"]["reps"] <= c["pages_migrated"] <= asked:
            wrong.append(f"pages_migrated {c['pages_migrated']} of {asked}")
    if r["held_bytes_max"] != 4096 * r["held_pages_max"]:
        wrong.append("held_bytes_max")
    phases = r.get("phase_ns")
    if phases and r["samples"] and r["name"] == "migrate":
        total = sum(r["samples"]) * c["pages_migrated"] / r["n"] * (1 if r["unit"].startswith("ns") else r["ns_per_instruction"])
        if not close(sum(phases.values()) + r["settle_ns"], total, 0.01 * total):
            wrong.append(f"phases give {sum(phases.values()) + r['settle_ns']}, samples {total:.0f}")
    return wrong


VALUE = re.compile(r"^# bench (\w+)\.(\S+) value=(\S+) unit=(\S+)\s*$", re.MULTILINE)


def value_of(r: dict) -> tuple[str, str]:
    """What the line for those who grep must say: the median, or without times what was asked of other CPUs."""
    if r["samples"]:
        return f"{r['median']}", r["unit"]
    c = r["counters"]
    what = max("ipis_sent", "bcast_syncs", key=lambda key: c[key])
    return f"{c[what] / max(c['pages_migrated'], 1):.4f}", f"{what.split('_')[0 if what == 'ipis_sent' else 1]}/page"


def wrong_values(console: str, block: records.Block) -> list[str]:
    """Only of the last run of a name: those before it are in other blocks."""
    known = {(r["name"], r["variant"]): value_of(r) for r in block.records}
    said = {(m[1], m[2]): (m[3], m[4]) for m in VALUE.finditer(console) if m[4] != "ipis/call"}
    if not said:
        return ["no line # bench"]
    return [f"{key}: {value}, its record gives {known.get(key)}" for key, value in said.items()
            if not known.get(key) or known[key][1] != value[1] or abs(float(value[0]) - float(known[key][0])) > 0.00011]


def check_columns(name: str, console: str) -> None:
    """The lines of a table's heading and its rows are of one length: all columns end where they end."""
    lines, tables, wrong = [line.rstrip() for line in console.splitlines()], 0, []
    for at, (names, units) in enumerate(zip(lines, lines[1:])):
        if not re.match(r"[^\s\-].*\S  +\S", names) or not re.match(r" {10}", units):
            continue
        rows = lines[at + 1:next(n for n in range(at + 2, len(lines)) if not lines[n] or re.search("[:#{]", lines[n]))]
        wrong += [f"{row!r} below {names!r}" for row in rows if len(row) != len(names)]
        tables += 1
    result(f"{name}.columns", tables > 4 and not wrong, "\n".join(wrong[:4]) or f"{tables} tables")


def check_records(name: str, console: str) -> None:
    block = records.extract(console)
    wrong = wrong_values(console, block)
    result(f"{name}.values-agree", not wrong, "\n".join(wrong[:8]))
    result(f"{name}.records-whole", not block.damaged and len(block.records) > 0, "\n".join(block.damaged))
    wrong = [f"{r['name']} {r['variant']}: {', '.join(bad)}" for r in block.records
             if r["name"] != "skipped" and (bad := wrong_statistics(r) + wrong_counters(r))]
    result(f"{name}.records-agree", not wrong, "\n".join(wrong[:8]))


# --- boots --------------------------------------------------------------------------------------
def portions(commands: tuple[str, ...]) -> list[tuple[str, ...]]:
    """As many boots as the length of a boot line makes necessary."""
    out: list[list[str]] = [[]]
    for command in commands:
        if sum(len(c) + 2 for c in out[-1]) + len(command) > LINE_MAX:
            out.append([])
        out[-1].append(command)
    return [tuple(part) for part in out]


def printed(commands: tuple[str, ...], changes: dict[str, object]) -> str:
    """From its first command to its end, of each boot."""
    texts = (boot("; ".join(part), NODES=2, DET=1, **changes).text for part in portions(commands))
    return "".join(text[text.find("\ntarry> ") + 1:] for text in texts)


def compare(name: str, got: list[str], path: Path) -> None:
    """Command by command, so that the failure says which."""
    def by_command(lines: list[str]) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("tarry> "):
                out[line] = []
            elif out:
                out[next(reversed(out))].append(line)
        return out

    expected, found = by_command(path.read_text("utf-8").splitlines()), by_command(got)
    wrong = [f"{command}: not run" for command in expected if command not in found]
    for command, lines in found.items():
        want = expected.get(command)
        if want is None:
            wrong.append(f"{command}: not in {path.name}")
            continue
        # A new deferral brings its knobs, and changes nothing else.
        knobs = {line.split(" = ")[0] for line in want if line.startswith("| knobs.")}
        lines = [line for line in lines if not line.startswith("| knobs.") or line.split(" = ")[0] in knobs]
        pairs = list(zip(lines, want))
        bad = [f"{command}: {a!r}, not {b!r}" for a, b in pairs if not same(a, b, name == "four")]
        wrong += bad[:2]
        if len(lines) != len(want) and not bad:
            wrong.append(f"{command}: {len(lines)} lines, not {len(want)}")
    result(f"{name}.as-before", not wrong, "\n".join(wrong[:8] + ["if that is meant: CMD=renew"] * bool(wrong)))


def body() -> None:
    arch, renew = settings().arch, settings().cmd == "renew"
    for name, (commands, changes) in BOOTS.items():
        text = printed(commands, changes)
        lines = lines_of(text, name == "four")
        path = HERE / f"{name}-{arch}.txt"
        if renew:
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(lines) + "\n", "utf-8")
        if not path.exists():
            raise Missing(f"no {path.relative_to(ROOT)} (CMD=renew writes it)")
        compare(name, lines, path)
        if name != "wrong":
            check_columns(name, text)
            check_records(name, text)


main(body)
