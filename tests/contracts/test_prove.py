"""What `./packtrace prove` makes of the reports, and that it forgets nothing. The proofs themselves take long."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.prove import coverage, findings, mutants, symbolic


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, node_environment: dict[str, str]
) -> tuple[Path, list[mutants.Mutant]]:
    folder = tmp_path_factory.mktemp("mutants")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", node_environment["PATH"])
        return folder, mutants.write_mutants(folder)


def test_a_prover_that_is_not_installed_is_named(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(project / "contracts" / "prove" / "run.py"), "--only", "findings"]
    environment = os.environ | {"PACKTRACE_PROVE_VENV": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "slither is not installed: run ./packtrace prove" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_every_guard_of_the_contracts_has_its_mutant(project: Path, written: tuple[Path, list[mutants.Mutant]]) -> None:
    removed = {(m.file, m.original) for m in written[1] if m.changed == "false"}
    modifiers = [m for m in written[1] if m.changed == "no modifier"]
    guards = used = 0
    for path in [*(project / "contracts").glob("*.sol"), *(project / "contracts" / "libraries").glob("*.sol")]:
        text, file = path.read_text(), path.relative_to(project).as_posix()
        for condition in re.findall(r"\bif \(([^;{]*?)\) (?:\{\s*)?(?:revert|return)\b", text):
            assert (file, " ".join(condition.split())) in removed, f"{file}: {condition}"
            guards += 1
        used += len(re.findall(r"\b(?:whenNotPaused|restricted)\b(?=[^;{]*\{)", text))
    assert guards > 70
    assert len(modifiers) == used > 30


def test_every_mutant_is_in_the_sources_once(written: tuple[Path, list[mutants.Mutant]]) -> None:
    folder, found = written
    texts = "".join(path.read_text() for path in (folder / "contracts").rglob("*.sol") if "test" not in path.parts)
    placed = [int(number) for number in re.findall(r"(?:mutated|Unless)\((\d+)\)", texts)]
    assert sorted(placed) == [mutant.number for mutant in found] == list(range(1, len(found) + 1))


def test_every_explained_survivor_is_a_mutant(written: tuple[Path, list[mutants.Mutant]]) -> None:
    keys = {mutant.key for mutant in written[1]}
    assert len(mutants.explanations()) > 10
    assert mutants.explanations().keys() <= keys
    assert all(mutants.explanations().values())


@pytest.mark.parametrize(
    ("report", "failed"),
    [
        ("Ran 2 tests for contracts/test/Keys.t.sol:KeysTest\n[PASS] test_a() (gas: 1)\n[FAIL: no] test_b() (gas: 1)\n",
         "KeysTest.test_b"),
        ("Ran 1 test for contracts/test/Keys.t.sol:KeysTest\n[FAIL; counterexample: x] testFuzz_c(uint8) (runs: 1)\n",
         "KeysTest.testFuzz_c"),
        ("Ran 1 test for contracts/test/S.t.sol:SInvariantTest\n[PASS] invariant_a() (runs: 1)\n[FAIL: status]\n"
         "\t[Sequence] (original: 46, shrunk: 1)\n\t\tsender=0x35 addr=[S.sol:S]0x56 calldata=doWait(uint16) args=[1]\n"
         " invariant_b() (runs: 9, calls: 576, reverts: 0)\n", "SInvariantTest.invariant_b"),
        ("Ran 1 test for contracts/test/Keys.t.sol:KeysTest\n[PASS] test_a() (gas: 1)\n", None),
    ],
)  # fmt: skip
def test_what_killed_a_mutant_is_read_from_forges_report(report: str, failed: str | None) -> None:
    assert mutants.failed_test(report) == failed


def test_a_finding_without_answer_and_an_answer_without_finding_are_told() -> None:
    answers = json.loads(findings.ANSWERS.read_text())
    all_found = [(detector, where.replace("*", "x")) for detector, entry in answers.items() for where in entry["where"]]
    assert findings.compared(all_found).unanswered == findings.compared(all_found).stale == []
    assert findings.compared([*all_found, ("reentrancy-eth", "PackLedger.release()")]).unanswered == [
        "reentrancy-eth: PackLedger.release()"
    ]
    assert findings.compared(all_found[1:]).stale == ["uninitialized-state: EventLog._entries"]
    described = (
        "EventLog._entries (contracts/EventLog.sol#19) is never initialized. It is used in:\n\t- EventLog.append"
    )
    assert findings.subject(described) == "EventLog._entries"


def test_lines_and_branches_that_no_test_reaches_are_told() -> None:
    report = "TN:\nSF:contracts/A.sol\nDA:1,4\nDA:2,0\nBRDA:1,0,0,4\nBRDA:1,0,1,0\nBRDA:3,1,0,-\nend_of_record\n"
    (found,) = coverage.read(report)
    assert (found.file, found.lines, found.branches) == ("contracts/A.sol", 2, 3)
    assert found.gaps == ["line 2", "line 1, branch 0.1", "line 3, branch 1.0"]


def test_a_check_that_fails_or_is_cut_off_is_not_proven() -> None:
    def result(name: str, exitcode: int, cut: int) -> dict[str, object]:
        return {"name": name, "exitcode": exitcode, "num_paths": [3, 2, 0], "time": [0.123], "num_bounded_loops": cut}

    given = [result("check_a(uint256)", 0, 0), result("check_b()", 1, 0), result("check_c()", 0, 2)]
    checks = symbolic.read({"test_results": {"contracts/test/symbolic/A.t.sol:ACheck": given}})
    assert [(check.contract, check.name, check.proven) for check in checks] == [
        ("ACheck", "check_a", True), ("ACheck", "check_b", False), ("ACheck", "check_c", False)
    ]  # fmt: skip
    assert len(symbolic.expected()) > 20
