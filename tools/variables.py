#!/usr/bin/env python3
"""Say which variables of make's command line would be ignored. Called by the Makefile.

Usage: tools/variables.py ARCH 'GOAL ..' VARIABLE..
Prints what is wrong, in one line, or nothing. Exit status 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from tarrylib.run import variables  # noqa: E402

if __name__ == "__main__":
    print("; ".join(variables.refused(sys.argv[2].split(), sys.argv[1], sys.argv[3:])))
