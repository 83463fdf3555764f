#!/usr/bin/env python3
"""A new workload is one file and one line: a copy of the tree gets one, and nothing else is edited.

The file declares options of its own. With that it is built, has its place in lists, help, completion and
records, and values out of range are refused by name and range. One of them says how long the run is, so that at the
prompt nothing else ends it.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import Console, Missing, ROOT, bench, boot, main, result, settings

NAME = "fresh"
LIST, LINE = "kernel/files.mk", f"SRCS += kernel/bench/workload/{NAME}.c\n"
SOURCE = """/* `fresh`: what reading the clock costs, several times per sample. */
#include <harness/bench.h>
#include <harness/workload.h>
#include <kernel/clock.h>

static u64 depth, laps;

static const struct bench_option options[] = {
	{OPTION_NUMBER("--depth", &depth, 1, 64, 8, "fresh: clock reads per sample"), .key = "depth"},
	{OPTION_NUMBER("--laps", &laps, 1, 64, 1, "fresh: as often as that"), .length = true},
	{.arg = {NULL}},
};

static int read_clock(struct bench *b, u64 arg, u64 *value)
{
	u64 start = cycles_now();

	(void)b, (void)arg;
	for (u64 i = 0; i < depth * laps; i++)
		cycles_now();
	*value = bench_ns_per(cycles_now() - start, depth * laps, 0);
	return 0;
}

static int fresh_setup(struct bench *b)
{
	bench_series_add(b, &(struct bench_series){.unit = "ns", .busy = 1, .time = true, .measure = read_clock},
			 "read_clock");
	return 0;
}

static void fresh_teardown(struct bench *b)
{
	(void)b;
}

WORKLOAD(workload_fresh) = {
	.name = "fresh",
	.summary = "clock reads",
	.unit = "ns",
	.separates = "",
	.options = options,
	.setup = fresh_setup,
	.round = bench_series_measure,
	.teardown = fresh_teardown,
};
"""


def copy_tree(to: Path) -> None:
    """With what is built already, and its times, so that only what is new is compiled."""
    def left_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        if inside == Path("."):
            return {".git", "results"} & set(names)
        if inside == Path("build"):
            return set(names) - {settings().arch, "deps"}
        return set()

    shutil.copytree(ROOT, to, ignore=left_out)


def build(tree: Path) -> None:
    (tree / f"kernel/bench/workload/{NAME}.c").write_text(SOURCE)
    with (tree / LIST).open("a") as sources:
        sources.write(LINE)
    done = subprocess.run(["make", "-s", "-j2", "SETUP=no", f"ARCH={settings().arch}", "all"],
                          cwd=tree, capture_output=True, text=True, check=False,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "BUILD")})
    result("builds", done.returncode == 0, done.stderr[-300:])
    if done.returncode:
        raise Missing("nothing to run")


def help_lines(tree: Path) -> None:
    run = boot(f"list workloads; bench {NAME} -h; bench mem -h", BUILD=tree / "build")
    described = "--depth N (1..64, default 8)  fresh: clock reads per sample"
    result("listed", any(line.split()[:2] == [NAME, "clock"] for line in run.text.splitlines()), "list workloads")
    result("help", run.text.count(described) == 1, f"once, for {NAME} alone: {described}")


def completion(tree: Path) -> None:
    with Console(BUILD=tree / "build") as console:
        console.expect(b"tarry> ")
        console.send(f"bench {NAME} --dep\t 3 --reps 2\r".encode())
        console.expect(b"--depth")
        console.expect(b"# rc=0")
        result("completion", True, "--dep and Tab: --depth")


def length(tree: Path) -> None:
    with Console(BUILD=tree / "build", DET=0) as console:
        console.expect(b"tarry> ")
        said = []
        for option in b"", b" --laps 2", b" --depth 2":
            console.send(b"bench %s%s\r" % (NAME.encode(), option))
            console.expect(b"# %s: " % NAME.encode())
            said.append(b"it ends after about 10 s" in console.expect(b"\n"))
            console.send(b"\x03")  # nobody needs its figures
            console.expect(b"tarry> ")
        result("length", said == [True, False, True], f"ends after ten seconds unless --laps is given: {said}")


def records(tree: Path) -> None:
    plain = bench(f"bench {NAME}", BUILD=tree / "build")["as-set"]
    deep = bench(f"bench {NAME} --depth 64", BUILD=tree / "build")["as-set"]
    result("record", (plain.get(NAME), deep.get(NAME)) == ({"depth": 8}, {"depth": 64}), f"{plain.get(NAME)}")
    names = [point["name"] for point in plain["points"]]
    result("series", names == ["read_clock"], str(names))


def refusals(tree: Path) -> None:
    for name, command, named in (("too-low", f"bench {NAME} --depth 0", "--depth 0: out of range, must be 1..64"),
                                 ("too-high", f"bench {NAME} --depth=65", "--depth 65: out of range, must be 1..64"),
                                 ("no-number", f"bench {NAME} --depth x", "--depth x: not a number, must be 1..64"),
                                 ("of-another", "bench mem --depth 3", "--depth does not apply to mem"),
                                 ("not-its-own", f"bench {NAME} --pages 3", f"--pages does not apply to {NAME}")):
        run = boot(command, BUILD=tree / "build")
        errors = [line for line in run.text.splitlines() if line.startswith("error: ")]
        result(f"refused.{name}", run.guest_rc == 2 and any(named in line for line in errors), str(errors))


def body() -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-") as scratch:
        tree = Path(scratch) / "tree"
        copy_tree(tree)
        build(tree)
        help_lines(tree)
        records(tree)
        refusals(tree)
        completion(tree)
        length(tree)


main(body)
