"""How much CPU time control groups leave to this process: the least quota of its own group and all that enclose it.

Linux: Documentation/admin-guide/cgroup-v2.rst (cpu.max), scheduler/sched-bwc.rst (cpu.cfs_quota_us). Both versions
may be in use at once; where each is mounted, and which group that mount begins at, is in /proc/self/mountinfo.
"""

from __future__ import annotations

from pathlib import Path


def quota(root: Path = Path("/")) -> float | None:
    """CPUs that the quotas come to, None without any. Other roots are for tests."""
    found = [cpus for folder, v2 in _groups(root) if (cpus := _quota_of(folder, v2)) is not None]
    return min(found, default=None)


def _groups(root: Path) -> list[tuple[Path, bool]]:
    """Each enclosing group's folder, and whether it is of version 2."""
    groups = []
    paths = _own_paths(root)
    for mount, begins_at, v2 in _mounts(root):
        path = paths.get(v2)
        if path is None:
            continue
        # A path outside of what is mounted here is another namespace's: the mount itself is all we see.
        inside = path == begins_at or path.startswith(begins_at.rstrip("/") + "/")
        folder = root / mount.lstrip("/")
        names = [name for name in path[len(begins_at):].split("/") if name] if inside else []
        if ".." in names:
            names = []
        for depth in range(len(names) + 1):
            groups.append((folder.joinpath(*names[:depth]), v2))
    return groups


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _own_paths(root: Path) -> dict[bool, str]:
    """The group of this process, by version: lines of "number:controllers:path"."""
    paths = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            paths[True] = path
        elif "cpu" in controllers.split(","):
            paths[False] = path
    return paths


def _mounts(root: Path) -> list[tuple[str, str, bool]]:
    """Mount point, the group it begins at, and version, of the hierarchies that may hold a quota."""
    mounts = []
    for line in _lines(root / "proc/self/mountinfo"):
        words, _, rest = line.partition(" - ")
        fields, kinds = words.split(), rest.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        if kinds[0] == "cgroup2":
            mounts.append((fields[4], fields[3], True))
        elif kinds[0] == "cgroup" and "cpu" in kinds[2].split(","):
            mounts.append((fields[4], fields[3], False))
    return mounts


def _quota_of(folder: Path, v2: bool) -> float | None:
    if v2:
        words = " ".join(_lines(folder / "cpu.max")).split()
    else:
        words = [" ".join(_lines(folder / name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    try:
        used, period = (int(word) for word in words)
    except ValueError:  # "max", or no such file
        return None
    return used / period if used > 0 and period > 0 else None
