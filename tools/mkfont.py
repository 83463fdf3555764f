#!/usr/bin/env python3
"""Make an assembly source of the glyphs that the screen console draws.

Usage: tools/mkfont.py FONT.psf

Reads a PC Screen Font, version 1, of 8x16 pixels with its table of Unicode characters (linux/Documentation: PSF,
kbd's psfxtable(1)). Symbol screen_font: 16 bytes a glyph, the leftmost pixel in the highest bit, in the order of
CHARACTERS, which kernel/drivers/screen.c knows, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHARACTERS = [*map(chr, range(0x20, 0x7f)), "±", "×"]
HEIGHT = 16
HEADER = 4
WIDE, HAS_TABLE = 1, 2  # bits of the mode byte
SEPARATOR, SEQUENCE = 0xffff, 0xfffe  # words of the table


class BadFont(Exception):
    """This file is none that we can take."""


def glyphs(data: bytes) -> dict[str, bytes]:
    """Character to its rows."""
    if data[:2] != b"\x36\x04" or len(data) < HEADER or data[3] != HEIGHT or not data[2] & HAS_TABLE:
        raise BadFont(f"no PSF1 of 8x{HEIGHT} pixels with a Unicode table")
    count = 512 if data[2] & WIDE else 256
    rows, table = data[HEADER:HEADER + count * HEIGHT], data[HEADER + count * HEIGHT:]
    found: dict[str, bytes] = {}
    glyph, alone = 0, True
    for at in range(0, len(table) - 1, 2):
        word = int.from_bytes(table[at:at + 2], "little")
        if word == SEPARATOR:
            glyph, alone = glyph + 1, True
        elif word == SEQUENCE:
            alone = False
        elif alone:
            found.setdefault(chr(word), rows[glyph * HEIGHT:(glyph + 1) * HEIGHT])
    return found


def font(path: Path) -> list[bytes]:
    """Rows of each of CHARACTERS."""
    found = glyphs(path.read_bytes())
    if lacking := [c for c in CHARACTERS if len(found.get(c, b"")) != HEIGHT]:
        raise BadFont(f"no glyph for {''.join(lacking)!r}")
    return [found[c] for c in CHARACTERS]


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        rows = font(Path(argv[1]))
    except (BadFont, OSError) as error:
        print(f"mkfont: {argv[1]}: {error}", file=sys.stderr)
        return 1
    print('\t.section .rodata.font, "a"\n\t.globl screen_font\nscreen_font:')
    for glyph in rows:
        print("\t.byte " + ", ".join(f"0x{row:02x}" for row in glyph))
    print('\t.section .note.GNU-stack, "", %progbits')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
