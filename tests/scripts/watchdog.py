#!/usr/bin/env python3
"""A wait that cannot end is named by the watchdog: what is waited for, which CPU does not answer, and where that one is."""

import re

from common import boot, main, result

# What must be said: where nothing can interrupt a CPU (arm64 without NMIs), its name and no place.
KINDS = {
    "lock": (r"^panic: .*waited for the spinlock at 0x[0-9a-f]+$", r" spin_lock_contended\+", r" panic_(run|lock)\+", r" kernel_main\+"),
    "deaf": (r"^panic: .*waited for the answer to a call$", r"call of be_deaf\+0: no answer from$", r"\] cpu 1: .* at (be_deaf\+|unknown)"),
}


def body() -> None:
    for kind, patterns in KINDS.items():
        run = boot(f"panic {kind}")
        missing = [pattern for pattern in patterns if not re.search(pattern, run.text, re.MULTILINE)]
        told = [line for line in run.text.splitlines() if re.search("panic:|be_deaf|cpu 1", line)]
        result(kind, run.guest_rc == 70 and not missing, "\n".join([f"rc {run.guest_rc}", *told, *(f"not said: {m}" for m in missing)]))


main(body)
