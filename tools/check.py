#!/usr/bin/env python3
"""`make check`: what the compiler does not hold us to.

Usage: tools/check.py [--arches 'x86_64 arm64'] [--only NAME]

Layering, circles of files, functions that nobody calls, who may flush and who may write entries, no architecture in
neutral code, shared state by accessors only, headers that stand alone, formatting, static analysis. Ends with
"N passed, N failed, N skipped"; exit status 0, or 1 if a check failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tarrylib.prove import circles, rooms, unused

ROOT = Path(__file__).resolve().parent.parent
SOURCE_FOLDERS = ("arch", "boot", "kernel", "mm", "tests", "tools")

# Headers of kernel/lib and plain definitions: no state, no architecture.
LIB = r"kernel/(types|error|list|string|printf|args|crc32|fixed|json|rng|samples|sort|utf8)\.h"
STD = r"std(arg|bool|def|int)\.h"

# A port's start-up, where boot hands over to the kernel; the parsers beside it know nothing of it.
BOOT_ISA = (rf"(boot|asm)/.*|arch/platform\.h|mm/kmap\.h|{LIB}|"
            r"kernel/(bootinfo|option|printk|panic|main|uart)\.h")

BENCH = r"(mm|kernel)/.*|arch/(cpu|guest|noise|pmu)\.h"

# Who may include what: the first row whose prefix fits a file decides.
LAYERS: list[tuple[str, str]] = [
    ("tests/", r".*"),
    ("tools/", r".*"),
    ("kernel/core/main.c", r".*"),  # the one place that wires the layers together
    ("kernel/lib/", rf"{LIB}"),
    ("kernel/core/", r"(arch|kernel)/.*"),
    ("kernel/include/", r"(arch|kernel)/.*"),
    # Of the network: registers are mapped, and memory for rings is a node's.
    ("kernel/drivers/net/", r"(arch|kernel)/.*|mm/kmap\.h"),
    ("kernel/drivers/pci", r"(arch|kernel)/.*|mm/kmap\.h"),
    ("kernel/drivers/iommu", r"(arch|kernel)/.*|mm/kmap\.h"),
    ("kernel/drivers/", r"(arch|kernel)/.*"),
    ("kernel/net/port/", r"kernel/string\.h"),
    ("kernel/net/", r"(kernel|lwip|netif)/.*|mm/(numa|pmm|scheme|stats)\.h|arch/cpu\.h|(hooks|stdlib)\.h"),
    # The rooms of the benchmark: each may know those above it.
    ("kernel/bench/harness/", rf"{BENCH}"),
    ("kernel/bench/load/", rf"{BENCH}|harness/.*"),
    ("kernel/bench/report/", rf"{BENCH}|harness/.*"),
    ("kernel/bench/workload/", rf"{BENCH}|(harness|load|report)/.*"),
    ("kernel/bench/command/", rf"{BENCH}|(harness|load|report)/.*"),
    ("kernel/shell/", r"(mm|kernel)/.*|arch/cpu\.h"),
    ("mm/defer/", rf"mm/(tlb|deferral|knob|debt|copies|migrate)\.h|{LIB}"),  # never arch/, never an IPI by hand
    ("mm/", r"(mm|arch|kernel)/(?!bench|shell).*"),
    ("arch/fake/", r"(arch|asm|fake|kernel)/.*|std(io|lib)\.h|string\.h|pthread\.h"),
    ("arch/", r"(arch|asm|kernel)/.*"),
    ("boot/x86_64/", BOOT_ISA),
    ("boot/arm64/", BOOT_ISA),
    ("boot/", rf"boot/.*|kernel/bootinfo\.h|{LIB}"),
]

# Folders with sources. A new one gets a line here, and a row above that says who it may know.
FOLDERS = (r"arch/(x86_64|arm64)(/include/asm)?|arch/include/arch|arch/fake(/include/(asm|fake|override/kernel))?|"
           r"boot(/x86_64|/arm64|/include/boot)?|kernel/(lib|core|drivers(/net)?|net(/port(/arch)?)?|shell|include/kernel)|"
           r"kernel/bench/(harness|load|report|workload|command)|"
           r"mm(/defer|/include/mm)?|tests/unit|tests/litmus(/x86_64|/arm64)?|tests/host(/mm|/model|/litmus)?|"
           r"tools/topology")

ARCH_MACRO = r"__x86_64__|__i386__|__amd64__|__aarch64__|__arm__|\bARCH_(X86|ARM)\w*"


class Source:
    """A file, with comments and strings blanked where code is searched."""

    def __init__(self, path: Path):
        self.path = path
        self.name = str(path)
        self.text = path.read_text("utf-8", "replace")
        self.code = re.sub(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""",
                           lambda m: re.sub(r"[^\n]", " ", m[0]), self.text, flags=re.DOTALL)

    def find(self, pattern: str, where: str | None = None) -> Iterator[tuple[int, str]]:
        """(line number, match) of every match in the code."""
        text = self.code if where is None else where
        for match in re.finditer(pattern, text, re.MULTILINE):
            yield text.count("\n", 0, match.start()) + 1, match[0].strip()

    def is_in(self, *prefixes: str) -> bool:
        return self.name.startswith(prefixes)


def load_sources() -> list[Source]:
    files = [f for folder in SOURCE_FOLDERS for f in Path(folder).rglob("*")
             if f.suffix in (".c", ".h", ".S")]
    files += [f for f in (Path("linker.ld"),) if f.exists()]
    return [Source(f) for f in sorted(files)]


# --- rules over the text: each yields one line per offence ----------------------
def layering(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        allowed = next((a for prefix, a in LAYERS if source.is_in(prefix)), None)
        if allowed is None:
            continue
        for line, include in source.find(r"^\s*#\s*include\s*<[^>]+>"):
            header = include[include.index("<") + 1:-1]
            if not re.fullmatch(rf"{STD}|{allowed}", header):
                yield f"{source.name}:{line}: may not include <{header}>"
        for line, include in source.find(r'^\s*#\s*include\s*"[^"]+"', source.text):
            path = include[include.index('"') + 1:-1]
            if "/" in path and not source.is_in("tests/"):
                yield f"{source.name}:{line}: {include}: headers of other folders go in <...>"


def folders(sources: list[Source]) -> Iterator[str]:
    """Every source lies in a folder that we know, and a row of LAYERS speaks of it."""
    for source in sources:
        folder = str(source.path.parent)
        known = re.fullmatch(FOLDERS, folder) and any(source.is_in(prefix) for prefix, _ in LAYERS)
        if not known and source.name != "linker.ld":
            yield f"{source.name}:1: {folder}/ is no folder of this project (FOLDERS, LAYERS in tools/check.py)"


def lib_headers(sources: list[Source]) -> Iterator[str]:
    """What kernel/lib may include must itself include nothing else."""
    for source in sources:
        if not re.fullmatch(rf"kernel/include/{LIB}", source.name):
            continue
        for line, include in source.find(r"^\s*#\s*include\s*<[^>]+>"):
            header = include[include.index("<") + 1:-1]
            if not re.fullmatch(rf"{STD}|{LIB}", header):
                yield f"{source.name}:{line}: a library header may not include <{header}>"


def declared(header: str, pattern: str) -> list[str]:
    """Function names that a contract header declares."""
    text = Source(Path(header)).code
    return sorted(set(re.findall(rf"\b({pattern})\(", text)))


def _calls(sources: list[Source], names: list[str], allowed: tuple[str, ...],
           why: str) -> Iterator[str]:
    pattern = rf"\b({'|'.join(names)})\s*\("
    for source in sources:
        if not source.is_in("arch/", "tests/", *allowed):
            for line, call in source.find(pattern):
                yield f"{source.name}:{line}: {call.rstrip('( ')}(): {why}"


SHOOTDOWN_CORE = ("mm/gather.c", "mm/tlb_ipi.c", "mm/tlb_bcast.c")


def flushes(sources: list[Source]) -> Iterator[str]:
    names = declared("arch/include/arch/tlb.h", r"tlb_(?:flush|bcast)_\w+")
    if len(names) < 5:
        yield f"arch/include/arch/tlb.h: only {names} look like flush functions; adapt this rule"
    yield from _calls(sources, names, SHOOTDOWN_CORE, "only the shootdown core flushes")
    for source in sources:
        if not source.is_in("arch/", "tests/", "mm/tlb_ipi.c"):
            for line, _ in source.find(r"\bipi_send\w*\s*\([^;]*\bIPI_TLB\b"):
                yield f"{source.name}:{line}: only mm/tlb_ipi.c sends the shootdown interrupt"


def entry_writes(sources: list[Source]) -> Iterator[str]:
    names = ["pte_store", "pte_xchg", "pte_cmpxchg"]
    declared_names = declared("arch/include/arch/pgtable.h", r"pte_\w+")
    for name in names:
        if name not in declared_names:
            yield f"arch/include/arch/pgtable.h: no {name}(); adapt this rule"
    # boot/ builds the first tables, before anything is live.
    yield from _calls(sources, names, ("mm/pgwalk.c", "mm/include/mm/pgwalk.h", "boot/"),
                      "only mm/pgwalk.c stores to live entries")


def neutral(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        if source.is_in("arch/", "boot/"):
            continue
        for line, _ in source.find(r"\b(__asm__|__asm|asm)\b\s*(\(|volatile|goto|__volatile__)"):
            yield f"{source.name}:{line}: inline assembly belongs in arch/ or boot/"
        for line, text in source.find(rf"^\s*#\s*(el)?if.*({ARCH_MACRO}).*$"):
            if source.name != "linker.ld":
                yield f"{source.name}:{line}: {text}: architecture in neutral code"
        if source.path.suffix == ".S":
            yield f"{source.name}:1: assembly belongs in arch/ or boot/"


def accessors(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        if source.is_in("arch/", "kernel/include/kernel/atomic.h", "tests/host/", "tools/"):
            continue
        for line, text in source.find(r"\bvolatile\b|\b__atomic_\w+|\b__sync_\w+|\b_Atomic\b"):
            yield f"{source.name}:{line}: {text}: use the accessors of kernel/atomic.h"


def words(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        for line, text in source.find(r"\b(TODO|FIXME|XXX)\b", source.text):
            yield f"{source.name}:{line}: {text}: finish it, or write an issue"


def first_line(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        if not source.text.startswith("/*"):
            yield f"{source.name}:1: the first line says what the file is for"


def counters(sources: list[Source]) -> Iterator[str]:
    """What records print is counted somewhere, and what is counted is printed."""
    by_name = {s.name: s.text for s in sources}
    header = by_name["mm/include/mm/stats.h"]
    kernel = "".join(text for name, text in by_name.items() if name.startswith(("mm/", "kernel/", "arch/"))
                     and not name.startswith("arch/fake/"))
    printed = "".join(text for name, text in by_name.items() if name.startswith("kernel/bench/report/record"))
    listed = re.findall(r"\bX\((\w+)\)", header)
    struct = re.search(r"struct mm_counters \{(.*?)\n\};", header, re.S)
    if not listed or not struct:
        yield "mm/include/mm/stats.h:1: no list of counters"
        return
    listed = [name for name in listed if name != "name"]
    others = [name for line in re.findall(r"^\tu64 ([^;]+);", struct[1], re.M)
              for name in re.findall(r"(\w+)(?:\[[^,]*)?(?:,|$)", line)]
    for name in listed + others:
        if not re.search(rf"\bcount(_add)?\({name}\b|[>.]{name}(\[[^;]*\])?\s*(\+\+|\+=)", kernel):
            yield f"mm/include/mm/stats.h:1: {name}: printed, but counted nowhere"
    for name in others:
        if not re.search(rf"\b(c->|mm\.){name}\b", printed):
            yield f"mm/include/mm/stats.h:1: {name}: counted, but in no record"


TEXT_RULES: dict[str, Callable[[list[Source]], Iterator[str]]] = {
    "layering": layering,
    "layering-folders": folders,
    "circles": circles.check,
    "library-headers": lib_headers,
    "only-tlb-flushes": flushes,
    "only-pgwalk-writes-entries": entry_writes,
    "no-arch-in-neutral-code": neutral,
    "shared-state-by-accessors": accessors,
    "nothing-left-open": words,
    "first-line": first_line,
    "counters-are-counted": counters,
    "no-unused-functions": unused.check,
}


# --- rules that run a tool ------------------------------------------------------
def make_variable(name: str, arch: str) -> list[str]:
    out = subprocess.run(["make", "-s", f"ARCH={arch}", f"print-{name}"], check=True,
                         capture_output=True, text=True).stdout
    return out.split()


def headers_stand_alone(arch: str) -> list[str]:
    """Compile a file that includes one header only, for each header."""
    command = make_variable("CC", arch) + make_variable("CFLAGS", arch)
    command += make_variable("INCLUDES", arch)
    roots = [Path(f) for f in ("kernel/include", "mm/include", "boot/include", "arch/include",
                               f"arch/{arch}/include")]
    headers = [str(h.relative_to(r)) for r in roots for h in sorted(r.rglob("*.h"))]
    # <asm/x.h> completes <arch/x.h>, which includes it and is what everybody includes.
    headers = [h for h in headers
               if not h.startswith("asm/") or "arch/" + h.removeprefix("asm/") not in headers]

    def compile_one(header: str) -> list[str]:
        done = subprocess.run([*command, "-fsyntax-only", "-x", "c", "-"],
                              input=f"#include <{header}>\n#include <{header}>\n",
                              capture_output=True, text=True, check=False)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        return [f"<{header}>: {errors[:1]}"] if done.returncode else []

    with ThreadPoolExecutor(4) as pool:
        return [line for lines in pool.map(compile_one, headers) for line in lines]


def formatting(sources: list[Source]) -> list[str]:
    files = [s.name for s in sources if s.path.suffix in (".c", ".h")]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *files],
                          capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if "error:" in line]


def static_analysis(arches: list[str]) -> list[str]:
    """cppcheck over the neutral code, as each architecture compiles it, and over the ports."""
    command = ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability,performance",
               "--inline-suppr", "--error-exitcode=1", "-j2",
               "--suppressions-list=tools/cppcheck.txt", "--template={file}:{line}: {id}: {message}"]
    problems: list[str] = []
    for arch in arches:
        macro = {"x86_64": "-D__x86_64__=1", "arm64": "-D__aarch64__=1"}[arch]
        done = subprocess.run(
            [*command, macro, "-D__STDC_HOSTED__=0", *make_variable("INCLUDES", arch),
             *[f for f in make_variable("ALL_SRCS", arch) if f.endswith(".c")]],
            capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.splitlines() + done.stdout.splitlines()
            problems += [f"{arch}: {line}" for line in lines if line]
    return problems


def planted_fit() -> list[str]:
    """Every entry of tools/planted.cfg names text that is in the sources."""
    done = subprocess.run([sys.executable, "tools/planted.py", "--check"], capture_output=True, text=True,
                          check=False)
    return done.stderr.splitlines()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arches", default="x86_64")
    parser.add_argument("--only", default="", help="part of a check's name")
    args = parser.parse_args()
    os.chdir(ROOT)
    arches = args.arches.split()
    sources = load_sources()
    checks: list[tuple[str, Callable[[], list[str]]]] = [
        (name, lambda rule=rule: list(rule(sources))) for name, rule in TEXT_RULES.items()]
    checks += [(f"headers-stand-alone-{arch}", lambda arch=arch: headers_stand_alone(arch))
               for arch in arches]
    checks += [("rooms-of-tools", lambda: list(rooms.check(rooms.load()))),
               ("planted-mistakes-fit", planted_fit),
               ("formatting", lambda: formatting(sources)),
               ("static-analysis", lambda: static_analysis(arches))]
    passed = failed = 0
    for name, check in checks:
        if args.only not in name:
            continue
        offences = check()
        passed, failed = passed + (not offences), failed + bool(offences)
        print(f"{'not ok' if offences else 'ok':<7} {name}", flush=True)
        for offence in offences:
            print(f"        {offence}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
