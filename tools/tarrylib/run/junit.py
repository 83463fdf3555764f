"""JUnit XML from test results: what CI servers show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from .ktap import FAIL, SKIP, Test, count

# XML 1.0 has no place for most control characters, not even escaped.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass
class Suite:
    name: str
    seconds: float
    tests: list[Test]


def _case(suite: Suite, test: Test) -> str:
    head = f"<testcase classname={quoteattr(suite.name)} name={quoteattr(test.name)}"
    why = _ILLEGAL.sub("?", test.why)
    if test.verdict == FAIL:
        first = why.splitlines()[0] if why else "failed"
        return f"{head}><failure message={quoteattr(first)}>{escape(why)}</failure></testcase>"
    if test.verdict == SKIP:
        return f"{head}><skipped message={quoteattr(why)}/></testcase>"
    return head + "/>"


def write(path: Path, suites: list[Suite]) -> None:
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for suite in suites:
        _, failed, skipped = count(suite.tests)
        out.append(f'<testsuite name={quoteattr(suite.name)} tests="{len(suite.tests)}" '
                   f'failures="{failed}" errors="0" skipped="{skipped}" '
                   f'time="{suite.seconds:.3f}">')
        out += [_case(suite, test) for test in suite.tests]
        out.append("</testsuite>")
    out.append("</testsuites>")
    path.write_text("\n".join(out) + "\n", encoding="utf-8")
