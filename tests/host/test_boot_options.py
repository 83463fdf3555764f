#!/usr/bin/env python3
"""Every option of the boot line is declared where it is read, and docs/servers.md has the table of them.

Prints KTAP and ends with "N passed, N failed".
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import boot_options  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
TOOL = [sys.executable, str(ROOT / "tools/boot_options.py")]
SOURCE = """BOOT_OPTION(a, "alpha", "N", "the first, "
\t\t\t  "of two literals");
BOOT_OPTION(b, "beta", "on|off", "\\"quoted\\"");
BOOT_OPTION(c, "beta", "N", "again");
BOOT_OPTION(d, "unread", "N", "nobody asks");
void f(void) { option_get("beta"); option_u64("alpha", 1, 2, 3); option_choice( "gamma", x, 0); }
"""


def planted() -> None:
    """The reader itself: on a tree of one file, each mistake is named."""
    with tempfile.TemporaryDirectory() as folder:
        root, boot_options.ROOT = boot_options.ROOT, Path(folder)
        try:
            for name in ("kernel", "arch/arm64"):
                (Path(folder) / name).mkdir(parents=True)
            Path(folder, "kernel/one.c").write_text(SOURCE)
            Path(folder, "arch/arm64/two.c").write_text('BOOT_OPTION(e, "own", "N", "x");\nint y = option_get("own");\n')
            names = [o.name for o in boot_options.declared("x86_64")]
            lines = [o.line() for o in boot_options.declared("arm64")]
            wrong = boot_options.mistakes()
        finally:
            boot_options.ROOT = root
    OUT.result("reads", names == ["alpha", "beta", "beta", "unread"] and f"{'alpha=N':<30} the first, of two literals" in lines
               and f"{'beta=on|off':<30} \"quoted\"" in lines and f"{'own=N':<30} x" in lines, f"{lines}")
    OUT.result("names-mistakes", len(wrong) == 3 and "beta is declared in" in wrong[0] and "gamma is read and not declared" in wrong[1]
               and "unread is declared and not read" in wrong[2], f"{wrong}")


def documents() -> None:
    with tempfile.TemporaryDirectory() as folder:
        doc = Path(folder, "a.md")
        rcs = []
        for text in ("no marks\n", f"a\n{boot_options.BEGIN}\nold\n{boot_options.END}\nb\n"):
            doc.write_text(text)
            for way in ("--check", "--write", "--check"):
                rcs.append(subprocess.run([*TOOL, way, str(doc)], capture_output=True, check=False).returncode)
        OUT.result("writes", rcs == [1, 1, 1, 1, 0, 0] and doc.read_text().endswith("\nb\n") and "old" not in doc.read_text(), f"{rcs}")
    done = subprocess.run([*TOOL, "--check", "docs/servers.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    OUT.result("servers.md", done.returncode == 0, done.stderr)


def tried() -> None:
    """Each option is given by some test, beyond the one that gives all of them (tests/scripts/boot_line.py)."""
    places = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tests").rglob("*.c"), ROOT / "tests/cases.cfg", *(ROOT / "tools/tarrylib/run").glob("*.py")]
    text = "\n".join(p.read_text("utf-8") for p in places if p.name not in ("boot_line.py", Path(__file__).name))
    untried = [o.name for o in boot_options.declared() if not re.search(rf"(?<![\w.]){re.escape(o.name.partition('NAME')[0])}\w*=", text)
               and f'"{o.name}"' not in text]
    OUT.result("each-has-a-test", not untried, " ".join(untried))


def main() -> int:
    tried()
    wrong = boot_options.mistakes()
    OUT.result("declared-where-read", not wrong and len(boot_options.declared()) > 15, "; ".join(wrong))
    planted()
    documents()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
