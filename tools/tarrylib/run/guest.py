"""Run one guest: start QEMU, take its console, stop it in time, judge how it ended."""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import kvm, media, qemu
from .settings import Settings

TIMEOUT, INFRASTRUCTURE = 124, 125  # exit statuses, beside the guest's own
END_GRACE = 15.0  # seconds a guest may take to power off after its end marker
NICE = 10  # of what gives way: about a tenth of a CPU that others want, too

BOOT_LINE = re.compile(rb"Tarry \S+ (?:x86_64|arm64)\b")
PROMPT = b"tarry> "
END_LINE = re.compile(rb"^TARRY-END rc=(\d+)\s*$", re.MULTILINE)


@dataclass
class Run:
    """What came of one boot."""
    argv: list[str]
    console: bytes  # without carriage returns, from the boot line on
    code: int  # exit status by conventions: the guest's verdict, or 124, 125
    message: str  # why, if the code is not simply the guest's verdict
    seconds: float
    booted: bool  # the first line came
    guest_rc: int | None  # of the last end marker

    @property
    def text(self) -> str:
        return self.console.decode("utf-8", "replace")


class ConsoleFilter:
    """Drops carriage returns and, where firmware talks first, everything before the boot line."""

    def __init__(self, firmware_talks: bool):
        self.skipping = firmware_talks
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        data = data.replace(b"\r", b"")
        if not self.skipping:
            return data
        self.held += data
        match = BOOT_LINE.search(self.held)
        if not match:
            return b""
        self.skipping = False
        out, self.held = self.held[match.start():], b""
        return out


_libc = ctypes.CDLL(None)  # loaded here, since little may be done between fork and exec
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _die_with_parent() -> None:
    """In the child: be killed if this process is, so that no emulator stays behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(argv: list[str], **kwargs) -> subprocess.Popen:
    """Start QEMU in a process group of its own."""
    return subprocess.Popen(argv, start_new_session=True, preexec_fn=_die_with_parent, **kwargs)


def give_way(process: subprocess.Popen) -> None:
    """Others go first, also where the host shares its CPUs out by sessions (kernel.sched_autogroup_enabled)."""
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        Path(f"/proc/{process.pid}/autogroup").write_text(str(NICE))
    except OSError:
        pass  # it has ended, or there are no such groups: it only takes longer


def kill(process: subprocess.Popen) -> None:
    """End QEMU and all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def status_of(arch: str, rc: int) -> int:
    """QEMU's exit status when the guest ends with rc: isa-debug-exit, or semihosting."""
    return rc << 1 | 1 if arch == "x86_64" else rc


def judge(arch: str, console: bytes, status: int, stderr: str) -> tuple[int, str, int | None]:
    """(exit status, message, guest's rc) from the end marker and QEMU's status: they must agree."""
    ends = END_LINE.findall(console)
    booted = BOOT_LINE.search(console)
    said = f": {stderr.strip()}" if stderr.strip() else ""
    if not ends:
        what = "ended without an end marker" if booted else "printed no first line"
        return INFRASTRUCTURE, f"the guest {what} (QEMU status {status}){said}", None
    rc = int(ends[-1])
    # 0 on x86-64 is a plain power-off: no verdict, so the marker alone counts.
    if status != status_of(arch, rc) and not (arch == "x86_64" and status == 0):
        return INFRASTRUCTURE, (f"the end marker says rc={rc}, which is QEMU status "
                                f"{status_of(arch, rc)}, but it was {status}{said}"), rc
    return rc, "", rc


class _Session:
    """One QEMU being read to its end."""

    def __init__(self, s: Settings, on_data: Callable[[bytes], None] | None):
        self.settings = s
        self.on_data = on_data
        self.filter = ConsoleFilter(firmware_talks=s.boot != "direct")
        self.console = bytearray()
        self.deadline = time.monotonic() + s.timeout
        self.ended = False

    def take(self, data: bytes) -> None:
        data = self.filter.feed(data)
        self.console += data
        if self.on_data and data:
            self.on_data(data)
        tail = self.console[-256 - len(data):]  # a marker may straddle two reads
        if not self.ended and END_LINE.search(tail):
            self.ended = True
            self.deadline = min(self.deadline, time.monotonic() + END_GRACE)

    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def read_pipe(self, process: subprocess.Popen) -> bool:
        """Take the console from a pipe as it comes. False if time ran out."""
        try:
            return self.read_as_it_comes(process, process.stdout.fileno())
        except (KeyboardInterrupt, SystemExit):  # what it printed before that counts
            kill(process)
            while data := os.read(process.stdout.fileno(), 65536):
                self.take(data)
            raise

    def read_as_it_comes(self, process: subprocess.Popen, fd: int) -> bool:
        while True:
            if not select.select([fd], [], [], self.left())[0]:
                return False
            data = os.read(fd, 65536)
            if not data:
                break
            self.take(data)
        try:
            process.wait(self.left())
        except subprocess.TimeoutExpired:
            return False
        return True

    def read_file(self, process: subprocess.Popen, path: Path) -> bool:
        """Wait, then take the console from its file: nothing outside the guest paces it."""
        try:
            process.wait(self.left())
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
            kill(process)
        finally:  # interrupted, too
            self.take(path.read_bytes() if path.exists() else b"")
        return in_time


def run(s: Settings, on_data: Callable[[bytes], None] | None = None) -> Run:
    """Boot, wait for the end or the timeout, judge. on_data gets the console as it comes.

    Raises UsageError or CannotRun if there is nothing to start.
    """
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        return _run(s, Path(folder), on_data)


def _run(s: Settings, scratch: Path, on_data: Callable[[bytes], None] | None) -> Run:
    serial = scratch / "serial"
    medium = media.medium(s, scratch)
    console = ["-serial", f"file:{serial}" if s.det else "stdio", "-monitor", "none"]
    argv = qemu.command(s, scratch, console, medium)
    session = _Session(s, on_data)
    begin = time.monotonic()

    def result(code: int, message: str, guest_rc: int | None = None) -> Run:
        shown = bytes(session.console) or session.filter.held  # firmware alone: show that
        return Run(argv, shown, code, message, time.monotonic() - begin,
                   BOOT_LINE.search(shown) is not None, guest_rc)

    if not qemu.kernel(s).exists():
        return result(INFRASTRUCTURE, f"no {qemu.kernel(s)}: build it first (make ARCH={s.arch})")
    try:
        process = start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        return result(INFRASTRUCTURE, f"{argv[0]}: {error.strerror} (tools/setup.sh run)")
    stderr = kvm.Errors(process)
    try:
        in_time = session.read_file(process, serial) if s.det else session.read_pipe(process)
    finally:
        kill(process)
    errors = stderr.done()
    if s.accel == "kvm" and not session.ended and (why := kvm.failure(errors)):
        return result(INFRASTRUCTURE, f"ACCEL=kvm: {why}")
    if not in_time and not session.ended:
        said = f"; QEMU says: {errors.strip()[-400:]}" if errors.strip() else ""
        return result(TIMEOUT, f"timed out after {s.timeout} s{said}")
    if not in_time:
        return result(INFRASTRUCTURE, "the guest did not power off after its end marker")
    return result(*judge(s.arch, bytes(session.console), process.returncode, errors))
