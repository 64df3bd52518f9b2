"""A call as the outbox stores it: its arguments in one canonical form, and back from a transaction's input.

Arguments stand in the function's order, without the party's own consent. Where a function takes several consents (MAH
and regulator together), the others are given like arguments, and None marks the place of our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cbor2
import eth_abi.abi
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from packtrace.chain.contracts import Parameter, encode_call, function_inputs, selector
from packtrace.chain.typed_data import TYPES, Consent
from packtrace.errors import ChainError

CONSENT_MEMBERS = ["signer", "nonce", "deadline", "signature"]
NO_CONSENT = ("0x" + "00" * 20, 0, 0, b"")
MAX_ARGUMENTS = 64 * 1024  # bytes; 256 units and their receipt take 4 KiB
SIGNED_CONTRACTS = tuple(sorted({contract for contract, _ in TYPES}))
"""The contracts that take consents."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A call found in a transaction, with the consent of one of its signers."""

    contract: str
    function: str
    args: bytes
    consent: Consent


def dump(contract: str, function: str, args: Sequence[Any]) -> bytes:
    """The arguments in canonical form: as the ABI reads them back, in deterministic CBOR (RFC 8949, 4.2).

    Raises `ChainError` where they do not fit the function, or are too long for one call.
    """
    if (contract, function) not in TYPES:
        raise ChainError(f"no party signs {contract}.{function}", field="function", value=function)
    inputs = function_inputs(contract, function)
    values = [*args] if len(args) == len(inputs) else [*args, None]
    own = [index for index, value in enumerate(values) if value is None]
    if len(own) != 1 or len(values) != len(inputs) or not is_consent(inputs[own[0]]):
        raise ChainError(
            f"{contract}.{function} takes {len(inputs) - 1} arguments beside the consent, not {len(args)}", field="args"
        )
    values[own[0]] = NO_CONSENT
    read = list(_decode(inputs, encode_call(contract, function, values)[4:]))
    read[own[0]] = None
    data = cbor2.dumps(read, canonical=True)
    if len(data) > MAX_ARGUMENTS:
        raise ChainError("the arguments are too long for one call: split it", field="args", value=len(data))
    return data


def load(args: bytes) -> list[Any]:
    """The arguments in the function's order, None in the place of the party's own consent."""
    values: list[Any] = cbor2.loads(args)
    return values


def signed_part(contract: str, function: str, args: bytes) -> list[Any]:
    """The arguments that a signature covers: all but the consents."""
    inputs = function_inputs(contract, function)
    return [value for value, parameter in zip(load(args), inputs, strict=True) if not is_consent(parameter)]


def call_data(contract: str, function: str, args: bytes, consent: Consent) -> bytes:
    """The input of a transaction that carries the consent to the chain."""
    return encode_call(contract, function, [consent if value is None else value for value in load(args)])


def carried(contract: str, data: bytes, signer: str) -> Carried | None:
    """The call of `signer` in a transaction to `contract` with input `data`; None where there is none."""
    for function in (name for of, name in TYPES if of == contract):
        if data[:4] != selector(contract, function):
            continue
        inputs = function_inputs(contract, function)
        try:
            values = list(_decode(inputs, data[4:]))
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return None
        for index, parameter in enumerate(inputs):
            if is_consent(parameter) and to_checksum_address(values[index][0]) == signer:
                consent = Consent(signer, *values[index][1:])
                values[index] = None
                return Carried(contract, function, cbor2.dumps(values, canonical=True), consent)
    return None


def shown(contract: str, function: str, args: bytes) -> dict[str, Any]:
    """The arguments by name, bytes in hex: for people. Empty for a call that could not be found on chain."""
    if (contract, function) not in TYPES:
        return {}
    inputs = function_inputs(contract, function)
    pairs = zip(inputs, load(args), strict=True)
    return {parameter.name: _shown(parameter, parameter.dimensions, value) for parameter, value in pairs if value}


def is_consent(parameter: Parameter) -> bool:
    return [member.name for member in parameter.members] == CONSENT_MEMBERS


def _decode(inputs: Sequence[Parameter], data: bytes) -> tuple[Any, ...]:
    values = eth_abi.abi.decode([parameter.type for parameter in inputs], data)
    pairs = zip(inputs, values, strict=True)
    return tuple(to_checksum_address(value) if parameter.type == "address" else value for parameter, value in pairs)


def _shown(parameter: Parameter, dimensions: int, value: Any) -> Any:
    if dimensions:
        return [_shown(parameter, dimensions - 1, item) for item in value]
    if parameter.members:
        return {m.name: _shown(m, m.dimensions, v) for m, v in zip(parameter.members, value, strict=True)}
    return "0x" + value.hex() if isinstance(value, bytes) else value
