"""Mutation sites: where the memory manager's sources have a flush, a barrier, a wait, ..., by pattern rules."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILES = ("mm/gather.c", "mm/tlb_ipi.c", "mm/tlb_bcast.c", "mm/tlb_stage2.c", "mm/context.c", "mm/asid.c", "mm/generation.c",
         "mm/pgwalk.c", "mm/include/mm/pgwalk.h",
         "mm/include/mm/page.h", "mm/collect.c", "mm/migrate*.c", "mm/fault*.c", "mm/pin.c", "mm/include/mm/entry_page.h",
         "mm/hint.c", "mm/scan.c", "mm/scan_spare.c", "mm/softmmu.c", "mm/range.c", "mm/object.c", "mm/debt.c", "mm/deferral.c",
         "mm/knob.c", "mm/knobs.c",
         "mm/pmm.c", "mm/pmm_slow.c",
         "mm/split.c", "mm/aspace.c", "mm/change.c", "mm/include/mm/aspace.h",
         "mm/include/mm/migrate_batch.h", "mm/include/mm/takedown.h", "mm/include/mm/change.h", "kernel/include/kernel/cpumask.h",
         "mm/rules.c", "mm/defer/*.c", "mm/copies.c", "mm/file*.c", "mm/clean.c", "mm/dirty.c", "mm/cow.c", "mm/dup.c",
         "mm/reclaim*.c", "mm/swap*.c", "mm/page_lock.c", "mm/rmap_edit.c",
         "mm/store*.c", "mm/include/mm/page_lock.h", "mm/include/mm/slot.h", "mm/include/mm/object.h")


@dataclass
class Site:
    file: str
    line: int
    rule: str
    start: int  # offsets in the file
    end: int
    text: str
    put: str
    killed: dict[str, str] = field(default_factory=dict)  # kind of check -> what it said
    argued: str = ""

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line} {self.rule}"

    @property
    def key(self) -> str:
        """What identifies the site when lines move: file, rule and text."""
        return f"{self.file} {self.rule}: {' '.join(self.text.split())}"

    def apply(self, original: str) -> str:
        return original[:self.start] + self.put + original[self.end:]


def blank(text: str) -> str:
    """The same text with comments, strings and assertions as spaces."""
    return re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|\bASSERT\(.*?\);""",
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


def taken_as_true(name: str) -> Callable[[str], Iterator[tuple[int, int, str]]]:
    """Calls of this function: made, and taken as true whatever they return."""
    def find(code: str) -> Iterator[tuple[int, int, str]]:
        for match in re.finditer(rf"\b{name}\(", code):
            end = closing(code, match.end() - 1)
            if code[code.rfind("\n", 0, match.start()) + 1].isspace():  # else it is where the function is defined
                yield match.start(), end, f"({code[match.start():end]}, true)"
    return find


def relaxed_bits(code: str) -> Iterator[tuple[int, int, str]]:
    """Atomic OR and AND that order nothing: the model's operation, as the kernel has no such accessor."""
    for match in re.finditer(r"\batomic_fetch_(or|and)\(", code):
        end = closing(code, match.end() - 1)
        args = code[match.end():end - 1]
        comma = next(i for i, c in enumerate(args) if c == "," and args[:i].count("(") == args[:i].count(")"))
        place, bits = args[:comma], args[comma + 1:]
        if "wanted" not in place:  # a hint that changes only the order in which a batch moves
            yield (match.start(), end,
                   f"fake_rmw_({place}, FAKE_{match[1].upper()}, ({bits.strip()}), FAKE_RELAXED)")


COMPARED = r"(?:[^()]|\([^()]*\))*\) [!=]= "  # behind a load's opening parenthesis

RULES: list[tuple[str, Callable[[str], Iterator[tuple[int, int, str]]]]] = [
    # Not the call of tlb_flush_rolled_over(): its body is one flush.
    ("flush left out", statements(r"rule_flush_entry|flush(?=\(s, )|tlb_flush_(?!rolled_over)\w+|tlb_bcast_(?!prepare)\w+|"
                                  r"tlb_gather_flush|flush_here|tlb_expire|flush_owing|zap_flush|rmap_edit_end|context_leave")),
    ("not gathered", statements(r"tlb_gather_add\w*|issue_now|issue_entry|gather_range")),
    ("barrier left out", statements(r"smp_mb|smp_wmb|smp_rmb|tlb_bcast_prepare\w*|pt_publish")),
    # What is only compared carries no address dependency, so the model's does not stand in for the acquire.
    ("acquire weakened", replaced(rf"\bload_acquire\((?={COMPARED})", "load_compared(")),
    ("acquire weakened", replaced(rf"\bload_acquire\((?!{COMPARED})", "load_relaxed(")),
    # wanted: a hint that changes only the order in which a batch moves.
    ("release weakened", replaced(r"\bstore_release\((?!&m->wanted)", "store_relaxed(")),
    # Not where one more mapping is counted by somebody who has one: that orders nothing.
    ("barrier of an atomic weakened", replaced(r"\batomic_fetch_add\((?!.*mapcount)",
                                               "atomic_fetch_add_relaxed(")),
    ("barrier of an atomic weakened", replaced(r"\batomic_(xchg|cmpxchg)\((?!&m->wanted)",
                                               r"atomic_\1_acquire(")),
    ("barrier of an atomic weakened", relaxed_bits),
    ("wait left out", statements(r"wait_until\w*|migration_wait|wait_for_scan|spin_until\w*")),
    ("wake left out", statements(r"cpu_wake|reclaim_wake_waiters|wake_waiters|migration_wake|migration_want")),
    ("mask not updated", statements(r"cpumask_(?:un)?set(?:_atomic)?")),
    ("mask not collected", replaced(r"(?<=\t)bits \|= load_relaxed\([^;]+;", ";")),
    ("mask not looked at", replaced(r"load_relaxed\(&ctx->mask\.bits\[0\]\) != 1UL << cpu_id\(\) % 64",
                                    "false")),
    ("interrupt not sent", statements(r"ipi_send\w*|send_requests")),
    ("generation not stepped", replaced(r"atomic_fetch_add\((&[\w>.-]*gen), 1\)", r"load_relaxed(\1)")),
    ("generation not noted", replaced(r"[\w>.\[\]-]+(?:\.|->)gen = gen;", ";")),
    ("generation not noted", replaced(r"store_(?:relaxed|release)\(&[\w>.\[\]-]+(?:\.|->)gen, gen(?:\[i\])?\);", ";")),
    ("token not noted", replaced(r"[\w>.\[\]-]+\.token = token;", ";")),
    ("slot not forgotten", replaced(r"store_relaxed\(&[\w>-]+slots\[[^;]+\]\.ctx, NULL\);", ";")),
    ("keeps entries", replaced(r"\bkeep = found && [^;]+;", "keep = found;")),
    ("flushes one request too few", replaced(r"generation_is\(part->gen, mine \+ 1\) &&\s+generation_is\(part->gen, gen\)", "true")),
    ("flushes one request too few", replaced(r"generation_is\(slot->gen \+ 1, gen\)", "true")),
    ("generations not kept near", statements(r"tlb_keep_near")),
    ("generations not kept near", replaced(r"generation_raise\(&ctx->(?:owed|bcast_gen), gen\);", ";")),
    ("generations not kept near", replaced(r"store_relaxed\(&ctx->near, gen\);", ";")),
    ("full not noted", replaced(r"[\w.>-]*full = true;", ";")),
    ("recheck left out", replaced(r"pte_load\([\w.>-]+\)\.v (?:==|!=) (?:\w+->)?\w+\.v", "true")),
    ("recheck left out", replaced(r"pte_is_none\(pte_load\([\w.>&\[\]-]+\)\);", "true;")),
    ("recheck left out", replaced(r"!\(load_relaxed\(&page->flags\) & PG_ISOLATED\)", "true")),
    ("recheck left out", replaced(r"pte_pa\((?:old|pte), \S+\) != page_to_phys\(src\)", "false")),
    ("recheck left out", replaced(r"pte_pa\(pte, \S+\) == page_to_phys\((?:b->)?src\)", "true")),
    ("recheck left out", replaced(r" && w\.taken == load_relaxed\(&src->mapcount\)", "")),
    ("recheck left out", taken_as_true("freeze")),
    ("recheck left out", replaced(r"!changes && (?=s->ended)", "")),
    ("recheck left out", replaced(r"(?<=!changes) && s->ended == ended", "")),
    ("owed flush left out", replaced(r" \|\| (?:s->owing|\(gather->by_scanner && s->owing > 1\))", "")),
    ("owed flush left out", replaced(r"s->owing\+\+;", ";")),
    ("owed flush left out", replaced(r"s->owing \+= c->gathers \|\| flushes;", "s->owing += flushes;")),
    ("zap left out", replaced(r"\bzap_range\(s, &r\)", "false")),
    ("bits lost", replaced(r"\bgot\.v != t\.old\.v", "false")),
    ("recheck left out", replaced(r"(?:load_relaxed\(slot\)|slot_load\(slot\))\.v == seen\.v", "true")),
    ("recheck left out", replaced(r"!slot_is_none\(slot_load\(slot\)\)", "false")),
    ("recheck left out", replaced(r"(?<=return )!slot_is_page\(at->seen\)", "!pte_is_leaf(f->seen, 0)")),
    ("recheck left out", replaced(r"(?:\w+->)?index >= load_relaxed\(&[\w>-]+->size\)", "false")),
    ("recheck left out", replaced(r"\(?\*?\bpage\)?->object == file(?=[;) ])", "true")),
    ("recheck left out", replaced(r"(?<!dirty_too && )load_relaxed\(&page->flags\) & PG_DIRTY(?=\))", "false")),
    ("recheck left out", replaced(r"page->object != r->file", "false")),
    ("recheck left out", replaced(r"!is_ours_alone\(page, f->refs\)", "false")),
    ("pins not looked at", replaced(r"atomic_fetch_or_relaxed\(&page->flags, \(u32\)PG_EXCLUSIVE\);", ";")),
    ("pins not looked at", replaced(r"\b(?:page_pins|leave_is_pinned)\([\w>-]+\)", "false")),
    ("locked page gets a writable entry", replaced(r"(?<=if \()flags & PG_LOCKED(?=\)\n\t\t\treturn false)", "false")),
    ("owed flush left out", replaced(r"!aspace_owes\([\w>.-]+\)", "true")),
    ("owed flush left out", statements(r"owing_begins")),
    ("dirty mark left out", statements(r"page_mark_dirty")),
    ("older frame not looked for", replaced(r"at->names \|\| at->moves", "at->names")),
    ("older frame not looked for", replaced(r"t->moving = at->ptep;", ";")),
    ("isolation not exclusive", taken_as_true("page_isolate")),
    ("flush not pending", statements(r"hint_flush_begins|hint_flush_ended")),
    ("flush not pending", replaced(r" \|\| load_relaxed\(&\w+->flush_pending\)", "")),
    ("debts not paid", statements(r"pay|pay_now|deferral_frames_leave|knob_hooks.settle|debts_owe|copies_mark")),
    ("debts not paid", replaced(r"return debts_pay\(&debts\);", "return 0;")),
    ("debts not paid", replaced(r"(?<=return )debts_owes\([^;]+(?=;)|(?<!if \()\bhas_older_copies\(scope->page\)", "false")),
    ("debts not paid", replaced(r"store_relaxed\(&dst->flags, load_relaxed\(&dst->flags\) \| PG_COPIED\);", ";")),
    ("generation not stepped", statements(r"tlb_owe")),
    ("defers writable entries", replaced(r"if \(pte_is_writable\(leaf\)\)(?=\s+\*may_wait)", "if (false)")),
    ("defers though an entry objects", replaced(r"(?<=return )w->may_wait && ", "")),
    ("waits with a page table locked", statements(r"make_room")),
    ("subscriber not told", statements(r"change_taken(?:_tell)?|change_end|change_tell_end|wait_for_others")),
    ("hook left out", replaced(r"KEEP\(pay, no_pay\)", ".pay = wanted->pay")),
    ("rollover without a flush", replaced(r"flush_due\) = true;", "flush_due);")),
    ("ASID not kept apart", replaced(r"used_test_and_set\(\(u16\)token\);", ";")),
    ("upgrade without a flush", replaced(r"same && rules\.upgrade\[what\]", "false")),
]


def find_sites(root: Path) -> tuple[list[Site], dict[str, str]]:
    """All sites, and the texts of the files that they are in."""
    sites: list[Site] = []
    texts: dict[str, str] = {}
    taken: set[tuple[str, int, str]] = set()
    for pattern in FILES:
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root))
            text = texts[name] = path.read_text()
            code = blank(text)
            for rule, find in RULES:
                for start, end, put in find(code):
                    if (name, start, put) in taken:
                        continue
                    taken.add((name, start, put))
                    line = text.count("\n", 0, start) + 1
                    sites.append(Site(name, line, rule, start, end, text[start:end], put))
    return sorted(sites, key=lambda s: (s.file, s.line)), texts


def names_of(sites: list[Site]) -> list[str]:
    """Unique and the same when lines move: sites that look alike are numbered."""
    seen: dict[str, int] = {}
    names = []
    for site in sites:
        seen[site.key] = seen.get(site.key, 0) + 1
        names.append(f"{site.key} #{seen[site.key]}")
    return names


def how_to_argue(config: str, section: str) -> str:
    """For whoever reads of a survivor: where an argument is written, and how its section is named."""
    return ("A survivor wants a test that sees it. If nothing can, since what it breaks cannot be told from outside, "
            f"{config} says so: a section [{section}], as --list prints it, with a line `why = ...`.")


def read_arguments(path: Path, sites: list[Site]) -> list[str]:
    """Fill in what the file argues; returns entries that fit no site."""
    names = names_of(sites)
    config = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(path)
    stale = []
    for section in config.sections():
        found = [s for s, name in zip(sites, names) if name.startswith(section)]
        for site in found:
            site.argued = " ".join(config[section]["why"].split())
        if not found:
            stale.append(section)
    return stale
