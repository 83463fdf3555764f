#!/usr/bin/env python3
"""Reads a CSV file of will-it-scale, and knows nothing but that format: what runtest.py writes, and postprocess.py and plot.js read.

Usage: read_will_it_scale.py FILE      prints "TASKS PROCESSES THREADS LINEAR" for each row
Exit status 1 and the line if something is not as that program writes it.
"""

import csv
import re
import sys

COLUMNS = ["tasks", "processes", "processes_idle", "threads", "threads_idle", "linear"]
FIRST = ["0", "0", "100", "0", "100", "0"]
WHOLE, SHARE = re.compile(r"-1|\d+"), re.compile(r"\d+\.\d\d")  # %d, where -1 is a run that failed; %0.2f


def read(path: str) -> list[tuple[int, int, int, int]]:
    with open(path, newline="", encoding="ascii") as file:
        rows = list(csv.reader(file, dialect="excel"))
    if len(rows) < 3 or rows[0] != COLUMNS or rows[1] != FIRST:
        raise ValueError(f"begins {rows[:2]}")
    out: list[tuple[int, int, int, int]] = []
    for row in rows[2:]:
        good = len(row) == 6 and all(WHOLE.fullmatch(row[i]) for i in (0, 1, 3, 5)) and all(SHARE.fullmatch(row[i]) for i in (2, 4))
        if not good or not all(0 <= float(row[i]) <= 100 for i in (2, 4)):
            raise ValueError(f"row {row}")
        tasks, processes, threads, linear = (int(row[i]) for i in (0, 1, 3, 5))
        one = out[0][3] if out else max(processes, threads)
        if tasks < 1 or (out and tasks <= out[-1][0]) or (not out and tasks != 1) or linear != one * tasks:
            raise ValueError(f"row {row}: tasks from 1 up, linear {one} times their number")
        out.append((tasks, processes, threads, linear))
    return out


def main() -> int:
    try:
        for row in read(sys.argv[1]):
            print(*row)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
