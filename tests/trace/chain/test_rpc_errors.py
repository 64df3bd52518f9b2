"""How the different nodes word the same refusal."""

from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.rpc_errors import NodeError, chain_error

DATA = "0x" + (keccak(text="UnknownUnit(uint64)")[:4] + (77).to_bytes(32)).hex()
HASH = "0x" + "ab" * 32

SHAPES: dict[str, Any] = {
    "Anvil": {"code": 3, "message": f"execution reverted: custom error 0x8ba0d20f: {DATA[10:]}", "data": DATA},
    "Geth": {"code": 3, "message": "execution reverted", "data": DATA},
    "Besu": {"code": -32000, "message": "Execution reverted", "data": DATA},
    "older Besu": {"code": -32015, "message": "VM execution error.", "data": f"Reverted {DATA}"},
    "Hardhat": {
        "code": -32603,
        "message": "Error: VM Exception while processing transaction: reverted with an unrecognized custom error",
        "data": {"message": "Error: VM Exception", "txHash": HASH, "data": DATA},
    },
    "Ganache": {"code": -32000, "message": "VM Exception", "data": {"hash": HASH, "result": DATA, "reason": None}},
    "message only": {"code": -32000, "message": f"execution of {HASH} reverted ({DATA})"},
}


@pytest.mark.parametrize("node", SHAPES)
def test_custom_error_is_found_wherever_a_node_puts_it(node: str) -> None:
    error = chain_error("eth_call", SHAPES[node])
    assert isinstance(error, ChainRefusal)
    assert (error.name, error.args_) == ("UnknownUnit", {"number": 77})


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("already known", "already known"),  # Geth
        ("transaction already imported", "already known"),  # Anvil
        ("Known transaction: 0xabcdef", "already known"),  # Hardhat
        ("Known transaction", "already known"),  # Besu
        ("nonce too low: next nonce 5, tx nonce 3", "nonce too low"),  # Geth
        ("Nonce too low. Expected nonce to be 5 but got 3.", "nonce too low"),  # Hardhat
        ("Nonce too low", "nonce too low"),  # Besu
        ("replacement transaction underpriced", "underpriced"),
        ("transaction underpriced: gas tip cap 0", "underpriced"),
        ("Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 2 is needed", "underpriced"),
        ("Gas price below configured minimum gas price", "underpriced"),  # Besu
        ("max fee per gas less than block base fee: address 0x12, maxFeePerGas: 1", "underpriced"),  # Geth, Anvil
        ("insufficient funds for gas * price + value: have 1 want 2", "insufficient funds"),
        ("Insufficient funds for gas * price + value", "insufficient funds"),
        ("Upfront cost exceeds account balance", "insufficient funds"),  # Besu
        ("execution reverted", "reverted"),
        ("intrinsic gas too low: have 1, want 21000", "other"),
        ("the method is not available", "other"),
    ],
)
def test_what_a_sender_must_know_is_told_from_the_message(message: str, kind: str) -> None:
    error = chain_error("eth_sendRawTransaction", {"code": -32000, "message": message})
    assert isinstance(error, NodeError)
    assert (error.kind, error.code, error.text) == (kind, -32000, message)


def test_revert_data_that_are_none_of_ours_stay_the_nodes_error() -> None:
    error = chain_error("eth_call", {"code": 3, "message": "execution reverted", "data": "0x12345678"})
    assert isinstance(error, NodeError)
    assert error.kind == "reverted"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "message", "code"]), inner),
    max_leaves=6,
)


@given(error=json_values)
def test_error_of_any_shape_is_told(error: Any) -> None:
    assert str(chain_error("eth_call", error))
