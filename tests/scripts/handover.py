#!/usr/bin/env python3
"""Firmware that hands the CPU over with 5-level paging chosen, or in x2APIC mode: planted where the kernel is entered.

x2APIC needs a QEMU that emulates it, so that part is run with QEMU=FOLDER (tools/fetch.sh qemu), the other without.
"""

import tempfile
from pathlib import Path

from common import Missing, boot, main, qemu, result, settings
from x86_elf import Elf

ENTRY = "pvh_entry"  # 32-bit code, whose %ebx must stay
LA57 = bytes.fromhex("0f20e0" "0d00100000" "0f22e0")  # mov %cr4, %eax; or $CR4_LA57, %eax; mov %eax, %cr4
X2APIC = bytes.fromhex("b91b000000" "0f32" "0d000c0000" "0f30")  # mov $IA32_APIC_BASE, %ecx; rdmsr; or $0xc00, %eax; wrmsr
UNUSED = "test_migrate_deferral_holds_and_pays"


def handed_over(code: bytes, commands: str, **changes: object) -> str:
    """What the console of a kernel says that is entered behind this code."""
    kernel = qemu.kernel(settings())
    elf = Elf(kernel)
    elf.plant(ENTRY, code, UNUSED)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "x86_64").mkdir()
        elf.save(Path(folder, "x86_64", kernel.name))
        run = boot(commands, BUILD=folder, **changes)
    if run.guest_rc:
        raise Missing(f"rc={run.guest_rc}: {run.text[-300:]}")
    return run.text


def la57() -> None:
    text = handed_over(LA57, "test pgtable.*; test aspace.*")
    result("la57", "cpus: 4 of 4 online" in text, "4 levels, all CPUs")


def x2apic() -> None:
    text = handed_over(X2APIC, "look cpus; test call.*; test aspace.*", ARGS="hw=-x2apic")
    result("x2apic", "x2APIC, " in text and "cpus: 4 of 4 online" in text, text[:2000])
    result("x2apic.cannot-be-left", "hw=-x2apic: ignored, the firmware switched it on" in text, text[:2000])


def body() -> None:
    if settings().qemu:
        x2apic()
    else:
        la57()


main(body)
