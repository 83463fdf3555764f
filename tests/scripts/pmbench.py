#!/usr/bin/env python3
"""pmbench's report, read by a parser that knows nothing but its format, adds up.

The parser takes what LKP's and others take: accesses and seconds of each thread, mean latencies,
the buckets of the read and the write histogram (a power of two each, most of them with sixteen
parts of equal width), their totals, and the table of free memory.
"""

import re
import time
import xml.etree.ElementTree as ET

from common import Console, Missing, boot, main, note_verdicts, pmbench_xml, records, result

PATTERNS = ("linear", "uniform", "normal", "normal_ih", "pareto", "zipf")
THREADS, ACCESSES, REPS, READ_PCT = 2, 5000, 2, 70
DONE = re.compile(r" Benchmark done - took (\d+\.\d+) sec for (\d+) page access")
NET = re.compile(r"^Net average page latency \(Arith\. mean\): (-?\d+\.\d{4}) us \((-?\d+) clks\)$")
GROSS = re.compile(r"^  Page latency during benchmark \(inc\. gen\): (\d+\.\d+) us \((\d+) clks\)$")
BUCKET = re.compile(r"^2\^\((\d+),(\d+)\) ns: (\d+)(?:  \[(\d+(?:, \d+){15})\])?$")
TOTAL = re.compile(r"^Total samples: (\d+)$")
MEMORY = re.compile(r"^(pre-warmup|pre-run   |mid-run   |post-run  |post unmap|  \(delta\) ):"
                    r"((?: *-?\d+){10})$")
BUCKETS = [(0, 8), *((i, i + 1) for i in range(8, 30)), (30, 32)]
MOMENTS = ["pre-warmup", "pre-run", "mid-run", "post-run", "post unmap"]
TOLERANCE = 3.0  # percent of all accesses by which reads may miss READ_PCT


class Report:
    """One report, from its first to its last line."""

    def __init__(self) -> None:
        self.threads: list[tuple[float, int]] = []  # seconds, accesses
        self.net: list[float] = []
        self.gross: list[float] = []
        self.histogram: dict[str, list[tuple[int, int, int, list[int]]]] = {}
        self.totals: dict[str, int] = {}
        self.memory: list[tuple[str, int]] = []  # row, free KiB

    @property
    def accesses(self) -> int:
        return sum(accesses for _, accesses in self.threads)

    def count(self, side: str) -> int:
        return sum(count for _, _, count, _ in self.histogram.get(side, []))


def parse(text: str) -> list[Report]:
    reports: list[Report] = []
    side = ""
    for line in text.splitlines():
        if found := DONE.search(line):
            if not reports or reports[-1].net:  # threads come first
                reports.append(Report())
            reports[-1].threads.append((float(found[1]), int(found[2])))
        elif not reports:
            continue
        elif found := NET.match(line):
            reports[-1].net.append(float(found[1]))
        elif found := GROSS.match(line):
            reports[-1].gross.append(float(found[1]))
        elif line in ("Read:", "Write:"):
            side = line[:-1]
            reports[-1].histogram[side] = []
        elif found := BUCKET.match(line):
            parts = [int(part) for part in (found[4] or "").split(", ") if part]
            reports[-1].histogram[side].append((int(found[1]), int(found[2]), int(found[3]), parts))
        elif found := TOTAL.match(line):
            reports[-1].totals[side] = int(found[1])
        elif found := MEMORY.match(line):
            reports[-1].memory.append((found[1].strip(), int(found[2].split()[0])))
    return reports


def check(name: str, report: Report, read_pct: int = READ_PCT) -> None:
    reads, writes = report.count("Read"), report.count("Write")
    result(f"{name}.histogram-is-complete",
           reads + writes == report.accesses == sum(report.totals.values()),
           f"{reads} reads and {writes} writes of {report.accesses} accesses, "
           f"totals {report.totals}")
    wrong = [(low, high) for side in report.histogram.values() for low, high, count, parts in side
             if parts and sum(parts) != count or (8 <= low < 23) != bool(parts)]
    labels = [[bucket[:2] for bucket in side] for side in report.histogram.values()]
    result(f"{name}.buckets", not wrong and all(side == BUCKETS for side in labels),
           f"not right: {wrong}")
    share = 100 * reads / report.accesses
    result(f"{name}.read-share", abs(share - read_pct) <= TOLERANCE,
           f"{share:.2f} % reads, {read_pct} % asked for")
    result(f"{name}.means", len(report.net) == len(report.gross) == len(report.threads)
           and all(0 < net <= gross for net, gross in zip(report.net, report.gross)),
           f"net {report.net} us, with choosing {report.gross} us")


def check_memory(name: str, report: Report, map_mib: int, cold: bool) -> None:
    rows = [row for row, _ in report.memory if row != "(delta)"]
    free = [kib for row, kib in report.memory if row != "(delta)"]
    deltas = [kib for row, kib in report.memory if row == "(delta)"]
    result(f"{name}.memory-rows", rows == MOMENTS[cold:], f"{rows}")
    result(f"{name}.memory-deltas", deltas == [b - a for a, b in zip(free, free[1:])],
           f"{free}, deltas {deltas}")
    back = (free[-1] - free[-2]) / 1024 if len(free) > 1 else 0
    result(f"{name}.memory-comes-back", map_mib <= back < map_mib + 2,
           f"{back:.1f} MiB after a map of {map_mib} MiB went")


def run(command: str, count: int = 1) -> tuple[list[Report], list[dict], str]:
    done = boot(f"bench pmbench --warmup 0 {command}")
    reports = parse(done.text)
    block = records.extract(done.text)
    found = [record for record in block.records if record["name"] == "pmbench"]
    if done.guest_rc != 0 or block.damaged or not len(reports) == len(found) == count:
        raise Missing(f"{command}: rc={done.guest_rc}, {len(reports)} reports, {len(found)} "
                      f"records, {count} expected")
    note_verdicts(command, found)
    return reports, found, done.text


def patterns() -> None:
    for pattern in PATTERNS:
        reports, found, _ = run(f"--access {pattern} --threads {THREADS} --scan --map-size 8 "
                                f"--set-size 4 --accesses {ACCESSES} --reps {REPS} "
                                f"--read-pct {READ_PCT} --schemes baseline,late-map", 2)
        for record, report in zip(found, reports):
            name = f"{pattern}.{record['scheme']}"
            result(f"{name}.accesses", [n for _, n in report.threads] == [ACCESSES * REPS] * THREADS,
                   f"{report.threads}, {ACCESSES * REPS} by each asked for")
            said = record["pmbench"]
            result(f"{name}.record", (said["reads"], said["writes"]) ==
                   (report.count("Read"), report.count("Write")), f"{said['reads']} reads")
            check(name, report)


def options() -> None:
    """One-sided, cold, at one offset, with garbage at first, with delays."""
    for name, pct, side, more in (("reads", 100, "Read", "--initialize --offset 1023"),
                                  ("writes", 0, "Write", "--cold --delay 500 --thp")):
        (report,), (record,), text = run(f"--read-pct {pct} --accesses 3000 --reps 2 --map-size 6 "
                                         f"--set-size 2 --threads 1 {more}")
        check(name, report, pct)
        result(f"{name}.one-histogram", list(report.histogram) == [side], f"{report.histogram.keys()}")
        check_memory(name, report, 6, "--cold" in more)
        result(f"{name}.warm-up", ("during warmup" in text) != ("--cold" in more), "")
        result(f"{name}.no-wrong-word", record["counters"]["stale_reads"] == 0, "")
    slow = report.gross[0]
    (report,), (record,), _ = run("--read-pct 0 --accesses 3000 --reps 2 --map-size 6 --set-size 2 --cold "
                          "--threads 1 --thp")
    want = 500e6 / record["clock_hz"]  # us
    result("delay", 0.9 * want <= slow - report.gross[0] <= 1.1 * want + 0.3,
           f"{report.gross[0]} us an access without, {slow} us with a delay of {want} us")


def duration() -> None:
    (report,), (record,), _ = run("1 --reps 4 --threads 2 --map-size 4 --set-size 4")
    seconds = [took for took, _ in report.threads]
    result("duration.seconds", all(0.99 <= took <= 1.05 for took in seconds),
           f"{seconds} s, 1 asked for")
    result("duration.record", record["pmbench"]["duration_s"] == 1, "")
    check("duration", report, 50)


def interrupted() -> None:
    """Ctrl-C ends a round that would take ten minutes; what was measured is shown."""
    with Console(DET=0) as console:
        for more in ("", " --scan"):
            console.expect(b"tarry> ")
            console.send(f"bench pmbench 600 --reps 1 --warmup 0 --set-size 1{more}\r".encode())
            time.sleep(4)
            console.send(b"\x03")
            console.expect(b"Note: interrupted", 30)
            console.expect(b"Total samples: ")
            console.expect(b"# rc=1", 30)
            result(f"interrupted{more.strip()}", True, "a report, and rc=1")


def affinity() -> None:
    (report,), (record,), _ = run("--affinity 1:2/2-3 --slice 8 --accesses 2000 --reps 2 "
                                  "--map-size 4 --set-size 4")
    said = record["pmbench"]
    result("affinity.threads", [t["cpu"] for t in said["threads"]] == [1, 1, 2, 3],
           f"{[t['cpu'] for t in said['threads']]}")
    result("affinity.pages", said["pages_on_node"] == [1024, 1024],
           f"{said['pages_on_node']} pages of two maps of 1024 on the nodes of their CPUs")
    check("affinity", report, 50)


def xml() -> None:
    """Trust is `path` with one thread, so its times are in the record, and in the file made of it."""
    (report,), (record,), _ = run("--threads 1 --accesses 4000 --reps 3 --map-size 4 --set-size 2 "
                                  "--scan")
    result("xml.untrusted", record["trust"] == "counts" and not pmbench_xml.text(record),
           "no file where times mean nothing")
    (report,), (record,), _ = run("--threads 1 --accesses 4000 --reps 3 --map-size 4 --set-size 2")
    root = ET.fromstring(pmbench_xml.text(record))
    sides = {}
    for histogram in root.iter("histogram"):
        sides[histogram.get("type").capitalize()] = [
            (int(b.find("bucket_interval/interval_lo").text),
             int(b.find("bucket_interval/interval_hi").text), int(b.find("sum_count").text),
             [int(part.text) for part in b.iter("hex")]) for b in histogram]
    result("xml.histograms", sides == report.histogram, f"{list(sides)} as in the report")
    gross = [float(node.text) for node in root.iter("latency_us")]
    result("xml.latency", len(gross) == 1 and abs(gross[0] - report.gross[0]) < 0.001,
           f"{gross} us, {report.gross} in the report")
    free = [int(item.find("mem_item_info/free_kib").text) for item in root.iter("sys_mem_item")]
    result("xml.memory", free == [kib for row, kib in report.memory if row != "(delta)"], f"{free}")
    params = {node.tag: node.text for node in root.find("report/signature/params")}
    result("xml.params", params["mapsize"] == "4" and params["setsize"] == "2"
           and params["pattern"] == "uniform" and params["jobs"] == "1", f"{params}")


def body() -> None:
    patterns()
    options()
    duration()
    interrupted()
    affinity()
    xml()


main(body)
