"""GTIN, SSCC, GLN and the other keys as validated strings."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import keys
from packtrace.gs1.check_digits import has_check_digit, with_check_digit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("96385074", "00000096385074"),
        ("614141000036", "00614141000036"),
        ("6291041500213", "06291041500213"),
        ("09501101530003", "09501101530003"),
    ],
)
def test_gtin_of_every_length_becomes_14_digits(text: str, expected: str) -> None:
    assert keys.gtin(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6291041500214",
        "629104150021",
        "62910415002",
        "062910415002130",
        "٠٩٥٠١١٠١٥٣٠٠٠٣",
        "+291041500213",
        "629104150021\n",
    ],
)
def test_wrong_gtin_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        keys.gtin(text)
    assert caught.value.field == "(01)"


@pytest.mark.parametrize("make", [keys.serial, keys.lot, keys.gln_extension])
@pytest.mark.parametrize("text", ["", "A" * 21, "a b", "a\x1db", "a\x00", "É", "a~b", "１"])
def test_serial_lot_and_extension_refuse_other_than_20_characters_of_set_82(
    make: Callable[[str], str], text: str
) -> None:
    with pytest.raises(IdentifierError):
        make(text)


def test_serial_lot_and_extension_are_kept_as_they_are() -> None:
    for make in (keys.serial, keys.lot, keys.gln_extension):
        assert make("aB-3/_?") == "aB-3/_?"


def test_sscc_and_gln_need_their_check_digit() -> None:
    assert keys.sscc("106141412345678908") == "106141412345678908"
    assert keys.gln("0614141123452") == "0614141123452"
    for make, text in ((keys.sscc, "106141412345678909"), (keys.gln, "0614141123453")):
        with pytest.raises(IdentifierError, match="check digit"):
            make(text)


def test_national_number_belongs_to_its_ais() -> None:
    assert keys.national_number("710", "03752864") == "03752864"
    with pytest.raises(IdentifierError, match=r"\(21\)"):
        keys.national_number("21", "03752864")


def test_sscc_is_made_as_in_the_general_specifications() -> None:
    assert keys.make_sscc("7610425", 2123456, 3) == "376104250021234569"
    assert keys.make_sscc("0614141", 234567890, 1) == "106141412345678908"


@given(st.text("0123456789", min_size=4, max_size=12), st.integers(0, 9), st.data())
def test_made_sscc_holds_its_parts(prefix: str, extension: int, data: st.DataObject) -> None:
    room = 16 - len(prefix)
    reference = data.draw(st.integers(0, 10**room - 1))
    made = keys.make_sscc(prefix, reference, extension)
    assert keys.sscc(made) == made
    assert (made[0], made[1 : 1 + len(prefix)], made[1 + len(prefix) : 17]) == (
        str(extension),
        prefix,
        f"{reference:0{room}}",
    )
    with pytest.raises(IdentifierError, match="must fit"):
        keys.make_sscc(prefix, 10**room, extension)


@pytest.mark.parametrize(
    ("prefix", "reference", "extension"),
    [("123", 1, 0), ("1" * 13, 1, 0), ("12345٦", 1, 0), ("123456", -1, 0), ("123456", 1, 10), ("123456", 1, -1)],
)
def test_sscc_is_not_made_from_wrong_parts(prefix: str, reference: int, extension: int) -> None:
    with pytest.raises(IdentifierError, match="SSCC"):
        keys.make_sscc(prefix, reference, extension)


@given(st.text("0123456789", min_size=13, max_size=13))
def test_every_gtin_with_check_digit_is_accepted(digits: str) -> None:
    assert has_check_digit(keys.gtin(with_check_digit(digits)))
