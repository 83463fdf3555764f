"""The variables of make, and which goals read them: make itself ignores what nobody reads, misspelt names as well."""

from __future__ import annotations

from collections.abc import Iterator

from .settings import ARCH_ONLY, DEFAULTS, nearest

BUILD = {"ARCH", "BUILD", "SETUP", "SETUP_WAIT", "V", "ORACLE", "EXTRA_CFLAGS", "PYTHON", "HOSTCC", "WARNINGS", "CROSS", "CC", "LD",
         "NM", "OBJCOPY", "OBJDUMP", "SHELL", "VERSION", "VERSION_SRC", "BUILD_ID", "CURDIR"}
BOOT = set(DEFAULTS) - BUILD

# What a goal reads besides BUILD; goals that are not here read nothing else.
GOALS: dict[str, set[str]] = {
    "run": BOOT, "exec": BOOT, "iso": BOOT, "bench": BOOT - {"CMD"} | {"CFG", "ONLY"},
    "test": {"ARCHES", "CASES"}, "test-all": {"ARCHES", "CASES"}, "check": {"ARCHES"},
    "mutants": {"ARCHES", "KIND", "SAMPLE", "SEED"},
    "explore": {"SCHEME", "ORDERINGS", "SEED"}, "prove": {"SCHEME", "ORDERINGS", "SEED", "ARCHES"},
    "planted": {"ONLY"}, "figures": {"CASES"}, "topology": {"FROM"},
}
ALL = BUILD.union(*GOALS.values())


def _instead(name: str, goals: list[str]) -> str:
    if name == "ARCH":
        return "ARCHES is what it reads"
    if name == "CMD" and "bench" in goals:
        return "CFG=file says what to measure"
    return "these do: " + " ".join(sorted(goal for goal, names in GOALS.items() if name in names))


def refused(goals: list[str], arch: str, given: list[str]) -> Iterator[str]:
    """One line for each variable that these goals, on this architecture, would ignore."""
    read = BUILD.union(*(GOALS.get(goal, set()) for goal in goals))
    if all("ARCHES" in GOALS.get(goal, ()) for goal in goals):
        read = read - {"ARCH"}
    for name in given:
        if name not in ALL:
            meant = nearest(name, read) or nearest(name, ALL)
            yield f"{name}: no such variable" + (f"; {meant}?" if meant else "") + " (make help lists them)"
        elif name not in read:
            yield f"{name}: make {' '.join(goals)} does not read it; {_instead(name, goals)}"
        elif name in ARCH_ONLY and arch != ARCH_ONLY[name]:
            yield f"{name}: only {ARCH_ONLY[name]} has it, this is ARCH={arch}"
