"""Benchmark records: JSON lines between BENCH-BEGIN and BENCH-END, each with its checksum."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field

SCHEMA = "tarry.bench/1"
_CRC = re.compile(r'^(?P<body>.*),"crc":"(?P<crc>[0-9a-f]{8})"\}$')


@dataclass
class Block:
    """What one console held."""
    lines: list[str] = field(default_factory=list)  # undamaged records, as they came
    records: list[dict] = field(default_factory=list)  # the same, parsed
    damaged: list[str] = field(default_factory=list)  # what is wrong, one line each


def checksum(body: str) -> str:
    """CRC-32 (IEEE) of the record up to, and without, its last key."""
    return f"{zlib.crc32(body.encode()):08x}"


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
    for key in ("name", "scheme", "counters", "trust"):
        if key not in record:
            raise ValueError(f'no key "{key}"')
    return record


def extract(console: str) -> Block:
    """All records of a console, and everything that is wrong between the markers."""
    block = Block()
    inside = False
    for number, line in enumerate(console.splitlines(), 1):
        line = line.rstrip()
        if line.startswith("BENCH-BEGIN"):
            if inside:
                block.damaged.append(f"line {number}: BENCH-BEGIN twice, no BENCH-END between")
            inside = True
        elif line.startswith("BENCH-END"):
            if not inside:
                block.damaged.append(f"line {number}: BENCH-END without BENCH-BEGIN")
            inside = False
        elif inside and line.startswith("{"):
            try:
                block.records.append(check(line))
                block.lines.append(line)
            except ValueError as error:
                block.damaged.append(f"line {number}: {error}: {line[:60]}...")
        elif inside and line:
            block.damaged.append(f"line {number}: not a record: {line[:60]}")
    if inside:
        block.damaged.append("the console ends inside a block: no BENCH-END")
    return block
