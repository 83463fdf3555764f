"""Records of will-it-scale's tests as the CSV files that its runtest.py writes, for what reads those.

A row has what some tasks did in a second, all together, as processes and as threads. A run that is not there, or
whose times mean nothing, has -1, as that program has for a run that failed. Rates of deterministic runs are of virtual
time. Its "linear" is what one task did, times their number, so a file needs a run of one task.
"""

from __future__ import annotations

HEADER = "tasks,processes,processes_idle,threads,threads_idle,linear"
ORIGIN = "0,0,100,0,100,0"
MISSING = -1


def _rate(record: dict) -> int | None:
    scale = record["scale"]
    if scale.get("ops_per_minstr") is None:
        return scale["ops_per_s"]
    return round(1000 * scale["ops_per_minstr"] / record["ns_per_instruction"])


def _rates(records: list[dict], processes: bool) -> dict[int, int]:
    """Operations in a second by number of tasks. One task is a process and a thread."""
    out = {}
    for record in records:
        scale, rate = record["scale"], _rate(record)
        if rate is not None and scale["spaces"] == (scale["tasks"] if processes else 1):
            out[scale["tasks"]] = rate
    return out


def _idle(rates: dict[int, int], tasks: int, cpus: int) -> float:
    """Percent of the machine's time: CPUs without a task are halted, all others busy."""
    return 100.0 * (cpus - min(tasks, cpus)) / cpus if tasks in rates else 100.0


def text(records: list[dict]) -> str:
    """The file of one test under one variant; "" where no run of one task has a rate."""
    processes, threads = _rates(records, True), _rates(records, False)
    one = max(processes.get(1, 0), threads.get(1, 0))
    if not one:
        return ""
    cpus, rows = max(record["smp"] for record in records), [HEADER, ORIGIN]
    for tasks in sorted(processes.keys() | threads.keys()):
        rows.append(f"{tasks},{processes.get(tasks, MISSING)},{_idle(processes, tasks, cpus):.2f},"
                    f"{threads.get(tasks, MISSING)},{_idle(threads, tasks, cpus):.2f},{one * tasks}")
    return "\n".join(rows) + "\n"


def groups(records: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """Records of these tests, by (test, variant)."""
    out: dict[tuple[str, str], list[dict]] = {}
    for record in records:
        if "scale" in record:
            out.setdefault((record["name"], record.get("variant") or record["scheme"]), []).append(record)
    return out
