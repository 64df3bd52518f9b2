"""The contracts' interfaces as Python sees them: calls, results, custom errors and events, by the packaged
ABIs.

Encoding is that of the Contract ABI specification. Values: `int` for integers and enums, `bytes` for bytesN
and bytes, checksummed `str` for addresses, `dict` (by the member names in Solidity) for structs, `tuple` for
arrays.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import eth_abi.abi
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from packtrace.chain.deployment import CONTRACTS
from packtrace.chain.refusals import ChainRefusal
from packtrace.errors import ChainError

__all__ = [
    "CONTRACTS",
    "ChainRefusal",
    "Event",
    "abi",
    "artifact",
    "bytecode",
    "decode_error",
    "decode_log",
    "decode_result",
    "encode_call",
    "encode_constructor",
    "event_topic",
    "selector",
]

BUILT_IN_ERRORS: tuple[dict[str, Any], ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


class Event(NamedTuple):
    """A decoded log: which contract's which event, and its arguments by name."""

    contract: str
    event: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, or member of a struct; `type` is the canonical ABI type (structs written out as tuples)."""

    name: str
    type: str
    members: tuple["Parameter", ...] = ()
    dimensions: int = 0
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One function, custom error or event of a contract."""

    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    hash: bytes  # Keccak-256 of the signature: its first 4 bytes are the selector, all 32 an event's topic


# ---- artifacts ----


@cache
def artifact(contract: str) -> dict[str, Any]:
    """The packaged build of `contract`: `abi`, `bytecode`, `deployedBytecode`, … as the contracts' build
    wrote it.
    """
    if contract not in CONTRACTS:
        raise ChainError("there is no such contract", field="contract", value=contract, rule=", ".join(CONTRACTS))
    text = resources.files("packtrace.chain").joinpath("artifacts", f"{contract}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def abi(contract: str) -> list[dict[str, Any]]:
    """The contract's ABI as JSON (Solidity's ABI JSON format)."""
    found: list[dict[str, Any]] = artifact(contract)["abi"]
    return found


def bytecode(contract: str) -> bytes:
    """The contract's creation code, without constructor arguments."""
    return bytes.fromhex(artifact(contract)["bytecode"].removeprefix("0x"))


# ---- calls ----


def encode_call(contract: str, function: str, args: Sequence[Any]) -> bytes:
    """Call data of `function` with its arguments in order; a struct may be a mapping, a sequence or an
    object.
    """
    entry = _function(contract, function, len(args))
    return entry.hash[:4] + _encode(f"{contract}.{function}", entry.inputs, args)


def encode_constructor(contract: str, args: Sequence[Any]) -> bytes:
    """Creation code followed by the constructor's arguments."""
    declared = (entry["inputs"] for entry in abi(contract) if entry["type"] == "constructor")
    inputs: list[dict[str, Any]] = next(declared, [])
    if len(inputs) != len(args):
        raise ChainError(
            f"the constructor takes {len(inputs)} arguments, not {len(args)}", field=f"{contract}.constructor"
        )
    return bytecode(contract) + _encode(f"{contract}.constructor", _parameters(inputs), args)


def decode_result(contract: str, function: str, data: bytes, arguments: int | None = None) -> Any:
    """What `function` returned: the value, or a tuple where it returns several.

    `arguments` is the number of its arguments, needed for an overloaded function. Empty data means that there is no
    contract at the address that was called.
    """
    outputs = _function(contract, function, arguments).outputs
    if not data and outputs:
        raise ChainError(
            "the node knows no such contract at the deployment's address; check that the deployment file belongs to "
            "this node's chain",
            field=f"{contract}.{function}",
        )
    values = _decode(f"{contract}.{function}", outputs, data)
    return values[0] if len(values) == 1 else values


def selector(contract: str, function: str, arguments: int | None = None) -> bytes:
    """The 4 bytes that call data of `function` starts with; `arguments` as in `decode_result`."""
    return _function(contract, function, arguments).hash[:4]


def function_inputs(contract: str, function: str, arguments: int | None = None) -> tuple[Parameter, ...]:
    """The parameters of `function`, in order; `arguments` as in `decode_result`."""
    return _function(contract, function, arguments).inputs


# ---- errors and events ----


def decode_error(data: bytes) -> ChainRefusal | None:
    """The custom error (or Solidity's `Error` or `Panic`) in revert data; None where it is none of ours."""
    entry = _errors().get(data[:4])
    if entry is None:
        return None
    try:
        values = _decode(entry.name, entry.inputs, data[4:])
    except ChainError:
        return None
    return ChainRefusal(entry.name, dict(zip((p.name for p in entry.inputs), values, strict=True)))


def decode_log(log: Mapping[str, Any], contract: str | None = None) -> Event | None:
    """The event in a log as a node gives it (`topics` and `data` in hex); None where it is none of ours.

    The log's address is *not* looked at: anybody's contract can emit a log like ours. Who reads logs names
    the `contract` whose address the log has, or uses `Node.logs` and `Receipt.events`, which do that.
    """
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    declared = _events().get(topics[0], {}) if topics else {}
    contract = contract or next(iter(declared), "")
    entry = declared.get(contract)
    if entry is None:
        return None
    where = f"{contract}.{entry.name}"
    indexed = tuple(p for p in entry.inputs if p.indexed)
    if len(topics) != 1 + len(indexed):
        return None
    plain = tuple(p for p in entry.inputs if not p.indexed)
    by_name = dict(zip((p.name for p in indexed), _decode(where, indexed, b"".join(topics[1:])), strict=True))
    data = bytes.fromhex(log["data"][2:])
    by_name |= zip((p.name for p in plain), _decode(where, plain, data), strict=True)
    return Event(contract, entry.name, {p.name: by_name[p.name] for p in entry.inputs})


def event_topic(contract: str, event: str) -> bytes:
    """Topic 0 of an event's logs."""
    for topic, declared in _events().items():
        if contract in declared and declared[contract].name == event:
            return topic
    raise ChainError(f"{contract} has no such event", field="event", value=event)


def errors() -> frozenset[str]:
    """The names of all custom errors that our contracts declare."""
    return frozenset(entry.name for entry in _errors().values())


# ---- inside ----


@cache
def _functions(contract: str) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for item in abi(contract):
        if item["type"] == "function":
            found.setdefault(item["name"], []).append(_entry(item))
    return found


def _function(contract: str, function: str, arguments: int | None = None) -> Entry:
    """The function of that name; an overloaded one (`nonces`, `authority`) is chosen by its number of arguments."""
    named = _functions(contract).get(function, [])
    if not named:
        raise ChainError(f"{contract} has no such function", field="function", value=function)
    fitting = [entry for entry in named if arguments is None or len(entry.inputs) == arguments]
    if len(fitting) != 1:
        possible = " or ".join(str(len(entry.inputs)) for entry in named)
        raise ChainError(f"{contract}.{function} takes {possible} arguments, not {arguments}", field="args")
    return fitting[0]


@cache
def _errors() -> dict[bytes, Entry]:
    items = [item for contract in CONTRACTS for item in abi(contract) if item["type"] == "error"]
    return {entry.hash[:4]: entry for entry in map(_entry, [*items, *BUILT_IN_ERRORS])}


@cache
def _events() -> dict[bytes, dict[str, Entry]]:
    """By topic, then by contract: OpenZeppelin's events are declared by several."""
    found: dict[bytes, dict[str, Entry]] = {}
    for contract in CONTRACTS:
        for item in abi(contract):
            if item["type"] == "event":
                entry = _entry(item)
                found.setdefault(entry.hash, {})[contract] = entry
    return found


def _entry(item: Mapping[str, Any]) -> Entry:
    inputs = _parameters(item["inputs"])
    signature = f"{item['name']}({','.join(p.type for p in inputs)})"
    return Entry(item["name"], inputs, _parameters(item.get("outputs", [])), keccak(text=signature))


def _parameters(items: Sequence[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    found = []
    for item in items:
        written: str = item["type"]
        members = _parameters(item.get("components", []))
        canonical = written
        if members:
            canonical = written.replace("tuple", f"({','.join(m.type for m in members)})", 1)
        found.append(Parameter(item["name"], canonical, members, written.count("["), bool(item.get("indexed", False))))
    return tuple(found)


def _encode(where: str, parameters: Sequence[Parameter], values: Sequence[Any]) -> bytes:
    try:
        plain = [_plain(p, p.dimensions, v) for p, v in zip(parameters, values, strict=True)]
        return eth_abi.abi.encode([p.type for p in parameters], plain)
    except (EncodingError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise ChainError(
            f"an argument does not fit its type: {error}",
            field=where,
            rule=", ".join(p.type for p in parameters),
        ) from error


def _plain(parameter: Parameter, dimensions: int, value: Any) -> Any:
    """`value` with every struct as a tuple in the order of its members."""
    if not parameter.members:
        return value
    if dimensions:
        return [_plain(parameter, dimensions - 1, item) for item in value]
    if isinstance(value, Mapping):
        parts = [value[m.name] for m in parameter.members]
    elif isinstance(value, tuple | list):
        parts = list(value)
    else:
        parts = [getattr(value, m.name) for m in parameter.members]
    return tuple(_plain(m, m.dimensions, v) for m, v in zip(parameter.members, parts, strict=True))


def _decode(where: str, parameters: Sequence[Parameter], data: bytes) -> tuple[Any, ...]:
    try:
        values = eth_abi.abi.decode([p.type for p in parameters], data)
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise ChainError(
            "the chain's data do not fit the packaged ABI; check that the deployment file belongs to this "
            "node's "
            "chain and to this version of packtrace",
            field=where,
            value=data.hex(),
        ) from error
    return tuple(_named(p, p.dimensions, v) for p, v in zip(parameters, values, strict=True))


def _named(parameter: Parameter, dimensions: int, value: Any) -> Any:
    """The reverse of `_plain`: structs as dicts, addresses checksummed."""
    if dimensions:
        return tuple(_named(parameter, dimensions - 1, item) for item in value)
    if parameter.members:
        return {m.name: _named(m, m.dimensions, v) for m, v in zip(parameter.members, value, strict=True)}
    return to_checksum_address(value) if parameter.type.startswith("address") else value
