#!/usr/bin/env python3
"""A list of litmus tests that is stopped says so and fails; --from begins where it was."""

import re

from common import Console, boot, main, result

FOREVER = 10**9  # runs: more than fit in the test's time
SECOND = "MP.alias+dmbs~two-frames"  # of MP.alias*, on every architecture


def body() -> None:
    with Console() as console:
        console.expect(b"tarry> ")
        console.send(f"litmus MP* --runs {FOREVER}\r".encode())
        console.expect(b"# 1 of ", 60)  # the name comes before the test runs
        console.send(b"\x03")
        console.expect(b"# rc=", 60)
        console.expect(b"tarry> ")
        text = console.seen.decode("utf-8", "replace").replace("\r", "")
    name = text.partition("# 1 of ")[2].partition(": ")[2].partition(",")[0]
    result("marked", f"of {FOREVER} runs: go on with --from {name}" in text, text[-200:])
    result("incomplete", "# INCOMPLETE: " in text and "# rc=1\n" in text, text[-200:])
    run = boot(f"litmus MP.alias* --from {SECOND} --runs 64")
    tests = re.findall(r"^Test (\S+)$", run.text, re.MULTILINE)
    result("goes-on", run.guest_rc == 0 and tests == [SECOND] and "INCOMPLETE" not in run.text,
           f"rc={run.guest_rc}, {tests}")


main(body)
