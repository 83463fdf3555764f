"""An arm64 image with instructions planted in it: in the unused part of its header page, to where a
branch of the image is redirected."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from common import Missing

HEADER_PAGE = 4096
ENTRY = 1  # the header's second word: a branch
PLANT_AT = 0x800
BRANCH = 0x14000000  # Arm ARM C6.2.26
NOP = 0xd503201f  # what the assembler pads with


def symbols(path: Path) -> dict[str, int]:
    """The linked addresses of tarry.sym."""
    words = (line.split() for line in path.read_text().splitlines())
    return {word[2]: int(word[0], 16) for word in words}


EXECUTABLE, WRITABLE = 0x20000000, 0x80000000


class Section(NamedTuple):
    name: bytes
    size: int  # in memory
    at: int
    file_size: int
    file_at: int
    flags: int


class Image:
    """An image as words, and room for more of them."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.free = PLANT_AT // 4
        if set(self.words[self.free:HEADER_PAGE // 4]) - {0, NOP}:
            raise Missing("the header page is in use where instructions are to be planted")

    def plant(self, at: int, instructions: list[int], resume: int) -> None:
        """Instead of the word at index `at`, run these and go on at index `resume`."""
        self.words[at] = BRANCH | (self.free - at) & 0x3ffffff
        for word in instructions:
            self.words[self.free] = word
            self.free += 1
        self.words[self.free] = BRANCH | (resume - self.free) & 0x3ffffff
        self.free += 1

    def at_entry(self, instructions: list[int]) -> None:
        """Before the image's first instruction."""
        if self.words[ENTRY] >> 26 != BRANCH >> 26:
            raise Missing("the header's second word is no branch")
        self.plant(ENTRY, instructions, ENTRY + (self.words[ENTRY] & 0x3ffffff))

    def sections(self) -> list[Section]:
        """The sections of its PE header (Microsoft's PE format, "Section Table")."""
        data = struct.pack(f"<{len(self.words)}I", *self.words)
        pe = struct.unpack_from("<I", data, 0x3c)[0]
        count, optional = struct.unpack_from("<H12xH", data, pe + 6)
        if data[pe:pe + 4] != b"PE\0\0":
            raise Missing("no PE header")
        table = pe + 24 + optional
        return [Section(*struct.unpack_from("<8s4I12xI", data, table + 40 * i)) for i in range(count)]

    def entry(self) -> int:
        data = struct.pack(f"<{HEADER_PAGE // 4}I", *self.words[:HEADER_PAGE // 4])
        return struct.unpack_from("<I", data, struct.unpack_from("<I", data, 0x3c)[0] + 24 + 16)[0]

    def save(self, path: Path) -> None:
        path.write_bytes(struct.pack(f"<{len(self.words)}I", *self.words))
