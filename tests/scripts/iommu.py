#!/usr/bin/env python3
"""An IOMMU that is on when the kernel starts, as some firmware leaves it: GRUB switches QEMU's on at the last moment, without
tables, so that no device's DMA passes. It is said; without ip= it is left so, and a device that does DMA is refused; with it it is off and the card works."""

import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from common import Missing, guest, main, qemu, result, settings, skip
from gdb_stub import Stub
from monitor import Monitored

# Registers of QEMU's VT-d: the root table's address, in memory that is zero, and commands: take it (bit 30), translate (bit 31).
VTD = ["0xfed90020 0x7000", "0xfed90024 0", "0xfed90018 0x40000000", "0xfed90018 0x80000000"]
AMD = ["0xfed80018 1"]
SMMU_CR0 = 0x9050020  # of the board `virt`; bit 0: translate
TIMEOUT = 60.0  # seconds
VM = "bench vm --pages 64 --pinned 100 --rounds 1 --warmup 0 --threads 1 --schemes baseline"


def alive(port: int) -> str:
    """What the guest answers over its card, "" if it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def console(device: str, writes: list[str], args: str, commands: str, port: int = 0, **changes: str) -> str:
    """Of a boot from the image that begins with these writes of registers. GRUB's further lines are blank, to be replaced."""
    more = "".join(["insmod memrw\n", *(f"write_dword {write}\n" for write in writes)]).encode()
    patch = (b"\nboot\n" + b"\n" * len(more), b"\n" + more + b"boot\n")
    with Monitored(["-serial", "file:/dev/stdout"], ("-device", device), patch, BOOT="iso", NET=f"e1000,{port}-80" if port else "e1000",
                   ARGS=args, CMD=commands, **changes) as guest:
        serial = Path(guest.scratch.name, "serial")
        guest.ask("chardev-change serial0 file,path=" + str(serial))
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            text = serial.read_text("utf-8", "replace") if serial.exists() else ""
            if re.search(r"^TARRY-END rc=", text, re.MULTILINE):
                return text.replace("\r", "")
            if port and (answer := alive(port)):
                return text + answer
            time.sleep(0.2)
    raise Missing(f"{device}: no end, the console shows {text[-300:]}")


def smmu_console(on: bool, **changes: str) -> str:
    """Of a boot by firmware with QEMU's SMMUv3, as its IORT names it; switched on before anything runs, without a stream table."""
    s = settings(**({"BOOT": "uefi"} | changes))
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        stopped = ["-S", "-gdb", f"unix:{folder}/gdb,server=on,wait=off"] if on else []
        process = guest.start([*argv, "-machine", "iommu=smmuv3", *stopped], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        try:
            if on:
                stub = Stub(Path(folder, "gdb"))
                stub.ask("Qqemu.PhyMemMode:1")
                stub.write(SMMU_CR0, b"\1\0\0\0")
                stub.go()
            return process.communicate(timeout=TIMEOUT)[0].decode("utf-8", "replace")
        finally:
            guest.kill(process)


def smmu() -> None:
    text = smmu_console(False, CMD="machine")
    result("smmuv3", "1 units, SMMUv3; 0 translate, 0 remap interrupts" in text, text[-1500:])
    text = smmu_console(True, CMD=f"machine; {VM}", EDU="1")
    result("smmuv3.device", "1 units, SMMUv3; 1 translate" in text and "an IOMMU is on, so the edu device" in text, text[-800:])
    text = smmu_console(True, CMD=VM, EDU="1", NET="e1000", ARGS="ip=dhcp")
    result("smmuv3.device-when-off", "left translation on: switched off for the network" in text and "device: edu, 2 transfers" in text,
           text[-800:])
    text = smmu_console(True, CMD=VM, EDU="1", BOOT="direct")  # no table names it
    result("smmuv3.device-unnamed", "DMA does not reach the kernel" in text and "or an IOMMU translates" in text, text[-800:])


def body() -> None:
    if settings().arch == "arm64":
        smmu()
        return
    if not qemu.has_network(settings()):
        skip("iommu", "built without network")
        return
    on = r"iommu at 0xfed90000: firmware left translation on: "
    text = console("intel-iommu", VTD, "", "machine")
    result("vt-d.left", bool(re.search(on + "left so", text)) and "1 units, VT-d; 1 translate, 0 remap" in text, text[-1500:])
    text = console("intel-iommu", VTD, "ip=dhcp", "machine")
    result("vt-d.off", bool(re.search(on + "switched off for the network", text)) and "1 units, VT-d; 0 translate" in text, text[-1500:])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = console("intel-iommu", VTD, "ip=10.0.2.15/24 net.http=80 net.open=read", "", port)
    result("vt-d.network", text.endswith("ok\n"), text[-500:])
    text = console("intel-iommu", VTD, "", VM, EDU="1")
    result("vt-d.device", "an IOMMU is on, so the edu device" in text and "TARRY-END rc=1" in text, text[-500:])
    text = console("amd-iommu", AMD, "", VM, EDU="1")
    result("amd.device", "an IOMMU is on, so the edu device" in text and "TARRY-END rc=1" in text, text[-500:])
    text = console("intel-iommu", VTD, "ip=dhcp", VM, EDU="1")
    result("vt-d.device-when-off", "device: edu, 2 transfers" in text and "TARRY-END rc=0" in text, text[-500:])
    text = console("amd-iommu", AMD, "ip=dhcp", "machine")
    result("amd.off", "0xfed80000: firmware left translation on: switched off" in text and "1 units, AMD's; 0 translate" in text, text[-1500:])


main(body)
