#!/usr/bin/env python3
"""Entry at EL2 with HCR_EL2.E2H set, and on a CPU that does not let it be cleared, where there are no guests; what the level of entry tells.

QEMU enters with E2H clear and can always clear it, and its device tree says whose it is, so instructions
are planted in a copy of the image.
"""

import tempfile
from pathlib import Path

from arm64_image import Image
from common import Missing, boot, guest, main, qemu, records, result, settings

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
HIDE_QEMU = [  # in the device tree at x0 nothing is called "linux,dummy-virt" any more
    0xaa0003e9,  # mov x9, x0
    0x9108000a,  # add x10, x0, #0x200: the root's properties come first
    0x528d2d8b,  # mov w11, #0x696c: "il"
    0x72aeadcb,  # movk w11, #0x756e, lsl #16: "nu"
    0xb840452c,  # 1: ldr w12, [x9], #4
    0x6b0b019f,  # cmp w12, w11
    0x54000041,  # b.ne 2f
    0xb81fc13f,  # stur wzr, [x9, #-4]
    0xeb0a013f,  # 2: cmp x9, x10
    0x54ffff63,  # b.lo 1b
]
CMD = "test arm64.*; bench vm --pages 64 --rounds 1 --warmup 0; bench floor"
NO_GUESTS = "HCR_EL2.E2H of this CPU cannot be cleared"


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
    if run := run_image(name, image, CMD):
        entered = "entered at EL2" in run.text
        result(name, run.guest_rc == 0 and entered,
               f"rc={run.guest_rc}, {'' if entered else 'not '}entered at EL2")
        guests = "EL2 with a second stage" if cleared else f"the software MMU: {NO_GUESTS}"
        result(f"{name}.guests", guests in run.text, guests)


def run_image(name: str, image: Image, cmd: str, **changes: object) -> guest.Run | None:
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "arm64").mkdir()
        image.save(Path(folder, "arm64", "Image"))
        try:
            return boot(cmd, BUILD=folder, **changes)
        except Missing as error:
            result(name, False, str(error))
            return None


def trust(el2: int, accel: str) -> None:
    """
    A machine that nobody recognises: only entry at EL2 speaks for metal, whose times need no second opinion. Elsewhere
    the one CPU that host.cpus= vouches for is not enough for the two that are busy.
    """
    image = Image(qemu.kernel(settings()))
    image.at_entry(HIDE_QEMU)
    name = f"unknown-machine.el{1 + el2}"
    command = "bench migrate --pages 64 --threads 1 --rounds 2 --warmup 0"
    if run := run_image(name, image, command, EL2=el2, SMP=2, ARGS="host.cpus=1"):
        seen = {(record["accel"], record["trust"]) for record in records.extract(run.text).records
                if record["name"] == "migrate"}
        expected = (accel, "time" if accel == "metal" else "counts")
        result(name, seen == {expected}, f"{seen}, expected {expected}")


def body() -> None:
    check("set-at-entry", cleared=True)
    check("cannot-be-cleared", cleared=False)
    trust(el2=0, accel="kvm")
    trust(el2=1, accel="metal")


main(body)
