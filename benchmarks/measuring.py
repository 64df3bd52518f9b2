"""What every benchmark is made of: figures with their budgets, times, percentiles, peak memory."""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a figure may be, or with `least` the least."""

    limit: float
    least: bool = False


def at_most(limit: float) -> Budget:
    return Budget(limit)


def at_least(limit: float) -> Budget:
    return Budget(limit, least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `budget` is from the design, section 6; None where it sets none."""

    name: str
    value: float
    unit: str
    budget: Budget | None = None

    @property
    def met(self) -> bool | None:
        """Whether the budget is met; None without one."""
        if self.budget is None:
            return None
        return self.value >= self.budget.limit if self.budget.least else self.value <= self.budget.limit


@dataclass(frozen=True, slots=True)
class Bench:
    """How a benchmark runs: with small sizes if `quick`, and with `folder`, empty, for its files."""

    quick: bool
    folder: Path


def seconds(work: Callable[[], object], repeats: int = 1) -> list[float]:
    """How long `work` takes, each time, in seconds."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return taken


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(name: str, values: Sequence[float], unit: str, p95: Budget | None = None) -> list[Figure]:
    """p50, p95 and p99 of one thing; the budget is for the second."""
    return [
        Figure(f"{name}, p{percent}", percentile(values, percent), unit, p95 if percent == 95 else None)
        for percent in (50, 95, 99)
    ]


def cpu_seconds(process: int) -> float | None:
    """CPU time that a process has taken so far; None where the system does not say (/proc)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: proc_pid_stat(5)


def peak_memory(process: int) -> float | None:
    """The most memory that a process has ever held, in MB (10^6 bytes); None where the system does not say (/proc)."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    kibibytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return kibibytes * 1024 / 1e6
