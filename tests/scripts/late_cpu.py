#!/usr/bin/env python3
"""A CPU that comes up after the boot CPU has given it up never takes part.

Instructions planted in the image hold CPU 1 back for longer than it is waited for, once before and once
after it has told the boot CPU that it arrived.
"""

import re
import tempfile
from pathlib import Path

from arm64_image import Image, symbols
from common import Missing, boot, main, qemu, result, settings

CPUS = 3
# To be seen when it comes: 2.5 s, of which the boot CPU waits 0.5 for the arrival and 2 for the rest (kernel/core/smp.c).
HOLD_BACK = [
    0xf100041f,  # cmp x0, #1: the CPU's number
    0x54000121,  # b.ne 2f
    0xd53be009,  # mrs x9, cntfrq_el0
    0x8b49052a,  # add x10, x9, x9, lsr #1
    0x8b09014a,  # add x10, x10, x9: 2.5 s
    0xd53be049,  # mrs x9, cntvct_el0
    0x8b090149,  # add x9, x10, x9
    0xd53be04a,  # 1: mrs x10, cntvct_el0
    0xeb09015f,  # cmp x10, x9
    0x54ffffc3,  # b.lo 1b
]  # 2:


def check(function: str) -> None:
    kernel = qemu.kernel(settings())
    image, at = Image(kernel), symbols(kernel.with_name("tarry.sym"))
    word = (at[function] - at["__image_start"]) // 4
    image.plant(word, [*HOLD_BACK, image.words[word]], word + 1)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "arm64").mkdir()
        image.save(Path(folder, "arm64", "Image"))
        try:
            # The CPU comes while this run measures.
            run = boot("bench pmbench --duration 3 --schemes baseline; look cpus", BUILD=folder, SMP=CPUS)
        except Missing as error:
            result(function, False, str(error))
            return
    states = re.findall(r"^ +(\d) .* (online|missing) ", run.text, re.MULTILINE)
    counted = f"cpus: {CPUS - 1} of {CPUS} online" in run.text
    result(function, run.guest_rc == 0 and counted and states == [("0", "online"), ("1", "missing"), ("2", "online")],
           f"rc={run.guest_rc}, {states}, {'' if counted else 'not '}counted")


def body() -> None:
    check("secondary_start")
    check("secondary_main")


main(body)
