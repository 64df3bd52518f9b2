import string
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from packtrace.chain import contracts
from packtrace.chain.contracts import decode_error, decode_log, decode_result, encode_call
from packtrace.chain.deployment import CONTRACTS
from packtrace.chain.refusals import MEANINGS, ChainRefusal
from packtrace.chain.typed_data import Consent
from packtrace.errors import ChainError

CONSENT = Consent("0x" + "11" * 20, 5, 6, b"\7" * 65)
PROPOSAL = {
    "batch": 1,
    "productKey": b"\2" * 32,
    "lotKey": b"\3" * 32,
    "itemRoot": b"\4" * 32,
    "count": 5,
    "expiresAt": 6,
}


def declared_errors() -> dict[str, dict[str, Any]]:
    return {item["name"]: item for name in CONTRACTS for item in contracts.abi(name) if item["type"] == "error"}


def error_data(name: str, types: list[str], values: list[Any]) -> bytes:
    return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, values)


def test_call_data_are_selector_and_arguments() -> None:
    data = encode_call("PackLedger", "statusOf", [0xABCDEF])
    assert data == keccak(text="statusOf(uint64)")[:4] + (0xABCDEF).to_bytes(32)


def test_struct_argument_may_be_mapping_sequence_or_object() -> None:
    forms = [PROPOSAL, tuple(PROPOSAL.values()), list(PROPOSAL.values()), SimpleNamespace(**PROPOSAL)]
    encoded = {encode_call("PackLedger", "propose", [form, CONSENT]) for form in forms}
    assert len(encoded) == 1
    signature = "propose((uint64,bytes32,bytes32,bytes32,uint32,uint40),(address,uint256,uint48,bytes))"
    assert next(iter(encoded))[:4] == keccak(text=signature)[:4]


def test_overloaded_function_is_chosen_by_its_number_of_arguments() -> None:
    assert encode_call("PackLedger", "nonces", [CONSENT.signer])[:4] == keccak(text="nonces(address)")[:4]
    assert encode_call("PackLedger", "nonces", [CONSENT.signer, 3])[:4] == keccak(text="nonces(address,uint192)")[:4]
    with pytest.raises(ChainError, match="arguments"):
        contracts.selector("PackLedger", "nonces")


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("statusOf", [2**64]),
        ("statusOf", ["1"]),
        ("statusOf", []),
        ("statusOf", [1, 2]),
        ("noSuchFunction", []),
        ("receiptHash", [b"\1" * 33]),
        ("propose", [{"batch": 1}, CONSENT]),
        ("propose", [None, CONSENT]),
        ("propose", [PROPOSAL, ()]),
        ("changeStatus", [256, b"", b"\0" * 32, CONSENT]),
        ("changeStatus", [1, "text", b"\0" * 32, CONSENT]),
    ],
)
def test_argument_that_does_not_fit_is_refused_and_named(function: str, args: list[Any]) -> None:
    with pytest.raises(ChainError) as refused:
        encode_call("PackLedger", function, args)
    assert "function" in str(refused.value) or f"PackLedger.{function}" in str(refused.value)


def test_contract_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ChainError, match="no such contract"):
        contracts.abi("../../../etc/passwd")


def test_result_of_several_values_is_a_tuple_and_a_struct_a_mapping() -> None:
    batch = (b"\1" * 32, b"\2" * 32, 3, 4, 5, 6, 7, 8, 2, 1, 11, 12)
    proposer, releaser = ("0x" + "0a" * 20, 13), ("0x" + "0b" * 20, 14)
    data = encode(
        [
            "uint8",
            "(bytes32,bytes32,uint32,uint24,uint24,uint16,uint40,uint40,uint8,uint24,uint24,uint24)",
            "uint8",
            "uint40",
            "uint64",
            "(address,uint40)",
            "(address,uint40)",
        ],
        [1, batch, 2, 99, 7, proposer, releaser],
    )
    status, found, recall, since, twin, *signers = decode_result("PackLedger", "factsOf", data)
    assert (status, recall, since, twin) == (1, 2, 99, 7)
    assert tuple(found.values()) == batch
    assert list(found)[:2] == ["itemRoot", "lotKey"]
    assert [(signer["key"].lower(), signer["compromisedSince"]) for signer in signers] == [proposer, releaser]


def test_empty_result_says_that_the_contract_is_not_there() -> None:
    with pytest.raises(ChainError, match="no such contract at the deployment's address"):
        decode_result("PackLedger", "statusOf", b"")


@given(data=st.binary(max_size=400))
def test_result_of_any_bytes_is_decoded_or_refused(data: bytes) -> None:
    for function in ("factsOf", "statusOf"):
        with suppress(ChainError):
            decode_result("PackLedger", function, data)


# ---- custom errors ----


def test_every_custom_error_has_a_meaning_in_words_with_its_own_arguments() -> None:
    errors = declared_errors()
    assert set(MEANINGS) == set(errors) | {"Error", "Panic"}
    for name, item in errors.items():
        used = {field for _, field, _, _ in string.Formatter().parse(MEANINGS[name]) if field}
        assert used <= {parameter["name"] for parameter in item["inputs"]}, name


@pytest.mark.parametrize("name", sorted(declared_errors()))
def test_every_custom_error_is_decoded_with_its_arguments(name: str) -> None:
    inputs = declared_errors()[name]["inputs"]
    samples: dict[str, Any] = {
        "address": "0x" + "Ab" * 20,
        "bytes32": b"\x0f" * 32,
        "bytes4": b"\1\2\3\4",
        "string": "x",
    }
    types = [parameter["type"] for parameter in inputs]
    values = [samples.get(kind, 3) for kind in types]
    refusal = decode_error(error_data(name, types, values))
    assert refusal is not None
    assert refusal.name == name
    assert [str(v).lower() for v in refusal.args_.values()] == [str(v).lower() for v in values]
    assert "{" not in str(refusal)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (ChainRefusal("WrongState", {"number": 5, "state": 2}), "in state in transit"),
        (ChainRefusal("InvalidStatus", {"to": 0}), "status active"),
        (ChainRefusal("InvalidStatus", {"to": 77}), "status 77"),
        (ChainRefusal("ConsentExpired", {"deadline": 0}), "from 1970-01-01 00:00:00 UTC on"),
        (ChainRefusal("ConsentExpired", {"deadline": 2**48 - 1}), "from 281474976710655 on"),
        (ChainRefusal("NotReceipt", {"id": b"\xab" * 32}), "0xabab"),
        (ChainRefusal("SomethingNew", {"a": 1}), "SomethingNew(1)"),
    ],
)
def test_refusal_speaks_in_words(refusal: ChainRefusal, said: str) -> None:
    assert said in str(refusal)


def test_solidity_reasons_and_panics_are_decoded() -> None:
    reason = decode_error(error_data("Error", ["string"], ["too bad"]))
    panic = decode_error(error_data("Panic", ["uint256"], [0x11]))
    assert reason is not None
    assert "too bad" in str(reason)
    assert panic is not None
    assert panic.args_ == {"code": 0x11}


@given(data=st.binary(max_size=100))
def test_error_of_any_bytes_is_decoded_or_nothing(data: bytes) -> None:
    assert decode_error(data) is None
    assert decode_error(keccak(text="UnknownUnit(uint64)")[:4] + data[:31]) is None


# ---- events ----


def test_log_of_another_contract_is_nothing_of_ours() -> None:
    transfer = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
    assert decode_log({"topics": [transfer], "data": "0x"}) is None
    assert decode_log({"topics": [], "data": "0x"}) is None


def test_log_with_a_topic_of_ours_but_other_indexed_arguments_is_nothing_of_ours() -> None:
    released = "0x" + contracts.event_topic("PackLedger", "BatchReleased").hex()
    assert decode_log({"topics": [released], "data": "0x"}) is None
    assert decode_log({"topics": [released, "0x" + "00" * 32, "0x" + "00" * 32], "data": "0x"}, "EventLog") is None


def test_log_is_decoded_with_indexed_and_plain_arguments_in_the_order_of_the_event() -> None:
    topics = [contracts.event_topic("EventLog", "Appended"), *((n).to_bytes(32) for n in (7, 8, 9))]
    log = {"topics": ["0x" + t.hex() for t in topics], "data": "0x" + (b"\5" * 32 + (3).to_bytes(32)).hex()}
    assert decode_log(log) == (
        "EventLog",
        "Appended",
        {"party": 7, "lane": 8, "sequence": 9, "root": b"\5" * 32, "count": 3},
    )
