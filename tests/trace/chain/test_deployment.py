from pathlib import Path

import pytest

from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.errors import ChainError


def test_deployment_reads_back_what_it_wrote(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    deployment.save(file)
    assert Deployment.load(file) == deployment
    assert list(tmp_path.iterdir()) == [file]


def test_deployment_brings_addresses_into_checksummed_form() -> None:
    lower = "0xde25d67b28545c97611f3a4e624a1bc08e0cb988"
    deployment = Deployment(1, 0, dict.fromkeys(CONTRACTS, lower))
    assert deployment.address("PackLedger") == "0xDE25d67B28545C97611F3a4e624A1bc08E0cB988"


def test_deployment_knows_its_contracts_by_address_in_any_case(deployment: Deployment) -> None:
    assert deployment.contract_at(deployment.address("EventLog").upper().replace("0X", "0x")) == "EventLog"
    assert deployment.contract_at("0x" + "99" * 20) is None


def test_deployment_without_one_contract_is_refused_by_its_name(deployment: Deployment) -> None:
    contracts = {name: address for name, address in deployment.contracts.items() if name != "RecallBoard"}
    with pytest.raises(ChainError, match=r"contracts\.RecallBoard"):
        Deployment(1, 0, contracts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no contracts"),
        ('{"chainId": 1, "block": 0}', "no contracts"),
        ('{"chainId": "1", "block": 0, "contracts": {}}', "chainId"),
        ('{"chainId": true, "block": 0, "contracts": {}}', "chainId"),
        ('{"chainId": -1, "block": 0, "contracts": {}}', "chainId"),
        ('{"chainId": 1, "contracts": {}}', "block"),
        ('{"chainId": 1, "block": -1, "contracts": {}}', "block"),
        ('{"chainId": 1, "block": 0, "contracts": {"AccessManager": "0x12"}}', "AccessManager"),
        ('{"chainId": 1, "block": 0, "contracts": {"AccessManager": 12}}', "AccessManager"),
    ],
)
def test_deployment_file_that_is_wrong_is_refused_with_its_fault(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    file.write_text(text)
    with pytest.raises(ChainError, match=said):
        Deployment.load(file)


def test_deployment_file_that_is_missing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ChainError, match="packtrace contracts deploy"):
        Deployment.load(tmp_path / "none.json")
