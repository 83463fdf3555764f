"""The rooms of tools/tarrylib: who may import whom. Dependencies point one way, so that each room reads alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .circles import Graph, circles

FOLDER = Path(__file__).resolve().parent.parent

# Each room, and the others that it may know. Programs (tools/*.py) may know all rooms; no room knows a program.
ROOMS: dict[str, set[str]] = {"run": set(), "report": {"run"}, "prove": set()}


def load() -> dict[str, str]:
    """The modules by their names below tools/tarrylib."""
    return {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8")
            for path in sorted(FOLDER.rglob("*.py")) if path != FOLDER / "__init__.py"}


def imported(name: str, code: str) -> Iterator[str]:
    """What a module imports, dotted; within tarrylib without that word, so that a room comes first."""
    package = name.split("/")[:-1]
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("tarrylib.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[:len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part).removeprefix("tarrylib.")
            yield from (f"{module}.{alias.name}".removeprefix(".") for alias in node.names)


def check(texts: dict[str, str]) -> Iterator[str]:
    """One line per module outside the rooms, per import that ROOMS does not allow, and per circle of modules."""
    programs = {path.stem for path in FOLDER.parent.glob("*.py")} - ROOMS.keys()
    graph: Graph = {}
    for name, code in texts.items():
        room = name.split("/")[0]
        if room not in ROOMS:
            yield f"tools/tarrylib/{name}:1: in no room (ROOMS in tools/tarrylib/prove/rooms.py)"
            continue
        for what in imported(name, code):
            words = what.split(".")
            if words[0] in programs | ROOMS.keys() - {room} - ROOMS[room]:
                yield f"tools/tarrylib/{name}:1: may not import {what}"
            graph.setdefault(name, set()).update({f"{'/'.join(words[:n])}.py" for n in (2, 3)} & texts.keys())
    for circle in circles(graph):
        yield f"tools/tarrylib/{circle[0]}:1: in a circle with {' '.join(circle[1:])}"
