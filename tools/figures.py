#!/usr/bin/env python3
"""Renew tests/figures.json from the scripts that hold its figures, then the documents that show them.

Usage: tools/figures.py [--only GLOB] [--documents]

Runs the cases of the group "figures" of tests/cases.cfg on both architectures. If one fails, as for a stale read,
nothing is changed. Limits are not judged here: `make test` does that. What several CPUs did is renewed only where it is
further from what is kept than equal runs are from each other (tarrylib/report/figures.py). --only takes some cases and keeps the figures of
the others; --documents runs none. Exit status: 0, 1 a case failed or a document names what there is not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.report import figures  # noqa: E402

ARCHES = "x86_64 arm64"


def measure(only: str) -> figures.Figures | None:
    """What the scripts found, or None if one of them failed."""
    with tempfile.TemporaryDirectory(prefix="tarry-figures-") as folder:
        done = subprocess.run([sys.executable, "tests/run.py", "--arches", ARCHES, "--group", "figures", "--no-host",
                               "--only", only], env={**os.environ, "TARRY_FIGURES": folder}, check=False)
        if done.returncode:
            return None
        found: figures.Figures = {}
        for path in sorted(Path(folder).glob("*.json")):
            for section, values in json.loads(path.read_text("utf-8")).items():
                found.setdefault(section, {}).update(values)
    return found


def without_unnamed(found: figures.Figures) -> figures.Figures:
    """Of what no test holds, only what a document shows."""
    named = {name for path in figures.DOCUMENTS for name in figures.named(Path(path).read_text("utf-8"))}
    idle = set(found.pop("noted", {})) - named
    return {section: {name: value for name, value in values.items() if f"{section}.{name}" not in idle}
            for section, values in found.items()}


def renew(only: str) -> bool:
    found = measure(only)
    if not found:
        return False
    found = without_unnamed(found)
    if only:
        known = figures.read(ROOT)
        found = {section: known.get(section, {}) | found.get(section, {}) for section in known.keys() | found.keys()}
    figures.write(ROOT, found)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="glob on case names")
    parser.add_argument("--documents", action="store_true", help="measure nothing")
    args = parser.parse_args()
    os.chdir(ROOT)
    if not args.documents and not renew(args.only):
        print("figures: error: a case failed, see above; nothing was changed", file=sys.stderr)
        return 1
    data = figures.read(ROOT)
    try:
        texts = {name: figures.fill(Path(name).read_text("utf-8"), data) for name in figures.DOCUMENTS}
    except figures.Unknown as error:
        print(f"figures: error: {error}", file=sys.stderr)
        return 1
    for name, text in texts.items():
        Path(name).write_text(text, "utf-8")
    return subprocess.run(["git", "--no-pager", "diff", "--stat", "--", figures.FILE, *figures.DOCUMENTS], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
