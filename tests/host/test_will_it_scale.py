#!/usr/bin/env python3
"""will-it-scale's CSV files of a results folder, read by a program that knows only that format."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.report import exports, results, summary, will_it_scale  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
READER = Path(__file__).resolve().parent / "read_will_it_scale.py"


def record(tasks: int, spaces: int, rate: int | None, **more: object) -> dict:
    """The keys of a record that count here."""
    return {"name": "page_fault1", "scheme": "like-linux-6.12", "variant": "like-linux-6.12", "arch": "x86_64", "smp": 5,
            "accel": "metal", "trust": "counts" if rate is None else "time", "unit": "ns/op", "better": "lower",
            "median": None if rate is None else 1e9 * tasks / rate, "samples": None if rate is None else [1e9 * tasks / rate],
            "counters": {"page_faults": 100, "retried_faults": 25, "spurious_flushes": 24, "shootdowns": 4, "ipis_sent": 8},
            "scale": {"tasks": tasks, "spaces": spaces, "ops": 100, "ops_per_s": rate}, "points": [{"name": "all_cpus", "median": 812.5}], "crc": ""} | more


def read(path: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, READER, path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def boot_of(*found: dict) -> results.Boot:
    boot = results.Boot("scaling", "tasks from 1 to 4", "bench page_fault1")
    boot.take(list(found), [])
    return boot


def written(*found: dict) -> dict[str, tuple[int, str]]:
    """Name of each CSV file: what the reader says of it."""
    with tempfile.TemporaryDirectory() as folder:
        exports.write_will_it_scale(Path(folder), results.Results(Path(folder), {}, [boot_of(*found)]))
        titles = {path.stem: path.read_text("utf-8") for path in Path(folder).glob("*.title")}
        files = {path.stem: read(path) for path in sorted(Path(folder).glob("*.csv"))}
        OUT.result(f"titles.{len(files)}", titles.keys() == files.keys() and all(t.count("\n") == 1 for t in titles.values()),
                   str(titles))
        return files


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, f"got {got!r}" if got == expected else f"got {got!r}, not {expected!r}")


def body() -> None:
    name = "will-it-scale-scaling-page_fault1-like-linux-6-12"  # no dot: postprocess.py takes a name up to the first one
    equal("one-to-four", written(record(1, 1, 1000), record(2, 1, 1500), record(2, 2, 1990), record(4, 4, 3900), record(4, 1, 2000)),
          {name: (0, "1 1000 1000 1000\n2 1990 1500 2000\n4 3900 2000 4000\n")})
    equal("failed-runs", written(record(1, 1, 1000), record(3, 3, 2900), record(3, 1, None)), {name: (0, "1 1000 1000 1000\n3 2900 -1 3000\n")})
    equal("two-variants", sorted(written(record(1, 1, 7), record(1, 1, 9, variant="batch"))),
          ["will-it-scale-scaling-page_fault1-batch", name])
    equal("no-times", written(record(1, 1, None), record(2, 2, None)), {})
    equal("no-single-task", written(record(2, 1, 1500)), {})
    equal("no-such-test", written({k: v for k, v in record(1, 1, 5).items() if k != "scale"}), {})
    lines = will_it_scale.text([record(1, 1, 1000), record(2, 2, 1990)]).splitlines()
    equal("idle", lines[2:], ["1,1000,80.00,1000,80.00,1000", "2,1990,60.00,-1,100.00,2000"])


def refusals() -> None:
    """The reader is no rubber stamp."""
    head = f"{will_it_scale.HEADER}\n{will_it_scale.ORIGIN}\n"
    for name, text in (("no-origin", f"{will_it_scale.HEADER}\n1,5,0.00,5,0.00,5\n"), ("idle-of-one-digit", head + "1,5,0.0,5,0.00,5\n"),
                       ("not-linear", head + "1,5,0.00,5,0.00,5\n2,9,0.00,9,0.00,9\n"), ("no-row", head),
                       ("from-two", head + "2,5,0.00,5,0.00,10\n"), ("float-rate", head + "1,5.0,0.00,5,0.00,5\n")):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write(text)
            file.flush()
            equal(f"refused.{name}", read(Path(file.name))[0], 1)


def paths() -> None:
    """Of deterministic runs: a rate per million instructions in the table, per second of virtual time in the file."""
    path = record(1, 1, None, trust="path", unit="instructions/op", ns_per_instruction=8, median=880.0, samples=[880.0])
    path["scale"] |= {"ops_per_minstr": 1136.4}
    equal("path.file", [text for _, text in written(path).values()], ["1 142050 142050 142050\n"])
    [table] = summary.tables_of(boot_of(path))
    equal("path.table", (table.header[5], table.rows[0][5]), ("ops/Minsn", "1,136"))


def tables() -> None:
    [table] = summary.tables_of(boot_of(record(1, 1, 1000), record(3, 3, None)))
    equal("table.rows", [row[:3] + row[5:] for row in table.rows],
          [["like-linux-6.12", "1", "1", "1,000", "812.5", "1.0000", "0.2500", "0.9600", "0.0400", "0.0800", "0"],
           ["like-linux-6.12", "3", "3", "n/a", "812.5", "1.0000", "0.2500", "0.9600", "0.0400", "0.0800", "0"]])
    OUT.result("table.published", any("over 70 %" in note for note in table.notes), str(table.notes))
    equal("table.title", table.title, "scaling: page_fault1")
    ipi, bcast = record(1, 1, 1000), record(1, 1, 1000, variant="bcast")
    bcast["counters"] = ipi["counters"] | {"ipis_sent": 0, "bcast_ops": 12, "bcast_syncs": 6}
    for name, group, columns, cells in (("broadcast", [bcast], ["bcast ops/op", "syncs/op"], [["0.1200", "0.0600"]]),
                                        ("both", [ipi, bcast], ["ipis/op", "bcast ops/op", "syncs/op"],
                                         [["0.0800", "0.0000", "0.0000"], ["0.0000", "0.1200", "0.0600"]])):
        [table] = summary.tables_of(boot_of(*group))
        equal(f"table.{name}", (table.header[11:-1], [row[11:-1] for row in table.rows]), (columns, cells))


body()
refusals()
paths()
tables()
sys.exit(OUT.end())
