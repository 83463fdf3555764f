"""The variables of make, and which goals read them: make itself ignores what nobody reads, misspelt names as well."""

from __future__ import annotations

from collections.abc import Iterator

from .settings import ARCH_ONLY, DEFAULTS, nearest

BUILD = {"ARCH", "BUILD", "SETUP", "SETUP_WAIT", "V", "ORACLE", "GENERATION_BITS", "LWIP", "EXTRA_CFLAGS", "PYTHON", "HOSTCC", "WARNINGS", "CROSS", "CC", "LD",
         "NM", "OBJCOPY", "OBJDUMP", "SHELL", "VERSION", "VERSION_SRC", "BUILD_ID", "CURDIR"}
BOOT = set(DEFAULTS) - BUILD

# What a goal reads besides BUILD; goals that are not here read nothing else.
GOALS: dict[str, set[str]] = {
    "run": BOOT - {"TIMEOUT"}, "exec": BOOT | {"HOST"}, "bench": BOOT - {"CMD"} | {"CFG", "ONLY"},
    "test": {"ARCHES", "CASES"}, "test-all": {"ARCHES", "CASES"}, "check": {"ARCHES"},
    "mutants": {"ARCHES", "KIND", "SAMPLE", "SEED"},
    "explore": {"SCHEME", "ORDERINGS", "SEED"}, "prove": {"SCHEME", "ORDERINGS", "SEED", "ARCHES"},
    "planted": {"ONLY"}, "figures": {"CASES"}, "topology": {"FROM"},
}
# What is in BUILD, and a goal does not read all the same: programs of the host are of no architecture, have no oracle,
# and generations of 10 bits.
HOST = {"ARCH", "ORACLE", "GENERATION_BITS", "LWIP"}
UNREAD = dict.fromkeys(("host", "test-host", "explore", "topology", "format"), HOST) | {"planted": {"ARCH"}, "figures": {"ARCH"}}
ALL = BUILD.union(*GOALS.values())


def _reads(goal: str) -> set[str]:
    own = GOALS.get(goal, set())
    return own | BUILD - UNREAD.get(goal, {"ARCH"} if "ARCHES" in own else set())


def _instead(name: str, goals: list[str]) -> str:
    if name == "ARCH" and any("ARCHES" in GOALS.get(goal, ()) for goal in goals):
        return "ARCHES is what it reads"
    if name in HOST:
        return "what that makes does not depend on it"
    if name == "CMD" and "bench" in goals:
        return "CFG=file says what to measure"
    return "these do: " + " ".join(sorted(goal for goal, names in GOALS.items() if name in names))


def refused(goals: list[str], arch: str, given: list[str]) -> Iterator[str]:
    """One line for each variable that these goals, on this architecture, would ignore."""
    read = set().union(*map(_reads, goals))
    for name in given:
        if name not in ALL:
            meant = nearest(name, read) or nearest(name, ALL)
            yield f"{name}: no such variable" + (f"; {meant}?" if meant else "") + " (make help lists them)"
        elif name not in read:
            yield f"{name}: make {' '.join(goals)} does not read it; {_instead(name, goals)}"
        elif name in ARCH_ONLY and arch != ARCH_ONLY[name]:
            yield f"{name}: only {ARCH_ONLY[name]} has it, this is ARCH={arch}"
