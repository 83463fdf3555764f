#!/usr/bin/env python3
"""The results folder: what it is called, what is in it after Ctrl-C, bench.csv's schema, CFG=.

A program stands in for QEMU and prints what a real boot printed.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.report import exports, records, results  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
CONSOLE = ROOT / "tests/host/captures/console.log"  # of a real run
RECORDS = records.extract(CONSOLE.read_text("utf-8")).records
CONFIG = """[first]
summary = what went well
cmd = show
[hangs]
cmd = hang
[never]
cmd = show
"""
# "hang" prints all but the last lines, and waits to be stopped.
QEMU = """#!/bin/sh
case "$*" in
--version) echo 'QEMU emulator version 7.2 (stand-in)' ;;
*hang*) head -n -3 '{console}'; touch '{folder}/waiting'; exec sleep 600 ;;
*) cat '{console}'; exit 1 ;;
esac
"""
DRIVER = """import pathlib, sys
sys.path.insert(0, "{tools}")
import bench
bench.ROOT = pathlib.Path("{folder}")
sys.exit(bench.main(["bench", "BUILD={folder}", "CFG={config}", *sys.argv[1:]]))
"""


class Bench:
    """tools/bench.py in a folder of its own."""

    def __init__(self, folder: str, config: str = CONFIG):
        self.folder = Path(folder)
        (self.folder / "mine.cfg").write_text(config)
        (self.folder / "x86_64").mkdir(exist_ok=True)
        (self.folder / "x86_64/tarry.elf").touch()
        qemu = self.folder / "qemu-system-x86_64"
        qemu.write_text(QEMU.format(console=CONSOLE, folder=folder))
        qemu.chmod(0o755)

    def start(self, *words: str, config: str = "mine.cfg") -> subprocess.Popen:
        driver = DRIVER.format(tools=ROOT / "tools", folder=self.folder, config=self.folder / config)
        ours = ("ONLY", "CFG", "CMD", "ARCH", "SMP", "NODES", "DET", "BUILD")
        environ = {k: v for k, v in os.environ.items() if k not in ours}
        environ["PATH"] = f"{self.folder}:{environ['PATH']}"
        # A shell's background jobs ignore SIGINT, and so would what they start.
        return subprocess.Popen([sys.executable, "-c", driver, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=environ, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def run(self, *words: str, config: str = "mine.cfg") -> tuple[int, str]:
        process = self.start(*words, config=config)
        _, errors = process.communicate(timeout=120)
        return process.returncode, errors

    @property
    def latest(self) -> Path:
        return self.folder / "results/latest"


def test_interrupted(name: str, number: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        bench = Bench(folder)
        process = bench.start()
        while not (bench.folder / "waiting").exists() and process.poll() is None:
            time.sleep(0.05)
        before = json.loads((bench.latest / "run.json").read_text("utf-8"))
        process.send_signal(number)
        process.communicate(timeout=120)
        OUT.result(f"{name}.status", process.returncode == 128 + number, f"{process.returncode}")
        OUT.result(f"{name}.run-json-before", [b["record_count"] for b in before["boots"]] == [5, 0, 0], f"{before['boots']}")
        run = json.loads((bench.latest / "run.json").read_text("utf-8"))
        boots = [(b["name"], b["code"], b["message"], b["record_count"]) for b in run["boots"]]
        OUT.result(f"{name}.run-json", boots == [("first", 0, "", 5), ("hangs", 130, "interrupted", 5), ("never", 130, "not run", 0)]
                   and run["exit_code"] == 128 + number and "stopped" in run, f"{boots} {run.get('exit_code')}")
        loaded = results.load(bench.latest)
        OUT.result(f"{name}.reads-again", [len(boot.records) for boot in loaded.boots] == [5, 5, 0], "")
        OUT.result(f"{name}.report", "hangs: exit status 130 interrupted" in (bench.latest / "report.md").read_text("utf-8"), "")


def test_sections() -> None:
    """Which section a record is from: in run.json by its checksum, in bench.csv by its name."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        bench = Bench(folder)
        code, errors = bench.run("ONLY=first,never")
        run = json.loads((bench.latest / "run.json").read_text("utf-8"))
        crcs = [record["crc"] for record in RECORDS]
        OUT.result("sections.run-json", code == 0 and [(b["name"], b["crcs"]) for b in run["boots"]]
                   == [("first", crcs), ("never", crcs)], f"{code} {errors}")
        OUT.result("sections.config", run["config"].endswith("mine.cfg"), run["config"])
        with open(bench.latest / "bench.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        OUT.result("sections.csv", list(dict.fromkeys((r["section"], r["record"]) for r in rows))
                   == [(name, crc) for name in ("first", "never") for crc in crcs], "")
        text = (bench.latest / "bench.jsonl").read_text("utf-8").replace('"seed":1', '"seed":2', 1)
        (bench.latest / "bench.jsonl").write_text(text, "utf-8")
        try:
            results.load(bench.latest)
            OUT.result("sections.changed-record", False, "accepted")
        except ValueError as error:
            OUT.result("sections.changed-record", True, str(error))


def test_example_of_the_docs() -> None:
    """What docs/results.md says one may do with bench.csv, done."""
    text = (ROOT / "docs/results.md").read_text("utf-8")
    block = takewhile(lambda line: line.startswith("    "), text.split("    import csv\n")[1].splitlines())
    code = "\n".join(line[4:] for line in block)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        bench = Bench(folder, "[counts]\ncmd = show\n")
        bench.run()
        done = subprocess.run([sys.executable, "-c", "import csv\n" + code], cwd=folder, capture_output=True, text=True,
                              check=False)
        moved = {r["variant"]: r["counters"] for r in RECORDS if r["counters"]["pages_migrated"]}
        expected = [f"{name} {c['ipis_sent'] / c['pages_migrated']}" for name, c in moved.items()]
        OUT.result("example", bool(moved) and done.stdout.splitlines() == expected, done.stdout + done.stderr)


def test_config() -> None:
    """CFG= that is wrong is said with file, section and reason; nothing is made."""
    for name, config, said in (("no-cmd", "[a]\nsummary = x\n", "[a]: no cmd"), ("unknown-key", "[a]\ncmd = x\ncdm = y\n", "cdm"),
                               ("bad-variable", "[a]\ncmd = x\nvars = SPM=2\n", "[a]: SPM=2: no such variable; SMP=?"),
                               ("bad-value", "[a]\ncmd = x\nvars = SMP=0\n", "[a]: SMP=0"), ("empty", "", "no [section]"),
                               ("no-ini", "cmd = x\n", "mine.cfg")):
        with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
            bench = Bench(folder, config)
            code, errors = bench.run()
            OUT.result(f"cfg.{name}", code == 2 and said in errors and not bench.latest.exists(), errors.strip()[-200:])
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        code, errors = Bench(folder).run(config="other.cfg")
        OUT.result("cfg.missing", code == 2 and "other.cfg" in errors, errors.strip()[-200:])
        code, errors = Bench(folder).run("ONLY=thrid")
        OUT.result("cfg.only", code == 2 and "thrid" in errors and "first" in errors, errors.strip()[-200:])


def test_names() -> None:
    """By name is by time, whatever the machines are called; latest leads to the last."""
    class Clock(datetime):
        now_is = datetime(2026, 9, 30, 23, 59, 59, 999000, timezone.utc)

        @classmethod
        def now(cls, tz=None):
            return cls.now_is

    real, results.datetime = results.datetime, Clock
    try:
        with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
            made = []
            for machine in ("zebra", "ant", "Zebra 2", "bee"):
                made.append(results.create(Path(folder), machine).name)
                Clock.now_is += timedelta(milliseconds=1)
            OUT.result("names.sort", sorted(made) == made, f"{made}")
            latest = Path(folder) / "latest"
            OUT.result("names.latest", latest.is_symlink() and os.readlink(latest) == made[-1], f"{os.readlink(latest)}")
            OUT.result("names.nothing-else", sorted(os.listdir(folder)) == [*made, "latest"], f"{os.listdir(folder)}")
            latest.unlink()
            latest.mkdir()  # somebody's own
            last = results.create(Path(folder), "x").name
            OUT.result("names.own-latest", sorted(os.listdir(folder)) == [*made, last, "latest"], f"{os.listdir(folder)}")
    finally:
        results.datetime = real


def scalars(value: object) -> int:
    if isinstance(value, (dict, list)):
        return sum(scalars(item) for item in (value.values() if isinstance(value, dict) else value))
    return value is not None


def test_csv() -> None:
    """Long form: the records come back from it, each value with its unit."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        boot = results.Boot("path", "", "")
        boot.take(RECORDS, [])
        exports.write_csv(Path(folder) / "bench.csv", results.Results(Path(folder), {}, [boot]))
        with open(Path(folder) / "bench.csv", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    OUT.result("csv.columns", tuple(header) == exports.COLUMNS, f"{header}")
    documented = (ROOT / "docs/results.md").read_text("utf-8").split("## bench.csv")[1]
    missing = [name for name in header if f"`{name}`" not in documented]
    OUT.result("csv.documented", not missing, f"not in docs/results.md: {missing}")
    table = [dict(zip(header, row)) for row in rows]
    OUT.result("csv.one-value-a-row", len({(r["record"], r["key"], r["index"]) for r in table}) == len(table)
               and all(len(row) == len(header) for row in rows), f"{len(table)} rows")
    for record in RECORDS:
        mine = [r for r in table if r["record"] == record["crc"]]
        got = {name: sum(r["key"].split(".")[0] == name for r in mine) for name in record}
        names = {"points"}  # of series, which are part of the key
        lost = [name for name, value in record.items() if name not in exports.IDENTITY.values()
                and got[name] != scalars(value) - (len(value) if name in names else 0)]
        samples = [float(r["value"]) for r in mine if r["key"] == "samples"]
        OUT.result(f"csv.whole.{record['name']}.{record['variant']}", not lost and samples == record["samples"], f"lost: {lost}")

    def units(key: str) -> set[str]:
        return {r["unit"] for r in table if r["key"] == key}

    expected = {"median": {record["unit"] for record in RECORDS}, "cv": {""}, "phase_ns.copy": {"ns"}, "clock_hz": {"Hz"},
                "counters.ipis_sent": {"count"}, "points.copy.median": {record["points"][0]["unit"] for record in RECORDS
                                                                        if record["name"] == "floor"}}
    OUT.result("csv.units", {key: units(key) for key in expected} == expected, f"{ {key: units(key) for key in expected} }")


def main() -> int:
    test_interrupted("ctrl-c", signal.SIGINT)
    test_interrupted("sigterm", signal.SIGTERM)
    test_sections()
    test_example_of_the_docs()
    test_config()
    test_names()
    test_csv()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
