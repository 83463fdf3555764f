"""Tables that a tool keeps up to date in a document, between two marks."""

from __future__ import annotations

from pathlib import Path


def keep_in(doc: Path, name: str, text: str) -> None:
    """Put text between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`; ValueError without them."""
    begin, end = (f"<!-- {name}: {side} -->" for side in ("begin", "end"))
    old = doc.read_text("utf-8")
    if begin not in old or end not in old:
        raise ValueError(f"error: {doc}: no place for the table ({begin})")
    head, rest = old.split(begin, 1)
    doc.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", "utf-8")
