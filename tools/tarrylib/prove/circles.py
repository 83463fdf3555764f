"""Files that depend on each other in a circle: headers by #include, sources by the functions they name.

What a port offers through the contract (arch/include/arch/) is not a dependence on the port's files:
the contract stands between. A function that is defined inline in a header counts as what it names
itself. Tests are left out: nothing depends on them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Protocol

Graph = dict[str, set[str]]

# Patterns of files that are one subsystem and may depend on each other.
SUBSYSTEMS: dict[str, list[str]] = {
    "waiting": [f"kernel/core/{name}.c" for name in (
        "context", "smp", "smp_call", "spinlock", "rwlock", "wait", "watchdog")],
    "shootdowns": ["mm/tlb*.c", "mm/context.c", "mm/oracle*.c"],
    "modelled machine": ["arch/fake/*.c"],
}

# Circles that are to go. Each must shrink: one that is gone is an offence until its line goes, too.
TO_DISSOLVE: list[list[str]] = []

BENCH = "kernel/bench/"  # where the paths of its rooms begin: <harness/run.h>
CONTRACT = "arch/include/arch/"
PORT = r"arch/(?!include/)(\w+)/|boot/(x86_64|arm64)/"
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
NAME = re.compile(r"(?<![.\w])(?<!->)[A-Za-z_]\w*")  # not of a member
PARAMETERS = r"\((?:[^;{}()]|\([^()]*\))*\)"
FUNCTION = re.compile(rf"^(static )?(?!typedef|static)[A-Za-z_][\w \t*]*?\b(\w+){PARAMETERS}[\w\s]*?\n\{{(.*?)^\}}",
                      re.MULTILINE | re.DOTALL)


class File(Protocol):
    """A source file: tools/check.py has more of it."""
    name: str
    text: str
    code: str


def names(code: str) -> set[str]:
    """What code names, but for members and the files that it includes."""
    return set(NAME.findall(INCLUDE.sub("", code)))


def port_of(name: str) -> str:
    """The port that a file belongs to, "" for neutral code."""
    match = re.match(PORT, name)
    return (match[1] or match[2]) if match else ""


def includes(files: list[File]) -> Graph:
    """Header to header. <asm/x.h> completes <arch/x.h>: the two are one."""
    def unit(name: str) -> str:
        whole = CONTRACT + PurePath(name).name
        return whole if "/include/asm/" in name and whole in all_names else name

    all_names = {f.name for f in files}
    by_path: dict[str, list[str]] = {}
    for name in all_names:
        _, inside, path = name.rpartition("/include/")
        for key in {path.removeprefix("override/")} if inside else {name, name.removeprefix(BENCH)}:
            by_path.setdefault(key, []).append(name)
    graph: Graph = {}
    for file in files:
        for path in INCLUDE.findall(file.text):
            found = by_path.get(path, []) + by_path.get(str(PurePath(file.name).parent / path), [])
            graph.setdefault(unit(file.name), set()).update(unit(name) for name in found)
    return {a: bs - {a} for a, bs in graph.items()}


def calls(files: list[File]) -> Graph:
    """Source to source."""
    where: dict[str, set[str]] = {}  # function: files that define it, in each port or none
    inline: dict[str, set[str]] = {}  # function of a header: what its body names
    own: dict[str, set[str]] = {}  # file: its static functions
    contract: set[str] = set()
    for file in files:
        if file.name.startswith(CONTRACT):
            contract.update(re.findall(r"\b(\w+)\(", file.code))
        for static, function, body in FUNCTION.findall(file.code):
            if file.name.endswith(".h"):
                inline.setdefault(function, set()).update(names(body))
            elif static:
                own.setdefault(file.name, set()).add(function)
            else:
                where.setdefault(function, set()).add(file.name)

    def named(file: File) -> set[str]:
        todo, seen = names(file.code) - own.get(file.name, set()), set()
        while todo:
            seen |= todo
            todo = {word for name in todo for word in inline.get(name, ())} - seen
        return seen

    def targets(file: File, function: str) -> set[str]:
        port = port_of(file.name)
        found = where.get(function, set())
        if port:
            here = {name for name in found if port_of(name) == port}
            return here or {name for name in found if not port_of(name)}
        return {name for name in found if not port_of(name)}

    return {file.name: {name for function in named(file) & where.keys()
                        for name in targets(file, function)} - {file.name}
            for file in files if file.name.endswith(".c")}


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected parts of more than one node, by Tarjan's algorithm, each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            part = stack[at:]
            del stack[at:]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def fits(circle: Iterable[str], patterns: list[str]) -> bool:
    return all(any(fnmatch.fnmatch(name, pattern) for pattern in patterns) for name in circle)


def check(files: list[File], subsystems: dict[str, list[str]] | None = None,
          to_dissolve: list[list[str]] | None = None) -> Iterator[str]:
    """One line per circle that no list allows, and per line of the lists that allows more than there is."""
    subsystems = SUBSYSTEMS if subsystems is None else subsystems
    to_dissolve = TO_DISSOLVE if to_dissolve is None else to_dissolve
    files = [f for f in files if not f.name.startswith(("tests/", "tools/"))]
    found = circles(includes(files)) + circles(calls(files))
    for circle in found:
        if not any(fits(circle, patterns) for patterns in [*subsystems.values(), *to_dissolve]):
            yield f"{circle[0]}:1: in a circle with {' '.join(circle[1:])}"
    here = "tools/tarrylib/prove/circles.py"
    for name, patterns in subsystems.items():
        if not any(fits(circle, patterns) for circle in found):
            yield f"{here}: subsystem {name!r}: no circle any more: take it out"
    for patterns in to_dissolve:
        left = {name for circle in found if fits(circle, patterns) for name in circle}
        if gone := [pattern for pattern in patterns if pattern not in left]:
            yield f"{here}: {' '.join(gone)}: in no circle of TO_DISSOLVE any more: take it off"
