#!/usr/bin/env python3
"""The XML of a pmbench record, read as pmbench's own viewer reads it.

pmgraph (PmXml.cs, PmGraph.cs) looks up elements by path and stops at one that is not there: parameters, the string
that it takes for the system, threads, 25 or 250 points of each histogram, memory. What it asks for is asked for here;
that its writer (xmlgen.c) always writes some more is asked for, too.
"""

import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.report import exports, pmbench_xml, records, results  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
CONSOLE = ROOT / "tests/host/captures/console.log"  # of a real run: bench migrate, bench pmbench

NUMBERS = ("duration", "mapsize", "setsize", "jobs", "delay", "ratio", "quiet", "cold", "offset")
WORDS = ("shape", "pattern", "access", "tsops")
MEMORY = ("free_kib", "buffer_kib", "cache_kib", "active_kib", "inactive_kib", "pgpgin", "pgpgout", "pswpin", "pswpout",
          "pgmajfault")
THREAD = ("result_netavg/netavg_us", "result_netavg/netavg_clk", "result_details/details_latency/latency_us",
          "result_details/details_latency/latency_clk", "result_details/details_samples",
          "result_details/details_overhead/overhead_us", "result_details/details_overhead/overhead_clk",
          "result_details/details_total")
MOMENTS = ["pre-warmup", "pre-run", "mid-run", "post-run", "post-unmap"]
# What pmbench writes whatever the run, in the order in which it does.
WRITTEN = {"signature/pmbench_info": ["version_number", "version_options", "version_xmloutput"],
           "signature/os_info": ["hostname", "version_info"],
           "signature/os_info/version_info": ["os_name", "arch", "release"],
           "machine_info": ["modelname", "freq_khz", "tlb_info", "cache_info"]}


class Unreadable(Exception):
    """The viewer would stop here."""


def select(node: ET.Element, path: str) -> ET.Element:
    found = node.find(path)
    if found is None:
        raise Unreadable(f"no {path} in <{node.tag}>")
    return found


def inner(node: ET.Element, path: str) -> str:
    return "".join(select(node, path).itertext())


def whole(node: ET.Element, path: str) -> int:
    number = int(inner(node, path))
    if not -2**31 <= number < 2**31:
        raise Unreadable(f"{path}: {number} is no 32-bit integer")
    return number


def points(histogram: ET.Element, full: bool) -> int:
    """As many as the viewer gives its chart: it wants 25, or 250 of the full one."""
    outer = histogram.findall("histo_bucket[@index='0']")
    float(inner(outer[0], "sum_count"))
    count = 2  # the first one twice
    for i in range(1, 16):
        bucket = select(histogram, f"histo_bucket[@index='{i}']")
        whole(bucket, "bucket_interval/interval_lo"), whole(bucket, "bucket_interval/interval_hi")
        float(inner(bucket, "sum_count"))
        if full:
            for j in range(16):
                float(inner(bucket, f"bucket_hexes/hex[@index='{j}']"))
        count += 16 if full else 1
    for bucket in outer[1:]:
        whole(bucket, "bucket_interval/interval_lo"), float(inner(bucket, "sum_count"))
    return count + len(outer) - 1


def view(text: str) -> dict:
    """Open a file as the viewer does; what it shows, or Unreadable."""
    root = ET.fromstring(text.encode())
    if root.tag != "pmbenchmark":
        raise Unreadable(f"the root is {root.tag}")
    report = select(root, "report")
    params = select(report, "signature/params")
    shown = {name: whole(params, name) for name in NUMBERS} | {name: inner(params, name) for name in WORDS}
    shown["system"] = inner(report, "signature/pmbench_info/version_options")
    if "Windows" in shown["system"]:
        raise Unreadable("taken for Windows, whose memory has other columns")
    for number in range(1, shown["jobs"] + 1):
        thread = select(report, f"result/result_thread[@thread_num='{number}']")
        shown[f"thread{number}"] = [float(inner(thread, path)) for path in THREAD]
    for side, wanted in (("read", shown["ratio"] > 0), ("write", shown["ratio"] < 100)):
        if wanted:
            histogram = select(report, f"statistics/histogram[@type='{side}']")
            shown[side] = (points(histogram, False), points(histogram, True))
    items = report.findall("sys_mem_info/sys_mem_item")
    for item in items:
        parts = ["mem_item_info"] + (["mem_item_delta"] if item.get("name") != "post-unmap" else [])
        for part in parts:
            [int(inner(item, f"{part}/{name}")) for name in MEMORY]
    shown["moments"] = [item.get("name") for item in items]
    return shown


def main() -> int:
    record = next(r for r in records.extract(CONSOLE.read_text("utf-8")).records if r["name"] == "pmbench")
    try:
        shown = view(pmbench_xml.text(record))
        OUT.result("viewer.opens", True, "")
        OUT.result("viewer.histograms", shown.get("read") == shown.get("write") == (25, 250), f"{shown}")
        OUT.result("viewer.moments", shown["moments"] == MOMENTS, f"{shown['moments']}")
        OUT.result("viewer.names-the-scheme", record["variant"] in shown["system"], shown["system"])
    except Unreadable as error:
        OUT.result("viewer.opens", False, str(error))
    report = ET.fromstring(pmbench_xml.text(record).encode()).find("report")
    for path, tags in WRITTEN.items():
        got = [node.tag for node in select(report, path)]
        OUT.result(f"writer.{path}", got == tags, f"{got}, as pmbench writes them: {tags}")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        boot = results.Boot("b", "", "")
        boot.records = [record, record | {"variant": "untimed", "trust": "counts"}]
        exports.write_pmbench(Path(folder), results.Results(Path(folder), {}, [boot]))
        names = [path.name for path in Path(folder).iterdir()]
        OUT.result("files.only-with-times", names == [f"pmbench-b-{record['variant']}.xml"], f"{names}")
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
