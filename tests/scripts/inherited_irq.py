#!/usr/bin/env python3
"""Interrupts that firmware left enabled, one of them asserted for good, disturb nobody.

Instructions planted before the image's first one leave the machine of QEMU so: the UART asks for
its level-triggered interrupt, and the distributor would deliver it.
"""

import tempfile
from pathlib import Path

from arm64_image import Image
from common import Missing, boot, main, qemu, result, settings

GROUP_1 = 0xb900852a  # str w10, [x9, #0x84]: interrupts 32 to 63 are of the group that GICv3 delivers to us
ALL_TARGETS = 0xb908212a  # str w10, [x9, #0x820]: GICv2 delivers 32 to 35 to every CPU
LEAVE_UART_ASSERTED = [
    0xd2a12009,  # mov x9, #0x9000000: the UART
    0x5280ffea,  # mov w10, #0x7ff
    0xb900392a,  # str w10, [x9, #0x38]: all its interrupts
    0x5280014b,  # mov w11, #10
    0xb900012b,  # str w11, [x9]: a character sent, so that it asks for more
    0xd2a10009,  # mov x9, #0x8000000: the distributor
    0x1280000a,  # mov w10, #-1
    0xb901052a,  # str w10, [x9, #0x104]: interrupts 32 to 63 are enabled
]


def check(gic: str, more: list[int]) -> None:
    image = Image(qemu.kernel(settings()))
    image.at_entry(LEAVE_UART_ASSERTED + more)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "arm64").mkdir()
        image.save(Path(folder, "arm64", "Image"))
        try:
            run = boot("bench floor", BUILD=folder, GIC=gic)
            result(f"gicv{gic}", run.guest_rc == 0, f"rc={run.guest_rc}")
        except Missing as error:
            result(f"gicv{gic}", False, str(error))


def body() -> None:
    check("2", [ALL_TARGETS])
    check("3", [GROUP_1])


main(body)
