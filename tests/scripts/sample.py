#!/usr/bin/env python3
"""What README.md shows of a console, boot by boot."""

from common import Missing, boot, held_sample, main, settings

MIGRATE = "bench migrate --threads 3 --schemes baseline,batch,like-linux-6.12"
PATH = "bench migrate --threads 0 --schemes baseline,batch"

# name: (settings, command, first words of the paragraphs and lines that are shown)
SAMPLES = {
    "counts": ({"SMP": 4, "NODES": 2, "DET": 1}, MIGRATE, ("migrate:", "flushes ", "stale reads:")),
    "path": ({"SMP": 1, "NODES": 2, "DET": 1}, PATH, ("instructions/page ", "of it, medians")),
}


def shown(text: str, starts: tuple[str, ...]) -> list[str]:
    """Of each start the lines up to an empty one, or to one that tells of something else."""
    lines, out = text.splitlines(), []
    for start in starts:
        at = next((n for n, line in enumerate(lines) if line.startswith(start)), None)
        if at is None:
            raise Missing(f"no line begins with {start!r}")
        end = next(n for n in range(at + 1, len(lines)) if not lines[n] or ":" in lines[n])
        out += [""] * bool(out) + lines[at:end]
    return out


def body() -> None:
    for name, (values, command, starts) in SAMPLES.items():
        words = " ".join(f"{key}={value}" for key, value in values.items())
        text = boot(command, **values).text
        held_sample(name, [f"$ make -s exec {words} CMD='{command}'", "", *shown(text, starts)])


main(body)
