#!/usr/bin/env python3
"""Run the measurements of tools/bench.cfg and write a results folder with a report.

Usage: tools/bench.py [NAME=VALUE ...]

Settings given here or in the environment (make help) win over those of bench.cfg; ONLY=name,name
picks sections. Prints progress on stderr, the tables and the folder on stdout. Exit status: 0 all
went well, 1 damaged records, stale reads or a failed boot, 2 wrong usage, 77 cannot run here.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import report  # noqa: E402
from tarrylib.report import results as res  # noqa: E402
from tarrylib.run import guest, qemu  # noqa: E402
from tarrylib.run.settings import Settings, UsageError, given, host_cpus, parse, words  # noqa: E402

CONFIG = ROOT / "tools/bench.cfg"


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def load(only: str, user: dict[str, str]) -> list[tuple[res.Boot, Settings]]:
    """The boots to do, each with its settings."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(CONFIG, "utf-8")
    chosen = [name for name in only.split(",") if name] or config.sections()
    if wrong := [name for name in chosen if name not in config]:
        known = ", ".join(config.sections())
        raise UsageError(f"ONLY: no {', '.join(wrong)} in bench.cfg ({known})")
    todo = []
    for name in chosen:
        section = config[name]
        named = words(section.get("vars", "").split()) | user
        boot = res.Boot(name, section["summary"], section["cmd"], named)
        todo.append((boot, parse(named | {"CMD": section["cmd"]})))
    return todo


def first_line(argv: list[str]) -> str:
    try:
        out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "missing"
    return out.splitlines()[0] if out else ""


def describe(settings: Settings, user: dict[str, str]) -> dict:
    """What a reader of the results must know about the machine and the build."""
    image = qemu.kernel(settings)
    return {
        "argv": ["tools/bench.py"] + [f"{k}={v}" for k, v in user.items()],
        "started": res.utc_now(),
        "build": first_line(["git", "describe", "--always", "--dirty"]) or "unknown",
        "image": image.name,
        "image_sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
        "qemu": first_line([qemu.program(settings), "--version"]),
        "python": platform.python_version(),
        "host_cpu": res.host_cpu(),
        "host_cpus": host_cpus(),
        "seed": settings.seed,
    }


def run_one(folder: Path, boot: res.Boot, settings: Settings) -> None:
    """Boot, take the records; what goes wrong is kept in the boot for the report."""
    say(f"  {boot.name:<8} {boot.summary} ... ", end="")
    run = guest.run(settings)
    boot.qemu, boot.seconds = run.argv, round(run.seconds, 3)
    boot.code, boot.message = run.code, run.message
    res.add_console(folder, boot, run.text)
    good = not run.code and not boot.damaged and boot.record_count
    say(f"{run.seconds:.1f} s, {boot.record_count} records" + ("" if good else ", NOT WELL"))


def bench(user: dict[str, str], only: str) -> int:
    todo = load(only, user)
    if not qemu.kernel(todo[0][1]).exists():
        raise qemu.CannotRun(f"no {qemu.kernel(todo[0][1])}: build it first")
    info = describe(todo[0][1], user)
    folder = res.create(Path("results"))
    say(f"{len(todo)} boots, build {info['build']}; {info['host_cpus']} CPUs of {info['host_cpu']}")
    boots = [boot for boot, _ in todo]
    for boot, settings in todo:
        run_one(folder, boot, settings)
    results = res.Results(folder, info, boots)
    status = report.write_derived(results)
    res.write_info(folder, info | {"stopped": res.utc_now(), "exit_code": status}, boots)
    print(report.text(results))
    print(f"results in {folder}")
    return status


def main(argv: list[str]) -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        only = os.environ.get("ONLY", "")
        pairs = [word for word in argv[1:] if not word.startswith("ONLY=")]
        only = next((w[5:] for w in argv[1:] if w.startswith("ONLY=")), only)
        return bench({**given(os.environ), **words(pairs)}, only)
    except UsageError as error:
        say(f"bench: error: {error}")
        return 2
    except qemu.CannotRun as error:
        say(f"bench: {error}")
        return 77
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv))
