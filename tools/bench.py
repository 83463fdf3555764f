#!/usr/bin/env python3
"""Run the measurements of tools/bench.cfg and write a results folder with a report.

Usage: tools/bench.py [NAME=VALUE ...]

Settings given here or in the environment (make help) win over those of bench.cfg; CFG=file reads
another file of that form, ONLY=name,name picks sections. Prints progress on stderr, the tables and
the folder on stdout. Interrupted, it keeps what has been measured and makes the report of that.
Exit status: 0 all went well, 1 damaged records, stale reads or a failed boot, 2 wrong usage,
77 cannot run here, 128+n signal.
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
from tarrylib.report import results as res, summary  # noqa: E402
from tarrylib.run import guest, qemu  # noqa: E402
from tarrylib.run.settings import Settings, UsageError, given, host_cpus, masked, parse, words  # noqa: E402

CONFIG = "tools/bench.cfg"
STOPPED = 128 + signal.SIGINT


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def read_config(path: Path) -> configparser.ConfigParser:
    """The measurements of a file, each with a command. UsageError that names what is wrong where."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            config.read_file(file)
    except OSError as error:
        raise UsageError(f"CFG={path}: {error.strerror}") from error
    except (UnicodeDecodeError, configparser.Error) as error:
        raise UsageError(f"CFG={path}: {error}") from error
    for name, section in config.items():
        if unknown := set(section) - {"summary", "vars", "cmd"}:
            raise UsageError(f"{path} [{name}]: unknown key {', '.join(sorted(unknown))}; there are summary, vars, cmd")
        if name != config.default_section and not section.get("cmd"):
            raise UsageError(f"{path} [{name}]: no cmd = console commands to run")
    if not config.sections():
        raise UsageError(f"CFG={path}: no [section] in it, so nothing to measure")
    return config


def load(path: Path, only: str, user: dict[str, str]) -> list[tuple[res.Boot, Settings]]:
    """The boots to do, each with its settings."""
    config = read_config(path)
    chosen = [name for name in only.split(",") if name] or config.sections()
    if wrong := [name for name in chosen if name not in config.sections()]:
        known = ", ".join(config.sections())
        raise UsageError(f"ONLY: no {', '.join(wrong)} in {path} ({known})")
    todo = []
    for name in chosen:
        section = config[name]
        try:
            named = words(section.get("vars", "").split()) | user
            settings = parse(named | {"CMD": section["cmd"]})
        except UsageError as error:
            raise UsageError(f"{path} [{name}]: {error}") from error
        todo.append((res.Boot(name, section.get("summary", name), section["cmd"], named), settings))
    return todo


def first_line(argv: list[str]) -> str:
    try:
        out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "missing"
    return out.splitlines()[0] if out else ""


def describe(settings: Settings, user: dict[str, str], config: Path) -> dict:
    """What a reader of the results must know about the machine and the build."""
    image = qemu.kernel(settings)
    return {
        "argv": ["tools/bench.py"] + [masked(f"{k}={v}") for k, v in user.items()],
        "config": str(config),
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
    seen = bytearray()
    try:
        run = guest.run(settings, seen.extend)
    except (KeyboardInterrupt, SystemExit):
        say("interrupted")
        res.add_console(folder, boot, seen.decode("utf-8", "replace"))
        raise
    boot.qemu, boot.seconds = [masked(word) for word in run.argv], round(run.seconds, 3)
    boot.code, boot.message = run.code, run.message
    res.add_console(folder, boot, run.text)
    good = not run.code and not boot.damaged and boot.record_count
    why = f": {run.message}" if run.message else ""
    say(f"{run.seconds:.1f} s, {boot.record_count} records" + ("" if good else f", NOT WELL{why}"))


def measure(folder: Path, todo: list[tuple[res.Boot, Settings]], info: dict) -> int:
    """All boots, in order; 0, or 128+n if a signal ended it. run.json is there from the start, and up to date."""
    boots = [boot for boot, _ in todo]
    for boot in boots:
        boot.code, boot.message = STOPPED, "not run"
    res.write_info(folder, info, boots)
    for boot, settings in todo:
        try:
            run_one(folder, boot, settings)
        except (KeyboardInterrupt, SystemExit) as stop:
            boot.message = "interrupted"
            return STOPPED if isinstance(stop, KeyboardInterrupt) else stop.code
        finally:
            res.write_info(folder, info, boots)
    return 0


def bench(user: dict[str, str], only: str, config: Path) -> int:
    todo = load(config, only, user)
    if not qemu.kernel(todo[0][1]).exists():
        raise qemu.CannotRun(f"no {qemu.kernel(todo[0][1])}: build it first")
    info = describe(todo[0][1], user, config)
    folder = res.create(Path("results"))
    say(f"{len(todo)} boots, build {info['build']}; {info['host_cpus']} CPUs of {info['host_cpu']}")
    stopped = measure(folder, todo, info)
    results = res.Results(folder, info, [boot for boot, _ in todo])
    status = stopped or (1 if summary.problems(results) else 0)
    res.write_info(folder, info | {"stopped": res.utc_now(), "exit_code": status}, results.boots)
    report.write_derived(results)
    print(report.text(results))
    print(f"results in {folder}")
    return status


def main(argv: list[str]) -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    own = {name: os.environ.get(name, "") for name in ("ONLY", "CFG")}
    pairs = []
    for word in argv[1:]:
        name, sep, value = word.partition("=")
        if sep and name in own:
            own[name] = value
        else:
            pairs.append(word)
    try:
        return bench({**given(os.environ), **words(pairs)}, own["ONLY"], Path(own["CFG"] or CONFIG))
    except UsageError as error:
        say(f"bench: error: {error}")
        return 2
    except qemu.CannotRun as error:
        say(f"bench: {error}")
        return 77
    except KeyboardInterrupt:
        return STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv))
