#!/usr/bin/env python3
"""`make mutants`: is every flush, barrier, wait, mask update, generation step and recheck needed, and missed?

Usage: tools/mutants.py [--list] [--only REGEX] [--jobs N] [--doc FILE] [--orderings N]
                        [--results FILE] [--resume | --keep] [--unchecked] [--argued] [--arches 'x86_64 arm64']

Finds the sites itself by pattern rules over the memory manager (tools/tarrylib/prove/sites.py), builds
one mutant per site in a scratch copy, and runs checks against it: host tests, the explorer, the
explorer without the checks that failed before. Then, until two independent checks have failed: races,
scenarios for single places, the kernel in QEMU; mutants that nothing has killed yet come first. Prints
who killed what, and ends with "N killed, M survived". Exit status 1: a site neither was killed nor is
argued to be equivalent in tools/mutants.cfg, or more than 10 % are argued, or fewer than half were killed
by two independent checks (no shares are asked of a part, as --only picks it). --doc keeps the table in that file up to date.

A check that did not run, or did not end in its time, has not failed: that is no kill, and is printed.

Each result goes to --results at once. --resume takes from there what was found with the same
sources, --keep also what was found when the site's own file was the same.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.prove.keep import digest, keep_in, tree_digest, write_whole  # noqa: E402
from tarrylib.prove.scratch import Scratch, kind_of  # noqa: E402
from tarrylib.prove.sites import Site, find_sites, how_to_argue, names_of, read_arguments  # noqa: E402

ARGUED_SHARE = 0.10  # of the sites, at most
TWICE_SHARE = 0.50  # by two independent checks, at least; then no more are tried on sites that one has killed

PROGRAMS = ("host/explore", "host/explore_races", "host/test_mm", "host/test_mm_arm64")
SCHEMES = ("batch+defer=skeleton", "baseline", "never")
OWN_SCHEMES = {f"mm/defer/{name}.c": (name,) for name in ("latr", "migrc", "luf", "stamp")} | {
    "mm/copies.c": ("migrc",), "mm/reclaim.c": (*SCHEMES, "luf")}
SILENCED = ("invariants", "contents", "oracle")  # checks that the explorer can do without

# Scenarios for single places: every plan with one deviation.
COLLISIONS = ("fault-table", "fault-move", "alias-protect", "alias-drop", "unmap-pin", "ack-order",
              "fault-upgrade", "same-upgrade", "two-migrators", "alias-full", "hint-scan", "hint-late",
              "hint-dirty", "change-subscribe", "object-isolated", "pin-migrate", "p-migrate-late-scan-areas2")
# With two, for orders that single files rely on: what one CPU does and another reads too early. In the schemes that need it.
LATR = re.compile(r"mm/(?:defer/latr|debt)\.c")
OF_MIGRC = {"copies-slots"}
NARROW = (("debts-ticks", LATR), ("debts-ticks-paid", LATR), ("debts-two-payers", LATR),
          ("copies-slots", re.compile(r"mm/(?:context|gather)\.c")),
          ("switch-one", re.compile(r"mm/(?:gather|tlb_\w+|context)\.c")),
          ("switch-two", re.compile(r"mm/(?:gather|tlb_\w+|context)\.c")),
          ("flush-cpus", re.compile(r"mm/(?:gather|tlb_\w+)\.c")),
          ("flush-owed", re.compile(r"mm/gather\.c")),
          ("flush-taken", re.compile(r"mm/gather\.c")),
          ("reclaim-wake", re.compile(r"mm/(?:reclaim\w*|page_lock)\.c")),
          ("reclaim-last", re.compile(r"mm/reclaim\w*\.c")),
          ("stage2-shootdown", re.compile(r"mm/(?:gather|tlb_\w+)\.c")),
          ("hint-wake", re.compile(r"mm/(?:hint|scan)\.c")),
          ("object-wake", re.compile(r"mm/object\.c")))
# With one deviation, for what is looked at again, or kept to one CPU, where two meet in a file's own way.
ALONE = (("reclaim-truncate", re.compile(r"mm/reclaim\w*\.c")), ("reclaim-migrate", re.compile(r"mm/reclaim\w*\.c")),
         ("reclaim-protect", re.compile(r"mm/range\.c")), ("dup-migrate", re.compile(r"mm/cow\.c")),
         ("frames-split", re.compile(r"mm/split\.c")), ("frames-drop", re.compile(r"mm/swap_slot\.c")),
         ("file-truncate-fault", re.compile(r"mm/file_drop\.c")))
# All scenarios of files, for what only they use.
FILES = re.compile(r"mm/(?:file\w*|clean|cow|dup|dirty|reclaim\w*|swap\w*|page_lock|rmap_edit|range|rules)\.c|mm/include/mm/(?:page_lock|change)\.h")
SECOND = re.compile(r"mm/softmmu\.c")  # and of second MMUs, which no scheme changes

# In QEMU: 4 KiB pages and poison, so that staleness shows; the oracle, then only what memory holds.
IMAGES = {"x86_64": "x86_64/tarry.elf", "arm64": "arm64/Image"}
BOOTS = (("test *", "large=off poison=full check=full"),
         ("bench migrate --pages 512 --threads 3 --reps 2 --schemes baseline,batch", "check=reads"))
BOOT_SECONDS = 120
ORDERING = re.compile("weakened|barrier")  # rules whose mutants the emulator cannot tell apart
TIMING = re.compile("weakened|barrier|wake")  # and those that show only if a CPU sleeps or looks at one moment


def schemes_of(file: str) -> tuple[str, ...]:
    """A deferral's own file runs under its own scheme."""
    return OWN_SCHEMES.get(file, SCHEMES)


# --- checks ------------------------------------------------------------------------
Found = tuple[str, str]  # kind of check, what it said; or two empty strings
NOTHING: Found = ("", "")
TIMEOUT = 124  # exit status of what was ended from outside


def undecided(what: str, code: int, out: str) -> Found:
    """A check that says nothing of a failure shows none: it is told, and counts as not failed."""
    print(f"undecided: {what}: exit status {code}: {out.strip()[-160:]!r}", flush=True)
    return NOTHING


def explore(scratch: Scratch, orderings: int, bound: int, checks: list[str] | None = None,
            scenario: str = "", schemes: tuple[str, ...] = SCHEMES, rules: str = "") -> Found:
    """The first failure of any scheme."""
    argv = ["build/host/explore", "--stop", "--jobs", "1", "--orderings", str(orderings),
            "--bound", str(bound)] + (["--checks", ",".join(checks)] if checks is not None else [])
    argv += (["--scenario", scenario] if scenario else []) + (["--rules", rules] if rules else [])
    for scheme in schemes:
        code, out = scratch.run([*argv, "--scheme", scheme])
        if code:
            lines = [l[2:] for l in out.splitlines() if l.startswith("# ")
                     and ("scheme" in l or "replay" in l or "no end" in l)]
            if not lines or code == TIMEOUT:
                return undecided(" ".join(argv), code, out)
            text = "; ".join(lines[:2])
            return kind_of(text), text
    return NOTHING


def races(scratch: Scratch, schemes: tuple[str, ...] = SCHEMES) -> Found:
    """Plain accesses that nothing orders any more: everything a little, the collisions thoroughly."""
    every = [(scheme, "0", "") for scheme in schemes[:2]]
    for scheme, bound, scenario in every + [("baseline", "1", name) for name in (*COLLISIONS, "file-*", "cow-*", "dup-*", "reclaim-*", "swap-*")]:
        argv = ["build/host/explore_races", "--stop", "--jobs", "1", "--bound", bound,
                "--orderings", "3000", "--scheme", scheme]
        code, out = scratch.run(argv + (["--scenario", scenario] if scenario else []))
        lines = [l[2:] for l in out.splitlines() if l.startswith("# ") and ": race:" in l]
        if code and lines:
            return "races", lines[0]
    return NOTHING


def collisions(scratch: Scratch, checks: list[str] | None, schemes: tuple[str, ...] = SCHEMES) -> Found:
    for name in COLLISIONS:
        found = explore(scratch, 3000, 1, checks, name, schemes)
        if found[0]:
            return found
    return NOTHING


def narrow(scratch: Scratch, file: str) -> Found:
    for name, files in NARROW:
        if files.match(file):
            scheme = "latr" if files is LATR else "migrc" if name in OF_MIGRC else "baseline"
            found = explore(scratch, 30000, 2, None, name, (scheme,), "arm64")
            if found[0]:
                return found
    return NOTHING


def alone(scratch: Scratch, file: str) -> Found:
    for name, files_ in ALONE:
        if files_.match(file):
            found = explore(scratch, 30000, 1, None, name, ("baseline",))
            if found[0]:
                return found
    return NOTHING


def files(scratch: Scratch, checks: list[str] | None, schemes: tuple[str, ...]) -> Found:
    for pattern in "file-*", "cow-*", "dup-*", "reclaim-*", "swap-*":
        found = explore(scratch, 30000, 1, checks, pattern, tuple(s for s in schemes if s != "never"))
        if found[0]:
            return found
    return NOTHING


def kept_copies(scratch: Scratch, checks: list[str] | None, schemes: tuple[str, ...]) -> Found:
    """Only under deferrals that keep copies do these scenarios do what they are for."""
    return explore(scratch, 30000, 1, checks, "copies-*", schemes)


def host_tests(scratch: Scratch) -> Found:
    for program in "build/host/test_mm", "build/host/test_mm_arm64":
        code, out = scratch.run([program])
        if code == TIMEOUT:
            undecided(program, code, out)
        elif code:
            bad = next((l for l in out.splitlines() if re.match("not ok|.*ERROR: .*Sanitizer|panic:", l)),
                       f"exit status {code}")
            return "host tests", f"{Path(program).name}: {bad}"
    return NOTHING


def emulator(scratch: Scratch, arch: str) -> list[Found]:
    """What boots of the kernel itself find; the oracle's word and litmus tests count as themselves."""
    if errors := scratch.make(IMAGES[arch], arch=arch):
        raise RuntimeError(errors)
    found = []
    for command, args in BOOTS:
        code, out = scratch.run(["make", "-s", "SETUP=no", "WARNINGS=-w", f"ARCH={arch}", f"CMD={command}", f"ARGS={args}",
                                 "SMP=4", "NODES=2", "DET=1", "SEED=1", f"TIMEOUT={BOOT_SECONDS}", "exec"], cpu=0)
        if not code:
            continue
        bad = [l for l in out.splitlines() if re.search(r"^not ok|panic:|^error: |stuck", l)]
        if not bad:
            undecided(f"{arch}, {command}", code, out)
            continue
        text = bad[0]
        kind = ("oracle" if "oracle" in text else "litmus" if "not ok" in text and "litmus" in text
                else "emulator")
        found.append((kind, f"{arch}, {command.split(' --')[0]}: {text}"))
    return found


# --- one mutant ---------------------------------------------------------------------------
class Judge:
    """Three passes: cheap checks for every mutant, all for survivors that nobody has argued for, more for those killed once."""

    def __init__(self, scratch: Scratch, site: Site, orderings: int, arches: list[str]):
        self.scratch, self.site, self.orderings, self.arches = scratch, site, orderings, arches

    def note(self, found: Found) -> None:
        if found[0]:
            self.site.killed.setdefault(*found)

    @property
    def done(self) -> bool:
        return len(self.site.killed) > 1

    def without(self, check) -> None:
        """A check again and again, each time without the means that saw it before."""
        rest = [c for c in SILENCED if c not in self.site.killed]
        while not self.done:
            found = check(rest if len(rest) < len(SILENCED) else None)
            self.note(found)
            if found[0] not in rest:
                return
            rest.remove(found[0])

    def races(self) -> None:
        self.build("host/explore_races")
        self.note(races(self.scratch, schemes_of(self.site.file)))

    def build(self, *programs: str) -> None:
        if errors := self.scratch.make(*programs):
            raise RuntimeError(f"{self.site.name}: the mutant does not build: {errors}")

    def cheap(self) -> None:
        self.build(*(p for p in PROGRAMS if p != "host/explore_races"))
        self.note(host_tests(self.scratch))
        schemes = schemes_of(self.site.file)
        self.without(lambda checks: explore(self.scratch, 6000, 0, checks, schemes=schemes))
        if not self.done and ORDERING.search(self.site.rule):
            self.races()

    def more(self) -> None:
        """Until two have failed."""
        self.build("host/explore")
        if not ORDERING.search(self.site.rule):
            self.races()
        schemes = schemes_of(self.site.file)
        if not self.done and (TIMING.search(self.site.rule) or LATR.match(self.site.file)):
            self.note(narrow(self.scratch, self.site.file))
        if not self.done and not ORDERING.search(self.site.rule):
            self.note(alone(self.scratch, self.site.file))
        if not self.done and FILES.match(self.site.file):
            self.without(lambda checks: files(self.scratch, checks, schemes))
        if not self.done and "baseline" not in schemes:
            self.without(lambda checks: kept_copies(self.scratch, checks, schemes))
        if not self.done and SECOND.match(self.site.file):
            self.note(explore(self.scratch, 60000, 1, None, "second-*", ("baseline",)))
        if not self.done:
            self.without(lambda checks: collisions(self.scratch, checks, schemes))
        for arch in self.arches:
            if not self.done and not ORDERING.search(self.site.rule):
                for found in emulator(self.scratch, arch):
                    self.note(found)
        if not self.site.killed:
            self.note(explore(self.scratch, self.orderings, 1, schemes=schemes))


def judge(scratch: Scratch, site: Site, text: str, options: argparse.Namespace, cheap: bool) -> None:
    scratch.put(site.file, site.apply(text))
    try:
        mutant = Judge(scratch, site, options.orderings, options.arches)
        if cheap:
            mutant.cheap()
        else:
            mutant.more()
    finally:
        scratch.put(site.file, text)


# --- results, kept --------------------------------------------------------------------------
class Results:
    """What earlier runs found, by site."""

    def __init__(self, path: Path, texts: dict[str, str], resume: bool, keep: bool):
        self.path, self.tree = path, tree_digest(ROOT)
        self.files = {name: digest({name: text.encode()}) for name, text in texts.items()}
        self.rows: dict[str, dict] = {}
        self.lock = threading.Lock()
        self.taken: list[str] = []  # names of the sites whose result is of other sources
        if (resume or keep) and path.exists():
            self.rows = json.loads(path.read_text())
        self.keep = keep

    def passes(self, site: Site, name: str) -> int:
        """How many passes of this site are done; fills in what killed it."""
        row = self.rows.get(name)
        if not row or (row["tree"] != self.tree
                       and not (self.keep and row["killed"] and row["file"] == self.files[site.file])):
            return 0
        site.killed = row["killed"]
        if row["tree"] != self.tree and name not in self.taken:
            self.taken.append(name)
        return row["passes"]

    def add(self, site: Site, name: str, passes: int) -> None:
        with self.lock:
            self.rows[name] = {"tree": self.tree, "file": self.files[site.file], "passes": passes,
                               "killed": site.killed}
            write_whole(self.path, self.rows)


# --- all ------------------------------------------------------------------------------------
def check_unmutated(scratch: Scratch, arches: list[str]) -> None:
    """Every check passes where nothing is broken, or a kill would mean nothing."""
    found = [explore(scratch, 6000, 0), races(scratch), collisions(scratch, None), host_tests(scratch)]
    for silent in SILENCED:
        found.append(explore(scratch, 6000, 0, [c for c in SILENCED if c != silent]))
    for arch in arches:
        found += emulator(scratch, arch)
    for kind, text in found:
        if kind:
            raise SystemExit(f"error: mutants: not mutated, and fails already: {kind}: {text}")


def show(site: Site) -> None:
    who = ", ".join(site.killed) or ("argued" if site.argued else "SURVIVED")
    print(f"{who:<32} {site.name}: {' '.join(site.text.split())[:70]}", flush=True)
    for kind, text in site.killed.items():
        print(f"    {kind}: {text}", flush=True)


class Pool:
    """Scratch copies, and a thread for each."""

    def __init__(self, folder: Path, texts: dict[str, str], results: Results, options: argparse.Namespace):
        self.texts, self.results, self.options = texts, results, options
        jobs = options.jobs
        first = Scratch(ROOT, folder / "0", texts)
        if errors := first.make(*PROGRAMS):
            raise SystemExit(f"error: mutants: {errors}")
        if not options.unchecked:
            print("first every check where nothing is broken", flush=True)
            check_unmutated(first, options.arches)
        self.scratches = [first] + [first.copy(folder / str(i)) for i in range(1, jobs)]
        self.errors: list[BaseException] = []

    def work(self, scratch: Scratch, todo: queue.SimpleQueue[tuple[Site, str]], cheap: bool, enough) -> None:
        while not self.errors and not enough():
            try:
                site, name = todo.get_nowait()
            except queue.Empty:
                return
            try:
                judge(scratch, site, self.texts[site.file], self.options, cheap)
            except BaseException as error:  # the other threads stop, and run() tells
                self.errors.append(error)
                return
            self.results.add(site, name, 1 if cheap else 2)
            with self.results.lock:
                show(site)

    def run(self, sites: list[tuple[Site, str]], cheap: bool, enough=lambda: False) -> None:
        todo: queue.SimpleQueue[tuple[Site, str]] = queue.SimpleQueue()
        for one in sites:
            todo.put(one)
        threads = [threading.Thread(target=self.work, args=(scratch, todo, cheap, enough))
                   for scratch in self.scratches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise SystemExit(f"error: mutants: {self.errors[0]}")


def run_all(named: list[tuple[Site, str]], texts: dict[str, str], results: Results,
            options: argparse.Namespace) -> None:
    sites = [site for site, _ in named]

    def left(passes: int, kills: int) -> list[tuple[Site, str]]:
        return [(s, n) for s, n in named if results.passes(s, n) == passes and len(s.killed) == kills]

    def survivors() -> list[tuple[Site, str]]:
        return [(s, n) for s, n in left(1, 0) if options.argued or not s.argued]

    def enough() -> bool:
        return sum(len(s.killed) > 1 for s in sites) >= TWICE_SHARE * len(sites)

    todo = [(s, n) for s, n in named if not results.passes(s, n)]
    todo.sort(key=lambda one: one[0].file.endswith(".h"))  # those that rebuild most come last
    if not (todo or survivors() or (left(1, 1) and not enough())):
        return
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        pool = Pool(Path(folder), texts, results, options)
        pool.run(todo, True)
        pool.run(survivors(), False)
        pool.run(left(1, 1), False, enough)


# --- the table -----------------------------------------------------------------------
def table(sites: list[Site]) -> str:
    lines = ["| site | what was changed | killed by |", "| --- | --- | --- |"]
    for site in sites:
        code = " ".join(site.text.split()).replace("|", "\\|")
        who = ", ".join(site.killed) or (f"equivalent: {site.argued}" if site.argued else "**survived**")
        lines.append(f"| {site.file} | {site.rule}: `{code[:60]}` | {who} |")
    return "\n".join(lines)


class Tally:
    def __init__(self, sites: list[Site]):
        self.sites = len(sites)
        self.killed = sum(bool(s.killed) for s in sites)
        self.twice = sum(len(s.killed) > 1 for s in sites)
        self.argued = sum(not s.killed and bool(s.argued) for s in sites)
        self.survived = self.sites - self.killed - self.argued

    def good(self, whole: bool = True) -> bool:
        """The shares are asked of the whole protocol: of a single file's few sites two may be equivalent."""
        return not self.survived and (not whole or (self.argued <= ARGUED_SHARE * self.sites
                                                    and self.twice >= TWICE_SHARE * self.sites))

    def __str__(self) -> str:
        return (f"{self.sites} sites, {self.twice} killed by two or more checks, {self.argued} argued "
                f"equivalent; {self.killed} killed, {self.survived} survived")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the sites and stop")
    parser.add_argument("--only", default="", help="sites whose name and text this fits")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--doc", type=Path, help="file whose table is brought up to date")
    parser.add_argument("--results", type=Path, default=ROOT / "build/mutants.json")
    parser.add_argument("--resume", action="store_true", help="keep results of the same sources")
    parser.add_argument("--keep", action="store_true", help="and kills in files that are the same")
    parser.add_argument("--argued", action="store_true", help="try all checks on what is argued to be equivalent, too")
    parser.add_argument("--unchecked", action="store_true",
                        help="do not see first that every check passes where nothing is broken")
    parser.add_argument("--arches", type=str.split, default=list(IMAGES), help="of the kernels that are booted")
    parser.add_argument("--orderings", type=int, default=150000,
                        help="per scheme and rule set, for what survives the first few")
    args = parser.parse_args()

    sites, texts = find_sites(ROOT)
    stale = read_arguments(ROOT / "tools/mutants.cfg", sites)
    names = names_of(sites)
    chosen = [i for i, s in enumerate(sites) if re.search(args.only, f"{s.name}: {s.text}")]
    sites, names = [sites[i] for i in chosen], [names[i] for i in chosen]
    if args.list:
        for site in sites:
            print(f"{site.name}: {' '.join(site.text.split())} -> {site.put}")
        print(f"{len(sites)} sites")
        return 0
    results = Results(args.results, texts, args.resume, args.keep)
    run_all(list(zip(sites, names)), texts, results, args)
    text = table(sites)
    tally = Tally(sites)
    note = ""
    if results.taken:
        note = (f"\n\n{len(results.taken)} rows were found on an earlier revision, in which the site's file "
                "was the same.")
    print(text)
    for section in stale:
        print(f"tools/mutants.cfg: no site fits [{section}]")
    if args.doc:
        keep_in(args.doc, "mutants", f"{tally}{note}\n\n{text}")
    print(tally)
    if tally.survived:
        print(how_to_argue("tools/mutants.cfg", "FILE RULE: TEXT"))
    return 0 if tally.good(whole=not args.only) and not stale else 1


if __name__ == "__main__":
    sys.exit(main())
