#!/usr/bin/env python3
"""Make the report of a results folder again, from its console.log, bench.jsonl and run.json alone.

Usage: tools/report.py RESULTS-FOLDER          tables on stdout, the derived files in the folder
       tools/report.py --console CAPTURE       a serial capture (from a real machine, say) becomes a
                                               results folder first; docs/results.md lists the loggers

Exit status: 0, 1 if a record is damaged, stale reads were seen or a capture holds no record, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from tarrylib.report import exports, measured, pictures, records, results as res, summary  # noqa: E402
from tarrylib.run import junit  # noqa: E402

STYLE = """\
body { font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; } th, td { padding: .2em .7em; border-bottom: 1px solid #ccc; }
th, td { text-align: right; } th:first-child, td:first-child { text-align: left; }
pre { background: #f4f4f4; padding: .7em; overflow-x: auto; }
.bad { color: #a00; font-weight: bold; }
"""


class NoRecords(ValueError):
    """A capture with nothing to report on."""


def facts(results: res.Results) -> list[str]:
    info = results.info
    lines = [f"{key}: {info[key]}" for key in ("started", "config", "build", "machine", "host_cpu", "host_cpus", "qemu")
             if info.get(key)]
    setups = {summary.setup_of(r): None for r in results.records}
    return lines + [f"measured: {setup}" for setup in setups]


def markdown(results: res.Results, images: dict[str, list[str]]) -> str:
    out = ["# Tarry: comparison of shootdown schemes", ""]
    out += [f"- {line}" for line in facts(results)] + [""]
    out += [f"**{problem}**\n" for problem in summary.problems(results)]
    for boot in results.boots:
        out += [f"## {boot.name}", "", f"{boot.summary[:1].upper()}{boot.summary[1:]}.", ""]
        out += [f"    {boot.command}", ""]
        out += [table.markdown() for table in summary.tables_of(boot)]
        out += [f"![{name}]({name})\n" for name in images.get(boot.name, [])]
    return "\n".join(out).rstrip() + "\n"


def html(results: res.Results, images: dict[str, list[str]]) -> str:
    out = ['<!doctype html><html lang="en"><meta charset="utf-8"><title>Tarry: results</title>',
           f"<style>{STYLE}</style>", "<h1>Tarry: comparison of shootdown schemes</h1>", "<ul>"]
    out += [f"<li>{escape(line)}</li>" for line in facts(results)] + ["</ul>"]
    out += [f'<p class="bad">{escape(problem)}</p>' for problem in summary.problems(results)]
    for boot in results.boots:
        out += [f"<h2>{escape(boot.name)}</h2>", f"<p>{escape(boot.summary)}</p>",
                f"<pre>{escape(boot.command)}</pre>"]
        out += [table.html() for table in summary.tables_of(boot)]
        out += [f'<p><img src="{name}" alt="{name}"></p>' for name in images.get(boot.name, [])]
    return "\n".join(out) + "\n</html>\n"


def text(results: res.Results) -> str:
    """What goes to a terminal."""
    parts = [table.text() for boot in results.boots for table in summary.tables_of(boot)]
    parts += [f"*** {problem}" for problem in summary.problems(results)]
    return "\n".join(parts)


def write_derived(results: res.Results) -> int:
    """All files that follow from the raw ones. 1 if the run is not clean, else 0."""
    folder = results.folder
    (folder / "results.ktap").write_text(res.ktap(results.boots), "utf-8")
    junit.write(folder / "junit.xml",
                [junit.Suite(b.name, b.seconds, res.verdicts(b)) for b in results.boots])
    exports.write_csv(folder / "bench.csv", results)
    exports.write_pmbench(folder, results)
    exports.write_will_it_scale(folder, results)
    (folder / "metrics.prom").write_text(exports.prometheus(results), "utf-8")
    images = pictures.draw(results)
    (folder / "report.md").write_text(markdown(results, images), "utf-8")
    (folder / "report.html").write_text(html(results, images), "utf-8")
    return 1 if summary.problems(results) else 0


def import_console(path: Path) -> Path:
    """A results folder of a serial capture, one boot for each that printed records. NoRecords if there is none."""
    console = path.read_bytes().decode("utf-8", "replace")
    block = records.extract(console).once()
    if not block.records:
        raise NoRecords(f"{path}: {why_nothing(console, block)}")
    found = block.records
    folder = res.create(Path("results"), measured.short_name(found))
    res.write_raw(folder, console, block.lines)
    ids = list(dict.fromkeys(record.get("boot_id") for record in found))
    boots = []
    for number, boot_id in enumerate(ids, 1):
        name = "capture" if len(ids) == 1 else f"capture{number}"
        boot = res.Boot(name, f"serial capture {path.name}" + (f", boot {number}" if len(ids) > 1 else ""), "")
        boot.take([r for r in found if r.get("boot_id") == boot_id], [] if boots else block.damaged)
        boots.append(boot)
    info = {"converted": res.utc_now(), "machine": measured.description(found),
            "build": ", ".join(dict.fromkeys(f"{r['version']} {r['build']}" for r in found))}
    res.write_info(folder, info, boots)
    return folder


def why_nothing(console: str, block: records.Block) -> str:
    if block.damaged:
        return f"no whole record; {block.damaged[0]}"
    if not console.strip():
        return "the capture is empty"
    if "Tarry" in console:
        return "no record in it: nothing was measured, or not with records=on"
    return "no record in it, nor anything else that Tarry prints"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--console", action="store_true", help="PATH is a serial capture")
    parser.add_argument("path", type=Path)
    args = parser.parse_args()
    try:
        folder = import_console(args.path) if args.console else args.path
        results = res.load(folder)
    except NoRecords as error:
        print(f"report: error: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"report: error: {error}", file=sys.stderr)
        return 2
    status = write_derived(results)
    print(text(results))
    print(folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
