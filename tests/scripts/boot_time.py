#!/usr/bin/env python3
"""From QEMU's start to the prompt, and the size of what is loaded."""

import time

from common import Console, main, qemu, result, settings

PROMPT_MAX = 0.3  # seconds, direct boot at the defaults
TRIES = 7  # the host may be busy: the best of these counts
# Bytes of the stripped kernel, tests included; arm64 carries twice as many litmus tests.
SIZE_MAX = {"x86_64": 400 << 10, "arm64": 448 << 10}


def seconds_to_prompt() -> float:
    begin = time.monotonic()
    with Console() as console:
        console.expect(b"tarry> ")
        return time.monotonic() - begin


def body() -> None:
    size = qemu.kernel(settings()).stat().st_size
    limit = SIZE_MAX[settings().arch]
    result("image-size", size < limit, f"{size} bytes, less than {limit}")
    times = sorted(seconds_to_prompt() for _ in range(TRIES))
    shown = ", ".join(f"{t:.3f}" for t in times)
    result("prompt", times[0] <= PROMPT_MAX, f"best of {shown} s, at most {PROMPT_MAX} s")


main(body)
