#!/usr/bin/env python3
"""The last step of docs/new-deferral.md: `make prove` of the deferral that script-add-deferral adds, with few orderings.

So few that it may say INCOMPLETE of what explores; nothing may have FAILED.
"""

import re
import tempfile
from pathlib import Path

from add_deferral import NAME, add, blocks, copy_tree, run_line
from common import main, result

ORDERINGS = 2000


def body() -> None:
    shown = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make prove ")]
    result("page.prove", len(shown) == 1, str(shown))
    with tempfile.TemporaryDirectory(prefix="tarry-") as scratch:
        tree = Path(scratch) / "tree"
        copy_tree(tree)
        add(tree)
        line = shown[0].partition("#")[0].strip().replace("SCHEME=latr", f"SCHEME={NAME}")
        _, text = run_line(tree, f"{line} ORDERINGS={ORDERINGS}")
        steps = re.findall(r"^  (passed|FAILED|INCOMPLETE|not done) +([\w ./-]+): (.*)$", text, re.MULTILINE)
        for verdict, name, says in steps:
            fine = verdict == "passed" or (verdict == "INCOMPLETE" and name in ("explorer", "races"))
            result(f"prove.{name.replace(' ', '-')}", fine, f"{verdict}: {says}")
        named = {name.split()[0] for _, name, _ in steps}
        result("prove.all-steps", named == {"explorer", "races", "host", "mutants", "litmus", "migration"}, f"{named}; {text[-300:]}")


main(body)
