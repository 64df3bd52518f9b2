"""The contracts' own tests, written in Solidity, run by Hardhat on the code that is packaged."""

import json
import re
import subprocess
from pathlib import Path

import pytest

FEWEST_TESTS = 300  # so that a suite that is not found does not pass


@pytest.mark.timeout(1_200)
def test_solidity_tests_pass_on_the_packaged_code(project: Path, node_environment: dict[str, str]) -> None:
    run = subprocess.run(
        [str(project / "node_modules" / ".bin" / "hardhat"), "test", "solidity"],
        cwd=project, env=node_environment, capture_output=True, text=True,
    )  # fmt: skip
    report = run.stdout + run.stderr
    assert run.returncode == 0, report[-6_000:]
    passing = re.search(r"(\d+) passing", report)
    assert passing, report[-6_000:]
    assert int(passing[1]) >= FEWEST_TESTS, report[-6_000:]
    for name in ("PartyRegistry", "PackLedger", "CustodyLedger", "RecallBoard", "EventLog"):
        tested = json.loads((project / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json").read_text())
        packaged = json.loads((project / "trace/packtrace/chain/artifacts" / f"{name}.json").read_text())
        assert tested["bytecode"] == packaged["bytecode"], f"{name} was tested and packaged with other settings"
