#!/usr/bin/env python3
"""From QEMU's start to the prompt, and the size of what is loaded."""

import subprocess
import time

from common import Console, Missing, main, qemu, result, settings

PROMPT_MAX = 0.3  # seconds, direct boot at the defaults
TRIES = 7  # the host may be busy: the best of these counts
# Bytes of what is loaded, without tests/ and with them.
BARE_MAX = {"x86_64": 400 << 10, "arm64": 448 << 10}
WHOLE_MAX = 640 << 10


def seconds_to_prompt() -> float:
    begin = time.monotonic()
    with Console() as console:
        console.expect(b"tarry> ")
        return time.monotonic() - begin


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


def body() -> None:
    check_sizes()
    times = sorted(seconds_to_prompt() for _ in range(TRIES))
    shown = ", ".join(f"{t:.3f}" for t in times)
    result("prompt", times[0] <= PROMPT_MAX, f"best of {shown} s, at most {PROMPT_MAX} s")


main(body)
