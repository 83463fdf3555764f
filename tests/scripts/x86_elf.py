"""An x86-64 kernel with code planted in it: over the body of a function that the boot does not run."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

from common import Missing

JUMP = 5  # bytes of JMP rel32


class Elf:
    """A kernel file, and where its addresses are in it."""

    def __init__(self, path: Path):
        self.data = bytearray(path.read_bytes())
        self.debug = path.with_suffix(".debug")
        table, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        headers = [struct.unpack_from("<IIQQQQ", self.data, table + size * i) for i in range(count)]
        self.loads = [(at, at + length, offset) for kind, _, offset, at, _, length in headers if kind == 1]

    def offset(self, address: int) -> int:
        for begin, end, offset in self.loads:
            if begin <= address < end:
                return offset + address - begin
        raise Missing(f"{address:#x} is not in the file")

    def instructions(self, function: str) -> list[tuple[int, int]]:
        """Address and length of each."""
        listing = subprocess.run(["objdump", "-d", "-w", f"--disassemble={function}", self.debug],
                                 capture_output=True, text=True, check=True).stdout
        found = re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+)", listing, re.MULTILINE)
        if not found:
            raise Missing(f"no function {function}")
        return [(int(at, 16), len(code.split())) for at, code in found]

    def plant(self, function: str, code: bytes, over: str) -> None:
        """Run the code first whenever the function is called. It lies where the function `over` was."""
        first = self.instructions(function)
        begin, moved = first[0][0], 0
        for _, length in first:
            moved += length
            if moved >= JUMP:
                break
        room = self.instructions(over)
        cave, size = room[0][0], sum(length for _, length in room)
        at = self.offset(begin)
        code += self.data[at:at + moved]
        code += b"\xe9" + struct.pack("<i", begin + moved - (cave + len(code) + JUMP))
        if len(code) > size:
            raise Missing(f"{over} has {size} bytes, not {len(code)}")
        self.data[self.offset(cave):self.offset(cave) + len(code)] = code
        self.data[at:at + JUMP] = b"\xe9" + struct.pack("<i", cave - (begin + JUMP))

    def save(self, path: Path) -> None:
        path.write_bytes(self.data)
