#!/usr/bin/env python3
"""ACCEL=kvm that fails: QEMU's own reason and what to use instead, long before the timeout.

A program stands in for QEMU and fails in each of the ways that QEMU does: it says what KVM said and stays there with
a stopped guest, or ends at once. The messages are QEMU 7.2's, the first one as a real machine printed it.
"""

import contextlib
import io
import os
import platform
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import launch  # noqa: E402
from tarrylib.run import guest, ktap, kvm, qemu, settings  # noqa: E402

OUT = ktap.Writer()
TIMEOUT = "20"  # seconds of the guest; no reason takes that long

FIRST = "Tarry 0.1.0 x86_64 build x"
AVX = """KVM internal error. Suberror: 1
extra data[0]: 0x0000000000000001
emulation failure
RAX=00000000d7bff99a RBX=000019efd7bff99a RCX=000000000007303c RDX=000019ef00000000
RIP=ffffffff80145647 RFL=00000282 [--S----] CPL=0 II=0 A20=1 SMM=0 HLT=0
Code=00 48 81 ec 80 00 00 00 <c5> fe 7f 04 24 c5 fe 7f 4c 24 20"""
OTHER = AVX.replace("<c5>", "<0f>")

# name: (what it says on standard error, whether it stays, exit status, words of the message)
WAYS = {
    "avx": (AVX, True, 0, ("Suberror: 1, emulation failure at RIP=ffffffff80145647", "hw=-avx", "ACCEL=tcg")),
    "other-instruction": (OTHER, True, 0, ("emulation failure", "hw=-NAME", "ACCEL=tcg")),
    "run-failed": ("error: kvm run failed Bad address", True, 0, ("kvm run failed Bad address", "ACCEL=tcg")),
    "entry-failed": ("KVM: entry failed, hardware error 0x80000021", True, 0, ("0x80000021", "ACCEL=tcg")),
    "no-permission": ("Could not access KVM kernel module: Permission denied\n"
                      "qemu: -accel kvm: failed to initialize kvm: Permission denied", False, 1,
                      ("Permission denied", "ACCEL=tcg")),
    "not-built-in": ("qemu: -accel kvm: invalid accelerator kvm", False, 1, ("invalid accelerator", "ACCEL=tcg")),
    "anything-else": ("qemu: something new", False, 1, ("something new",)),
}


@contextlib.contextmanager
def stand_in(folder: Path, said: str, stays: bool, status: int):
    """A QEMU on PATH that boots, complains, and stays or ends; a kernel and a /dev/kvm for it."""
    program = folder / "qemu-system-x86_64"
    end = "exec sleep 600" if stays else f"exit {status}"
    program.write_text(f"#!/bin/sh\necho '{FIRST}'\ncat >&2 <<'EOF'\n{said}\nEOF\n{end}\n")
    program.chmod(0o755)
    (folder / "x86_64").mkdir(exist_ok=True)
    (folder / "x86_64/tarry.elf").touch()
    (folder / "kvm").touch()
    path, device, machine = os.environ["PATH"], kvm.DEVICE, platform.machine
    os.environ["PATH"], kvm.DEVICE, platform.machine = f"{folder}:{path}", folder / "kvm", lambda: "x86_64"
    try:
        yield settings.parse({"ACCEL": "kvm", "CMD": "show", "TIMEOUT": TIMEOUT, "BUILD": str(folder)})
    finally:
        os.environ["PATH"], kvm.DEVICE, platform.machine = path, device, machine


def held(name: str, said: str, words: tuple[str, ...]) -> None:
    OUT.result(name, "timed out" not in said and all(word in said for word in words), said or "nothing")


def test_exec() -> None:
    for name, (said, stays, status, words) in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="tarry-") as folder, stand_in(Path(folder), said, stays, status) as s:
            run = guest.run(s)
        held(f"exec.{name}", run.message, words)
        OUT.result(f"exec.{name}.status", run.code == guest.INFRASTRUCTURE, f"{run.code}")


def test_run() -> None:
    """`make run` shows what QEMU says as it comes, ends it, and says the rest."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder, stand_in(Path(folder), *WAYS["avx"][:3]) as s:
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), open(os.devnull, "w", encoding="ascii") as null:
            stdout = os.dup(1)
            os.dup2(null.fileno(), 1)  # the stand-in's console is no part of this document
            try:
                code = launch.do_run(s)
            finally:
                os.dup2(stdout, 1)
    held("run.avx", errors.getvalue().splitlines()[-1], WAYS["avx"][3])
    OUT.result("run.shows-qemu", "extra data[0]" in errors.getvalue() and code == guest.INFRASTRUCTURE, f"{code}")


def test_cannot_start() -> None:
    """What is known before QEMU starts is a machine that cannot run this: 77 with the reason."""
    def refused(name: str, device: Path, machine: str, *words: str) -> None:
        old, kvm.DEVICE, real, platform.machine = kvm.DEVICE, device, platform.machine, lambda: machine
        try:
            qemu.command(settings.parse({"ACCEL": "kvm"}), Path("/nonexistent"), [])
            said = "accepted"
        except qemu.CannotRun as error:
            said = str(error)
        finally:
            kvm.DEVICE, platform.machine = old, real
        held(name, said, (*words, "ACCEL=tcg"))

    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        locked = Path(folder) / "kvm"
        locked.touch(mode=0)
        refused("start.no-device", Path(folder) / "nothing", "x86_64", "there is no")
        refused("start.other-architecture", locked, "aarch64", "this machine is arm64")
        user = os.getuid()
        if not user:
            os.setreuid(65534, 0)  # access() asks for the real user, and root may do everything
        refused("start.no-permission", locked, "x86_64", "no permission", "usermod")
        os.setreuid(user, -1)


def main() -> int:
    test_exec()
    test_run()
    test_cannot_start()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
