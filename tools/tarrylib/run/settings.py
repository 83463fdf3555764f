"""One boot's settings: read from NAME=VALUE words, checked, with the defaults in one table."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cgroup

MIB = 1 << 20
NODE_ALIGN = 2 * MIB  # a node boundary inside a 2 MiB page would cost both nodes that page

GICV2_CPUS = 8  # what a GICv2 can address
FOLLOWED_CPUS = 64  # a console needs no more of a large host, and boots at once

# Every variable a boot knows, with its default ("" = depends on others); tools/help.txt explains.
DEFAULTS = {
    "ARCH": "x86_64",
    "SMP": "4",
    "NODES": "2",
    "MEM": "1G",
    "CPU": "max",
    "BOOT": "direct",
    "ACCEL": "tcg",
    "DET": "0",
    "SEED": "",
    "MACHINE": "",
    "GIC": "3",
    "EL2": "0",
    "CMD": "",
    "ARGS": "",
    "TIMEOUT": "300",
    "ACPITABLES": "",
    "NET": "",
    "EDU": "0",
    "QEMU": "",
    "BUILD": "build",
}


# Variables that mean something on one architecture only.
# Where firmware takes the image from. On arm64 firmware is always UEFI, so it has those without "-uefi" only.
BOOTS = ("direct", "iso", "uefi", "usb", "usb-uefi", "pxe", "pxe-uefi")

ARCH_ONLY = {"GIC": "arm64", "EL2": "arm64", "ACPITABLES": "x86_64"}


# The network cards, as QEMU names them, by what NET= calls them.
CARDS = {"virtio": "virtio-net-pci-non-transitional", "virtio-mmio": "virtio-net-device", "e1000": "e1000", "e1000e": "e1000e"}


class UsageError(Exception):
    """The caller asked for something that makes no sense: exit status 2."""


@dataclass(frozen=True)
class Node:
    cpus: int  # 0 = memory only
    mem: int  # bytes


@dataclass(frozen=True)
class Net:
    card: str  # of CARDS
    forwards: tuple[tuple[int, int], ...]  # port of this machine's loopback, TCP port of the guest


@dataclass(frozen=True)
class Settings:
    arch: str
    smp: int
    nodes: tuple[Node, ...]
    cpu: str
    boot: str
    accel: str
    det: bool
    seed: int | None
    machine: str
    gic: int
    el2: bool
    cmd: str
    args: tuple[str, ...]
    timeout: float  # seconds
    acpitables: str
    net: Net | None
    edu: bool
    qemu: str  # a folder that another QEMU is unpacked in; "" = the installed one
    build: Path

    @property
    def mem(self) -> int:
        return sum(node.mem for node in self.nodes)

    @property
    def out(self) -> Path:
        """Where the build of this architecture is."""
        return self.build / self.arch


def given(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the environment names; an empty value counts as not named."""
    return {name: environ[name] for name in DEFAULTS if environ.get(name)}


def nearest(name: str, known: Iterable[str]) -> str:
    """Which of the known names was meant: the same letters, else most of them; "" if none is near."""
    known, name = sorted(known), name.upper()
    same = [other for other in known if sorted(other) == sorted(name)]
    return next(iter(same or difflib.get_close_matches(name, known, 1)), "")


def words(pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE arguments as a dictionary."""
    out = {}
    for pair in pairs:
        name, sep, value = pair.partition("=")
        if not sep or name not in DEFAULTS:
            near = nearest(name, DEFAULTS) if sep else ""
            raise UsageError(f"{pair}: " + (f"no such variable; {near}=?" if near else
                                            f"not one of {' '.join(DEFAULTS)} with =VALUE"))
        out[name] = value
    return out


def parse_size(name: str, text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMGT]?)", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"{name}={text}: not a size such as 512M or 4G")
    shift = {"": 20, "K": 10, "M": 20, "G": 30, "T": 40}[match[2].upper()]  # as QEMU: bare = MiB
    return int(match[1]) << shift


def _number(name: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d+", text) or not low <= int(text) <= high:
        raise UsageError(f"{name}={text}: not a number from {low} to {high}")
    return int(text)


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise UsageError(f"{name}={text}: not one of {', '.join(choices)}")
    return text


def _even_nodes(count: int, smp: int, mem: int) -> tuple[Node, ...]:
    """CPUs in index order, the first nodes taking the remainder; memory even, the last the rest."""
    each = mem // count // NODE_ALIGN * NODE_ALIGN
    if each == 0:
        raise UsageError(f"MEM: {mem // MIB}M is less than 2 MiB for each of {count} nodes")
    cpus = [smp // count + (1 if i < smp % count else 0) for i in range(count)]
    sizes = [each] * (count - 1) + [mem - each * (count - 1)]
    return tuple(Node(c, m) for c, m in zip(cpus, sizes))


def parse_nodes(text: str, smp: int, mem: int) -> tuple[Node, ...]:
    """NODES=N, or NODES=cpus:mem,... whose totals then override SMP and MEM."""
    if ":" not in text:
        return _even_nodes(_number("NODES", text, 1, 64), smp, mem)
    nodes = []
    for part in text.split(","):
        cpus, _, size = part.partition(":")
        nodes.append(Node(_number("NODES", cpus, 0, 4096), parse_size("NODES", size)))
    if not any(node.cpus for node in nodes):
        raise UsageError(f"NODES={text}: no node has a CPU")
    if any(node.mem % MIB for node in nodes):
        raise UsageError(f"NODES={text}: memory must be whole MiB")
    return tuple(nodes)


def parse_net(text: str, arch: str) -> Net | None:
    """NET=card[,HOSTPORT-GUESTPORT,...]; "none", or nothing, is no card."""
    card, *ports = text.split(",")
    if card in ("", "none") and not ports:
        return None
    _choice("NET", card, (*CARDS, "none"))
    if card == "none":
        raise UsageError(f"NET={text}: without a card there are no ports")
    if card == "virtio-mmio" and arch != "arm64":
        raise UsageError(f"NET={text}: only arm64 has virtio-mmio, this is ARCH={arch}")
    forwards = []
    for pair in ports:
        here, sep, there = pair.partition("-")
        if not sep:
            raise UsageError(f"NET={text}: {pair!r} is not HOSTPORT-GUESTPORT")
        forwards.append((_number("NET", here, 1, 65535), _number("NET", there, 1, 65535)))
    return Net(card, tuple(forwards))


def split_words(line: str) -> list[str]:
    """Boot-line words; double quotes hold spaces and are taken off. UsageError if unpaired."""
    if line.count('"') % 2:
        raise UsageError(f"unpaired double quote in: {line}")
    parts = re.findall(r'(?:[^\s"]|"[^"]*")+', line)
    return [part.replace('"', "") for part in parts]


def parse(values: Mapping[str, str]) -> Settings:
    """Settings from named values; what is not named, or empty, takes its default."""
    unknown = set(values) - set(DEFAULTS)
    if unknown:
        raise UsageError(f"unknown setting {', '.join(sorted(unknown))}")
    v = {name: values.get(name) or default for name, default in DEFAULTS.items()}
    arch = _choice("ARCH", v["ARCH"], ("x86_64", "arm64"))
    machines = ("q35", "pc", "microvm") if arch == "x86_64" else ("virt",)
    for name, owner in ARCH_ONLY.items():
        if v[name] != DEFAULTS[name] and arch != owner:
            raise UsageError(f"{name}={v[name]}: only {owner} has it, this is ARCH={arch}")
    det = _choice("DET", v["DET"], ("0", "1")) == "1"
    if v["SEED"] and not det:
        raise UsageError("SEED: only a deterministic run (DET=1) takes one")
    if det and v["ACCEL"] != "tcg":
        raise UsageError(f"DET=1: needs ACCEL=tcg, not {v['ACCEL']}")
    if '"' in v["CMD"]:
        raise UsageError("CMD: must not contain double quotes (the boot line uses them)")
    if re.search(r"[\x00-\x1f]", v["CMD"] + v["ARGS"]):
        raise UsageError("CMD, ARGS: must not contain control characters")
    smp = _number("SMP", v["SMP"], 1, 4096)
    nodes = parse_nodes(v["NODES"], smp, parse_size("MEM", v["MEM"]))
    return Settings(
        arch=arch,
        smp=sum(node.cpus for node in nodes),
        nodes=nodes,
        cpu=v["CPU"],
        boot=_choice("BOOT", v["BOOT"], BOOTS if arch == "x86_64" else tuple(b for b in BOOTS if "-uefi" not in b)),
        accel=_choice("ACCEL", v["ACCEL"], ("tcg", "kvm")),
        det=det,
        seed=_number("SEED", v["SEED"], 0, (1 << 63) - 1) if v["SEED"] else None,
        machine=_choice("MACHINE", v["MACHINE"] or machines[0], machines),
        gic=_number("GIC", v["GIC"], 2, 3),
        el2=_choice("EL2", v["EL2"], ("0", "1")) == "1",
        cmd=v["CMD"],
        args=tuple(split_words(v["ARGS"])),
        timeout=_number("TIMEOUT", v["TIMEOUT"], 1, 86400),
        acpitables=v["ACPITABLES"],
        net=parse_net(v["NET"], arch),
        edu=_choice("EDU", v["EDU"], ("0", "1")) == "1",
        qemu=v["QEMU"],
        build=Path(v["BUILD"]),
    )


def host_cpus() -> int:
    """CPUs that this process may really use: the affinity mask, cut by the quotas of its control groups."""
    cpus = len(os.sched_getaffinity(0))
    quota = cgroup.quota()
    return cpus if quota is None else min(cpus, max(1, int(quota)))


def follow_host(values: Mapping[str, str]) -> dict[str, str]:
    """For somebody at the console: as many CPUs as the host really has, so that each runs all the
    time and a measurement ends while one waits for it. At least 2: with one, nobody is flushed.
    What is meant to be repeated elsewhere (DET=1, CMD=, tarry.run= in ARGS) keeps the constant default."""
    scripted = values.get("CMD") or any(word.startswith("tarry.run=") for word in split_words(values.get("ARGS", "")))
    repeated = values.get("DET", "0") != "0" or scripted
    most = GICV2_CPUS if values.get("GIC") == "2" else FOLLOWED_CPUS
    follows = {} if repeated else {"SMP": str(max(2, min(host_cpus(), most)))}
    return {**follows, **values}


def masked(text: str) -> str:
    """A boot line or a command line for others to read: what opens a machine's console is not in it."""
    text = re.sub(r'"net\.token=[^"]*"', '"net.token=***"', text)
    return re.sub(r'net\.token=("[^"]*"|[^\s"]+)', "net.token=***", text)


def boot_words(s: Settings) -> list[str]:
    """The boot line as words. For the kernel the first word with a name wins: the user's lead."""
    line = [*s.args, "records.width=0"]  # nothing wraps lines between QEMU and us
    if s.det:
        line.append("det=1")
        if s.seed is not None:
            line.append(f"det.seed={s.seed}")
    else:
        line.append(f"host.cpus={host_cpus()}")
    if s.cmd:
        line.append(f"tarry.run={s.cmd}")
    return line


def boot_line(s: Settings) -> str:
    """The boot line as one string, values with spaces in double quotes."""
    def quote(word: str) -> str:
        if word and not re.search(r"\s", word):
            return word
        name, sep, value = word.partition("=")
        return f'{name}="{value}"' if sep else f'"{word}"'
    return " ".join(quote(word) for word in boot_words(s))
