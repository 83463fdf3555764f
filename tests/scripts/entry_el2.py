#!/usr/bin/env python3
"""Entry at EL2 with HCR_EL2.E2H set, and on a CPU that does not let it be cleared.

QEMU enters with E2H clear and can always clear it, so instructions are planted in a copy of the
image: in the unused part of its header page, to where a branch of the image is redirected.
"""

import struct
import tempfile
from pathlib import Path

from common import Missing, boot, main, qemu, result, settings

HEADER_PAGE = 4096
ENTRY_BRANCH = 4  # the header's second word
PLANT_AT = 0x800

# Arm ARM C6
BRANCH = 0x14000000
NOP = 0xd503201f  # what the assembler pads with
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


class Image:
    """An image as words, and room for more of them."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.free = PLANT_AT // 4
        if set(self.words[self.free:HEADER_PAGE // 4]) - {0, NOP}:
            raise Missing("the header page is in use where instructions are to be planted")

    def plant(self, at: int, instructions: list[int], resume: int) -> None:
        """Instead of the word at index `at`, run these and go on at index `resume`."""
        self.words[at] = BRANCH | (self.free - at) & 0x3ffffff
        for word in instructions:
            self.words[self.free] = word
            self.free += 1
        self.words[self.free] = BRANCH | (resume - self.free) & 0x3ffffff
        self.free += 1

    def enter_with_e2h(self) -> None:
        entry = ENTRY_BRANCH // 4
        if self.words[entry] >> 26 != BRANCH >> 26:
            raise Missing("the header's second word is no branch")
        self.plant(entry, ENTER_WITH_E2H, entry + (self.words[entry] & 0x3ffffff))

    def keep_e2h(self) -> None:
        writes = [i for i, word in enumerate(self.words) if word == MSR_HCR_X0]
        if not writes:
            raise Missing("nothing writes HCR_EL2 from x0")
        for at in writes:
            self.plant(at, [SET_E2H_X0, MSR_HCR_X0], at + 1)

    def save(self, path: Path) -> None:
        path.write_bytes(struct.pack(f"<{len(self.words)}I", *self.words))


def check(name: str, cleared: bool) -> None:
    image = Image(qemu.kernel(settings()))
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
