#!/usr/bin/env python3
"""A way to copy or zero pages that the boot line excludes is never executed: not by the choice at boot, not by `floor`.

Some hypervisors do not emulate what their CPUID promises. Here each excluded one is broken: an undefined instruction
is put at its beginning before the kernel starts.
"""

import subprocess
import tempfile
from pathlib import Path

from common import Missing, guest, main, qemu, result, settings
from gdb_stub import KERNEL_OFFSET, Stub, symbols

DEBUG = qemu.kernel(settings()).with_name("tarry.debug")
UNDEFINED = b"\x0f\x0b"  # ud2
CASES = {  # boot line: (what may run, what the log must say)
    "hw=-avx": (("movsq", "movsb", "mov8", "sse", "stosq", "stosb"), "copy: "),
    "copy=sse": (("sse", "movsq", "stosq"), "copy: sse, "),  # with those that are in use until the choice
}


def boot_broken(line: str, allowed: tuple[str, ...]) -> str:
    s = settings(CMD="bench floor --reps 1", ARGS=line)
    ways = symbols(DEBUG, r"(?:copy|zero)_page_(?:mov|sto|sse|avx)\w*")
    broken = [at for name, at in ways.items() if not name.endswith(tuple("_" + way for way in allowed))]
    if len(ways) < 11 or not broken:
        raise Missing(f"{DEBUG}: only {sorted(ways)}; adapt this test")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        gdb = Path(folder, "gdb")
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        process = guest.start([*argv, "-S", "-gdb", f"unix:{gdb},server=on,wait=off"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            stub = Stub(gdb)
            stub.run_to(symbols(DEBUG, "pvh_entry")["pvh_entry"] - KERNEL_OFFSET)
            for at in broken:
                stub.write(at - KERNEL_OFFSET, UNDEFINED)
            stub.go()
            return process.communicate(timeout=s.timeout)[0].decode("utf-8", "replace")
        except (subprocess.TimeoutExpired, OSError, EOFError) as error:
            raise Missing(f"{type(error).__name__}: {error}") from error
        finally:
            guest.kill(process)


def body() -> None:
    for line, (allowed, says) in CASES.items():
        console = boot_broken(line, allowed)
        good = "TARRY-END rc=0" in console and f"] {says}" in console
        result(line.replace("=", "-"), good, "" if good else "\n".join(console.splitlines()[-12:]))


main(body)
