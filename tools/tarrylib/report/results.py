"""A results folder: the raw files a run leaves, written once, and read again by the report.

console.log and bench.jsonl hold what the guests printed; run.json says which boot each record is
from, and how the boots went. Everything else in the folder is made from these three (docs/results.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from . import records
from ..run.ktap import FAIL, PASS, Test


@dataclass
class Boot:
    """One boot of a run."""
    name: str  # of its section in bench.cfg
    summary: str
    command: str  # console commands
    settings: dict[str, str] = field(default_factory=dict)
    qemu: list[str] = field(default_factory=list)
    seconds: float = 0.0
    code: int = 0
    message: str = ""
    record_count: int = 0
    crcs: list[str] = field(default_factory=list)  # of its records, in the order of bench.jsonl
    damaged: list[str] = field(default_factory=list)
    records: list[dict] = field(default_factory=list, repr=False)  # not in run.json

    def take(self, found: list[dict], damaged: list[str]) -> None:
        """The records that this boot printed, and what is wrong with others."""
        self.records, self.damaged = found, damaged
        self.record_count, self.crcs = len(found), [record["crc"] for record in found]


@dataclass
class Results:
    folder: Path
    info: dict
    boots: list[Boot]

    @property
    def records(self) -> list[dict]:
        return [record for boot in self.boots for record in boot.records]


def utc_now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def without_folders(word: str) -> str:
    """A word of a command line with the folders of absolute paths taken off."""
    return re.sub(r"(?<![\w.])/(?:[^\s,/=]+/)+", "", word)


def host_cpu() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"),
                          re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.machine()


def create(base: Path, machine: str = "") -> Path:
    """A new folder results/<UTC time>-<machine>-<run id>, whose names sort by time; results/latest leads to it."""
    machine = re.sub(r"[^A-Za-z0-9]+", "-", machine or platform.node()).strip("-") or "machine"
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H%M%S.%f")[:-3]  # milliseconds: scripts make many
    folder = base / f"{time}Z-{machine}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    for name in ("console.log", "bench.jsonl"):
        (folder / name).touch()
    link = base / f".latest-{secrets.token_hex(3)}"
    with contextlib.suppress(OSError):  # a file system without links, or somebody's own file of that name
        link.symlink_to(folder.name)
        os.replace(link, base / "latest")
    with contextlib.suppress(OSError):
        link.unlink()
    return folder


def write_raw(folder: Path, console: str, lines: list[str]) -> None:
    """Append what a guest printed to console.log, and the records in it to bench.jsonl."""
    with open(folder / "console.log", "a", encoding="utf-8") as log:
        log.write(console + ("" if console.endswith("\n") else "\n"))
    with open(folder / "bench.jsonl", "a", encoding="utf-8") as jsonl:
        jsonl.writelines(line + "\n" for line in lines)


def add_console(folder: Path, boot: Boot, console: str) -> None:
    """Take a boot's console and the records in it."""
    block = records.extract(console).once()
    boot.take(block.records, block.damaged)
    write_raw(folder, f"# boot {boot.name}: {boot.command}\n{console}", block.lines)


def write_info(folder: Path, info: dict, boots: list[Boot]) -> None:
    stored = []
    for boot in boots:
        entry = asdict(boot)
        del entry["records"]
        entry["qemu"] = [without_folders(word) for word in boot.qemu]
        stored.append(entry)
    text = json.dumps({**info, "boots": stored}, indent=1)
    new = folder / "run.json.new"  # so that an interrupted run leaves the one before
    new.write_text(text + "\n", "utf-8")
    os.replace(new, folder / "run.json")


def load(folder: Path) -> Results:
    """Read the three raw files again; every record's checksum is checked once more.

    Raises ValueError or OSError if the folder is not a results folder or a record was changed.
    """
    info = json.loads((folder / "run.json").read_text("utf-8"))
    boots = [Boot(**entry) for entry in info.pop("boots")]
    lines = (folder / "bench.jsonl").read_text("utf-8").splitlines()
    if len(lines) != sum(boot.record_count for boot in boots):
        raise ValueError(f"bench.jsonl has {len(lines)} records, run.json counts others")
    at = iter(lines)
    for boot in boots:
        boot.records = [records.check(next(at)) for _ in range(boot.record_count)]
        if boot.crcs and boot.crcs != [record["crc"] for record in boot.records]:
            raise ValueError(f"bench.jsonl has other records of {boot.name} than run.json says")
    return Results(folder, info, boots)


def verdicts(boot: Boot) -> list[Test]:
    """A boot as tests: it ended well, its records are whole, nobody read a stale page."""
    out = [Test("ends-well", FAIL if boot.code else PASS,
                f"exit status {boot.code} {boot.message}".strip() if boot.code else "")]
    out += [Test("records-whole", FAIL if boot.damaged else PASS, "\n".join(boot.damaged))]
    if not boot.records:
        out.append(Test("has-records", FAIL, "no record came"))
    for record in boot.records:
        stale = record["counters"].get("stale_reads", 0)
        variant = record.get("variant") or record["scheme"]
        name = re.sub(r"[^a-z0-9_.-]", "-", f"{record['name']}.{variant}")
        out.append(Test(f"{name}.no-stale-reads", FAIL if stale else PASS,
                        f"{stale} stale reads" if stale else ""))
    return out


def ktap(boots: list[Boot]) -> str:
    """The verdicts of all boots as nested KTAP."""
    out = ["KTAP version 1", f"1..{len(boots)}"]
    for number, boot in enumerate(boots, 1):
        tests = verdicts(boot)
        out += ["  KTAP version 1", f"  # Subtest: {boot.name}", f"  1..{len(tests)}"]
        failed = False
        for i, test in enumerate(tests, 1):
            failed |= test.verdict == FAIL
            out.append(f"  {'not ok' if test.verdict == FAIL else 'ok'} {i} {test.name}")
            out += [f"  # {test.name}: {line}" for line in test.why.splitlines()]
        out.append(f"{'not ok' if failed else 'ok'} {number} {boot.name}")
    return "\n".join(out) + "\n"

