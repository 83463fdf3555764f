"""A table with notes, and its three looks: text, Markdown, HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

NOT_AVAILABLE = "n/a"  # not measured, or not to be shown
NOTHING = "-"  # nothing to compare with
RATIO_FROM = 10  # a percentage of four digits tells nobody anything


@dataclass
class Table:
    title: str
    header: list[str]
    rows: list[list[str]]  # the first column is a name, the others are figures
    notes: list[str] = field(default_factory=list)

    def widths(self) -> list[int]:
        return [max(len(row[i]) for row in [self.header, *self.rows])
                for i in range(len(self.header))]

    def _line(self, row: list[str], widths: list[int], gap: str) -> str:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        return gap.join(cells).rstrip()

    def text(self) -> str:
        widths = self.widths()
        lines = [self.title, self._line(self.header, widths, "  ")]
        lines += [self._line(row, widths, "  ") for row in self.rows]
        return "\n".join(lines + [f"  {note}" for note in self.notes]) + "\n"

    def markdown(self) -> str:
        widths = self.widths()
        rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
        lines = [f"### {self.title}", ""]
        lines += [f"| {self._line(row, widths, ' | ').ljust(sum(widths) + 3 * len(widths) - 3)} |"
                  for row in [self.header, rule, *self.rows]]
        lines += [""] + [f"- {note}" for note in self.notes] + ([""] if self.notes else [])
        return "\n".join(lines)

    def html(self) -> str:
        def row(cells: list[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"
        lines = [f"<h3>{escape(self.title)}</h3>", "<table>", row(self.header, "th")]
        lines += [row(cells, "td") for cells in self.rows] + ["</table>"]
        lines += ["<ul>"] + [f"<li>{escape(note)}</li>" for note in self.notes] + ["</ul>"]
        return "\n".join(lines) + "\n"


def number(value: float | int | None, digits: int = 0) -> str:
    """1234567 -> "1,234,567"; None -> "n/a"."""
    return NOT_AVAILABLE if value is None else f"{value:,.{digits}f}"


def change(value: float | None, reference: float | None) -> str:
    """How value differs from reference: "-99.8 %"; from ten times on the ratio, "×512.0". samples_change() of the
    kernel writes the same."""
    if value is None:
        return NOT_AVAILABLE
    if not reference:
        return NOTHING
    if value >= RATIO_FROM * reference:
        return f"\u00d7{value / reference:,.1f}"
    percent = round(100 * (value / reference - 1), 1)
    return f"{percent:+.1f} %" if percent else "0.0 %"
