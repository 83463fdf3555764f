"""Just enough of the gdb remote protocol to stop a guest at an address and change its memory."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

KERNEL_OFFSET = 0xffffffff80000000  # arch/x86_64/include/asm/layout.h: where translation is off, addresses lie lower
CHUNK = 1024  # bytes in one packet
ATTEMPTS = 100  # to connect, 0.1 s apart


def symbols(debug: Path, pattern: str) -> dict[str, int]:
    """The linked addresses of the symbols whose whole name fits the pattern."""
    listed = subprocess.run(["nm", debug], capture_output=True, text=True, check=True).stdout
    return {name: int(at, 16) for at, name in re.findall(rf"^(\w+) \w ({pattern})$", listed, re.MULTILINE)}


class Stub:
    """QEMU's stub, behind a socket of the file system."""

    def __init__(self, path: Path):
        self.pending = b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        for attempt in range(ATTEMPTS):
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.1)
        self.ask("qSupported")

    def send(self, text: str) -> None:
        self.socket.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())

    def answer(self) -> str:
        while True:
            begin = self.pending.find(b"$")
            end = self.pending.find(b"#", begin)
            if begin >= 0 and 0 <= end < len(self.pending) - 2:
                packet, self.pending = self.pending[begin + 1:end], self.pending[end + 3:]
                self.socket.sendall(b"+")
                return packet.decode()
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the gdb stub closed the connection")
            self.pending += data

    def ask(self, text: str) -> str:
        self.send(text)
        return self.answer()

    def run_to(self, address: int) -> None:
        self.ask(f"Z1,{address:x},1")
        self.ask("c")
        self.ask(f"z1,{address:x},1")

    def read(self, address: int, length: int) -> bytes:
        return bytes.fromhex(self.ask(f"m{address:x},{length:x}"))

    def write(self, address: int, data: bytes) -> None:
        for at in range(0, len(data), CHUNK):
            part = data[at:at + CHUNK]
            if self.ask(f"M{address + at:x},{len(part):x}:{part.hex()}") != "OK":
                raise EOFError(f"the gdb stub did not write at {address + at:#x}")

    def go(self) -> None:
        """Leave the guest to itself."""
        self.ask("D")
        self.socket.close()
