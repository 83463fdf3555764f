#!/usr/bin/env python3
"""Serial captures: one real console as different loggers would have kept it, all of which give the same results.

What each logger writes is said in tools/tarrylib/report/capture.py. Nothing is lost, nothing is made up: a capture
with a changed byte must lose its record, however it is wrapped.
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import report  # noqa: E402
from tarrylib.report import records, results  # noqa: E402
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
CONSOLE = (ROOT / "tests/host/captures/console.log").read_text("utf-8")  # of a real run
WHOLE = CONSOLE.splitlines()
RAW = {"console.log", "run.json"}  # what may differ: the capture itself, and when it was converted


def in_pieces(lines: list[str], width: int = 960) -> list[str]:
    """As a console of its own prints them: long records in pieces, none with a blank at its end."""
    out = []
    for line in lines:
        if not line.startswith("{") or len(line) <= width:
            out.append(line)
            continue
        crc, pieces = line[-10:-2], []
        while line:
            end = width - 20
            while line[end - 1:end + 1].strip() != line[end - 1:end + 1]:
                end -= 1
            pieces.append(line[:end])
            line = line[end:]
        out += [f"@{crc} {number}/{len(pieces)} {piece}" for number, piece in enumerate(pieces, 1)]
    return out


def clock() -> Iterator[int]:
    """Seconds of a day, a bit more with each line."""
    yield from range(22 * 3600, 24 * 3600)


def stamped(form: str, lines: list[str]) -> list[str]:
    """form has {h} {m} {s} for the time, {n} for seconds since the start, which get longer."""
    return [form.format(h=f"{t // 3600:02}", m=f"{t // 60 % 60:02}", s=f"{t % 60:02}", n=f"{t - 22 * 3600}.{t % 7}") + line
            for t, line in zip(clock(), lines)]


def wrapped(width: int, lines: list[str]) -> list[str]:
    return [line[i:i + width] for line in lines for i in range(0, max(len(line), 1), width)]


def crlf(lines: list[str]) -> str:
    return "".join(line + "\r\n" for line in lines)


def lf(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def inserted(text: str, remark: str, every: int) -> str:
    """The remark wherever it happens to come: between lines and inside them."""
    return remark.join(text[i:i + every] for i in range(0, len(text), every))


def hexdump(text: str) -> str:
    """ser2net's, in chunks as they come from the port, with an echo of what was typed between."""
    out, data = [], text.encode()
    for start in range(0, len(data), 61):
        if start % 610 == 0:
            out.append("2026/11/28 22:31:11 tcp 68 65 6c 70 0d           |help.|")
        for at in range(start, min(start + 61, len(data)), 8):
            part = data[at:min(at + 8, start + 61)]
            shown = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
            out.append(f"2026/11/28 22:31:11 term {part.hex(' ')} {'   ' * (8 - len(part))} |{shown}|")
    return lf(out)


def minicom_seconds(lines: list[str]) -> str:
    """A line with the time each second: before every third line here."""
    return "".join((f"[2026-11-28 22:31:{i % 60:02}\r\n" if i % 3 == 0 else "") + line + "\n" for i, line in enumerate(lines))


def screen(text: str) -> str:
    """Raw, with the cursor movements of the prompt, and time stamps after quiet minutes."""
    text = text.replace("tarry> ", "\r\x1b[Ktarry> \x1b[0m")
    return inserted(text, "-- 0:ttyUSB0 -- time-stamp -- Nov/28/26 22:31:11 --\n", 5003)


LOGGERS: dict[str, Callable[[list[str]], str]] = {
    "lf": lambda lines: lf(lines),
    "crlf": lambda lines: crlf(lines),
    "cr-crlf": lambda lines: crlf(lines).replace("\r\n", "\r\r\n"),
    "cr-only": lambda lines: lf(lines).replace("\n", "\r"),
    "ser2net": lambda lines: inserted(crlf(lines), "2026/11/28 22:31:11 OPEN (tcp,10.0.0.7,2000)\n", 7001),
    "ser2net-hexdump": lambda lines: hexdump(crlf(lines)),
    "conserver": lambda lines: inserted(inserted(crlf(lines), "[-- MARK -- Sat Nov 28 22:31:11 2026]\r\n", 3001),
                                  "[-- joe@build7 attached -- Sat Nov  7 02:03:04 2026]\r\n", 9001),
    "screen": lambda lines: screen(crlf(lines)),
    "ipmitool": lambda lines: "[SOL Session operational.  Use ~? for help]\r\n" + crlf(lines),
    "ipmitool-80": lambda lines: "[SOL Session operational.  Use ~? for help]\r\n" + crlf(wrapped(80, lines)),
    "minicom-simple": lambda lines: lf(stamped("[2026-11-28 {h}:{m}:{s}] ", lines)),
    "minicom-extended": lambda lines: lf(stamped("[2026-11-28 {h}:{m}:{s}.042] ", lines)),
    "minicom-per-second": lambda lines: minicom_seconds(lines),
    "ts": lambda lines: lf(stamped("Nov 28 {h}:{m}:{s} ", lines)),
    "ts-of-crlf": lambda lines: crlf(stamped("Nov 28 {h}:{m}:{s} ", lines)),
    "ts-growing": lambda lines: lf(stamped("{n} ", wrapped(80, lines))),
    "host-name": lambda lines: lf([f"node-12: {line}" for line in lines]),
    "ci": lambda lines: lf(stamped("2026-11-28 {h}:{m}:{s}.546000+00:00  ", lines)),
    "syslog-1024": lambda lines: lf(stamped("Nov 28 {h}:{m}:{s} sw-1 console[812]: ", wrapped(1024, lines))),
    "ts-then-80": lambda lines: lf(wrapped(80, stamped("Nov 28 {h}:{m}:{s} ", lines))),
    "80-then-ts": lambda lines: lf(stamped("Nov 28 {h}:{m}:{s} ", wrapped(80, lines))),
    "80-without-blanks": lambda lines: lf([line.rstrip() for line in wrapped(80, lines)]),
    "ts-80-without-blanks": lambda lines: lf([line.rstrip() for line in wrapped(80, stamped("Nov 28 {h}:{m}:{s} ", lines))]),
    "132-with-blanks": lambda lines: lf([line + "  " for line in wrapped(132, lines)]),
    "1024": lambda lines: crlf(wrapped(1024, lines)),
    "noise-before": lambda lines: "\x00\x7f\ufffd~garbage\x1b[2J\n" + crlf(lines),
}


def convert(text: str) -> tuple[int, dict[str, str], str, list[str]]:
    """tools/report.py --console on a capture: status, derived files, standard error, names in results/."""
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        capture = Path(folder) / "capture.log"
        capture.write_text(text, "utf-8", newline="")
        before, errors, argv = os.getcwd(), io.StringIO(), sys.argv
        os.chdir(folder)
        sys.argv = ["report.py", "--console", str(capture)]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                status = report.main()
        finally:
            os.chdir(before)
            sys.argv = argv
        made = sorted(path.name for path in (Path(folder) / "results").glob("*"))
        latest = Path(folder) / "results/latest"
        files = {path.name: path.read_text("utf-8") for path in latest.glob("*")
                 if path.suffix not in (".png", ".svg") and path.name not in RAW} if made else {}
        return status, files, errors.getvalue(), made


def test_loggers() -> None:
    status, expected, errors, _ = convert(CONSOLE)
    count = expected["bench.jsonl"].count("\n")
    OUT.result("plain", status == 0 and count == 5 and expected["bench.jsonl"].splitlines() ==
               [line for line in WHOLE if line.startswith("{")], f"{count} records, {errors}")
    pieces = in_pieces(WHOLE)
    OUT.result("pieces", len(pieces) > len(WHOLE) + 10 and max(map(len, pieces)) <= 960, f"{len(pieces)} lines")
    kept = [(f"same.{name}", keep(WHOLE)) for name, keep in LOGGERS.items()]
    kept += [(f"pieces.{name}", keep(pieces)) for name, keep in LOGGERS.items()]
    kept += [("pieces.cut-at-1024", lf([line[:1024] for line in stamped("Nov 28 {h}:{m}:{s} sw-1 console[812]: ", pieces)]))]
    for name, text in kept:
        status, files, errors, _ = convert(text)
        different = sorted(key for key in expected.keys() | files.keys() if expected.get(key) != files.get(key))
        OUT.result(name, status == 0 and not different, f"status {status}, differ: {different} {errors}")


def test_no_guessing() -> None:
    """A checksum that does not fit is no record, in whatever way its lines are put together."""
    wrong = [line.replace('"seed":1', '"seed":2') if line.startswith("{") else line for line in WHOLE]
    for name, text in {"changed": lf(wrong), "changed-80": lf(wrapped(80, wrong)),
                       "changed-ts-80": lf(stamped("Nov 28 {h}:{m}:{s} ", wrapped(80, wrong)))}.items():
        block = records.extract(text)
        OUT.result(f"no-guess.{name}", not block.records and len(block.damaged) == 5, f"{block.damaged[:2]}")
    cut = lf(wrapped(80, WHOLE))
    block = records.extract(cut[:cut.rindex('"crc"')])
    OUT.result("no-guess.cut-off", len(block.records) == 4 and bool(block.damaged), f"{block.damaged}")
    begin = CONSOLE.index("BENCH-BEGIN")
    block = records.extract(CONSOLE[begin + 20:])
    OUT.result("begins-late", len(block.records) == 4 and bool(block.damaged), f"{block.damaged}")
    told = records.extract("records stand between BENCH-BEGIN and BENCH-END\n> BENCH-BEGIN, says the manual\n")
    OUT.result("talk-of-marks", not told.damaged, f"{told.damaged}")


def test_nothing_in_it() -> None:
    """No folder, a status that says so, and why."""
    for name, text, why in (("empty", "", "is empty"), ("blank", "\r\n\r\n", "is empty"), ("other", "login: \n", "nor anything else"),
                            ("no-bench", WHOLE[0] + "\n", "records=on"),
                            ("all-damaged", CONSOLE.replace('"crc":"', '"crc":"0'), "no whole record")):
        status, _, errors, made = convert(text)
        OUT.result(f"nothing.{name}", status == 1 and not made and why in errors, f"{status} {made} {errors.strip()}")


def test_machine() -> None:
    """The machine that was measured, by its own word."""
    _, files, _, made = convert(CONSOLE)
    host = results.host_cpu()
    first = records.extract(CONSOLE).records[0]
    OUT.result("machine.named", first["cpu"] in files["report.md"] and "2 CPUs, 2 nodes" in files["report.md"], "")
    OUT.result("machine.not-the-converter", host not in files["report.md"] and "host_cpu" not in files["report.md"], host)
    OUT.result("machine.folder", made[0].count("x86-64-2cpus") == 1 and made[1] == "latest", f"{made}")
    OUT.result("machine.build", f"build: {first['version']} {first['build']}" in files["report.md"], "")


def test_several() -> None:
    """A capture of two boots compares within each; records that `results` printed again count once."""
    other = lf([line for line in WHOLE if line.startswith("BENCH")][:1]) + lf(
        [resealed(line) for line in WHOLE if line.startswith("{")]) + "BENCH-END\n"
    _, files, errors, _ = convert(CONSOLE + other)
    OUT.result("two-boots", "## capture1" in files["report.md"] and "## capture2" in files["report.md"]
               and files["bench.jsonl"].count("\n") == 10, errors)
    _, files, _, _ = convert(CONSOLE + CONSOLE)
    OUT.result("printed-again", files["bench.jsonl"].count("\n") == 5, "")
    with tempfile.TemporaryDirectory(prefix="tarry-") as folder:
        boot = results.Boot("b", "", "")
        results.add_console(Path(folder), boot, CONSOLE + CONSOLE)
        OUT.result("printed-again-in-a-boot", len(boot.records) == boot.record_count == 5, f"{boot.record_count}")


def resealed(line: str) -> str:
    """The record as another boot would have printed it."""
    body = line[:line.rindex(',"crc"')].replace('"boot_id":"0x', '"boot_id":"0x9')
    return f'{body},"crc":"{records.checksum(body)}"}}'


def main() -> int:
    test_loggers()
    test_no_guessing()
    test_nothing_in_it()
    test_machine()
    test_several()
    return OUT.end()


if __name__ == "__main__":
    sys.exit(main())
