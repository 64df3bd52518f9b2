"""CBOR from strangers: what we write is read, every tag is refused, and nothing is without bounds."""

import cbor2
import pytest

from packtrace import cbor
from packtrace.errors import EvidenceError

TAGS = [*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 999, 1004, 43000, 55799]


def test_what_packtrace_writes_is_read() -> None:
    plain = {"v": 1, "u": ["a", b"b", None, True, 2**64 - 1, -1]}
    assert cbor.loads(cbor2.dumps(plain), max_depth=8) == plain


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_is_refused_wherever_it_stands(tag: int) -> None:
    for value in (0, 1.5, "x", b"\x01\x02", [1, 2], {1: 2}):
        for place in (cbor2.CBORTag(tag, value), [0, cbor2.CBORTag(tag, value)], {"v": cbor2.CBORTag(tag, value)}):
            with pytest.raises(EvidenceError, match="CBOR"):
                cbor.loads(cbor2.dumps(place), max_depth=8)


def test_one_value_cannot_stand_in_many_places() -> None:
    """An event that a hundred thousand references of three bytes name again is not a hundred thousand events."""
    shared = b"\xd8\x1c" + cbor2.dumps({"f": []})
    for references in (1, 3):
        data = b"\x84" + shared + b"\xd8\x1d\x00" * references + b"\x00" * (3 - references)
        with pytest.raises(EvidenceError):
            cbor.loads(data, max_depth=8)


@pytest.mark.parametrize("data", [b"", b"\x9f\x00\xff", b"\x81" * 9 + b"\x00", cbor2.dumps(1 << 64)])
def test_what_is_cut_short_endless_or_too_deep_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        cbor.loads(data, max_depth=8)
