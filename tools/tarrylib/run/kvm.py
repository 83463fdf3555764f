"""Why KVM did not run a guest, from what QEMU says on standard error, and what to use instead.

When KVM gives up on a guest that runs, QEMU says so, stops the guest and stays there: nobody would hear of it
before the timeout. The messages are those of QEMU's accel/kvm/kvm-all.c and target/*/kvm/.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import threading
from pathlib import Path

DEVICE = Path("/dev/kvm")
INSTEAD = "use ACCEL=tcg"
AFTERMATH = 1.0  # seconds that QEMU gets to print the state of the CPU, from which the reason follows

# QEMU has stopped the guest and will not go on.
_STOPPED = re.compile(r"^(?:KVM internal error\. Suberror: \d+|error: kvm run failed .*"
                      r"|KVM: (?:entry failed|unknown exit|exception \d+ exit).*)$", re.MULTILINE)
# The instruction that KVM was to emulate: VEX (AVX) and EVEX (AVX-512) prefixes, which it has no decoder for.
_VECTOR_CODE = re.compile(r"^Code=.*<(?:c4|c5|62)>", re.MULTILINE)
_RIP = re.compile(r"^RIP=([0-9a-f]+)", re.MULTILINE)
_NO_START = re.compile(r"Could not access KVM kernel module: .*|failed to initialize kvm: .*|invalid accelerator kvm"
                       r"|kvm_init_vcpu.*failed.*", re.IGNORECASE)


def missing(arch: str) -> str:
    """Why this machine cannot even try, and what to do; "" if it can."""
    host = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if host != arch:
        return f"this machine is {host}, and KVM runs guests of its own kind only: {INSTEAD}"
    if not DEVICE.exists():
        return f"there is no {DEVICE} here (no kvm module, or a virtual machine without nesting): {INSTEAD}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"no permission for {DEVICE}: join its group (usermod -aG kvm USER, then log in again), or {INSTEAD}"
    return ""


def failure(stderr: str) -> str:
    """QEMU's reason in one line, with what to use instead; "" if it speaks of no failure of KVM."""
    if stopped := _STOPPED.search(stderr):
        emulation = "emulation failure" in stderr
        rip = _RIP.search(stderr)
        said = stopped[0] + (", emulation failure" if emulation else "") + (f" at RIP={rip[1]}" if rip else "")
        if emulation and _VECTOR_CODE.search(stderr):
            return f"{said}: this KVM cannot emulate an AVX instruction; add ARGS='hw=-avx', or {INSTEAD}"
        if emulation:
            return f"{said}: take the feature away that it does not know (ARGS='hw=-NAME,..'), or {INSTEAD}"
        return f"{said}: {INSTEAD}"
    refused = _NO_START.search(stderr)
    return f"{refused[0]}: {INSTEAD}" if refused else ""


class Errors(threading.Thread):
    """QEMU's standard error, read as it comes; ends a QEMU whose guest KVM has stopped."""

    def __init__(self, process: subprocess.Popen, echo: bool = False):
        super().__init__(daemon=True)
        self.process = process
        self.echo = echo  # to our own standard error, too
        self.text = ""
        self.start()

    def run(self) -> None:
        ending = None
        for data in self.process.stderr:
            line = data.decode("utf-8", "replace")
            self.text += line
            if self.echo:
                sys.stderr.write(line)
                sys.stderr.flush()
            if not ending and _STOPPED.search(line):
                ending = threading.Timer(AFTERMATH, self.process.kill)
                ending.daemon = True
                ending.start()
        self.process.stderr.close()

    def done(self) -> str:
        """Everything, once QEMU has ended."""
        self.join(5)  # a child of QEMU that outlives it could keep the pipe open
        return self.text
