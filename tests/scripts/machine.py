#!/usr/bin/env python3
"""`machine`: what QEMU was told to emulate is what it says, in lines for people and in a record with the same words."""

import re

from common import Missing, boot, main, records, result, settings

EXPECTED = {"kernel", "cpu", "cpus", "caches", "tlbs", "features", "errata", "run_by", "nodes", "distances", "clock", "console", "power", "iommu"}


def look(**changes: object) -> tuple[dict[str, str], list[str], dict]:
    """The facts, what is missing, the record."""
    run = boot("machine", **changes)
    block = records.extract(run.text)
    if run.guest_rc or block.damaged or block.records or len(block.machines) != 1:
        raise Missing(f"rc={run.guest_rc}, {len(block.machines)} records of the machine; {block.damaged}")
    shown = run.text.split("tarry> machine\n")[-1].split("BENCH-BEGIN")[0].splitlines()
    lines = [(line[:10].rstrip(), line[11:]) for line in shown]
    return ({name: text for name, text in lines if name != "lacks"}, [text for name, text in lines if name == "lacks"],
            block.machines[0])


def small(changes: dict[str, object], *wanted: str) -> str:
    """What of this is not said to be missing."""
    _, lacks, record = look(**changes)
    if lacks != record["lacks"]:
        return f"the record says {record['lacks']}, the lines {lacks}"
    return " ".join(w for w in wanted if not any(w in text for text in lacks))


def body() -> None:
    arch = settings().arch
    facts, lacks, record = look(SMP=4, NODES=2, MEM="1G")
    result("same-words", set(facts) == EXPECTED and all(record[name] == text for name, text in facts.items())
           and record["lacks"] == lacks, f"{facts.keys() ^ EXPECTED}")
    result("cpus", facts["cpus"].startswith("4 online of 4, 4 cores, "), facts["cpus"])
    result("nodes", [n["cpus"] for n in record["node"]] == [2, 2] and [n["distances"] for n in record["node"]] == [[10, 20], [20, 10]]
           and all(100000 < n["pages"] <= 131072 for n in record["node"]), str(record["node"]))
    result("distances", facts["distances"] == "from node 0: 10 20", facts["distances"])
    console = {"x86_64": "UART at port 0x3f8, all that were found", "arm64": "UART at 0x9000000, all that were found"}[arch]
    result("console", facts["console"] == console, facts["console"])
    result("run_by", facts["run_by"].startswith("tcg: ") and any("an emulator" in text for text in lacks), facts["run_by"])
    known = re.match(r"L1d \d+K, L1i \d+K, L2 \d+[KM]", facts["caches"])
    result("caches", bool(known), facts["caches"])
    result("clock", abs(record["clock_hz"] // 1000 - int(re.search(r"(\d+) kHz", facts["clock"])[1])) <= 1, facts["clock"])
    fewer, _, _ = look(SMP=4, ARGS="nr_cpus=2")
    result("nr_cpus", fewer["cpus"].startswith("2 online of "), fewer["cpus"])
    by = {args: records.extract(boot("bench migrate --pages 16 --rounds 1 --warmup 0 --threads 0", SMP=1, ARGS=args).text).records[0]["trust_by"]
          for args in ("host.cpus=0", "host.cpus=64")}
    result("trust-by", by == {"host.cpus=0": "calibration", "host.cpus=64": "host.cpus and calibration"}, f"{by}")
    block = records.extract(boot("bench mem --rounds 1 --warmup 0; bench mem --rounds 1 --warmup 0", SMP=1, DET=1).text)
    result("with-a-run", len(block.machines) == 1 and len(block.records) > 1 and not block.damaged, f"{len(block.machines)}, {block.damaged}")
    lost = small({"SMP": 1, "NODES": 1}, "one CPU", "one node", "an emulator")
    result("lacks", not lost, lost)
    _, _, record = look(SMP=2, NODES=16, MEM="4G")
    pages = [n["pages"] for n in record["node"]]
    result("page-array", min(pages) > 0.95 * 65536, f"each node has what describes its memory: {pages}")
    many, _, record = look(SMP=2, NODES=",".join(["1:64M"] * 2 + ["0:64M"] * 8))
    result("many-nodes", many["nodes"].startswith("10: 0: 1 CPUs") and many["nodes"].endswith("`numa` shows all")
           and len(record["node"]) == 10 and [n["cpus"] for n in record["node"]] == [1, 1] + [0] * 8, many["nodes"])


main(body)
