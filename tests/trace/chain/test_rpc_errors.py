"""How the different nodes word the same refusal."""

from typing import Any, get_args

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.rpc_errors import ADVICE, Kind, NodeError, chain_error

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


WORDS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "already known",
        [
            ("Geth", "already known"),
            ("Anvil", "transaction already imported"),
            ("Hardhat", "Known transaction: 0xabcdef"),
            ("Besu", "Known transaction"),
        ],
    ),
    (
        "nonce too low",
        [
            ("Geth", "nonce too low: next nonce 5, tx nonce 3"),
            ("Hardhat", "Nonce too low. Expected nonce to be 5 but got 3."),
            ("Hardhat", "Transaction nonce too low. Expected nonce to be at least 1 but got 0."),
            ("Besu", "Nonce too low"),
            ("Anvil", "nonce too low"),
        ],
    ),
    (
        "nonce too high",
        [
            ("Geth", "nonce too high: address 0x12, tx: 9 state: 4"),
            ("Geth", "gapped-nonce tx from delegated accounts"),
            ("Geth", "future transaction tries to replace pending"),
            ("Hardhat", "Nonce too high. Expected nonce to be 5 but got 6. Note that transactions can't be queued"),
            ("Besu", "Transaction nonce is too distant from current sender nonce"),
            ("Besu", "An invalid transaction with a lower nonce exists"),
            ("Anvil", "Nonce too high"),
        ],
    ),
    (
        "replacement underpriced",
        [
            ("Geth", "replacement transaction underpriced: new tx gas tip cap 1 <= 1 queued"),
            ("Anvil", "replacement transaction underpriced"),
            ("Anvil's pool", "Tx: [0xab] insufficient gas price to replace existing transaction"),
            ("Hardhat", "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 2 is needed"),
            ("Besu", "Replacement transaction underpriced"),
        ],
    ),
    (
        "underpriced",
        [
            ("Geth", "transaction underpriced: gas tip cap 0, minimum needed 1"),
            ("Geth", "max fee per gas less than block base fee: address 0x12, maxFeePerGas: 1"),
            ("Anvil", "max fee per gas less than block base fee"),
            ("Hardhat", "Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 9"),
            ("Hardhat", "Transaction gasPrice (1) is too low for the next block, which has a baseFeePerGas of 9"),
            ("Besu", "Gas price below configured minimum gas price"),
            ("Besu", "Gas price below current base fee"),
        ],
    ),
    (
        "fee cap",
        [
            ("Geth", "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"),
            ("Besu", "Transaction fee cap exceeded"),
        ],
    ),
    (
        "insufficient funds",
        [
            ("Geth", "insufficient funds for gas * price + value: have 1 want 2"),
            ("Geth", "insufficient funds for transfer"),
            ("Anvil", "Insufficient funds for gas * price + value"),
            (
                "Hardhat",
                "Sender doesn't have enough funds to send tx. The max upfront cost is: 84",
            ),
            ("Besu", "Upfront cost exceeds account balance"),
        ],
    ),
    (
        "pool full",
        [
            ("Geth", "txpool is full"),
            ("Geth", "account limit exceeded: pooled 16 txs"),
            ("Geth", "in-flight transaction limit reached for delegated accounts"),
            ("others", "Failed imported to deferred pool: Transaction Pool is full"),
        ],
    ),
    (
        "gas too high",
        [
            ("Geth", "exceeds block gas limit"),
            ("Geth", "transaction gas limit too high (cap: 16777216, tx: 16777217)"),
            ("Anvil", "intrinsic gas too high -- tx.gas_limit > env.cfg.tx_gas_limit_cap"),
            ("Anvil", "Transaction gas limit is greater than the block gas limit, gas_limit: 9, cap: 8"),
            ("Hardhat", "Transaction gas limit is 16777217 and exceeds transaction gas cap of 16777216"),
            ("Hardhat", "Transaction gas limit is 40000000 and exceeds block gas limit of 30000000"),
            ("Besu", "Transaction gas limit exceeds block gas limit"),
        ],
    ),
    (
        "gas too low",
        [
            ("Geth", "intrinsic gas too low: gas 20000, minimum needed 21000"),
            ("Geth", "insufficient gas for floor data gas cost: gas 22000, minimum needed 29000"),
            ("Anvil", "intrinsic gas too low"),
            ("Hardhat", "Transaction requires at least 21000 gas but got 20000"),
            ("Besu", "Intrinsic gas exceeds gas limit"),
        ],
    ),
    (
        "not permitted",
        [
            ("Besu", "Sender account not authorized to send transactions"),
            ("Besu", "Plugin has marked the transaction as invalid"),
        ],
    ),
    (
        "wrong chain",
        [
            ("Geth", "invalid chain id for signer: have 1 want 2"),
            ("Anvil", "invalid chain id for signer"),
            ("Hardhat", "Trying to send a raw transaction with an invalid chainId. The expected chainId is 31337"),
            ("Besu", "Wrong chainId"),
        ],
    ),
    ("reverted", [("Geth, Anvil", "execution reverted"), ("Besu", "Execution reverted")]),
    (
        "unknown block",
        [
            ("Geth", "header not found"),
            ("Geth", "header for hash not found"),
            ("Geth", "hash 0xab is not currently canonical"),
            ("Geth", "missing trie node ab (path ) state 0xab is not available, not found"),
            ("Anvil", "BlockOutOfRangeError: block height is 1 but requested was 1000000"),
            ("Anvil", "Resource not found"),
            ("Hardhat", "Received invalid block tag 1000000. Latest block number is 1"),
            ("Besu", "Unknown block"),
            ("Besu", "Block not found"),
            ("Besu", "World state unavailable"),
        ],
    ),
    (
        "busy",
        [
            ("providers", "daily request limit exceeded"),
            ("providers", "Too Many Requests"),
            ("Besu", "Timeout expired"),
            ("Besu", "Initial sync is still in progress"),
            ("Besu", "Transaction pool not enabled. (Either txpool explicitly disabled, or node not yet in sync)."),
        ],
    ),
    (
        "other",
        [
            ("Geth, Anvil", "max initcode size exceeded"),
            ("Hardhat", "Trying to send a deployment transaction whose init code length is 60000."),
            ("any", "the method is not available"),
            ("Anvil", "max priority fee per gas higher than max fee per gas"),
            ("Besu", "Max priority fee per gas exceeds max fee per gas"),
            ("Anvil", "Failed to decode transaction"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("kind", "message"),
    [pytest.param(kind, text, id=f"{kind}, {node}: {text[:40]}") for kind, said in WORDS for node, text in said],
)
def test_what_a_sender_must_know_is_told_from_the_message(kind: str, message: str) -> None:
    error = chain_error("eth_sendRawTransaction", {"code": -32000, "message": message})
    assert isinstance(error, NodeError)
    assert (error.kind, error.code, error.text) == (kind, -32000, message)
    assert str(error).startswith(f"the node refused eth_sendRawTransaction: {message}")
    advice = ADVICE.get(error.kind)
    assert advice is None or advice in str(error)


def test_every_kind_is_tried() -> None:
    assert sorted(kind for kind, _ in WORDS) == sorted(get_args(Kind))


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
