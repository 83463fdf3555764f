#!/usr/bin/env python3
"""Each entry of the image's menu, chosen by the arrow keys on the serial line: what it runs, how far it says it is, its
verdict, and that the machine then stays. On machines that lack what an entry is about: what to change."""

import re

from common import Console, Missing, main, media, result, settings

DOWN = b"\x0e"  # Ctrl-N, which no terminal turns into several bytes
ENTRIES = list(media.MENU)
QUICK, HARDWARE, TIER, ONE = range(1, 5)
TIERED = "1:256M,1:256M,0:512M"
STAYS = b"the machine stays as it is"
STAY = 1.0  # seconds; one that powers off takes less


def chosen(entry: int, timeout: float, **changes: object) -> str:
    """What an entry prints up to its end; the console is entry 0."""
    with Console(medium=media.build_iso(settings()), BOOT="iso", **changes) as console:
        console.expect(b"Tarry: " + ENTRIES[-1].encode()[:20], 60)
        for key in (*[DOWN] * entry, b"\r"):
            console.send(key)
        before = console.expect(b"TARRY-END rc=", timeout)
        if STAYS not in before:
            raise Missing(f"entry {entry}: ended without staying: {before[-200:]!r}")
        console.read(STAY)
        if (status := console.process.poll()) is not None:
            raise Missing(f"entry {entry}: did not stay, QEMU ended with {status}")
        return before.decode("utf-8", "replace").replace("\r", "")


def entry(name: str, text: str, *wanted: str) -> None:
    lacking = [w for w in wanted if not re.search(w, text, re.MULTILINE)]
    result(name, not lacking, f"no {lacking} in ..{text[-1500:]}" if lacking else "")


def body() -> None:
    two = {"SMP": 2, "NODES": 2}
    entry("quick", chosen(QUICK, 120, **two), r"^cpus +2 online", r"^# migrate: .*warm-up", r"^# migrate: \d+ of \d+ rounds",
          r"^like-linux-6.12 ", "^verdict: passed")
    entry("quick.one-node", chosen(QUICK, 60, SMP=2, NODES=1), r"^# SKIP .*NPS.*interleaving", "^verdict: nothing ran")
    entry("hardware", chosen(HARDWARE, 600, **two), r"^tarry> litmus", r"^tarry> bench tlb", r"^tarry> bench floor", "^verdict: passed")
    entry("tier", chosen(TIER, 120, SMP=2, NODES=TIERED), r"^node 2 cpus:$", r"nodes 0 and 2", "^verdict: passed")
    entry("tier.none", chosen(TIER, 60, **two), r"^# SKIP no node has memory only: .*CXL", "^verdict: nothing ran")
    entry("one-node", chosen(ONE, 200, SMP=2, NODES=1), r"^lacks +one node: .*NPS", r"^tarry> bench floor", "^verdict: passed")


main(body)
