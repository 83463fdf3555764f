#!/usr/bin/env python3
"""The size of what is loaded, and how far the boot CPU has to go until the first command."""

import re
import subprocess

from common import Missing, boot, main, qemu, result, settings

# Virtual time of the last log line of a deterministic boot: its instructions, and waits for clocks to be compared.
BOOT_MAX_MS = {"x86_64": 80, "arm64": 7}
# Bytes of what is loaded, without tests/ and with them.
BARE_MAX = {"x86_64": 400 << 10, "arm64": 448 << 10}
WHOLE_MAX = 640 << 10


def check_sizes() -> None:
    s = settings()
    whole = qemu.kernel(s)
    done = subprocess.run(["make", "-s", "SETUP=no", f"ARCH={s.arch}", f"BUILD={s.build}", "bare"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"make bare: {done.stderr[-300:]}")
    bare = whole.with_name({"tarry.elf": "bare.elf", "Image": "bare.Image"}[whole.name])
    for name, path, limit in (("image-size", bare, BARE_MAX[s.arch]), ("image-size.with-tests", whole, WHOLE_MAX)):
        size = path.stat().st_size
        result(name, size < limit, f"{path}: {size} bytes, less than {limit}")


def check_boot() -> None:
    stamps = re.findall(r"^\[ *(\d+\.\d+)\] ", boot("show batch", DET=1).text, re.MULTILINE)
    took, limit = 1000 * float(stamps[-1]) if stamps else None, BOOT_MAX_MS[settings().arch]
    result("boot", took is not None and took <= limit, f"{took or 0:.1f} ms of virtual time, at most {limit}")


def body() -> None:
    check_sizes()
    check_boot()


main(body)
