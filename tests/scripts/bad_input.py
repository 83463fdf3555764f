#!/usr/bin/env python3
"""Wrong commands, options, values and boot lines: a message that names them, and life goes on."""

import re

from common import Console, bench, boot, guest, main, result, settings

WRONG = {  # name: (command, what the message must name)
    "verb": ("frobnicate", "frobnicate"),
    "workload": ("bench frobnicate", "frobnicate"),
    "option": ("bench migrate --frobnicate 3", "--frobnicate"),
    "missing-value": ("bench migrate --pages", "--pages"),
    "not-a-number": ("bench migrate --pages many", "many"),
    "out-of-range": ("bench migrate --pages 0", "--pages"),
    "too-many-threads": ("bench migrate --threads 100000", "--threads"),
    "scheme": ("bench migrate --schemes baseline,frobnicate", "frobnicate"),
    "knob": ("set frobnicate=1", "frobnicate"),
    "knob-syntax": ("set batch", "batch"),
    "knob-range": ("set batch=513", "batch"),
    "knob-zero": ("set batch=0", "batch"),
    "knob-choice": ("set defer=frobnicate", "frobnicate"),
    "show": ("show frobnicate", "frobnicate"),
    "list": ("list frobnicate", "frobnicate"),
    "test": ("test frobnicate", "frobnicate"),
    "litmus": ("litmus frobnicate", "frobnicate"),
    "litmus-from": ("litmus --from frobnicate", "frobnicate"),
    "look": ("look frobnicate", "frobnicate"),
    "help": ("help frobnicate", "frobnicate"),
}
USAGE, PANIC = 2, 70
STAYS = "did not power off"
LONG = 10_000  # characters, typed
LONG_BOOT = 4_000  # characters; loaders take few more


def error_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error: ")]


def wrong_commands() -> None:
    for name, (command, named) in WRONG.items():
        run = boot(command)
        errors = error_lines(run.text)
        good = run.guest_rc == USAGE and any(named in line for line in errors)
        shown = (errors[0] if errors else "no error line")[:200]
        result(f"command.{name}", good, f"`{command}`: rc={run.guest_rc}: {shown}")


def boot_line() -> None:
    run = boot("show", ARGS="frobnicate=1 large=maybe check=frobnicate idle=")
    result("boot-line.survives", run.guest_rc == 0, f"rc={run.guest_rc}")
    for word in ("frobnicate", "large", "check", "idle"):
        named = [line for line in run.text.splitlines()
                 if re.search(rf"\b{word}\b", line) and "boot line:" not in line]
        result(f"boot-line.names-{word}", bool(named), named[0][:200] if named else "not mentioned")
    run = boot("show " + "x" * LONG_BOOT)
    errors = error_lines(run.text)
    result("boot-line.long-command", run.guest_rc == USAGE and bool(errors),
           f"rc={run.guest_rc}: {(errors or ['no error line'])[0][:100]}")


# A CPU with errata, one of them denied, one given that it has not, a name that nothing has; what is in force then.
HIDING = "-hypervisor,tcg-cpuid=off"  # nothing in CPUID tells of QEMU
HW = {
    "x86_64": (f"phenom,{HIDING}", "hw=-383,+298,-frobnicate", "298"),
    "arm64": ("neoverse-n1", "hw=-4118414,+858921,-frobnicate", "858921 1542419"),
}


def errata() -> None:
    cpu, args, in_force = HW[settings().arch]
    records = bench("bench floor --reps 1", CPU=cpu, ARGS=args)
    found = {record["errata"] for record in records.values()}
    result("hw.record", found == {in_force}, f"{cpu} {args}: {found}, expected {in_force}")
    accel = {record["accel"] for record in records.values()}
    result("accel", accel <= {"tcg", "kvm"}, f"{cpu}: {accel}")
    run = boot("show", CPU=cpu, ARGS=args)
    said = re.findall(r"erratum (\S+):", run.text)
    result("hw.log", " ".join(said) == in_force, f"{cpu} {args}: {said}")
    named = [line for line in run.text.splitlines() if "frobnicate: no such feature" in line]
    result("hw.names-unknown", bool(named), f"{named}")


def typed_line() -> None:
    with Console() as console:
        console.expect(b"tarry> ")
        console.send(b"x" * LONG + b"\r")
        console.expect(b"# rc=2", 120)  # one by one, on a host that may be busy
        console.expect(b"tarry> ")
        console.send(b"show\r")
        console.expect(b"# rc=0")
        console.expect(b"tarry> ")
        result("typed.long-line", b"error: " in console.seen, "refused; the next command works")
        console.send(b"\x00\x01\xff\x1b[A\x1b[Z\x7f\x7f\t\t\r")
        console.expect(b"tarry> ")
        console.send(b"\x15show batch\r")  # Ctrl-U: whatever the keys above recalled is cleared
        console.expect(b"# rc=0")
        result("typed.odd-keys", True, "control bytes and half escapes do no harm")


def panics() -> None:
    """Every panic ends with its marker; panic=S reboots S seconds later, panic=0 stays."""
    for kind in ("now", "assert", "fault", "overflow"):
        run = boot(f"panic {kind}")
        result(f"panic.{kind}", run.guest_rc == PANIC and "panic: cpu " in run.text,
               f"rc={run.guest_rc}")
    bad = boot("panic now", ARGS="panic=soon", DET=0)
    named = [line for line in bad.text.splitlines() if "soon" in line and "boot line:" not in line]
    result("panic.bad-option", bad.guest_rc == PANIC and not bad.message and bool(named),
           f"rc={bad.guest_rc} {bad.message}: {named}")
    later = boot("panic now", ARGS="panic=4", DET=0)
    result("panic.reboots", later.guest_rc == PANIC and later.seconds >= 4,
           f"{later.seconds:.1f} s with panic=4; {later.message}")
    stays = guest.run(settings(CMD="panic now", ARGS="panic=0", DET=0))
    result("panic.stays", f"TARRY-END rc={PANIC}" in stays.text and STAYS in stays.message,
           stays.message)


def little_memory() -> None:
    """More CPUs than there is memory for: some are not started, and each is named. The rest works."""
    run = boot("look cpus", SMP=32, NODES=1, MEM="8M", DET=0)
    named = re.findall(r"cpu \d+(?: \(.*?\)| and up): not started, no memory for (?:per-CPU data|its stack)", run.text)
    counted = re.search(r"cpus: (\d+) of \d+ online", run.text)
    result("little-memory", run.guest_rc == 0 and bool(named) and counted is not None and 1 < int(counted[1]) < 32,
           f"rc={run.guest_rc}, {counted and counted[0]}, {named[:1]}")


def body() -> None:
    little_memory()
    wrong_commands()
    boot_line()
    errata()
    typed_line()
    panics()


main(body)
