#!/usr/bin/env python3
"""The options of the boot line, read from where the sources declare them.

Usage: tools/boot_options.py [--write DOCUMENT | --check DOCUMENT]

Prints the table that documents show; --write fills it into one, between the two marks, --check fails unless it is there.
What `help boot` prints comes from the same declarations (BOOT_OPTION(), kernel/include/kernel/option.h).
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("arch", "boot", "kernel", "mm", "tests/unit", "tests/litmus")
BEGIN, END = "<!-- boot options -->", "<!-- boot options end -->"
TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
DECLARED = re.compile(rf"^BOOT_OPTION\(\s*\w+,\s*{TEXT},\s*{TEXT},\s*{TEXT}\);", re.MULTILINE)
READ = re.compile(r'\boption_(?:get|nth|u64|choice|list_has)\(\s*"([^"]+)"')


@dataclass(frozen=True)
class Option:
    name: str
    values: str
    summary: str
    arch: str  # "" on all
    file: str

    def line(self) -> str:
        """As `help boot` prints it."""
        return f"{f'{self.name}={self.values}':<30} {self.summary}"


def _text(literals: str) -> str:
    return ast.literal_eval(f"({literals})")


def _sources() -> list[Path]:
    files = [f for folder in FOLDERS for f in sorted((ROOT / folder).rglob("*.c"))]
    return [f for f in files if "fake" not in f.parts]


def declared(arch: str = "") -> list[Option]:
    """By name; those that a kernel for this architecture has, or all."""
    found = []
    for path in _sources():
        file = str(path.relative_to(ROOT))
        own = file.split("/")[1] if file.startswith(("arch/", "boot/")) and file.count("/") > 1 else ""
        found += [Option(*map(_text, match), own, file) for match in DECLARED.findall(path.read_text("utf-8"))]
    return sorted((o for o in found if not arch or o.arch in ("", arch)), key=lambda o: o.name.encode())


def mistakes() -> list[str]:
    """Names that are read and not declared, or declared twice or elsewhere than where they are read."""
    every = declared()
    options = {o.name: o for o in every}
    wrong = [f"{o.file}: {o.name} is declared in {options[o.name].file}, too" for o in every if options[o.name] is not o]
    reads: dict[str, set[str]] = {}
    for path in _sources():
        for name in READ.findall(path.read_text("utf-8")):
            reads.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    for name, files in sorted(reads.items()):
        if name.startswith("test.no-such"):
            continue
        if name not in options:
            wrong.append(f"{min(files)}: {name} is read and not declared")
        elif options[name].file not in files:
            wrong.append(f"{options[name].file}: {name} is declared and not read there")
    wrong += [f"{o.file}: {o.name} is declared and not read" for o in options.values() if o.name not in reads and "NAME" not in o.name]
    return wrong


def table() -> str:
    """In Markdown."""
    def cell(text: str) -> str:
        return text.replace("|", "\\|")
    rows = [f"| `{cell(f'{o.name}={o.values}')}` | {cell(o.summary)}{f' ({o.arch})' if o.arch else ''} |" for o in declared()]
    return "\n".join(["| option | what it does |", "| --- | --- |", *rows])


def filled(text: str) -> str:
    """The document with the table of today."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"no marks {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="DOCUMENT")
    parser.add_argument("--check", type=Path, metavar="DOCUMENT")
    args = parser.parse_args()
    document = args.write or args.check
    if not document:
        print(table())
        return 0
    old = document.read_text("utf-8")
    try:
        new = filled(old)
    except ValueError as error:
        print(f"boot_options: {document}: {error}", file=sys.stderr)
        return 1
    if args.write and new != old:
        document.write_text(new, "utf-8")
    if args.check and new != old:
        print(f"boot_options: {document}: not the table of today; tools/boot_options.py --write {document}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
