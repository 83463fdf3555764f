#!/usr/bin/env python3
"""The files that a results folder is made of, from consoles of real boots: byte by byte as tests/host/report/expected has them.

--renew writes these anew; look at the difference before keeping it.
"""

import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import report  # noqa: E402
from tarrylib.report import exports, pictures, records, results as res, summary, table  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

HERE = Path(__file__).resolve().parent / "report"
EXPECTED = HERE / "expected"
OUT = ktap.Writer()
CSV_LINES = 300  # of bench.csv that are kept: a record and its columns; test_results.py has the rest
RECORD = re.compile(r"^\{.*\}$", re.MULTILINE)


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def refused(name: str, what, *args: object, says: str, kind: type[Exception] = ValueError) -> None:
    try:
        OUT.result(name, False, f"accepted: {what(*args)}")
    except kind as error:
        OUT.result(name, says in str(error), str(error))


def resealed(record: dict) -> str:
    """The record as a line, with the checksum of what it says now."""
    body = json.dumps({k: v for k, v in record.items() if k != "crc"}, separators=(",", ":"))[:-1]
    return f'{body},"crc":"{records.checksum(body)}"}}'


def changed(console: str, change) -> str:
    """The console with each record changed by change(record)."""
    def one(match: re.Match) -> str:
        record = json.loads(match[0])
        change(record)
        return resealed(record)

    return RECORD.sub(one, console)


def on_metal(record: dict) -> None:
    """As a server would report: times that mean something, and spread."""
    record.update(trust="time", accel="metal", ns_per_instruction=None)
    for number, point in enumerate(record.get("points") or []):
        point.update(trust="time", median=1000 + number)
    if record["name"] == "migrate":
        step = {"baseline": 30, "batch": 7}.get(record["scheme"], 11)
        record.update(median=100 * step, cv=0.02 * step, samples=[90 * step + i * step for i in range(20)],
                      pages_per_s=10**9 // (100 * step), longest_wait=[4000, 2000, 3000],
                      phase_ns={"unmap": 10 * step, "flush": 70 * step, "copy": 5, "map": 4, "other": 3})


def stale_and_broken(record: dict) -> None:
    record["counters"]["stale_reads"] = 2
    record.update(interrupted=True, unsafe="it may read <old> pages & more", not_modelled="daemons", seed=7)


def consoles() -> list[tuple[res.Boot, str]]:
    def read(name: str) -> str:
        return (HERE / f"{name}.log").read_text("utf-8")

    def boot(name: str, summary_line: str, seconds: float, **more: object) -> res.Boot:
        return res.Boot(name, summary_line, f"bench {name}", {"ARCH": "x86_64"}, ["/usr/bin/qemu", "-kernel", "/a/b/c.elf"],
                        seconds, **more)

    migrate = read("migrate-x86_64")
    return [(boot("x86", "pages between two nodes", 1.5), migrate),
            (boot("arm", "the same with broadcasts", 2.25), read("migrate-arm64")),
            (boot("path", "instructions on one CPU", 0.125), read("path")),
            (boot("numa", "hint faults", 3.0), read("numa")),
            (boot("pmbench", "another program's words", 4.0), read("pmbench")),
            (boot("metal", "as a server says it", 5.0), changed(migrate, on_metal)),
            (boot("bad", "what must be seen", 6.0, code=124, message="timeout"),
             changed(migrate, stale_and_broken).replace('"n":3', '"n":4', 1)),
            (boot("silent", "a boot without a word", 7.0, code=70), "Tarry 0.1.0 x86_64 x\n")]


def folder_of(place: Path) -> Path:
    folder = place / "run"
    folder.mkdir()
    boots = consoles()
    for one, console in boots:
        res.add_console(folder, one, console)
    info = {"started": "2026-01-02T03:04:05Z", "build": "abc", "host_cpu": "a <CPU>", "host_cpus": 2, "qemu": "QEMU 7"}
    res.write_info(folder, info, [one for one, _ in boots])
    return folder


def same_files(folder: Path, renew: bool) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.name not in ("console.log", "bench.jsonl"))
    start = (folder / "bench.csv").read_text("utf-8").splitlines(keepends=True)[:CSV_LINES]
    (folder / "bench.csv").write_text("".join(start), "utf-8")
    if renew:
        shutil.rmtree(EXPECTED, ignore_errors=True)
        EXPECTED.mkdir()
        for name in names:
            shutil.copy(folder / name, EXPECTED / name)
    equal("files.names", names, sorted(path.name for path in EXPECTED.iterdir()))
    for name in names:
        got, expected = ((place / name).read_text("utf-8").splitlines() for place in (folder, EXPECTED))
        wrong = next((f"line {i}: {a!r}, not {b!r}" for i, (a, b) in enumerate(zip(got, expected), 1) if a != b),
                     "" if len(got) == len(expected) else f"{len(got)} lines, not {len(expected)}")
        OUT.result(f"files.{name.lower()}", not wrong, wrong)


def test_files(renew: bool) -> None:
    pictures.AVAILABLE = False  # whether the host can draw says nothing of the report
    with tempfile.TemporaryDirectory() as place:
        folder = folder_of(Path(place))
        results = res.load(folder)
        equal("files.status-of-bad-run", report.write_derived(results), 1)
        (folder / "screen.txt").write_text(report.text(results), "utf-8")
        same_files(folder, renew)
        good = res.Results(folder, results.info, [b for b in results.boots if b.name not in ("bad", "silent")])
        equal("files.status-of-good-run", report.write_derived(good), 0)
        equal("files.images", [line for line in report.markdown(good, {"x86": ["a.svg", "b.svg"]}).splitlines() if "svg" in line],
              ["![a.svg](a.svg)", "![b.svg](b.svg)"])
        equal("files.html-images", report.html(good, {"x86": ["a.svg"]}).count('<p><img src="a.svg" alt="a.svg"></p>'), 1)


def test_loading() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = folder_of(Path(place))
        loaded = res.load(folder)
        equal("load.boots", [(b.name, len(b.records)) for b in loaded.boots],
              [(b.name, b.record_count) for b in loaded.boots])
        equal("load.records", len(loaded.records), sum(b.record_count for b in loaded.boots))
        lines = (folder / "bench.jsonl").read_text("utf-8").splitlines()
        (folder / "bench.jsonl").write_text("\n".join(lines[1:]) + "\n", "utf-8")
        refused("load.record-lost", res.load, folder, says="run.json counts others")
        (folder / "bench.jsonl").write_text("\n".join([lines[0].replace("1", "2", 1), *lines[1:]]) + "\n", "utf-8")
        refused("load.record-changed", res.load, folder, says="checksum")
        (folder / "run.json").unlink()
        refused("load.no-run", res.load, folder, says="run.json", kind=OSError)
        made = res.create(Path(place))
        OUT.result("create.name", made.is_dir() and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z-[A-Za-z0-9-]+-[0-9a-f]{6}",
                                                                       made.name)), made.name)
    OUT.result("utc", bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", res.utc_now())), res.utc_now())
    for word, without in (("/usr/bin/qemu", "qemu"), ("file=/a/b.iso,format=raw", "file=b.iso,format=raw"),
                          ("a/b", "a/b"), ("-m", "-m"), ("x=/y", "x=/y"), ("/tmp/x/m0", "m0")):
        equal(f"without-folders.{without}", res.without_folders(word), without)


def test_records() -> None:
    line = next(iter(RECORD.findall((HERE / "path.log").read_text("utf-8"))))
    for name, console, says in (
            ("begin-twice", f"BENCH-BEGIN\n{line}\nBENCH-BEGIN\n{line}\nBENCH-END\n", "line 3: BENCH-BEGIN twice"),
            ("end-alone", f"BENCH-END\nBENCH-BEGIN\n{line}\nBENCH-END\n", "line 1: BENCH-END without"),
            ("words", f"BENCH-BEGIN\nhello\n{line}\nBENCH-END\n", "line 2: not a record: hello"),
            ("no-end", f"x\nBENCH-BEGIN\n{line}\n", "ends inside a block")):
        block = records.extract(console)
        OUT.result(f"extract.{name}", len(block.damaged) == 1 and says in block.damaged[0] and line in block.lines,
                   f"{block.damaged}")
    equal("extract.blank-lines", records.extract(f"BENCH-BEGIN\n\n{line}  \nBENCH-END\n\n").damaged, [])
    equal("extract.begin-lost", records.extract(f"{line}\n").lines, [line])
    record = json.loads(line)
    for key in ("name", "scheme", "counters", "trust"):
        refused(f"check.no-{key}", records.check, resealed({k: v for k, v in record.items() if k != key}), says=f'no key "{key}"')
    refused("check.schema", records.check, resealed(record | {"schema": "other"}), says="schema")
    refused("check.schema-first", records.check, resealed({"x": 1} | record), says="schema")


def test_figures() -> None:
    counters = {"pages_migrated": 4, "ipis_sent": 6, "bcast_syncs": 2, "ipis_wake": 10, "ipis_call": 100}
    record = {"name": "migrate", "scheme": "batch", "unit": "ns/page", "trust": "path", "ns_per_instruction": 2,
              "median": 50, "counters": counters, "phase_ns": dict.fromkeys(summary.PHASES, 16)}
    equal("ipis", summary.ipis(record), 116)
    equal("ipis.none", summary.ipis({"counters": {}}), 0)
    equal("orders", summary.orders_per_page(record), 2.0)
    equal("orders.of-broadcasts", summary.orders_per_page({"counters": {"pages_migrated": 4, "bcast_syncs": 2}}), 0.5)
    equal("orders.of-interrupts", summary.orders_per_page({"counters": {"pages_migrated": 4, "ipis_sent": 2}}), 0.5)
    equal("orders.no-pages", summary.orders_per_page({"counters": {"pages_migrated": 0}}), None)
    equal("headline", summary.headline(record), 25.0)
    equal("phases", summary.phases(record), dict.fromkeys(summary.PHASES, 2.0))
    equal("share", summary.flush_share(record), 20.0)
    equal("share.part-unknown", summary.flush_share(record | {"phase_ns": {"flush": 1}}), None)
    equal("share.nothing", summary.flush_share(record | {"phase_ns": dict.fromkeys(summary.PHASES, 0)}), None)
    equal("phases.no-pages", summary.phases(record | {"counters": {"pages_migrated": 0}}), dict.fromkeys(summary.PHASES))
    for name, more, expected in (("counted", {}, False), ("batches", {"counters": {"batches": 1}}, True),
                                 ("hints", {"counters": {"hint_faults": 1}}, True), ("skipped", {"skipped": "why"}, True),
                                 ("floor", {"skipped": "why", "name": "floor"}, False),
                                 ("other-unit", {"skipped": "why", "unit": "ns"}, False)):
        equal(f"is-comparison.{name}", summary.is_comparison(record | {"counters": {}} | more), expected)
    waits = {"longest_wait": [30, 10, 20], "trust": "time"}
    equal("wait.time", summary.longest_wait(waits), "20 ns")
    equal("wait.path", summary.longest_wait(waits | {"ns_per_instruction": 2}), "10 insns")
    equal("wait.untrusted", summary.longest_wait(waits | {"trust": "counts"}), "n/a")
    equal("wait.none", summary.longest_wait(waits | {"longest_wait": []}), "n/a")
    base = {"scheme": "batch", "counters": {}}
    equal("stale.hidden", summary.stale(base), ("n/a", "stale reads n/a: this set-up hides them"))
    equal("stale.hidden-by", summary.stale(base | {"stale_hidden_by": "x"}), ("n/a", "stale reads n/a: x"))
    met = base | {"stale_visible": True, "counters": {"reads_in_window": 1200}}
    equal("stale.visible", summary.stale(met),
          ("0", "batch: readers met 1,200 windows, where a stale read would have been seen"))
    equal("stale.no-window", summary.stale(base | {"stale_visible": True}),
          ("n/a", "stale reads n/a: no reader met a page that was moving (DET=1 with SEED=N lets them)"))
    equal("stale.seen-all-the-same", summary.stale(base | {"counters": {"stale_reads": 3}}), ("3", ""))
    equal("change", [table.change(3, 2), table.change(1, 2), table.change(None, 2), table.change(1, None), table.change(1, 0)],
          ["+50.0 %", "-50.0 %", "n/a", "-", "-"])
    equal("number", [table.number(1234567), table.number(None), table.number(1.5, 2)], ["1,234,567", "n/a", "1.50"])
    for count, interval in ((1, (0, 0)), (2, (0, 1)), (6, (0, 5)), (10, (1, 8)), (30, (9, 20)), (100, (39, 60))):
        equal(f"median-interval.{count}", summary.median_interval(list(range(count))[::-1]), interval)
    equal("leaves.series", list(exports.leaves({"points": [{"name": "a", "x": 1}, {"y": 2}]})),
          [("points.a.x", "", 1), ("points.y", "1", 2)])


def run_report(*argv: str) -> tuple[int, str]:
    said, sys.argv = io.StringIO(), ["report.py", *argv]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = report.main()
    return code, said.getvalue()


def test_program() -> None:
    with tempfile.TemporaryDirectory() as place, in_folder(place):
        code, said = run_report("--console", str(HERE / "path.log"))
        folder = Path(said.splitlines()[-1])
        equal("report.capture", (code, (folder / "report.md").exists(), folder.parts[0]), (0, True, "results"))
        code, again = run_report(str(folder))
        equal("report.again", (code, again), (0, said))
        code, said = run_report("nowhere")
        equal("report.no-folder", (code, "report: error:" in said), (2, True))


@contextlib.contextmanager
def in_folder(place: str):
    before = os.getcwd()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> int:
    test_files("--renew" in sys.argv[1:])
    test_loading()
    test_records()
    test_figures()
    test_program()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
