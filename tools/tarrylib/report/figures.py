"""The figures that tests hold and documents show: one file, and how a document names what is in it.

tests/figures.json has a section of figures per architecture, by name, and "samples": what a console shows, line by
line. A document shows a figure in one of three ways; `make figures` writes what comes from the file:

    68,426<!-- x86_64.victims.longest_wait:,.0f -->     the number in front of it, as the format says
    <!-- figures:                                       what stands between the two comments: the lines of
    | `batch` | {x86_64.path.batch.copy:.0f} |          the first one, with each {name:format} filled in
    -->
    <!-- figures: end -->
    <!-- sample: NAME -->                               the lines of a sample, indented
    <!-- sample: end -->
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

FILE = "tests/figures.json"
DOCUMENTS = ("README.md", "docs/design.md", "docs/performance.md")
RENEW = "renew the figures with `make figures`"

# Percent by which a figure may differ, either way. A change of the code by a few instructions should not need a
# renewal; twice the path, or one that a document no longer describes, must.
TOLERANCE = 3.0

# Where several CPUs run, equal runs differ: the emulator resizes its own TLB by the host's clock, and with it who meets
# whom. A new figure of such a run takes the place of the one that is kept only if it is further from it than equal runs
# are from each other: TOLERANCE for what is held, this factor for what is only noted.
MET = 1.25

NAME = r"(\w+)\.([\w.+-]+):([^\s{}]*)"
INLINE = re.compile(rf"[+−-]?\d[\d,.]*(?= ?%?<!-- {NAME} -->)")
BLOCK = re.compile(r"(^<!-- figures:\n(.*?)^-->\n).*?(^<!-- figures: end -->$)", re.MULTILINE | re.DOTALL)
FIELD = re.compile(rf"\{{{NAME}\}}")
SAMPLE = re.compile(r"(^<!-- sample: (\S+) -->\n).*?(^<!-- sample: end -->$)", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")

DECIMALS = 4
DIGITS = 4  # at least: or a rate of 0.0029 would move by 3 % with its last digit

Figures = dict[str, dict]


class Unknown(Exception):
    """A document names what the file does not have."""


def read(root: Path) -> Figures:
    return json.loads((root / FILE).read_text("utf-8"))


def write(root: Path, figures: Figures) -> None:
    text = json.dumps(figures, indent=1, sort_keys=True, ensure_ascii=False)
    (root / FILE).write_text(text + "\n", "utf-8")


def rounded(value: float) -> float:
    """As the file keeps it."""
    digits_before = math.floor(math.log10(abs(value))) + 1 if value else 0
    return round(value, max(DECIMALS, DIGITS - digits_before))


def apart(new: float, old: float) -> float:
    """By how many percent new differs from old; what was nothing must stay nothing."""
    if new == old:
        return 0.0
    return 100 * (new - old) / abs(old) if old else float("inf")


def kept(new: float, old: float | None, factor: float) -> float:
    """The old figure, unless the new one has another sign or is more than so many times as much or as little."""
    if old is None or new * old <= 0:
        return new
    few, many = sorted((abs(new), abs(old)))
    return old if many <= factor * few else new


def named(text: str) -> set[str]:
    """The figures that a document names, as section.name."""
    return {f"{match[1]}.{match[2]}" for form in (rf"\{{{NAME}\}}", rf"<!-- {NAME} -->") for match in re.finditer(form, text)}


def shown(figures: Figures, section: str, name: str, form: str) -> str:
    try:
        return format(figures[section][name], form).replace("-", "−")
    except (KeyError, ValueError) as error:
        raise Unknown(f"{section}.{name}:{form}: {FILE} has no such figure, or not in that form ({error})") from error


def fill(text: str, figures: Figures) -> str:
    """The document as it should be. Raises Unknown."""
    def sample(match: re.Match) -> str:
        lines = figures.get("samples", {}).get(match[2])
        if lines is None:
            raise Unknown(f"{FILE} has no sample {match[2]}")
        return match[1] + "\n" + "".join(f"    {line}".rstrip() + "\n" for line in lines) + "\n" + match[3]

    def block(match: re.Match) -> str:
        return match[1] + FIELD.sub(lambda field: shown(figures, *field.groups()), match[2]) + match[3]

    text = BLOCK.sub(block, SAMPLE.sub(sample, text))
    return INLINE.sub(lambda match: shown(figures, *match.groups()), text)


def differs(new: list[str], old: list[str]) -> str:
    """Where a sample is not what it was: other words, or a number beyond the tolerance. "" if nowhere."""
    for number, (a, b) in enumerate(zip(new, old), 1):
        pairs = list(zip(NUMBER.findall(a), NUMBER.findall(b)))
        words = [re.sub(r"[ -]+", " ", NUMBER.sub("#", line)) for line in (a, b)]
        if words[0] != words[1] or any(abs(apart(float(x), float(y))) > TOLERANCE for x, y in pairs):
            return f"line {number} is {a!r}, was {b!r}"
    return "" if len(new) == len(old) else f"{len(new)} lines, were {len(old)}"
