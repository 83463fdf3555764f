#!/usr/bin/env python3
"""A new deferral is one file and one line: a copy of the tree gets one, and nothing else is edited.

The steps are those of docs/new-deferral.md, whose commands are run here: skeleton.c under another
name, so it has a knob and a counter. With that it is built, has its place in lists, on the boot line
and in records, and the explorer runs it. The C of that page is mm/defer/latr.c, piece by piece.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import Console, Missing, ROOT, bench, boot, main, result, settings

NAME, SCHEME = "mine", "batch+defer=mine"  # as the page has it
PAGE = ROOT / "docs/new-deferral.md"
BENCH = (f"bench migrate --pages 64 --threads 0 --mapping ro --reps 3 --warmup 1 "
         f"--schemes batch,{SCHEME},{SCHEME}+mine_age=1000000")


def copy_tree(to: Path) -> None:
    """With what is built already, and its times, so that only what is new is compiled."""
    arch = settings().arch

    def left_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        if inside == Path("."):
            return {".git", "results"} & set(names)
        if inside == Path("build"):
            return set(names) - {arch, "host", "deps"}
        if inside == Path("build/host"):
            return set(names) - {"explore", "explore.obj"}
        return set()

    shutil.copytree(ROOT, to, ignore=left_out)


def run_line(tree: Path, line: str) -> tuple[int, str]:
    """A line of the page's, in the tree: exit status and what it printed."""
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "BUILD")}
    done = subprocess.run(["sh", "-c", line], cwd=tree, env=environ | {"ARCH": settings().arch, "SETUP": "no"},
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def compare(tree: Path) -> None:
    """The boots that the page shows: the new one beside batches, and LATR beside all."""
    shown = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make -s exec ")]
    result("page.boots", len(shown) == 2, str(shown))
    for line in shown:
        schemes = line.partition("--schemes ")[2].strip("'").split(",")
        code, text = run_line(tree, line)
        rows = [name for name in schemes if re.search(rf"^{re.escape(name)} +\d+ ", text, re.MULTILINE)]
        result(f"page.boot.{schemes[-1]}", code == 0 and rows == schemes, f"{line}: {code}, rows of {rows}; {text[-200:]}")


def blocks(language: str, after: str = "") -> list[str]:
    return re.findall(rf"^{after}```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def page_is_the_file() -> None:
    """What a reader of the page would end up with is what is in the tree."""
    result("page.file", "".join(blocks("c")) == (ROOT / "mm/defer/latr.c").read_text(),
           "the C of docs/new-deferral.md, joined, is mm/defer/latr.c")
    scheme, = blocks("scheme")
    result("page.scheme", scheme in (ROOT / "mm/schemes.c").read_text(), "its scheme is in mm/schemes.c")


def add(tree: Path) -> None:
    for commands in blocks("sh", after=r"<!-- run -->\n"):
        subprocess.run(["sh", "-ec", commands], cwd=tree, check=True)
    if f"X({NAME})" not in (tree / "mm/defer/deferrals.c").read_text():
        raise Missing("the page's commands added nothing to the list of deferrals")


def add_scheme(tree: Path) -> None:
    schemes, of_page = tree / "mm/schemes.c", blocks("scheme")[0]
    text = schemes.read_text()
    schemes.write_text(text.replace(of_page, of_page + of_page.replace("latr", NAME)))
    if text == schemes.read_text():
        raise Missing("the page's scheme was not found in mm/schemes.c")


def build(tree: Path, what: str) -> None:
    done = subprocess.run(["make", "-s", "-j2", "SETUP=no", f"ARCH={settings().arch}",
                           "all", "build/host/explore"], cwd=tree, capture_output=True, text=True, check=False,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "BUILD")})
    result(f"builds.{what}", done.returncode == 0, done.stderr[-300:])
    if done.returncode:
        raise Missing("nothing to run")


def lists(tree: Path) -> None:
    run = boot(f"list knobs; show defer; show {NAME}_age; set defer={NAME} {NAME}_age=7; show {NAME}_age",
               BUILD=tree / "build", ARGS=f"knob.{NAME}_age=5")
    rows = [line.removeprefix("* ").split() for line in run.text.splitlines()]
    shown = [row[1:5] for row in rows if row[:1] == [f"{NAME}_age"] and row[1].isdigit()]
    result("listed", any(row[:2] == [f"{NAME}_age", f"defer={NAME}:"] for row in rows) and
           any(row[:2] == ["one", "of"] and NAME in row for row in rows), "list knobs, show defer")
    helped = boot("help bench; bench migrate -h", BUILD=tree / "build").text.splitlines()
    named = [line.strip().partition(": ")[2].split(", ") for line in helped if line.startswith("    ")]
    result("help.knob", sum(f"{NAME}_age" in names for names in named) == 2, "help bench, bench migrate -h")
    result("boot-line", ["5", "0", "boot", "line"] in shown, str(shown))
    result("set", any(row[:3] == ["7", "0", "set"] for row in shown), str(shown))


def scheme(tree: Path) -> None:
    """A name for it, as the page gives latr one: in the list, for --schemes, and completed."""
    run = boot(f"list schemes; bench migrate --pages 8 --threads 0 --mapping ro --reps 1 --schemes {NAME}",
               BUILD=tree / "build", DET=1)
    lines = run.text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(f"{NAME} ")), -1)
    result("scheme.listed", at >= 0 and f"defer={NAME}" in lines[at + 1].split(), lines[at + 1])
    result("scheme.measured", run.guest_rc == 0 and f'"scheme":"{NAME}"' in run.text, f"--schemes {NAME}")
    helped = boot("help bench; set -h", BUILD=tree / "build").text
    named = [line for line in helped.splitlines() if line.startswith("    schemes: ")]
    result("scheme.help", len(named) == 2 and all({NAME, "latr"} <= set(line.replace(",", "").split()) for line in named), str(named))
    with Console(BUILD=tree / "build") as console:
        for typed, shown in (("set defer=min\t", f"set defer={NAME} "), ("set scheme=min\t", f"set scheme={NAME} "),
                             ("bench migrate --schemes latr,min\t -h", f"bench migrate --schemes latr,{NAME} -h")):
            console.expect(b"tarry> ")
            console.send(typed.encode() + b"\r")
            echoed = console.expect(b"# rc=").decode()
            result(f"completed.{typed.split()[1].partition('=')[0].strip('-')}", shown.rstrip() in echoed, echoed[:100])


def records(tree: Path) -> None:
    found = bench(BENCH, BUILD=tree / "build")
    plain, new, aged = (found[s] for s in ("batch", SCHEME, f"{SCHEME}+mine_age=1000000"))
    result("record.knob", (plain["knobs"][f"{NAME}_age"], new["knobs"]["defer"], aged["knobs"][f"{NAME}_age"])
           == (0, NAME, 1000000), str(aged["knobs"]))
    result("record.counter", f"{NAME}_noted" in new["counters"] and f"{NAME}_noted" not in plain["counters"],
           f"{NAME}_noted")
    counters = new["counters"]
    forced = counters["debts_forced_by"]
    result("record.debts", counters["debts_created"] == sum(forced.values()) == counters["debts_forced"] > 0,
           f"{counters['debts_created']} created, paid: {({k: v for k, v in forced.items() if v})}")
    varied = boot(f"bench migrate --pages 64 --threads 0 --mapping ro --reps 3 --schemes {SCHEME} "
                  f"--vary {NAME}_age=0,9", BUILD=tree / "build")
    result("vary", varied.guest_rc == 0 and varied.text.count(f'"{NAME}_age":9') == 1, f"--vary {NAME}_age=0,9")


def explorer(tree: Path) -> None:
    explore = tree / "build/host/explore"
    names = subprocess.run([explore, "--list"], capture_output=True, text=True, check=False).stdout
    result("explorer.lists", SCHEME in names.split(), names.replace("\n", " ")[-120:])
    done = subprocess.run([explore, "--scheme", SCHEME, "--orderings", "200"], capture_output=True,
                          text=True, check=False)
    result("explorer.runs", done.returncode == 0 and f"x86.{SCHEME}" in done.stdout, done.stdout[-200:])


def body() -> None:
    page_is_the_file()
    with tempfile.TemporaryDirectory(prefix="tarry-") as scratch:
        tree = Path(scratch) / "tree"
        copy_tree(tree)
        add(tree)
        build(tree, "deferral")
        lists(tree)
        compare(tree)
        records(tree)
        explorer(tree)
        add_scheme(tree)
        build(tree, "scheme")
        scheme(tree)


if __name__ == "__main__":
    main(body)
