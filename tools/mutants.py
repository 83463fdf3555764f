#!/usr/bin/env python3
"""`make mutants`: is every flush, barrier, wait, mask update, generation step and recheck needed, and missed?

Usage: tools/mutants.py [--list] [--only REGEX] [--jobs N] [--doc FILE] [--orderings N]

Finds the sites itself by pattern rules over the memory manager, builds one mutant per site in a
scratch copy, and runs the explorer and the host tests against it until something fails. Prints who
killed it; ends with "N killed, M survived" and exits with 1 if a site neither was killed nor is
argued to be equivalent in tools/mutants.cfg, if more than 10 % are argued, or if fewer than half of
the sites were killed by two independent checks. --doc keeps the table in that file up to date.
"""

from __future__ import annotations

import argparse
import configparser
import os
import queue
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.scratch import Scratch, kind_of  # noqa: E402

FILES = ("mm/tlb.c", "mm/context.c", "mm/asid.c", "mm/pgwalk.c", "mm/include/mm/pgwalk.h",
         "mm/include/mm/page.h", "mm/collect.c", "mm/migrate.c", "mm/migration.c", "mm/fault.c",
         "mm/hint.c", "mm/scan.c", "mm/range.c", "mm/object.c", "mm/page.c", "mm/debt.c",
         "mm/aspace.c", "mm/include/mm/aspace.h", "mm/schemes/*.c")
ARGUED_SHARE = 0.10  # of the sites, at most
DOC_MARKS = ("<!-- mutants: begin -->", "<!-- mutants: end -->")

SCHEMES = ("batch+defer=skeleton", "baseline", "never")

# tests/host/model/collisions.c
COLLISIONS = ("fault-table", "fault-move", "alias-protect", "alias-drop", "unmap-pin", "ack-order",
              "fault-upgrade", "same-upgrade")

TEXTS: dict[str, str] = {}  # of the files as they were when the sites were found


# --- sites -----------------------------------------------------------------------
@dataclass
class Site:
    file: str
    line: int
    rule: str
    start: int  # offsets in the file
    end: int
    text: str
    put: str
    killed: list[str] = field(default_factory=list)
    evidence: str = ""
    argued: str = ""

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line} {self.rule}"

    @property
    def key(self) -> str:
        """What identifies the site when lines move: file, rule and text."""
        return f"{self.file} {self.rule}: {' '.join(self.text.split())}"


def blank(text: str) -> str:
    """The same text with comments and strings as spaces."""
    return re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""",
                  lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def closing(code: str, at: int) -> int:
    """Behind the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if not depth:
            return i + 1
    return len(code)


def statements(names: str) -> Callable[[str], Iterator[tuple[int, int, str]]]:
    """Calls of these functions as statements: left out."""
    def find(code: str) -> Iterator[tuple[int, int, str]]:
        for match in re.finditer(rf"(?<=[;{{}})\n])([ \t]+)({names})\s*\(", code):
            end = closing(code, match.end() - 1)
            if code[end:end + 1] == ";":
                yield match.start(2), end + 1, ";"
    return find


def replaced(pattern: str, put: str) -> Callable[[str], Iterator[tuple[int, int, str]]]:
    def find(code: str) -> Iterator[tuple[int, int, str]]:
        for match in re.finditer(pattern, code):
            if not code[code.rfind("\n", 0, match.start()) + 1:].startswith("#"):
                yield match.start(), match.end(), match.expand(put)
    return find


RULES: list[tuple[str, Callable[[str], Iterator[tuple[int, int, str]]]]] = [
    ("flush left out", statements(r"tlb_flush_\w+|tlb_bcast_(?!prepare)\w+|tlb_gather_flush|flush_here|"
                                  r"flush_owing|zap_flush|flush_apart|context_leave")),
    ("not gathered", statements(r"tlb_gather_add\w*|issue_now|issue_entry")),
    ("barrier left out", statements(r"smp_mb|smp_wmb|smp_rmb|tlb_bcast_prepare|pt_publish")),
    ("acquire weakened", replaced(r"\bload_acquire\(", "load_relaxed(")),
    # wanted: a hint that changes only the order in which a batch moves.
    ("release weakened", replaced(r"\bstore_release\((?!&m->wanted)", "store_relaxed(")),
    # Not where one more reference or mapping is counted by somebody who has one: that orders nothing.
    ("barrier of an atomic weakened", replaced(r"\batomic_(fetch_add)\((?!.*(?:gen|refs, 1|mapcount))",
                                               r"atomic_\1_relaxed(")),
    ("barrier of an atomic weakened", replaced(r"\batomic_(xchg|cmpxchg)\((?!&m->wanted)",
                                               r"atomic_\1_acquire(")),
    ("wait left out", statements(r"wait_until\w*|migration_wait|spin_until\w*")),
    ("wake left out", statements(r"cpu_wake|migration_wake|migration_want")),
    ("mask not updated", statements(r"cpumask_(?:un)?set(?:_atomic)?")),
    ("mask not collected", replaced(r"targets(?:->|\.)bits\[w\] \|= [^;]+;", ";")),
    ("interrupt not sent", statements(r"ipi_send\w*|send_requests")),
    ("generation not stepped", replaced(r"atomic_fetch_add\((&[\w>.-]*gen), 1\)", r"load_relaxed(\1)")),
    ("generation not noted", replaced(r"[\w>.\[\]-]+\.gen = gen;", ";")),
    ("token not noted", replaced(r"[\w>.\[\]-]+\.token = token;", ";")),
    ("keeps entries", replaced(r"\bkeep = found && [^;]+;", "keep = found;")),
    ("flushes one request too few", replaced(r"part->gen == mine \+ 1 && part->gen == gen", "true")),
    ("tables not noted", replaced(r"[\w.>-]*tables = true;", ";")),
    ("full not noted", replaced(r"[\w.>-]*full = true;", ";")),
    ("issued not withdrawn", replaced(r"g->issued = false;", ";")),
    ("recheck left out", replaced(r"pte_load\([\w.>-]+\)\.v (?:==|!=) \w+\.v", "true")),
    ("recheck left out", replaced(r"\bnow\.v == seen\.v", "true")),
    ("recheck left out", replaced(r"pte_is_none\(pte_load\([\w.>&\[\]-]+\)\);", "true;")),
    ("recheck left out", replaced(r"load_relaxed\(slot\) == page", "true")),
    ("recheck left out", replaced(r"!\(load_relaxed\(&page->flags\) & PG_ISOLATED\)", "true")),
    ("recheck left out", replaced(r"pte_pa\(old, \S+\) != page_to_phys\(src\)", "false")),
    ("recheck left out", replaced(r"if \(taken == [^)]+\)+\)", "if (true)")),
    ("bits lost", replaced(r"\bgot\.v != old\.v", "false")),
    ("isolation not exclusive", replaced(r"!page_isolate\(page\)", "(page_isolate(page), false)")),
    ("flush not pending", replaced(r" \|\| load_relaxed\(&\w+->flush_pending\)", "")),
    ("debts not paid", statements(r"debts_pay|scheme->(?:write_upgrade|range_change)|change_begin|"
                                  r"debts_owe|never_settle")),
    ("defers writable entries", replaced(r"if \(pte_is_writable\(old\)\)", "if (false)")),
    ("rollover without a flush", replaced(r"flush_due\) = true;", "flush_due);")),
    ("ASID not kept apart", replaced(r"used_test_and_set\(\(u16\)token\);", ";")),
    ("upgrade without a flush", replaced(r"&& pte_upgrade_needs_flush\([^;{]+?\)\)\)", "&& false)")),
    ("upgrade without a flush", replaced(r"return pte_upgrade_needs_flush\([^;]+;", "return false;")),
    ("frame freed early", replaced(r"(?<=\t)tlb_gather_flush\(&z->gather\);", ";")),
]


def find_sites() -> list[Site]:
    sites: list[Site] = []
    taken: set[tuple[str, int]] = set()
    for pattern in FILES:
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            text = TEXTS[name] = path.read_text()
            code = blank(text)
            for rule, find in RULES:
                for start, end, put in find(code):
                    if (name, start) in taken:
                        continue
                    taken.add((name, start))
                    line = text.count("\n", 0, start) + 1
                    sites.append(Site(name, line, rule, start, end, text[start:end], put))
    return sorted(sites, key=lambda s: (s.file, s.line))


def read_arguments(sites: list[Site]) -> list[str]:
    """Fill in what tools/mutants.cfg argues; returns entries that fit no site."""
    config = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(ROOT / "tools/mutants.cfg")
    stale = []
    for section in config.sections():
        found = [s for s in sites if s.key == section or s.key.startswith(section)]
        for site in found:
            site.argued = " ".join(config[section]["why"].split())
        if not found:
            stale.append(section)
    return stale


# --- running one mutant ---------------------------------------------------------------
PROGRAMS = ("host/explore", "host/explore_races", "host/test_mm", "host/test_mm_arm64")


def explore(scratch: Scratch, orderings: int, checks: str, bound: int,
            scenario: str = "") -> tuple[str, str]:
    """(kind of check, text) of the first failure, or two empty strings."""
    argv = ["build/host/explore", "--stop", "--jobs", "1", "--orderings", str(orderings),
            "--bound", str(bound)] + (["--checks", checks] if checks else [])
    argv += ["--scenario", scenario] if scenario else []
    for scheme in SCHEMES:
        code, out = scratch.run([*argv, "--scheme", scheme], 240)
        if code:
            lines = [l[2:] for l in out.splitlines() if l.startswith("# ")
                     and ("scheme" in l or "replay" in l)]
            text = "\n    ".join(lines[:2]) or f"exit status {code}"
            return kind_of(text), text
    return "", ""


def races(scratch: Scratch) -> tuple[str, str]:
    """Plain accesses that nothing orders any more: everything a little, the collisions thoroughly."""
    every = [(scheme, "0", "3000", "") for scheme in SCHEMES[:2]]
    for scheme, bound, orderings, scenario in every + [("baseline", "1", "3000", name)
                                                       for name in COLLISIONS]:
        argv = ["build/host/explore_races", "--stop", "--jobs", "1", "--bound", bound,
                "--orderings", orderings, "--scheme", scheme]
        code, out = scratch.run(argv + (["--scenario", scenario] if scenario else []), 120)
        lines = [l[2:] for l in out.splitlines() if l.startswith("# ") and ": race:" in l]
        if code and lines:
            return "races", lines[0]
    return "", ""


def collisions(scratch: Scratch, checks: str) -> tuple[str, str]:
    """Every plan with one deviation in the scenarios made for single places."""
    for name in COLLISIONS:
        found = explore(scratch, 3000, checks, 1, name)
        if found[0]:
            return found
    return "", ""


def host_tests(scratch: Scratch) -> tuple[str, str]:
    for program in "build/host/test_mm", "build/host/test_mm_arm64":
        code, out = scratch.run([program], 60)
        bad = next((l for l in out.splitlines() if l.startswith("not ok")), f"exit status {code}")
        if code:
            return "host tests", bad
    return "", ""


def judge(scratch: Scratch, site: Site, orderings: int) -> None:
    def note(kind: str, text: str) -> None:
        if kind and kind not in site.killed:
            site.killed.append(kind)
            site.evidence = site.evidence or text

    original = TEXTS[site.file]
    scratch.put(site.file, original[:site.start] + site.put + original[site.end:])
    try:
        errors = scratch.make(*PROGRAMS)
        if errors:
            site.evidence = errors.splitlines()[0]
            return
        note(*explore(scratch, 6000, "", 0))
        note(*host_tests(scratch))
        if len(site.killed) < 2 and re.search("weakened|barrier|acq", site.rule):
            note(*races(scratch))
        if not site.killed or site.killed == ["host tests"]:
            note(*collisions(scratch, ""))
        if not site.killed and not site.argued:
            note(*explore(scratch, orderings, "", 1))
        # A second, independent one: without the kind that was fastest.
        rest = [c for c in ("invariants", "contents", "oracle") if c not in site.killed]
        if len(site.killed) == 1 and site.killed[0] in ("invariants", "contents", "oracle"):
            note(*explore(scratch, 6000, ",".join(rest), 0))
            if len(site.killed) == 1:
                note(*collisions(scratch, ",".join(rest)))
    finally:
        scratch.put(site.file, original)


def run_all(sites: list[Site], jobs: int, orderings: int) -> None:
    todo: queue.SimpleQueue[Site] = queue.SimpleQueue()
    for site in sites:
        todo.put(site)
    lock = threading.Lock()

    def work(folder: Path) -> None:
        scratch = Scratch(ROOT, folder, TEXTS)
        errors = scratch.make(*PROGRAMS)
        if errors:
            raise RuntimeError(errors)
        kind, text = next((r for r in (explore(scratch, 20000, "", 0), races(scratch),
                                       host_tests(scratch)) if r[0]), ("", ""))
        if kind:
            print(f"not mutated, and fails already: {text}", flush=True)
            os._exit(1)
        while True:
            try:
                site = todo.get_nowait()
            except queue.Empty:
                return
            judge(scratch, site, orderings)
            with lock:
                who = ", ".join(site.killed) or ("argued" if site.argued else "SURVIVED")
                print(f"{who:<32} {site.name}: {' '.join(site.text.split())[:70]}", flush=True)
                if site.evidence:
                    print(f"    {site.evidence}", flush=True)

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        threads = [threading.Thread(target=work, args=(Path(folder) / str(i),)) for i in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# --- the table -----------------------------------------------------------------------
def table(sites: list[Site]) -> str:
    lines = ["| site | what was changed | killed by |", "| --- | --- | --- |"]
    for site in sites:
        code = " ".join(site.text.split()).replace("|", "\\|")
        who = ", ".join(site.killed) or (f"equivalent: {site.argued}" if site.argued else "**survived**")
        lines.append(f"| {site.file} | {site.rule}: `{code[:60]}` | {who} |")
    return "\n".join(lines)


def summary(sites: list[Site]) -> str:
    killed = sum(bool(s.killed) for s in sites)
    argued = sum(not s.killed and bool(s.argued) for s in sites)
    twice = sum(len(s.killed) > 1 for s in sites)
    return (f"{len(sites)} sites, {twice} killed by two or more checks, {argued} argued equivalent; "
            f"{killed} killed, {len(sites) - killed - argued} survived")


def keep_in(doc: Path, text: str) -> None:
    begin, end = DOC_MARKS
    old = doc.read_text()
    if begin not in old or end not in old:
        raise SystemExit(f"error: {doc}: no place for the table ({begin})")
    head, rest = old.split(begin, 1)
    doc.write_text(head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the sites and stop")
    parser.add_argument("--only", default="", help="sites whose name and text this fits")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--doc", type=Path, help="file whose table is brought up to date")
    parser.add_argument("--orderings", type=int, default=150000,
                        help="per scheme and rule set, for what survives the first few")
    args = parser.parse_args()

    os.chdir(ROOT)
    sites = find_sites()
    stale = read_arguments(sites)
    sites = [s for s in sites if re.search(args.only, f"{s.name}: {s.text}")]
    if args.list:
        for site in sites:
            print(f"{site.name}: {' '.join(site.text.split())} -> {site.put}")
        print(f"{len(sites)} sites")
        return 0
    run_all(sites, min(args.jobs, len(sites)), args.orderings)
    print(table(sites))
    for section in stale:
        print(f"tools/mutants.cfg: no site fits [{section}]")
    line = summary(sites)
    if args.doc:
        keep_in(args.doc, f"{line}\n\n{table(sites)}")
    print(line)
    argued = sum(not s.killed and bool(s.argued) for s in sites)
    twice = sum(len(s.killed) > 1 for s in sites)
    survived = [s for s in sites if not s.killed and not s.argued]
    bad = survived or stale or argued > ARGUED_SHARE * len(sites) or 2 * twice < len(sites)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
