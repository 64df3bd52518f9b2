"""Line and branch coverage of the contracts by their Solidity tests (forge).

forge counts no function outside a contract: StatusWord, KeyWord and PartyWord are not in the figures. They have no
branch, and the symbolic checks try them for all their arguments. Of an `if` without an `else` it counts the one way;
the other one is the line that follows. What each operand of a condition is for, the mutants show.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from contracts.prove import tools

NOT_COUNTED = "test/|node_modules"


@dataclass(frozen=True, slots=True)
class Coverage:
    """One source file; `gaps` are lines and branches that no test reaches."""

    file: str
    lines: int
    branches: int
    gaps: list[str]


def measure() -> list[Coverage]:
    """Run the tests (but the invariants, which reach nothing more) and say what they reach."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lcov.info"
        done = tools.run(
            [tools.forge(), "coverage", "--no-match-coverage", NOT_COUNTED, "--no-match-contract", "Invariant",
             "--report", "lcov", "--report-file", output],
            {"FOUNDRY_OUT": "cache/coverage/out", "FOUNDRY_CACHE_PATH": "cache/coverage"},
        )  # fmt: skip
        if done.returncode or not output.exists():
            raise tools.ProverError(f"the tests failed:\n{(done.stdout + done.stderr)[-4_000:]}")
        return read(output.read_text())


def read(lcov: str) -> list[Coverage]:
    """Coverage from forge's lcov report."""
    found = []
    for record in lcov.split("end_of_record\n")[:-1]:
        file = re.search(r"^SF:(.+)$", record, re.M)
        lines = re.findall(r"^DA:(\d+),(\d+)", record, re.M)
        branches = re.findall(r"^BRDA:(\d+),(\d+),(\d+),(\d+|-)$", record, re.M)
        gaps = [f"line {line}" for line, hits in lines if hits == "0"]
        gaps += [f"line {line}, branch {block}.{way}" for line, block, way, hits in branches if hits in "0-"]
        if file:
            found.append(Coverage(file[1], len(lines), len(branches), gaps))
    return sorted(found, key=lambda coverage: coverage.file)
