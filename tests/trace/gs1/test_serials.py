"""Serial numbers: unique, uniform, and not to be guessed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import SerialPolicy, draw, keys
from packtrace.gs1.serials import ALPHABET, LENGTH


def test_drawn_serials_are_different_and_valid() -> None:
    serials = draw(100_000)
    assert len(set(serials)) == 100_000
    assert {len(serial) for serial in serials} == {LENGTH}
    assert set("".join(serials)) == set(ALPHABET)
    for serial in serials[:100]:
        keys.serial(serial)


def test_default_alphabet_has_no_confusable_character_and_no_vowel() -> None:
    assert not set(ALPHABET) & set("0OQD1IL2Z5S8BUAE")
    assert len(set(ALPHABET)) == len(ALPHABET) == 20


@pytest.mark.parametrize("alphabet", [ALPHABET, "0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ABC"])
def test_every_character_is_as_likely_as_any_other(alphabet: str) -> None:
    """Modulo bias would be 14 % with 36 characters; chance stays far below the 4 % allowed here."""
    counts = Counter("".join(draw(200_000, SerialPolicy(20, alphabet))))
    expected = 200_000 * 20 / len(alphabet)
    assert max(abs(count - expected) for count in counts.values()) < 0.04 * expected


def test_taken_serials_are_not_drawn_again() -> None:
    # 7,000 of 10^8 numbers: among 3,000 more, a hit comes by chance once in five runs, so force them.
    policy = SerialPolicy(8, "0123456789")
    known = set(draw(7_000, policy))
    refused: list[str] = []

    def taken(candidates: list[str]) -> set[str]:
        hits = known.intersection(candidates) | ({candidates[0]} if len(refused) < 5 else set())
        refused.extend(hits)
        return hits

    more = draw(2_900, policy, issued=len(known), taken=taken)
    assert len(set(more)) == 2_900
    assert not known.intersection(more)
    assert not set(refused).intersection(more)
    assert len(refused) >= 5


def test_set_can_say_what_is_taken() -> None:
    known = set(draw(1000))
    assert not known.intersection(draw(1000, issued=len(known), taken=known.intersection))


@pytest.mark.parametrize(
    ("policy", "issued", "count", "good"),
    [
        (SerialPolicy(8, "0123456789"), 0, 9_999, True),  # 9,999 of 10^8: below one in 10,000
        (SerialPolicy(8, "0123456789"), 0, 10_000, False),  # exactly one in 10,000
        (SerialPolicy(8, "0123456789"), 9_999, 1, False),
        (SerialPolicy(8, "0123456789"), 9_998, 1, True),
        (SerialPolicy(4, "0123456789"), 0, 1, False),
        (SerialPolicy(1, "AB"), 0, 0, True),
    ],
)
def test_draw_that_would_make_guessing_easy_is_refused(
    policy: SerialPolicy, issued: int, count: int, good: bool
) -> None:
    if good:
        assert len(draw(count, policy, issued=issued)) == count
    else:
        with pytest.raises(IdentifierError) as caught:
            draw(count, policy, issued=issued)
        assert "2016/161" in str(caught.value)


@given(st.integers(1, 20), st.integers(2, 62))
def test_most_keeps_the_limit_strictly(length: int, size: int) -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[:size]
    most, space = SerialPolicy(length, alphabet).most, size**length
    assert most * 10_000 < space <= (most + 1) * 10_000


def test_default_policy_has_room_for_every_pack_of_a_product() -> None:
    assert SerialPolicy().most > 400_000_000_000


@pytest.mark.parametrize(
    ("length", "alphabet"), [(0, "AB"), (21, "AB"), (8, ""), (8, "A"), (8, "AA"), (8, "A-"), (8, "AÄ"), (8, "A٣")]
)
def test_policy_outside_the_law_is_refused(length: int, alphabet: str) -> None:
    with pytest.raises(IdentifierError, match="2016/161"):
        SerialPolicy(length, alphabet)


def test_negative_count_is_refused() -> None:
    with pytest.raises(IdentifierError):
        draw(-1)
    with pytest.raises(IdentifierError):
        draw(1, issued=-1)
