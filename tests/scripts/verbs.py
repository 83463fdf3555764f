#!/usr/bin/env python3
"""What verbs show of the machine and of its memory, against each other; what they refuse; how nodes are emptied in turn."""

from __future__ import annotations

import re

from common import boot, main, result, settings
from spaces import only, outputs

LOOKS = ("numa", "look nodes", "look cpus", "look frames", "look debts", "list", "look", "list tests", "list knobs", "show", "list   schemes", "list schemes")
TAKE_NONE = ("numa", "numactl", "look nodes", "look cpus", "look frames", "look debts", "look spaces", "dmesg", "reboot", "poweroff", "quit", "drop",
             "results", "machine")
WRONG = {  # command: what the message says
    "migratepages 1 0": "too few arguments", "migratepages 1 0 1 1": "unexpected argument 1", "migratepages 5 0 1": "5: no such space",
    "look va": "too few arguments", "look va 5 0x1000": "5: no such space", "look va many": "many: not a workload's address",
    "look va 0xffff800000000000": "not a workload's address", "panic sideways": "no kind sideways", "panic now then": "unexpected argument then",
    "help list tests more": "unexpected argument more", "list tests more": "unexpected argument more", "set": "too few arguments",
    "set =1": "=1: not KNOB=VALUE", "show batch range": "unexpected argument range", "test a b": "unexpected argument b",
    "show " + "x " * 130: "more than 127 words",
    **{f"{verb} xx": "unexpected argument xx" for verb in TAKE_NONE}}
# Nodes and sizes of the default machine; QEMU's sockets are the nodes.
NODES = [r" +0 +0 +511  cpus 0 1  distances 10 20", r" +1 +1 +512  cpus 2 3  distances 20 10"]
CPUS = [r" +0 +(?:0|0x0) +0 +0 +0  online   -", r" +1 +0x1 +0 +0 +1  online   -", r" +2 +0x2 +1 +1 +\d  online   -", r" +3 +0x3 +1 +1 +\d  online   -"]


def fits(name: str, lines: list[str], patterns: list[str]) -> None:
    good = len(lines) == len(patterns) and all(re.fullmatch(p, line) for p, line in zip(patterns, lines))
    result(name, good, "\n".join(lines))


def frames(lines: list[str], numa: list[str]) -> None:
    """Blocks of each size are the frames that are free, and `numa` says the same in MB."""
    rows = [[int(n) for n in line.split()] for line in lines if re.fullmatch(r"[\d ]+", line)]
    wrong = []
    for number, (node, total, free, cached, quarantine, least, low, *blocks) in enumerate(rows):
        sizes = [int(n) for n in re.findall(rf"^node {number} (?:size|free): (\d+) MB$", "\n".join(numa), re.MULTILINE)]
        if node != number or sum(count << order for order, count in enumerate(blocks)) != free or len(blocks) != 10:
            wrong.append(f"node {number}: {free} free, blocks {blocks}")
        if sizes != [total >> 8, free + cached >> 8] or quarantine or not 0 < least < low < total:
            wrong.append(f"node {number}: {total} and {free + cached} frames, {sizes} MB, watermarks {least} and {low}")
    used = re.fullmatch(r"in use: (\d+) frames of 4 KiB", lines[-1])
    if not used or int(used[1]) != sum(row[1] - row[2] - row[3] for row in rows):
        wrong.append(lines[-1])
    result("frames", len(rows) == 2 and not wrong, "\n".join(wrong))


def looks() -> None:
    text = boot("; ".join(LOOKS)).text
    shown = {command: only(text, command) for command in LOOKS}
    result("looks.pass", all(rc == 0 and lines for lines, rc in shown.values()), str([c for c, (_, rc) in shown.items() if rc]))
    if settings().arch == "x86_64":
        fits("nodes", shown["look nodes"][0], [r"node  domain size\(MiB\)  \(from the firmware\)", *NODES])
        fits("cpus", shown["look cpus"][0], [" +id +hw-id +node package +core  state +runs", *CPUS])
    frames(shown["look frames"][0], shown["numa"][0])
    fits("debts", shown["look debts"][0], [r"defer=none: \S.*", "frames held back: 0; in quarantine on node 0: 0, node 1: 0"])
    knobs = [line.split()[0] for line in shown["list knobs"][0]]
    rows = [line[2:].split()[0] for line in shown["show"][0]]
    result("knobs", rows == ["knob", *knobs] and len(set(knobs)) == len(knobs) > 20, f"{rows}\n{knobs}")
    result("blanks", shown["list   schemes"] == shown["list schemes"], "several blanks are one")
    names = [line.split()[0] for line in shown["list"][0]]
    result("list", names == ["tests", "workloads", "knobs", "schemes", "litmus"], str(names))
    subjects = [re.fullmatch(r"(\S+) +((?:\[SPACE\] ADDR)?) +(\S.*)", line) for line in shown["look"][0]]
    result("look", all(subjects) and len({s.start(3) for s in subjects}) == 1 and len(subjects) > 5, "\n".join(shown["look"][0]))


def wrong() -> None:
    run, bad = boot("; ".join(WRONG)), []
    for command, says in WRONG.items():
        lines, rc = only(run.text, command.strip())
        if rc != 2 or len(lines) != 1 or not lines[0].startswith("error: ") or says not in lines[0]:
            bad.append(f"{command[:40]}: rc={rc}: {lines}")
    result("wrong", not bad, "\n".join(bad))


def one_node() -> None:
    lines = only(boot("numa", NODES=1).text, "numa")[0]
    result("numa.one-node", lines[:2] == ["available: 1 nodes (0)", "node 0 cpus: 0 1 2 3"] and lines[-2:] == ["node   0 ", "  0:  10 "], "\n".join(lines))


# Of a space whose pages are on node 1 of four: nodes from and to, and the node that has the pages then. No page moves twice.
IN_TURN = (("1 2", 2), ("2,3 0,3", 0), ("0-2 1-3", 1), ("0-2 1-3", 2), ("2 3", 3), ("0-3 1,2", 2), ("all 0", 0))


def in_turn() -> None:
    """From several nodes to others, some of which are emptied themselves."""
    keep = "bench migrate --pages 60 --threads 0 --warmup 0 --rounds 1 --keep"
    text = boot("; ".join([keep, *(f"migratepages 1 {nodes}; look spaces" for nodes, _ in IN_TURN)]), NODES=4).text
    moved = [int(n) for n in re.findall(r"^moved (\d+) pages, failed: 0 ", text, re.MULTILINE)]
    on = [re.findall(r"(?<= N)(\d)=(\d+)", "\n".join(lines)) for lines, _ in outputs(text, "look spaces")]
    result("in-turn", on == [[(str(node), "60")] for _, node in IN_TURN] and moved == [60] * len(IN_TURN), f"{moved}: {on}")


def body() -> None:
    looks()
    wrong()
    one_node()
    in_turn()


if __name__ == "__main__":
    main(body)
