"""A record of the workload `pmbench` as the XML file that pmbench writes with -f.

The elements and their order are that program's (its xmlgen.c), so that its graph tool, pmgraph, reads them. What
the record does not know is empty: host name, TLB and cache tables. The guest knows one machine format, the record;
its console has no file to write to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

FINE = 15  # bands of 16 parts from 2^8 ns on
PARTS = 16
COARSE = 7  # one bucket for each power from 2^23 ns on
MOMENTS = ("pre-warmup", "pre-run", "mid-run", "post-run", "post-unmap")
# What else pmbench says of memory; nothing of the sort exists in the guest.
NONE = ("buffer_kib", "cache_kib", "active_kib", "inactive_kib", "pgpgin", "pgpgout", "pswpin",
        "pswpout", "pgmajfault")


def _add(parent: ET.Element, tag: str, text: object = None, **attributes: object) -> ET.Element:
    node = ET.SubElement(parent, tag, {key: str(value) for key, value in attributes.items()})
    if text is not None:
        node.text = str(text)
    return node


def _signature(report: ET.Element, record: dict) -> None:
    said = record["pmbench"]
    node = _add(report, "signature")
    info = _add(node, "pmbench_info")
    _add(info, "version_number", f"Tarry {record['version']}")
    # There the options that pmbench was built with; pmgraph takes it for the system and tells runs apart by it.
    _add(info, "version_options", f"Tarry {record['arch']} {record.get('variant') or record['scheme']}")
    _add(info, "version_xmloutput", "0.1")
    os_info = _add(node, "os_info")
    _add(os_info, "hostname", "")
    version = _add(os_info, "version_info")
    for tag, text in (("os_name", "Tarry"), ("arch", record["arch"]), ("release", record["build"])):
        _add(version, tag, text)
    _add(node, "uuid", record["boot_id"])
    params = _add(node, "params")
    offset = -1 if said["offset"] is None else said["offset"]
    for tag, value in (("duration", said["duration_s"]), ("mapsize", said["map_mib"]),
                       ("setsize", said["set_mib"]), ("initialize", int(said["initialize"])),
                       ("shape", f"{said['shape']:.4f}"), ("delay", said["delay"]), ("quiet", 0),
                       ("cold", int(said["cold"])), ("jobs", len(said["threads"])),
                       ("offset", offset), ("ratio", said["read_pct"]),
                       ("pattern", said["access"]), ("access", "histo"),
                       ("tsops", record["clock"])):
        _add(params, tag, value)
    if record["interrupted"]:
        _add(node, "interrupted", 1)


def _time(parent: ET.Element, tag: str, ns: float, hz: int) -> None:
    """<TAG_us>, <TAG_clk> of nanoseconds."""
    _add(parent, f"{tag}_us", f"{ns / 1000:.4f}")
    _add(parent, f"{tag}_clk", int(ns * hz / 1e9))


def _mean(thread: dict, time: str, count: str) -> float:
    return thread[time] / max(thread[count], 1)


def _result(report: ET.Element, record: dict) -> None:
    node = _add(report, "result")
    hz = record["clock_hz"]
    for number, thread in enumerate(record["pmbench"]["threads"], 1):
        gross, draw = _mean(thread, "ns", "accesses"), _mean(thread, "draw_ns", "draws")
        one = _add(node, "result_thread", thread_num=number)
        _time(_add(one, "result_netavg"), "netavg", gross - draw, hz)
        details = _add(one, "result_details")
        _time(_add(details, "details_latency"), "latency", gross, hz)
        _add(details, "details_samples", thread["accesses"])
        _time(_add(details, "details_overhead"), "overhead", draw, hz)
        _add(details, "details_total", thread["draws"])
        if thread["warmup_accesses"]:
            warm = _add(one, "warmup_details")
            _time(_add(warm, "warmup_latency"), "warmup",
                  _mean(thread, "warmup_ns", "warmup_accesses"), hz)
            _add(warm, "warmup_total", thread["warmup_accesses"])


def _bucket(parent: ET.Element, index: int, low: int, high: int, count: int) -> ET.Element:
    node = _add(parent, "histo_bucket", index=index)
    interval = _add(node, "bucket_interval")
    _add(interval, "interval_lo", low)
    _add(interval, "interval_hi", high)
    _add(node, "sum_count", count)
    return node


def _histogram(parent: ET.Element, side: str, counts: list[int]) -> None:
    node = _add(parent, "histogram", type=side)
    _bucket(node, 0, 0, 8, counts[0])
    for band in range(FINE):
        parts = counts[1 + band * PARTS:][:PARTS]
        hexes = _add(_bucket(node, band + 1, band + 8, band + 9, sum(parts)), "bucket_hexes")
        for index, count in enumerate(parts):
            _add(hexes, "hex", count, index=index)
    rest = counts[1 + FINE * PARTS:]
    for power, count in enumerate(rest[:COARSE], 23):
        _bucket(node, 0, power, power + 1, count)
    _bucket(node, 0, 30, 32, rest[COARSE])


def _memory(report: ET.Element, record: dict) -> None:
    node = _add(report, "sys_mem_info")
    said = record["pmbench"]
    free = said["free_kib"]
    for i in range(int(said["cold"]), len(MOMENTS)):
        name = MOMENTS[i]
        item = _add(node, "sys_mem_item", name=name)
        pairs = [("mem_item_info", free[i])]
        if i + 1 < len(MOMENTS):
            pairs.append(("mem_item_delta", free[i + 1] - free[i]))
        for tag, kib in pairs:
            values = _add(item, tag)
            _add(values, "free_kib", kib)
            for none in NONE:
                _add(values, none, 0)


def text(record: dict) -> str:
    """The file's contents; "" where the record's times mean nothing, as pmgraph draws nothing but times.

    The record's name is "pmbench" and it was not skipped.
    """
    if record["trust"] == "counts":
        return ""
    root = ET.Element("pmbenchmark")
    report = _add(root, "report")
    _signature(report, record)
    machine = _add(report, "machine_info")
    _add(machine, "modelname", f"{record['arch']} {record['accel']}")
    _add(machine, "freq_khz", record["clock_hz"] // 1000)
    _add(machine, "tlb_info")
    _add(machine, "cache_info", deterministic=0)
    said = record["pmbench"]
    _result(report, record)
    statistics = _add(report, "statistics")
    if said["read_pct"] > 0:
        _histogram(statistics, "read", said["read"])
    if said["read_pct"] < 100:
        _histogram(statistics, "write", said["write"])
    _memory(report, record)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"
