#!/usr/bin/env python3
"""Tests of `make mutants KIND=generic`: what it breaks, what it leaves alone, and how it counts."""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import mutants_generic as generic  # noqa: E402
from tarrylib.prove import breakages, covered, sites  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def broken(text: str, find=breakages.in_c) -> dict[str, list[str]]:
    """The text as each rule leaves it; constants of either direction under one name."""
    out: dict[str, list[str]] = {}
    for rule, start, end, put in find(text):
        rule = "constant" if rule.startswith("constant") else rule
        out.setdefault(rule, []).append(text[:start] + put + text[end:])
    return out


C = """\
#include <a.h>
#define LIMIT 4 /* 5 */
static int f(int n, char name[5])
{
	char text[16];

	if (n < count) /* 3 < 4 */
		use("1 < 2; f(3);");
	while (n != x)
		n = next(n);
	return a[n];
}
"""


def test_c() -> None:
    got = broken(C)
    equal("c.rules", sorted(got), ["!= to ==", "< to <=", "condition taken as false", "condition taken as true", "constant",
                                   "index one more", "statement dropped"])
    equal("c.comparison", "if (n <= count)" in got["< to <="][0] and "while (n == x)" in got["!= to =="][0], True)
    equal("c.comparisons", (len(got["< to <="]), len(got["!= to =="])), (1, 1))
    equal("c.constants", all("char text[15];" in text for text in got["constant"]), True)  # smaller, where size matters
    equal("c.true", ["if (true)" in text for text in got["condition taken as true"]], [True])
    equal("c.false", [("if (false)" in text, "while (false)" in text) for text in got["condition taken as false"]],
          [(True, False), (False, True)])
    equal("c.index", ["return a[(n) + 1];" in text for text in got["index one more"]], [True])
    equal("c.statements", [("use(" in text, "next(n)" in text) for text in got["statement dropped"]],
          [(False, True), (True, False)])
    equal("c.statement-keeps-its-if", "\tif (n < count) /* 3 < 4 */\n\t\t;\n" in got["statement dropped"][0], True)
    equal("c.loop-without-body", "condition taken as false" in broken("\twhile (f());\n"), False)
    for literal, puts in (("0", {"1"}), ("7", {"6", "8"}), ("0x10u", {"0x11u", "0xfu"}), ("010", {"7", "9"}), ("1UL", {"0UL", "2UL"})):
        seen = {put for at in range(64) for _, put in breakages.off_by_one(literal, at)}
        equal(f"c.off-by-one.{literal.lower()}", seen, puts)


PYTHON = '''\
"""Text 1 < 2."""
def f(n: dict[int, str], k: int = 3) -> list:
    """More."""
    total = 0
    for x in n:
        if x < k:
            continue
        total += 1
        done(x)
    while total is not None:
        names[x] = list(y for y in n if y in x)
    return total if n else v[k]
'''


def test_python() -> None:
    got = broken(PYTHON, breakages.in_python)
    equal("py.rules", sorted(got), ["< to <=", "condition taken as false", "condition taken as true", "constant", "in to not in",
                                    "index one more", "is not to is", "statement dropped"])
    equal("py.comparison", "if x <= k:" in got["< to <="][0], True)
    equal("py.is", "while total is None:" in got["is not to is"][0], True)
    equal("py.in", "if y not in x" in got["in to not in"][0], True)
    equal("py.constants", len(got["constant"]), 3)
    equal("py.dropped", [text.count("pass") for text in got["statement dropped"]], [1] * 4)
    equal("py.false", len(got["condition taken as false"]), 4)
    equal("py.true", len(got["condition taken as true"]), 3)  # no loop without an end
    equal("py.index", "v[(k) + 1]" in got["index one more"][0], True)
    for name, texts in got.items():
        for number, text in enumerate(texts):
            try:
                compile(text, "x", "exec")
            except SyntaxError as error:
                equal(f"py.compiles.{name.replace(' ', '-')}.{number}", str(error), "")
    main = 'if __name__ == "__main__":\n    f(1)\n'
    equal("py.not-what-starts-it", broken(main, breakages.in_python), {})
    equal("py.behind-other-letters", "é" in broken('s = "é" if x < 1 else 2\n', breakages.in_python)["< to <="][0], True)


def test_places() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "a.c").write_text("void f(void)\n{\n\tg(1);\n\tkill(2);\n\tg(1);\n}\n")
        found, texts = breakages.find_breakages(root, ("*.c", "a.*"))
        equal("places.dangerous-left-alone", any("kill" in site.text for site in found), False)
        equal("places.once", len(found), 4)
        equal("places.marked", {" ".join(site.text.split()) for site in found}, {"«g(1);»", "g(«1»);"})
        for site in found:
            equal(f"places.applied.{site.line}.{site.rule.replace(' ', '-')}",
                  texts["a.c"][:site.start] + site.put + texts["a.c"][site.end:], site.apply(texts["a.c"]))
        one, again, other = (breakages.in_order(found, seed) for seed in (1, 1, 2))
        names = [name for _, name in one]
        equal("places.names", sorted(name[-2:] for name in names), ["#1", "#1", "#2", "#2"] if len({s.rule for s in found}) == 2
              else sorted(name[-2:] for name in names))
        equal("places.same-seed", names, [name for _, name in again])
        equal("places.same-places", sorted(names), sorted(name for _, name in other))
        # What is added elsewhere leaves the order of the others alone.
        (root / "b.c").write_text("void h(void)\n{\n\tif (x)\n\t\tg(3);\n}\n")
        more = [name for _, name in breakages.in_order(breakages.find_breakages(root, ("*.c",))[0], 1)]
        equal("places.order-stays", [name for name in more if name in names], names)


class Host:
    """A scratch copy whose programs end like this."""
    folder = ROOT

    def __init__(self, code: int, out: str, errors: str = ""):
        self.end, self.errors, self.ran, self.held = (code, out), errors, [], []

    def run(self, argv: list[str], **more: object) -> tuple[int, str]:
        self.ran.append(next((word for word in argv if word.startswith("build/")), argv[0]))
        return (0, "") if self.held and self.held[-1] == "x = 1;" else self.end  # unmutated, all is well

    def make(self, *targets: str, arch: str = "") -> str:
        return self.errors

    def put(self, file: str, text: str) -> None:
        self.held.append(text)


def judged(host: Host, file: str = "boot/a.c", boots: bool = False) -> covered.Verdict:
    work = covered.Work(host, {"test_a": ["boot/a.c"], "test_b": ["boot/a.c", "kernel/core/b.c"]}, boots)
    return work.judge(sites.Site(file, 1, "rule", 0, 1, "x", "y"), "x = 1;", "test")


def test_verdicts() -> None:
    for name, host, what in (
            ("passes", Host(0, "1 passed, 0 failed"), "survived"),
            ("fails", Host(1, "ok 1 a\nnot ok 2 b\n"), "killed"),
            ("sanitizer", Host(1, "==1==ERROR: AddressSanitizer: x"), "killed"),
            ("crashes", Host(-11, ""), "killed"),
            ("says-nothing", Host(1, ""), "killed"),
            ("did-not-end", Host(124, "# timeout: no end"), "did not finish"),
            ("cpu-limit", Host(-24, ""), "did not finish"),
            ("was-ended", Host(-9, ""), "did not finish"),
            ("does-not-compile", Host(0, "", "error: x"), "not built")):
        equal(f"verdict.{name}", judged(host).what, what)
    passing, failing = Host(0, ""), Host(1, "not ok 1 x")
    judged(passing)
    equal("verdict.all-that-cover", passing.ran, ["build/host/test_a", "build/host/test_b"])
    judged(failing)
    equal("verdict.first-kill-is-enough-and-confirmed", failing.ran, ["build/host/test_a"] * 2)
    equal("verdict.put-back", passing.held, ["y = 1;", "x = 1;"])
    booted = Host(0, "")
    equal("verdict.boot", (judged(booted, "kernel/core/b.c", True).what, booted.ran), ("survived", ["build/host/test_b", "make"]))
    booted = Host(0, "")
    judged(booted, "boot/a.c", True)
    equal("verdict.no-boot-where-host-tests-are-made-for-it", "make" in booted.ran, False)
    booted = Host(0, "")
    work = covered.Work(booted, {"explore": ["kernel/core/b.c"], "test_b": ["kernel/core/b.c"]}, True)
    work.judge(sites.Site("kernel/core/b.c", 1, "rule", 0, 1, "x", "y"), "x = 1;", "test")
    equal("verdict.explored-after-the-boot", booted.ran, ["build/host/test_b", "make", "build/host/explore"])
    booted = Host(2, "x\nmake: *** [Makefile:1: exec] Error 124\n")
    equal("verdict.boot-without-end", judged(booted, "boot/arm64/c.c", True).what, "did not finish")
    booted = Host(2, "x\nmake: *** [Makefile:1: exec] Error 125\n")
    equal("verdict.boot-without-a-word", judged(booted, "boot/x86_64/c.c", True).what, "killed")
    for name, host, what in (("passes", Host(0, ""), "survived"), ("fails", Host(1, "failed x\n  not ok a"), "killed"),
                             ("times-out", Host(1, "failed x: timed out"), "did not finish"),
                             ("no-answer", Host(1, "not ok run: waited 20 s for b'tarry> '"), "did not finish")):
        equal(f"case.{name}", covered.Work(host, {}, True).case("c", "arm64").what, what)
    equal("verdict.arch", [covered.arch_of(f) for f in ("boot/arm64/a.c", "boot/x86_64/a.c", "kernel/lib/arm64.c")],
          ["arm64", "x86_64", "x86_64"])


def test_cases() -> None:
    work = covered.Work(Host(0, ""), {}, True)
    asked: list[str] = []
    fails_always: set[str] = set()

    def case(name: str, arch: str) -> covered.Verdict:
        asked.append(name)
        work.last = f"{name} {arch}", lambda: case(name, arch)
        mutated = work.scratch.held[-1] == "y = 1;"
        if name == "slow" and not mutated:
            return covered.Verdict("did not finish", name)
        return covered.Verdict("killed" if name in fails_always or (name in ("script-numa", "slow") and mutated) else "survived", name)

    def found(file: str, *cases: str) -> tuple[str, list[str]]:
        asked.clear()
        verdict = work.judge(sites.Site(file, 1, "rule", 0, 1, "x", "y"), "x = 1;", "test", cases)
        return verdict.what, asked

    work.case = case
    equal("cases.of-one-architecture", [work.has_case(name, arch) for name, arch in (
        ("gicv2", "arm64"), ("gicv2", "x86_64"), ("smp2", "x86_64"), ("smp2", "arm64"))], [True, False, True, True])
    numa = "kernel/bench/numa_report.c"
    equal("cases.kill-confirmed", found(numa, "a", "script-numa", "b"), ("killed", ["script-numa"] * 2))
    equal("cases.kill-confirmed-once", found(numa, "a", "script-numa", "b"), ("killed", ["script-numa"]))
    equal("cases.all-pass", found(numa, "a", "b"), ("survived", ["a", "b"]))
    equal("cases.for-files", found(numa, "a for pmbench", "b for x report"), ("survived", ["b"]))
    equal("cases.for-other-architectures", found("boot/arm64/c.c", "iso-bios", "gicv2", "uefi"), ("survived", ["gicv2", "uefi"]))
    equal("cases.cannot-be-confirmed", found(numa, "slow"), ("did not finish", ["slow"] * 2))
    fails_always.add("b")
    try:
        equal("cases.fails-always", found(numa, "b"), "error")
    except SystemExit as error:
        equal("cases.fails-always", "not mutated, and not passed: b" in str(error), True)


class Work:
    """Verdicts by turns."""
    def __init__(self, verdicts: list[str]):
        self.verdicts = verdicts
        self.judged = 0

    def judge(self, site: sites.Site, text: str, boot: str, cases: tuple[str, ...]) -> covered.Verdict:
        self.judged += 1
        return covered.Verdict(self.verdicts[(self.judged - 1) % len(self.verdicts)], "text")


def folder_of(places: int, held: bool = True) -> generic.Folder:
    order = [(sites.Site("a.c", i, "rule", i, i + 1, f"line {i}", ""), f"a.c rule: line {i} #1") for i in range(places)]
    return generic.Folder("boot", ("*.c",), held, order=order, texts={"a.c": "text"})


def run(folder: generic.Folder, results: generic.Results, sample: int, work: Work) -> dict[str, covered.Verdict]:
    with contextlib.redirect_stdout(io.StringIO()):
        return generic.run_folder(folder, results, sample, lambda: [work])


def test_counting() -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "sub/results.json"
        folder = folder_of(40)
        work = Work(["killed", "survived", "not built", "did not finish", "killed"])
        verdicts = run(folder, generic.Results(path, "t", False, False), 12, work)
        tally = generic.tally(folder, verdicts)
        equal("count.sample", (tally.counted, work.judged), (12, 15))  # three did not compile
        equal("count.kinds", (len(tally.killed), len(tally.survived), len(tally.unfinished), tally.not_built), (6, 3, 3, 3))
        equal("count.unargued", (tally.unargued, tally.good), (6, False))
        # Kept for the same sources; of others only kills in files that are the same.
        for name, tree, resume, keep, tried in (("fresh", "t", False, False, 15), ("resumed", "t", True, False, 0),
                                                ("other-sources", "u", True, False, 15), ("kept", "u", False, True, 6)):
            again = Work(["killed"])
            copy = Path(place) / f"{name}.json"
            copy.write_text(path.read_text())
            run(folder, generic.Results(copy, tree, resume, keep), 12, again)
            equal(f"count.{name}", again.judged if name not in ("fresh", "other-sources") else again.judged >= 12,
                  tried if name not in ("fresh", "other-sources") else True)
        few = Work(["killed"])
        equal("count.fewer-places", (len(run(folder_of(3), generic.Results(path, "x", False, False), 12, few)), few.judged), (3, 3))
        for kills, good in ((90, True), (89, False)):
            folder = folder_of(100)
            for site, _ in folder.order:
                site.argued = "because"
            verdicts = {name: covered.Verdict("killed" if i < kills else "survived", "")
                        for i, (_, name) in enumerate(folder.order)}
            tally = generic.tally(folder, verdicts)
            equal(f"count.share.{kills}", (tally.good, tally.unargued), (good, 0))
            equal(f"count.not-held.{kills}", generic.tally(folder_of(100, False), verdicts).good, True)
        equal("count.row", tally.row, "| boot | 100 | 100 | 89 | 89 % | 11 | 0 | 11 | yes |")

        class Broken(Work):
            def judge(self, *_: object) -> covered.Verdict:
                raise OSError(28, "No space left on device")

        try:
            run(folder, generic.Results(path, "y", False, False), 5, Broken([]))
            said = "nothing"
        except SystemExit as error:
            said = str(error)
        equal("count.trouble-is-told", "No space left" in said, True)


def main() -> int:
    test_c()
    test_python()
    test_places()
    test_verdicts()
    test_cases()
    test_counting()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
