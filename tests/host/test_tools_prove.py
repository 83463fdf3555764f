#!/usr/bin/env python3
"""Tests of what holds the sources and the proofs to their word: check, planted, prove, the protocol's mutants, and what they share."""

import contextlib
import io
import os
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import check  # noqa: E402
import mutants  # noqa: E402
import planted  # noqa: E402
import prove  # noqa: E402
from tarrylib.prove import keep, rooms, scratch, sites  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def refused(name: str, says: str, what, *args: object, kind: type[BaseException] = planted.ConfigError) -> None:
    try:
        OUT.result(name, False, f"accepted: {what(*args)!r}")
    except kind as error:
        OUT.result(name, says in str(error), str(error))


def silently(body, *args: object) -> tuple[object, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        return body(*args), said.getvalue()


@contextlib.contextmanager
def in_tree(files: dict[str, str]):
    """A folder with these files, and the program in it."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if text.endswith("\n") else f"{text}\n")
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


# --- check: each rule sees its offence on its line, and lets pass what is beside it ---------------
def offences(rule, files: dict[str, str]) -> list[str]:
    with in_tree(files):
        return [line.split(": ")[0] for line in rule(check.load_sources())]


TLB_H = "/* x */\n" + "".join(f"void tlb_flush_{n}(int a);\n" for n in "abcde") + "void tlb_bcast_x(void);\n"
PGTABLE_H = "/* x */\nvoid pte_store(int a);\nint pte_xchg(int a);\nint pte_cmpxchg(int a);\n"
STATS_H = """/* x */
#define LIST(X) X(moved) X(lost)
struct mm_counters {
\tu64 other, waits[4];
};
"""

RULES = (
    ("layering", check.layering, {"kernel/lib/a.c": "/* x */\n#include <kernel/list.h>\n#include <stdint.h>\n#include <mm/pmm.h>\n"},
     ["kernel/lib/a.c:4"]),
    ("layering-mm", check.layering, {"mm/a.c": "#include <kernel/bench.h>\n#include <arch/tlb.h>\n#include <boot/fdt.h>\n"},
     ["mm/a.c:1", "mm/a.c:3"]),
    ("layering-defer", check.layering, {"mm/defer/a.c": "#include <mm/tlb.h>\n#include <mm/pmm.h>\n"}, ["mm/defer/a.c:2"]),
    ("layering-quoted", check.layering, {"mm/a.c": '#include "b.h"\n#include "../x/b.h"\n', "tests/unit/a.c": '#include "../b.h"\n'},
     ["mm/a.c:2"]),
    ("layering-comment", check.layering, {"kernel/lib/a.c": "/*\n#include <mm/pmm.h>\n*/\n"}, []),
    ("layering-elsewhere", check.layering, {"tests/a.c": "#include <any/thing.h>\n", "kernel/core/main.c": "#include <boot/x.h>\n"}, []),
    ("folders", check.folders, {"mm/a.c": "", "mm/new/a.c": "", "kernel/lib/a.c": "", "arch/riscv/a.c": "", "linker.ld": ""},
     ["arch/riscv/a.c:1", "mm/new/a.c:1"]),
    ("library", check.lib_headers, {"kernel/include/kernel/list.h": "#include <kernel/types.h>\n#include <kernel/smp.h>\n",
                                    "kernel/include/kernel/smp.h": "#include <arch/cpu.h>\n"}, ["kernel/include/kernel/list.h:2"]),
    ("flushes", check.flushes, {"arch/include/arch/tlb.h": TLB_H, "mm/range.c": "\nx = tlb_flush_a(1);\n", "arch/x86_64/a.c": "tlb_flush_a(1);",
                                "mm/gather.c": "tlb_flush_b(1);\ntlb_bcast_x();\n", "tests/a.c": "tlb_flush_a (2);",
                                "kernel/core/a.c": "\n\ntlb_bcast_x ();\nipi_send(1, IPI_TLB);\nipi_send_all(IPI_WAKE);\n",
                                "mm/tlb_ipi.c": "ipi_send(2, IPI_TLB);"}, ["kernel/core/a.c:3", "mm/range.c:2", "kernel/core/a.c:4"]),
    ("flushes-few", check.flushes, {"arch/include/arch/tlb.h": TLB_H.replace("tlb_flush_a", "x").replace("tlb_bcast_x", "y")},
     ["arch/include/arch/tlb.h"]),
    ("entries", check.entry_writes, {"arch/include/arch/pgtable.h": PGTABLE_H, "mm/pgwalk.c": "pte_store(1);", "boot/a.c": "pte_xchg(1);",
                                     "mm/range.c": "x;\npte_cmpxchg(1);\npte_load(1);\n"}, ["mm/range.c:2"]),
    ("entries-gone", check.entry_writes, {"arch/include/arch/pgtable.h": "/* x */\nvoid pte_store(int a);\n"},
     ["arch/include/arch/pgtable.h"] * 2),
    ("neutral", check.neutral, {"mm/a.c": "int asm_x;\n\tasm volatile(\"x\");\n#if defined(__x86_64__)\n#ifdef __LP64__\n", "boot/a.c": "asm(\"\");",
                                "mm/b.S": "", "arch/a.S": "", "linker.ld": "#if __aarch64__\n"}, ["mm/a.c:2", "mm/a.c:3", "mm/b.S:1"]),
    ("accessors", check.accessors, {"mm/a.c": "int volatiles;\nvolatile int x;\n__atomic_load(x);\n", "arch/a.c": "volatile int x;",
                                    "kernel/include/kernel/atomic.h": "volatile", "tools/a.c": "volatile int x;"}, ["mm/a.c:2", "mm/a.c:3"]),
    ("words", check.words, {"mm/a.c": "/* a\n * " + "TO" + "DO: b */\nint TODOS;\n"}, ["mm/a.c:2"]),
    ("first-line", check.first_line, {"mm/a.c": "/* x */\n", "mm/b.c": "int x;\n/* y */\n"}, ["mm/b.c:1"]),
    ("counters", check.counters, {"mm/include/mm/stats.h": STATS_H, "mm/a.c": "count(moved); count_add(lost, 2); me->other++; c->waits[1] += 3;",
                                  "kernel/bench/report/record.c": "c->other + mm.waits"}, []),
    ("counters-not-counted", check.counters, {"mm/include/mm/stats.h": STATS_H, "arch/fake/a.c": "count(moved);", "mm/a.c": "count(lost); x.waits[0]++;",
                                              "kernel/bench/report/record.c": "c->other + c->waits"}, ["mm/include/mm/stats.h:1"] * 2),
    ("counters-not-printed", check.counters, {"mm/include/mm/stats.h": STATS_H, "mm/a.c": "count(moved); count(lost); me->other++; c->waits[1]++;",
                                              "kernel/bench/report/record.c": "c->others"}, ["mm/include/mm/stats.h:1"] * 2),
    ("counters-no-list", check.counters, {"mm/include/mm/stats.h": "/* x */\n"}, ["mm/include/mm/stats.h:1"]),
)


def test_check() -> None:
    for name, rule, files, expected in RULES:
        equal(f"check.{name}", offences(rule, files), expected)
    with in_tree({"arch/x.h": '/* tlb_a( */\nint tlb_b(int a);\nint tlb_b(int b);\nx = "tlb_c(";\nint my_tlb_d(void);\nint tlb_a(void);\n'}):
        equal("check.declared", check.declared("arch/x.h", r"tlb_\w+"), ["tlb_a", "tlb_b"])
        equal("check.sources", [s.name for s in check.load_sources()], ["arch/x.h"])

    def program(*argv: str) -> tuple[object, list[str]]:
        sys.argv, before = ["check.py", *argv], os.getcwd()
        try:
            code, said = silently(check.main)
        finally:
            os.chdir(before)
        return code, said.splitlines()

    equal("check.only", program("--only", "first-line"), (0, ["ok      first-line", "1 passed, 0 failed, 0 skipped"]))
    equal("check.none", program("--only", "no such check"), (1, ["0 passed, 0 failed, 0 skipped"]))
    real, check.TEXT_RULES["first-line"] = check.TEXT_RULES["first-line"], lambda sources: iter(["a.c:1: b"])
    equal("check.fails", program("--only", "first-line"), (1, ["not ok  first-line", "        a.c:1: b", "0 passed, 1 failed, 0 skipped"]))
    check.TEXT_RULES["first-line"] = real


# --- rooms ------------------------------------------------------------------------------------------
def test_rooms() -> None:
    def found(files: dict[str, str]) -> list[str]:
        return [line.split(":", 1)[0].removeprefix("tools/tarrylib/") + line.split(":1", 1)[1] for line in rooms.check(files)]

    equal("rooms.now", list(rooms.check(rooms.load())), [])
    equal("rooms.none", found({"loose.py": ""}), ["loose.py: in no room (ROOMS in tools/tarrylib/prove/rooms.py)"])
    equal("rooms.allowed", found({"report/a.py": "from ..run import ktap\nfrom ..run.ktap import X\nfrom . import b\nimport re\n",
                                  "report/b.py": "from .c import d\n", "report/c.py": "", "run/ktap.py": ""}), [])
    equal("rooms.wrong-way", found({"run/a.py": "from ..report import b\n", "report/b.py": ""}), ["run/a.py: may not import report.b"])
    equal("rooms.program", found({"run/a.py": "import launch\n"}), ["run/a.py: may not import launch"])
    equal("rooms.circle", [line.split(": ")[1][:19] for line in found({"run/a.py": "from . import b\n", "run/b.py": "from .a import c\n"})],
          ["in a circle with ru"])
    equal("rooms.imported", list(rooms.imported("report/a.py", "import x.y\nfrom ..run import k, l\nfrom .m import n\n"
                                                               "from tarrylib.run import o\nfrom . import p\n")),
          ["x.y", "run.k", "run.l", "report.m.n", "run.o", "report.p"])


# --- tables in documents, scratch copies, sites ----------------------------------------------------
def test_shared() -> None:
    with in_tree({"d.md": "a\n<!-- t: begin -->\nold\n<!-- t: end -->\nb\n", "e.md": "<!-- t: begin -->\n"}) as folder:
        keep.keep_in(folder / "d.md", "t", "new\nrows")
        equal("keep.replaced", (folder / "d.md").read_text(), "a\n<!-- t: begin -->\nnew\nrows\n<!-- t: end -->\nb\n")
        keep.keep_in(folder / "d.md", "t", "x")
        equal("keep.again", (folder / "d.md").read_text(), "a\n<!-- t: begin -->\nx\n<!-- t: end -->\nb\n")
        refused("keep.no-end", "no place for the table", keep.keep_in, folder / "e.md", "t", "x", kind=ValueError)
        refused("keep.other-name", "no place for the table", keep.keep_in, folder / "d.md", "u", "x", kind=ValueError)
    for text, kind in (("lock order: a", "locks"), ("ends with the spinlock of", "locks"), ("x: I2: y", "invariants"), ("panic: oracle: z", "oracle"),
                       ("CPU 1 reads 3", "contents"), ("lost write", "contents"), ("deadlock", "progress"), ("no end", "progress"),
                       ("still a fault", "progress"), ("a.c:3: race: b", "races"), ("panic: b", "assertion"), ("references at the end", "end state"),
                       ("after settling", "end state"), ("a subscriber is called that is gone", "subscribers"), ("SIGSEGV", "crash")):
        equal(f"kind.{text.replace(' ', '-').replace(':', '').lower()}", scratch.kind_of(text), kind)
    with in_tree({"Makefile": "all:\nbuild/good:\n\t@true\nbuild/bad:\n\t@echo wrong >&2; false\nbuild/arch:\n\t@test $(ARCH) = arm64\n",
                  "mm/a.c": "old", "tests/host/b.c": "kept", "notes/c": "not copied"}) as folder:
        copy = scratch.Scratch(folder, folder / "copy", {"mm/a.c": "new"})
        equal("scratch.copied", [(folder / "copy" / n).exists() for n in ("Makefile", "mm/a.c", "tests/host/b.c", "notes/c", "linker.ld")],
              [True, True, True, False, False])
        equal("scratch.texts", (folder / "copy/mm/a.c").read_text(), "new")
        (folder / "build/host/t.obj/mm").mkdir(parents=True)
        (folder / "build/host/t.obj/mm/a.o").touch()
        os.utime(folder / "build/host/t.obj/mm/a.o", ns=(7, 7))
        copy.take_built(folder, "host/t.obj", "host/none.obj")
        equal("scratch.take-built", ((copy.folder / "build/host/t.obj/mm/a.o").stat().st_mtime_ns, (copy.folder / "build/host/none.obj").exists()),
              (7, False))
        copy.put("mm/a.c", "newer")
        equal("scratch.original-untouched", (folder / "mm/a.c").read_text(), "old\n")
        equal("scratch.make", (copy.make("good"), "wrong" in copy.make("bad"), copy.make("arch", arch="arm64")), ("", True, ""))
        other = copy.copy(folder / "other")
        equal("scratch.copy", (other.folder / "mm/a.c").read_text(), "newer")
        equal("scratch.run", copy.run(["sh", "-c", "echo a; echo b >&2; exit 3"]), (3, "a\nb\n"))
        equal("scratch.run-there", copy.run(["cat", "mm/a.c"], cpu=0), (0, "newer"))
        equal("scratch.no-end", copy.run(["sleep", "30"], timeout=0.2), (124, "# timeout: no end"))
        equal("scratch.cpu-limit", copy.run(["sh", "-c", "while :; do :; done"], cpu=1)[0] != 0, True)
        refused("scratch.not-run", "cannot be run", copy.run, ["./nothing"], kind=OSError)
        os.environ["BUILD"], os.environ["KEPT"] = "x", "y"
        equal("scratch.env", ("BUILD" in copy.env, copy.env["KEPT"]), (False, "y"))
        del os.environ["BUILD"], os.environ["KEPT"]


SITES_C = """\
void f(void)
{
\ttlb_flush_all(1, g(2)); /* tlb_flush_all(3); */
\tsmp_mb();
\tif (pte_load(a).v == old.v)
\t\tx = load_acquire(&y);
\tcpumask_set(&m, 1);
\tsmp_mb();
}
#define Z load_acquire(&q)
"""


def test_sites() -> None:
    with in_tree({"mm/gather.c": SITES_C, "args.cfg": "[mm/gather.c barrier left out: smp_mb(); #2]\nwhy = one\n\ttwo\n[mm/none.c x]\nwhy = z\n"}) as folder:
        found, texts = sites.find_sites(folder)
        equal("sites.found", [(s.line, s.rule, s.text, s.put) for s in found],
              [(3, "flush left out", "tlb_flush_all(1, g(2));", ";"), (4, "barrier left out", "smp_mb();", ";"),
               (5, "recheck left out", "pte_load(a).v == old.v", "true"), (6, "acquire weakened", "load_acquire(", "load_relaxed("),
               (7, "mask not updated", "cpumask_set(&m, 1);", ";"), (8, "barrier left out", "smp_mb();", ";")])
        equal("sites.names", sites.names_of(found)[1::4], ["mm/gather.c barrier left out: smp_mb(); #1",
                                                          "mm/gather.c barrier left out: smp_mb(); #2"])
        equal("sites.stale", sites.read_arguments(folder / "args.cfg", found), ["mm/none.c x"])
        equal("sites.argued", [s.argued for s in found], ["", "", "", "", "", "one two"])
        equal("sites.applied", found[0].apply(texts["mm/gather.c"]), SITES_C.replace("tlb_flush_all(1, g(2));", ";"))
        equal("sites.name", found[0].name, "mm/gather.c:3 flush left out")
    equal("sites.blank", sites.blank("a /* b\nc */ \"d\\\"e\" 'f' // g\nh"), "a     \n                    \nh")


def test_sites_of_the_tree() -> None:
    """A rule or an argument that fits nothing any more protects nothing, and nobody would notice."""
    equal("sites.files", [pattern for pattern in sites.FILES if not any(ROOT.glob(pattern))], [])
    codes = [sites.blank(path.read_text()) for pattern in sites.FILES for path in ROOT.glob(pattern)]
    equal("sites.rules", [f"{number} {rule}" for number, (rule, find) in enumerate(sites.RULES)
                          if not any(True for code in codes for _ in find(code))], [])
    equal("sites.arguments", sites.read_arguments(ROOT / "tools/mutants.cfg", sites.find_sites(ROOT)[0]), [])
    equal("sites.blank-length", len(sites.blank('x "a\\"b" /* c */ y')), len('x "a\\"b" /* c */ y'))
    equal("sites.closing", [sites.closing("f(a(b)c)d", 1), sites.closing("(a", 0)], [8, 2])


# --- the protocol's mutants: how they are counted --------------------------------------------------
def site(number: int, kills: int, argued: str = "") -> sites.Site:
    one = sites.Site("mm/a.c", number, "rule", 0, 1, f"text | {number}", ";", argued=argued)
    one.killed = {f"check {i}": "said" for i in range(kills)}
    return one


def test_mutants() -> None:
    def good(twice: int, once: int, argued: int, survived: int, whole: bool = True) -> bool:
        return mutants.Tally([site(i, 2) for i in range(twice)] + [site(i, 1) for i in range(once)]
                             + [site(i, 0, "why") for i in range(argued)] + [site(i, 0) for i in range(survived)]).good(whole)

    equal("tally.good", [good(50, 40, 10, 0), good(49, 41, 10, 0), good(50, 39, 11, 0), good(50, 39, 10, 1), good(1, 0, 0, 0)],
          [True, False, False, False, True])
    equal("tally.good-part", [good(1, 5, 2, 0, False), good(8, 0, 0, 1, False)], [True, False])
    tally = mutants.Tally([site(1, 2), site(2, 1), site(3, 0, "why"), site(4, 0), site(5, 1, "why")])
    equal("tally.text", str(tally), "5 sites, 1 killed by two or more checks, 1 argued equivalent; 3 killed, 1 survived")
    equal("mutants.table", mutants.table([site(1, 2), site(2, 0, "why"), site(3, 0)]).splitlines()[2:],
          ["| mm/a.c | rule: `text \\| 1` | check 0, check 1 |", "| mm/a.c | rule: `text \\| 2` | equivalent: why |",
           "| mm/a.c | rule: `text \\| 3` | **survived** |"])
    equal("mutants.digest", (mutants.digest({"a": b"b"}) == mutants.digest({"a": b"b"}), mutants.digest({"a": b"b"}) == mutants.digest({"a": b"c"}),
                             len(mutants.digest({}))), (True, False, 12))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sub/r.json"
        first = mutants.Results(path, {"mm/a.c": "text"}, False, False)
        first.add(site(1, 1), "one", 1)
        first.add(site(2, 0), "two", 2)

        def passes(resume: bool, keep_kills: bool, tree: str = "", text: str = "text") -> tuple[int, int, int]:
            results = mutants.Results(path, {"mm/a.c": text}, resume, keep_kills)
            results.tree = tree or results.tree
            return results.passes(site(1, 0), "one"), results.passes(site(2, 0), "two"), len(results.taken)

        equal("results.fresh", passes(False, False), (0, 0, 0))
        equal("results.resumed", passes(True, False), (1, 2, 0))
        equal("results.other-tree", passes(True, False, "x"), (0, 0, 0))
        equal("results.kept", passes(False, True, "x"), (1, 0, 1))
        equal("results.kept-not-changed-file", passes(False, True, "x", "other"), (0, 0, 0))

    class Host:
        """A scratch copy whose programs end in turn like this."""
        def __init__(self, *ends: tuple[int, str]):
            self.ends, self.ran = list(ends), []

        def run(self, argv: list[str], **_: object) -> tuple[int, str]:
            self.ran.append(argv)
            return self.ends[min(len(self.ran), len(self.ends)) - 1]

    def explored(*ends: tuple[int, str], **more: object) -> tuple[mutants.Found, list[list[str]]]:
        host = Host(*ends)
        return silently(lambda: mutants.explore(host, 7, 2, **more))[0], host.ran

    failing = (1, "noise\n# x86, scheme a, scenario b: I3: c\n# execution 5 of 6: --replay 'x'\n")
    found, ran = explored((0, ""), failing)
    equal("explore.found", found, ("invariants", "x86, scheme a, scenario b: I3: c; execution 5 of 6: --replay 'x'"))
    equal("explore.argv", [argv[-1] for argv in ran], ["batch+defer=skeleton", "baseline"])
    equal("explore.limits", ran[0][1:8], ["--stop", "--jobs", "1", "--orderings", "7", "--bound", "2"])
    found, ran = explored((0, ""), checks=["oracle"], scenario="s", schemes=("never",), rules="arm64")
    equal("explore.options", (found, ran[0][8:]), (("", ""), ["--checks", "oracle", "--scenario", "s", "--rules", "arm64", "--scheme", "never"]))
    equal("races.found", silently(mutants.races, Host((1, "# a: race: b")))[0], ("races", "a: race: b"))
    equal("races.silent", silently(mutants.races, Host((1, "x")))[0], ("", ""))
    equal("host.sanitizer", silently(mutants.host_tests, Host((0, ""), (1, "x\n==1==ERROR: AddressSanitizer: y\n")))[0],
          ("host tests", "test_mm_arm64: ==1==ERROR: AddressSanitizer: y"))
    equal("host.status", silently(mutants.host_tests, Host((3, "")))[0], ("host tests", "test_mm: exit status 3"))
    for check, counts in ((mutants.narrow, {"gather": 7, "hint": 1, "object": 1, "reclaim": 2, "pmm": 0}),
                          (mutants.alone, {"reclaim": 2, "cow": 1, "split": 1, "pmm": 0})):
        for name, expected in counts.items():
            host = Host((0, ""))
            silently(check, host, f"mm/{name}.c")
            equal(f"{check.__name__}.{name}", len(host.ran), expected)


# --- planted ------------------------------------------------------------------------------------------
CONFIG = """
[a]
kind = one  kind
what = a thing
find = call(x); y = 1;
put = y = 2;
check = invariants, oracle
schemes = s1 s2 s3
without = s2
orderings = 5
where = x86 s1 sc
    arm64 s3 sd
boot = x86_64 some words
    arm64 nothing
says = words
[b]
kind = two
why = it cannot
[c]
kind = three
find = call(z);
find2 = other(1);
put2 = other(2);
in = kernel/core
check = races
program = explore_races
only = x*
alone = races
hidden = it  is
cmd = show
"""


def test_planted() -> None:
    sources = {name: (text, planted.without_comments(text)) for name, text in {
        "mm/a.c": "void f(void)\n{\n\tcall(x);\n\n\ty  =\t1;\n\t/* call(x); y = 1; */\n}\n",
        "kernel/core/b.c": "call(z); other(1); mid(3);\n", "mm/c.c": "twice(); twice();\n"}.items()}
    equal("planted.comments", planted.without_comments("a /* b\nc */ d"), "a     \n     d")
    file, start, end = planted.locate("call(x); y = 1;", ["mm"], {**sources, "mm/a.c": (sources["mm/a.c"][0], sources["mm/a.c"][1].replace("y  =", "y ="))})
    equal("planted.locate", (file, start), ("mm/a.c", 16))
    refused("planted.no-place", "no places in mm", planted.locate, "gone();", ["mm"], sources)
    refused("planted.two-places", "2 places in mm", planted.locate, "twice();", ["mm"], sources)
    refused("planted.other-folder", "no places in mm/x", planted.locate, "call(x);", ["mm/x"], sources)
    with in_tree({"planted.cfg": CONFIG, "mm/a.c": "{\n\tcall(x);\n\ty = 1;\n}\n", "kernel/core/b.c": "call(z); other(1); mid(3);\n"}) as folder:
        saved = planted.CONFIG, planted.ROOT
        planted.CONFIG, planted.ROOT = folder / "planted.cfg", folder
        a, b, c = planted.read_config(["s1", "s9"])
        equal("planted.a", (a.kind, a.what, a.edits, a.schemes, a.rules, a.checks, a.orderings, a.where, a.boot, a.says, a.program),
              ("one kind", "a thing", {"mm/a.c": "{\n\ty = 2;\n}\n"}, ["s1", "s3"], ["x86", "arm64"], ["invariants", "oracle"], 5,
               [["x86", "s1", "sc"], ["arm64", "s3", "sd"]], {"x86_64": "some words", "arm64": "nothing"}, "words", "explore"))
        equal("planted.b", (b.why, b.edits, b.bad), ("it cannot", {}, False))
        equal("planted.c", (c.edits, c.schemes, c.program, c.only, c.alone, c.hidden, c.boot_cmd, c.orderings),
              ({"kernel/core/b.c": "; other(2); mid(3);\n"}, ["s1", "s9"], "explore_races", "x*", "races", "it is", "show", 20000))
        (folder / "mm/a.c").write_text("{}\n")
        refused("planted.does-not-fit", "tools/planted.cfg [a]: no places in mm", planted.read_config, [])
        planted.CONFIG, planted.ROOT = saved

    class Bench:
        def __init__(self, *ends: tuple[int, str]):
            self.ends, self.ran, self.undone, self.built = list(ends), [], 0, []

        def run(self, argv: list[str], _: float) -> tuple[int, str]:
            self.ran.append(argv)
            return self.ends[min(len(self.ran), len(self.ends)) - 1]

        def plant(self, m: planted.Mistake):
            def undo() -> None:
                self.undone += 1
            return undo

        def build(self, programs: list[str]) -> None:
            self.built.append(programs)

        def rebuild(self, m: planted.Mistake) -> None:
            planted.Bench.rebuild(self, m)

        steps = {"explore": {}}

    with tempfile.TemporaryDirectory() as name:
        bench = Bench()
        bench.folder, bench.env = Path(name), dict(os.environ)
        bench.steps = {"explore": {"mm/a.c": "echo a >> ran", "mm/b.c": "echo bad >&2; false", "explore": "echo link >> ran"}}
        planted.Bench.rebuild(bench, planted.Mistake("n", "k", "w", "", edits={"mm/a.c": ""}))
        equal("planted.rebuild", ((bench.folder / "ran").read_text(), bench.built), ("a\nlink\n", []))
        planted.Bench.rebuild(bench, planted.Mistake("n", "k", "w", "", edits={"mm/a.c": "", "mm/a.h": ""}))
        equal("planted.rebuild-header", bench.built, [["explore"]])
        refused("planted.rebuild-fails", "bad", planted.Bench.rebuild, bench, planted.Mistake("n", "k", "w", "", edits={"mm/b.c": ""}),
                kind=RuntimeError)

    shown = "# x86, scheme s1, scenario sc: I3: bad words\n# execution 12 of 20: --replay 'x86 s1 sc eager 5c1'\n"
    found = planted.explore(Bench((1, shown)), ["p"], "s1", "x86-pcid", 9, "sc")
    equal("planted.found", (found.check, found.executions, found.replay, found.text),
          ("invariants", 12, "x86 s1 sc eager 5c1", "x86, scheme s1, scenario sc: I3: bad words"))
    bench = Bench((0, ""))
    planted.explore(bench, ["p"], "s1", "x86-pcid", 9, "sc")
    equal("planted.argv", bench.ran[0], ["p", "--stop", "--jobs", "1", "--orderings", "9", "--scheme", "s1", "--rules", "x86",
                                         "--variant", "x86-pcid", "--scenario", "sc"])
    equal("planted.locks", planted.explore(Bench((1, "# lock order: a b\n")), ["p"], "s", "x86", 1, "").check, "locks")
    equal("planted.silent", planted.explore(Bench((0, shown)), ["p"], "s", "x86", 1, "").check, "")

    def judged(*ends: tuple[int, str], soonest: bool = True, says: str = "words") -> tuple[str, int, int, bool]:
        m = planted.Mistake("n", "k", "w", "", rules=["x86", "arm64"], schemes=["s1"], checks=["invariants"], says=says,
                            where=[["x86", "s1", "sc"]])
        bench = Bench(*ends)
        planted.judge(bench, m, soonest)
        return m.found[0].wrong, len(m.found), bench.undone, m.bad

    again, clean = (1, "I3: bad words"), (0, "passes")
    equal("planted.good", judged((1, shown), again, clean, (0, "")), ("", 1, 1, False))
    equal("planted.everywhere", judged((1, shown), again, clean, (0, ""), (1, shown), again, clean, (0, ""), soonest=False)[1], 2)
    equal("planted.not-found", judged((0, ""))[::3], ("not found in 20000 orderings", True))
    equal("planted.other-check", judged((1, shown.replace("I3: ", "lost write ")))[0].startswith("found by contents, not by invariants"), True)
    equal("planted.other-words", judged((1, shown), says="else")[0].startswith("found by invariants"), True)
    equal("planted.no-schedule", judged((1, shown.splitlines()[0] + "\n"))[0].startswith("found without a schedule"), True)
    equal("planted.not-again", judged((1, shown), (0, "passes"))[0].startswith("the schedule does not show it again"), True)
    equal("planted.fails-clean", judged((1, shown), again, (1, "x"))[0].startswith("without the mistake the schedule fails"), True)
    equal("planted.fails-clean-plan", judged((1, shown), again, clean, (1, shown))[0].startswith("without the mistake the plan fails"), True)
    m = planted.Mistake("n", "k", "w", "", found=[planted.Found("batch+defer=x", "x86", "oracle", "text", "a b c", 5),
                                                 planted.Found("s2", "x86", "oracle", "text", "a b", 0)], hidden="no", booted={"x86_64": "said"})
    equal("planted.orderings", planted.orderings_of(m), "x86: x 5, s2 any")
    none = planted.Mistake("o", "k2", "", "because")
    lost = planted.Mistake("p", "k", "v", "", found=[planted.Found("s", "x86", wrong="not found")])
    equal("planted.table", planted.table([m, none, lost]).splitlines()[2:],
          ["| k | w | oracle | x86: x 5, s2 any | `a b` | x86_64: said; no |", "| k2 | - | does not apply: because | | | |",
           "| k | v | **nothing** |  |  |  |"])
    equal("planted.summary", planted.summary([m, none, lost]), "2 mistakes of 1 kinds, tried 3 times: 1 found, 1 not found; 1 kinds do not apply")
    equal("planted.describe", planted.describe(lost).splitlines(), ["p: k: v", "    x86 s: not found"])
    equal("planted.describe-found", planted.describe(m).splitlines()[1:4],
          ["    x86 batch+defer=x: found by oracle in 5 executions", "        text", "        --replay 'a b c'"])
    for boots, bad in (({"x86_64": "said"}, False), ({"x86_64": "NOT seen"}, True)):
        equal(f"planted.boot-bad-{bad}".lower(), planted.Mistake("q", "k", "", "", boot={"x86_64": "x"}, booted=boots).bad, bad)
    equal("planted.nothing-tried-is-bad", planted.Mistake("q", "k", "", "").bad, True)

    def booted(code: int, out: str, expected: str) -> str:
        class Copy:
            def put(self, *_: str) -> None:
                pass

            def run(self, *_: object) -> tuple[int, str]:
                return code, out
        return planted.boot(Copy(), planted.Mistake("q", "k", "", ""), "x86_64", expected)

    equal("planted.boot", [booted(1, "a\npanic:  it is\n", "panic: +it is"), booted(0, "panic: it", "panic"), booted(0, "", "nothing"),
                           booted(1, "x", "nothing"), booted(1, "x", "y")],
          ["panic: it is", "NOT seen: panic: it", "nothing", "NOT silent: x", "NOT seen: x"])


# --- prove ----------------------------------------------------------------------------------------------
EXPLORED = """\
# x86 new: 3 scenarios, 4567 distinct orderings, 9 executions, bound 2 exhausted in 2 of them, conflicting pairs in both orders 5 of 6
# product of 12 combinations, x86 new: 11 of them, 1 left out, and so on, 890 distinct
# x86, scheme new, scenario a: I1: frame
"""


def test_prove() -> None:
    equal("prove.of-explorer", prove.of_explorer(EXPLORED), "x86 4,567 orderings of 3 scenarios, bound exhausted in 2, pairs in both orders "
          "5 of 6; x86 890 orderings of 11 of 12 combinations; 1 failures")
    equal("prove.of-ktap", prove.of_ktap("ok 1 a\nnot ok 2 b\nok 3 c # SKIP x\n  ok 4 d\n"), "2 passed, 1 failed, 1 skipped")
    equal("prove.of-last-line", [prove.of_last_line("a\n b \n\n"), prove.of_last_line("\n")], ["b", "nothing said"])
    equal("prove.of-bench", prove.of_bench("TARRY-END rc=0\nTARRY-END rc=3\n"), "guest's verdict 3")
    equal("prove.of-bench-none", prove.of_bench(""), "guest's verdict missing")
    for code, text, verdict in ((0, "", "passed"), (1, "", "FAILED"), (1, "# conflicting pairs in both orders: less than 95 %", "INCOMPLETE"),
                                (1, "# conflicting pairs in both orders: less than\n# lock order: x", "FAILED"),
                                (1, "# conflicting pairs in both orders: less than\nBail out", "FAILED")):
        equal(f"prove.verdict-{verdict.lower()}-{len(text)}", prove.verdict_of(code, text), verdict)
    for words, source in (("defer=skeleton", "mm/defer/skeleton.c"), ("a=b+defer=skeleton", "mm/defer/skeleton.c"), ("defer=none", ""),
                          ("batch=512", ""), ("defer=nowhere", "")):
        equal(f"prove.own-source-{words.replace('=', '-').replace('+', '-')}", prove.own_source(words), source)
    args = Namespace(scheme="s", seed=3, orderings=50, arches="x86_64 arm64", no_mutants=False, no_boots=False)
    steps = prove.explorer_steps(args)
    equal("prove.steps", [step.name for step in steps], ["explorer", "races", "host tests test_mm", "host tests test_mm_arm64"])
    equal("prove.explorer-argv", steps[0].argv[1:7], ["--scheme", "s", "--seed", "3", "--orderings", "50"])
    for arch, rules, names in (("x86_64", "x86", ["explorer", "host tests test_mm"]),
                               ("arm64", "arm64", ["explorer", "races", "host tests test_mm_arm64"])):
        one = Namespace(**{**vars(args), "arches": arch})
        equal(f"prove.steps-{arch}", [step.name for step in prove.explorer_steps(one)], names)
        equal(f"prove.rules-{arch}", prove.explorer_steps(one)[0].argv[5:7], ["--rules", rules])
        equal(f"prove.boots-{arch}", [b.name for b in prove.boot_steps(one, "c")], ["litmus", f"migration on {arch}"])
    equal("prove.arch-left-out", prove.not_done("x", Namespace(**{**vars(args), "arches": "x86_64"}))[0],
          "rules and boots of arm64, and races: not in ARCHES")
    boots = prove.boot_steps(args, "c")
    equal("prove.boots", [(b.name, b.environ.get("ARCH"), b.environ.get("CMD")) for b in boots],
          [("litmus", None, None), ("migration on x86_64", "x86_64", "c"), ("migration on arm64", "arm64", "c")])
    equal("prove.migrations", [prove.migrations("s", "").count("bench "), "--mapping ro" in prove.migrations("s", "")], [3, True])
    with in_tree({"mm/defer/x.c": "\t.unsafe = \"why\",\n"}) as folder:
        saved, prove.ROOT = prove.ROOT, folder
        equal("prove.unsafe", prove.migrations("s", "mm/defer/x.c"), prove.BENCH.format("migrate", "s") + " --mapping ro")
        prove.ROOT = saved
    equal("prove.left", [prove.left(steps[:1], steps[1:], 300), prove.left(steps, [], 9)],
          ["3 steps left, about 44 s", "no step left"])
    equal("prove.mutants", prove.mutant_steps("mm/defer/x.c", "arm64")[0].argv[2:6], ["--only", "mm/defer/x.c", "--keep", "--arches"])
    equal("prove.not-done", [len(prove.not_done("", args)), len(prove.not_done("x", args)),
                             len(prove.not_done("x", Namespace(arches="x86_64 arm64", no_mutants=True, no_boots=True)))], [2, 1, 3])
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        step = prove.Step("a step", ["sh", "-c", "echo ok 1 $X; exit 3"], prove.of_ktap, {"X": "y"})
        _, said = silently(step.run, log)
        equal("prove.step", (step.verdict, step.says, log.read_text(), said.splitlines()[0]),
              ("FAILED", f"1 passed, 0 failed, 0 skipped (exit status 3, see {log})", "ok 1 y\n", "a step ..."))
        step = prove.Step("b", ["true"], prove.of_last_line, {})
        silently(step.run, log)
        equal("prove.step-passes", (step.verdict, step.says), ("passed", "nothing said"))
        log.write_text("a\n b \n")
        equal("prove.last-line", prove.last_line(log), "b")
        log.write_text("")
        equal("prove.last-line-none", prove.last_line(log), "")
        explorer = Path(folder) / "explore"
        explorer.write_text('#!/bin/sh\ncase "$2" in good) echo "a=b ";; batch+defer=d) echo "c=d";; '
                            '*) echo "error: --scheme: no such" >&2; exit 2;; esac\n')
        explorer.chmod(0o755)
        saved, prove.EXPLORER = prove.EXPLORER, explorer
        equal("prove.settings", [prove.settings_of("good"), prove.settings_of("d")], [("good", "a=b"), ("batch+defer=d", "c=d")])
        try:
            _, said = silently(prove.settings_of, "bad")
            code = None
        except SystemExit as error:
            code = error.code
        equal("prove.no-such-scheme", code, 2)
        prove.EXPLORER = saved


def main() -> int:
    test_check()
    test_rooms()
    test_shared()
    test_sites()
    test_sites_of_the_tree()
    test_mutants()
    test_planted()
    test_prove()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
