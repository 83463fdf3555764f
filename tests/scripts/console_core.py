#!/usr/bin/env python3
"""The console: what registers for idle work is looked at while it waits for input; several console= on the boot line.

On x86-64 there is a second serial port, which gets the same output; on arm64 QEMU has one UART for us.
"""

import tempfile
import time
from pathlib import Path

from common import Console, main, result, settings

TEST = b"test console.idle_work_is_done_at_the_prompt\r"
WORDS = {
    "x86_64": ("console=ttyS1,115200n8 console=hvc0 console=tty0 \"\" console=uart8250,mmio,0xfee0000000000 console=ttyS0,115200",
               {b"console=hvc0: no driver": "no-driver",
                b"console=tty0: the loader names no screen": "no-screen",
                b"console=uart8250,mmio,0xfee0000000000: its registers cannot be mapped": "not-mapped",
                b'has no name (""): ignored': "no-name"}),
    "arm64": ("console=ttyS0 console=pl011,mmio32,0x9000000,9600 console=pl011,0xfee0000000000 console=ttyAMA0,115200n8",
              {b"console=ttyS0: firmware names no such UART": "no-such-uart",
               b"console=pl011,0xfee0000000000: its registers cannot be mapped": "not-mapped"}),
}


def idle_work(console: Console) -> None:
    for expected in (b"# rc=4", b"# rc=0"):  # skipped: it has only registered
        console.expect(b"tarry> ")
        time.sleep(0.1)  # at the prompt
        console.send(TEST)
        console.expect(b"# rc=")
        console.at -= len(b"# rc=")
        console.expect(expected, 5)
    result("at-the-prompt", True, "registered by one command, called before the next")


def body() -> None:
    arch = settings().arch
    line, messages = WORDS[arch]
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        second = Path(folder, "ttyS1")
        ports = ("stdio", f"file:{second}") if arch == "x86_64" else ("stdio",)
        with Console(ports, ARGS=line) as console:
            idle_work(console)
        for message, name in messages.items():
            result(f"words.{name}", message in console.seen and console.seen.count(b"skipped") >= 2, message.decode())
        if len(ports) > 1:
            seen = second.read_bytes()
            whole = seen.startswith(b"Tarry ") and b"tarry> test console" in seen and b"# rc=4" in seen
            result("words.both-ports", whole and console.seen.startswith(b"Tarry "),
                   f"{len(seen)} bytes on the second, {len(console.seen)} on the first")


main(body)
