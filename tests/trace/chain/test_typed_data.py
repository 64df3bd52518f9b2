"""Typed data against the standard's text, against the interfaces' comments and against the deployed contracts."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from supply import BATCH, EXPIRES, ITEM_ROOT, LOT_KEY, PRODUCT_KEY, Network, packed

from packtrace.chain.contracts import encode_call
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.typed_data import (
    CURVE_ORDER,
    TYPES,
    Consent,
    digest,
    keyed_nonce,
    recover,
    sign,
    typed_data,
    verify,
)
from packtrace.errors import ChainError, EvidenceError

KEY = Account.from_key(b"\x42" * 32)
DEPLOYMENT = Deployment(31337, 1, {name: f"0x{n:040x}" for n, name in enumerate(CONTRACTS, 1)})
PROPOSAL = {
    "batch": BATCH,
    "productKey": PRODUCT_KEY,
    "lotKey": LOT_KEY,
    "itemRoot": ITEM_ROOT,
    "count": 10,
    "expiresAt": EXPIRES,
}
RECEIPT = {
    "id": b"\x1d" * 32,
    "party": 30,
    "to": 1,
    "time": 5,
    "openings": b"\0" * 32,
    "units": packed(1),
    "outcomes": b"\0",
}
REGISTRATION = {"number": 5, "ssccCommitment": b"\1" * 32, "contentRoot": b"\2" * 32, "count": 3, "children": [6, 7]}

ARGUMENTS: dict[tuple[str, str], list[Any]] = {
    ("PartyRegistry", "authoriseLine"): [PRODUCT_KEY, 10, 99],
    ("PartyRegistry", "authoriseQuality"): [PRODUCT_KEY, KEY.address, 99],
    ("PartyRegistry", "rotateKey"): [KEY.address, "0x" + "21" * 20],
    ("PartyRegistry", "replaceKey"): [KEY.address, Account.from_key(b"\5" * 32).address, 99],
    ("PackLedger", "propose"): [PROPOSAL],
    ("PackLedger", "release"): [BATCH, b"\7" * 32],
    ("PackLedger", "withdraw"): [BATCH],
    ("PackLedger", "changeStatus"): [1, packed(1, 2), b"\3" * 32],
    ("PackLedger", "reverseStatus"): [RECEIPT, b"\0"],
    ("PackLedger", "liftStatus"): [packed(1, 2), True],
    ("PackLedger", "restoreStatus"): [RECEIPT, b"\0", 1],
    ("CustodyLedger", "register"): [[REGISTRATION, {**REGISTRATION, "number": 8, "children": []}]],
    ("CustodyLedger", "ship"): [[5, 6], 30],
    ("CustodyLedger", "cancelShipment"): [[5, 6]],
    ("CustodyLedger", "receiveShipment"): [[5, 6]],
    ("CustodyLedger", "receivePartly"): [5, [6, 7]],
    ("CustodyLedger", "refuseShipment"): [[5, 6]],
    ("CustodyLedger", "unpack"): [[5, 6]],
    ("CustodyLedger", "takeOut"): [[5, 6]],
    ("EventLog", "append"): [4, 0, b"\5" * 32, 6],
    ("RecallBoard", "recallLot"): [10, LOT_KEY, 2, b"\6" * 32],
    ("RecallBoard", "recallBatch"): [10, BATCH, 2, b"\6" * 32],
    ("RecallBoard", "liftRecall"): [10, LOT_KEY, b"\6" * 32],
}
SIGNED = sorted(TYPES)


def documented_types(interfaces: Path) -> dict[tuple[str, str], str]:
    """The typed data of every function, from the comments of the interfaces."""
    found = {}
    for file in interfaces.glob("I*.sol"):
        text = file.read_text()
        for comment, function in re.findall(r"@dev typed data([^\n]*)\n(?:\s*///[^\n]*\n)*\s*function (\w+)\(", text):
            structs = "".join(re.findall(r"\w+\([^)]*\)", comment.split(": ", 1)[1]))
            found[file.stem[1:], function] = structs
    return found


def test_types_are_those_that_the_interfaces_document(interfaces: Path) -> None:
    assert documented_types(interfaces) == TYPES
    assert set(ARGUMENTS) == set(TYPES)


# ---- EIP-712 written down once more, as its text says ----


def hash_struct(types: str, name: str, values: dict[str, Any]) -> bytes:
    structs = dict(re.findall(r"(\w+)\(([^)]*)\)", types))
    referenced = [s for s in sorted(structs) if s != name and re.search(rf"\b{s}\b", structs[name])]
    encoded_type = f"{name}({structs[name]})" + "".join(f"{s}({structs[s]})" for s in referenced)
    encoded = keccak(text=encoded_type)
    for member in structs[name].split(","):
        kind, label = member.split(" ")
        encoded += encode_member(types, kind, values[label])
    return keccak(encoded)


def encode_member(types: str, kind: str, value: Any) -> bytes:
    if kind.endswith("[]"):
        return keccak(b"".join(encode_member(types, kind[:-2], item) for item in value))
    if re.search(rf"\b{kind}\(", types):
        return hash_struct(types, kind, value)
    if kind == "bytes":
        return keccak(value)
    if kind == "bytes32":
        return bytes(value)
    if kind == "address":
        return bytes.fromhex(value[2:]).rjust(32, b"\0")
    return int(value).to_bytes(32)


def expected_digest(contract: str, types: str, values: dict[str, Any]) -> bytes:
    domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    address = bytes.fromhex(DEPLOYMENT.address(contract)[2:]).rjust(32, b"\0")
    parts = [keccak(text=domain_type), keccak(b"packtrace"), keccak(b"1"), (31337).to_bytes(32), address]
    domain = keccak(b"".join(parts))
    return keccak(b"\x19\x01" + domain + hash_struct(types, types.split("(")[0], values))


@pytest.mark.parametrize(("contract", "function"), SIGNED)
def test_digest_is_that_of_the_standard(contract: str, function: str) -> None:
    args = ARGUMENTS[contract, function]
    names = re.findall(r" (\w+)", TYPES[contract, function].split(")")[0])[:-3]
    flat = {"propose": list(PROPOSAL.values()), "reverseStatus": [RECEIPT["id"], b"\0"],
            "restoreStatus": [RECEIPT["id"], b"\0", 1]}  # members of structs  # fmt: skip
    values = dict(zip(names, flat.get(function, args), strict=True))
    values = {**values, "signer": KEY.address, "nonce": 7, "deadline": 8}
    assert digest(DEPLOYMENT, contract, function, args, KEY.address, 7, 8) == expected_digest(
        contract, TYPES[contract, function], values
    )


registrations = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(0, 2**64 - 1),
            "ssccCommitment": st.binary(min_size=32, max_size=32),
            "contentRoot": st.binary(min_size=32, max_size=32),
            "count": st.integers(0, 2**32 - 1),
            "children": st.lists(st.integers(0, 2**64 - 1), max_size=4),
        }
    ),
    max_size=3,
)


@settings(max_examples=50)
@given(registrations=registrations, nonce=st.integers(0, 2**256 - 1), deadline=st.integers(0, 2**48 - 1))
def test_digest_of_nested_structs_is_that_of_the_standard(registrations: Any, nonce: int, deadline: int) -> None:
    values = {"registrations": registrations, "signer": KEY.address, "nonce": nonce, "deadline": deadline}
    types = TYPES["CustodyLedger", "register"]
    found = digest(DEPLOYMENT, "CustodyLedger", "register", [registrations], KEY.address, nonce, deadline)
    assert found == expected_digest("CustodyLedger", types, values)


# ---- signatures ----


@pytest.mark.parametrize(("contract", "function"), SIGNED)
def test_consent_is_of_this_call_on_this_contract_and_chain_only(contract: str, function: str) -> None:
    args = ARGUMENTS[contract, function]
    consent = sign(KEY, DEPLOYMENT, contract, function, args, 7, 8)
    verify(DEPLOYMENT, contract, function, args, consent)
    assert recover(DEPLOYMENT, contract, function, args, consent) == KEY.address
    elsewhere = [
        (replace(DEPLOYMENT, chain_id=1), consent),
        (replace(DEPLOYMENT, contracts={**DEPLOYMENT.contracts, contract: "0x" + "77" * 20}), consent),
        (DEPLOYMENT, replace(consent, nonce=8)),
        (DEPLOYMENT, replace(consent, deadline=9)),
        (DEPLOYMENT, replace(consent, signer="0x" + "11" * 20)),
        (DEPLOYMENT, replace(consent, signature=KEY.unsafe_sign_hash(b"\1" * 32).signature)),
    ]
    for deployment, other in elsewhere:
        with pytest.raises(EvidenceError, match="not by the key"):
            verify(deployment, contract, function, args, other)


def test_every_argument_is_signed() -> None:
    for (contract, function), args in ARGUMENTS.items():
        original = digest(DEPLOYMENT, contract, function, args, KEY.address, 7, 8)
        for position, value in enumerate(args):
            for changed in variants(value):
                if position == 0 and value is RECEIPT and changed["id"] == value["id"]:
                    continue  # the receipt's id stands for all of it: the chain compares its hash
                other = [*args[:position], changed, *args[position + 1 :]]
                found = digest(DEPLOYMENT, contract, function, other, KEY.address, 7, 8)
                assert found != original, (function, value, changed)


def variants(value: Any) -> list[Any]:
    """The value with one thing in it changed."""
    if isinstance(value, dict):
        return [{**value, name: changed} for name, member in value.items() for changed in variants(member)]
    if isinstance(value, list):
        changed = [[*value[:i], v, *value[i + 1 :]] for i, item in enumerate(value) for v in variants(item)]
        return [*changed, value[1:], value[::-1]] if len(value) > 1 else changed
    if isinstance(value, bytes):
        return [bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 1])]
    if isinstance(value, str):
        return ["0x" + "12" * 20]
    return [value ^ 1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:64],
        lambda s: s + b"\0",
        lambda s: b"",
        lambda s: s[:64] + bytes([s[64] - 27]),  # v of 0 or 1: OpenZeppelin's ECDSA refuses it
        # the other root, which the curve takes and EIP-2 refuses
        lambda s: s[:32] + (CURVE_ORDER - int.from_bytes(s[32:64])).to_bytes(32) + bytes([55 - s[64]]),
        lambda s: bytes(64) + s[64:],
        lambda s: b"\xff" * 32 + s[32:],
    ],
)
def test_signature_that_the_contracts_would_refuse_is_refused(spoil: Any) -> None:
    consent = sign(KEY, DEPLOYMENT, "PackLedger", "release", [1, bytes(32)], 0, 9)
    spoilt = replace(consent, signature=spoil(consent.signature))
    with pytest.raises(EvidenceError, match="signature"):
        recover(DEPLOYMENT, "PackLedger", "release", [1, bytes(32)], spoilt)


def test_message_is_complete_for_a_wallet() -> None:
    message = typed_data(DEPLOYMENT, "EventLog", "append", [4, 0, b"\5" * 32, 6], KEY.address, 7, 8)
    assert message["primaryType"] == "Append"
    assert message["domain"] == {
        "name": "packtrace",
        "version": "1",
        "chainId": 31337,
        "verifyingContract": DEPLOYMENT.address("EventLog"),
    }
    assert message["message"] == {
        "lane": 4, "sequence": 0, "root": b"\5" * 32, "count": 6, "signer": KEY.address,
        "nonce": 7, "deadline": 8
    }  # fmt: skip
    assert [t["name"] for t in message["types"]["Append"]] == list(message["message"])


@pytest.mark.parametrize(
    ("contract", "function", "args"),
    [
        ("PackLedger", "statusOf", [1]),
        ("PackLedger", "release", []),
        ("PackLedger", "release", ["x", bytes(32)]),
        ("PackLedger", "release", [2**64, bytes(32)]),
        ("PackLedger", "release", [-1, bytes(32)]),
        ("CustodyLedger", "register", [[{"number": 1}]]),
        ("EventLog", "append", [0, 0, b"\1" * 33, 1]),
    ],
)
def test_call_that_cannot_be_signed_is_refused(contract: str, function: str, args: list[Any]) -> None:
    with pytest.raises(ChainError):
        sign(KEY, DEPLOYMENT, contract, function, args, 0, 0)


def test_keyed_nonce_has_the_lane_above_the_position() -> None:
    assert keyed_nonce(3, 5) == 3 * 2**64 + 5
    for lane, position in ((-1, 0), (0, -1), (1 << 192, 0), (0, 1 << 64)):
        with pytest.raises(ChainError):
            keyed_nonce(lane, position)


# ---- the deployed contracts judge ----


@pytest.mark.parametrize(("contract", "function"), [one for one in SIGNED if one != ("PackLedger", "reverseStatus")])
def test_contract_takes_our_signature_and_no_other(contract: str, function: str, network: Network) -> None:
    """An unknown key: the contract refuses it for that, once the signature is right, and for the signature if not."""
    args = ARGUMENTS[contract, function]
    signers = 2 if function in {"liftStatus", "restoreStatus", "rotateKey"} else 1
    consents = [network.consent(Account.from_key(bytes([n]) * 32), contract, function, args) for n in (5, 6)][:signers]
    good = refused(network, contract, [*args, *consents], function)
    assert good in {"UnknownKey", "BatchNotProposed"}
    first, *others = consents
    spoilt = replace(first, signature=first.signature[:10] + bytes([first.signature[10] ^ 1]) + first.signature[11:])
    assert refused(network, contract, [*args, spoilt, *others], function) == "InvalidConsent"


def refused(network: Network, contract: str, args: list[Any], function: str) -> str:
    data = "0x" + encode_call(contract, function, args).hex()
    sender = network.authority if function == "replaceKey" else network.relayer
    transaction = {"from": sender.address, "to": network.deployment.address(contract), "data": data}
    with pytest.raises(ChainRefusal) as found:
        network.node.simulate(transaction)
    return found.value.name


def test_contract_carries_out_what_was_signed(network: Network) -> None:
    maker = 10 << 42
    registrations = [
        {**REGISTRATION, "number": maker | 1, "children": []},
        {**REGISTRATION, "number": maker | 2, "children": [maker | 1]},
    ]
    receipt = network.act(network.maker, "CustodyLedger", "register", [registrations])
    events = [(e.event, e.args.get("number") or e.args["child"]) for e in receipt.events(network.deployment)]
    assert sorted(events) == [("Packed", maker | 1), ("Registered", maker | 1), ("Registered", maker | 2)]


def test_consent_works_once_and_not_after_its_deadline(network: Network) -> None:
    args = [1, 0, b"\1" * 32, 5]
    consent = network.consent(network.maker, "EventLog", "append", args)
    network.carry("EventLog", "append", args, consent)
    with pytest.raises(ChainRefusal) as again:
        network.carry("EventLog", "append", args, consent)
    assert again.value.name == "InvalidAccountNonce"
    late = sign(network.maker, network.deployment, "EventLog", "append", args, keyed_nonce(9, 0), 1)
    with pytest.raises(ChainRefusal) as expired:
        network.carry("EventLog", "append", args, late)
    assert expired.value.name == "ConsentExpired"


def test_lanes_do_not_wait_for_each_other(network: Network) -> None:
    for lane in (5, 6):
        args = [lane, 0, b"\1" * 32, 5]
        consent = network.consent(network.maker, "EventLog", "append", args, lane=lane)
        assert consent == Consent(network.maker.address, keyed_nonce(lane, 0), consent.deadline, consent.signature)
        network.carry("EventLog", "append", args, consent)
