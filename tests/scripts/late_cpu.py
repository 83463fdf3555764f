#!/usr/bin/env python3
"""A CPU that takes a second to come up is waited for; one that comes after it was given up never takes part.

Instructions planted in the image hold CPU 1 back for longer than it is waited for, once before and once
after it has told the boot CPU that it arrived. And for a second of virtual time, as a busy host may do.
"""

import re
import tempfile
from pathlib import Path

from arm64_image import Image, symbols
from common import Missing, boot, main, qemu, result, settings
from x86_elf import Elf

CPUS = 3
# The boot CPU waits 2 s for the arrival (CPU_START_TIMEOUT_MS) and 2 s for the rest (kernel/core/smp.c).
LATE_ARM64 = [
    0x8b09052a,  # add x10, x9, x9, lsl #1
    0x8b09014a]  # add x10, x10, x9: 4 s
SLOW_ARM64 = [
    0xaa0903ea,  # mov x10, x9: 1 s
    0xd503201f]  # nop
HOLD_BACK_ARM64 = [
    0xf100041f,  # cmp x0, #1: the CPU's number
    0x54000121,  # b.ne 2f
    0xd53be009,  # mrs x9, cntfrq_el0
    *LATE_ARM64,
    0xd53be049,  # mrs x9, cntvct_el0
    0x8b090149,  # add x9, x10, x9
    0xd53be04a,  # 1: mrs x10, cntvct_el0
    0xeb09015f,  # cmp x10, x9
    0x54ffffc3,  # b.lo 1b
]  # 2:


LATE_X86, SLOW_X86 = 10**10, 10**9  # cycles: 3 to 5 s of a host's, 1 s of virtual time
HOLD_BACK_X86 = bytes.fromhex(
    "53"  # push %rbx
    "b801000000" "0fa2"  # mov $1, %eax; cpuid
    "c1eb18" "83fb01"  # shr $24, %ebx: the APIC id, here the CPU's number; cmp $1, %ebx
    "7525"  # jne 2f
    "0f31" "48c1e220" "488d0c10"  # rdtsc; shl $32, %rdx; lea (%rax,%rdx), %rcx
    "48b800e40b5402000000" "4801c1"  # movabs $10^10, %rax; add %rax, %rcx
    "0f31" "48c1e220" "4809d0"  # 1: rdtsc; shl $32, %rdx; or %rdx, %rax
    "4839c8" "72f2"  # cmp %rcx, %rax; jb 1b
    "5b")  # 2: pop %rbx
UNUSED = "test_migrate_deferral_holds_and_pays"


def planted_arm64(kernel: Path, function: str, late: bool) -> Image:
    image, at = Image(kernel), symbols(kernel.with_name("tarry.sym"))
    word = (at[function] - at["__image_start"]) // 4
    hold_back = [*HOLD_BACK_ARM64]
    if not late:
        hold_back[3:5] = SLOW_ARM64
    image.plant(word, [*hold_back, image.words[word]], word + 1)
    return image


def planted_x86(kernel: Path, function: str, late: bool) -> Elf:
    elf = Elf(kernel)
    cycles = LATE_X86.to_bytes(8, "little"), (LATE_X86 if late else SLOW_X86).to_bytes(8, "little")
    elf.plant(function, HOLD_BACK_X86.replace(*cycles), UNUSED)
    return elf


def check(name: str, function: str, late: bool, command: str, **changes: object) -> None:
    arch = settings().arch
    kernel = qemu.kernel(settings())
    image = (planted_arm64 if arch == "arm64" else planted_x86)(kernel, function, late)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, arch).mkdir()
        image.save(Path(folder, arch, kernel.name))
        try:
            run = boot(f"{command}look cpus", BUILD=folder, SMP=CPUS, **changes)
        except Missing as error:
            result(name, False, str(error))
            return
    states = re.findall(r"^ +(\d) .* (online|missing) ", run.text, re.MULTILINE)
    counted = f"cpus: {CPUS - late} of {CPUS} online" in run.text
    expected = [("0", "online"), ("1", "missing" if late else "online"), ("2", "online")]
    result(name, run.guest_rc == 0 and counted and states == expected,
           f"rc={run.guest_rc}, {states}, {'' if counted else 'not '}counted")


def body() -> None:
    for function in ("secondary_start", "secondary_main"):  # the CPU comes while this run measures
        check(function, function, True, "bench pmbench --duration 3 --schemes baseline; ")
    check("waited-for", "secondary_start", False, "", DET=1)


main(body)
