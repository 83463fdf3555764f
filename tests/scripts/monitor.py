"""A guest that is looked at and typed at through QEMU's monitor: its screen, its memory, its keyboard."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import mkfont
from common import Missing, guest, media, qemu, settings

PROMPT = b"(qemu) "
COLUMNS, ROWS, CELL = 80, 25, 2  # of VGA text memory; bytes a character
VGA_TEXT = 0xb8000


class Monitored:
    """A boot of the bootable image. more: words of QEMU's command line; patch: a change of GRUB's commands."""

    def __init__(self, serial: list[str], more: tuple[str, ...] = (), patch: tuple[bytes, bytes] | None = None, **changes: object):
        self.settings = settings(**changes)
        self.serial, self.more, self.patch = serial, more, patch

    def __enter__(self) -> "Monitored":
        self.scratch = tempfile.TemporaryDirectory(prefix="tarry-")
        folder = Path(self.scratch.name)
        medium = media.medium(self.settings, folder)
        if self.patch:
            old, new = self.patch
            at = medium.read_bytes()
            if at.count(old) != 1:
                raise Missing(f"{old!r} is not once in the image")
            medium.write_bytes(at.replace(old, new))
        argv = qemu.command(self.settings, folder, [*self.serial, "-monitor", f"unix:{folder}/monitor,server=on,wait=off"], medium)
        self.process = guest.start([*argv, *self.more], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._connect(folder / "monitor")
        except Missing:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        guest.kill(self.process)
        self.scratch.cleanup()

    def _connect(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Missing(f"QEMU's monitor: {error}") from error
                time.sleep(0.05)
        self._answer()

    def _answer(self) -> str:
        got = b""
        while not got.endswith(PROMPT):
            ready = select.select([self.socket], [], [], 60)[0]
            data = self.socket.recv(65536) if ready else b""
            if not data:
                raise Missing(f"QEMU's monitor: {'closed' if ready else 'no answer'}")
            got += data
        return got.decode("ascii", "replace")

    def ask(self, command: str) -> str:
        """A command of the monitor, and what it answers."""
        self.socket.sendall(command.encode() + b"\n")
        return self._answer()

    def press(self, keys: str) -> None:
        """Keys by QEMU's names, each pressed and released."""
        for key in keys.split():
            self.ask(f"sendkey {key} 20")
            time.sleep(0.06)  # it has been released

    def screen(self) -> list[str]:
        """The text of the screen, as far as it is of our font; other cells are NULs."""
        picture = Path(self.scratch.name, "screen.ppm")
        self.ask(f"screendump {picture}")
        return read_picture(picture.read_bytes())

    def vga_text(self) -> list[str]:
        """The text in VGA text memory."""
        dump = self.ask(f"xp /{COLUMNS * ROWS}hx {VGA_TEXT:#x}")  # behind the echo of what was asked
        words = [word for line in re.findall(r"^[0-9a-f]+: (.*)$", dump, re.MULTILINE) for word in re.findall(r"0x([0-9a-f]{4})\b", line)]
        text = "".join(chr(int(word, 16) & 0xff) for word in words)
        return [text[at:at + COLUMNS].rstrip() for at in range(0, len(text), COLUMNS)]

    def wait(self, what: str, look, timeout: float = 90.0) -> list[str]:
        """Look until a line matches this regular expression; the lines."""
        deadline = time.monotonic() + timeout
        while True:
            lines = look()
            if any(re.search(what, line) for line in lines):
                return lines
            if time.monotonic() > deadline:
                shown = [line for line in lines if line.strip("\0 ")]
                raise Missing(f"waited {timeout} s for {what!r} on the screen, which shows {shown[-4:]}")
            time.sleep(0.3)


def read_picture(ppm: bytes) -> list[str]:
    """Lines of a P6 picture of 8x16 cells, white on black. A cell that is no glyph of the font is a NUL."""
    head = re.match(rb"P6\n(\d+) (\d+)\n255\n", ppm)
    if not head:
        raise Missing(f"no picture: {ppm[:20]!r}")
    width, height = int(head[1]), int(head[2])
    known = {rows: c for rows, c in zip(mkfont.font(Path(settings().build, "deps/font.psf")), mkfont.CHARACTERS)}
    lines = []
    for top in range(0, height - mkfont.HEIGHT + 1, mkfont.HEIGHT):
        rows = []
        for y in range(top, top + mkfont.HEIGHT):
            pixels = ppm[head.end() + 3 * y * width:head.end() + 3 * (y + 1) * width]
            # Green of each pixel; one that is neither black nor white makes its cell unknown.
            bits = pixels[1::3].translate(bytes([ord("0")] + [ord("x")] * 254 + [ord("1")])).decode()
            rows.append([bits[x:x + 8] for x in range(0, width - 7, 8)])
        cells = [column for column in zip(*rows)]
        lines.append("".join(known.get(bytes(int(row, 2) for row in cell), "\0") if "x" not in "".join(cell) else "\0"
                             for cell in cells).rstrip())
    return lines
