"""A console as a logger kept it, turned back into the lines that the guest printed.

Loggers put remarks of their own between, and sometimes inside, the lines; they keep carriage returns and escape
sequences; some write bytes in hexadecimal. All that is undone here. Time stamps in front of lines and wrapped lines
are left: only a checksum can tell what belongs to a record (records.py).

What is known of each logger, from its source or manual:
    ser2net 4     trace files hold raw bytes; with timestamp, "2026/11/28 22:31:11 OPEN (..)" and "CLOSE .." come
                  between; with hexdump, lines "[STAMP ]term 7b 22 .. |{"..|" of eight bytes, "tcp" for what was typed
    conserver     raw, with "[-- MARK -- Sat Nov 28 22:31:11 2026]" and who attached, as they happen, inside a line too
    GNU screen    -L: raw; logtstamp adds "-- 0:name -- time-stamp -- Nov/28/26 22:31:11 --" after two quiet minutes
    ipmitool sol  raw, after "[SOL Session operational.  Use ~? for help]"
    minicom       no carriage returns; time stamps in front of lines, or a line "[2026-11-28 22:31:11" each second
    ts, conman, CI servers: a stamp or a name in front of each line
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHM])")
_CLOCK = r"\d\d:\d\d:\d\d"
_REMARKS = re.compile(
    rf"\[-- [^\]\n]{{1,120}} -- \w{{3}} \w{{3}} [ \d]\d {_CLOCK} \d{{4}}\][ \r]*\n?"  # conserver
    rf"|-- \d+:[^\n]{{0,80}}? -- time-stamp -- [^\n]{{1,40}}? --[ \r]*\n"  # screen
    rf"|\d{{4}}/\d\d/\d\d {_CLOCK} (?:OPEN|CLOSE) [^\n]{{0,200}}\n"  # ser2net
    rf"|^\[\d{{4}}-\d\d-\d\d {_CLOCK}\r*\n", re.MULTILINE)  # minicom
_HEXDUMP = re.compile(rf"^(?:\d{{4}}/\d\d/\d\d {_CLOCK} )?(term|tcp) ((?:[0-9a-f]{{2}} ){{1,8}}) *\|.{{1,8}}\|$")


def _undumped(text: str) -> str:
    """What the port sent, of a hexadecimal trace; any other text as it is."""
    found = [match for line in text.splitlines() if (match := _HEXDUMP.match(line))]
    if not found:
        return text
    return b"".join(bytes.fromhex(m[2]) for m in found if m[1] == "term").decode("utf-8", "replace")


def lines(text: str) -> list[str]:
    """The lines of a console, without line ends, remarks and what moves a cursor."""
    text = _REMARKS.sub("", _ESCAPES.sub("", _undumped(text)).replace("\0", ""))
    return re.split(r"\r*\n|\r+", text)
