#!/usr/bin/env python3
"""`make mutants KIND=generic`: would a small breakage anywhere be noticed?

Usage: tools/mutants_generic.py [--list] [--folders 'boot kernel/lib ...'] [--only REGEX] [--sample N] [--seed N]
                                [--jobs N] [--doc FILE] [--results FILE] [--resume | --keep] [--no-boots]

Turns a comparison, moves a constant by one, drops a statement or a condition, or takes the next index
(tools/tarrylib/prove/breakages.py), one at a time in a scratch copy, in N places of each folder, which the
seed picks at random. A mutant that does not compile is not counted; the next one is taken. The tests that
cover its file then run, the cheapest first: host tests that are built from it, for Python the tests of the
host tools; where there is no host test, a deterministic boot, and then cases of `make test`.

A mutant is killed if a test fails, and survives if all pass. What did not run or finish is neither. It, and
survivors in the folders that are held to it, must be argued in tools/mutants_generic.cfg. Exit status 1: something
is not, or fewer than 90 % of a held folder were killed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.prove.breakages import find_breakages, in_order  # noqa: E402
from tarrylib.prove.covered import Verdict, Work, digest_of  # noqa: E402
from tarrylib.prove.keep import keep_in  # noqa: E402
from tarrylib.prove.sites import Site, how_to_argue, read_arguments  # noqa: E402

SAMPLE = 60  # places of each folder
SEED = 1
KILLED_SHARE = 0.90  # at least, where a folder is held to it


@dataclass
class Folder:
    name: str
    files: tuple[str, ...]
    held: bool  # to KILLED_SHARE, and every survivor argued
    boot: str = "test *"  # what is run where no host test covers a file
    cases: tuple[str, ...] = ()  # of tests/cases.cfg, what is run then
    order: list[tuple[Site, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


FOLDERS = [
    Folder("boot", ("boot/*.c",), True),
    # From the loader to the parsers: a boot takes one of its ways, others need other firmware.
    Folder("boot/x86_64+arm64", ("boot/*/*.c",), False, "show; numa; test pmm.*; test percpu.*",
           ("script-memory-maps", "script-bad-tables", "script-boot-line", "script-console", "iso-bios", "gicv2", "uefi")),
    Folder("kernel/lib", ("kernel/lib/*.c",), True, "test percpu.*; test console.*"),
    Folder("kernel/core", ("kernel/core/*.c",), False,
           cases=("script-console", "script-session", "smp2", "script-bad-input", "script-identical", "script-late-cpu",
                  "script-boot-line")),
    Folder("kernel/bench", ("kernel/bench/**/*.c",), True, "test bench.*; test pmbench.*; test trust.*; test scale.*",
           ("script-bench-output", "script-will-it-scale", "script-session", "script-victims", "script-sample", "script-ipis", "script-path",
            "script-spurious", "script-numa for numa memhog victims keep policy", "script-numa-split", "script-spaces",
            "script-stale for victims account region pattern", "script-pmbench", "script-machine", "det")),
    Folder("kernel/shell", ("kernel/shell/*.c",), False,
           "help; list tests; list knobs; list schemes; show; numa; look cpus; look frames; test console.*",
           ("script-verbs", "script-session", "script-console", "script-bad-input", "script-spaces", "script-bad-tables",
            "script-boot-line", "memory-only", "det")),
    Folder("tools", ("tools/**/*.py", "tests/run.py"), True),
]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# --- results, kept --------------------------------------------------------------------------
class Results:
    """Verdicts by site, on disk at any moment; of other sources than today's they count for nothing."""

    def __init__(self, path: Path, tree: str, resume: bool, keep: bool):
        self.path, self.tree = path, tree
        self.rows: dict[str, dict[str, str]] = {}
        self.keep, self.lock = keep, threading.Lock()
        if (resume or keep) and path.exists():
            self.rows = json.loads(path.read_text("utf-8"))

    def get(self, name: str, text: str) -> Verdict | None:
        row = self.rows.get(name)
        if not row or (row["tree"] != self.tree
                       and not (self.keep and row["what"] in ("killed", "not built") and row["file"] == digest(text))):
            return None
        return Verdict(row["what"], row["text"])

    def add(self, name: str, text: str, verdict: Verdict) -> None:
        with self.lock:
            self.rows[name] = {"tree": self.tree, "file": digest(text), "what": verdict.what, "text": verdict.text}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(self.rows, indent=1), "utf-8")
            fresh.replace(self.path)


# --- a folder ----------------------------------------------------------------------------------
class Run:
    """Goes through the places of a folder until as many mutants as asked for have been counted."""

    def __init__(self, folder: Folder, results: Results, sample: int):
        self.folder, self.results, self.sample = folder, results, sample
        self.verdicts: dict[str, Verdict] = {}
        self.todo = iter(folder.order)
        self.under_way = 0
        self.errors: list[BaseException] = []
        self.changed = threading.Condition()

    @property
    def counted(self) -> int:
        return sum(v.what != "not built" for v in self.verdicts.values())

    def known(self) -> bool:
        """Takes what earlier runs found; True: that is enough, and nothing need be built."""
        for site, name in self.folder.order:
            found = self.results.get(name, self.folder.texts[site.file])
            if not found or self.counted >= self.sample:
                break
            self.verdicts[name] = found
        enough = self.counted >= self.sample or len(self.verdicts) == len(self.folder.order)
        if not enough:
            self.verdicts.clear()
        return enough

    def next(self) -> tuple[Site, str] | None:
        """The next place, as long as those counted and under way are not enough."""
        with self.changed:
            self.changed.wait_for(lambda: self.errors or self.counted >= self.sample
                                  or self.counted + self.under_way < self.sample)
            if self.errors or self.counted >= self.sample:
                return None
            for site, name in self.todo:
                known = self.results.get(name, self.folder.texts[site.file])
                if not known:
                    self.under_way += 1
                    return site, name
                self.verdicts[name] = known
                if self.counted + self.under_way >= self.sample:
                    return None
            return None

    def work(self, work: Work) -> None:
        try:
            while one := self.next():
                self.take(*one, work)
        except BaseException as error:  # the other threads stop, and run_folder() tells
            with self.changed:
                self.errors.append(error)
                self.changed.notify_all()

    def take(self, site: Site, name: str, work: Work) -> None:
        text = self.folder.texts[site.file]
        verdict = work.judge(site, text, self.folder.boot, self.folder.cases)
        with self.changed:
            self.under_way -= 1
            self.verdicts[name] = verdict
            self.changed.notify_all()
        self.results.add(name, text, verdict)
        with self.results.lock:
            print(f"{verdict.what:<14} {name} -> {site.put[:40]}\n    {verdict.text}", flush=True)


def run_folder(folder: Folder, results: Results, sample: int, works: Callable[[], list[Work]]) -> dict[str, Verdict]:
    run = Run(folder, results, sample)
    if run.known():
        return run.verdicts
    threads = [threading.Thread(target=run.work, args=(work,)) for work in works()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if run.errors:
        raise SystemExit(f"error: mutants: {folder.name}: {run.errors[0]!r}")
    return run.verdicts


# --- the table --------------------------------------------------------------------------------
@dataclass
class Tally:
    folder: Folder
    places: int
    killed: list[str]
    survived: list[str]
    unfinished: list[str]
    argued: int  # of survivors and of what did not finish
    not_built: int

    @property
    def counted(self) -> int:
        return len(self.killed) + len(self.survived) + len(self.unfinished)

    @property
    def unargued(self) -> int:
        return len(self.survived) + len(self.unfinished) - self.argued

    @property
    def good(self) -> bool:
        return not self.folder.held or (not self.unargued and len(self.killed) >= KILLED_SHARE * self.counted)

    @property
    def row(self) -> str:
        share = f"{100 * len(self.killed) / self.counted:.0f} %" if self.counted else "n/a"
        return (f"| {self.folder.name} | {self.places} | {self.counted} | {len(self.killed)} | {share} | {len(self.survived)} "
                f"| {len(self.unfinished)} | {self.argued} | {'yes' if self.folder.held else 'no'} |")


def tally(folder: Folder, verdicts: dict[str, Verdict]) -> Tally:
    def of(what: str) -> list[str]:
        return [name for name, verdict in verdicts.items() if verdict.what == what]

    argued = {name for site, name in folder.order if site.argued}
    return Tally(folder, len(folder.order), of("killed"), of("survived"), of("did not finish"),
                 sum(name in argued for name in of("survived") + of("did not finish")), len(of("not built")))


HEAD = ("| folder | places | tried | killed | share | survived | did not finish | of these argued | held to 90 % |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")


def keep_rows(doc: Path, tallies: list[Tally]) -> None:
    """The rows of these folders are brought up to date; those of others stay."""
    rows = {row.split("|")[1].strip(): row for row in re.findall(r"^\| .* \| (?:yes|no) \|$", doc.read_text("utf-8"), re.MULTILINE)}
    rows |= {t.folder.name: t.row for t in tallies}
    keep_in(doc, "generic mutants", "\n".join([HEAD, *(rows[f.name] for f in FOLDERS if f.name in rows)]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the places in the order of the sample and stop")
    parser.add_argument("--folders", type=str.split, default=[f.name for f in FOLDERS])
    parser.add_argument("--only", default="", help="places whose name this fits")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants counted of each folder")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--doc", type=Path, help="file whose table is brought up to date")
    parser.add_argument("--results", type=Path, default=ROOT / "build/mutants_generic.json")
    parser.add_argument("--resume", action="store_true", help="keep results of the same sources")
    parser.add_argument("--keep", action="store_true", help="and kills in files that are the same")
    parser.add_argument("--no-boots", action="store_true", help="leave out places that no host test covers")
    args = parser.parse_args()

    if unknown := set(args.folders) - {f.name for f in FOLDERS}:
        parser.error(f"no folder {' '.join(sorted(unknown))}: must be of {' '.join(f.name for f in FOLDERS)}")
    folders = [f for f in FOLDERS if f.name in args.folders]
    stale: set[str] | None = None
    for folder in FOLDERS:
        sites, folder.texts = find_breakages(ROOT, folder.files)
        unfit = set(read_arguments(ROOT / "tools/mutants_generic.cfg", sites))
        stale = unfit if stale is None else stale & unfit
        folder.order = [(s, n) for s, n in in_order(sites, args.seed) if re.search(args.only, n)]
    if args.list:
        for folder in folders:
            for site, name in folder.order:
                print(f"{name} -> {site.put}")
        return 0
    results = Results(args.results, digest_of(ROOT), args.resume, args.keep)
    tallies = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        works = cache(lambda: Work.several(ROOT, Path(scratch), args.jobs, not args.no_boots))
        for folder in folders:
            if args.no_boots:
                folder.order = [(s, n) for s, n in folder.order if works()[0].covered_on_host(s.file)]
            verdicts = run_folder(folder, results, args.sample, works)
            tallies.append(tally(folder, verdicts))
            for name in tallies[-1].survived + tallies[-1].unfinished:
                argued = next(s.argued for s, n in folder.order if n == name)
                print(f"{verdicts[name].what}: {name}{f': argued: {argued}' if argued else ''}")
            print(tallies[-1].row, flush=True)
    print("\n".join([HEAD, *(t.row for t in tallies)]))
    for section in sorted(stale or ()):
        print(f"tools/mutants_generic.cfg: no place fits [{section}]")
    if args.doc:
        keep_rows(args.doc, tallies)
    if any(t.unargued for t in tallies if t.folder.held):
        print(how_to_argue("tools/mutants_generic.cfg", "FILE RULE: LINE with its place «marked»"))
    killed, survived, unfinished = (sum(len(getattr(t, what)) for t in tallies)
                                    for what in ("killed", "survived", "unfinished"))
    print(f"{sum(t.counted for t in tallies)} mutants: {killed} killed, {survived} survived, {unfinished} did not run or "
          f"finish; {sum(t.unargued for t in tallies if t.folder.held)} neither killed nor argued where it is asked for")
    return 0 if all(t.good for t in tallies) and not any(t.unfinished and t.unargued for t in tallies) and not stale else 1


if __name__ == "__main__":
    sys.exit(main())
