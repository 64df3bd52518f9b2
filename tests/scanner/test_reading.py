"""What readings mean: packs, logistic units, and codes that only look like one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.gs1 import GS, element_string, is_web_address, parse_digital_link, with_check_digit
from packtrace.scan import Scan
from packtrace_scanner.reading import (
    NotMedicine,
    ScannedLogisticUnit,
    ScannedPack,
    interpret,
    is_item,
    meaning_of,
    meaning_of_text,
)
from packtrace_scanner.symbols import Corners, Reading

GTIN = "04012345123456"
SSCC = with_check_digit("34012345000000001")
OTHER_SSCC = with_check_digit("34012345000000002")
PACK_DATA = f"01{GTIN}1727113010L2026A{GS}217K4M2Q9TXW3B{GS}7101234567"
LINK = f"https://id.gs1.org/01/{GTIN}/21/7K4M2Q9TXW3B?17=271130&10=L2026A"
PACK = Scan(GTIN, "7K4M2Q9TXW3B", "L2026A", date(2027, 11, 30))


def reading(symbology: str, text: str, at: int = 0) -> Reading:
    corners: Corners = ((at, at), (at + 9, at), (at + 9, at + 9), (at, at + 9))
    return Reading(symbology, text, corners, "test")


def test_gs1_datamatrix_is_a_pack() -> None:
    meaning = meaning_of(reading("]d2", PACK_DATA))
    assert isinstance(meaning, ScannedPack)
    assert meaning.scan == PACK
    assert meaning.national_number == "1234567"


@pytest.mark.parametrize("domain", ["https://id.gs1.org", "https://example.com/some/path", "http://example.com"])
def test_digital_link_of_any_domain_is_the_same_pack(domain: str) -> None:
    meaning = meaning_of(reading("]Q1", LINK.replace("https://id.gs1.org", domain)))
    assert isinstance(meaning, ScannedPack)
    assert meaning.scan == PACK


@pytest.mark.parametrize("domain", ["https://id.gs1.org", "https://example.com/some/path", "http://example.com"])
def test_compressed_digital_link_is_the_same_pack(domain: str) -> None:
    meaning = meaning_of(reading("]Q1", parse_digital_link(LINK).digital_link(domain, compressed=True)))
    assert isinstance(meaning, ScannedPack)
    assert meaning.scan == PACK
    unit = meaning_of(reading("]Q1", element_string([("00", SSCC)]).digital_link(domain, compressed=True)))
    assert isinstance(unit, ScannedLogisticUnit)
    assert unit.sscc == SSCC


@pytest.mark.parametrize("symbology", ["]Q1", "]d1", "]d2", "]C0"])
def test_digital_link_is_the_same_pack_in_any_symbol(symbology: str) -> None:
    for meaning in (meaning_of(reading(symbology, LINK.upper())), meaning_of_text(symbology + LINK)):
        assert isinstance(meaning, ScannedPack)
        assert meaning.scan == PACK
    other = meaning_of(reading(symbology, "https://example.com/shop"))
    assert isinstance(other, NotMedicine)


def test_data_bar_with_wrong_data_is_gs1_data_and_wrong() -> None:
    for meaning in (meaning_of(reading("]e0", "0104012345123457")), meaning_of_text("]e00104012345123457")):
        assert isinstance(meaning, NotMedicine)
        assert "check digit" in meaning.reason


@pytest.mark.parametrize("symbology", ["]d1", "]d0", "]d3", "]C0", "]C2", "]Q2", "]A0", ""])
def test_same_characters_in_a_symbol_that_is_not_gs1_are_no_medicine(symbology: str) -> None:
    meaning = meaning_of(reading(symbology, PACK_DATA))
    assert isinstance(meaning, NotMedicine)
    assert "not GS1 data" in meaning.reason


def test_plain_data_matrix_is_named_as_what_it_is() -> None:
    meaning = meaning_of(reading("]d1", PACK_DATA))
    assert isinstance(meaning, NotMedicine)
    assert "plain Data Matrix (]d1)" in meaning.reason


@given(st.text(max_size=60), st.sampled_from(["]d1", "]C0", "]Q1"]))
def test_no_text_makes_a_plain_symbol_gs1(text: str, symbology: str) -> None:
    if not is_web_address(text):
        assert not is_item(reading(symbology, text))


@given(st.text(max_size=60), st.sampled_from(["]d2", "]C1", "]Q3", "]Q1", "]d1"]))
def test_no_text_at_all_makes_reading_fail(text: str, symbology: str) -> None:
    assert interpret([reading(symbology, text)])


@pytest.mark.parametrize(
    ("symbology", "text", "reason"),
    [
        ("]d2", f"01{GTIN}1727113010L1", "no serial number"),
        ("]d2", "1727113021ABC", "needs"),
        ("]d2", f"0104012345123457{GS}21ABC", "check digit"),
        ("]d2", f"01{GTIN}17271331{GS}21ABC", "no such date"),
        ("]d2", f"01{GTIN}10{GS}21ABC", "BATCH/LOT"),
        ("]d2", f"01{GTIN}21" + "S" * 30, "separator (GS) behind it was lost"),
        ("]d2", f"{GS}01{GTIN}21ABC", "empty field"),
        ("]d2", f"01{GTIN}21ABC{GS}21ABD", "twice"),
        ("]d2", "", "no data"),
        ("]Q1", "https://example.com/shop?product=7", "no GS1 Digital Link"),
        ("]Q1", "WIFI:S:ward 7;P:secret;;", "no GS1 Digital Link"),
        ("]C1", f"02{GTIN}37100", "needs (00)"),
    ],
)
def test_code_of_no_pack_says_why(symbology: str, text: str, reason: str) -> None:
    meaning = meaning_of(reading(symbology, text))
    assert isinstance(meaning, NotMedicine)
    assert reason in meaning.reason


def test_sscc_is_a_logistic_unit_from_bar_code_and_link() -> None:
    for one in (reading("]C1", f"00{SSCC}"), reading("]Q1", f"https://id.gs1.org/00/{SSCC}")):
        meaning = meaning_of(one)
        assert isinstance(meaning, ScannedLogisticUnit)
        assert meaning.sscc == SSCC


def test_a_gtin_with_serial_number_beside_an_sscc_is_the_same_units() -> None:
    whole = interpret([reading("]d2", f"{PACK_DATA}{GS}00{SSCC}")])
    parts = interpret([reading("]C1", PACK_DATA), reading("]C1", f"00{SSCC}", 20)])
    for (meaning,) in (whole, parts):
        assert isinstance(meaning, ScannedLogisticUnit)
        assert (meaning.sscc, meaning.elements.serial) == (SSCC, PACK.serial)


def test_bar_codes_of_one_label_are_one_unit() -> None:
    (meaning,) = interpret([reading("]C1", f"02{GTIN}37100"), reading("]C1", f"00{SSCC}", 20)])
    assert isinstance(meaning, ScannedLogisticUnit)
    assert (meaning.sscc, meaning.elements.value("37")) == (SSCC, "100")
    assert len(meaning.readings) == 2


def test_bar_codes_of_two_labels_stay_two_units() -> None:
    first, second = interpret([reading("]C1", f"00{SSCC}"), reading("]C1", f"00{OTHER_SSCC}", 20)])
    assert isinstance(first, ScannedLogisticUnit)
    assert isinstance(second, ScannedLogisticUnit)
    assert (first.sscc, second.sscc) == (SSCC, OTHER_SSCC)


def test_codes_of_different_kinds_in_one_picture_are_told_apart() -> None:
    found = [reading("]Q1", "https://example.com"), reading("]C1", f"00{SSCC}", 20), reading("]d2", PACK_DATA, 40)]
    kinds = sorted(type(meaning).__name__ for meaning in interpret(found))
    assert kinds == ["NotMedicine", "ScannedLogisticUnit", "ScannedPack"]


def test_expiry_with_day_00_is_the_months_last_day() -> None:
    meaning = meaning_of(reading("]d2", f"01{GTIN}17280200{'21'}ABC"))
    assert isinstance(meaning, ScannedPack)
    assert meaning.scan.expiry == date(2028, 2, 29)
