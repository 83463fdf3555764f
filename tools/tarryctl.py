#!/usr/bin/env python3
"""Drive a machine over the network: run console commands there, fetch what it serves over HTTP, listen to its log.

Usage: tools/tarryctl.py run HOST[:PORT] 'COMMAND; ..' [--records FILE]
       tools/tarryctl.py fetch HOST[:PORT] PAGE [--out FILE]
       tools/tarryctl.py log [--port PORT] [--from ADDRESS] [--lines N]

run    has the machine run the commands as if they had been typed, waits for their end and prints what they printed. The records
       of the last run go to FILE; if that is -, they go to stdout, and nothing else. Exit status: that of the commands (0
       passed, 1 failed, 2 wrong usage, 4 skipped).
fetch  prints a page: healthz, metrics, api/v1/info, topology, counters, schemes, results.jsonl
log    prints the lines that machines whose boot line has net.log=THIS-HOST send to UDP port 6666, and where some are missing

The machine's boot line has ip=, net.http=PORT (80) and net.token=. The token is what the environment has as TARRY_TOKEN; fetch
needs none where the boot line has net.open=read, too. Exit status 125: the machine does not answer, or not as it should.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import sys
import time
from pathlib import Path

INFRASTRUCTURE = 125
ANSWER = 10.0  # seconds for an answer, where no command runs
NO_END = 24 * 3600.0  # and where one does: the machine answers between its parts, or when it has ended
PAUSE = 0.3  # seconds between two questions whether it has
LOG_PORT = 6666
DATAGRAM = re.compile(rb"\d,(\d+),(\d+),([-c+]);(.*?)\n?", re.DOTALL)  # kernel/net/netlog.c


class NoAnswer(Exception):
    """The machine is silent, or says something else than what was asked for."""


class Machine:
    def __init__(self, where: str, token: str):
        host, _, port = where.partition(":")
        if not host or (port and not port.isdigit()):
            raise NoAnswer(f"{where}: must be HOST or HOST:PORT")
        self.where, self.host, self.port = where, host, int(port or 80)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, page: str, body: str | None = None, timeout: float = ANSWER) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("GET" if body is None else "POST", f"/{page.lstrip('/')}", body, self.headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{self.where}: {page}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status not in (200, 202):
            hint = "; is TARRY_TOKEN what its boot line has?" if answer.status == 401 else ""
            raise NoAnswer(f"{self.where}: {page}: {answer.status} {answer.reason}{hint}")
        return data

    def run(self, line: str) -> tuple[int, bytes]:
        """The code that the commands ended with, and what they printed."""
        try:
            job = json.loads(self.ask("api/v1/run", json.dumps({"cmd": line}, ensure_ascii=False)))["id"]
            while (done := json.loads(self.ask(f"api/v1/run/{job}", timeout=NO_END)))["state"] != "done":
                time.sleep(PAUSE)
            return int(done["rc"]), self.ask(f"api/v1/run/{job}/output")
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswer(f"{self.where}: no answer of Tarry's: {error}") from error


class Log:
    """Datagrams of several machines, by their addresses, as lines."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}  # number of the line that comes next

    def text(self, sender: str, datagram: bytes) -> str:
        """What to print: the line, and before it how many are missing."""
        match = DATAGRAM.fullmatch(datagram)
        if not match:
            return ""
        number, us, flag, line = int(match[1]), int(match[2]), match[3], match[4].decode("utf-8", "replace")
        expected = self.next.get(sender, number)
        if number < expected:  # it was started again, or one was overtaken
            expected = number
        missing = f"[{number - expected} lines missing]\n" if number > expected else ""
        self.next[sender] = number if flag == b"c" else number + 1
        stamp = "" if flag == b"+" else f"[{us // 1000000:5}.{us % 1000000:06}] "
        return f"{missing}{stamp}{line}" + ("" if flag == b"c" else "\n")


def listen(port: int, sender: str, most: int) -> None:
    """Print what comes, until somebody ends it or so many lines are there (0: any number)."""
    log, lines = Log(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", port))
        while not most or lines < most:
            datagram, (address, _) = s.recvfrom(65536)
            if sender not in ("", address):
                continue
            text = log.text(address, datagram)
            lines += text.count("\n")
            sys.stdout.write(text)
            sys.stdout.flush()


def put(data: bytes, to: str) -> None:
    if to == "-":
        sys.stdout.buffer.write(data)
    else:
        Path(to).write_bytes(data)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tarryctl.py", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run console commands and wait for their end")
    run.add_argument("machine", metavar="HOST[:PORT]")
    run.add_argument("commands")
    run.add_argument("--records", metavar="FILE", help="where the last run's records go; -: stdout")
    fetch = verbs.add_parser("fetch", help="print a page")
    fetch.add_argument("machine", metavar="HOST[:PORT]")
    fetch.add_argument("page")
    fetch.add_argument("--out", metavar="FILE", default="-")
    log = verbs.add_parser("log", help="print what machines log")
    log.add_argument("--port", type=int, default=LOG_PORT)
    log.add_argument("--from", dest="sender", metavar="ADDRESS", default="")
    log.add_argument("--lines", type=int, default=0, metavar="N", help="end after so many")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    args = parse(argv)
    rc = 0
    try:
        if args.verb == "log":
            listen(args.port, args.sender, args.lines)
            return 0
        machine = Machine(args.machine, os.environ.get("TARRY_TOKEN", ""))
        if args.verb == "fetch":
            put(machine.ask(args.page), args.out)
            return 0
        rc, output = machine.run(args.commands)
        if args.records != "-":
            put(output, "-")
        if args.records:
            put(machine.ask("api/v1/results.jsonl"), args.records)
    except NoAnswer as error:
        print(f"tarryctl: {error}", file=sys.stderr)
        return INFRASTRUCTURE
    except OSError as error:
        print(f"tarryctl: {error.filename or args.verb}: {error.strerror}", file=sys.stderr)
        return INFRASTRUCTURE
    except KeyboardInterrupt:
        return 130
    return rc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
