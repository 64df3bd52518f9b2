"""The machine that was measured on, described so that figures of different machines are not confused."""

import os
import platform
import re
import sqlite3
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYNCS = 50


def describe(folder: Path) -> dict[str, str]:
    """What figures depend on. `folder` is where the databases are while measuring."""
    return {
        "CPU": _cpu(),
        "cores": str(cores()),
        "memory": f"{_memory() / 2**30:.0f} GiB",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "disk": f"{_sync_time(folder) * 1000:.2f} ms to sync 4 KiB (median)",
    }


def describe_processor() -> str:
    """The machine in one line, for what does not depend on its disk."""
    return f"{_cpu()}, {cores()} cores, {_memory() / 2**30:.0f} GiB, {platform.platform()}"


def slug(machine: dict[str, str]) -> str:
    """A file name for the machine."""
    words = re.sub(r"\((?:R|TM)\)|CPU|Processor|@.*", " ", machine["CPU"])
    return "-".join(re.findall(r"[a-z0-9]+", f"{words} {machine['cores']} cores".lower()))


def commit() -> str:
    """The program's version that is measured."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+changes"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def load() -> float | None:
    """Processes that wanted a core in the last minute, as figures of a busy machine are worse."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _sync_time(folder: Path) -> float:
    """Every acknowledged capture waits for one of these at least."""
    file = folder / "sync"
    taken = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(SYNCS):
            opened.write(bytes(4096))
            begun = time.perf_counter()
            os.fsync(opened.fileno())
            taken.append(time.perf_counter() - begun)
    file.unlink()
    return statistics.median(taken)
