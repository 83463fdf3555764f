#!/usr/bin/env python3
"""What registers for idle work is looked at while the console waits for input."""

import time

from common import Console, main, result

TEST = b"test console.idle_work_is_done_at_the_prompt\r"


def body() -> None:
    with Console() as console:
        for expected in (b"# rc=4", b"# rc=0"):  # skipped: it has only registered
            console.expect(b"tarry> ")
            time.sleep(0.1)  # at the prompt
            console.send(TEST)
            console.expect(b"# rc=")
            console.at -= len(b"# rc=")
            console.expect(expected, 5)
    result("at-the-prompt", True, "registered by one command, called before the next")


main(body)
