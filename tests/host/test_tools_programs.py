#!/usr/bin/env python3
"""Tests of the tools as programs, from their arguments to their exit status, in small trees of their own.

The explorer and the host tests of those trees are shell scripts that look for the mistake in the source that
they were "built" from.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "tests/host"))
import bench  # noqa: E402
import mutants  # noqa: E402
import mutants_generic as generic  # noqa: E402
import planted  # noqa: E402
import prove  # noqa: E402
from tarrylib.prove import covered, sites  # noqa: E402
from tarrylib.run import kvm, ktap, media, settings  # noqa: E402
from test_tools_run import GUEST, Machine  # noqa: E402

OUT = ktap.Writer()


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def program(module, *argv: str) -> tuple[object, list[str]]:
    """Its exit status and all that it printed."""
    said, before, folder = io.StringIO(), sys.argv, os.getcwd()
    sys.argv = [module.__name__, *argv]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code: object = module.main()
    except SystemExit as error:
        code = error.code
    finally:
        sys.argv = before
        os.chdir(folder)
    return code, said.getvalue().splitlines()


@contextlib.contextmanager
def tree(files: dict[str, str], *modules):
    """A tree that these modules take for the project."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        saved = [(m, m.ROOT) for m in modules]
        for module in modules:
            module.ROOT = Path(folder)
        try:
            yield Path(folder)
        finally:
            for module, root in saved:
                module.ROOT = root


# What each "program" does with the source that it was built from.
MAKEFILE = """\
SOURCES := $(wildcard mm/*.c)
HOST := explore explore_races test_mm test_mm_arm64
build/host/%: $(SOURCES) programs/%
\t@mkdir -p $(@D); grep -q BROKEN $(SOURCES) && { echo "does not compile" >&2; exit 1; } || true
\t@(echo '#!/bin/sh'; echo "source='`cat $(SOURCES)`'"; cat programs/$*) > $@; chmod +x $@; echo x > build/host/$*.o
"""
EXPLORE = """\
case "$*" in *--list*) echo s1 s2; exit;; *--replay*) replay=1;; esac
case "$source" in *"call(x)"*) [ -z "$replay" ] || echo "passes"; exit 0;; esac
echo "# x86, scheme s1, scenario sc: I3: frame lost"
echo "# execution 4 of 9 of it: --replay 'x86 s1 sc 5c1'"
exit 1
"""
CONFIG = """\
[one]
kind = a kind
what = the call is left out
find = call(x);
check = invariants
rules = x86
schemes = s1
where = x86 s1 sc
[two]
kind = other
why = it does not apply
"""


def test_planted() -> None:
    files = {"Makefile": MAKEFILE, "programs/explore": EXPLORE, "mm/a.c": "void f(void)\n{\n\tcall(x);\n}\n", "tools/planted.cfg": CONFIG,
             "d.md": "<!-- planted: begin -->\n<!-- planted: end -->\n"}
    with tree(files, planted) as folder:
        saved, planted.CONFIG = planted.CONFIG, folder / "tools/planted.cfg"
        copied, planted.Scratch.__init__.__globals__["COPIED"] = planted.Scratch.__init__.__globals__["COPIED"], ("mm", "programs", "Makefile")
        os.chdir(folder)
        code, said = program(planted)
        equal("planted.no-explorer", (code, said), (1, ["error: build/host/explore is not there: make host"]))
        subprocess.run(["make", "-s", "build/host/explore"], check=True)
        equal("planted.check", program(planted, "--check"), (0, []))
        code, said = program(planted, "--jobs", "1", "--doc", str(folder / "d.md"), "--results", str(folder / "build/planted.json"))
        equal("planted.all", (code, said[-1]), (0, "1 mistakes of 1 kinds, tried 1 times: 1 found, 0 not found; 1 kinds do not apply"))
        equal("planted.says", said[:4], ["one: a kind: the call is left out", "    x86 s1: found by invariants in 4 executions",
                                         "        x86, scheme s1, scenario sc: I3: frame lost", "        --replay 'x86 s1 sc 5c1'"])
        equal("planted.doc", said[-1] in (folder / "d.md").read_text(), True)
        (folder / "programs/explore").rename(folder / "programs/away")  # nothing is run again
        equal("planted.resumed", program(planted, "--results", str(folder / "build/planted.json"), "--resume")[1][-1], said[-1])
        (folder / "tools/planted.cfg").write_text(CONFIG.replace("what = ", "what = now "))
        code, again = program(planted, "--results", str(folder / "build/planted.json"), "--resume")
        equal("planted.resumed-by-another-entry", (code, "were not tried" in again[-1]), (1, True))
        (folder / "tools/planted.cfg").write_text(CONFIG)
        (folder / "programs/away").rename(folder / "programs/explore")
        equal("planted.soonest", program(planted, "--soonest", "--only", "one")[0], 0)
        equal("planted.only-what-does-not-apply", program(planted, "--only", "two"), (1, ["error: no mistake fits two"]))
        (folder / "tools/planted.cfg").write_text(CONFIG.replace("check = invariants", "check = oracle"))
        code, said = program(planted)
        equal("planted.by-another", (code, said[-1]),
              (1, "1 mistakes of 1 kinds, tried 1 times: 0 found, 1 not found; 1 kinds do not apply"))
        equal("planted.by-another-says", any("found by invariants, not by oracle" in line for line in said), True)
        (folder / "tools/planted.cfg").write_text(CONFIG.replace("rules = x86", "rules = x86\nput = BROKEN;"))
        code, said = program(planted)
        equal("planted.does-not-build", (code, "1 of 1 mistakes were not tried: RuntimeError: [one] does not build" in said[-1]), (1, True))
        (folder / "tools/planted.cfg").write_text(CONFIG.replace("call(x)", "gone(x)"))
        equal("planted.does-not-fit", program(planted, "--check"),
              (1, ["error: tools/planted.cfg [one]: no places in mm for: gone(x);"]))
        planted.CONFIG = saved
        planted.Scratch.__init__.__globals__["COPIED"] = copied
        os.chdir(ROOT)


# --- the protocol's mutants -------------------------------------------------------------------------
SOURCE = """\
void f(void)
{
\ttlb_flush_one(1);
\tsmp_mb();
\tcpumask_set(&m, 1);
\ttlb_flush_two(1);
}
"""
PROGRAMS = {
    "test_mm": 'case "$source" in *flush_one*) exit 0;; esac; echo "not ok 1 flushes"; exit 1\n',
    "test_mm_arm64": "exit 0\n",
    "explore": 'case "$source" in *smp_mb*flush_two*) exit 0;; esac\necho "# x86, scheme a, scenario b: I1: frame"; exit 1\n',
    "explore_races": 'case "$source" in *smp_mb*) exit 0;; esac; echo "# a: race: b"; exit 1\n',
}


def test_mutants() -> None:
    files = {"Makefile": MAKEFILE, "mm/gather.c": SOURCE, "tools/mutants.cfg": "[mm/gather.c mask not updated]\nwhy = it is set twice\n",
             "d.md": "<!-- mutants: begin -->\n<!-- mutants: end -->\n", **{f"programs/{name}": text for name, text in PROGRAMS.items()}}
    with tree(files, mutants) as folder:
        namespace = mutants.Scratch.__init__.__globals__
        copied, namespace["COPIED"] = namespace["COPIED"], ("mm", "programs", "Makefile")
        results = str(folder / "r.json")
        common = ["--arches", "", "--jobs", "1", "--results", results]
        code, said = program(mutants, "--list")
        equal("mutants.list", (code, said[-1], said[0]), (0, "4 sites", "mm/gather.c:3 flush left out: tlb_flush_one(1); -> ;"))
        code, said = program(mutants, *common, "--doc", str(folder / "d.md"))
        last = "4 sites, 1 killed by two or more checks, 1 argued equivalent; 3 killed, 0 survived"
        equal("mutants.all", (code, last in said), (1, True))  # fewer than half twice
        equal("mutants.host-test-kills", "    host tests: test_mm: not ok 1 flushes" in said, True)
        equal("mutants.barrier-twice", {"    races: a: race: b", "    invariants: x86, scheme a, scenario b: I1: frame"} <= set(said), True)
        equal("mutants.doc", last in (folder / "d.md").read_text(), True)
        kept = json.loads(Path(results).read_text())
        equal("mutants.kept", (len(kept), kept["mm/gather.c mask not updated: cpumask_set(&m, 1); #1"]["passes"],
                               kept["mm/gather.c barrier left out: smp_mb(); #1"]["passes"]), (4, 1, 1))
        program(mutants, *common, "--resume", "--argued")
        equal("mutants.argued", json.loads(Path(results).read_text())["mm/gather.c mask not updated: cpumask_set(&m, 1); #1"]["passes"], 2)
        os.remove(folder / "programs/test_mm")  # nothing is run again
        code, said = program(mutants, *common, "--resume")
        equal("mutants.resumed", (last in said, any("killed by" in line for line in said)), (True, True))
        (folder / "programs/test_mm").write_text("exit 1\n")
        code, said = program(mutants, *common)
        equal("mutants.fails-unmutated", code, "error: mutants: not mutated, and fails already: host tests: test_mm: exit status 1")
        (folder / "programs/test_mm").write_text(PROGRAMS["test_mm"])
        (folder / "tools/mutants.cfg").write_text("[mm/none.c x]\nwhy = y\n")
        code, said = program(mutants, *common, "--only", "flush")
        equal("mutants.only", (code, said[-1], "tools/mutants.cfg: no site fits [mm/none.c x]" in said),
              (1, "2 sites, 0 killed by two or more checks, 0 argued equivalent; 2 killed, 0 survived", True))
        code, said = program(mutants, *common, "--only", "mask", "--unchecked")
        equal("mutants.survivor", (code, "0 killed, 1 survived" in said[-2], said[-1].startswith("A survivor wants a test")), (1, True, True))
        (folder / "mm/gather.c").write_text(SOURCE + "BROKEN\n")
        code, said = program(mutants, *common)
        equal("mutants.does-not-build", str(code).startswith("error: mutants: does not compile"), True)
        namespace["COPIED"] = copied


# --- small breakages -------------------------------------------------------------------------------------
GENERIC_MAKE = """\
print-HOST_TESTS:
\t@echo test_a explore
print-test_a_SRCS:
\t@echo tests/a.c
print-test_a_WITH:
\t@echo explore
print-explore_SRCS print-explore_WITH:
\t@echo
build/host/test_a: boot/a.c boot/b.h
\t@mkdir -p build/host/explore.obj/tests; grep -q BROKEN boot/a.c && { echo wrong >&2; exit 1; } || true
\t@echo "x: tests/a.c boot/a.c boot/b.h" > build/host/explore.obj/tests/a.c.d
\t@(echo '#!/bin/sh'; echo "grep -q 'n < 3' <<'END' || { echo not ok 1 limit; exit 1; }"; cat boot/a.c; echo END) > $@; chmod +x $@
build/%:
\t@mkdir -p $(@D); echo x > $@
exec:
\t@grep -q 'start' boot/x.c || { echo "panic: nothing starts"; exit 1; }
"""


def test_generic() -> None:
    files = {"Makefile": GENERIC_MAKE, "boot/a.c": "int f(int n)\n{\n\treturn n < 3;\n}\n", "boot/b.h": "/* x */\n", "boot/x.c": "void g(void)\n{\n\tstart();\n}\n",
             "tests/host_tools.py": "import sys\nsys.path.insert(0, 'tools')\nimport t\nassert t.f(1) == 2\nprint('ok 1 a')\n",
             "tools/t.py": "def f(n):\n    return n + 1\n", "tools/mutants_generic.cfg": "", "d.md": "<!-- generic mutants: begin -->\n<!-- generic mutants: end -->\n"}
    with tree(files, generic) as folder:
        saved, generic.FOLDERS = generic.FOLDERS, [generic.Folder("boot", ("boot/*.c",), True, "test"), generic.Folder("tools", ("tools/*.py",), True)]
        namespace = covered.Scratch.__init__.__globals__
        copied, namespace["COPIED"] = namespace["COPIED"], ("boot", "tests", "tools", "Makefile")
        results = ["--results", str(folder / "r.json"), "--jobs", "1"]
        code, said = program(generic, "--list")
        equal("generic.list", (code, len(said)), (0, 4))
        code, said = program(generic, *results, "--doc", str(folder / "d.md"))
        rows = said[-3:-1]
        equal("generic.all", (code, rows), (0, ["| boot | 3 | 3 | 3 | 100 % | 0 | 0 | 0 | yes |", "| tools | 1 | 1 | 1 | 100 % | 0 | 0 | 0 | yes |"]))
        equal("generic.kills", sorted(line for line in said if line.startswith("    ")),
              ["    boot, x86_64: panic: nothing starts", "    host_tools: Traceback (most recent call last):", "    test_a: not ok 1 limit",
               "    test_a: not ok 1 limit"])
        equal("generic.doc", (folder / "d.md").read_text().splitlines()[3:5], rows)
        marked = (folder / "d.md").read_text()
        (folder / "d.md").write_text(marked.replace("| boot | 3 | 3 | 3 |", "| boot | 9 | 9 | 9 |").replace("| tools | 1 |", "| tools | 7 |"))
        program(generic, *results, "--resume", "--folders", "boot", "--doc", str(folder / "d.md"))
        equal("generic.doc-keeps-other-rows", (folder / "d.md").read_text(), marked.replace("| tools | 1 |", "| tools | 7 |"))
        code, again = program(generic, *results, "--resume")
        equal("generic.resumed", [line for line in again if line.startswith("    ")], [])
        code, said = program(generic, *results, "--no-boots", "--folders", "boot")
        equal("generic.no-boots", any("boot/x.c" in line for line in said), False)
        equal("generic.unknown-folder", program(generic, "--folders", "x")[0], 2)
        (folder / "tools/mutants_generic.cfg").write_text("[boot/none.c x]\nwhy = y\n")
        code, said = program(generic, *results, "--folders", "tools")
        equal("generic.stale", (code, "tools/mutants_generic.cfg: no place fits [boot/none.c x]" in said), (1, True))
        (folder / "tools/t.py").write_text("def f(n):\n    print(0)\n    return n + 1\n")
        (folder / "tools/mutants_generic.cfg").write_text("")
        code, said = program(generic, *results, "--folders", "tools")
        equal("generic.survivors-fail", (code, "2 neither killed nor argued" in said[-1]), (1, True))
        equal("generic.how-to-argue", any("tools/mutants_generic.cfg says so: a section [FILE RULE: LINE" in line for line in said), True)
        (folder / "tools/mutants_generic.cfg").write_text("[tools/t.py]\nwhy = nobody reads it\n")
        code, said = program(generic, *results, "--folders", "tools")
        equal("generic.nothing-to-argue", any("why = ..." in line for line in said), False)
        equal("generic.share-fails-all-the-same", (code, "0 neither killed nor argued" in said[-1],
                                                   any(line.endswith("argued: nobody reads it") for line in said)), (1, True, True))
        (folder / "tests/host_tools.py").write_text("raise SystemExit(1)\n")
        code, said = program(generic, *results)
        equal("generic.fails-unmutated", "not mutated, and not passed: host_tools" in str(code), True)
        (folder / "tests/host_tools.py").write_text("print('ok 1 a')\n")
        (folder / "Makefile").write_text(GENERIC_MAKE.replace("@grep -q 'start'", "@false && grep -q 'start'"))
        code, said = program(generic, *results, "--folders", "boot")
        equal("generic.boot-fails-unmutated", "not mutated, and not passed: boot, x86_64" in str(code), True)
        tree_now = covered.digest_of(folder)
        (folder / "boot/b.h").write_text("/* y */\n")
        equal("generic.digest", (tree_now == covered.digest_of(folder), len(tree_now)), (False, 12))
        generic.FOLDERS = saved
        namespace["COPIED"] = copied


# --- prove ------------------------------------------------------------------------------------------------
def test_prove() -> None:
    explorer = ('case "$*" in *--settings*) case "$2" in good|bad|few) echo "a=b"; exit;; *) exit 2;; esac;; esac\n'
                'case "$*" in *"--scheme bad"*) echo "# x86, scheme bad, scenario a: I1: b"; exit 1;; esac\n'
                'case "$*" in *"--scheme few"*) echo "# conflicting pairs in both orders: less than 95 %"; exit 1;; esac\n')
    with tempfile.TemporaryDirectory() as folder:
        host = Path(folder) / "host"
        host.mkdir()
        for name in ("explore", "explore_races", "test_mm", "test_mm_arm64"):
            (host / name).write_text("#!/bin/sh\n" + (explorer if "explore" in name else "echo ok 1 a\n"))
            (host / name).chmod(0o755)
        saved = prove.BUILD, prove.EXPLORER
        prove.BUILD, prove.EXPLORER = Path(folder), host / "explore"
        for scheme, status, last in (("good", 0, "4 of 4 steps passed"), ("bad", 1, "2 of 4 steps passed; failed: explorer, races"),
                                     ("few", 4, "2 of 4 steps passed; incomplete: explorer, races; ORDERINGS=500 runs more")):
            code, said = program(prove, scheme, "--no-boots", "--orderings", "50")
            equal(f"prove.{scheme}", (code, said[-1]), (status, last))
            equal(f"prove.{scheme}-says", (said[0], f"Checked, scheme {scheme}:" in said, "Not checked here:" in said,
                                           "  litmus tests and migration in QEMU: left out as asked" in said), (f"{scheme}: a=b", True, True, True))
            equal(f"prove.{scheme}-logs", sorted(p.name for p in (Path(folder) / "prove" / scheme).iterdir()),
                  ["explorer.log", "host-tests-test_mm.log", "host-tests-test_mm_arm64.log", "races.log"])
        equal("prove.no-mutants", program(prove, "good", "--no-boots", "--no-mutants", "--orderings", "50")[0], 0)
        equal("prove.no-scheme", program(prove, "none", "--no-boots")[0], 2)
        prove.BUILD, prove.EXPLORER = saved


# --- bench, launcher, CD ------------------------------------------------------------------------------------
def test_bench(machine: Machine) -> None:
    console = (ROOT / "tests/host/report/path.log").read_text()
    config = machine.folder / "bench.cfg"
    config.write_text("[one]\nsummary = a thing\ncmd = bench x\nvars = SMP=2 DET=1\n[two]\nsummary = b\ncmd = bench y\n")
    saved = bench.CONFIG, bench.ROOT
    bench.CONFIG, bench.ROOT = str(config), machine.folder
    report_root = os.getcwd()
    environ = {name: os.environ.pop(name) for name in list(os.environ) if name in settings.DEFAULTS}

    def run(*words: str) -> tuple[object, list[str]]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = bench.main(["bench.py", f"BUILD={machine.folder}", *words])
        os.chdir(report_root)
        return code, said.getvalue().splitlines()

    machine.says(console.replace("\n", "|"), 1)
    code, said = run()
    equal("bench.all", (code, said[0].startswith("2 boots, build "), said[-1].startswith("results in results/")), (0, True, True))
    equal("bench.lines", [line.split(" ... ")[0] for line in said[1:3]], ["  one      a thing", "  two      b"])
    equal("bench.counts", [line.endswith("3 records") for line in said[1:3]], [True, True])
    folder = machine.folder / said[-1].removeprefix("results in ")
    info = json.loads((folder / "run.json").read_text())
    equal("bench.info", (info["exit_code"], info["image"], len(info["image_sha256"]), info["argv"], [b["name"] for b in info["boots"]],
                         info["boots"][0]["settings"]["SMP"]), (0, "tarry.elf", 64, ["tools/bench.py", f"BUILD={machine.folder}"], ["one", "two"], "2"))
    equal("bench.files", (folder / "report.md").exists() and (folder / "bench.csv").exists(), True)
    code, said = run("ONLY=two", "SMP=3")
    equal("bench.only", (code, said[0].startswith("1 boots")), (0, True))
    equal("bench.user-wins", bench.load(config, "one", {"SMP": "3"})[0][1].smp, 3)
    equal("bench.only-unknown", run("ONLY=two,six"), (2, [f"bench: error: ONLY: no six in {config} (one, two)"]))
    equal("bench.bad-setting", run("SMP=x")[0], 2)
    machine.says("Tarry 1 x86_64|TARRY-END rc=1|", 3)
    code, said = run("ONLY=two")
    equal("bench.not-well", (code, said[1].endswith("0 records, NOT WELL"), any("no record" in line for line in said)), (1, True, True))
    (machine.folder / "x86_64/tarry.elf").rename(machine.folder / "gone")
    equal("bench.no-image", (run()[0], "build it first" in run()[1][0]), (77, True))
    (machine.folder / "gone").rename(machine.folder / "x86_64/tarry.elf")
    equal("bench.first-line", [bench.first_line(["echo", "a b"]), bench.first_line(["true"]), bench.first_line(["/nonexistent"])],
          ["a b", "", "missing"])
    bench.CONFIG, bench.ROOT = saved
    os.environ.update(environ)


def launched(machine: Machine, *argv: str, **environ: str) -> subprocess.Popen:
    env = {**os.environ, **environ, "BUILD": str(machine.folder)}
    return subprocess.Popen([sys.executable, str(ROOT / "tools/launch.py"), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=env, cwd=ROOT)


def test_launcher(machine: Machine) -> None:
    machine.says("Tarry 0.1.0 x86_64 x|TARRY-END rc=4|", 9)
    process = launched(machine, "run")
    out, _ = process.communicate(timeout=60)
    equal("launch.run", (process.returncode, "TARRY-END rc=4" in out), (4, True))
    process = launched(machine, "run", "ARCH=arm64")
    process.communicate(timeout=60)
    equal("launch.run-arm64", process.returncode, 9)
    # Ended from outside: its guest goes with it.
    marker = machine.folder / "pid"
    program_of = machine.folder / "qemu-system-x86_64"
    program_of.write_text(GUEST.replace("import os, sys, time", f"import os, sys, time\nopen({str(marker)!r}, 'w').write(str(os.getpid()))"))
    machine.says("Tarry 0.1.0 x86_64 x|", 1, stays=60)
    process = launched(machine, "exec", "CMD=x")
    deadline = time.monotonic() + 60
    while not (marker.exists() and marker.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    gone = False
    while not gone and time.monotonic() < deadline:
        gone = not Path(f"/proc/{marker.read_text()}/exe").exists()
        time.sleep(0.05)
    equal("launch.terminated", (process.returncode, gone), (143, True))
    program_of.write_text(GUEST)
    os.environ["GUEST_STAYS"] = "0"


MKRESCUE = """#!/bin/sh
echo "$@" > {folder}/asked
while [ "$1" != -o ]; do shift; done
cat "$3/boot/grub/grub.cfg" "$3/boot/grub/args.cfg" "$3/boot/tarry.elf" > "$2"
"""


def test_iso(machine: Machine) -> None:
    tool = machine.folder / "grub-mkrescue"
    tool.write_text(MKRESCUE.format(folder=machine.folder))
    tool.chmod(0o755)
    s = machine.settings()
    image = media.build_iso(s)
    data = image.read_bytes()
    equal("iso.built", (image.name, data.endswith(b"x"), data.count(media.ARGS_MARK), b"multiboot2 /boot/tarry.elf end=halt 'tarry.run=machine; litmus; bench tlb" in data,
                        len(data) > media.ARGS_SIZE, (s.out / "iso").exists(), (s.out / "tarry.partial").exists()),
          ("tarry.iso", True, 1, True, True, False, False))
    equal("iso.modules", "multiboot2 --fonts= --locales= --themes= -o" in (machine.folder / "asked").read_text().replace("'", ""), True)
    (machine.folder / "asked").unlink()
    media.build_iso(s)
    equal("iso.not-again", (machine.folder / "asked").exists(), False)
    later = time.time() + 5
    os.utime(s.out / "tarry.elf", (later, later))
    media.build_iso(s)
    equal("iso.again-for-a-newer-kernel", (machine.folder / "asked").exists(), True)
    image.unlink()
    tool.write_text("#!/bin/sh\necho a >&2; echo b >&2; exit 1\n")
    try:
        media.build_iso(s)
        said = ""
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    equal("iso.fails", said, "CannotRun: grub-mkrescue failed: ['b']")


MKNETDIR = """#!/bin/sh
folder=${{1#--net-directory=}}
[ -n "{loader}" ] && mkdir -p "$folder/grub/i386-pc" && touch "$folder/grub/{loader}"
"""


def test_netboot(machine: Machine) -> None:
    tool, s = machine.folder / "grub-mknetdir", settings.parse({"BOOT": "pxe", "CMD": "show", "BUILD": str(machine.folder)})
    equal("netboot.medium", (media.medium(settings.parse({}), machine.folder), settings.BOOTS[-2:]), (None, ("pxe", "pxe-uefi")))
    for loader, expected in (("", "CannotRun: grub-mknetdir failed"), ("i386-pc/core.0", "netboot")):
        tool.write_text(MKNETDIR.format(loader=loader))
        tool.chmod(0o755)
        shutil.rmtree(machine.folder / "netboot", ignore_errors=True)
        try:
            said = media.medium(s, machine.folder).name
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        equal(f"netboot.{loader or 'no-loader'}", said.startswith(expected), True)
    config = (machine.folder / "netboot/grub/grub.cfg").read_text()
    equal("netboot.config", (config.startswith("insmod all_video\nmultiboot2 /tarry.elf 'records.width=0' "), config.endswith(" 'tarry.run=show'\nboot\n"),
                             (machine.folder / "netboot/tarry.elf").exists()), (True, True, True))


def test_kvm() -> None:
    stopped = "KVM internal error. Suberror: 1\nemulation failure\nRIP=00001234 x\nCode=00 <c5> fc\n"
    for name, text, says in (("nothing", "qemu: warning: x\n", ""), ("avx", stopped, "this KVM cannot emulate an AVX instruction"),
                             ("avx-where", stopped, "KVM internal error. Suberror: 1, emulation failure at RIP=00001234"),
                             ("other-instruction", stopped.replace("<c5>", "<0f>"), "take the feature away"),
                             ("stopped", "error: kvm run failed Bad address\n", "error: kvm run failed Bad address: use ACCEL=tcg"),
                             ("entry", "KVM: entry failed, hardware error 0x80000021\n", "KVM: entry failed, hardware error 0x80000021: use"),
                             ("no-start", "qemu: Could not access KVM kernel module: No such file\n", "Could not access KVM kernel module: No such file: use"),
                             ("not-built", "qemu-system-x86_64: invalid accelerator kvm\n", "invalid accelerator kvm: use")):
        got = kvm.failure(text)
        equal(f"kvm.{name}", says in got and bool(got) == bool(says), True)
    saved = kvm.platform.machine, kvm.DEVICE
    kvm.platform.machine = lambda: "aarch64"
    equal("kvm.other-machine", "this machine is arm64" in kvm.missing("x86_64"), True)
    kvm.DEVICE = Path("/nonexistent")
    equal("kvm.no-device", "there is no /nonexistent here" in kvm.missing("arm64"), True)
    kvm.DEVICE = Path("/dev/null")
    equal("kvm.there", kvm.missing("arm64"), "")
    kvm.platform.machine, kvm.DEVICE = saved


# --- lines of C, by part ------------------------------------------------------------------
PARTS = {"mm": ("mm/a.c", "mm/defer/a.c"), "kernel": ("kernel/core/a.c",), "arch/include": ("arch/include/arch/a.h",),
         "x86_64": ("arch/x86_64/a.S", "boot/x86_64/a.c"), "arm64": ("arch/arm64/a.c", "boot/arm64/include/a.h"),
         "boot": ("boot/a.c", "boot/b.c", "boot/include/boot/a.h"), "arch/fake": ("arch/fake/a.c",),
         "tools": ("tools/topology/a.c",), "tests": ("tests/host/a.c", "tests/unit/a.c")}


def counted(tree: Path) -> list[int]:
    done = subprocess.run(["sh", ROOT / "tools/lines.sh"], cwd=tree, capture_output=True, text=True, check=True)
    return [int(row.split("|")[2]) for row in done.stdout.splitlines()[2:]]


def test_lines() -> None:
    if not shutil.which("git"):
        OUT.skip("lines", "no git, which lists the files")
        return
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        for files in PARTS.values():
            for name in files:
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_text("/* one */\n")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
        equal("lines.each-file-in-one-part", counted(Path(folder)), [len(files) for files in PARTS.values()])
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.S"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode or not listed.stdout:
        OUT.skip("lines.every-file", listed.stderr.strip() or "this tree is in no repository")
        return
    equal("lines.every-file", sum(counted(ROOT)), sum((ROOT / name).read_bytes().count(b"\n") for name in listed.stdout.split()))


def main() -> int:
    test_planted()
    test_mutants()
    test_generic()
    test_prove()
    test_kvm()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(folder)
        test_bench(machine)
        test_launcher(machine)
        test_iso(machine)
        test_netboot(machine)
    test_lines()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
