#!/usr/bin/env python3
"""Boot Tarry in QEMU.

Usage: tools/launch.py exec|run|iso|command [NAME=VALUE ...]

exec     boot, run CMD, power off; stdout is the guest's console and nothing else
run      interactive console on this terminal; leave with Ctrl-A x
iso      build the bootable image and print its path
command  print the QEMU command line of exec

Settings come from NAME=VALUE words, else from the environment, else defaults (make help lists
them). Exit status: the guest's verdict (0 passed, 1 failed, 2 wrong usage, 4 all skipped, 70
panic), 77 cannot run here, 124 timeout, 125 no QEMU, no boot or no verdict, 128+n signal.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from tarrylib.run import guest, iso, kvm, qemu  # noqa: E402
from tarrylib.run.settings import Settings, UsageError, given, parse, words  # noqa: E402

USAGE, CANNOT_RUN = 2, 77


def say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)


def do_exec(s: Settings) -> int:
    def show(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    if not s.cmd and "tarry.run" not in " ".join(s.args):
        raise UsageError("exec: CMD='command; command' is missing")
    run = guest.run(s, show)
    if run.message:
        say(run.message)
    return run.code


def attend(argv: list[str]) -> tuple[int, str]:
    """Run QEMU on our terminal; its exit status, and what it said on standard error, which is shown, too."""
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as process:
        errors = kvm.Errors(process, echo=True)
        try:
            status = process.wait()
        finally:
            process.kill()
        return status, errors.done()


def do_run(s: Settings) -> int:
    """QEMU on this terminal. It makes the terminal raw and back; if it dies, we put it back."""
    on_terminal = sys.stdin.isatty()
    serial = ["-serial", "mon:stdio"] if on_terminal else ["-serial", "stdio", "-monitor", "none"]
    saved = termios.tcgetattr(0) if on_terminal else None
    if on_terminal:
        say("leave with Ctrl-A x, Ctrl-A h for more")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        scratch = Path(folder)
        medium = iso.iso_with_args(s, scratch) if qemu.needs_iso(s) else None
        argv = qemu.command(s, scratch, serial, medium)
        if not qemu.kernel(s).exists():
            say(f"no {qemu.kernel(s)}: build it first")
            return guest.INFRASTRUCTURE
        try:
            status, errors = attend(argv)
        except FileNotFoundError:
            say(f"{argv[0]}: not found (tools/setup.sh run)")
            return guest.INFRASTRUCTURE
        finally:
            if saved:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
    if s.accel == "kvm" and (why := kvm.failure(errors)):
        say(f"ACCEL=kvm: {why}")
        return guest.INFRASTRUCTURE
    if status < 0:
        return 128 - status
    return status >> 1 if s.arch == "x86_64" else status


def do_iso(s: Settings) -> int:
    print(iso.build_iso(s))
    return 0


def do_command(s: Settings) -> int:
    medium = s.out / "tarry.iso" if qemu.needs_iso(s) else None
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"], medium)
    print(shlex.join(argv))
    return 0


ACTIONS = {"exec": do_exec, "run": do_run, "iso": do_iso, "command": do_command}


def main(argv: list[str]) -> int:
    if len(argv) < 2 or argv[1] not in ACTIONS:
        print(__doc__.strip(), file=sys.stderr)
        return USAGE
    # A terminated launcher must run its clean-up, which kills QEMU.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return ACTIONS[argv[1]](parse({**given(os.environ), **words(argv[2:])}))
    except UsageError as error:
        say(f"error: {error}")
        return USAGE
    except qemu.CannotRun as error:
        say(str(error))
        return CANNOT_RUN
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more; do not complain at exit
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main(sys.argv))
