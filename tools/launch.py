#!/usr/bin/env python3
"""Boot Tarry in QEMU.

Usage: tools/launch.py exec|run|iso|command [NAME=VALUE ...]

exec     boot, run CMD, power off; stdout is the guest's console and nothing else. HOST=ADDRESS[:PORT]: have a machine that is
         there run CMD, over the network, as tools/tarryctl.py does; stdout is what it printed
run      interactive console on this terminal; leave with exit, Ctrl-D or Ctrl-A x
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
import threading
from collections.abc import Mapping
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import tarryctl  # noqa: E402
from tarrylib.run import guest, kvm, media, qemu  # noqa: E402
from tarrylib.run.settings import Settings, UsageError, follow_host, given, parse, words  # noqa: E402

USAGE, CANNOT_RUN = 2, 77
CTRL_D = b"\x04"


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


def do_remote(where: str, values: Mapping[str, str]) -> int:
    """The same command on a machine in a rack. What describes a boot is for QEMU, and says nothing here."""
    cmd, idle = values.get("CMD", ""), sorted(set(values) - {"CMD", "ARCH", "BUILD"})
    if not cmd:
        raise UsageError("exec: CMD='command; command' is missing")
    if idle:
        say(f"HOST={where}: it is as it is, whatever {', '.join(idle)} may say")
    try:
        rc, output = tarryctl.Machine(where, os.environ.get("TARRY_TOKEN", "")).run(cmd)
    except tarryctl.NoAnswer as error:
        say(str(error))
        return guest.INFRASTRUCTURE
    sys.stdout.buffer.write(output)
    return rc


def feed(process: subprocess.Popen) -> None:
    """Give the guest what comes on our standard input. At its end the guest ends, too: QEMU would
    only stop reading, so the end is typed as on a terminal, on a line of its own."""
    last = b"\n"
    try:
        while data := os.read(0, 65536):
            process.stdin.write(data)
            last = data
        process.stdin.write(CTRL_D if last.endswith((b"\n", b"\r")) else b"\n" + CTRL_D)
    except BrokenPipeError:
        pass  # the guest has ended before its input


def converse(process: subprocess.Popen) -> None:
    """Pass on what the guest prints until it ends, and from its prompt on our standard input."""
    feeder = threading.Thread(target=feed, args=(process,), daemon=True)
    seen = b""
    while data := process.stdout.read(65536):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        seen = seen[-len(guest.PROMPT):] + data
        # Firmware would take what comes earlier for itself, and a UART that starts forgets it.
        if guest.PROMPT in seen and not feeder.ident:
            feeder.start()


def attend(argv: list[str], on_terminal: bool) -> tuple[int, str]:
    """Run QEMU on our terminal, or on what is our standard input instead; its exit status, and what it
    said on standard error, which is shown, too."""
    pipes = {} if on_terminal else {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, **pipes) as process:
        errors = kvm.Errors(process, echo=True)
        try:
            if not on_terminal:
                converse(process)
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
        say(f"SMP={s.smp}; leave with exit, Ctrl-D or Ctrl-A x (Ctrl-A h for more)")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        scratch = Path(folder)
        medium = media.medium(s, scratch)
        argv = qemu.command(s, scratch, serial, medium)
        if not qemu.kernel(s).exists():
            say(f"no {qemu.kernel(s)}: build it first")
            return guest.INFRASTRUCTURE
        try:
            status, errors = attend(argv, on_terminal)
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
    print(media.build_iso(s))
    return 0


def do_command(s: Settings) -> int:
    medium = s.out / ("netboot" if s.boot.startswith("pxe") else "tarry.iso") if qemu.needs_medium(s) else None
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
        where = [word.removeprefix("HOST=") for word in argv[2:] if word.startswith("HOST=")]
        values = {**given(os.environ), **words([word for word in argv[2:] if not word.startswith("HOST=")])}
        if where and argv[1] != "exec":
            raise UsageError(f"HOST={where[0]}: only exec takes one")
        if where:
            return do_remote(where[0], values)
        if argv[1] == "run":
            values = follow_host(values)
        return ACTIONS[argv[1]](parse(values))
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
