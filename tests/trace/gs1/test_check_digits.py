"""Check digits: GS1's own numbers, and what the algorithm promises about wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1.check_digits import check_digit, check_pair, has_check_digit, with_check_digit

DIGITS = st.text("0123456789", min_size=1, max_size=17)


@pytest.mark.parametrize(
    "number",
    [
        "376104250021234569",  # SSCC worked out in General Specifications 7.9.1
        "6291041500213",  # GTIN-13 worked out on gs1.org
        "614141000036",  # GTIN-12
        "96385074",  # GTIN-8
        "09501101530003",  # GTIN of the General Specifications' own examples
        "9506000134352",  # GTIN of the Digital Link standard's examples
        "00000000",
    ],
)
def test_check_digit_of_published_numbers(number: str) -> None:
    assert check_digit(number[:-1]) == number[-1]
    assert has_check_digit(number)


def reference_check_digit(digits: str) -> str:
    """The table of section 7.9.1, taken literally: multiply by 3, 1, 3, … from the right, go up to the next ten."""
    total = sum(int(d) * (3 if position % 2 == 0 else 1) for position, d in enumerate(reversed(digits)))
    return str((total + 9) // 10 * 10 - total)


@given(DIGITS)
def test_check_digit_is_that_of_the_specification(digits: str) -> None:
    assert check_digit(digits) == reference_check_digit(digits)


@given(DIGITS, st.data())
def test_one_wrong_digit_is_always_found(digits: str, data: st.DataObject) -> None:
    number = with_check_digit(digits)
    position = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != number[position]]))
    assert not has_check_digit(number[:position] + wrong + number[position + 1 :])


@given(DIGITS, st.data())
def test_swapped_neighbours_are_found_unless_they_differ_by_five(digits: str, data: st.DataObject) -> None:
    number = with_check_digit(digits)
    position = data.draw(st.integers(0, len(number) - 2))
    a, b = number[position], number[position + 1]
    swapped = number[:position] + b + a + number[position + 2 :]
    assert has_check_digit(swapped) == (abs(int(a) - int(b)) in (0, 5))


@pytest.mark.parametrize("text", ["", "12A", "１２３", "٣٤", "12 ", "1\x00", "-1", "1" * 19, "²³"])
def test_check_digit_refuses_what_is_not_ascii_digits(text: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        check_digit(text)
    assert caught.value.value == text
    assert "7.9.1" in str(caught.value)


@pytest.mark.parametrize(
    "key",
    # General Specifications 7.9, and the published cases of GS1's syntax tests.
    ["1987654Ad4X4bL5ttr2310c2K", "12345678901234567890123NT", "12345_ABCDEFGHIJKLMCP", "12345_!\"%&'()*+,-./LC"],
)
def test_check_pair_of_published_keys(key: str) -> None:
    assert check_pair(key[:-2]) == key[-2:]


@pytest.mark.parametrize("key", ["", "A" * 24, "with space", "ü"])
def test_check_pair_is_none_for_what_cannot_carry_one(key: str) -> None:
    assert check_pair(key) is None
