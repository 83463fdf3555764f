#!/usr/bin/env python3
"""`bench vm` with a guest that the hardware runs: the counts of the software MMU (second_mmu.py), and what only a guest has.

Its code calls every 64 operations, and goes on while nobody asks for anything else.
"""

import subprocess

import second_mmu
from common import boot, main, records, result, settings

SCHEMES = second_mmu.SCHEMES[:4]
TAKEN = ("pinned", "alone", "half", "none", "large")
MANY = 20  # rounds, in which 10,000 pages move; CMD=N: N
PATTERNS = ("uniform", "normal", "pareto", "zipf")
# Machines without: a name, the settings, and what they say.
REFUSED = {
    "x86_64": (("hw.svm", {"ARGS": "hw=-svm"}, "this CPU has no AMD SVM"),
               ("hw.npt", {"ARGS": "hw=-npt"}, "this CPU's SVM is without nested paging"),
               ("Skylake-Server", {"CPU": "Skylake-Server"}, "this CPU has no AMD SVM")),
    "arm64": (("EL1", {"EL2": 0}, "the firmware started this kernel at EL1"),),
}
# Relocations to what lies outside of the code; calls and branches within it need none.
RELOCATION = {"x86_64": "R_X86_64", "arm64": "R_AARCH64"}


def hardware(command: str) -> str:
    return command.replace("--mmu software", "--mmu hardware").replace(",".join(second_mmu.SCHEMES), ",".join(SCHEMES))


def check_counts(runs: dict) -> None:
    """As behind the software MMU."""
    second_mmu.check_pinned(runs)
    for scheme, found in runs["half"].items():
        zapped = second_mmu.ALL if scheme in ("baseline", "skip-pinned") else second_mmu.ALL // 2
        second_mmu.expect(f"half.{scheme}", found, passes=second_mmu.PASSES, zapped=zapped,
                          moved=second_mmu.ROUNDS * second_mmu.PAGES // 2)
    second_mmu.check_none(runs)
    second_mmu.check_large(runs)


def check_many(rounds: int) -> None:
    """Two virtual CPUs write while their pages move; their words are verified as they are read, and at the end."""
    run = second_mmu.take({"many": f"bench vm --mmu hardware --pages 512 --rounds {rounds} --warmup 0 --write-pct 50 "
                                   "--schemes numa-protect"}, "hardware")
    many = run["many"]["numa-protect"]
    result("many", many["moved"] == rounds * 512 and not many["wrong"],
           f"{many['moved']} pages moved under two writers, {many['wrong']} wrong")


def check_patterns() -> None:
    """Those that come from a table of draws, which the guest shares, and the one that does not. A page may not be touched at all."""
    run = boot("; ".join(f"bench vm --mmu hardware --pattern {name} --rounds 2 --scans 2 --warmup 0 --schemes baseline" for name in PATTERNS))
    found = [record for record in records.extract(run.text).records if "vm" in record]
    counts = [(one["vm"]["guest_ops"], one["counters"]["reads_verified"], one["counters"]["stale_reads"]) for one in found]
    result("patterns", run.guest_rc == 0 and len(found) == len(PATTERNS) and all(ops and read and not stale for ops, read, stale in counts),
           f"rc={run.guest_rc}, operations, of them verified reads, wrong ones: {counts}")


def check_code() -> None:
    """The guest's code calls nothing outside of itself, and has no constants elsewhere."""
    s = settings()
    path = f"{s.build}/{s.arch}/obj/kernel/bench/load/victim_guest.c.o"
    listed = subprocess.run(["readelf", "-rW", path], capture_output=True, text=True, check=True).stdout
    wrong = [line for line in listed.split("Relocation section '.rela.text")[1:] for line in line.splitlines() if RELOCATION[s.arch] in line]
    result("code.alone", not wrong, f"{len(wrong)} relocations in it: {wrong[:1]}")


def check_refused() -> None:
    for name, changes, why in REFUSED[settings().arch]:
        text = boot("bench vm --mmu hardware; bench vm --pages 64 --rounds 1 --warmup 0", **changes).text
        result(f"{name}.refused", f"--mmu hardware: {why}" in text, why)
        result(f"{name}.auto", f"the software MMU: {why}" in text and '"mmu":"software"' in text, "auto takes the software MMU and says why")


def body() -> None:
    runs = second_mmu.take({name: hardware(second_mmu.RUNS[name]) for name in TAKEN}, "hardware")
    check_counts(runs)
    check_many(int(settings().cmd or MANY))
    if settings().cmd or settings().arch == "x86_64":  # the same code on both, so one will do in `make test`
        check_patterns()
    check_code()
    check_refused()


main(body)
