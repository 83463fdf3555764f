#!/usr/bin/env python3
"""A device that does DMA into a guest's pinned pages, QEMU's edu: at once with scans, migration and the guest, under which
nothing else changes; and what is said where there is none, or it does not reach memory."""

import re
import subprocess
import tempfile
from pathlib import Path

from common import Missing, boot, guest, main, qemu, records, result, settings

ROUNDS = 2
RUN = f"bench vm --rounds {ROUNDS} --scans 2 --warmup 0"
RUNS = {  # schemes, options
    "pinned": (("baseline", "numa-protect"), "--pages 128 --pinned 100"),
    "half": (("baseline", "late-notify"), "--pages 128 --pinned 50 --mapping shared"),
    "one": (("baseline",), "--pages 8 --pinned 13 --threads 1"),
    "large": (("numa-protect",), "--pages 2048 --pinned 50 --thp"),
}
BYTES = 2016  # of a transfer
COUNTS = ("secondary_invalidations", "secondary_useless", "hint_entries", "hint_spared", "hint_moved")
REFUSED = {
    "bench vm --device edu --pinned 100": "there is no edu device (EDU=1)",
    "bench vm --device edu": "it writes to pinned pages, and there are none",
    "bench vm --device edu --pinned 10 --mapping ro": "it writes to pinned pages, and there are none",
}
TIMEOUT = 120.0  # seconds
NARROW = "the edu device's DMA does not reach"


def of(text: str) -> list[dict]:
    return [record for record in records.extract(text).records if "vm" in record]


def check_dma() -> None:
    commands = [f"{RUN} {options} --schemes {','.join(schemes)}" for schemes, options in RUNS.values()]
    run = boot("; ".join(f"{cmd}; {cmd} --device none" for cmd in commands), EDU=1, DET=1)
    found = of(run.text)
    if run.guest_rc != 0 or len(found) != 2 * sum(len(schemes) for schemes, _ in RUNS.values()):
        raise Missing(f"rc={run.guest_rc}, {len(found)} records")
    each = iter(found)
    for name, (schemes, _) in RUNS.items():
        with_it, without = [[next(each) for _ in schemes] for _ in range(2)]
        for dma, none in zip(with_it, without):
            vm, case = dma["vm"], f"{name}.{dma['scheme']}"
            result(f"{case}.dma", (vm["device"], vm["dma_transfers"], vm["dma_bytes"], vm["dma_errors"]) ==
                   ("edu", 2 * ROUNDS, 2 * ROUNDS * BYTES, 0), str(vm))
            counts = [[record["counters"][key] for key in COUNTS] for record in (dma, none)]
            result(f"{case}.same-counts", counts[0] == counts[1] and dma["vm"]["passes"] == none["vm"]["passes"],
                   f"{dict(zip(COUNTS, counts[0]))}, without the device {counts[1]}")
            result(f"{case}.none", (none["vm"]["device"], none["vm"]["dma_transfers"], none["vm"]["dma_errors"]) == ("none", None, None),
                   str(none["vm"]))


def check_absent() -> None:
    run = boot("; ".join([f"{RUN} --pages 128 --pinned 100 --schemes baseline", *REFUSED]), DET=1)
    first = of(run.text)[0]["vm"]
    result("absent.none", first["device"] == "none" and "no device: pinned pages are only pinned" in run.text, str(first))
    for command, why in REFUSED.items():
        result(f"refused.{command.split('--', 1)[1].replace(' ', '-')}", why in run.text, why)


def check_narrow() -> None:
    """With its default mask of 28 bits it reaches the kernel on x86-64, but not all of memory, and nothing on arm64."""
    s = settings(CMD=f"{RUN} --pages 128 --pinned 100 --schemes baseline; show", DET=1)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        process = guest.start([*argv, "-device", "edu"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            text = process.communicate(timeout=TIMEOUT)[0].decode("utf-8", "replace")
        finally:
            guest.kill(process)
    said = [line for line in text.splitlines() if NARROW in line]
    result("narrow.refused", bool(said) and bool(re.search(r"^TARRY-END rc=1", text, re.MULTILINE)), (said or [text[-500:]])[0])
    result("narrow.is-why", "EDU: clamping DMA" in text, "QEMU says that it has cut an address")


def body() -> None:
    check_dma()
    check_absent()
    check_narrow()


main(body)
