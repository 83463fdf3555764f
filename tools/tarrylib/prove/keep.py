"""What long runs keep: tables in a document, between two marks; and results, with what they are of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SOURCES = ("mm", "arch", "kernel/core", "kernel/lib", "kernel/include", "tests/host/mm", "tests/host/model")


def digest(files: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, data in files.items():
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()[:12]


def tree_digest(root: Path) -> str:
    """Of all sources that the explorer, its scenarios and the host tests of mm are made of."""
    paths = sorted(p for name in SOURCES for p in (root / name).rglob("*") if p.is_file())
    return digest({str(p.relative_to(root)): p.read_bytes() for p in paths})


def write_whole(path: Path, rows: dict[str, dict]) -> None:
    """The file is whole at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(rows, indent=1))
    fresh.replace(path)


def keep_in(doc: Path, name: str, text: str) -> None:
    """Put text between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`; ValueError without them."""
    begin, end = (f"<!-- {name}: {side} -->" for side in ("begin", "end"))
    old = doc.read_text("utf-8")
    if begin not in old or end not in old:
        raise ValueError(f"error: {doc}: no place for the table ({begin})")
    head, rest = old.split(begin, 1)
    doc.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", "utf-8")
