#!/usr/bin/env python3
"""The size of what is loaded, and how far the boot CPU has to go until the first command."""

import re
import subprocess
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from arm64_image import EXECUTABLE, HEADER_PAGE, WRITABLE, Image, symbols
from common import Missing, ROOT, bench, boot, held, main, noted, qemu, result, settings, skip

# KiB of what is loaded, without tests/ and with them; both without the network, which counts apart. Whole ones, as the name of
# the build is part of the image.
BARE_MAX = {"x86_64": 469, "arm64": 508}
# 8 of them, of arm64, came with races of pages that owe (tests/unit/owed_test.c) and of shared memory in swap.
WHOLE_MAX = 736
# The same of what all the systems stand on: without the code and constants of these, and without their tests. What they add to
# the table of names, and what is lost to whole pages (4 KiB each on arm64, where the linker's ways around erratum 843419
# are), still counts.
FOUNDATION_MAX = {"x86_64": 400, "arm64": 448}
FOUNDATION_WHOLE_MAX = 640
SYSTEMS = {
    "files": "mm/file* mm/store_* mm/clean.* mm/cow.* mm/dup.* mm/dirty.* mm/reclaim* mm/swap* mm/page_lock.* mm/rules.* mm/rmap_edit.* "
             "*/workload/scale* */workload/file_scan.* */workload/swap_loop.* "
             "tests/unit/file_* tests/unit/dup_* tests/unit/reclaim_* tests/unit/scale_*",
    "copies": "mm/copies.* mm/debt.* mm/demote.* mm/defer/latr.* mm/defer/luf.* mm/defer/migrc.* mm/defer/stamp.* */workload/tier* "
              "*/load/memhog.* tests/unit/defer_* tests/unit/pressure_*",
    "second": "mm/softmmu.* mm/nested.* mm/tlb_stage2.* */svm.* */svm_find.* */hypervisor.* */stage2.* */el2.* */load/guest.* */load/machine.* "
              "*/load/vcpu.* */workload/vm* */workload/nested* */drivers/edu.* */drivers/iommu.* */drivers/pci.* "
              "tests/unit/second_* tests/unit/guest_* tests/unit/device_*",
}
# Virtual time of the last log line of a deterministic boot of one CPU.
PATH_APART = 0.0005  # frames come from other places, as the image is of another size: 0.1 of 1,000 instructions were seen
PATH = "bench migrate --pages 512 --threads 0 --rounds 10 --warmup 2 --schemes baseline,batch"
BOOT_MAX_MS = {"x86_64": 80, "arm64": 7}


def make(*words: str) -> str:
    s = settings()
    done = subprocess.run(["make", "-s", "SETUP=no", f"ARCH={s.arch}", f"BUILD={s.build}", *words],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"make {' '.join(words)}: {done.stderr[-300:]}")
    return done.stdout


def loaded_kib(objects: list[str]) -> float:
    """What is loaded of them, not counting the gaps at the ends of sections. Variables of CPUs have no place in the file."""
    listed = subprocess.run(["size", "-A", *objects], capture_output=True, text=True, check=True).stdout
    return sum(int(size) for size in re.findall(r"^\.(?:text|rodata|data)\S*\s+(\d+)", listed, re.MULTILINE)) / 1024


def of_system(name: str, objects: list[str]) -> list[str]:
    return [o for o in objects if any(fnmatch(o, f"*/obj/{pattern}") for pattern in SYSTEMS[name].split())]


def check_patterns() -> None:
    """Or a pattern is of a file that has another name now."""
    sources = [str(p.relative_to(ROOT)) for folder in ("mm", "kernel", "arch", "tests/unit") for p in (ROOT / folder).rglob("*.[cS]")]
    lost = [p for patterns in SYSTEMS.values() for p in patterns.split() if not any(fnmatch(s, p) for s in sources)]
    result("image.systems", not lost, f"nothing is called {', '.join(lost)}" if lost else "each pattern finds a file")


def check_sizes() -> None:
    s = settings()
    whole = qemu.kernel(s)
    make("bare")
    suffix = {"x86_64": "elf", "arm64": "Image"}[s.arch]
    sizes = {name: -(-whole.with_name(f"{name}.{suffix}").stat().st_size // 1024) for name in ("bare", "alone")}
    held("image.bare", sizes["bare"], BARE_MAX[s.arch])
    held("image.whole", sizes["alone"], WHOLE_MAX)
    noted("image.bare.limit", BARE_MAX[s.arch])
    noted("image.whole.limit", WHOLE_MAX)
    check_foundation(sizes["bare"], sizes["alone"])
    if qemu.has_network(s):
        held("image.net", loaded_kib(make("print-NET_OBJS").split()))
    else:
        skip("image.net", "built without network (LWIP=no)")


def check_foundation(bare: int, whole: int) -> None:
    check_patterns()
    objects = make("print-OBJS").split()
    foundation, foundation_whole = float(bare), float(whole)
    for name in SYSTEMS:
        mine = of_system(name, objects)
        code = loaded_kib([o for o in mine if "/obj/tests/" not in o])
        held(f"image.{name}", code)
        foundation -= code
        foundation_whole -= loaded_kib(mine)
    held("image.foundation", foundation, FOUNDATION_MAX[settings().arch])
    held("image.foundation.whole", foundation_whole, FOUNDATION_WHOLE_MAX)
    noted("image.foundation.limit", FOUNDATION_MAX[settings().arch])
    noted("image.foundation.whole.limit", FOUNDATION_WHOLE_MAX)


def check_paths() -> None:
    """Without ip= the network is as good as not there: each sample of a path is what the kernel without it has."""
    kernel = qemu.kernel(settings())
    if not qemu.has_network(settings()):
        skip("path.without-network", "built without network (LWIP=no)")
        return
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        other = Path(folder, settings().arch)
        other.mkdir()
        (other / kernel.name).symlink_to(kernel.with_name(f"alone.{'Image' if kernel.name == 'Image' else 'elf'}").resolve())
        found = [{scheme: record["samples"] for scheme, record in bench(PATH, DET=1, SMP=1, **where).items()} for where in ({}, {"BUILD": folder})]
    pairs = [(a, b) for scheme, samples in found[0].items() for a, b in zip(samples, found[1][scheme], strict=True)]
    apart = max(abs(a - b) / a for a, b in pairs)
    result("path.without-network", len(found[0]) == 3 and len(pairs) == 30 and apart <= PATH_APART,
           f"{len(pairs)} samples of {', '.join(found[0])}, at most {100 * apart:.3f} % apart")


def boot_ms(smp: int) -> float:
    stamps = re.findall(r"^\[ *(\d+\.\d+)\] ", boot("show batch", DET=1, SMP=smp).text, re.MULTILINE)
    if not stamps:
        raise Missing("no line of the log with its time")
    return 1000 * float(stamps[-1])


def check_boot() -> None:
    """Virtual time to the first command: of one CPU its instructions, of four also the emulator's turns for each.

    A turn is 100 ms. Some builds need two of them and some three, so that figure is only noted.
    """
    held("boot.ms", boot_ms(1), BOOT_MAX_MS[settings().arch])
    noted("boot.four.ms", boot_ms(4), 2)


def check_sections() -> None:
    """What UEFI maps by is what the kernel maps by: no page is writable and executable, and each is there."""
    kernel = qemu.kernel(settings())
    image, at = Image(kernel), symbols(kernel.with_name("tarry.sym"))
    start, end = at["__image_start"], at["__image_end"] - at["__image_start"]
    sections = image.sections()
    wrong = [f"{s.name!r} is writable and executable" for s in sections
             if s.flags & WRITABLE and s.flags & EXECUTABLE]
    reached = HEADER_PAGE
    for s in sections:
        if s.at != reached or s.at % HEADER_PAGE or s.file_at != s.at or s.file_size > s.size:
            wrong.append(f"{s.name!r} is at {s.at:#x}, in the file at {s.file_at:#x}; the last one ended at {reached:#x}")
        reached = s.at + s.size
    if reached != end:
        wrong.append(f"they end at {reached:#x}, the image at {end:#x}")
    if sections[-1].file_at + sections[-1].file_size != kernel.stat().st_size:
        wrong.append("the file is longer than they are, or shorter")
    for name, flag in (("__text_end", EXECUTABLE), ("__rodata_end", EXECUTABLE), ("__data_start", WRITABLE),
                       ("__bss_start", WRITABLE)):
        byte = at[name] - start - (1 if name.endswith("_end") else 0)
        if not any(s.at <= byte < s.at + s.size and s.flags & flag for s in sections):
            wrong.append(f"the section with {name} has flags {[hex(s.flags) for s in sections]}")
    if not any(s.at <= image.entry() < s.at + s.size and s.flags & EXECUTABLE for s in sections):
        wrong.append("its entry cannot be executed")
    result("sections", not wrong, "; ".join(wrong) or f"{len(sections)} sections, {end} bytes")


def body() -> None:
    check_sizes()
    if settings().arch == "arm64":
        check_sections()
    check_paths()
    check_boot()


main(body)
