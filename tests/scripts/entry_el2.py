#!/usr/bin/env python3
"""Entry at EL2 with HCR_EL2.E2H set, and on a CPU that does not let it be cleared.

QEMU enters with E2H clear and can always clear it, so instructions are planted in a copy of the image.
"""

import tempfile
from pathlib import Path

from arm64_image import Image
from common import Missing, boot, main, qemu, result, settings

# Arm ARM C6
ISB = 0xd5033fdf
MSR_HCR_X0 = 0xd51c1100
SET_E2H_X0 = 0xb25e0000  # orr x0, x0, #1 << 34
ENTER_WITH_E2H = [
    0xd53c1109,  # mrs x9, hcr_el2
    0xb25e0129,  # orr x9, x9, #1 << 34
    0xd51c1109,  # msr hcr_el2, x9
    ISB,
    0xd2800029,  # mov x9, #1
    0xd51d1009,  # msr sctlr_el12, x9: translation at EL1 is on and has no tables
    0xd51ce11f,  # msr cnthctl_el2, xzr
    ISB,
]
CMD = "test arm64.*; bench floor"


class El2Image(Image):
    def enter_with_e2h(self) -> None:
        self.at_entry(ENTER_WITH_E2H)

    def keep_e2h(self) -> None:
        writes = [i for i, word in enumerate(self.words) if word == MSR_HCR_X0]
        if not writes:
            raise Missing("nothing writes HCR_EL2 from x0")
        for at in writes:
            self.plant(at, [SET_E2H_X0, MSR_HCR_X0], at + 1)


def check(name: str, cleared: bool) -> None:
    image = El2Image(qemu.kernel(settings()))
    image.enter_with_e2h()
    if not cleared:
        image.keep_e2h()
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "arm64").mkdir()
        image.save(Path(folder, "arm64", "Image"))
        try:
            run = boot(CMD, BUILD=folder)
        except Missing as error:
            result(name, False, str(error))
            return
    entered = "entered at EL2" in run.text
    result(name, run.guest_rc == 0 and entered,
           f"rc={run.guest_rc}, {'' if entered else 'not '}entered at EL2")


def body() -> None:
    check("set-at-entry", cleared=True)
    check("cannot-be-cleared", cleared=False)


main(body)
