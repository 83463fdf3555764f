"""The QEMU command line for a set of settings."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import kvm
from .settings import CARDS, MIB, Settings, UsageError, boot_line

OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARS = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
ARM_EFI = Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd")

# QEMU 7.2 puts the boot line of a PVH image at 0x20000 and what points to it at 0x21020.
PVH_LINE_MAX = 0x1020 - 1  # bytes

# GRUB as grub-mknetdir leaves it in a TFTP server's folder, by the boot that loads it.
NET_LOADERS = {("x86_64", "pxe"): "grub/i386-pc/core.0", ("x86_64", "pxe-uefi"): "grub/x86_64-efi/core.efi",
               ("arm64", "pxe"): "grub/arm64-efi/core.efi"}

LOCAL, REMOTE = 10, 20  # SLIT distances


class CannotRun(Exception):
    """This machine lacks something: exit status 77."""


XAPIC_CPUS = 255  # with more, QEMU wants interrupts of devices to be its own affair: those of KVM's board end there

# Firmware that QEMU finds beside itself when it is installed, and does not when it is only unpacked.
FIRMWARE = ("/usr/share/seabios", "/usr/lib/ipxe/qemu")


def program(s: Settings) -> str:
    """The installed emulator, or that of QEMU=, which is a folder that packages are unpacked in (tools/fetch.sh qemu)."""
    name = {"x86_64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[s.arch]
    if not s.qemu:
        return name
    path = Path(s.qemu, "usr/bin", name)
    if not path.exists():
        raise CannotRun(f"QEMU={s.qemu}: no {path}; tools/fetch.sh qemu unpacks a newer QEMU into build/deps/qemu")
    return str(path)


def _emulator(s: Settings) -> list[str]:
    argv = [program(s), *(word for folder in FIRMWARE if s.qemu for word in ("-L", folder))]
    # SeaBIOS 1.16.2 waits 32 s for the empty CD drive that QEMU 10.0 has by default.
    return argv + (["-nodefaults"] if s.qemu and s.boot == "direct" else [])


def kernel(s: Settings) -> Path:
    """The image that -kernel takes, and that an ISO carries."""
    return s.out / {"x86_64": "tarry.elf", "arm64": "Image"}[s.arch]


def _smp(s: Settings) -> str:
    """One socket per node with CPUs, as on a real machine, where the CPU numbers allow it."""
    counts = {node.cpus for node in s.nodes if node.cpus}
    sockets = sum(1 for node in s.nodes if node.cpus)
    cores = s.smp // sockets
    # APIC ids give each socket a power of two of numbers; above 254 they need x2APIC.
    if s.acpitables or len(counts) != 1 or sockets << (cores - 1).bit_length() > 255:
        return str(s.smp)
    return f"{s.smp},sockets={sockets},cores={cores},threads=1"


def _numa(s: Settings) -> list[str]:
    argv = []
    cpu = 0
    for i, node in enumerate(s.nodes):
        # reserve=off: sparse guests larger than the free memory of the host are fine
        argv += ["-object", f"memory-backend-ram,id=m{i},size={node.mem // MIB}M,reserve=off"]
        cpus = f",cpus={cpu}-{cpu + node.cpus - 1}" if node.cpus else ""
        argv += ["-numa", f"node,nodeid={i},memdev=m{i}{cpus}"]
        cpu += node.cpus
    for i in range(len(s.nodes)):
        for j in range(len(s.nodes)):
            argv += ["-numa", f"dist,src={i},dst={j},val={LOCAL if i == j else REMOTE}"]
    return argv


def _tables(s: Settings) -> list[str]:
    """-acpitable for each file of a folder. QEMU adds its own SRAT if -numa is given, and the first
    one wins, so a boot with injected tables has no -numa."""
    folder = Path(s.acpitables)
    files = sorted(f for f in folder.glob("*") if f.suffix in (".dat", ".aml", ".bin"))
    if not files:
        raise UsageError(f"ACPITABLES={folder}: no *.dat, *.aml or *.bin file there")
    if any("," in str(f) for f in files):
        raise UsageError(f"ACPITABLES={folder}: QEMU takes no comma in a file name")
    return [word for f in files for word in ("-acpitable", f"file={f}")]


def _accel(s: Settings) -> list[str]:
    if s.det:
        return ["-accel", "tcg", "-icount", "shift=3,sleep=off",
                "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
    if s.accel == "kvm":
        if why := kvm.missing(s.arch):
            raise CannotRun(f"ACCEL=kvm: {why}")
        return ["-accel", "kvm"]
    return ["-accel", "tcg,thread=multi"]


def has_network(s: Settings) -> bool:
    """Is the kernel built with it? A folder that has only a kernel says nothing against it."""
    symbols = s.out / "tarry.sym"
    return not symbols.exists() or " tcp_input\n" in symbols.read_text("ascii")


def _net(s: Settings) -> list[str]:
    """QEMU's own network: DHCP, a gateway at 10.0.2.2, and ports of our loopback that lead to the guest's."""
    if not s.net:
        return ["-nic", "none"]
    if s.machine == "microvm":
        raise UsageError("NET: MACHINE=microvm has no PCI")
    if not has_network(s):
        raise CannotRun("NET: the kernel is built without network (LWIP=no)")
    ports = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in s.net.forwards)
    argv = ["-netdev", f"user,id=net0{ports}", "-device", f"{CARDS[s.net.card]},netdev=net0"]
    return argv + (["-global", "virtio-mmio.force-legacy=false"] if s.net.card == "virtio-mmio" else [])


def _edu(s: Settings) -> list[str]:
    """A device that does DMA. Without a mask of its own it would cut addresses to 28 bits, and the data would go elsewhere."""
    if s.edu and s.machine == "microvm":
        raise UsageError("EDU: MACHINE=microvm has no PCI")
    return ["-device", "edu,dma_mask=0xffffffffffffffff"] if s.edu else []


def _firmware(s: Settings, scratch: Path) -> list[str]:
    if s.arch == "arm64":
        if s.boot == "direct":
            return []
        if not ARM_EFI.exists():
            raise CannotRun(f"BOOT={s.boot}: no {ARM_EFI} (package qemu-efi-aarch64)")
        return ["-bios", str(ARM_EFI)]
    if not s.boot.endswith("uefi"):
        return []
    if not OVMF_CODE.exists():
        raise CannotRun(f"BOOT={s.boot}: no {OVMF_CODE} (package ovmf)")
    variables = scratch / "vars.fd"  # the firmware writes to it
    shutil.copyfile(OVMF_VARS, variables)
    return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}",
            "-drive", f"if=pflash,format=raw,unit=1,file={variables}"]


def _medium(s: Settings, medium: Path | None) -> list[str]:
    """What is booted: the image itself, or what carries it and the boot line: a CD, a USB stick, a TFTP server's folder."""
    if medium is None:
        line = boot_line(s)
        if s.arch == "x86_64" and len(line) > PVH_LINE_MAX:
            raise UsageError(f"the boot line has {len(line)} bytes; QEMU's direct boot takes "
                             f"{PVH_LINE_MAX} (BOOT=iso takes more)")
        return ["-kernel", str(kernel(s)), "-append", line]
    if s.boot.startswith("pxe"):
        return ["-netdev", f"user,id=pxe,tftp={medium},bootfile={NET_LOADERS[s.arch, s.boot]}",
                "-device", "virtio-net-pci,netdev=pxe,bootindex=0"]
    if s.boot.startswith("usb"):
        return ["-drive", f"if=none,id=stick,file={medium},format=raw,readonly=on",
                "-device", "qemu-xhci", "-device", "usb-storage,drive=stick,bootindex=0"]
    if s.arch == "x86_64":
        return ["-cdrom", str(medium)]
    return ["-drive", f"if=none,id=cd,file={medium},format=raw,readonly=on",
            "-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=cd"]


def needs_medium(s: Settings) -> bool:
    """On x86-64 firmware starts no image by itself; on arm64 UEFI does."""
    return s.boot != "direct" and (s.boot, s.arch) != ("uefi", "arm64")


def command(s: Settings, scratch: Path, serial: list[str], medium: Path | None = None) -> list[str]:
    """The whole command. scratch is a folder of this run; serial says where the console goes."""
    if s.machine == "microvm" and s.boot != "direct":
        raise UsageError("MACHINE=microvm: boots directly only")
    machine = s.machine
    if s.det and s.machine in ("q35", "pc"):
        # It goes off 36 times a second of virtual time, and where QEMU's main thread is the one to notice, that thread
        # ends the turn of the CPU that runs: on a busy host four of six equal runs were not the same.
        machine += ",pit=off"
    if s.arch == "arm64":
        machine += f",gic-version={s.gic}" + (",virtualization=on" if s.el2 else "")
    elif s.smp > XAPIC_CPUS and s.machine == "q35":
        machine += ",kernel-irqchip=split"
    argv = [*_emulator(s), *_accel(s), "-machine", machine, "-cpu", s.cpu,
            "-m", f"{s.mem // MIB}M", "-smp", _smp(s)]
    argv += _tables(s) if s.acpitables else [] if s.machine == "microvm" else _numa(s)
    argv += ["-display", "none", *serial, "-no-reboot", *_net(s), *_edu(s)]
    if s.arch == "x86_64":
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    else:
        argv += ["-semihosting"]
    return argv + _firmware(s, scratch) + _medium(s, medium)
