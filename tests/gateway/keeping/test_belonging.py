"""A database belongs to one party and one network's contracts; with any other the gateway does not start."""

import json
from typing import Any

import pytest

from packtrace.chain.deployment import CONTRACTS
from packtrace_gateway.app import create_app
from packtrace_gateway.db import DatabaseStateError
from packtrace_gateway.settings import Settings


def start(settings: Settings) -> None:
    """Start a gateway as far as it gets, and end it."""
    create_app(settings).state.gateway.database.close()


def change(settings: Settings, **members: Any) -> None:
    data = json.loads(settings.deployment.read_text())
    contracts = data["contracts"] | {name: value for name, value in members.items() if name in CONTRACTS}
    others = {name: value for name, value in members.items() if name not in CONTRACTS}
    settings.deployment.write_text(json.dumps(data | others | {"contracts": contracts}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PackLedger": f"0x{77:040x}"}, "PackLedger"),  # a successor's
        ({"chainId": 1}, "chainId"),
        ({"chainId": 1, "EventLog": f"0x{78:040x}"}, "chainId, EventLog"),
    ],
)
def test_a_gateway_does_not_start_on_other_contracts_than_its_records_stand_on(
    gateway_settings: Settings, changed: dict[str, Any], said: str
) -> None:
    start(gateway_settings)
    before = gateway_settings.deployment.read_text()
    change(gateway_settings, **changed)
    with pytest.raises(DatabaseStateError, match="belongs to another deployment file") as refused:
        start(gateway_settings)
    assert refused.value.value == said
    gateway_settings.deployment.write_text(before)
    start(gateway_settings)


def test_the_same_contracts_in_another_file_are_the_same(gateway_settings: Settings) -> None:
    start(gateway_settings)
    data = json.loads(gateway_settings.deployment.read_text())
    change(gateway_settings, block=0, **{name: at.upper().replace("X", "x") for name, at in data["contracts"].items()})
    start(gateway_settings)


def test_a_gateway_does_not_start_as_another_party(gateway_settings: Settings) -> None:
    start(gateway_settings)
    with pytest.raises(DatabaseStateError, match="holds the records of party 12"):
        start(gateway_settings.model_copy(update={"party": 13}))
