#!/usr/bin/env python3
"""`bench vm` behind the software MMU: what the NUMA scan makes of a guest whose pages are pinned, in whole, in part, or not at all.

Counts are exact: the guest goes once round its pages between two passes of the scan, so that each pass finds its tables full.
With pinned pages `start` zaps all of them for nothing, also where the scan spares them; `protect` and `late` do not.
"""

from common import Missing, boot, main, records, result, settings

ROUNDS, SCANS, PAGES = 3, 4, 256
PASSES = ROUNDS * SCANS
ALL = PAGES * PASSES  # entries that a scan meets in the measured rounds
SCHEMES = ("baseline", "skip-pinned", "numa-protect", "late-notify", "numa-protect+pinned=skip-cow")
LARGE = 4096  # pages of a guest with 2 MiB pages
RUN = f"bench vm --mmu software --rounds {ROUNDS} --scans {SCANS} --warmup 1 --schemes {','.join(SCHEMES)}"
RUNS = {
    "pinned": f"{RUN} --pages {PAGES} --pinned 100",
    "alone": f"{RUN} --pages {PAGES} --pinned 100 --no-scan",
    "half": f"{RUN} --pages {PAGES} --pinned 50",
    "one": f"{RUN} --pages {PAGES} --pinned 50 --threads 1",
    "shared": f"{RUN} --pages {PAGES} --pinned 50 --mapping shared",
    "spread": f"{RUN} --pages {PAGES} --pinned 50 --spread",
    "snapshot": f"{RUN} --pages {PAGES} --pinned 50 --snapshot --write-pct 0",
    "none": f"{RUN} --pages {PAGES} --pinned 0",
    "large": f"{RUN} --pages {LARGE} --pinned 50 --thp",
    "many": "bench vm --mmu software --pages 512 --rounds 20 --warmup 0 --write-pct 50 --schemes numa-protect",
}
REFUSED = {
    "bench vm --thp --pages 4096 --mapping shared": "has no 2 MiB pages",
    "bench vm --snapshot --mapping shared": "of a private, writable mapping",
    "bench vm --pinned 101": "--pinned",
}


def counts(record: dict) -> dict:
    found = record["counters"]
    return {"passes": record["vm"]["passes"], "ops": record["vm"]["guest_ops"], "exits": record["vm"]["exits_per_mop"],
            "zapped": found["secondary_invalidations"], "useless": found["secondary_useless"],
            "refills": found["secondary_refills"], "large": found["secondary_refills_2m"],
            "broken": found["secondary_broken_2m"] + found["pages_split"], "rebuilt": found["secondary_rebuilt_2m"], "hints": found["hint_entries"],
            "spared": found["hint_spared"], "unpinned": found["hint_spared_unpinned"],
            "missed": found["hint_marked_pinned"], "moved": found["hint_moved"], "flushes": found["secondary_flushes"],
            "faults": record["vm"]["guest_exits"]["fault"], "retried": found["secondary_retried"],
            "wrong": found["stale_reads"]}


def expect(name: str, found: dict, **wanted: int) -> None:
    wrong = {key: (found[key], value) for key, value in wanted.items() if found[key] != value}
    result(name, not wrong, f"{found}, expected {wrong}" if wrong else ", ".join(f"{k} {v}" for k, v in wanted.items()))


def check_sums(name: str, found: dict) -> None:
    """What holds of every run."""
    adds_up = (found["zapped"] == found["refills"] == found["faults"] and found["useless"] + found["moved"] == found["refills"]
               if name != "large" else found["zapped"] == found["refills"] == found["large"] == found["faults"])
    result(f"{name}.sums", adds_up and found["ops"] > 0 and not found["wrong"], str(found))


def check_pinned(runs: dict) -> None:
    """Everything is pinned: nothing can move, and only `start` zaps; the guest's exits are those that it has without a scan."""
    for scheme, found in runs["pinned"].items():
        starts = scheme in ("baseline", "skip-pinned")
        expect(f"pinned.{scheme}", found, passes=PASSES, moved=0, zapped=ALL if starts else 0, useless=ALL if starts else 0,
               hints=ALL if scheme == "baseline" else 0)
        if not starts:
            result(f"pinned.{scheme}.exits", found["exits"] == runs["alone"][scheme]["exits"],
                   f"{found['exits']} per million operations, without the scan {runs['alone'][scheme]['exits']}")


def check_half(runs: dict) -> None:
    """Half is pinned. Each page that is not moves once in a round."""
    moved = ROUNDS * PAGES // 2
    for case in ("half", "one", "shared", "spread"):
        for scheme in ("baseline", "skip-pinned"):
            expect(f"{case}.{scheme}", runs[case][scheme], passes=PASSES, zapped=ALL, moved=moved)
        # Exactly those that are not, wherever they lie.
        for scheme in ("numa-protect", "late-notify"):
            expect(f"{case}.{scheme}", runs[case][scheme], passes=PASSES, zapped=ALL // 2, hints=ALL // 2,
                   spared=ALL // 2, moved=moved, unpinned=0, missed=0, useless=ALL // 2 - moved)
    cow = SCHEMES[-1]
    expect("half.skip-cow", runs["half"][cow], zapped=ALL // 2, spared=ALL // 2, unpinned=0, missed=0, moved=moved)
    expect("shared.skip-cow", runs["shared"][cow], zapped=ALL, spared=0, missed=ALL // 2, moved=moved)
    expect("snapshot.skip-cow", runs["snapshot"][cow], zapped=0, spared=ALL, unpinned=ALL // 2, moved=0)
    expect("snapshot.numa-protect", runs["snapshot"]["numa-protect"], zapped=ALL // 2, moved=moved)


def check_none(runs: dict) -> None:
    """Nothing is pinned: one by one or at once, as much is zapped; how many flushes that takes is said."""
    start = runs["none"]["baseline"]
    for scheme, found in runs["none"].items():
        expect(f"none.{scheme}", found, passes=PASSES, zapped=start["zapped"], moved=ROUNDS * PAGES,
               useless=start["useless"])
    result("none.flushes", all(found["flushes"] > 0 for found in runs["none"].values()),
           ", ".join(f"{scheme} {found['flushes']}" for scheme, found in runs["none"].items()))


def check_large(runs: dict) -> None:
    """2 MiB pages: entries of 2 MiB, in both MMUs, and as many as with small ones in proportion."""
    entries = LARGE // 512 * PASSES
    for scheme, found in runs["large"].items():
        zapped = entries if scheme in ("baseline", "skip-pinned") else entries // 2
        expect(f"large.{scheme}", found, zapped=zapped, large=zapped, moved=ROUNDS * LARGE // 2,
               broken=0, rebuilt=0)


def take(commands: dict[str, str], mmu: str) -> dict[str, dict]:
    """What the runs counted, by scheme."""
    run = boot("; ".join(commands.values()))
    found = [record for record in records.extract(run.text).records if "vm" in record]
    wanted = sum(command.split("--schemes ")[1].split()[0].count(",") + 1 for command in commands.values())
    if run.guest_rc != 0 or len(found) != wanted or any(record["vm"]["mmu"] != mmu for record in found):
        raise Missing(f"rc={run.guest_rc}, {len(found)} records of {wanted}, second MMU {[r['vm']['mmu'] for r in found][:1]}")
    each, runs = iter(found), {}
    for name, command in commands.items():
        taken = [next(each) for _ in command.split("--schemes ")[1].split()[0].split(",")]
        runs[name] = {record["scheme"]: counts(record) for record in taken}
        for scheme, one in runs[name].items():
            check_sums(name if name == "large" else f"{name}.{scheme}", one)
    return runs


def body() -> None:
    runs = take(RUNS, "software")
    check_pinned(runs)
    check_half(runs)
    check_none(runs)
    check_large(runs)
    many = runs["many"]["numa-protect"]
    result("many", many["moved"] >= 10000 and not many["wrong"], f"{many['moved']} pages moved under two writers, none wrong")
    text = boot("; ".join(REFUSED)).text
    for command, why in REFUSED.items():
        result(f"refused.{command.split('--', 1)[1].replace(' ', '-')}", why in text, why)


if __name__ == "__main__":
    main(body)
