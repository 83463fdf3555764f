"""The machine that was measured, as its records say: never the one that makes the report."""

from __future__ import annotations

PAGE = 4096  # bytes


def description(records: list[dict]) -> str:
    """The machine in a line, by the first record."""
    first = records[0]
    said = [first.get("cpu") or "CPU not in the record", first["arch"],
            {"metal": "no hypervisor"}.get(first["accel"], first["accel"]), f"{first['smp']} CPUs",
            f"{first['nodes']} nodes"]
    if pages := first.get("node_pages"):
        said.append(f"{sum(pages) * PAGE >> 20} MiB")
    return ", ".join(said)


def short_name(records: list[dict]) -> str:
    """For the name of a folder."""
    return f"{records[0]['arch']}-{records[0]['smp']}cpus"
