"""What one gateway hands to another, as bytes: an envelope in CBOR (RFC 8949) around a pedigree.

    {"v": 1, "kind": kind, "from": party, "to": party, "event": digest, "units": [[uri, number], …], "pedigree": bytes}

A *shipment* carries the pedigree of everything in the logistic units shipped; `event` is the shipping event. A
*commissioning* carries the header of one commissioning event, and with it the product's secret, to the authority. A
*correction* carries the header of an error declaration, which is `event`, and of what stands in the erroneous event's
place, to who was shown that event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2

from packtrace import cbor
from packtrace.commit import pedigree
from packtrace.errors import EvidenceError
from packtrace.evidence import MAX_LOGISTIC_NUMBER

VERSION = 1
SHIPMENT, COMMISSIONING, CORRECTION = "shipment", "commissioning", "correction"
MOST_UNITS = 4096  # logistic units shipped in one event and package
# The pedigree's bound, and room for the envelope: 4,096 units of up to 80 bytes.
MAX_BYTES = pedigree.MAX_BYTES + (1 << 20)
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Package:
    """A hand-over. `units` are the logistic units shipped, each with its number on chain."""

    kind: str
    sender: int
    receiver: int
    event: bytes
    units: Mapping[str, int]
    pedigree: bytes

    def to_cbor(self) -> bytes:
        """The bytes; the same for the same content."""
        return cbor2.dumps(
            {
                "v": VERSION,
                "kind": self.kind,
                "from": self.sender,
                "to": self.receiver,
                "event": self.event,
                "units": [[uri, number] for uri, number in sorted(self.units.items())],
                "pedigree": self.pedigree,
            }
        )


def from_cbor(data: bytes) -> Package:
    """Raises EvidenceError when `data` is not a package. Nothing in it is believed yet."""
    try:
        plain: Any = cbor.loads(data, max_depth=_DEPTH)
        if plain["v"] != VERSION:
            raise EvidenceError(f"this program reads packages of version {VERSION}", field="v", value=plain["v"])
        package = Package(
            _is(str, plain["kind"]),
            _is(int, plain["from"]),
            _is(int, plain["to"]),
            _is(bytes, plain["event"]),
            {_is(str, uri): _is(int, number) for uri, number in plain["units"]},
            _is(bytes, plain["pedigree"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"the package is not well formed: {error!r}", rule="package") from error
    if package.kind not in (SHIPMENT, COMMISSIONING, CORRECTION):
        raise EvidenceError("this program knows no such package", field="kind", value=package.kind)
    if len(package.units) > MOST_UNITS:
        raise EvidenceError(f"a package names at most {MOST_UNITS} logistic units", value=len(package.units))
    if any(not 0 < number < MAX_LOGISTIC_NUMBER for number in package.units.values()):
        raise EvidenceError("a logistic unit's number on chain has 64 bits", field="units")
    return package


def digest(data: bytes) -> bytes:
    """A package's name: its SHA-256."""
    return sha256(data).digest()


def _is(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected, not {type(value).__name__}")
    return value
