"""The header: an event's fields, each salted, under one root; and the event's digest.

Leaf 0 is the core, which always travels; every other field is a leaf of its own, in the order of its name, opened or
kept closed by choice. Leaf data is tag ‖ 16-byte salt ‖ canonical JSON (RFC 8785) of [name, value].
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import rfc8785

from packtrace.commit import merkle
from packtrace.commit.items import Counts, Role
from packtrace.commit.salts import FIELDS, SALT_BYTES, salts
from packtrace.errors import DocumentError, EvidenceError

FIELD_TAG = b"packtrace/field/v1"
EVENT_TAG = b"packtrace/event/v1"
CORE = "core"
# A header has a core, about ten fields of the standard, and one for each extension; more is a mistake or an attack.
MAX_FIELDS = 256
COUNT_BYTES = 2
# What every core says, and what it says or leaves empty; no word of the vocabulary or URI is longer.
TEXTS = ("type", "action")
TEXTS_OR_NOTHING = ("bizStep", "disposition", "readPoint")
MAX_TEXT = 1024
# UTC with milliseconds, so that times compare as texts.
TIMES = ("eventTime", "recordTime")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
PARTIES = 1 << 22  # party numbers are below (IPartyRegistry)


@dataclass(frozen=True, slots=True)
class Field:
    """An opened field of a header."""

    name: str
    salt: bytes
    value: Any

    def leaf_hash(self) -> bytes:
        try:
            return merkle.leaf_hash(FIELD_TAG + self.salt + rfc8785.dumps([self.name, self.value]))
        except (rfc8785.CanonicalizationError, RecursionError) as error:
            raise DocumentError(f"the value cannot be written as canonical JSON: {error}", field=self.name) from error


@dataclass(frozen=True, slots=True)
class Header:
    """Fields in leaf order; a closed one is its leaf hash. The core stands first and is open."""

    fields: tuple[Field | bytes, ...]

    @property
    def core(self) -> dict[str, Any]:
        return cast(dict[str, Any], cast(Field, self.fields[0]).value)

    @property
    def opened(self) -> dict[str, Any]:
        """Values of the opened fields other than the core, by name."""
        return {field.name: field.value for field in self.fields[1:] if isinstance(field, Field)}

    @property
    def root(self) -> bytes:
        return merkle.root([field.leaf_hash() if isinstance(field, Field) else field for field in self.fields])

    @property
    def digest(self) -> bytes:
        """The event's digest: SHA-256(tag with version ‖ number of fields ‖ header root).

        Without the number, two closed fields could be shown as one: the node above them.
        """
        return sha256(EVENT_TAG + len(self.fields).to_bytes(COUNT_BYTES) + self.root).digest()

    @property
    def item_root(self) -> bytes:
        return bytes.fromhex(self.core["items"]["root"])

    @property
    def counts(self) -> Counts:
        """Number of items of each role, in role order."""
        given = self.core["items"]["counts"]
        return {role: given[role.name.lower()] for role in Role if role.name.lower() in given}

    def closed_but(self, names: Collection[str]) -> "Header":
        """This header with every field closed except the core and `names`."""
        return Header(
            tuple(
                field.leaf_hash()
                if isinstance(field, Field) and field.name not in names and field.name != CORE
                else field
                for field in self.fields
            )
        )


def build(core: dict[str, Any], others: dict[str, Any], secret: bytes) -> Header:
    """A header with every field open."""
    names = sorted(others)
    if len(names) + 1 > MAX_FIELDS:
        raise DocumentError(f"an event has at most {MAX_FIELDS - 1} fields", value=len(names))
    stream = salts(secret, FIELDS, 0, len(names) + 1)
    values = [(CORE, core), *((name, others[name]) for name in names)]
    return Header(
        tuple(
            Field(name, stream[at * SALT_BYTES : (at + 1) * SALT_BYTES], value)
            for at, (name, value) in enumerate(values)
        )
    )


def check_received(fields: Sequence[Field | bytes]) -> Header:
    """A header from somebody else: an open, complete core first, the other fields in order. Raises EvidenceError."""
    if not 0 < len(fields) <= MAX_FIELDS or not isinstance(fields[0], Field) or fields[0].name != CORE:
        raise EvidenceError("a header begins with its open core", rule="header")
    opened = [field for field in fields if isinstance(field, Field)]
    if any(len(field.salt) != SALT_BYTES for field in opened):
        raise EvidenceError("a salt has 16 bytes", rule="header")
    if any(not isinstance(field, Field) and len(field) != merkle.HASH_BYTES for field in fields):
        raise EvidenceError("a closed field is a hash of 32 bytes", rule="header")
    names = [field.name for field in opened[1:]]
    if names != sorted(set(names)) or CORE in names:
        raise EvidenceError("a header's fields stand in the order of their names, each once", rule="header")
    header = Header(tuple(fields))
    try:
        items = header.core["items"]
        counts, size = header.counts, sum(header.counts.values())
        sound = (
            len(header.item_root) == merkle.HASH_BYTES
            and len(counts) == len(items["counts"])
            and all(type(count) is int and 0 < count <= merkle.MAX_SIZE for count in counts.values())
            and size <= merkle.MAX_SIZE
            and counts.get(Role.PARENT, 0) <= 1
            and all(_is_text(header.core[name]) for name in TEXTS)
            and all(TIME.fullmatch(header.core[name]) for name in TIMES)
            and all(header.core[name] is None or _is_text(header.core[name]) for name in TEXTS_OR_NOTHING)
            and _is_party(header.core["party"])
            and (header.core.get("receiver") is None or _is_party(header.core["receiver"]))
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvidenceError(f"the header's core is not complete: {error!r}", rule="header") from error
    if not sound:
        raise EvidenceError("the header's core is not well formed", rule="header")
    return header


def _is_party(value: Any) -> bool:
    return type(value) is int and 0 < value < PARTIES


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT
