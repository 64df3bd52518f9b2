"""What a party's key signs: EIP-712 typed data of one call to one contract on one chain.

The types below are those in the `@dev typed data` comments of `contracts/interfaces/`. Each member of a
message is the function's argument of that name, or the member of that name of an argument that is a struct;
the last three are always the consent's signer, nonce and deadline. So a call takes the same arguments here and in
`contracts.encode_call`:

    arguments = [proposal]
    consent = sign(account, deployment, "PackLedger", "propose", arguments, nonce, deadline)
    call_data = encode_call("PackLedger", "propose", [*arguments, consent])
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from eth_abi.exceptions import EncodingError
from eth_account import Account
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from packtrace.chain.contracts import function_inputs
from packtrace.chain.deployment import Deployment
from packtrace.errors import ChainError, EvidenceError

TYPES: dict[tuple[str, str], str] = {
    ("PartyRegistry", "authoriseLine"): "AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PartyRegistry", "authoriseQuality"): "AuthoriseQuality(bytes32 productKey,address key,uint40 until,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PartyRegistry", "rotateKey"): "RotateKey(address oldKey,address newKey,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PartyRegistry", "replaceKey"): "ReplaceKey(address oldKey,address newKey,uint40 validUntil,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "propose"): "Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,"
    "uint40 expiresAt,address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "release"): "Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "withdraw"): "Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "changeStatus"): "ChangeStatus(uint8 to,bytes units,bytes32 openings,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "reverseStatus"): "ReverseStatus(bytes32 id,bytes positions,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "liftStatus"): "LiftStatus(bytes units,bool duplicates,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("PackLedger", "restoreStatus"): "RestoreStatus(bytes32 id,bytes positions,uint8 ground,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "register"): "Register(Registration[] registrations,"
    "address signer,uint256 nonce,uint48 deadline)"
    "Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)",
    ("CustodyLedger", "ship"): "Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "cancelShipment"): "CancelShipment(uint64[] numbers,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "receiveShipment"): "ReceiveShipment(uint64[] numbers,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "receivePartly"): "ReceivePartly(uint64 number,uint64[] missing,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "refuseShipment"): "RefuseShipment(uint64[] numbers,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "unpack"): "Unpack(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)",
    ("CustodyLedger", "takeOut"): "TakeOut(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)",
    ("EventLog", "append"): "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("RecallBoard", "recallLot"): "RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("RecallBoard", "recallBatch"): "RecallBatch(uint32 mah,uint64 batch,uint8 kind,bytes32 reason,"
    "address signer,uint256 nonce,uint48 deadline)",
    ("RecallBoard", "liftRecall"): "LiftRecall(uint32 mah,bytes32 subject,bytes32 reason,"
    "address signer,uint256 nonce,uint48 deadline)",
}
"""Contract and function → the typed data that is signed, as `encodeType` of EIP-712 writes it."""

DOMAIN_NAME = "packtrace"
DOMAIN_VERSION = "1"
DOMAIN_TYPE = (
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
)

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Signer(Protocol):
    """What signs: an `eth_account` account, or anything else that does what its `sign_message` does."""

    @property
    def address(self) -> Any: ...

    def sign_message(self, signable_message: SignableMessage) -> SignedMessage: ...


@dataclass(frozen=True, slots=True)
class Consent:
    """A party's consent to one call (`Consent` in Types.sol).

    `nonce` is keyed (lane in the upper 192 bits, position in the lower 64), `deadline` the unix time after
    which the consent is void, `signature` r ‖ s ‖ v for a key, anything for an ERC-1271 account.
    """

    signer: str
    nonce: int
    deadline: int
    signature: bytes


def keyed_nonce(lane: int, position: int) -> int:
    """The keyed nonce of a lane (below 2^192) and a position in it (below 2^64), as in OpenZeppelin's
    NoncesKeyed.
    """
    if not (0 <= lane < 1 << 192 and 0 <= position < 1 << 64):
        raise ChainError("lane or position is out of range", field="nonce", value=(lane, position))
    return lane << 64 | position


def typed_data(
    deployment: Deployment, contract: str, function: str, args: Sequence[Any], signer: str, nonce: int, deadline: int
) -> dict[str, Any]:
    """The whole EIP-712 message (`types`, `primaryType`, `domain`, `message`), as wallets and HSMs take it."""
    primary, types = _types(contract, function)
    values = _members(contract, function, args) | {"signer": signer, "nonce": nonce, "deadline": deadline}
    return {
        "types": {"EIP712Domain": list(DOMAIN_TYPE), **types},
        "primaryType": primary,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": deployment.chain_id,
            "verifyingContract": deployment.address(contract),
        },
        "message": _message(types, primary, values),
    }


def digest(
    deployment: Deployment, contract: str, function: str, args: Sequence[Any], signer: str, nonce: int, deadline: int
) -> bytes:
    """The 32 bytes that are signed: keccak256(0x1901 ‖ domain separator ‖ hashStruct(message)) (EIP-712)."""
    return _digest(_signable(deployment, contract, function, args, signer, nonce, deadline))


def sign(
    account: Signer,
    deployment: Deployment,
    contract: str,
    function: str,
    args: Sequence[Any],
    nonce: int,
    deadline: int,
) -> Consent:
    """`account`'s consent to the call."""
    signer = str(account.address)
    signed = account.sign_message(_signable(deployment, contract, function, args, signer, nonce, deadline))
    return Consent(signer, nonce, deadline, bytes(signed.signature))


def recover(deployment: Deployment, contract: str, function: str, args: Sequence[Any], consent: Consent) -> str:
    """The address of the key that signed this call (EIP-55).

    `EvidenceError` where the signature is not one that the contracts would take: 65 bytes, s in the lower
    half of the curve's order (EIP-2), v 27 or 28, as OpenZeppelin's ECDSA demands.
    """
    rule = "EIP-712, EIP-2"
    signature = consent.signature
    low = len(signature) == 65 and int.from_bytes(signature[32:64]) <= CURVE_ORDER // 2 and signature[64] in (27, 28)
    if not low:
        raise EvidenceError("not a signature of r ‖ s ‖ v", field="signature", value=signature.hex(), rule=rule)
    signable = _signable(deployment, contract, function, args, consent.signer, consent.nonce, consent.deadline)
    try:
        return str(Account.recover_message(signable, signature=signature))
    except (BadSignature, ValidationError, ValueError) as error:
        raise EvidenceError("the signature has no key", field="signature", value=signature.hex(), rule=rule) from error


def verify(deployment: Deployment, contract: str, function: str, args: Sequence[Any], consent: Consent) -> None:
    """`EvidenceError` unless the key `consent.signer` signed this call, on this chain, for this contract.

    Whether that key may do so only the chain knows. An ERC-1271 account's consent cannot be judged off the
    chain.
    """
    found = recover(deployment, contract, function, args, consent)
    if found.lower() != consent.signer.lower():
        raise EvidenceError(
            f"the consent to {contract}.{function} was signed by {found}, not by the key that it names",
            field="signer",
            value=consent.signer,
            rule="EIP-712",
        )


# ---- inside ----


@cache
def _types(contract: str, function: str) -> tuple[str, dict[str, list[dict[str, str]]]]:
    """The primary type's name, and all struct types of the message."""
    written = TYPES.get((contract, function))
    if written is None:
        raise ChainError(f"{contract}.{function} is not a function that is signed", field="function", value=function)
    found = {}
    for name, members in re.findall(r"(\w+)\(([^)]*)\)", written):
        pairs = [member.split(" ") for member in members.split(",")]
        found[name] = [{"name": member, "type": kind} for kind, member in pairs]
    return next(iter(found)), found


def _members(contract: str, function: str, args: Sequence[Any]) -> dict[str, Any]:
    """Every argument by name, and every member of an argument that is a struct."""
    inputs = [p for p in function_inputs(contract, function) if not _is_consent(p.members)]
    if len(inputs) != len(args):
        raise ChainError(
            f"{contract}.{function} takes {len(inputs)} arguments and the consent, not {len(args)}",
            field="args",
        )
    found: dict[str, Any] = {}
    for parameter, value in zip(inputs, args, strict=True):
        found[parameter.name] = value
        if parameter.members and not parameter.dimensions:
            names = [member.name for member in parameter.members]
            found |= zip(names, _values(value, names), strict=True)
    return found


def _is_consent(members: Sequence[Any]) -> bool:
    return [member.name for member in members] == ["signer", "nonce", "deadline", "signature"]


def _message(types: Mapping[str, list[dict[str, str]]], name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The members of struct type `name`, nested structs as dicts."""
    message = {}
    for member in types[name]:
        value = values[member["name"]]
        inner = member["type"].removesuffix("[]")
        if inner in types:
            names = [m["name"] for m in types[inner]]
            value = [_message(types, inner, dict(zip(names, _values(v, names), strict=True))) for v in value]
        elif isinstance(value, tuple):
            value = list(value)
        message[member["name"]] = value
    return message


def _values(struct: Any, names: Sequence[str]) -> list[Any]:
    """A struct's members in order; it may be a mapping, a sequence or an object."""
    if isinstance(struct, Mapping):
        return [struct[name] for name in names]
    if isinstance(struct, tuple | list):
        return list(struct)
    return [getattr(struct, name) for name in names]


def _signable(
    deployment: Deployment, contract: str, function: str, args: Sequence[Any], signer: str, nonce: int, deadline: int
) -> SignableMessage:
    try:
        return encode_typed_data(full_message=typed_data(deployment, contract, function, args, signer, nonce, deadline))
    except (EncodingError, TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
        raise ChainError(
            f"the call cannot be signed, an argument does not fit its type: {error}",
            field=f"{contract}.{function}",
            rule=TYPES[contract, function],
        ) from error


def _digest(signable: SignableMessage) -> bytes:
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))
