"""A pedigree: the disclosures that follow items from commissioning to here. It travels with the goods.

On the wire it is CBOR (RFC 8949), or JSON with the same members and base64url (RFC 4648, section 5) where CBOR has
bytes:

    {"v": 1, "events": [{"f": fields, "p": prefix, "u": uris, "i": indices, "s": salts, "n": nodes, "seal": seal}, …]}

`f` lists the header's fields in order, an opened one as [name, salt, value as JSON text], a closed one as its hash.
`u` is the items' URIs without their common prefix `p`, joined by newlines; `i` their positions, each as the distance
from the one before; `s` and `n` are salts and proof nodes, joined. `seal` is [party, lane, sequence, count, index,
path] or null.
"""

import base64
import binascii
import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import cbor2
import orjson
import rfc8785

from packtrace import cbor
from packtrace.commit.disclosure import NO_ITEMS, Disclosure, ShownItems
from packtrace.commit.header import Field, Header
from packtrace.commit.merkle import HASH_BYTES
from packtrace.commit.salts import SALT_BYTES
from packtrace.commit.seal import SealProof
from packtrace.errors import EvidenceError

VERSION = 1
# A pallet of 5,000 units scattered over a batch of a million takes below 2 MB; this admits lorries of them.
MAX_BYTES = 64 << 20
MAX_EVENTS = 100_000
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Pedigree:
    """Disclosures, in the order in which their events were recorded."""

    disclosures: tuple[Disclosure, ...]

    def to_cbor(self) -> bytes:
        return cbor2.dumps(_plain(self, lambda data: data))

    def to_json(self) -> dict[str, Any]:
        return _plain(self, lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode())

    @staticmethod
    def from_cbor(data: bytes) -> "Pedigree":
        """Read a pedigree; nothing in it is believed yet (see `Disclosure.verify`).

        Raises EvidenceError when `data` is not a pedigree.
        """
        if len(data) > MAX_BYTES:
            raise EvidenceError(
                f"a pedigree has at most {MAX_BYTES} bytes; hand over in several shipments", value=len(data)
            )
        return _read(cbor.loads(data, max_depth=_MAX_DEPTH), _bytes)

    @staticmethod
    def from_json(plain: Any) -> "Pedigree":
        """Raises EvidenceError when `plain` is not a pedigree."""
        return _read(plain, _from_base64)


def _plain(pedigree: Pedigree, binary: Callable[[bytes], Any]) -> dict[str, Any]:
    return {"v": VERSION, "events": [_plain_disclosure(entry, binary) for entry in pedigree.disclosures]}


def _plain_disclosure(disclosure: Disclosure, binary: Callable[[bytes], Any]) -> dict[str, Any]:
    shown, seal = disclosure.shown, disclosure.seal
    prefix = os.path.commonprefix(shown.uris) if shown.uris else ""
    return {
        "f": [
            [field.name, binary(field.salt), rfc8785.dumps(field.value).decode()]
            if isinstance(field, Field)
            else binary(field)
            for field in disclosure.header.fields
        ],
        "p": prefix,
        "u": "\n".join(uri[len(prefix) :] for uri in shown.uris),
        "i": [*shown.indices[:1], *(after - before for before, after in pairwise(shown.indices))],
        "s": binary(shown.salts),
        "n": binary(b"".join(shown.nodes)),
        "seal": seal and [seal.party, seal.lane, seal.sequence, seal.count, seal.index, binary(b"".join(seal.path))],
    }


def _read(plain: Any, binary: Callable[[Any], bytes]) -> Pedigree:
    try:
        if plain["v"] != VERSION:
            raise EvidenceError(f"this program reads pedigrees of version {VERSION}", field="v", value=plain["v"])
        events = plain["events"]
        if not isinstance(events, list) or len(events) > MAX_EVENTS:
            raise EvidenceError(f"a pedigree has at most {MAX_EVENTS} events", field="events")
        return Pedigree(tuple(_read_disclosure(entry, binary) for entry in events))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"the pedigree is not well formed: {error!r}", rule="pedigree") from error


def _read_disclosure(plain: Any, binary: Callable[[Any], bytes]) -> Disclosure:
    fields = tuple(
        Field(_text(entry[0]), binary(entry[1]), orjson.loads(entry[2])) if isinstance(entry, list) else binary(entry)
        for entry in plain["f"]
    )
    return Disclosure(Header(fields), _read_items(plain, binary), _read_seal(plain["seal"], binary))


def _read_seal(plain: Any, binary: Callable[[Any], bytes]) -> SealProof | None:
    if plain is None:
        return None
    party, lane, sequence, count, index, path = plain
    party, lane, sequence, count, index = map(_integer, (party, lane, sequence, count, index))
    return SealProof(party, lane, sequence, count, index, tuple(_chunks(binary(path), HASH_BYTES)))


def _read_items(plain: Any, binary: Callable[[Any], bytes]) -> ShownItems:
    distances = plain["i"]
    salts, nodes = binary(plain["s"]), tuple(_chunks(binary(plain["n"]), HASH_BYTES))
    if not distances:
        return ShownItems((), salts, (), nodes) if salts or nodes else NO_ITEMS
    if not all(type(distance) is int for distance in distances):
        raise EvidenceError("item positions are whole numbers", field="i")
    prefix, suffixes = _text(plain["p"]), _text(plain["u"]).split("\n")
    if not len(distances) == len(suffixes) == len(salts) / SALT_BYTES:
        raise EvidenceError("items, positions and salts differ in number", field="u")
    return ShownItems(tuple(accumulate(distances)), salts, tuple(prefix + suffix for suffix in suffixes), nodes)


def _chunks(joined: bytes, width: int) -> Iterable[bytes]:
    if len(joined) % width:
        raise EvidenceError(f"hashes are joined in pieces of {width} bytes", value=len(joined))
    return (joined[at : at + width] for at in range(0, len(joined), width))


def _bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise TypeError(f"bytes expected, not {type(value).__name__}")
    return value


def _from_base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value) + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise EvidenceError(f"not base64url: {error}", rule="RFC 4648, section 5") from error


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"text expected, not {type(value).__name__}")
    if not value.isascii():
        value.encode()  # a ValueError for what is no text in UTF-8: JSON lets half a surrogate pair through
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a whole number expected, not {value!r}")
    return value
