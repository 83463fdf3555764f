#!/usr/bin/env python3
"""`help boot` prints each option that the sources declare, the kernel knows each, and says which word it does not know."""

import re

from common import Console, boot, main, qemu, result, settings
import boot_options

# One value for each, under which the machine still runs and prints.
VALUES = {"apic": "auto", "check": "full", "copy": "mov8", "det": "0", "det.seed": "1", "host.cpus": "1", "hw": "-hafdbs",
          "end": "off", "idle": "halt", "ip": "dhcp", "knob.NAME": "8", "large": "on", "litmus.runs": "8", "net.console": "2323", "net.http": "80", "net.log": "10.0.2.2", "net.ntp": "10.0.2.2",
          "net.open": "read", "net.put": "http://10.0.2.2/x/", "net.token": "0123456789abcdef", "nr_cpus": "2", "panic": "5", "poison": "mark",
          "records": "off", "records.width": "200", "test.rounds": "5", "tsc.hz": "1000000000"}
GIVEN_ANYWAY = ("console", "tarry.run")


def halts() -> None:
    """end=halt: the verdict is the last thing on the screen, and the machine stays."""
    with Console(ARGS="end=halt", CMD="show batch; bench nothing") as console:
        shown = console.expect(b"TARRY-END rc=2")
        console.read(1.0)
        result("end", b"verdict: FAILED; the machine stays as it is" in shown and console.process.poll() is None, f"{shown[-200:]!r}")


def body() -> None:
    halts()
    network = qemu.has_network(settings())
    options = [o for o in boot_options.declared(settings().arch) if network or not o.file.startswith("kernel/net/")]
    words = [f"{o.name.replace('NAME', 'batch')}={VALUES[o.name]}" for o in options if o.name in VALUES]
    lacking = [o.name for o in options if o.name not in VALUES and o.name not in GIVEN_ANYWAY]
    result("each-has-a-value", not lacking, " ".join(lacking))
    port = {"x86_64": "ttyS0", "arm64": "ttyAMA0"}[settings().arch]
    run = boot("help boot; show batch", ARGS=f"{' '.join(words)} console={port} no.such=1 nosuch")
    unknown = re.findall(r"boot option (\S+): unknown, ignored", run.text)
    result("unknown", unknown == ["no.such", "nosuch"], f"{unknown}")
    complaints = re.findall(r"boot option (\S+=.*must be.*)", run.text)
    result("values", not complaints and re.search(r"^\* batch +8 +\S+ +boot line", run.text, re.MULTILINE) is not None, "; ".join(complaints))
    shown = run.text.split("tarry> help boot\n")[-1].split("# rc=0")[0].splitlines()
    result("help-boot", shown == [o.line() for o in options], f"{len(shown)} lines, {len(options)} options")


main(body)
