#!/usr/bin/env python3
"""What somebody meets at `make run`: one session on a terminal, and how the machine ends.

Editing and completion themselves are tested on the host (tests/host/test_lineedit.c,
test_complete.c); here, that keys arrive and that the verbs take part.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios

from common import Console, main, result, settings
from tarrylib.report import records
from tarrylib.run import guest
from tarrylib.run.settings import host_cpus

LEFT, CTRL_LEFT, CTRL_D, CTRL_R, CTRL_U, CTRL_W = b"\033[D", b"\033[1;5D", b"\x04", b"\x12", b"\x15", b"\x17"
ALT_B, ALT_D = b"\033b", b"\033d"
WIDTH = 960  # columns of a record's line, by default: kernel/bench/report/record.c
PROMPT, RC = guest.PROMPT, b"\n# rc="


def launcher() -> list[str]:
    s = settings()
    return [sys.executable, "tools/launch.py", "run", f"ARCH={s.arch}", f"BUILD={s.build}"]


class Terminal(Console):
    """`make run` on a terminal of its own."""

    def __enter__(self) -> "Terminal":
        self.output, far = pty.openpty()
        self.input = self.output
        modes = termios.tcgetattr(far)
        modes[1] &= ~termios.OPOST  # output as it is sent
        termios.tcsetattr(far, termios.TCSANOW, modes)
        environment = {k: v for k, v in os.environ.items() if k not in ("SMP", "NODES")}
        self.process = guest.start(self.command(), stdin=far, stdout=far, stderr=far, env=environment)
        os.close(far)
        return self

    def __exit__(self, *_: object) -> None:
        guest.kill(self.process)
        os.close(self.output)

    def command(self) -> list[str]:
        """As on a machine that nobody launches: records in pieces. With one host CPU two are too many."""
        return [*launcher(), f"ARGS=records.width={WIDTH} host.cpus=1"]

    def run(self, keys: bytes | str, timeout: float = 60.0) -> tuple[int, str]:
        """Type this and Enter at a prompt: the command's rc, and all that was echoed and printed."""
        self.send((keys.encode() if isinstance(keys, str) else keys) + b"\r")
        text = self.expect(RC, timeout)
        rc = int(self.expect(b"\n").strip())
        self.expect(PROMPT)
        return rc, text.replace(b"\r", b"").decode("utf-8")

    def ended(self) -> int:
        """Exit status of the launcher."""
        while data := self.read(20):
            self.seen += data
        return self.process.wait(20)


def first_prompt(t: Terminal) -> None:
    before = t.expect(PROMPT, 60).decode()
    result("first-prompt.help", "help lists the verbs" in before, before[-100:])
    cpus = max(2, host_cpus())
    online = t.run("look cpus")[1].count(" online ")
    result("first-prompt.cpus", online == min(cpus, 64), f"{online} CPUs, the host has {host_cpus()}")


def verbs(t: Terminal) -> None:
    rc, text = t.run("?")
    named = [verb for verb in ("bench", "exit", "quit", "help", "?") if re.search(rf"^{re.escape(verb)} ", text, re.M)]
    result("verbs.question-mark", rc == 0 and len(named) == 5, f"? lists {named}")


def value(t: Terminal, knob: str) -> list[str]:
    """The knob's row in `show`: value, default, source."""
    row = re.search(rf"^[* ] {knob} +(\S+) +(\S+) +(\S+)", t.run(f"show {knob}")[1], re.M)
    return list(row.groups()) if row else []


def marked(t: Terminal) -> set[str]:
    return set(re.findall(r"^\* (\S+)", t.run("show")[1], re.M))


def knobs(t: Terminal) -> None:
    t.run("set scheme=batch range=7")
    result("knobs.marked", marked(t) == {"batch", "batch_2m", "reclaim_batch", "range"}, str(marked(t)))
    rc, text = t.run("set batch=4 pad=many")
    result("knobs.all-or-none", rc == 2 and "nothing was changed" in text and
           value(t, "batch") == ["512", "1", "batch"], text)
    t.run("set scheme=late-map")
    result("knobs.scheme-replaces", marked(t) == {"hint", "range"}, str(marked(t)))
    t.run("set default")
    result("knobs.default", marked(t) == set(), str(marked(t)))


def completion(t: Terminal) -> None:
    rc, text = t.run("sho\ttransp\t")
    result("complete.names", rc == 0 and "show transport" in text, text[:80])
    t.run("set scheme=ba\ttc\t")  # baseline or batch: a list, then the rest of one
    result("complete.schemes", value(t, "batch")[2] == "batch", str(value(t, "batch")))
    rc, text = t.run("set defe\t=skel\t")  # defer, and more behind it
    result("complete.choices", value(t, "defer")[0] == "skeleton", text[:80])
    t.run("set default")


def editing(t: Terminal) -> None:
    t.run(b"set hint=late")
    t.run(b"show hint")
    t.run(CTRL_R + b"late")
    rc, text = t.run(CTRL_R + b"show h" + CTRL_R)  # older than the one found: none
    result("edit.search", rc == 0 and value(t, "hint")[0] == "late" and "hint" in text, text[-200:])
    rc, text = t.run(b"show numa range_x" + ALT_B + CTRL_LEFT + ALT_D + LEFT + b"\033[3~" + b"\x05" + CTRL_W + b"pad")
    result("edit.words", rc == 0 and re.search(r"^  pad ", text, re.M), text[-300:])
    rc, text = t.run("show ä€😀\x7fx\x7f")
    result("edit.utf-8", rc == 2 and "error: show: ä€: no such knob" in text, text[-100:])
    t.send(b"junk" + CTRL_U)
    t.run("set default")


def session() -> None:
    with Terminal() as t:
        for part in (first_prompt, verbs, knobs, completion, editing, records_when_asked, waiting, tables):
            part(t)
        t.send(b"x\x7f" + CTRL_D)  # an empty line again
        result("end.ctrl-d", t.ended() == 0 and b"TARRY-END rc=0" in t.seen, "Ctrl-D at an empty prompt")


def records_when_asked(t: Terminal) -> None:
    rc, text = t.run("bench migrate --pages 64 --rounds 2 --warmup 0 --schemes=basel\t,bat\t")
    machine = [line for line in text.splitlines() if line.startswith(("{", "@", "BENCH"))]
    result("records.not-at-a-prompt", rc == 0 and "`results` prints the records" in text and not machine, text[-300:])
    rc, text = t.run("results")
    block, lines = records.extract(text), text.splitlines()
    result("records.results", rc == 0 and not block.damaged and
           [r["scheme"] for r in block.records] == ["baseline", "batch", "as-set"],
           f"{len(block.records)} records; {block.damaged}")
    longest = max(len(line) for line in lines)
    result("records.short-lines", longest <= WIDTH and any(line.startswith("@") for line in lines),
           f"{len(lines)} lines, the longest has {longest} columns")


def waiting(t: Terminal) -> None:
    """Nobody waits long, or without knowing for what. How long is the host's affair: no figure of it is judged."""
    rc, text = t.run("bench migrate --pages 64 --warmup 10000")
    shown = text[:400]
    advice, first = text.find("2 CPUs on 1 host CPUs: use SMP=1 for times, DET=1 for counts"), text.find("rounds of warm-up")
    result("wait.advice-first", 0 < advice < first, shown)
    result("wait.what-comes", "10000 rounds of warm-up, then 30; it ends after about 10 s" in text, shown)
    result("wait.how-far", re.search(r"warm-up, \d+ of 10000 rounds, about \d+ s left", text), shown)
    result("wait.ends", rc == 0 and re.search(r"^migrate: [1-9]\d* rounds", text, re.M), text[-300:])
    rc, text = t.run("bench migrate --threads 0 --warmup 0 --rounds 10000 --time 3")
    said = re.findall(r"^# migrate: (\d+) of 10000 rounds(|, about \d+ s left)$", text, re.M)
    result("wait.how-far-measured", said and all(left or count == "0" for count, left in said), text[:400])
    result("wait.time", rc == 0 and re.search(r"\d of 10000 rounds: --time 3 was over", text), text[-300:])
    for how in ("", " --scan"):  # one round that takes long: it speaks from within
        rc, text = t.run(f"bench pmbench --threads 1 --duration 3 --warmup 0 --rounds 1 --cold --map-size 2 --set-size 1{how}")
        result(f"wait.within-a-round{how.replace(' --', '.')}", rc == 0 and re.search(r"^# pmbench: 0 of 1 rounds$", text, re.M), text[:400])
    rc, text = t.run("bench migrate --pages 65536 --threads 0 --warmup 0 --rounds 1")
    result("wait.large-set-up", rc == 0 and "# migrate: setting up 256 MiB" in text, text[:400])
    rc, text = t.run("bench migrate --pages 8 --threads 0 --warmup 0 --rounds 3")
    result("wait.as-asked", rc == 0 and "it ends after" not in text and "setting up" not in text and "migrate: 3 rounds" in text, text[-300:])


def tables(t: Terminal) -> None:
    alike = ",".join(f"baseline+pad=1000000+range={n}" for n in (11, 12))
    rc, text = t.run(f"bench migrate --pages 8 --threads 0 --rounds 1 --schemes {alike} --vary batch=1,8 --vary ra\t0,7")
    rows = re.findall(r"^(baseline\S+) +\d+ ", text, re.M)
    expected = [f"baseline+pad=1000000+range={n}-batch.{b}-range.{r}" for n in (11, 12) for b in (1, 8) for r in (0, 7)]
    result("tables.product-and-labels", rc == 0 and rows == expected, str(rows) or text)
    names, units = next(((a, b) for a, b in zip(text.splitlines(), text.splitlines()[1:]) if a.startswith("flushes")), ("", ""))
    per_page = {"x86_64": {"IPIs/page", "all/page"}, "arm64": {"bcasts/page", "syncs/page"}}[t.settings.arch]
    names = names.replace("Linux 6.12", "6.12")  # one column, two words
    result("tables.units", len(names.split()[1:]) == len(units.split()) > 0 and per_page <= set(names.split()), f"{names}\n{units}")
    rc, text = t.run("bench migrate --vary batch=1 --vary batch=2")
    result("tables.vary-twice", rc == 2 and "--vary batch: given twice" in text, text)


def piped(text: bytes, *more: str) -> tuple[int, str]:
    """Exit status and console with this as standard input."""
    done = subprocess.run([*launcher(), *more], input=text, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.replace(b"\r", b"").decode("utf-8", "replace")


def ends() -> None:
    status, text = piped(b"")
    result("end.no-input", status == 0 and "TARRY-END rc=0" in text, "an empty standard input")
    status, text = piped(b"show pad\nquit\nshow range")
    result("end.quit", status == 0 and "\n  pad " in text and "show range" not in text, text[-200:])
    status, text = piped(b"show pad;exit 3;show range")
    result("end.last-line", status == 0 and "exit: unexpected argument 3" in text and "\n  range " in text,
           "the last line needs no end, and what is wrong does not end the machine")


def records_by_the_boot_line() -> None:
    """records=on: also at a prompt, with the lines for those who grep."""
    _, text = piped(b"bench migrate --threads 1 --pages 64 --rounds 1 --warmup 0\n", "ARGS=records=on host.cpus=1")
    block = records.extract(text)
    result("records.on", len(block.records) == 2 and not block.damaged, f"{len(block.records)} records; {block.damaged}")
    line = re.search(r"^# bench migrate.as-set value=(\S+) unit=(\S+)$", text, re.M)
    unit = {"x86_64": "ipis/page", "arm64": "syncs/page"}[settings().arch]
    result("records.value", line and float(line[1]) > 0 and line[2] == unit, line[0] if line else text[-300:])


def body() -> None:
    session()
    records_by_the_boot_line()
    ends()


if __name__ == "__main__":
    main(body)
