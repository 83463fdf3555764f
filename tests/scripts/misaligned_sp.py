#!/usr/bin/env python3
"""A misaligned stack pointer ends in its own panic, not in a loop of faults.

The emulator does not check the alignment of sp, so instructions planted in a command make the exception by hand: its
syndrome, an sp that is misaligned, and a branch to where the CPU would go. That sp is mapped nowhere, so that a
handler which stores there before it looks faults in the emulator too.
"""

import tempfile
from pathlib import Path

from arm64_image import Image, symbols
from common import Missing, boot, main, qemu, result, settings

PANIC = 70
SP = 0xffffa00000000008
FAULT = [
    0xd2b34009,  # mov x9, #0x9a000000: class 0x26, "sp alignment"
    0xd5185209,  # msr esr_el1, x9
    0x10000009,  # adr x9, .
    0xd5184029,  # msr elr_el1, x9
    0xd28078a9,  # mov x9, #0x3c5: EL1, everything masked
    0xd5184009,  # msr spsr_el1, x9
    0xd5034fdf,  # msr daifset, #15
    0xd2800109,  # mov x9, #8
    0xf2d40009,  # movk x9, #0xa000, lsl #32
    0xf2ffffe9,  # movk x9, #0xffff, lsl #48
    0x9100013f,  # mov sp, x9
    0xd538c009,  # mrs x9, vbar_el1
    0x91080129,  # add x9, x9, #0x200: synchronous, from this level
    0xd61f0120,  # br x9
]


def body() -> None:
    kernel = qemu.kernel(settings())
    image, at = Image(kernel), symbols(kernel.with_name("tarry.sym"))
    word = (at["look_cpus"] - at["__image_start"]) // 4
    image.plant(word, FAULT, word)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "arm64").mkdir()
        image.save(Path(folder, "arm64", "Image"))
        try:
            run = boot("look cpus", BUILD=folder)
        except Missing as error:
            result("panics", False, str(error))
            return
    named = [line for line in run.text.splitlines() if "misaligned sp in " in line]
    shown = f"sp  {SP:016x}" in run.text
    result("panics", run.guest_rc == PANIC and bool(named) and shown,
           f"rc={run.guest_rc}, {named}, its sp is {'' if shown else 'not '}shown")


main(body)
