"""The packaged artifacts are what the sources here compile to, and small enough for any Ethereum network."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

CONTRACTS = ("PartyRegistry", "PackLedger", "CustodyLedger", "RecallBoard", "EventLog", "AccessManager")
MAX_CODE = 24_576  # EIP-170
MAX_INIT_CODE = 49_152  # EIP-3860


@pytest.fixture(scope="module")
def packaged(project: Path) -> Path:
    return project / "trace" / "packtrace" / "chain" / "artifacts"


@pytest.fixture(scope="module")
def artifacts(packaged: Path) -> dict[str, Any]:
    return {name: json.loads((packaged / f"{name}.json").read_text()) for name in CONTRACTS}


def test_rebuild_gives_the_same_files(
    packaged: Path, project: Path, node_environment: dict[str, str], tmp_path: Path
) -> None:
    built = subprocess.run(
        ["node", "contracts/build.mjs", str(tmp_path)],
        cwd=project, env=node_environment, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-4_000:]
    folders = (packaged, tmp_path)
    committed, made = ({file.name: file.read_bytes() for file in folder.glob("*.json")} for folder in folders)
    assert set(committed) == set(made) == {f"{name}.json" for name in (*CONTRACTS, "standard-input")}
    different = [name for name in made if made[name] != committed[name]]
    assert not different, f"run `npm run build` and commit: {different}"


def test_standard_input_holds_all_that_an_auditor_needs(packaged: Path, artifacts: dict[str, Any]) -> None:
    given = json.loads((packaged / "standard-input.json").read_text())
    assert given["language"] == "Solidity"
    for artifact in artifacts.values():
        assert artifact["settings"] == {k: v for k, v in given["settings"].items() if k != "outputSelection"}
        for source in artifact["sources"]:
            text = given["sources"][source["path"]]["content"]
            assert hashlib.sha256(text.encode()).hexdigest() == source["sha256"]
    used = {source["path"] for artifact in artifacts.values() for source in artifact["sources"]}
    assert used == set(given["sources"]), "no source is left out and none is there for nothing"
    assert not [path for path in used if "/test/" in path or path.endswith(".t.sol")]


def test_code_is_within_the_limits_and_as_large_as_committed(artifacts: dict[str, Any], project: Path) -> None:
    sizes = {name: len(artifact["deployedBytecode"]) // 2 - 1 for name, artifact in artifacts.items()}
    assert max(sizes.values()) <= MAX_CODE
    assert all(len(artifact["bytecode"]) // 2 - 1 <= MAX_INIT_CODE for artifact in artifacts.values())
    snapshot = project / "contracts" / "size-snapshot.json"
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(sizes, indent=2) + "\n")
    assert sizes == json.loads(snapshot.read_text())
