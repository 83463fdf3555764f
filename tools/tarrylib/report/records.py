"""Benchmark records: JSON lines between BENCH-BEGIN and BENCH-END, each with its checksum.

Whoever logs a console may put a time stamp in front of each line, and wrap lines: so a record is what its checksum
says it is, be it one line or several put together. A long one may come in pieces in the first place, each behind a
head (kernel/bench/report/lines.h).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import capture

SCHEMA = "tarry.bench/1"
MACHINE = "machine"  # name of the record that measures nothing
END = "end"  # of the one that says how many were sent before it, and their checksum (kernel/net/stream.c)
_CRC = re.compile(r'^(?P<body>.*),"crc":"(?P<crc>[0-9a-f]{8})"\}$')
# A mark, behind nothing or a prefix as loggers write them: one with a digit, or with a name and a colon.
_MARK = re.compile(r"^(?:|.{0,80}?(?:\d.{0,80}?[\s:>|\]]|[:>|\]]\s*))(?P<mark>BENCH-(?:BEGIN|END))\s*$")
_START = '{"schema":"tarry.bench/'
_HEAD = re.compile(r"@[0-9a-f]{8} (?P<number>\d+)/(?P<all>\d+) ")  # of a piece
_KERNEL_LINE = re.compile(r"^\[ *\d+\.\d+\] ")  # what the kernel says in the middle of a record
LINES_MAX = 4096  # that one record may have been wrapped into
PREFIX_MAX = 120  # bytes of a logger's own in front of a line


@dataclass
class Block:
    """What one console held."""
    lines: list[str] = field(default_factory=list)  # undamaged records, each as the guest wrote it
    records: list[dict] = field(default_factory=list)  # the same, parsed
    damaged: list[str] = field(default_factory=list)  # what is wrong, one line each
    machines: list[dict] = field(default_factory=list)  # of the command of that name: what was found, no measurement
    ends: list[dict] = field(default_factory=list)  # of uploads: those that the records before them agree with

    def once(self) -> Block:
        """The same without what was printed again, as `results` does."""
        lines = dict(zip(self.lines, self.records))
        return Block(list(lines), list(lines.values()), self.damaged, self.machines, self.ends)


def checksum(body: str) -> str:
    """CRC-32 (IEEE) of the record up to, and without, its last key."""
    return f"{zlib.crc32(body.encode()):08x}"


def _is_whole(line: str) -> bool:
    match = _CRC.match(line)
    return bool(match) and checksum(match["body"]) == match["crc"]


def check(line: str) -> dict:
    """The record of one line. Raises ValueError that says what is wrong with it."""
    match = _CRC.match(line)
    if not match:
        raise ValueError("no checksum at its end (cut off?)")
    if checksum(match["body"]) != match["crc"]:
        raise ValueError(f"checksum {match['crc']}, but its bytes give {checksum(match['body'])}")
    record = json.loads(line)
    if record.get("schema") != SCHEMA or next(iter(record)) != "schema":
        raise ValueError(f"schema is not {SCHEMA}")
    measures = record.get("name") not in (MACHINE, END)
    for key in ("name", "scheme", "counters", "trust") if measures else ("name", "boot_id"):
        if key not in record:
            raise ValueError(f'no key "{key}"')
    return record


def _shapes(prefix: str) -> list[re.Pattern[str]]:
    """What the prefix of another line may look like: the same but for digits and letters, then of any width.

    The blanks at its end are part of it as they are: the record's own may follow.
    """
    tokens = re.findall(r"\d+|[A-Za-z]+| +|[^\dA-Za-z ]", prefix)

    def shape(exactly: bool) -> re.Pattern[str]:
        out = ""
        for number, token in enumerate(tokens, 1):
            kind = r"\d" if token[0].isdigit() else "[A-Za-z]" if token[0].isalpha() else re.escape(token[0])
            fixed = exactly or not token[0].isalnum() and (token[0] != " " or number == len(tokens))
            out += kind + (f"{{{len(token)}}}" if fixed else "+")
        return re.compile("^" + out)

    return [shape(True), shape(False)]


def _readings(prefix: str, pieces: list[str], lost: list[int]) -> Iterator[list[str]]:
    """Ways to read the lines of a record: with and without prefix, remarks, and blanks added or lost at a line's end."""
    views = [pieces]
    if prefix.strip():
        views += [[pieces[0]] + [shape.sub("", piece, count=1) for piece in pieces[1:]] for shape in _shapes(prefix)]
    for view in views:
        yield view
        added = min((len(piece) - len(piece.rstrip(" ")) for piece in view[:-1]), default=0)
        yield [piece[:len(piece) - added] for piece in view[:-1]] + view[-1:]
        yield [piece + " " * blanks for piece, blanks in zip(view, lost)]
        yield [piece for piece in view if not _KERNEL_LINE.match(piece)]


def _joined(prefix: str, pieces: list[str], lost: list[int]) -> str:
    """The record that these lines are together, as the guest wrote it; "" if no reading gives one.

    lost: how many blanks a logger may have taken off the end of each.
    """
    texts = ("".join(reading).rstrip() for reading in _readings(prefix, pieces, lost))
    return next((text for text in texts if _is_whole(text)), "")


class _Reader:
    """Takes a console's lines one by one."""

    def __init__(self) -> None:
        self.block = Block()
        self.inside = False
        self.prefix = ""
        self.pieces: list[str] = []  # of the record that has begun
        self.widths: list[int] = []  # of their lines, 0 for one that the guest itself ended
        self.first = 0  # number of its first line
        self.next = 0  # the piece with a head that comes next
        self.ended = 0  # records that an end has spoken of

    def line(self, number: int, line: str) -> None:
        mark = _MARK.match(line)
        head = _HEAD.search(line, 0, PREFIX_MAX)
        start = line.find(_START, 0, PREFIX_MAX + len(_START))
        if mark or start >= 0:
            self.give_up()
        if mark:
            self.mark(number, mark["mark"] == "BENCH-BEGIN")
        elif start >= 0:
            self.prefix, self.first, self.next = line[:head.start() if head else start], number, 2
            self.piece(line[start:], len(line))
        elif head:
            self.part(number, head, line)
        elif self.pieces:
            self.piece(line, len(line))
        elif self.inside and line.strip():
            self.block.damaged.append(f"line {number}: not a record: {line[:60]}")

    def mark(self, number: int, begin: bool) -> None:
        if begin and self.inside:
            self.block.damaged.append(f"line {number}: BENCH-BEGIN twice, no BENCH-END between")
        if not begin and not self.inside:
            self.block.damaged.append(f"line {number}: BENCH-END without BENCH-BEGIN")
        self.inside = begin

    def piece(self, text: str, width: int) -> None:
        """One more line of a record, perhaps the last; width: of the line as a whole."""
        self.pieces.append(text)
        self.widths.append(width)
        if text.rstrip().endswith("}"):
            full = max(self.widths)
            whole = _joined(self.prefix, self.pieces, [full - w if w else 0 for w in self.widths])
            if whole:
                self.take(whole)
        if len(self.pieces) == LINES_MAX:
            self.give_up()

    def part(self, number: int, head: re.Match[str], line: str) -> None:
        """A piece that is not the first of its record."""
        if self.pieces and int(head["number"]) == self.next:
            self.next += 1
            self.widths[-1] = 0
            self.piece(line[head.end():], len(line))
            return
        lost = f"piece {self.next}" if self.pieces else "an earlier piece"
        self.block.damaged.append(f"line {number}: piece {head['number']} of {head['all']} of a record, and {lost} is missing")
        self.pieces, self.widths = [], []

    def take(self, line: str) -> None:
        try:
            record = check(line)
            if record["name"] == MACHINE:
                self.block.machines.append(record)
            elif record["name"] == END:
                self.end(record)
            else:
                self.block.records.append(record)
                self.block.lines.append(line)
        except ValueError as error:
            self.block.damaged.append(f"line {self.first}: {error}: {line[:60]}...")
        self.pieces, self.widths = [], []

    def end(self, end: dict) -> None:
        """All that was sent must be there, and nothing else."""
        sent = "".join(f"{line}\n" for line in self.block.lines[self.ended:])
        if (len(self.block.lines) - self.ended, len(sent.encode()), checksum(sent)) != (end["records"], end["bytes"], end["sum"]):
            self.block.damaged.append(f"line {self.first}: {end['records']} records of {end['bytes']} bytes were sent, with checksum "
                                      f"{end['sum']}; {len(self.block.lines) - self.ended} are here, with {checksum(sent)}")
        else:
            self.block.ends.append(end)
        self.ended = len(self.block.lines)

    def give_up(self) -> None:
        """What has begun has not become a whole record."""
        if not self.pieces:
            return
        first = self.pieces[0].rstrip()
        if len(self.pieces) == 1 or _CRC.match(first):
            self.take(first)  # which says what is wrong with it
        else:
            self.block.damaged.append(f"line {self.first}: no record with a right checksum, however its "
                                      f"{len(self.pieces)} lines are joined: {first[:60]}...")
        self.pieces, self.widths = [], []


def extract(console: str) -> Block:
    """All records of a console, and everything that is wrong between the markers."""
    reader = _Reader()
    for number, line in enumerate(capture.lines(console), 1):
        reader.line(number, line)
    reader.give_up()
    if reader.inside:
        reader.block.damaged.append("the console ends inside a block: no BENCH-END")
    return reader.block
