"""Which tests cover a file, and what they say of a mutant in it: the checks of tools/mutants_generic.py."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .scratch import Scratch
from .sites import Site

SOURCES = ("arch", "boot", "kernel", "mm", "tests", "tools", "Makefile", "linker.ld")
TESTS_OF_TOOLS = ("tests/host_tools.py", "tests/host/test_tools*.py",
                  *(f"tests/host/test_{name}.py" for name in ("captures", "figures", "kvm", "pmbench_xml", "results", "variables", "will_it_scale")))
EACH = {"CHECK_SECONDS": "10"}  # of CPU time for one test; where nothing is broken the longest takes one
EXPLORERS = ("explore", "explore_races")  # they see barriers and waits that are left out: tests/host/model/main.c
ORDERINGS = 600  # of each scenario, as each change is tried with; some 15 s
ENOUGH_ON_HOST = ("boot/", "kernel/lib/")  # host tests are made for these
TOOLS_SECONDS = 120  # they take up to ten of an idle host
BOOT_SECONDS = 240
TIMEOUT, CANNOT_RUN = 124, 77  # exit statuses of tools/launch.py; one that ends without a word, 125, is broken
FAILED = (re.compile(r"^\s*not ok|ERROR: .*Sanitizer|runtime error:|panic:|stuck|Traceback"),
          re.compile(r"^error: "))  # tests that pass are told of errors, too


@dataclass
class Verdict:
    what: str  # killed, survived, did not finish, not built
    text: str  # which test said so, and how


def digest_of(root: Path) -> str:
    total = hashlib.sha256()
    for name in SOURCES:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".cfg" and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return total.hexdigest()[:12]


class Work:
    """A scratch copy, and the tests that are built in it."""

    def __init__(self, scratch: Scratch, programs: dict[str, list[str]], may_boot: bool):
        self.scratch, self.programs, self.may_boot = scratch, programs, may_boot
        self.last: tuple[str, Callable[[], Verdict]]  # the check that ran last, and how to build and run it again
        self.proven: set[str] = set()  # checks that pass where nothing is broken

    @staticmethod
    def several(root: Path, folder: Path, jobs: int, boots: bool) -> list[Work]:
        """As many as jobs."""
        first = Scratch(root, folder / "0")
        code, out = first.run(["make", "-s", "SETUP=no", "print-HOST_TESTS"])
        names = [name for name in out.split() if name.startswith("test_") or name in EXPLORERS]
        first.take_built(root, *(f"host/{name}.obj" for name in names))
        errors = "" if code == 0 else out
        errors = errors or first.make(*(f"host/{name}" for name in names))
        if errors:
            raise SystemExit(f"error: mutants: {errors}")
        programs = {}
        asked = [f"print-{name}_{what}" for name in names for what in ("SRCS", "WITH")]  # some objects may be another program's, too
        said = iter(first.run(["make", "-s", "SETUP=no", *asked])[1].splitlines())
        for name in names:
            sources, other = next(said).split(), next(said).split()
            built = [folder / f"0/build/host/{owner}.obj/{source}.d" for owner in (name, *other) for source in sources]
            included = "".join(path.read_text() for path in built if path.exists())
            programs[name] = sources + [os.path.normpath(path) for path in re.findall(r"\S+\.[ch]\b", included)]
        cheapest = dict(sorted(programs.items(), key=lambda item: len(item[1])))
        works = [Work(first, cheapest, boots)]
        return works + [Work(first.copy(folder / str(i)), cheapest, boots) for i in range(1, jobs)]

    # --- the tests ---
    def verdict(self, what: str, code: int, out: str, did_not_finish: tuple[int, ...]) -> Verdict:
        if not code:
            return Verdict("survived", what)
        line = next((l.strip() for failed in FAILED for l in out.splitlines() if failed.search(l)), "")
        if code in did_not_finish or code < 0 and not line and -code in (9, 24):
            return Verdict("did not finish", f"{what}: exit status {code}: {line or out.strip()[-100:]!r}")
        return Verdict("killed", f"{what}: {line or f'exit status {code}'}")

    def program(self, name: str) -> Verdict:
        self.last = name, lambda: self.built(self.scratch.make(f"host/{name}"), lambda: self.program(name))
        env = [f"{k}={v}" for k, v in EACH.items()]
        more = ["--orderings", str(ORDERINGS), "--jobs", "1"] if name in EXPLORERS else []
        code, out = self.scratch.run(["env", *env, f"build/host/{name}", *more, "--stop"])
        return self.verdict(name, code, out, (TIMEOUT,))

    def tools(self, file: str = "") -> Verdict:
        """All tests of the tools, those that name the file's module first."""
        self.last = "tools", self.tools
        scripts = [path for pattern in TESTS_OF_TOOLS for path in sorted(self.scratch.folder.glob(pattern))]
        if file:
            scripts.sort(key=lambda path: not re.search(rf"\b{Path(file).stem}\b", path.read_text("utf-8")))
        for script in scripts:
            code, out = self.scratch.run([sys.executable, str(script)], timeout=TOOLS_SECONDS)
            verdict = self.verdict(script.stem, code, out, (TIMEOUT,))
            if verdict.what != "survived":
                return verdict
        return Verdict("survived", "all tests of the tools")

    def boot(self, arch: str, command: str, file: str = "") -> Verdict:
        """Firmware starts the kernel where that is what the file is about."""
        way = "uefi" if file.endswith("efi.c") else "direct"
        self.last = f"boot {arch} {way} {command}", lambda: self.built(self.scratch.make(image(arch), arch=arch),
                                                                       lambda: self.boot(arch, command, file))
        code, out = self.scratch.run(["make", "-s", "SETUP=no", "WARNINGS=-w", f"ARCH={arch}", f"CMD={command}", f"BOOT={way}",
                                      "SMP=2", "NODES=2", "DET=1", f"TIMEOUT={BOOT_SECONDS}", "exec"], cpu=0)
        ended = re.search(r"Error (\d+)$", out.strip())  # make's own status says only that launch.py failed
        return self.verdict(f"boot, {arch}", int(ended[1]) if ended else code, out, (TIMEOUT, CANNOT_RUN))

    def case(self, name: str, arch: str) -> Verdict:
        """One of tests/cases.cfg, as `make test` runs it."""
        self.last = f"{name} {arch}", lambda: self.built(self.scratch.make(image(arch), arch=arch), lambda: self.case(name, arch))
        code, out = self.scratch.run([sys.executable, "tests/run.py", "--no-host", "--arches", arch, "--only", name, "--jobs", "2"], cpu=0)
        if code and re.search(r"timed out|no end|not ok run: waited", out):
            return Verdict("did not finish", f"{name}: {out.strip()[-100:]!r}")
        return self.verdict(name, code, out, (TIMEOUT, CANNOT_RUN))

    def has_case(self, name: str, arch: str) -> bool:
        """Some cases are of one architecture."""
        config = configparser.ConfigParser(interpolation=None)
        config.read(self.scratch.folder / "tests/cases.cfg", "utf-8")
        return arch in config.get(name, "arch", fallback=arch).split()

    def booted(self, arch: str, command: str, cases: tuple[str, ...], file: str) -> Verdict:
        """
        A boot, the explorers that have the file, then cases: those that share a word with it come first. "CASE for
        WORD ...": a dear one, which runs last, and only if it does.
        """
        verdict = self.boot(arch, command, file)
        for name in self.covering(file, explorers=True):
            if verdict.what == "survived":
                verdict = self.built(self.scratch.make(f"host/{name}"), lambda: self.program(name))
        words = set(re.split(r"[_/.]", file))
        for case in sorted(cases, key=lambda case: (" for " in case, not words & set(re.split(r"[-_]", case)))):
            name, _, only = case.partition(" for ")
            if verdict.what == "survived" and self.has_case(name, arch) and (not only or words & set(only.split())):
                verdict = self.case(name, arch)
        return verdict

    # --- a mutant ---
    def covering(self, file: str, explorers: bool = False) -> list[str]:
        return [name for name, files in self.programs.items() if file in files and (name in EXPLORERS) == explorers]

    def covered_on_host(self, file: str) -> bool:
        return file.endswith(".py") or bool(self.covering(file))

    def built(self, errors: str, check: Callable[[], Verdict]) -> Verdict:
        return Verdict("not built", errors.strip()[:160]) if errors else check()

    def confirmed(self, kill: Verdict) -> Verdict:
        """SystemExit if the check that ran last does not pass unmutated; it is asked once."""
        name, again = self.last
        if name in self.proven:
            return kill
        plain = again()
        if plain.what == "did not finish":
            return plain
        if plain.what != "survived":
            raise SystemExit(f"error: mutants: not mutated, and not passed: {plain.text}")
        self.proven.add(name)
        return kill

    def judge(self, site: Site, text: str, boot: str, cases: tuple[str, ...] = ()) -> Verdict:
        self.scratch.put(site.file, site.apply(text))
        try:
            verdict = self.tools(site.file) if site.file.endswith(".py") else self.in_c(site.file, boot, cases)
        finally:
            self.scratch.put(site.file, text)
        return self.confirmed(verdict) if verdict.what == "killed" else verdict

    def in_c(self, file: str, boot: str, cases: tuple[str, ...]) -> Verdict:
        """A boot is dear: where no host test covers the file, and where those that do were made for another."""
        covering = self.covering(file)
        for name in covering:
            verdict = self.built(self.scratch.make(f"host/{name}"), lambda: self.program(name))
            if verdict.what != "survived":
                return verdict
        if covering and (not self.may_boot or file.startswith(ENOUGH_ON_HOST)):
            return Verdict("survived", ", ".join(covering))
        arch = arch_of(file)
        verdict = self.built(self.scratch.make(image(arch), arch=arch), lambda: self.booted(arch, boot, cases, file))
        return Verdict(verdict.what, ", ".join([*covering, verdict.text]))


def arch_of(file: str) -> str:
    return "arm64" if "/arm64/" in file else "x86_64"


def image(arch: str) -> str:
    return {"x86_64": "x86_64/tarry.elf", "arm64": "arm64/Image"}[arch]
