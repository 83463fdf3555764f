#!/usr/bin/env python3
"""tools/setup.sh while another program has the package manager's locks, with stand-ins for what it calls.

Prints KTAP and ends with "N passed, N failed".
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
from tarrylib.run import ktap  # noqa: E402

OUT = ktap.Writer()
TOOLS = ("cat", "env", "grep", "head", "mktemp", "rm", "sed")  # the real ones; no compiler: that is missing
LOCKED = """E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)
E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"""


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def stand_ins(folder: Path, apt_get: str, cache: str = "exit 0") -> Path:
    """A PATH of its own, as on a fresh machine; each call of apt-get leaves a line in the file calls."""
    tools = folder / "bin"
    tools.mkdir()
    for name in TOOLS:
        found = next(path / name for path in (Path("/usr/bin"), Path("/bin")) if (path / name).exists())
        (tools / name).symlink_to(found)
    script(tools, "id", "echo 0")
    script(tools, "sleep", "exec /bin/sleep 0.05")
    script(tools, "apt-cache", cache)
    script(tools, "apt-get", f'echo "$*" >>{folder}/calls\n{apt_get}')
    return tools


def start(tools: Path, **settings: str) -> subprocess.Popen:
    return subprocess.Popen(["/bin/sh", ROOT / "tools/setup.sh", "build"], text=True, stderr=subprocess.PIPE,
                            env={"PATH": str(tools), "SETUP": "yes", "ARCH": "x86_64", **settings})


def locked_for(calls: int) -> str:
    """apt-get, which finds the lock taken so many times."""
    return f"""[ "$(grep -c . "${{0%/*}}/../calls")" -gt {calls} ] && exit 0
cat <<'END' >&2
{LOCKED}
END
exit 100"""


def run(apt_get: str, **settings: str) -> tuple[int, list[str], int]:
    """Status, what was said, how often apt-get was called."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(stand_ins(Path(folder), apt_get), **settings)
        said = process.communicate(timeout=60)[1].splitlines()
        calls = Path(folder, "calls")
        return process.returncode, said, len(calls.read_text().splitlines()) if calls.exists() else 0


def judge(name: str, good: bool, said: list[str]) -> None:
    OUT.result(name, good, "" if good else "\n".join(said))


def real_lock(folder: Path) -> tuple[int, list[str]]:
    """apt-get itself in a root of its own, and a lock that is really held until set-up says that it waits."""
    for part in ("lists/partial", "cache/archives/partial", "dpkg"):
        (folder / part).mkdir(parents=True)
    (folder / "dpkg/status").touch()
    options = " ".join(f"-o {name}={value}" for name, value in {
        "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "dpkg/status",
        "Dir::Cache": folder / "cache", "Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": "/dev/null",
    }.items())
    tools = stand_ins(folder, f'case "$*" in *install*) exit 0 ;; esac\nexec /usr/bin/apt-get {options} "$@"', "exit 1")
    said = []
    with open(folder / "lists/lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        process = start(tools)
        for line in process.stderr:
            said.append(line.rstrip())
            if "waiting" in line:
                fcntl.lockf(lock, fcntl.LOCK_UN)
        process.wait(timeout=60)
    return process.returncode, said


def main() -> int:
    if "debian" not in Path("/etc/os-release").read_text():
        OUT.skip("setup", "this is no Debian system")
        return OUT.end()
    rc, said, calls = run(locked_for(8))
    waits = [line for line in said if "waiting" in line]
    judge("waits-and-goes-on", rc == 0 and calls == 9 and said[-1] == "setup: done", said)
    judge("names-who-has-it", len(waits) == 2 and "(process 812 (unattended-upgr))" in waits[0] and "0 of at most 600 s" in waits[0]
          and "30 of at most 600 s" in waits[-1], said)
    rc, said, calls = run(locked_for(1000), SETUP_WAIT="20")
    judge("gives-up", rc == 77 and calls == 5 and any("for 20 s; try again" in line for line in said)
          and any("make gcc" in line for line in said), said)
    rc, said, calls = run("echo 'E: Unable to locate package gcc' >&2; exit 100")
    judge("does-not-wait-for-anything-else", rc == 77 and calls == 2 and not any("waiting" in line for line in said)
          and any("Unable to locate" in line for line in said), said)
    rc, said, _ = run("exit 0", SETUP_WAIT="soon")
    judge("wrong-limit", rc == 2 and any("SETUP_WAIT=soon" in line for line in said), said)
    if Path("/usr/bin/apt-get").exists():
        with tempfile.TemporaryDirectory() as folder:
            rc, said = real_lock(Path(folder))
            judge("real-lock", rc == 0 and any("waiting, 0 of" in line and "python" in line for line in said), said)
    return OUT.end()


sys.exit(main())
