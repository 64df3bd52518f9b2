"""CBOR (RFC 8949) as packtrace writes it: maps, lists, texts, bytes and whole numbers of 64 bits, and no tags.

A tag can make one value stand in many places (28 and 29), so that a small message asks for a huge amount of work; it
can make numbers without end, dates, patterns and decimals. Nothing of ours needs one, so each is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import cbor2

from packtrace.errors import EvidenceError


class _NoTags(Mapping[int, Any]):
    """A decoder for every tag there is: one that refuses it."""

    def __getitem__(self, tag: int) -> Any:
        return _refuse

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ValueError("a tag stands where none is needed")


_NO_TAGS = _NoTags()


def loads(data: bytes, *, max_depth: int) -> Any:
    """The value in `data`, nested at most `max_depth` deep. Raises EvidenceError when it is not sound CBOR."""
    try:
        return cbor2.loads(
            data, max_depth=max_depth, allow_indefinite=False, semantic_decoders=_NO_TAGS, tag_hook=_refuse
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise EvidenceError(f"this is not sound CBOR: {error}", rule="RFC 8949") from error
