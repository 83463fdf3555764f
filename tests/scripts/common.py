"""What the test scripts share: their settings, booting, records, result lines.

A script is started by tests/run.py, or by hand, with NAME=VALUE settings as arguments:
    tests/scripts/ipis.py ARCH=x86_64 SMP=4 DET=1
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
os.chdir(ROOT)
from tarrylib.report import figures, pmbench_xml, records, will_it_scale  # noqa: E402
from tarrylib.run import guest, ktap, media, qemu  # noqa: E402
from tarrylib.run.settings import Settings, UsageError, parse, words  # noqa: E402

__all__ = ["ROOT", "Console", "Missing", "bench", "boot", "changed", "guest", "held", "held_sample",
           "longest_waits", "main", "media", "median", "note_verdicts", "noted", "phase_per_page", "pmbench_xml", "qemu", "records", "result",
           "settings", "skip", "will_it_scale"]

_out = ktap.Writer()
result, skip = _out.result, _out.skip
_boots = 0
_judged = 0  # records of runs with the oracle
_unjudged: list[str] = []  # those in which it too often had no verdict
_taken: figures.Figures = {}  # by this script, for tests/figures.json; "noted": those that no test holds
_several = False  # CPUs ran in the boot before
# Set by tools/figures.py, which renews that file from what is left in this folder: then nothing is compared with it.
RENEWAL = os.environ.get("TARRY_FIGURES")


class Missing(Exception):
    """A run did not yield what was asked of it; the script fails with this text."""


def settings(**changes: object) -> Settings:
    """The settings of this script with some replaced: settings(SMP=2, SEED=7)."""
    try:
        values = words(sys.argv[1:]) | {k: str(v) for k, v in changes.items()}
        return parse(values)
    except UsageError as error:
        raise Missing(str(error)) from error


def note_cpus(asked: Settings) -> None:
    """What is found next comes from a boot with these settings."""
    global _several
    _several = asked.smp > 1


def boot(cmd: str, **changes: object) -> guest.Run:
    """Boot, run the commands, return how it went. The console is kept beside the script's log."""
    global _boots
    _boots += 1
    asked = settings(CMD=cmd, **changes)
    note_cpus(asked)
    run = guest.run(asked)
    if prefix := os.environ.get("TARRY_LOG"):
        Path(f"{prefix}-{_boots}.console").write_bytes(run.console)
    if not run.booted or run.guest_rc is None:
        raise Missing(f"{cmd[:80]}: {run.message}")
    return run


def bench(cmd: str, **changes: object) -> dict[str, dict]:
    """The records of one boot that must end with rc=0, whole, by scheme ("floor": the floor's)."""
    run = boot(cmd, **changes)
    block = records.extract(run.text)
    if block.damaged:
        raise Missing(f"{cmd}: damaged records: {'; '.join(block.damaged)}")
    if run.guest_rc != 0:
        errors = [line for line in run.text.splitlines() if re.search("error:|panic:", line)]
        raise Missing(f"{cmd}: rc={run.guest_rc}; {'; '.join(errors[:3]) or 'see the console'}")
    for record in block.records:
        if record.get("skipped"):
            raise Missing(f"{record['scheme']} was skipped: {record['skipped']}")
    note_verdicts(cmd, block.records)
    return {"floor" if r["name"] == "floor" else r["scheme"]: r for r in block.records}


def note_verdicts(cmd: str, found: list[dict]) -> None:
    """An oracle that cannot tell accuses nobody: main() has the script fail for that."""
    global _judged
    for record in found:
        if record.get("check") == "full" and "counters" in record:
            _judged += 1
            if unknown := record["counters"]["oracle_unknown"]:
                _unjudged.append(f"{cmd}, {record['scheme']}: {unknown} times none")


def _take(name: str, value: float, factor: float, differs: bool) -> None:
    """factor: as figures.kept() takes it, of a figure that differs from run to run."""
    new, arch = figures.rounded(value), settings().arch
    if RENEWAL and differs:
        new = figures.kept(new, figures.read(ROOT).get(arch, {}).get(name), factor)
    _taken.setdefault(arch, {})[name] = new


def noted(name: str, value: float, factor: float | None = None) -> None:
    """A figure for documents that is held by others, or differs from run to run: by how threads happen to meet, or, where a factor
    says how much, by the host's clock. Kept if a document names it.
    """
    _take(name, value, factor or figures.MET, _several or factor is not None)
    _taken.setdefault("noted", {})[f"{settings().arch}.{name}"] = factor or figures.MET


def held(name: str, value: float, most: float | None = None) -> None:
    """A figure that may neither grow nor shrink unnoticed, and a limit that is not renewed with it."""
    _take(name, value, 1 + figures.TOLERANCE / 100, _several)
    new, limit = figures.rounded(value), "" if most is None else f", at most {most:,.1f}"
    if RENEWAL:
        result(name, True, f"{new:,}{limit}")
        return
    within = most is None or value <= most
    old = figures.read(ROOT).get(settings().arch, {}).get(name)
    if old is None:
        result(name, False, f"{new:,}: {figures.FILE} does not have it; {figures.RENEW}")
        return
    apart = figures.apart(new, old)
    same = abs(apart) <= figures.TOLERANCE
    result(name, within and same, f"{new:,}{limit}; was {old:,}: {apart:+.2f} %, at most {figures.TOLERANCE} % either "
           f"way{'' if same else f'; if that is right, {figures.RENEW}'}")


def held_sample(name: str, lines: list[str]) -> None:
    """What a document shows of a console: the same words, and numbers within the tolerance."""
    old = figures.read(ROOT).get("samples", {}).get(name, [])
    wrong = figures.differs(lines, old)
    _taken.setdefault("samples", {})[name] = old if _several and not wrong else lines
    if RENEWAL:
        result(f"sample.{name}", bool(lines), f"{len(lines)} lines")
    else:
        result(f"sample.{name}", not wrong, f"{wrong}; {figures.RENEW}" if wrong else f"{len(lines)} lines")


def changed(new: float, old: float) -> float:
    """By how many percent new lies below old."""
    if not old:
        raise Missing("nothing to compare with: the reference is 0")
    return 100.0 * (1 - new / old)


def phase_per_page(record: dict) -> dict[str, float]:
    """Each phase's time per migrated page, in ns, or None times for a run that measures none."""
    pages = record["counters"]["pages_migrated"]
    if not pages or not record.get("phase_ns"):
        raise Missing(f"{record['scheme']}: no pages or no phase times (trust {record['trust']})")
    return {phase: ns / pages for phase, ns in record["phase_ns"].items()}


def longest_waits(record: dict) -> list[int]:
    """Each round's longest wait of any reader, in ns, from fault to resume."""
    waits = record.get("longest_wait")
    if not isinstance(waits, list):
        raise Missing(f"{record['scheme']}: no list of longest waits (trust {record['trust']})")
    return waits


class Console:
    """A guest at its prompt, typed at through a serial line; serial: all of them, as QEMU names them, one of them "stdio".

    medium: what BOOT= boots from, where that is not direct."""

    def __init__(self, serial: tuple[str, ...] = ("stdio",), medium: Path | None = None, **changes: object):
        self.settings, self.medium = settings(**changes), medium
        self.serial = [*(word for port in serial for word in ("-serial", port)), "-monitor", "none"]
        self.seen = b""  # everything printed so far
        self.at = 0  # what expect() has consumed of it

    def command(self, scratch: Path) -> list[str]:
        """What is started; for those whose machine has more than settings describe."""
        return qemu.command(self.settings, scratch, self.serial, self.medium)

    def __enter__(self) -> "Console":
        self.scratch = tempfile.TemporaryDirectory(prefix="tarry-")
        self.process = guest.start(self.command(Path(self.scratch.name)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, bufsize=0)
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        return self

    def __exit__(self, *_: object) -> None:
        guest.kill(self.process)
        self.scratch.cleanup()

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.input, data):]

    def read(self, timeout: float) -> bytes:
        """What comes within the timeout, b"" if nothing does any more."""
        try:
            if timeout > 0 and select.select([self.output], [], [], timeout)[0]:
                return os.read(self.output, 65536)
        except OSError:
            pass  # a terminal whose other side is closed
        return b""

    def expect(self, what: bytes, timeout: float = 20.0) -> bytes:
        """Wait until this is printed after what was expected last; what came before it.

        Raises Missing if it is not.
        """
        deadline = time.monotonic() + timeout
        while (found := self.seen.find(what, self.at)) < 0:
            data = self.read(deadline - time.monotonic())
            if not data:
                tail = self.seen[self.at:][-200:]
                raise Missing(f"waited {timeout} s for {what!r}, got {tail!r}")
            self.seen += data
        before, self.at = self.seen[self.at:found], found + len(what)
        return before


def main(body) -> None:
    """Run the script's body, end with its verdict."""
    try:
        body()
        if _judged:
            result("oracle.has-verdicts", not _unjudged,
                   "\n".join(_unjudged) or f"{_judged} records with check=full")
    except Missing as error:
        result("run", False, str(error))
    except qemu.CannotRun as error:
        skip("run", str(error))
    if RENEWAL and _taken:
        name = f"{settings().arch}-{Path(sys.argv[0]).stem}.json"
        (Path(RENEWAL) / name).write_text(json.dumps(_taken), "utf-8")
    sys.exit(_out.end())
