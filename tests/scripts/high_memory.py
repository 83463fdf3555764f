#!/usr/bin/env python3
"""Memory above 1 TiB, behind a hole of as much: a node there, whose pages are used and move.

QEMU's board has memory in one piece. A second one is that of a virtio-mem device, which may lie anywhere and can be used as it is; the
device tree, which does not name it, gets a node for it.
"""

import struct
import subprocess
import tempfile
from pathlib import Path

from common import Missing, guest, main, qemu, records, result, settings

BASE, LENGTH = 0x18000000000, 256 << 20  # 1.5 TiB
DEVICE = ["-object", f"memory-backend-ram,id=high,size={LENGTH},reserve=off",
          "-device", f"virtio-mem-pci,memdev=high,memaddr={BASE:#x}"]
FDT_BEGIN, FDT_END_NODE, FDT_PROP, FDT_NOP, FDT_END = 1, 2, 3, 4, 9  # Devicetree Specification 0.4, section 5.4


def with_memory(blob: bytes) -> bytes:
    """The tree with one more node below its root. QEMU replaces what is called memory, so it has another name."""
    magic, _, at, strings_at, reserved_at, version, last, cpu, strings_len, length = struct.unpack_from(">10I", blob)
    structs, strings = blob[at:at + length], blob[strings_at:strings_at + strings_len]
    while structs.endswith(struct.pack(">I", FDT_NOP)):
        structs = structs[:-4]
    end = struct.pack(">II", FDT_END_NODE, FDT_END)
    if not structs.endswith(end):
        raise Missing(f"the device tree ends with {structs[-8:]!r}")
    name = f"ram@{BASE:x}".encode() + b"\0"
    node = struct.pack(">I", FDT_BEGIN) + name + bytes(-len(name) % 4)
    for key, value in ((b"device_type", b"memory\0"), (b"numa-node-id", struct.pack(">I", 1)), (b"reg", struct.pack(">QQ", BASE, LENGTH))):
        node += struct.pack(">III", FDT_PROP, len(value), len(strings)) + value + bytes(-len(value) % 4)
        strings += key + b"\0"
    structs = structs[:-8] + node + struct.pack(">I", FDT_END_NODE) + end
    start = 40 + 16  # behind header and an empty list of reserved memory
    return (struct.pack(">10I", magic, start + len(structs) + len(strings), start, start + len(structs), 40, version, last, cpu,
                        len(strings), len(structs)) + blob[reserved_at:reserved_at + 16] + structs + strings)


def console(commands: str) -> str:
    s = settings(SMP=2, NODES="2:512M", CMD=commands)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        argv = qemu.command(s, Path(folder), ["-serial", "stdio", "-monitor", "none"])
        argv[argv.index("-m") + 1] += ",slots=1,maxmem=2T"
        tree = Path(folder, "tree.dtb")
        subprocess.run([*argv, *DEVICE, "-machine", f"dumpdtb={tree}"], capture_output=True, check=False, timeout=60)
        if not tree.exists():
            raise Missing("QEMU made no device tree")
        tree.write_bytes(with_memory(tree.read_bytes()))
        process = guest.start([*argv, *DEVICE, "-dtb", str(tree)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            return process.communicate(timeout=s.timeout)[0].decode("utf-8", "replace").replace("\r", "")
        finally:
            guest.kill(process)


def body() -> None:
    text = console("machine; test pmm.*; test migrate.*; bench migrate --pages 64 --rounds 2 --warmup 0 --schemes baseline,batch")
    block = records.extract(text)
    nodes = block.machines[0]["node"] if block.machines else []
    result("node", len(nodes) == 2 and nodes[1]["cpus"] == 0 and 0.9 * LENGTH < nodes[1]["pages"] * 4096 <= LENGTH, str(nodes))
    failed = [line for line in text.splitlines() if "not ok" in line]
    result("tests", not failed and text.count("# Totals: pass:7 fail:0") == 2, "; ".join(failed) or text[-500:])
    moved = [r["counters"]["pages_migrated"] for r in block.records if r["name"] == "migrate"]
    result("moves", moved == [128, 128] and "TARRY-END rc=0" in text, f"{moved}")


main(body)
