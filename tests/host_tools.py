#!/usr/bin/env python3
"""Tests of the host tools: what a wrong verdict or a damaged record would hide behind."""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "tests"))
from tarrylib.prove import circles, rooms, unused  # noqa: E402
from tarrylib.report import exports, records, results, summary, table  # noqa: E402
from tarrylib.run import cases, guest, ktap, media, qemu, settings  # noqa: E402
import check  # noqa: E402
import mutants  # noqa: E402
import planted  # noqa: E402
import prove  # noqa: E402
import run as runner  # noqa: E402

OUT = ktap.Writer()
MIB = 1 << 20


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def refused(name: str, **values: str) -> None:
    try:
        settings.parse(values)
        OUT.result(name, False, f"{values} was accepted")
    except settings.UsageError as error:
        OUT.result(name, next(iter(values)) in str(error), str(error))


def test_settings() -> None:
    def nodes(**values: str) -> list[tuple[int, int]]:
        return [(n.cpus, n.mem // MIB) for n in settings.parse(values).nodes]

    equal("nodes.even", nodes(SMP="4", NODES="2", MEM="1G"), [(2, 512), (2, 512)])
    equal("nodes.remainder", nodes(SMP="5", NODES="3", MEM="100M"), [(2, 32), (2, 32), (1, 36)])
    equal("nodes.fewer-cpus", nodes(SMP="1", NODES="2", MEM="8M"), [(1, 4), (0, 4)])
    equal("nodes.named", nodes(NODES="2:1G,0:4G", SMP="9"), [(2, 1024), (0, 4096)])
    for name, values in {"smp": {"SMP": "0"}, "nodes": {"NODES": "0"}, "mem": {"MEM": "1X"},
                         "no-cpu": {"NODES": "0:1G"}, "quote": {"CMD": 'a "b"'},
                         "seed-without-det": {"SEED": "1"}, "boot": {"BOOT": "floppy"},
                         "arch": {"ARCH": "vax"}, "machine": {"MACHINE": "virt"}}.items():
        refused(f"refused.{name}", **values)
    line = settings.boot_line(settings.parse({"CMD": "test *; show", "DET": "1", "SEED": "3",
                                              "ARGS": 'large=off x="a b"'}))
    equal("boot-line", line, 'large=off x="a b" records.width=0 det=1 det.seed=3 tarry.run="test *; show"')
    equal("boot-line.empty-word", settings.boot_line(settings.parse({"CMD": "show", "DET": "1", "ARGS": 'a "" b'})),
          'a "" b records.width=0 det=1 tarry.run=show')
    line = settings.boot_line(settings.parse({"CMD": "show"}))
    equal("boot-line.host-cpus", line, f"records.width=0 host.cpus={settings.host_cpus()} tarry.run=show")


def test_follow_host() -> None:
    """Somebody at the console gets as many CPUs as run at once; what is to be repeated gets the same everywhere."""
    real = settings.host_cpus
    try:
        for name, cpus, values, smp in [
                ("two", 2, {}, 2), ("one", 1, {}, 2), ("twelve", 12, {}, 12), ("many", 200, {}, 64),
                ("gicv2", 12, {"ARCH": "arm64", "GIC": "2"}, 8), ("given", 2, {"SMP": "5"}, 5),
                ("nodes", 2, {"NODES": "3:1G,0:1G"}, 3), ("det", 2, {"DET": "1"}, 4), ("script", 2, {"CMD": "show"}, 4),
                ("script-of-args", 2, {"ARGS": 'large=off tarry.run="show; bench mem"'}, 4), ("args", 2, {"ARGS": "large=off"}, 2)]:
            settings.host_cpus = lambda cpus=cpus: cpus
            equal(f"follow-host.{name}", settings.parse(settings.follow_host(values)).smp, smp)
    finally:
        settings.host_cpus = real


def test_circles() -> None:
    def found(sources: dict[str, str], allowed: list[str] | None = None,
              to_dissolve: list[str] | None = None) -> list[str]:
        files = [SimpleNamespace(name=name, text=code, code=code) for name, code in sources.items()]
        return list(circles.check(files, {"one": allowed} if allowed else {}, [to_dissolve] if to_dissolve else []))

    pair = {"mm/a.c": "void a(void)\n{\n\tb(1);\n}\n", "mm/b.c": "int b(int n)\n{\n\ta();\n}\n"}
    both = ["mm/a.c", "mm/b.c"]
    equal("circles.calls", found(pair), ["mm/a.c:1: in a circle with mm/b.c"])
    equal("circles.subsystem", found(pair, both), [])
    equal("circles.to-dissolve", found(pair, None, both), [])
    # static, a member, a port's own through the contract: no dependence
    for name, change in {"static": {"mm/b.c": "int b(int n)\n{\n}\n\nstatic int a(void)\n{\n\tb(0);\n}\n"},
                         "member": {"mm/b.c": "int b(int n)\n{\n\tops->a();\n}\n"},
                         "contract": {"mm/b.c": "", "arch/arm64/b.c": pair["mm/b.c"],
                                      "arch/include/arch/b.h": "int b(int n);\n"}}.items():
        equal(f"circles.none-by-{name}", found(pair | change), [])
    one_way = pair | {"mm/b.c": "int b(int n)\n{\n}\n"}
    # A room's headers are named from the outside by the room, inside it by themselves.
    rooms_ = {"kernel/bench/a/x.h": '#include "y.h"\n', "kernel/bench/a/y.h": "#include <b/z.h>\n",
              "kernel/bench/b/z.h": "#include <a/x.h>\n"}
    equal("circles.rooms-of-bench", found(rooms_),
          ["kernel/bench/a/x.h:1: in a circle with kernel/bench/a/y.h kernel/bench/b/z.h"])
    equal("circles.subsystem-gone", len(found(one_way, both)), 1)
    equal("circles.dissolved", len(found(one_way, None, both)), 1)
    equal("circles.smaller", len(found(pair, None, [*both, "mm/c.c"])), 1)
    inline = {"mm/a.c": "void a(void)\n{\n\tc();\n}\n", "mm/b.c": pair["mm/b.c"],
              "mm/include/mm/c.h": "static inline void c(void)\n{\n\tb(1);\n}\n"}
    equal("circles.inline", len(found(inline)), 1)
    for name, offences in {"kernel/sound/mixer.c": 1, "mm/swap/swap.c": 1, "kernel/drivers/uart.c": 0, "linker.ld": 0}.items():
        file = SimpleNamespace(name=name, path=Path(name), is_in=name.startswith)
        equal(f"folders.{name}", len(list(check.folders([file]))), offences)
    headers = {"mm/include/mm/x.h": "#include <mm/y.h>\n", "mm/include/mm/y.h": "#include <mm/x.h>\n"}
    equal("circles.headers", len(found(headers)), 1)


def test_unused() -> None:
    def found(change: dict[str, str], *offered: str) -> list[str]:
        code = {"mm/a.c": "void a(void)\n{\n}\n", "mm/a.h": "void a(void);\n",
                "kernel/b.c": "static struct x b = {.f = a};\n"} | change
        files = [SimpleNamespace(name=name, path=Path(name), code=text, is_in=lambda *p, n=name: n.startswith(p))
                 for name, text in code.items()]
        return [line.partition(": ")[2] for line in unused.check(files, {"why": offered})]

    port = "u64 p(void)\n{\n}\n"
    alone, by_tests = {"kernel/b.c": ""}, {"tests/b.c": "void t(void)\n{\n\ta();\n}\n"}
    equal("unused.used", found({}), [])
    equal("unused.nobody", found(alone), ["a(): nobody in the kernel refers to it"])
    equal("unused.only-tests", found(alone | by_tests), ["a(): nobody in the kernel refers to it, only tests"])
    equal("unused.offered", found(alone | by_tests, "a"), [])
    equal("unused.offered-for-nothing", len(found({}, "a")), 1)
    equal("unused.other-port", found({"arch/arm64/p.c": port, "arch/x86_64/q.c": "static int q = p;\n"}),
          ["p(): nobody in the kernel refers to it"])
    equal("unused.only-its-file", found({"mm/d.c": "int d(int n)\n{\n}\n\nstatic int e = d;\n"}),
          ["d(): only this file refers to it: static"])


def test_rooms() -> None:
    def offences(name: str, code: str) -> int:
        return len(list(rooms.check({name: code})))

    for name, code in {"other-room": "from ..run import ktap", "module-of-it": "from ..run.ktap import Test",
                       "same-room": "from . import table", "library": "import re"}.items():
        equal(f"rooms.may.{name}", offences("report/a.py", code), 0)
    for name, module, code in (("against-the-order", "run/a.py", "from ..report import records"),
                               ("by-full-name", "run/a.py", "from tarrylib.report import records"),
                               ("whole-room", "run/a.py", "from .. import prove"), ("dotted", "prove/a.py", "import tarrylib.run.guest"),
                               ("program", "report/a.py", "import bench"), ("no-room", "a.py", ""),
                               ("unknown-room", "plot/a.py", "")):
        equal(f"rooms.may-not.{name}", offences(module, code), 1)
    pair = {"run/a.py": "from . import b\n", "run/b.py": "from .a import x\n"}
    equal("rooms.circle", list(rooms.check(pair)), ["tools/tarrylib/run/a.py:1: in a circle with run/b.py"])


def test_qemu() -> None:
    with tempfile.TemporaryDirectory() as folder:
        argv = qemu.command(settings.parse({"NODES": "2:1G,0:2G"}), Path(folder), [])
    joined = " ".join(argv)
    OUT.result("qemu.memory-only-node", "node,nodeid=1,memdev=m1 " in joined + " "
               and "dist,src=0,dst=1,val=20" in joined and "-m 3072M" in joined, joined)
    s = settings.parse({"CMD": "it's"})
    try:
        media.iso_with_args(s, Path("/nonexistent"))
        OUT.result("iso.refuses-quotes", False, "accepted")
    except settings.UsageError as error:
        OUT.result("iso.refuses-quotes", True, str(error))


def test_verdicts() -> None:
    first = b"Tarry 0.1.0 x86_64 x\n"

    def code(arch: str, console: bytes, status: int) -> int:
        return guest.judge(arch, console, status, "")[0]

    equal("verdict.pass", code("x86_64", first + b"TARRY-END rc=0\n", 1), 0)
    equal("verdict.fail", code("x86_64", first + b"TARRY-END rc=1\n", 3), 1)
    equal("verdict.panic", code("x86_64", first + b"TARRY-END rc=70\n", 141), 70)
    equal("verdict.arm64", code("arm64", b"Tarry 1 arm64\nTARRY-END rc=2\n", 2), 2)
    equal("verdict.plain-power-off", code("x86_64", first + b"TARRY-END rc=1\n", 0), 1)
    equal("verdict.disagreement", code("x86_64", first + b"TARRY-END rc=0\n", 3), 125)
    equal("verdict.disagreement-arm64", code("arm64", first + b"TARRY-END rc=1\n", 0), 125)
    equal("verdict.no-marker", code("x86_64", first, 1), 125)
    equal("verdict.last-marker", code("x86_64", b"TARRY-END rc=0\nTARRY-END rc=1\n", 3), 1)
    equal("verdict.quoted-marker", code("x86_64", first + b"say TARRY-END rc=0\n", 1), 125)
    chatter = guest.ConsoleFilter(firmware_talks=True)
    shown = chatter.feed(b"\x1b[2JBdsDxe: Tar") + chatter.feed(b"ry 0.1 x86_64 y\r\n")
    equal("console.firmware", shown, b"Tarry 0.1 x86_64 y\n")


KTAP = """\
KTAP version 1
1..2
  KTAP version 1
  # Subtest: tlb
  1..3
  ok 1 sync
[    0.1] ok, noise
  # cpu 3 read 0x11
  not ok 2 lazy
  # lazy: seq 812
  ok 3 nodes # SKIP one node
not ok 1 tlb
ok 2 acpi
# Totals: pass:2 fail:1 xfail:0 skip:1 error:0
"""


def test_ktap() -> None:
    tests = ktap.parse(KTAP)
    equal("ktap.nested", [(t.name, t.verdict) for t in tests],
          [("tlb.sync", "passed"), ("tlb.lazy", "failed"), ("tlb.nodes", "skipped"),
           ("acpi", "passed")])
    equal("ktap.reasons", [t.why for t in tests[1:3]],
          ["cpu 3 read 0x11\nseq 812", "one node"])
    cut = ktap.parse("\n".join(KTAP.splitlines()[:6]))
    equal("ktap.cut-off", ktap.count(cut), (1, 2, 0))
    equal("ktap.two-documents", ktap.count(ktap.parse(KTAP + KTAP)), (4, 2, 2))
    # A failure stays one, whatever is said behind it, but for what is expected to fail.
    for directive, counted in (("SKIP no node", (0, 1, 0)), ("TIMEOUT", (0, 1, 0)), ("ERROR", (0, 1, 0)),
                               ("XFAIL known", (1, 0, 0)), ("TODO later", (1, 0, 0))):
        equal(f"ktap.not-ok-{directive.split()[0].lower()}", ktap.count(ktap.parse(f"1..1\nnot ok 1 a # {directive}\n")),
              counted)
    parts = ktap.parse("1..1\n  1..2\n    # Subtest: a\n    ok 1 p\n    ok 2 q # SKIP no PCID\n    1..2\n  ok 1 a\n  ok 2 b\nok 1 s\n")
    equal("ktap.parts", [(t.name, t.verdict) for t in parts],
          [("s.a.p", "passed"), ("s.a.q", "skipped"), ("s.b", "passed")])
    equal("ktap.plan-of-suite", ktap.count(ktap.parse("1..2\n  1..3\n  ok 1 a\n  ok 2 b\nok 1 s\n")), (2, 2, 0))
    parent = ktap.parse("1..1\n  1..1\n  ok 1 a\nnot ok 1 s # leak\n")
    equal("ktap.parent-alone-fails", ktap.count(parent), (1, 1, 0))


def test_changes() -> None:
    """As samples_change() of the kernel: tests/host/test_bench.c."""
    for new, old, text in ((100, 100, "0.0 %"), (0, 100, "-100.0 %"), (1, 3, "-66.7 %"), (2, 3, "-33.3 %"), (5, 3, "+66.7 %"),
                           (99999, 100000, "0.0 %"), (9999, 1000, "+899.9 %"), (10000, 1000, "\u00d710.0"),
                           (30000000, 58594, "\u00d7512.0"), (5, 0, "-"), (5, None, "-"), (None, 5, "n/a")):
        equal(f"table.change.{new}.{old}", table.change(new, old), text)


def record(**more: object) -> str:
    body = json.dumps({"schema": records.SCHEMA, "name": "migrate", "scheme": "batch",
                       "trust": "counts", "counters": {"pages_migrated": 8, "stale_reads": 0},
                       **more}, separators=(",", ":"))[:-1]
    return f'{body},"crc":"{records.checksum(body)}"}}'


def test_record_pieces() -> None:
    """A record that was longer than a line: kernel/bench/report/lines.h."""
    good, other = record(median=5), record(median=6)

    def pieces(whole: str) -> list[str]:
        crc, cut = whole[-10:-2], [whole[:30], whole[30:90], whole[90:]]
        return [f"@{crc} {n}/3 {text}" for n, text in enumerate(cut, 1)]

    def extract(lines: list[str]) -> records.Block:
        return records.extract("\n".join(["BENCH-BEGIN", *lines, "BENCH-END", ""]))

    one, two = pieces(good), pieces(other)

    def wrapped(lines: list[str]) -> list[str]:
        """As a logger writes them that puts a time before each line and wraps at 48 columns."""
        return [f"[12:34:5{i % 10}.678] {line[at:at + 48]}" for i, line in enumerate(lines) for at in range(0, len(line), 48)]

    for name, lines in {"in-order": one + two, "logged": [f"Nov 28 23:15:07 rack7: {line}" for line in one + two],
                        "wrapped": wrapped(one + two), "log-between": [*one[:2], "[    1.000001] a remark", one[2], *two]}.items():
        block = extract(lines)
        equal(f"records.pieces.{name}", (block.lines, block.damaged), ([good, other], []))
    for name, lines, said in (("lost", [one[0], one[2], *two], "piece 2 is missing"), ("lost-first", [*one[1:], *two], "an earlier piece is missing"),
                              ("changed", [*one[:2], one[2].replace("8", "9", 1), *two], "no record with a right checksum"),
                              ("cut-off", [one[0], one[1][:-3], one[2], *two], "no record with a right checksum")):
        block = extract(lines)
        OUT.result(f"records.pieces.{name}", any(said in text for text in block.damaged) and block.lines == [other], str(block.damaged))


def test_records() -> None:
    good = record()
    block = records.extract(f"noise\nBENCH-BEGIN\n{good}\nBENCH-END\n")
    equal("records.good", (block.lines, block.damaged), ([good], []))
    split = records.extract(f"BENCH-BEGIN\n{good[:40]}\n[ 1.0] x\n{good[40:]}\nBENCH-END\n")
    equal("records.split-by-log", (split.lines, split.damaged), ([good], []))
    for name, console in {
            "changed-digit": f"BENCH-BEGIN\n{good.replace(':8', ':9')}\nBENCH-END\n",
            "cut-off": f"BENCH-BEGIN\n{good[:-9]}\nBENCH-END\n",
            "line-between": f"BENCH-BEGIN\n{good[:40]}\nwhat is this\n{good[40:]}\nBENCH-END\n",
            "line-behind": f"BENCH-BEGIN\n{good}\n[ 1.0] x\nBENCH-END\n",
            "no-end": f"BENCH-BEGIN\n{good}\n"}.items():
        damaged = records.extract(console).damaged
        OUT.result(f"records.{name}", bool(damaged), "; ".join(damaged) or "not noticed")
    boot = results.Boot("b", "", "")
    boot.records = [records.check(record(median=5, phase_ns={"flush": 3}, unit="ns/page"))]
    equal("summary.distrusts-time", (summary.headline(boot.records[0]),
                                     summary.phases(boot.records[0])["flush"]), (None, None))
    counters = {"pages_migrated": 8, "batches": 8, "ipis_sent": 12, "hint_faults": 30,
                "hint_faults_second": 1, "ipis_scanner": 3, "bcast_scanner": 2}
    numa = {"home_percent": 99.5, "most_moves_per_page": 1.25, "ops_per_minstr": 5000.0}
    boot.records = [records.check(record(name="numa_balance", counters=counters, numa=numa))]
    equal("summary.numa-table", summary.tables_of(boot)[0].rows,
          [["batch", "8", "30", "1", "1.5000", "0.0000", "-", "-", "5", "99.5 %", "1.25",
            "5,000", "n/a"]])
    for name, more, stale_reads, met, expected in (
            ("hidden", {"stale_visible": False, "stale_hidden_by": "so"}, 0, 9, ("n/a", "n/a: so")),
            ("no-window", {"stale_visible": True}, 0, 0, ("n/a", "no reader met")),
            ("windows", {"stale_visible": True}, 0, 9, ("0", "met 9 windows")),
            ("seen", {"stale_visible": False}, 3, 0, ("3", ""))):
        seen = records.check(record(counters=counters | {"hint_faults": 0, "stale_reads": stale_reads, "reads_in_window": met},
                                    **more))
        cell, note = summary.stale(seen)
        equal(f"summary.stale-{name}", (cell, expected[1] in note), (expected[0], True))
        stale_boot = results.Boot("b", "", "", records=[seen])
        equal(f"summary.stale-{name}.table", (summary.tables_of(stale_boot)[0].rows[0][-1],
                                              not note or note in summary.tables_of(stale_boot)[0].notes), (cell, True))
        equal(f"summary.stale-{name}.problem", len(summary.problems(results.Results(Path(), {}, [stale_boot]))), int(stale_reads > 0))
        equal(f"results.stale-{name}.verdict", ktap.count(results.verdicts(stale_boot)), (2, 1, 0) if stale_reads else (3, 0, 0))
    times = [1000.0 + 10 * i for i in range(30)]
    pair = [records.check(record(scheme=name, trust="time", median=value, samples=samples)) for name, value, samples
            in (("baseline", 3000, [2 * x + 710 for x in times]), ("batch", 1145, times))]
    near = {"trust": "time", "median": 4903.0, "ci95": [4880.0, 4912.0]}
    far = {"trust": "time", "median": 4400.0, "ci95": [4390.0, 4410.0]}
    few = {"trust": "path", "ns_per_instruction": 8, "median": 700.0, "ci95": None, "samples": [690.0, 700.0, 710.0],
           "unit": "instructions/page"}
    base = {"trust": "time", "median": 4889.0, "ci95": [4870.0, 4920.0]}
    equal("summary.noise-is-no-change", summary.median_change(near, base), "no change (\u00b10.9 %)")
    equal("summary.change", summary.median_change(far, base), "-10.0 %")
    equal("summary.few-samples", (summary.interval(few, few, "path"), summary.headline(few)), ((690.0, 710.0), 700.0))
    equal("summary.nothing-to-compare-with", (summary.median_change(far, None), summary.median_change(base, base)), ("-", "-"))
    equal("summary.untrusted-has-no-change", summary.median_change({**near, "trust": "counts"}, base), "n/a")
    rates = counters | {"hint_faults": 0}
    for name, batch, said in (("gain", far | {"pages_per_s": 1200}, ["batch against baseline: +20.0 % pages/s"]),
                              ("no-gain-of-noise", near | {"pages_per_s": 1003}, [])):
        boot.records = [records.check(record(counters=rates, unit="ns/page", **more)) for more
                        in (base | {"scheme": "baseline", "pages_per_s": 1000}, batch | {"scheme": "batch"})]
        notes = [note for table in summary.tables_of(boot) for note in table.notes]
        equal(f"summary.{name}", [note.partition(" (measured")[0] for note in notes if "pages/s" in note], said)
    for cv, said in ((0.11, True), (0.10, False)):
        noisy = records.check(record(trust="time", median=5, samples=[5.0], cv=cv, counters=counters, phase_ns=dict.fromkeys(summary.PHASES, 1)))
        boot.records = [noisy]
        equal(f"summary.noise-{cv}", any("NOISY (cv above 0.10): batch" in note for table in summary.tables_of(boot) for note in table.notes), said)
    again = [{"round": 2, "sample": 9.0}, {"round": 2, "sample": 8.0}]
    boot.records = [records.check(record(trust="time", median=5, samples=[5.0], counters=rates, disturbed_rounds=again)),
                    records.check(record(scheme="baseline", trust="time", median=5, samples=[5.0], counters=rates, disturbed_rounds=[]))]
    equal("summary.disturbed-rounds", [note for table in summary.tables_of(boot) for note in table.notes if "measured again" in note],
          ["batch: 2 rounds with a busy host were measured again, and are in no figure"])
    floor = {"points": [{"name": "ipi_busy", "trust": "time", "unit": "ns", "median": 2000.4, "ci95": [1990, 2100.2]},
                        {"name": "copy", "trust": "time", "unit": "ns/page", "median": 300, "ci95": None},
                        {"name": "ipi_halted", "trust": "counts", "unit": "ns", "median": None, "ci95": None}], "trust": "time"}
    equal("summary.floor-line", summary.floor_line(floor),
          "floor, same boot: ipi busy 2,000 [1,990, 2,100] ns, copy 300 ns/page, ipi halted n/a")
    why = records.check(record(trust_why="4 CPUs are busy, the host has 2", counters=counters))
    boot.records = [why]
    equal("summary.says-why-no-times", "no times: 4 CPUs are busy, the host has 2" in summary.tables_of(boot)[0].notes, True)
    point = {"name": "copy", "unit": "instructions/page", "trust": "path", "median": 322, "ci95": [322, 323], "min": 322,
             "p99": 323, "cv": 0.0}
    boot.records = [records.check(record(name="floor", trust="path", ns_per_instruction=8, points=[point], counters={}))]
    equal("summary.instructions", summary.tables_of(boot)[0].rows[0][:3] + summary.tables_of(boot)[0].rows[0][5:6],
          ["copy", "322", "[322.0, 323.0]", "insns/page"])
    counted = {"unit": "instructions/page", "points": [{"name": "copy", "unit": "instructions/page"}]}
    equal("exports.units-of-instructions",
          [exports.unit_of(counted, key) for key in ("samples", "points.copy.median", "disturbed_rounds.sample", "phase_ns.copy")],
          ["instructions/page"] * 3 + ["ns"])
    for unit, keys in {"ns": ("longest_wait", "quiet_gap", "victim.latency_ns.p50", "victim.latency_ns.max", "pmbench.threads.ns",
                              "pmbench.threads.draw_ns", "wait_ns.faulter", "settle_ns"),
                       "ops/s": ("scale.ops_per_s",), "ops/Minstr": ("numa.ops_per_minstr",), "pages": ("held_pages_max", "params.pages"),
                       "count": ("settle_ipis", "victim.ops", "scale.ops", "counters.ipis_sent", "counters.held_pages_max", "ack_ns.smt"),
                       "cycles": ("pmbench.delay",), "s": ("params.time", "pmbench.duration_s"), "frames": ("debts_at_end",),
                       "": ("cv", "seed", "knobs.batch", "pmbench.threads.cpu")}.items():
        equal(f"exports.units.{unit or 'none'}", {key: exports.unit_of(counted, key) for key in keys}, dict.fromkeys(keys, unit))
    trip = {"points": [{"name": "ipi_busy", "trust": "time", "median": 2000}]}
    equal("summary.median-interval", summary.median_interval(times), (1090.0, 1200.0))
    equal("summary.honest-baseline", [line.partition(" same boot ")[2][:18] for line in summary.honest_baseline(pair, trip)],
          ["(95 %: 0.90 to 1.0"])
    equal("summary.honest-baseline-untrusted", summary.honest_baseline(pair, {"points": []}), [])
    equal("exports.leaves", list(exports.leaves({"a": {"b": [1, 2]}, "c": None, "d": True, "e": [{"name": "x", "y": 3}]})),
          [("a.b", "0", 1), ("a.b", "1", 2), ("d", "", "true"), ("e.x.y", "", 3)])


class Raises(cases.Case):
    """A case of which nothing is left but that it was planned."""

    def execute(self) -> tuple[str, list[ktap.Test]]:
        raise OSError(28, "No space left on device")


class Vanishes(cases.Case):
    def run(self) -> cases.Outcome:
        raise SystemExit(0)


class Passes(cases.Case):
    def execute(self) -> tuple[str, list[ktap.Test]]:
        return cases.PASSED, [ktap.Test(self.name, ktap.PASS)]


def silently(body, *args):
    """What it returns; what it prints is another document's."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return body(*args)


def test_runners() -> None:
    """Whatever becomes of a case, a mistake or a mutant, it is not lost and not taken for something else."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        logs = Path(folder)
        todo = [Passes("passes", logs), Raises("raises", logs), Vanishes("vanishes", logs)]
        report = runner.Reporter()
        silently(runner.run_all, todo, 2, report)
        got = {o.case: (o.status, ktap.count(o.tests)) for o in report.outcomes}
        equal("runner.every-case-has-an-outcome", got,
              {"passes": ("passed", (1, 0, 0)), "raises": ("failed", (0, 1, 0)), "vanishes": ("failed", (0, 1, 0))})
        equal("runner.exit-status", silently(runner.summarise, report.outcomes, logs, 0.0), 1)

    def no_bench(*_: object) -> None:
        raise OSError(28, "No space left on device")

    mistakes = [planted.Mistake(name, "kind", "what", "", rules=["x86"]) for name in "ab"]
    real, planted.Bench = planted.Bench, no_bench
    try:
        silently(planted.run_all, mistakes, 2, True, lambda m: None)
        said = "nothing"
    except planted.ConfigError as error:
        said = str(error)
    finally:
        planted.Bench = real
    equal("planted.untried-is-an-error", said.startswith("error: 2 of 2 mistakes were not tried"), True)
    equal("planted.untried-is-bad", [m.bad for m in mistakes], [True, True])

    class Host:
        """A scratch copy whose programs end like this."""
        def __init__(self, code: int, out: str):
            self.end = code, out

        def run(self, argv: list[str]) -> tuple[int, str]:
            return self.end

    for name, host, kill in (("timeout", Host(124, "# timeout: no end"), False),
                             ("silent", Host(1, ""), False),
                             ("failure", Host(1, "# x86, scheme batch, scenario a: I1: frame"), True)):
        equal(f"mutants.{name}", silently(mutants.explore, host, 1, 0)[0] == "invariants", kill)
    equal("mutants.host-timeout", silently(mutants.host_tests, Host(124, ""))[0], "")


def test_prove() -> None:
    few = "# x86 new: 3 scenarios\n# conflicting pairs in both orders: less than 95 %; --pairs lists the rest\nnot ok 1 x86.new\n"
    equal("prove.incomplete", prove.verdict_of(1, few), "INCOMPLETE")
    equal("prove.failed", prove.verdict_of(1, few + "# x86, scheme new, scenario a: I1: frame\n"), "FAILED")
    equal("prove.crashed", prove.verdict_of(139, ""), "FAILED")
    equal("prove.passed", prove.verdict_of(0, "ok 1 x86.new\n"), "passed")


def main() -> int:
    test_settings()
    test_follow_host()
    test_circles()
    test_unused()
    test_rooms()
    test_qemu()
    test_verdicts()
    test_ktap()
    test_records()
    test_record_pieces()
    test_changes()
    test_runners()
    test_prove()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
