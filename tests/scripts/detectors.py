#!/usr/bin/env python3
"""What sees a fault is shown one: mistakes planted in scratch copies of the sources.

The oracle first, alone: an early free that nothing else notices. A booted image runs a workload with check=reads, which
ends well, and with check=full, which must end in the oracle's panic, both places named. Then, on the modelled machine
and with every other check off, what decides whether a flush happens. And a race, whose report must name the functions,
files and lines of both accesses.

Then the readers, with the oracle off: another image flushes nothing on other CPUs, which must show as stale reads, and
calls the outcome of a litmus test without a flush forbidden, which must show as that. What sees a damaged record or a
broken plan is tests/host_tools.py; reads in the window and what hides stale reads: tests/scripts/stale_reads.py.
"""

import re
import tempfile
from pathlib import Path

from common import Missing, ROOT, boot, main, records, result
from tarrylib.prove.scratch import Scratch

EXPLORER, RACES = "host/explore", "host/explore_races"
ORDERINGS = 20000

# The frames of a range go back before their flush.
EARLY_FREE = ("mm/range.c", """	tlb_gather_flush(&z->gather);
	page_put_all(z->pages, z->count);
""", """	page_put_all(z->pages, z->count);
	tlb_gather_flush(&z->gather);
""")

NO_FLUSH = ("mm/tlb_ipi.c", "		tlb_flush_local_page(va, asid, part->level);\n", "")
FORBIDDEN = ("tests/litmus/common.c", "how == &by_nothing ? LITMUS_BROKEN", "how == &by_nothing ? LITMUS_FORBIDDEN")

# The request is no longer written before the bit that says that it is there.
UNORDERED = ("mm/tlb_ipi.c", "atomic_fetch_or(&cpu_ptr(cpu, tlb_cpu)->pending",
             "atomic_fetch_or_relaxed(&cpu_ptr(cpu, tlb_cpu)->pending")
REQUEST = {"serve_initiator", "write_request"}  # functions that read and write it, however they are inlined

# name: (rules, file, what stands there, what is put there)
PLANTS = {
    "early-free": ("x86", *EARLY_FREE),
    "mask-bit-missing": (
        "x86", "mm/context.c", "	cpumask_set_atomic(&ctx->mask, cpu_id());\n", ""),
    "generation-stepped-early": (
        "x86", "mm/tlb_ipi.c", "	int pages = flush_part(me, part, only_this);\n",
        "	int pages = mine % 2 ? -1 : flush_part(me, part, only_this && false);\n"),
    "flush-skipped": ("x86", *NO_FLUSH),
    "not-waited-for": (
        "x86", "mm/tlb_ipi.c",
        """	wait_until_blame(cpumask_empty(&me->unacked), "shootdown", blame_unacked, me);\n""", ""),
    "broadcast-not-prepared": ("arm64", "mm/tlb_bcast.c", "	tlb_bcast_prepare();\n", ""),
    "broadcast-not-completed": ("arm64", "mm/gather.c", "	tlb_bcast_sync();\n", ""),
    "only-the-last-mapping-flushed": (
        "x86", "mm/range.c", "		atomic_fetch_add(&page->mapcount, -1U);\n",
        "		if (load_relaxed(&page->mapcount) > 1) {\n"
        "			zap_gather(z, first, at, level);\n"
        "			first = at + size;\n"
        "		}\n"
        "		atomic_fetch_add(&page->mapcount, -1U);\n"),
}
BOTH_PLACES = re.compile(r"panic: .*oracle: frame \S+ freed by \w+\+\S+ while CPU \d+ may still hold it: "
                         r"context \d+, va \S+, unmapped by mm/range\.c:\d+ at \d+, debts \d+ frames, "
                         r"deferral \w+")


def plant(scratch: Scratch, file: str, old: str, new: str) -> str:
    """Returns the text before."""
    text = (ROOT / file).read_text()
    if old not in text:
        raise Missing(f"{file} has changed: {old.strip()!r} is not there")
    scratch.put(file, text.replace(old, new))
    return text


def build(scratch: Scratch, target: str) -> None:
    if errors := scratch.make(target):
        raise Missing(f"the planted mistake does not build: {errors.splitlines()[0]}")


def early_free(scratch: Scratch) -> None:
    text = plant(scratch, *EARLY_FREE)
    build(scratch, "x86_64/tarry.elf")
    folder = str(scratch.folder / "build")
    quiet = boot("bench mem", BUILD=folder, ARGS="check=reads")
    result("early-free.no-workload-notices", quiet.guest_rc == 0, f"check=reads: rc={quiet.guest_rc}")
    caught = boot("bench mem", BUILD=folder, ARGS="check=full")
    said = next((l for l in caught.text.splitlines() if "panic:" in l), "no panic")
    result("early-free.oracle-does", bool(BOTH_PLACES.search(said)), said)
    scratch.put(EARLY_FREE[0], text)


def without_oracle(scratch: Scratch) -> None:
    """What readers and litmus tests see by themselves."""
    texts = {mistake[0]: plant(scratch, *mistake) for mistake in (NO_FLUSH, FORBIDDEN)}
    build(scratch, "x86_64/tarry.elf")
    where = {"BUILD": str(scratch.folder / "build"), "ARGS": "large=off poison=full check=reads", "DET": 1, "SEED": 1}
    run = boot("bench migrate --pages 64 --threads 3 --schemes baseline", **where)
    block = records.extract(run.text)
    counted = sum(record["counters"]["stale_reads"] for record in block.records)
    result("stale-reads.counted", counted > 0 and not block.damaged, f"{counted} in the record")
    said = re.search(r"error: bench: (\d+) stale reads", run.text)
    result("stale-reads.fail-the-run", run.guest_rc == 1 and bool(said) and int(said[1]) >= counted > 0,
           f"rc={run.guest_rc}: {said[0] if said else 'nothing said'}, warm-up included")
    named = re.search(r"^# STALE page \d+ on CPU \d+: .*", run.text, re.MULTILINE)
    result("stale-reads.first-is-named", bool(named), named[0] if named else "no line names it")
    run = boot("test litmus.flush_self", **where)
    result("forbidden.test-fails", run.guest_rc == 1 and "not ok 1 flush_self" in run.text and ": forbidden, seen" in run.text,
           f"rc={run.guest_rc}")
    run = boot("litmus FLUSH.4K.self+none", **where)
    result("forbidden.command-fails", run.guest_rc == 1 and " 1 forbidden outcomes seen" in run.text, f"rc={run.guest_rc}")
    for file, text in texts.items():
        scratch.put(file, text)


def modelled(scratch: Scratch, name: str, rules: str, *mistake: str) -> None:
    text = plant(scratch, *mistake)
    build(scratch, EXPLORER)
    _, out = scratch.run([f"build/{EXPLORER}", "--stop", "--jobs", "1", "--bound", "0", "--rules", rules,
                          "--orderings", str(ORDERINGS), "--scheme", "batch", "--checks", "oracle"], 300)
    said = next((l for l in out.splitlines() if ": panic: oracle:" in l), "not found")
    result(f"{name}.caught", "oracle" in said, said)
    scratch.put(mistake[0], text)


def race(scratch: Scratch) -> None:
    text = plant(scratch, *UNORDERED)
    build(scratch, RACES)
    code, out = scratch.run([f"build/{RACES}", "--stop", "--jobs", "1", "--bound", "0", "--orderings", str(ORDERINGS),
                             "--scheme", "batch", "--scenario", "switch-shootdown"], 300)
    result("race.caught", code == 1 and ": race: CPU " in out, out[-200:])
    lines = (scratch.folder / UNORDERED[0]).read_text().splitlines()
    places = re.findall(r"^# +(?:\(inlined by\) )?(\w+) at tlb_ipi\.c:(\d+)", out, re.MULTILINE)
    accesses = {name for name, line in places if "request" in lines[int(line) - 1]}
    result("race.both-places-named", accesses >= REQUEST and "??" not in out, f"{places}")
    scratch.put(UNORDERED[0], text)


def body() -> None:
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        scratch = Scratch(ROOT, Path(folder))
        scratch.take_built(ROOT, "x86_64", f"{EXPLORER}.obj", f"{RACES}.obj")
        early_free(scratch)
        without_oracle(scratch)
        for name, (rules, *mistake) in PLANTS.items():
            modelled(scratch, name, rules, *mistake)
        race(scratch)


main(body)
