#!/usr/bin/env python3
"""Where pages lie: numactl's policies, the spaces that --keep leaves, numa and migratepages.

Counts come from three sides, which must agree: the record, `look spaces` (the page tables), and
`migratepages` (what moved).
"""

import re

from common import Missing, boot, main, records, result

MIB = 8
PAGES = MIB * 256
RUN = f"--warmup 0 --reps 1 --accesses 100 --map-size {MIB} --set-size {MIB}"
LINE = re.compile(r"^[0-9a-f]+ (\S+) anon=(\d+)((?: N\d+=\d+)*) kernelpagesize_kB=4$")
# name: (options, policy as numa_maps names it, pages on each node); threads run on CPUs 1 to 3, the
# last two on node 1, and touch by turns
POLICIES = {
    "default": ("--from 0", "prefer:0", [PAGES, 0]),
    "preferred": ("--preferred 1", "prefer:1", [0, PAGES]),
    "interleave": ("--interleave 0,1", "interleave:0,1", [PAGES // 2, PAGES // 2]),
    "bind": ("--membind 1", "bind:1", [0, PAGES]),
    "local": ("--localalloc", "default", [-(-PAGES // 3), PAGES - -(-PAGES // 3)]),
    "huge": ("--interleave all --thp", "interleave:0,1", [PAGES // 2, PAGES // 2]),
}
WRONG = {  # name: (options of bench pmbench, what the message must name)
    "no-such-node": ("--membind 7", "--membind 7"),
    "not-a-list": ("--interleave 0,", "--interleave 0,"),
    "two-preferred": ("--preferred 0,1", "--preferred 0,1"),
    "two-policies": ("--membind 0 --interleave 1", "--membind"),
    "too-much": ("--membind 1 --map-size 900", "--membind"),
    "affinity-console": ("--affinity 0", "CPU 0"),
    "affinity-twice": ("--affinity 1,1", "CPU 1"),
    "affinity-syntax": ("--affinity 1:", "--affinity 1:"),
    "affinity-threads": ("--affinity 1 --threads 2", "--threads"),
    "duration": ("0", "0"),
    "duration-and-accesses": ("5 --accesses 7", "--accesses"),
}
NUMA = [r"available: 2 nodes \(0-1\)", "node 0 cpus: 0 1", r"node 0 size: \d+ MB", r"node 0 free: \d+ MB",
        "node 1 cpus: 2 3", r"node 1 size: \d+ MB", r"node 1 free: \d+ MB", "node distances:",
        "node   0   1 ", "  0:  10  20 ", "  1:  20  10 "]


def outputs(text: str, command: str) -> list[tuple[list[str], int]]:
    """Lines and rc of each time that the console ran this command."""
    out = []
    for part in text.split("\ntarry> ")[1:]:
        lines = part.splitlines()
        if lines[0] == command and (ends := [i for i, s in enumerate(lines) if s.startswith("# rc=")]):
            out.append((lines[1:ends[0]], int(lines[ends[0]][5:])))
    return out


def only(text: str, command: str) -> tuple[list[str], int]:
    found = outputs(text, command)
    if len(found) != 1:
        raise Missing(f"{command}: ran {len(found)} times")
    return found[0]


def areas(lines: list[str]) -> list[tuple[str, int, list[int]]]:
    """(policy, pages, pages on nodes 0 and 1) of the lines of `look spaces`."""
    out = []
    for line in lines:
        if found := LINE.match(line):
            nodes = dict(part.split("=") for part in found[3].split())
            out.append((found[1], int(found[2]), [int(nodes.get(f"N{n}", 0)) for n in (0, 1)]))
    return out


def policies() -> None:
    run = boot("; ".join(f"bench pmbench {RUN} --threads 3 {options} --keep; look spaces; drop"
                         for options, _, _ in POLICIES.values()))
    found = [r for r in records.extract(run.text).records if r["name"] == "pmbench"]
    mapped = [areas(lines) for lines, _ in outputs(run.text, "look spaces")]
    if run.guest_rc != 0 or not len(found) == len(mapped) == len(POLICIES):
        raise Missing(f"rc={run.guest_rc}, {len(found)} records, {len(mapped)} lists of spaces")
    for (name, (_, policy, want)), record, seen in zip(POLICIES.items(), found, mapped):
        result(f"policy.{name}", record["pmbench"]["pages_on_node"] == want and
               seen == [(policy, PAGES, want)],
               f"{record['pmbench']['pages_on_node']} recorded, {seen} mapped, {want} wanted")
        said = {"huge": "interleave"}.get(name, name)
        result(f"policy.{name}.recorded", record["params"]["policy"] == said,
               f"{record['params']['policy']} {record['params']['policy_nodes']}")


def balance() -> None:
    """Where pages start for the NUMA scan; with splitting on, regions are made anew, and one is kept."""
    for name, options, moved in (("preferred", "--preferred 1", 200), ("interleave", "--interleave all", 300)):
        run = boot(f"bench numa_balance --threads 3 --pages 600 --warmup 0 --reps 2 {options}")
        record = records.extract(run.text).records[0]
        result(f"balance.{name}", run.guest_rc == 0 and record["numa"]["home_percent"] == 100
               and record["counters"]["pages_migrated"] == 2 * moved,
               f"{record['counters']['pages_migrated']} pages moved in 2 rounds, "
               f"{record['numa']['home_percent']} % at home")
    run = boot("set numa_split=shared; bench numa_balance --thp --stripe 128 --threads 2 --pages 2048 "
               "--warmup 1 --reps 3 --keep; look spaces; drop")
    lines = only(run.text, "look spaces")[0]
    seen = areas(lines)
    result("balance.scan-period", sum(bool(re.fullmatch(r"space \d+ \S+, NUMA scan: a pass in [1-9]\d* us", line))
                                      for line in lines) == 1, f"{lines}")
    result("balance.keeps-one", run.guest_rc == 0 and [pages for _, pages, _ in seen] == [2048],
           f"rc={run.guest_rc}: {seen}")


def fallback() -> None:
    """Node 1 has no room for all: who prefers it takes the rest elsewhere, who is bound is refused."""
    big = "bench pmbench --warmup 0 --reps 1 --accesses 100 --map-size 144 --set-size 4"
    pages = 144 * 256
    for name, options in (("preferred", "--preferred 1"), ("interleave", "--interleave 0,1")):
        run = boot(f"{big} {options}", NODES="2:256M,1:64M")
        record = records.extract(run.text).records[0]
        on = record["pmbench"]["pages_on_node"]
        result(f"fallback.{name}", run.guest_rc == 0 and sum(on) == pages and
               8192 < on[1] < 16384, f"{on} of {pages}, rc={run.guest_rc}")
    run = boot(f"{big} --membind 1", NODES="2:256M,1:64M")
    errors = [line for line in run.text.splitlines() if line.startswith("error: bench:")]
    result("strict.bind", run.guest_rc == 2 and len(errors) == 1 and "--membind" in errors[0],
           f"rc={run.guest_rc}: {errors}")


def wrong() -> None:
    commands = [f"bench pmbench {options}" for options, _ in WRONG.values()]
    commands += ["bench migrate --membind 0", "bench mem 5", "bench numa_balance --membind 0",
                 "bench numa_balance --eat 0:50 --preferred 1"]
    named = [text for _, text in WRONG.values()]
    named += ["--membind does not apply to migrate", "mem", "--membind", "--eat"]
    run = boot("; ".join(commands))
    for name, command, text in zip([*WRONG, "not-migrate", "no-duration", "bound", "memhog"], commands, named):
        lines, rc = only(run.text, command)
        result(f"wrong.{name}", rc == 2 and len(lines) == 1 and lines[0].startswith("error: bench:")
               and text in lines[0], f"`{command}`: rc={rc}: {lines[:1]}")


def console() -> None:
    keep = "bench migrate --pages 512 --procs 2 --pin 3 --warmup 0 --reps 2 --keep"
    refused = ["bench migrate --pages 512 --procs 3", "bench numa_balance --threads 3 --procs 2",
               "bench pmbench --threads 0"]
    steps = ["numa", "numactl -H", "look spaces", "drop", keep, *refused, "look spaces", "look va 0x100000000",
             "migratepages 1 0 1", "migratepages 2 all 1", "look spaces", "look va 1 0x1000ff000",
             "set batch=512", "migratepages 1 1 0", "migratepages 1 1 0", "look debts", "look frames",
             "migratepages", "migratepages 9 0 1", "migratepages 1 0 2", "migratepages 1 1 1",
             "migratepages 1 0, 1", "migratepages 1 0 0-x", "drop", "look frames", "drop",
             keep + " --seed 2", "drop", "look frames"]
    text = boot("; ".join(steps)).text
    numa = only(text, "numa")[0]
    result("numa.form", len(numa) == len(NUMA) and
           all(re.fullmatch(want, line) for want, line in zip(NUMA, numa)), f"{numa}")
    result("numa.numactl", only(text, "numactl -H")[0] == numa, "")
    spaces = [areas(lines) for lines, _ in outputs(text, "look spaces")]
    result("spaces", spaces == [[], [("prefer:0", 256, [256, 0])] * 2,
                                [("prefer:0", 256, [3, 253])] * 2], f"{spaces}")
    result("refused.keeps", all(only(text, command)[1] == 2 for command in refused) and len(spaces[1]) == 2,
           f"{spaces[1]} after {len(refused)} commands that were refused")
    result("look-va.all", sum("node 0 " in line and "pins 1" in line for line in
                              only(text, "look va 0x100000000")[0]) == 2, "first pages are pinned")
    result("look-va.moved", any("node 1 " in line for line in
                                only(text, "look va 1 0x1000ff000")[0]), "last page of space 1")
    moved = [only(text, f"migratepages {args}") for args in ("1 0 1", "2 all 1")]
    result("migratepages.moved", moved[0] == moved[1] and moved[0][1] == 1 and
           moved[0][0][0].startswith("moved 253 pages, failed: 3 pinned, 0 "), f"{moved}")
    back = outputs(text, "migratepages 1 1 0")
    result("migratepages.back", [(lines[0].split(",")[0], rc) for lines, rc in back] ==
           [("moved 253 pages", 0), ("moved 0 pages", 0)], f"{back}")
    for args, named in (("", "migratepages"), (" 9 0 1", "9"), (" 1 0 2", "2"), (" 1 1 1", "both"),
                        (" 1 0, 1", "0,"), (" 1 0 0-x", "0-x")):
        lines, rc = only(text, f"migratepages{args}")
        result(f"migratepages.wrong{args.replace(' ', '_').replace(',', '')}", rc == 2 and
               lines[0].startswith("error: migratepages:") and named in lines[0], f"{rc}: {lines}")
    drops = [(bool(lines), rc) for lines, rc in outputs(text, "drop")]
    result("drop", drops == [(True, 2), (False, 0), (True, 2), (False, 0)], f"{drops}")
    used = [next(line for line in lines if line.startswith("in use:"))
            for lines, _ in outputs(text, "look frames")]
    result("drop.gives-back", used[1] == used[2] and used[0] != used[1], f"{used}")


def body() -> None:
    policies()
    balance()
    fallback()
    wrong()
    console()


if __name__ == "__main__":
    main(body)
