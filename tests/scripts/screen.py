#!/usr/bin/env python3
"""A machine without a serial line: what it prints is on its screen, read back by the shapes of our font.

BIOS and UEFI, VGA text, no screen at all, a line on COM2 alone with and without SPCR.
"""

import re
import struct
import tempfile
from pathlib import Path

from acpi_table import table
from common import Console, boot, main, result, settings
from monitor import Monitored

NO_SERIAL = ["-serial", "none"]
READY = r"^tarry> _$"


def shown(name: str, lines: list[str], *wanted: str) -> None:
    """Each of these is the beginning of a line, and the lines' order is theirs."""
    at = 0
    for text in wanted:
        found = [i for i in range(at, len(lines)) if re.match(text, lines[i])]
        if not found:
            result(name, False, f"no {text!r} behind line {at}; first lines {lines[:5]}")
            return
        at = found[0]
    result(name, True, f"{sum(map(bool, lines))} lines of {len(lines)}")


def typed(name: str, guest: Monitored) -> None:
    """By the keyboard: shift, a key taken back, one of the arrows, more than a screen of answers, Ctrl-C."""
    guest.press("h e l p spc shift-l backspace l o o k ret")
    lines = guest.wait(r"^tarry> _$", lambda: after(guest.screen(), r"usage: look"))
    shown(f"{name}.typed", lines, r"usage: look \[SUBJECT \[ARGUMENTS\]\]$", r"# rc=0$", READY)
    guest.press("l i s t spc k n o b s semicolon h e l p ret")
    guest.wait(r"^tarry> _$", lambda: after(guest.screen(), r"VERB -h tells more"))
    guest.press("up ret")
    lines = guest.wait(r"^tarry> _$", lambda: after(guest.screen(), r"VERB -h tells more"))
    whole = [line for line in lines if "\0" in line]
    shown(f"{name}.scrolled", guest.screen(), r"trace  |test  |show  ", r"VERB -h tells more; ; separates commands, \"\" keeps blanks", r"# rc=0$", READY)
    result(f"{name}.whole", not whole, "; ".join(whole))
    guest.press("x y ctrl-c shift-9 1 ret")
    guest.wait(r"^error: \(1: unknown command", guest.screen, 20)
    result(f"{name}.ctrl-c", True, "the line was forgotten")


def after(lines: list[str], first: str) -> list[str]:
    """From the last line on that begins so; none, if there is none."""
    found = [i for i, line in enumerate(lines) if re.match(first, line)]
    return lines[found[-1]:] if found else []


def firmware(name: str, **changes: object) -> None:
    with Monitored(NO_SERIAL, ("-vga", "std"), **changes) as guest:
        lines = guest.wait(READY, guest.screen)
        typed(name, guest)
    shown(f"{name}.first-to-last", lines, r"Tarry \d\S* x86_64 build \S+ loader multiboot2$", r"\[ .*boot line: ",
          r"\[ .*cpus: 4 of 4 online$", READY)
    errors = [line for line in lines if re.search(r"error|no suitable|WARNING|\0", line)]
    result(f"{name}.clean", not errors, "; ".join(errors))


def vga_text() -> None:
    """GRUB is told to leave the display in its text mode, as on a machine whose display has no other."""
    patch = (b"\nboot\n" + b"\n" * 19, b"\nset gfxpayload=text\nboot")
    with Monitored(NO_SERIAL, ("-vga", "std"), patch, BOOT="iso") as guest:
        lines = guest.wait(READY, guest.vga_text)
    shown("vga-text", lines, r"\[ .*cpus: 4 of 4 online$", READY)


def beside_serial() -> None:
    """One that is there, and one that is not, beside a serial line, which has everything in either case."""
    run = boot("show batch", BOOT="iso")
    result("serial-and-screen", run.guest_rc == 0 and "screen of 128x48 characters" in run.text, run.message)


def spcr_com2() -> bytes:
    """Of a 16550 at port 0x2f8, 115200 baud. Microsoft's SPCR specification, revision 2."""
    port = struct.pack("<BBBBQ", 1, 8, 0, 1, 0x2f8)
    return table(b"SPCR", struct.pack("<B3x12sBBIBBBBBBHHBBBIB4x", 0, port, 0, 0, 0, 7, 0, 1, 0, 0, 0,
                                      0xffff, 0xffff, 0, 0, 0, 0, 0), 2)


def com2(name: str, **changes: object) -> None:
    """COM1 is not there. What is typed at COM2 is read."""
    with Console(("none", "stdio"), **changes) as console:
        console.expect(b"Tarry ")
        console.expect(b"tarry> ")
        console.send(b"help help\r")
        console.expect(b"usage: help")
        console.expect(b"# rc=0")
    result(name, True, "seen and typed at")


def arm64_uefi() -> None:
    """The one display of QEMU's board that can be drawn to without firmware; there is no PS/2 keyboard."""
    with Monitored(NO_SERIAL, ("-device", "ramfb"), BOOT="uefi") as guest:
        lines = guest.wait(READY, guest.screen)
    shown("arm64-uefi", lines, r"Tarry \d\S* arm64 build \S+ loader efi$", r"\[ .*console: no PS/2 keyboard", r"\[ .*cpus: 4 of 4 online$", READY)


def body() -> None:
    if settings().arch == "arm64":
        arm64_uefi()
        return
    com2("com2")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        Path(folder, "spcr.bin").write_bytes(spcr_com2())
        com2("com2-by-spcr", ACPITABLES=folder)
    firmware("bios", BOOT="iso")
    firmware("uefi", BOOT="uefi")
    vga_text()
    beside_serial()


main(body)
