"""Symbolic checks (halmos): the functions `check_…` in contracts/test/symbolic, for all their arguments."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.prove import tools


@dataclass(frozen=True, slots=True)
class Check:
    """One check: whether it holds, on how many paths, and the loops that were not followed to their ends."""

    contract: str
    name: str
    holds: bool
    paths: int
    cut_loops: int
    seconds: float

    @property
    def proven(self) -> bool:
        return self.holds and not self.cut_loops


def prove() -> tuple[list[Check], str]:
    """All checks, and halmos's own report."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "checks.json"
        command = [tools.BIN / "python", tools.HERE / "halmos_sha256.py", "--no-status", "--json-output", output]
        done = tools.run(command, {"FOUNDRY_PROFILE": "symbolic"})
        report = done.stdout + done.stderr
        if not output.exists():
            raise tools.ProverError(f"halmos did not run:\n{report[-4_000:]}")
        return read(json.loads(output.read_text())), report


def read(given: dict[str, Any]) -> list[Check]:
    """The checks of halmos's JSON report."""
    return [
        Check(
            contract=contract.rpartition(":")[2],
            name=result["name"].partition("(")[0],
            holds=result["exitcode"] == 0,
            paths=result["num_paths"][0],
            cut_loops=result["num_bounded_loops"],
            seconds=round(result["time"][0], 2),
        )
        for contract, results in given["test_results"].items()
        for result in results
    ]


def expected() -> set[str]:
    """The checks that there are, so that one that halmos does not find is no proof."""
    files = sorted((tools.ROOT / "contracts" / "test" / "symbolic").glob("*.sol"))
    return {name for file in files for name in re.findall(r"function (check_\w+)\(", file.read_text())}
