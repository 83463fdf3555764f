"""What firmware boots from: a hybrid image (CD and disk), and a folder for a TFTP server.

The image is built once per kernel, and given a boot line by patching a copy.

grub.cfg sources boot/grub/args.cfg, a file of blank lines. To boot with arguments, a copy of the
image gets that file's bytes overwritten with the commands that boot at once: no rebuild per run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .qemu import NET_LOADERS, CannotRun, kernel, needs_medium
from .settings import Settings, UsageError, boot_words

ARGS_SIZE = 32768  # bytes; the kernel takes boot lines of up to 16 KiB, and quotes add to that
WORD_MAX = 8000  # bytes; with a longer word GRUB 2.06 hangs
ARGS_MARK = b"# tarry: boot line of this run, else blank\n"

GRUB_MODULES = ("normal configfile test echo serial terminal iso9660 part_gpt part_msdos fat "
                "search search_fs_file reboot halt all_video")

# memrw: to look at registers from GRUB's command line, and for tests to leave them as some firmware does.
# all_video: under UEFI there is no framebuffer without it. Output goes where the kernel's goes: to the screen and to
# the serial lines that are there. GRUB asks firmware for them; one that is missing is no error.
CONFIG = """\
insmod all_video
source /boot/grub/args.cfg
set timeout=10
set default=0
set terminals=console
for unit in 0 1; do
	if serial --unit=$unit --speed=115200; then
		set terminals="$terminals serial_com$unit"
	fi
done
terminal_input $terminals
terminal_output $terminals
menuentry "Tarry: console, on the screen and on serial lines (115200n8)" {{
	{load}
}}
"""
ENTRY = """\
menuentry "Tarry: {title}, then halt (screen and serial)" {{
	{load} end=halt 'tarry.run=machine; {commands}'
}}
"""
# What a person with a KVM switch wants without typing. Each begins with the machine, says how far it is, and stays with its verdict.
MENU = {
    "quick comparison of the schemes": "bench migrate --schemes baseline,batch,like-linux-6.12,never --time 30",
    "hardware characterisation: litmus tests, TLB, floor": "litmus; bench tlb; bench floor",
    "memory-only node as slow tier": "numa; bench migrate --tier --schemes baseline,batch,like-linux-6.12 --time 30",
    "one node: what works there": "bench mem --time 20; bench page_fault1 --time 10; bench tlb_flush2 --time 10; bench tlb; bench floor",
}


def _load_command(s: Settings, folder: str = "/boot") -> str:
    return f"multiboot2 {folder}/tarry.elf" if s.arch == "x86_64" else f"linux {folder}/Image"


def menu(s: Settings) -> str:
    """grub.cfg of the stock image."""
    load = _load_command(s)
    return CONFIG.format(load=load) + "".join(ENTRY.format(load=load, title=title, commands=commands)
                                              for title, commands in MENU.items())


def _grub_options(s: Settings) -> list[str]:
    if s.arch == "x86_64":
        return [f"--install-modules={GRUB_MODULES} memrw multiboot2"]
    return ["-d", str(_arm64_modules(s)), f"--install-modules={GRUB_MODULES} linux"]


def _arm64_modules(s: Settings) -> Path:
    modules = s.build / "deps/arm64/grub"
    subprocess.run(["tools/fetch.sh", "grub-arm64"], check=False,
                   env={**os.environ, "BUILD": str(s.build)})
    if not modules.is_dir():
        raise CannotRun(f"BOOT={s.boot}: no GRUB modules for arm64 (tools/fetch.sh grub-arm64)")
    return modules


def build_iso(s: Settings) -> Path:
    """The stock image with its menu, made again only if the kernel is newer."""
    iso, image = s.out / "tarry.iso", kernel(s)
    sources = (image, Path(__file__))
    if iso.exists() and all(iso.stat().st_mtime > f.stat().st_mtime for f in sources):
        return iso
    if not shutil.which("grub-mkrescue"):
        raise CannotRun("no grub-mkrescue (tools/setup.sh iso names the packages)")
    tree = s.out / "iso"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "boot/grub").mkdir(parents=True)
    shutil.copyfile(image, tree / "boot" / image.name)
    (tree / "boot/grub/grub.cfg").write_text(menu(s), "ascii")
    (tree / "boot/grub/args.cfg").write_bytes(ARGS_MARK.ljust(ARGS_SIZE, b"\n"))
    partial = iso.with_suffix(".partial")
    done = subprocess.run(
        ["grub-mkrescue", *_grub_options(s), "--fonts=", "--locales=", "--themes=",
         "-o", str(partial), str(tree)],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"grub-mkrescue failed: {done.stderr.strip().splitlines()[-1:]}")
    partial.replace(iso)
    shutil.rmtree(tree)
    return iso


def _script(s: Settings, folder: str = "/boot") -> bytes:
    """GRUB's commands that boot at once with the boot line of these settings.

    GRUB hands a word with spaces on as "name=value" in double quotes, and would put a backslash
    before quotes inside it, so there may be none.
    """
    words = boot_words(s)
    if any(c in word for word in words for c in "'\"\\"):
        raise UsageError(f"BOOT={s.boot}: quotes and backslashes do not pass through GRUB")
    if any(len(word) > WORD_MAX for word in words):
        raise UsageError(f"BOOT={s.boot}: GRUB takes no word of more than {WORD_MAX} bytes")
    quoted = " ".join(f"'{word}'" for word in words)
    return f"{_load_command(s, folder)} {quoted}\nboot\n".encode()


def iso_with_args(s: Settings, scratch: Path) -> Path:
    """A copy of the image that boots at once with the boot line of these settings."""
    script = _script(s)
    if len(script) > ARGS_SIZE:
        raise UsageError(f"BOOT={s.boot}: boot line longer than {ARGS_SIZE} bytes")
    data = bytearray(build_iso(s).read_bytes())
    at = data.find(ARGS_MARK)
    if at < 0 or data.find(ARGS_MARK, at + 1) >= 0:
        raise CannotRun("the image does not hold its boot-line file exactly once; make clean")
    data[at:at + ARGS_SIZE] = script.ljust(ARGS_SIZE, b"\n")
    iso = scratch / "run.iso"
    iso.write_bytes(data)
    return iso


def netboot(s: Settings, scratch: Path) -> Path:
    """A folder for a TFTP server: GRUB, the kernel, and the commands that boot it with the boot line of these settings."""
    if not shutil.which("grub-mknetdir"):
        raise CannotRun(f"BOOT={s.boot}: no grub-mknetdir (tools/setup.sh iso names the packages)")
    folder, loader = scratch / "netboot", Path(NET_LOADERS[s.arch, s.boot])
    modules = _arm64_modules(s) if s.arch == "arm64" else Path("/usr/lib/grub", loader.parent.name)
    folder.mkdir()
    done = subprocess.run(["grub-mknetdir", f"--net-directory={folder}", "--subdir=grub", "--fonts=", "--locales=", "--themes=",
                           "-d", str(modules)], capture_output=True, text=True, check=False)
    if done.returncode or not (folder / loader).exists():
        raise CannotRun(f"grub-mknetdir failed: {done.stderr.strip().splitlines()[-1:]}")
    shutil.copyfile(kernel(s), folder / kernel(s).name)
    (folder / "grub/grub.cfg").write_bytes(b"insmod all_video\n" + _script(s, ""))
    return folder


def medium(s: Settings, scratch: Path) -> Path | None:
    """What these settings boot from, made in this folder of a run; None: the image itself."""
    if not needs_medium(s):
        return None
    return netboot(s, scratch) if s.boot.startswith("pxe") else iso_with_args(s, scratch)
