#!/usr/bin/env python3
"""Tests of what boots a guest: settings, QEMU's command line, a boot's verdict, cases, the runner and the launcher.

In place of QEMU a program that prints what a guest might, and ends as QEMU might.
"""

import contextlib
import io
import os
import stat
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "tests"))
import launch  # noqa: E402
import mksyms  # noqa: E402
import run as runner  # noqa: E402
from tarrylib.run import cases, cgroup, guest, junit, ktap, media, qemu, settings  # noqa: E402

OUT = ktap.Writer()
MIB = 1 << 20
FIRST = "Tarry 0.1.0 x86_64 x"


def equal(name: str, got: object, expected: object) -> None:
    OUT.result(name, got == expected, "" if got == expected else f"got {got!r}, not {expected!r}")


def refused(name: str, says: str, what, *args: object, kind: type[Exception] = settings.UsageError) -> None:
    try:
        OUT.result(name, False, f"accepted: {what(*args)!r}")
    except kind as error:
        OUT.result(name, says in str(error), str(error))


def parsed(**values: str) -> settings.Settings:
    return settings.parse(values)


# --- settings --------------------------------------------------------------------------
def test_limits() -> None:
    for name, low, high in (("SMP", 1, 4096), ("NODES", 1, 64), ("TIMEOUT", 1, 86400), ("GIC", 2, 3)):
        more = {"MEM": "1G", "ARCH": "arm64"}
        for value in (low, high):
            OUT.result(f"limits.{name.lower()}.{value}", bool(parsed(**more, **{name: str(value)})))
        for value in (low - 1, high + 1):
            refused(f"limits.{name.lower()}.not-{value}", f"{name}={value}: not a number from {low} to {high}",
                    settings.parse, more | {name: str(value)})
    equal("limits.seed", parsed(DET="1", SEED=str(2**63 - 1)).seed, 2**63 - 1)
    equal("limits.seed-0", parsed(DET="1", SEED="0").seed, 0)
    refused("limits.seed-above", "SEED", settings.parse, {"DET": "1", "SEED": str(2**63)})
    for text, size in (("1", MIB), ("7k", 7 << 10), ("7M", 7 * MIB), ("2G", 2 << 30), ("1T", 1 << 40)):
        equal(f"size.{text.lower()}", settings.parse_size("MEM", text), size)
    for text in ("", "G", "1X", "1.5G", "-1", "1GB"):
        refused(f"size.not-{text.lower() or 'nothing'}", "not a size such as 512M or 4G", settings.parse_size, "MEM", text)
    equal("nodes.least", [n.mem // MIB for n in parsed(NODES="2", MEM="4M").nodes], [2, 2])
    refused("nodes.less-than-least", "MEM: 3M is less than 2 MiB for each of 2 nodes", settings.parse, {"NODES": "2", "MEM": "3M"})
    refused("nodes.part-of-a-mib", "memory must be whole MiB", settings.parse, {"NODES": "1:1025K"})
    equal("nodes.override", (parsed(NODES="4096:1M").smp, parsed(NODES="1:3M,0:4M").mem // MIB), (4096, 7))
    refused("nodes.too-many-cpus", "NODES=4097", settings.parse, {"NODES": "4097:1M"})
    for values, says in (({"DET": "1", "ACCEL": "kvm"}, "DET=1: needs ACCEL=tcg"), ({"DET": "2"}, "DET=2"),
                         ({"CMD": "a\nb"}, "control characters"), ({"ARGS": "a\x1fb"}, "control characters"),
                         ({"ARGS": 'a"b'}, "unpaired"), ({"EL2": "2"}, "EL2=2"), ({"EDU": "2"}, "EDU=2"), ({"ACCEL": "xen"}, "ACCEL=xen"),
                         ({"WHAT": "1"}, "unknown setting WHAT"), ({"ARCH": "arm64", "MACHINE": "q35"}, "MACHINE=q35")):
        refused(f"refused.{says.split(':')[0].replace(' ', '-').replace('=', '-').lower()}", says, settings.parse, values)
    equal("machine.x86", [parsed(MACHINE=m).machine for m in ("", "q35", "pc", "microvm")], ["q35", "q35", "pc", "microvm"])
    equal("machine.arm64", parsed(ARCH="arm64").machine, "virt")
    equal("words", settings.words(["SMP=2", "CMD=a=b"]), {"SMP": "2", "CMD": "a=b"})
    refused("words.no-value", "SMP: not one of", settings.words, ["SMP"])
    refused("words.unknown", "X=1: not one of", settings.words, ["X=1"])
    equal("given", settings.given({"SMP": "3", "CMD": "", "HOME": "/"}), {"SMP": "3"})
    equal("masked", [settings.masked(line) for line in ("a net.token=abc b", 'net.token="a b" c', '"net.token=a b" c', "xnet.tokens=a")],
          ["a net.token=*** b", "net.token=*** c", '"net.token=***" c', "xnet.tokens=a"])
    equal("split", settings.split_words('a "b c"  d="e f" '), ["a", "b c", "d=e f"])
    for number, text in enumerate(("ip=dhcp net.token={} x=1", 'a "net.token={}" b', 'net.token="{}"', "ARGS=net.token={}")):
        equal(f"masked.{number}", settings.masked(text.format("correct-horse-battery")), text.format("***").replace('"***"', "***"))
    equal("line.space-no-value", settings.boot_line(parsed(ARGS='"a b"', DET="1")), '"a b" records.width=0 det=1')
    equal("line.not-deterministic", settings.boot_words(parsed(CMD="x"))[-2:], [f"host.cpus={settings.host_cpus()}", "tarry.run=x"])


# --- the command line -------------------------------------------------------------------
def argv_of(*more: str, iso_path: Path | None = None, **values: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return " ".join(qemu.command(settings.parse(values), Path(folder), list(more), iso_path))


X86 = ("qemu-system-x86_64 -accel tcg,thread=multi -machine q35 -cpu max -m 1024M -smp 4,sockets=2,cores=2,threads=1 "
       "-object memory-backend-ram,id=m0,size=512M,reserve=off -numa node,nodeid=0,memdev=m0,cpus=0-1 "
       "-object memory-backend-ram,id=m1,size=512M,reserve=off -numa node,nodeid=1,memdev=m1,cpus=2-3 "
       "-numa dist,src=0,dst=0,val=10 -numa dist,src=0,dst=1,val=20 -numa dist,src=1,dst=0,val=20 -numa dist,src=1,dst=1,val=10 "
       f"-display none -serial stdio -no-reboot -nic none -device isa-debug-exit,iobase=0xf4,iosize=0x04 "
       f"-kernel build/x86_64/tarry.elf -append records.width=0 host.cpus={settings.host_cpus()} tarry.run=show")
ARM = ("qemu-system-aarch64 -accel tcg -icount shift=3,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm "
       "-machine virt,gic-version=2,virtualization=on -cpu cortex-a72 -m 2048M -smp 1,sockets=1,cores=1,threads=1 "
       "-object memory-backend-ram,id=m0,size=2048M,reserve=off -numa node,nodeid=0,memdev=m0,cpus=0-0 "
       "-numa dist,src=0,dst=0,val=10 -display none -no-reboot -nic none -semihosting -kernel o/arm64/Image -append records.width=0 det=1")


V2 = "36 25 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
V1 = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct"
NO_CPU = "34 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
QUOTAS = {  # name: (groups of the process, mounts, files below /sys/fs/cgroup, CPUs)
    "none": ("0::/", V2, {}, None),
    "own": ("0::/a/b", V2, {"a/b/cpu.max": "250000 100000"}, 2.5),
    "max": ("0::/a/b", V2, {"a/b/cpu.max": "max 100000"}, None),
    "enclosing": ("0::/a/b", V2, {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
    "least-is-outside": ("0::/a/b", V2, {"a/b/cpu.max": "500000 100000", "a/cpu.max": "150000 50000"}, 3),
    "least-is-inside": ("0::/a/b", V2, {"a/b/cpu.max": "100000 100000", "cpu.max": "300000 100000"}, 1),
    "neighbour": ("0::/a/b", V2, {"a/c/cpu.max": "100000 100000"}, None),
    "below": ("0::/a", V2, {"a/b/cpu.max": "100000 100000"}, None),
    "v1": ("3:cpu,cpuacct:/a/b\n0::/", V1,
           {"cpu/a/cpu.cfs_quota_us": "70000", "cpu/a/cpu.cfs_period_us": "20000",
            "cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000"}, 3.5),
    "v1-of-memory": ("3:memory:/a", NO_CPU,
                     {"memory/a/cpu.cfs_quota_us": "100000", "memory/a/cpu.cfs_period_us": "100000"}, None),
    "both": ("3:cpu:/a\n0::/c", V1 + "\n" + V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"),
             {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000",
              "unified/c/cpu.max": "200000 100000"}, 2),
    "container": ("0::/box/a", V2.replace(" / ", " /box ", 1), {"a/cpu.max": "200000 100000"}, 2),
    "other-box": ("0::/boxes/a", V2.replace(" / ", " /box ", 1), {"cpu.max": "200000 100000", "es/a/cpu.max": "1 1"}, 2),
    "outside": ("0::/../x", V2, {"cpu.max": "200000 100000", "x/cpu.max": "100000 100000"}, 2),
    "odd": ("rubbish\n0::/a", V2 + "\nshort line", {"a/cpu.max": "many 100000", "cpu.max": "9 0"}, None),
}


def test_quotas() -> None:
    for name, (groups, mounts, files, cpus) in QUOTAS.items():
        with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
            for path, text in ({"proc/self/cgroup": groups, "proc/self/mountinfo": mounts} |
                               {f"sys/fs/cgroup/{path}": text for path, text in files.items()}).items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text + "\n")
            equal(f"quota.{name}", cgroup.quota(Path(folder)), cpus)
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        equal("quota.no-proc", cgroup.quota(Path(folder)), None)


def test_command() -> None:
    equal("qemu.x86", argv_of("-serial", "stdio", CMD="show"), X86)
    equal("qemu.arm64", argv_of(ARCH="arm64", GIC="2", EL2="1", DET="1", CPU="cortex-a72", SMP="1", NODES="1", MEM="2G",
                                BUILD="o"), ARM)
    for nodes, smp in (("1:1M,2:1M", "3"), ("1:1M,1:1M,0:1M", "2,sockets=2,cores=1,threads=1"), ("3:1M,3:1M", "6,sockets=2,cores=3,threads=1"),
                       ("127:1M", "127,sockets=1,cores=127,threads=1"), ("128:1M", "128,sockets=1,cores=128,threads=1"),
                       ("129:1M", "129"), ("64:1M,64:1M,64:1M", "192,sockets=3,cores=64,threads=1"),
                       ("64:1M,64:1M,64:1M,64:1M", "256")):
        words = argv_of(NODES=nodes).split()
        equal(f"qemu.smp.{nodes.replace(':', '-').replace(',', '_').lower()}", words[words.index("-smp") + 1], smp)
    words = argv_of(MACHINE="microvm").split()
    equal("qemu.net", [w for w in argv_of(NET="virtio,2323-23,8080-80").split() if "net0" in w],
          ["user,id=net0,hostfwd=tcp:127.0.0.1:2323-:23,hostfwd=tcp:127.0.0.1:8080-:80", "virtio-net-pci-non-transitional,netdev=net0"])
    equal("qemu.net-mmio", "-device virtio-net-device,netdev=net0 -global virtio-mmio.force-legacy=false" in argv_of(
        ARCH="arm64", NET="virtio-mmio"), True)
    equal("qemu.net-none", "-nic none" in argv_of(NET="none"), True)
    equal("qemu.edu", ["edu" in argv_of(EDU=value) for value in ("0", "1")], [False, True])
    equal("qemu.edu-reaches-all-memory", "-device edu,dma_mask=0xffffffffffffffff" in argv_of(EDU="1", ARCH="arm64"), True)
    refused("qemu.edu-without-pci", "MACHINE=microvm has no PCI", lambda: argv_of(EDU="1", MACHINE="microvm"))
    equal("qemu.microvm-has-no-nodes", "-numa" in words, False)
    for boot in ("iso", "uefi"):
        refused(f"qemu.microvm-not-{boot}", "boots directly only", argv_of_microvm, boot)
    equal("qemu.cd", argv_of(BOOT="iso", iso_path=Path("x.iso")).endswith("-cdrom x.iso"), True)
    equal("qemu.needs-medium", [qemu.needs_medium(parsed(ARCH=a, BOOT=b)) for a in ("x86_64", "arm64")
                                for b in ("direct", "iso", "uefi", "usb", "pxe")],
          [False, True, True, True, True, False, True, False, True, True])
    equal("qemu.usb", [word for word in argv_of(BOOT="usb", iso_path=Path("x.iso")).split() if "stick" in word],
          ["if=none,id=stick,file=x.iso,format=raw,readonly=on", "usb-storage,drive=stick,bootindex=0"])
    equal("qemu.pxe", [word.partition(",tftp=")[2] for word in (argv_of(BOOT="pxe", iso_path=Path("net")).split()
                                                                 + argv_of(ARCH="arm64", BOOT="pxe", iso_path=Path("net")).split())
                       if "tftp=" in word],
          ["net,bootfile=grub/i386-pc/core.0", "net,bootfile=grub/arm64-efi/core.efi"])
    refused("qemu.other-without-program", "tools/fetch.sh qemu", lambda: argv_of(QEMU="/nonexistent"), kind=qemu.CannotRun)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "usr/bin").mkdir(parents=True)
        Path(folder, "usr/bin/qemu-system-x86_64").touch()
        equal("qemu.other", argv_of(QEMU=folder).split()[:3], [f"{folder}/usr/bin/qemu-system-x86_64", "-L", "/usr/share/seabios"])
    equal("qemu.many-cpus", [",kernel-irqchip=split" in argv_of(SMP=n) for n in ("255", "288")], [False, True])
    line = "x" * (qemu.PVH_LINE_MAX - len("records.width=0 det=1 "))
    equal("qemu.longest-line", len(argv_of(DET="1", ARGS=line)) > qemu.PVH_LINE_MAX, True)
    refused("qemu.line-too-long", "takes more", argv_of_line, line + "x")
    equal("qemu.line-arm64", len(argv_of(ARCH="arm64", ARGS=line + "xx")) > qemu.PVH_LINE_MAX, True)
    with tempfile.TemporaryDirectory() as folder:
        refused("qemu.no-tables", "no *.dat, *.aml or *.bin", argv_of_tables, folder)
        for name in ("b.aml", "a.dat", "c.bin", "d.txt"):
            (Path(folder) / name).write_text("x")
        words = argv_of(ACPITABLES=folder)
        equal("qemu.tables", [word for word in words.split() if word.startswith("file=")],
              [f"file={folder}/{name}" for name in ("a.dat", "b.aml", "c.bin")])
        equal("qemu.tables-no-numa", ("-numa" in words, "-smp 4 " in words), (False, True))
        refused("qemu.tables-arm64", "only x86_64 has it", argv_of_tables, folder, "arm64")
        (Path(folder) / "e,f.dat").write_text("x")
        refused("qemu.tables-comma", "no comma", argv_of_tables, folder)
    for attribute, arch in (("OVMF_CODE", "x86_64"), ("ARM_EFI", "arm64")):
        saved = getattr(qemu, attribute)
        setattr(qemu, attribute, Path("/nonexistent"))
        refused(f"qemu.no-firmware-{arch}", "no /nonexistent", argv_of_uefi, arch, kind=qemu.CannotRun)
        setattr(qemu, attribute, saved)


def argv_of_microvm(boot: str) -> str:
    return argv_of(MACHINE="microvm", BOOT=boot, iso_path=Path("x"))


def argv_of_line(line: str) -> str:
    return argv_of(DET="1", ARGS=line)


def argv_of_tables(folder: str, arch: str = "x86_64") -> str:
    return argv_of(ACPITABLES=folder, ARCH=arch)


def argv_of_uefi(arch: str) -> str:
    return argv_of(BOOT="uefi", ARCH=arch, iso_path=Path("x"))


# --- a CD's boot line ---------------------------------------------------------------------
def test_iso() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        out = scratch / "b/x86_64"
        out.mkdir(parents=True)
        (out / "tarry.elf").write_bytes(b"kernel")
        stock = b"head" + media.ARGS_MARK.ljust(media.ARGS_SIZE, b"\n") + b"tail"
        (out / "tarry.iso").write_bytes(stock)
        later = Path(media.__file__).stat().st_mtime + 10
        os.utime(out / "tarry.iso", (later, later))
        os.utime(out / "tarry.elf", (later - 5, later - 5))

        def made(**values: str) -> bytes:
            return media.iso_with_args(parsed(BUILD=str(scratch / "b"), DET="1", **values), scratch).read_bytes()

        data = made(CMD="show; numa")
        script = b"multiboot2 /boot/tarry.elf 'records.width=0' 'det=1' 'tarry.run=show; numa'\nboot\n"
        equal("iso.patched", (data[:4], data[4:4 + len(script)], data[-5:], len(data)), (b"head", script, b"\ntail", len(stock)))
        equal("iso.word-of-8000", len(made(ARGS="x" * 8000)), len(stock))
        for says, values in (("no word of more than 8000", {"ARGS": "x" * 8001}), ("quotes", {"CMD": "it's"}),
                             ("quotes", {"ARGS": "a\\b"}), ("boot line longer", {"ARGS": " ".join(["y" * 7990] * 5)})):
            refused(f"iso.{says.replace(' ', '-')}-{len(values)}-{list(values)[0].lower()}", says, lambda v=values: made(**v))
        # The longest that fits, to the byte.
        fixed = len(b"multiboot2 /boot/tarry.elf 'records.width=0' 'det=1'\nboot\n")
        rest = media.ARGS_SIZE - fixed
        words = ["z" * 7997] * 4 + ["z" * (rest - 4 * 8000 - 3)]
        equal("iso.longest-line", len(made(ARGS=" ".join(words))), len(stock))
        refused("iso.a-byte-more", "boot line longer", lambda: made(ARGS=" ".join(words) + "z"))
        for name, content in (("no-place", b"x" * 100), ("two-places", stock + stock)):
            (out / "tarry.iso").write_bytes(content)
            os.utime(out / "tarry.iso", (later, later))
            refused(f"iso.{name}", "exactly once", made, kind=qemu.CannotRun)
        equal("iso.arm64", media._load_command(parsed(ARCH="arm64")), "linux /boot/Image")


# --- boots ----------------------------------------------------------------------------------
GUEST = """#!/usr/bin/python3
import os, sys, time
text = os.environ.get("GUEST_SAYS", "").replace("|", "\\n").encode()
serial = next((w[5:] for w in sys.argv if w.startswith("file:")), None)
if serial:
    open(serial, "wb").write(text)
else:
    for part in text.split(b"~"):  # in pieces
        os.write(1, part)
        time.sleep(0.02)
os.write(2, os.environ.get("GUEST_COMPLAINS", "").encode())
time.sleep(float(os.environ.get("GUEST_STAYS", "0")))
sys.exit(int(os.environ.get("GUEST_STATUS", "1")))
"""


class Machine:
    """A build folder with an image, and the guest's program first in PATH."""

    def __init__(self, folder: str):
        self.folder = Path(folder)
        for arch, image in (("x86_64", "tarry.elf"), ("arm64", "Image")):
            (self.folder / arch).mkdir()
            (self.folder / arch / image).write_text("x")
        for name in ("qemu-system-x86_64", "qemu-system-aarch64"):
            program = self.folder / name
            program.write_text(GUEST)
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"

    def settings(self, **values: str) -> settings.Settings:
        return parsed(BUILD=str(self.folder), TIMEOUT=values.pop("TIMEOUT", "20"), **values)

    def says(self, text: str, status: int = 1, stays: float = 0, complains: str = "") -> None:
        os.environ.update(GUEST_SAYS=text, GUEST_STATUS=str(status), GUEST_STAYS=str(stays), GUEST_COMPLAINS=complains)

    def run(self, **values: str) -> guest.Run:
        return guest.run(self.settings(**values))


def test_boots(machine: Machine) -> None:
    for det in "01":
        machine.says(f"{FIRST}|ok\r|TARRY-END rc=4|", 9)
        run = machine.run(DET=det)
        equal(f"boot.passes.{det}", (run.code, run.message, run.guest_rc, run.booted, run.text),
              (4, "", 4, True, f"{FIRST}\nok\nTARRY-END rc=4\n"))
        machine.says(f"{FIRST}|", 1, complains="qemu: trouble")
        run = machine.run(DET=det)
        equal(f"boot.no-end.{det}", (run.code, run.booted, run.guest_rc), (125, True, None))
        equal(f"boot.no-end-says.{det}", run.message, "the guest ended without an end marker (QEMU status 1): qemu: trouble")
        machine.says("firmware|", 0)
        run = machine.run(DET=det)
        equal(f"boot.no-first-line.{det}", (run.code, run.booted, "printed no first line" in run.message), (125, False, True))
        machine.says(f"{FIRST}|", 1, stays=30)
        run = machine.run(DET=det, TIMEOUT="1")
        equal(f"boot.timeout.{det}", (run.code, run.message), (124, "timed out after 1 s"))
    machine.says(f"{FIRST}|TARRY-~END rc~=3|", 7)
    equal("boot.marker-in-pieces", machine.run().code, 3)
    machine.says(f"{FIRST}|TARRY-END rc=0|", 1, stays=30)
    grace, guest.END_GRACE = guest.END_GRACE, 0.3
    run = machine.run()
    equal("boot.does-not-power-off", (run.code, run.message), (125, "the guest did not power off after its end marker"))
    guest.END_GRACE = grace
    machine.says("Tarry 1 arm64|TARRY-END rc=2|", 2)
    equal("boot.arm64", machine.run(ARCH="arm64").code, 2)
    (machine.folder / "arm64/Image").unlink()
    run = machine.run(ARCH="arm64")
    equal("boot.no-image", (run.code, "build it first (make ARCH=arm64)" in run.message), (125, True))
    seen: list[bytes] = []
    machine.says(f"{FIRST}|a~b|TARRY-END rc=0|", 1)
    run = guest.run(machine.settings(), seen.append)
    equal("boot.console-as-it-comes", (b"".join(seen), len(seen) > 1), (run.console, True))
    equal("status-of", [guest.status_of("x86_64", 0), guest.status_of("x86_64", 70), guest.status_of("arm64", 70)], [1, 141, 70])
    talk = guest.ConsoleFilter(False)
    equal("filter.direct", talk.feed(b"a\r\nb"), b"a\nb")
    talk = guest.ConsoleFilter(True)
    equal("filter.firmware", (talk.feed(b"x\r\n"), talk.feed(b"Tarry 1 arm64 z\r\n"), talk.feed(b"more\r\n")),
          (b"", b"Tarry 1 arm64 z\n", b"more\n"))


def test_attend() -> None:
    """On a terminal QEMU has our own input and output; else what it prints is passed on. Its errors are kept in both."""
    for on_terminal in False, True:
        with tempfile.TemporaryFile() as shown:
            saved = [os.dup(fd) for fd in (1, 2)]
            sys.stdout.flush()
            os.dup2(shown.fileno(), 1), os.dup2(shown.fileno(), 2)
            try:
                status, errors = launch.attend(["sh", "-c", "echo out; echo wrong >&2; exit 3"], on_terminal)
                sys.stdout.flush()
            finally:
                os.dup2(saved[0], 1), os.dup2(saved[1], 2), os.close(saved[0]), os.close(saved[1])
            shown.seek(0)
            equal(f"attend.{on_terminal}", (status, errors.strip(), sorted(shown.read().split())), (3, "wrong", [b"out", b"wrong"]))


# --- cases ------------------------------------------------------------------------------------
CASES = """
[DEFAULT]
args-in-test = x=1
mem-in-test = 256M
cmd-in-test = few
[default]
[only-x86]
arch = x86_64
groups = test slow
smp = 1
cmd = show
args = y=2
[slow]
groups = slow
det = 1
[script]
script = tests/scripts/x.py
smp = 3
weight = 0.5
seconds = 30
timeout = 7
[by-default]
groups = other
script = tests/scripts/y.py
[twice]
groups = other
"""


def outcome(case: cases.Case) -> tuple[str, tuple[int, int, int], str]:
    got = case.run()
    return got.status, ktap.count(got.tests), got.tests[-1].why if got.tests else ""


def test_cases(machine: Machine) -> None:
    logs = machine.folder / "logs"
    logs.mkdir()
    config = machine.folder / "cases.cfg"
    config.write_text(CASES)

    def names(group: str) -> list[str]:
        return [case.name for case in cases.load(config, ["x86_64", "arm64"], group, machine.folder, logs)]

    equal("cases.test", names("test"), ["x86_64/default", "x86_64/only-x86", "x86_64/script", "arm64/default", "arm64/script"])
    equal("cases.slow", names("slow"), ["x86_64/only-x86", "x86_64/slow", "arm64/slow"])
    equal("cases.all", len(names("all")), 11)
    equal("cases.none", names("none"), [])
    loaded = {case.name: case for case in cases.load(config, ["x86_64"], "all", machine.folder, logs)}
    equal("cases.weights", [loaded[f"x86_64/{n}"].weight for n in ("default", "only-x86", "slow", "script", "by-default")], [2, 1, 1, 0.5, 1])
    equal("cases.seconds", [loaded[f"x86_64/{n}"].seconds for n in ("default", "script")], [5, 30])
    todo = cases.load(config, ["x86_64"], "test", machine.folder, logs)
    equal("cases.args-in-test", ([case.settings.args for case in todo[:2]], loaded["x86_64/only-x86"].settings.args, todo[2].argv == loaded[todo[2].name].argv),
          ([("x=1",), ("x=1", "y=2")], ("y=2",), True))
    equal("cases.mem-in-test", [sum(n.mem for n in case[0].settings.nodes) for case in (todo, [loaded["x86_64/default"]])], [256 << 20, 1 << 30])
    equal("cases.cmd-in-test", [case.settings.cmd for case in todo[:2]], ["few", "show"])
    equal("cases.commands", [loaded[f"x86_64/{n}"].settings.cmd for n in ("default", "only-x86")], ["test *", "show"])
    script = loaded["x86_64/script"]
    equal("cases.script", (script.argv[1:], script.timeout, script.environ),
          (["tests/scripts/x.py", "SMP=3", "TIMEOUT=7", "ARCH=x86_64", f"BUILD={machine.folder}"], 7,
           {"TARRY_LOG": str(logs / "x86_64-script")}))
    for name, text, says in (("unknown-key", "[a]\nspeed = 1\n", "cases.cfg [a]: unknown key speed"),
                             ("bad-value", "[a]\nsmp = 0\n", "cases.cfg [a]: SMP=0"),
                             ("bad-seconds", "[a]\nseconds = some\n", "cases.cfg [a]: could not convert"), ("no-section", "smp = 1\n", "cases.cfg")):
        config.write_text(text)
        refused(f"cases.{name}", says, names, "test")
    refused("cases.no-file", "nowhere", cases.load, Path("/nowhere"), ["x86_64"], "test", machine.folder, logs)
    todo = list(loaded.values())
    equal("cases.select", [[c.name for c in cases.select(todo, p)] for p in ("default", "x86_64/s*", "")],
          [["x86_64/default"], ["x86_64/slow", "x86_64/script"], [c.name for c in todo]])
    refused("cases.select-none", "no case matches x", cases.select, todo, "x")

    def boots(text: str, status: int, **values: str) -> tuple[str, tuple[int, int, int], str]:
        machine.says(f"{FIRST}|{text}", status)
        return outcome(cases.BootCase("x86_64/a", logs, 1, settings=machine.settings(CMD="x", **values)))

    equal("case.boot-passes", boots("1..1|ok 1 a|TARRY-END rc=0|", 1), ("passed", (1, 0, 0), ""))
    equal("case.boot-skips", boots("1..1|ok 1 a # SKIP why|TARRY-END rc=4|", 9), ("skipped", (0, 0, 1), "why"))
    equal("case.boot-fails", boots("1..1|not ok 1 a|TARRY-END rc=1|", 3)[:2], ("failed", (0, 1, 0)))
    equal("case.boot-says-1-without-failure", boots("1..1|ok 1 a|TARRY-END rc=1|", 3),
          ("failed", (1, 1, 0), "the guest ended with rc=1"))
    equal("case.boot-panics", boots("1..1|ok 1 a|panic: oops|TARRY-END rc=70|", 141)[2], "the guest ended with rc=70\npanic: oops")
    equal("case.boot-without-tests", boots("TARRY-END rc=0|", 1), ("failed", (0, 1, 0), "no test ran"))
    equal("case.boot-dies", boots("1..1|ok 1 a|", 1)[:2], ("failed", (1, 1, 0)))
    machine.says("nothing|", 1)
    case = cases.BootCase("x86_64/b", logs, 1, settings=machine.settings())
    equal("case.no-boot", outcome(case)[:2], ("no boot", (0, 1, 0)))
    equal("case.log", "nothing" in case.log.read_text() and "# exit status 125" in case.log.read_text(), True)
    machine.says(f"{FIRST}|", 1, stays=30)
    equal("case.timeout", outcome(cases.BootCase("x86_64/c", logs, 1, settings=machine.settings(TIMEOUT="1")))[:2], ("timed out", (0, 1, 0)))
    os.environ["GUEST_STAYS"] = "0"
    saved, qemu.OVMF_CODE = qemu.OVMF_CODE, Path("/nonexistent")
    equal("case.cannot-run", outcome(cases.BootCase("x86_64/d", logs, 1, settings=machine.settings(ARCH="x86_64", ACCEL="kvm")))[0]
          if not Path("/dev/kvm").exists() else "skipped", "skipped")
    qemu.OVMF_CODE = saved

    def ends(text: str, timeout: float = 20) -> tuple[str, tuple[int, int, int], str]:
        return outcome(cases.ProgramCase("host/p", logs, argv=["sh", "-c", text], timeout=timeout))

    equal("case.program-passes", ends("true"), ("passed", (1, 0, 0), ""))
    equal("case.program-ktap", ends("echo ok 1 a; echo ok 2 b"), ("passed", (2, 0, 0), ""))
    equal("case.program-fails-a-test", ends("echo not ok 1 a; exit 1")[:2], ("failed", (0, 1, 0)))
    equal("case.program-fails", ends("echo ok 1 a; exit 3"), ("failed", (1, 1, 0), "exit status 3"))
    equal("case.program-all-skipped", ends("echo 'ok 1 a # SKIP x'; exit 4")[:2], ("skipped", (0, 0, 1)))
    equal("case.program-cannot-run", ends("exit 77"), ("skipped", (0, 0, 1), "cannot run here; see the log"))
    equal("case.program-crashes", ends("kill -SEGV $$"), ("failed", (0, 1, 0), "ended by SIGSEGV"))
    equal("case.program-never-ends", ends("sleep 30", 0.2), ("timed out", (0, 1, 0), "timed out after 0 s"))
    equal("case.no-program", outcome(cases.ProgramCase("host/q", logs, argv=["/nonexistent"])),
          ("failed", (0, 1, 0), "/nonexistent: No such file or directory"))
    hosted = cases.host_cases(["build/host/test_a"], logs)
    equal("cases.host", (hosted[0].name, hosted[-1].name, hosted[-1].argv), ("host/host_tools", "host/test_a", ["build/host/test_a"]))
    lost = cases.missing(hosted, [cases.Outcome(hosted[0].name, "passed", [], 0, logs)], logs)
    equal("cases.missing", [o.case for o in lost], [c.name for c in hosted[1:]])


# --- the runner -----------------------------------------------------------------------------------
def outcomes_of(*statuses: str) -> list[cases.Outcome]:
    verdicts = {"passed": ktap.PASS, "skipped": ktap.SKIP}
    return [cases.Outcome(f"c{i}", status, [ktap.Test("t", verdicts.get(status, ktap.FAIL), "first\nsecond")], 1.5, Path("log"))
            for i, status in enumerate(statuses)]


def silently(body, *args: object) -> tuple[object, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        return body(*args), said.getvalue()


def test_runner(machine: Machine) -> None:
    for statuses, code in ((("passed",), 0), (("passed", "skipped"), 0), (("skipped",), 4), ((), 1), (("passed", "failed"), 1),
                           (("timed out",), 124), (("timed out", "failed"), 1), (("no boot", "no boot"), 125),
                           (("no boot", "timed out"), 1)):
        got, said = silently(runner.summarise, outcomes_of(*statuses), machine.folder, 3.4)
        equal(f"runner.status.{'-'.join(statuses).replace(' ', '-') or 'none'}", got, code)
    equal("runner.last-line", silently(runner.summarise, outcomes_of("passed", "failed", "skipped", "passed"), machine.folder, 3.4)[1]
          .splitlines(), [f"4 cases in 3 s; logs and junit.xml in {machine.folder}", "failed: c1", "2 passed, 1 failed, 1 skipped"])
    report = runner.Reporter()
    _, said = silently(lambda: [report.add(o) for o in outcomes_of("passed", "failed")])
    equal("runner.lines", said.splitlines(),
          ["passed     c0                                     1.5 s  1 passed",
           "failed     c1                                     1.5 s  1 failed",
           "           not ok t: first", "             second", "           log: log"])
    todo = [cases.Case(name, machine.folder, weight, seconds)
            for name, weight, seconds in (("a", 1, 5), ("long", 1, 70), ("b", 2, 5), ("slow", 2, 9), ("wide", 9, 1), ("c", 1, 5),
                                          ("half", 0.5, 6), ("other-half", 0.5, 6))]
    queue, running = runner.Queue(todo, 3), []
    for done in ("wide", "slow", "b", "long", "half", "other-half", "a", "c"):
        while (fits := queue._fits()) is not None:
            running.append(queue.take())
            equal(f"runner.queue.{fits.name}", (running[-1], queue.free >= 0), (fits, True))
        running.append("|")
        queue.give(next(case for case in todo if case.name == done))
    equal("runner.queue", "".join(r if r == "|" else f" {r.name} " for r in running), " wide | slow  long | b | half  other-half  a | c ||||")
    equal("runner.queue-empty", (queue.take(), queue.free), (None, 3))
    junit.write(machine.folder / "j.xml", [junit.Suite("s<", 1.25, [
        ktap.Test("a", ktap.PASS), ktap.Test("b", ktap.FAIL, "x & \x01\ny"), ktap.Test("c", ktap.FAIL), ktap.Test("d", ktap.SKIP, "w")])])
    equal("junit", "\n".join((machine.folder / "j.xml").read_text().splitlines()[2:]).split("\n<"),
          "\n".join(['<testsuite name="s&lt;" tests="4" failures="2" errors="0" skipped="1" time="1.250">',
           '<testcase classname="s&lt;" name="a"/>',
           '<testcase classname="s&lt;" name="b"><failure message="x &amp; ?">x &amp; ?\ny</failure></testcase>',
           '<testcase classname="s&lt;" name="c"><failure message="failed"></failure></testcase>',
           '<testcase classname="s&lt;" name="d"><skipped message="w"/></testcase>', "</testsuite>", "</testsuites>"]).split("\n<"))
    config = machine.folder / "own.cfg"
    config.write_text("[one]\ncmd = show\n[two]\ngroups = slow\n")

    def program(*argv: str) -> tuple[int, str]:
        sys.argv = ["run.py", "--cases", str(config), *argv]
        before, os.environ["BUILD"] = os.environ.get("BUILD"), str(machine.folder)
        code, said = silently(runner.main)
        os.environ.pop("BUILD") if before is None else os.environ.update(BUILD=before)
        return code, said

    machine.says(f"{FIRST}|1..1|ok 1 a|TARRY-END rc=0|", 1)
    code, said = program("--only", "x86_64/*")
    equal("runner.program", (code, said.splitlines()[-1], "x86_64/one" in said, "x86_64/two" in said), (0, "1 passed, 0 failed, 0 skipped", True, False))
    equal("runner.list", program("--group", "all", "--only", "x86_64/t*", "--list"), (0, "x86_64/two\n"))
    equal("runner.nothing-matches", program("--only", "nothing"), (2, "error: no case matches nothing\n"))
    machine.says(f"{FIRST}|1..1|not ok 1 a|TARRY-END rc=1|", 3)
    equal("runner.fails", program("--only", "one")[0], 1)


# --- the launcher ---------------------------------------------------------------------------------
class Bytes(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", write_through=True)


def launched(machine: Machine, *argv: str) -> tuple[int, str, str]:
    out, err = Bytes(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = launch.main(["launch.py", *argv, f"BUILD={machine.folder}"][:1 + len(argv) + bool(argv)])
    return code, out.buffer.getvalue().decode(), err.getvalue()


def test_launcher(machine: Machine) -> None:
    machine.says(f"{FIRST}|TARRY-END rc=4|", 9)
    equal("launch.exec", launched(machine, "exec", "CMD=x"), (4, f"{FIRST}\nTARRY-END rc=4\n", ""))
    equal("launch.exec-by-args", launched(machine, "exec", "ARGS=tarry.run=x")[0], 4)
    equal("launch.exec-what", launched(machine, "exec"), (2, "", "launch: error: exec: CMD='command; command' is missing\n"))
    machine.says(f"{FIRST}|", 1)
    equal("launch.exec-no-verdict", launched(machine, "exec", "CMD=x")[::2],
          (125, "launch: the guest ended without an end marker (QEMU status 1)\n"))
    code, said, _ = launched(machine, "command", "CMD=a b", "DET=1")
    equal("launch.command", (code, said.startswith("qemu-system-x86_64 -accel"), said.rstrip().endswith("'records.width=0 det=1 tarry.run=\"a b\"'")),
          (0, True, True))
    equal("launch.bad-setting", launched(machine, "exec", "SMP=0")[::2], (2, "launch: error: SMP=0: not a number from 1 to 4096\n"))
    equal("launch.no-action", launched(machine)[0], 2)
    equal("launch.unknown-action", launched(machine, "fly")[0], 2)
    saved, qemu.ARM_EFI = qemu.ARM_EFI, Path("/nonexistent")
    equal("launch.cannot-run", launched(machine, "command", "ARCH=arm64", "BOOT=uefi")[0], 77)
    qemu.ARM_EFI = saved


# --- symbols ----------------------------------------------------------------------------------------
NM = """#!/bin/sh
cat <<END
0000000000000800 t below
0000000000001000 T __kernel_start
0000000000001000 T start
0000000000001010 t one
0000000000001010 t other_name
0000000000001018 t \\$x
0000000000001019 t .L1
0000000000001020 d data
0000000000001030 W weak
0000000100001000 T too_far
0000000100000fff T last
END
"""


def test_symbols(machine: Machine) -> None:
    nm = machine.folder / "nm"
    nm.write_text(NM)
    nm.chmod(0o755)
    functions = mksyms.read_functions(str(nm), "x")
    equal("mksyms.functions", functions, [(0, "__kernel_start"), (0x10, "one"), (0x30, "weak"), (0xffffffff, "last")])
    text = mksyms.table([(0, "a"), (0x10, "bcd"), (0x20, "e")])
    equal("mksyms.table", text.splitlines()[3:],
          ["\t.globl ksym_count", "ksym_count:", "\t.long 3", "\t.globl ksym_offsets", "ksym_offsets:", "\t.long 0x0", "\t.long 0x10",
           "\t.long 0x20", "\t.globl ksym_name_offsets", "ksym_name_offsets:", "\t.long 0", "\t.long 2", "\t.long 6",
           "\t.globl ksym_names", "ksym_names:", '\t.asciz "a"', '\t.asciz "bcd"', '\t.asciz "e"',
           '\t.section .note.GNU-stack, "", %progbits'])

    def program(*argv: str) -> tuple[object, str]:
        sys.argv = ["mksyms.py", "--nm", str(nm), *argv]
        return silently(mksyms.main)

    code, text = program("x")
    equal("mksyms.prints", (code, text), (0, mksyms.table(functions)))
    equal("mksyms.empty", program("--empty"), (0, mksyms.table([])))
    old = machine.folder / "old.S"
    old.write_text(text)
    equal("mksyms.check", program("--check", str(old), "x"), (0, ""))
    old.write_text(text + "x")
    code, text = program("--check", str(old), "x")
    equal("mksyms.check-moved", (code, "functions moved" in text), (1, True))
    nm.write_text("#!/bin/sh\necho 0000000000001010 t one\n")
    refused("mksyms.no-base", "no symbol __kernel_start", mksyms.read_functions, str(nm), "x", kind=SystemExit)


def main() -> int:
    for test in test_limits, test_quotas, test_command, test_iso:
        test()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(folder)
        test_attend()
        for test_on in test_boots, test_cases, test_runner, test_launcher, test_symbols:
            test_on(machine)
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
