#!/usr/bin/env python3
"""Documents show what tests/figures.json has, and a figure that has changed, either way, is noticed."""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/scripts"))
import common  # noqa: E402
import figures as renewal  # noqa: E402
from common import figures, result  # noqa: E402

DATA: figures.Figures = {"x86_64": {"path.a": 100.0, "none": 0}, "samples": {"s": ["$ cmd", "", "pages 100  -1.5 %"]}}
DOCUMENT = """99<!-- x86_64.path.a:.0f -->, +7.00 %<!-- x86_64.path.a:+.2f -->
<!-- figures:
| {x86_64.path.a:,.1f} |
-->
| 7 |
<!-- figures: end -->
<!-- sample: s -->
<!-- sample: end -->
"""
FILLED = """100<!-- x86_64.path.a:.0f -->, +100.00 %<!-- x86_64.path.a:+.2f -->
<!-- figures:
| {x86_64.path.a:,.1f} |
-->
| 100.0 |
<!-- figures: end -->
<!-- sample: s -->

    $ cmd

    pages 100  -1.5 %

<!-- sample: end -->
"""


def equal(name: str, got: object, expected: object) -> None:
    result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def documents() -> None:
    data = figures.read(ROOT)
    for name in figures.DOCUMENTS:
        text = (ROOT / name).read_text("utf-8")
        try:
            filled, why = figures.fill(text, data), ""
        except figures.Unknown as error:
            filled, why = "", str(error)
        wrong = [a for a, b in zip(text.splitlines(), filled.splitlines()) if a != b][:1]
        result(f"document.{name}", text == filled, why or f"{wrong or 'more or fewer lines'}; {figures.RENEW}"
                   if text != filled else "")
        result(f"document.{name}.shows-some", bool(re.search("<!-- (figures:|sample:|x86_64|arm64)", text)), "no marker in it")


def filling() -> None:
    equal("fill", figures.fill(DOCUMENT, DATA), FILLED)
    equal("fill.twice", figures.fill(FILLED, DATA), FILLED)
    for name, text in {"figure": "1<!-- x86_64.path.b:.0f -->", "format": "1<!-- x86_64.path.a:s -->",
                       "sample": DOCUMENT.replace("sample: s", "sample: t")}.items():
        try:
            figures.fill(text, DATA)
            result(f"fill.unknown-{name}", False, "accepted")
        except figures.Unknown as error:
            result(f"fill.unknown-{name}", True, str(error))


def keeping() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, figures.FILE)
        path.parent.mkdir()
        figures.write(Path(folder), {"b": {"y": 1.5}, "a": {"×": 2}})
        equal("file.read-back", figures.read(Path(folder)), {"a": {"×": 2}, "b": {"y": 1.5}})
        equal("file.text", path.read_text("utf-8"), '{\n "a": {\n  "×": 2\n },\n "b": {\n  "y": 1.5\n }\n}\n')


def rounding() -> None:
    for value, kept in {0.0: 0.0, 1234.56789: 1234.5679, -99.80469: -99.8047, 0.00294921: 0.002949, -0.00012346: -0.0001235,
                        0.5: 0.5}.items():
        equal(f"rounded.{value}", figures.rounded(value), kept)


def samples() -> None:
    old = DATA["samples"]["s"]
    equal("sample.same", figures.differs(old, old), "")
    equal("sample.within", figures.differs(["$ cmd", "", "pages   102 -1.5 %"], old), "")
    for name, last in {"number": "pages 104  -1.5 %", "sign": "pages 100  +1.5 %", "word": "pags 100  -1.5 %"}.items():
        result(f"sample.{name}", bool(figures.differs([*old[:-1], last], old)), last)
    result("sample.shorter", bool(figures.differs(old[:-1], old)), "a line less")


def verdict(name: str, value: float, most: float | None = None) -> bool:
    """What a script's held() says."""
    said: list[bool] = []
    common.result = lambda name, ok, why="": said.append(ok)
    common.held(name, value, most)
    return said == [True]


def holding() -> None:
    sys.argv[1:] = ["ARCH=x86_64"]
    common.figures.read = lambda root: DATA
    common.RENEWAL = None
    for name, value, ok in (("same", 100.0, True), ("within", 102.9, True), ("longer", 103.1, False),
                            ("doubled", 200.0, False), ("within-below", 97.1, True), ("shorter", 96.9, False)):
        equal(f"held.{name}", verdict("path.a", value), ok)
    equal("held.most", verdict("path.a", 100.0, 99.0), False)
    equal("held.nothing-stays-nothing", (verdict("none", 0), verdict("none", 0.001)), (True, False))
    equal("held.unknown", verdict("path.b", 1.0), False)
    common.RENEWAL = "folder"
    equal("held.renewal", (verdict("path.a", 200.0), verdict("path.a", 200.0, 199.0)), (True, True))
    for name, several, note, value, new in (("one-cpu", False, False, 100.5, 100.5), ("several", True, False, 102.9, 100.0),
                                            ("several-changed", True, False, 103.1, 103.1), ("noted", True, True, 81.0, 100.0),
                                            ("noted-changed", True, True, 79.0, 79.0), ("unknown", True, True, 7.0, 7.0)):
        common._several, common._taken = several, {}
        figure = "path.b" if name == "unknown" else "path.a"
        (common.noted if note else common.held)(figure, value)
        equal(f"renewed.{name}", (common._taken["x86_64"][figure], f"x86_64.{figure}" in common._taken.get("noted", {})), (new, note))
    for name, factor, value, new in (("exact", None, 81.0, 81.0), ("clock", 2.0, 51.0, 100.0), ("clock-changed", 2.0, 49.0, 49.0)):
        common._several, common._taken = False, {}
        common.noted("path.a", value, factor)
        equal(f"noted.{name}", common._taken["x86_64"]["path.a"], new)
    old = DATA["samples"]["s"]
    for name, several, lines, new in (("one-cpu", False, ["$ cmd", "", "pages 101  -1.5 %"], None), ("several", True, ["$ cmd", "", "pages 101  -1.5 %"], old),
                                      ("several-changed", True, ["$ cmd", "", "pages 104  -1.5 %"], None)):
        common._several = several
        common.held_sample("s", lines)
        equal(f"renewed.sample.{name}", common._taken["samples"]["s"], new or lines)
    common.RENEWAL, common.result, common._taken, common._several = None, result, {}, False


def renewing() -> None:
    for name, new, old, kept in (("within", 1.2, 1.0, 1.0), ("below", 0.8, 1.0, 1.0), ("more", 1.26, 1.0, 1.26), ("less", 0.79, 1.0, 0.79),
                                 ("negative", -1.2, -1.0, -1.0), ("negative-more", -1.3, -1.0, -1.3), ("sign", -1.0, 1.0, -1.0),
                                 ("from-nothing", 0.1, 0, 0.1), ("to-nothing", 0, 0.1, 0), ("nothing", 0, 0, 0), ("none", 2.0, None, 2.0)):
        equal(f"kept.{name}", figures.kept(new, old, 1.25), kept)
    equal("named", figures.named(DOCUMENT), {"x86_64.path.a"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "document.md")
        path.write_text(DOCUMENT, "utf-8")
        documents_of, figures.DOCUMENTS = figures.DOCUMENTS, (str(path),)
        found = {"x86_64": {"path.a": 1.0, "held": 2.0, "idle": 3.0}, "noted": {"x86_64.path.a": 1.25, "x86_64.idle": 1.25}}
        equal("idle-left-out", renewal.without_unnamed(found), {"x86_64": {"path.a": 1.0, "held": 2.0}})
        figures.DOCUMENTS = documents_of


def body() -> None:
    documents()
    filling()
    keeping()
    rounding()
    samples()
    holding()
    renewing()


common.main(body)
