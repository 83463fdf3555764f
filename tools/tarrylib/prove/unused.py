"""Functions of the kernel that nobody in the kernel refers to, and those that only their own file does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

# The name of a function that is declared or defined at the beginning of a line.
HEAD = re.compile(r"^(?!#|typedef|extern)(?:[\w*]+(?:\(\w+(?:,\s*\w+)*\))?[\s*]+)+?\**(\w+)\(", re.MULTILINE)
BODY = re.compile(r"\([^;{]*\)[^;{=]*\n?\{")  # what follows the name of a definition

# What only tests call, and why it is there.
OFFERED = {
    "what another kind of object or mapping uses": ("object_empty", "tlb_flush_kernel"),
    "files, for workloads that use them": (
        "file_close", "file_invalidate", "file_truncate", "memory_store_change", "pattern_store_step"),
    "steps of migration and of hints for one page or range": ("hint_mark",),
    "what other drivers of the console use": ("console_remove_poll",),
    "what tests in the kernel look at or run": ("alarm_is_set", "bench_quietly"),
}

# What no source of the project calls.
OUTSIDE = {"what lwIP calls (kernel/net/port.c)": ("atoi", "port_take_segment", "sys_now")}


def _isa(name: str) -> str:
    return next((isa for isa in ("x86_64", "arm64") if f"/{isa}/" in name), "")


def check(sources: list, offers: dict[str, tuple[str, ...]] = OFFERED) -> Iterator[str]:
    """One line per function without a caller. A port's function is called by neutral code or by that port."""
    referred: dict[str, set[str]] = defaultdict(set)  # name: files
    defined: dict[tuple[str, str], tuple[str, int, bool]] = {}  # (ISA, name): file, line, is it to be seen outside
    by_tests: set[str] = set()
    for source in sources:
        if source.is_in("tools/", "arch/fake/"):
            continue
        heads = {match.start(1): match[1] for match in HEAD.finditer(source.code)}
        words = {match[0] for match in re.finditer(r"\b[a-zA-Z_]\w*\b", source.code) if match.start() not in heads}
        if source.is_in("tests/") and not source.is_in("tests/litmus/"):  # the litmus tests are a part of the product
            by_tests |= words
            continue
        for word in words:
            referred[word].add(source.name)
        for at, name in heads.items():
            if source.path.suffix in (".c", ".h") and BODY.match(source.code, at + len(name)):
                line = source.code[source.code.rfind("\n", 0, at) + 1:at]
                seen = source.path.suffix == ".c" and "static" not in line.split()
                defined[_isa(source.name), name] = (source.name, source.code.count("\n", 0, at) + 1, seen)
    offered = {name for names in offers.values() for name in names}
    outside = {name for names in OUTSIDE.values() for name in names}
    for (isa, name), (file, line, seen) in sorted(defined.items(), key=lambda item: item[1]):
        callers = {f for f in referred[name] if not isa or _isa(f) in ("", isa)}
        for_tests = name in offered or (name.startswith("ktest_") and name in by_tests)  # ktest runs the tests
        if name in outside:
            continue
        if not callers and not for_tests:
            yield f"{file}:{line}: {name}(): nobody in the kernel refers to it{', only tests' * (name in by_tests)}"
        elif seen and callers == {file} and name not in by_tests:
            yield f"{file}:{line}: {name}(): only this file refers to it: static"
    for name in sorted(offered):
        homes = [isa for isa, other in defined if other == name]
        if not homes or referred[name] or name not in by_tests:
            yield f"tools/tarrylib/prove/unused.py: {name}: in OFFERED, but not a function that only tests call"
