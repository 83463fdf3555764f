#!/usr/bin/env python3
"""Drive a machine over the network: run console commands there, fetch what it serves over HTTP.

Usage: tools/tarryctl.py run HOST[:PORT] 'COMMAND; ..' [--records FILE]
       tools/tarryctl.py fetch HOST[:PORT] PAGE [--out FILE]

run    has the machine run the commands as if they had been typed, and waits for their end. The records of the last run go to
       FILE, or to stdout if FILE is -. Exit status: that of the commands (0 passed, 1 failed, 2 wrong usage, 4 skipped).
fetch  prints a page: healthz, metrics, api/v1/info, api/v1/counters, api/v1/results.jsonl

The machine's boot line has ip=, net.http=PORT (80) and net.token=. The token is what the environment has as TARRY_TOKEN; fetch
needs none where the boot line has net.open=read, too. Exit status 125: the machine does not answer, or not as it should.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
from pathlib import Path

INFRASTRUCTURE = 125
ANSWER = 10.0  # seconds for an answer, where no command runs
NO_END = 24 * 3600.0  # and where one does: the machine answers when it has ended


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

    def run(self, line: str) -> int:
        """The code that the commands ended with."""
        try:
            job = json.loads(self.ask("api/v1/run", json.dumps({"cmd": line}, ensure_ascii=False)))
            done = json.loads(self.ask(f"api/v1/run/{job['id']}", timeout=NO_END))
            if done["state"] != "done":
                raise NoAnswer(f"{self.where}: job {job['id']} is {done['state']}")
            return int(done["rc"])
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswer(f"{self.where}: no answer of Tarry's: {error}") from error


def put(data: bytes, to: str) -> None:
    if to == "-":
        sys.stdout.buffer.write(data)
    else:
        Path(to).write_bytes(data)


def main(argv: list[str]) -> int:
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
    args = parser.parse_args(argv)
    rc = 0
    try:
        machine = Machine(args.machine, os.environ.get("TARRY_TOKEN", ""))
        if args.verb == "fetch":
            put(machine.ask(args.page), args.out)
            return 0
        rc = machine.run(args.commands)
        if args.records:
            put(machine.ask("api/v1/results.jsonl"), args.records)
    except NoAnswer as error:
        print(f"tarryctl: {error}", file=sys.stderr)
        return INFRASTRUCTURE
    except OSError as error:
        print(f"tarryctl: {error.filename}: {error.strerror}", file=sys.stderr)
        return INFRASTRUCTURE
    return rc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
