"""Pictures of a run, where matplotlib is installed; a report without them is complete too."""

from __future__ import annotations

from pathlib import Path

from . import summary
from .results import Boot, Results

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None

AVAILABLE = pyplot is not None


def _save(figure, folder: Path, name: str) -> str:
    """Write both forms; the name of the SVG."""
    figure.tight_layout()
    for suffix in ("svg", "png"):
        undated = {"Date": None} if suffix == "svg" else None
        figure.savefig(folder / f"{name}.{suffix}", metadata=undated)
    pyplot.close(figure)
    return f"{name}.svg"


def _caption(group: list[dict]) -> str:
    return "(emulated, not hardware)" if all(r.get("accel") == "tcg" for r in group) else ""


def _phases(folder: Path, boot: Boot, group: list[dict]) -> str:
    """Where the time or the path of a page went, a bar per scheme, a colour per phase."""
    names = [summary.label(r) for r in group]
    what = summary.unit(group[0])
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.5 * len(names)))
    left = [0.0] * len(names)
    for phase in summary.PHASES:
        widths = [summary.phases(r)[phase] or 0.0 for r in group]
        axes.barh(names, widths, left=left, label=phase)
        left = [a + b for a, b in zip(left, widths)]
    axes.invert_yaxis()
    axes.set_xlabel(f"{what} per 4 KiB page")
    axes.set_title(f"{boot.name}: {what} per page by phase {_caption(group)}".rstrip())
    axes.legend(fontsize="small")
    return _save(figure, folder, f"{boot.name}-phases")


def _interrupts(folder: Path, boot: Boot, group: list[dict]) -> str:
    """Interrupts (and completed broadcasts) per page, on a scale where 1000 to 1 can be seen."""
    names = [summary.label(r) for r in group]
    values = [summary.orders_per_page(r) or 0.0 for r in group]
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.4 * len(names)))
    axes.barh(names, values)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=1e-4)
    for i, value in enumerate(values):
        axes.annotate(f" {value:.4f}", (value, i), va="center", fontsize="small")
    axes.set_xlabel("shootdown interrupts per migrated page")
    axes.set_title(f"{boot.name}: interrupts per page")
    return _save(figure, folder, f"{boot.name}-ipis")


def draw(results: Results) -> dict[str, list[str]]:
    """Draw what the records allow; file names by boot."""
    out: dict[str, list[str]] = {}
    if not AVAILABLE:
        return out
    for boot in results.boots:
        group = [r for r in boot.records if summary.is_comparison(r)]
        timed = [r for r in group if summary.scale(r) and summary.flush_share(r) is not None]
        if any(summary.orders_per_page(r) for r in group):
            out.setdefault(boot.name, []).append(_interrupts(results.folder, boot, group))
        if timed:
            out.setdefault(boot.name, []).append(_phases(results.folder, boot, timed))
    return out
