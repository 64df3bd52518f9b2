"""Separators as scanners really send them: put back where that is certain, refused where it is not."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import GS, element_string, parse_scan, with_check_digit
from packtrace.gs1.separators import MOST_SPLITS, NAMES, check_separator, merged, read, restore, splits

GTIN = "09501101530003"
PAIRS = (("01", GTIN), ("21", "ABC123"), ("17", "271130"), ("10", "LOT7"))
PACK = f"]d201{GTIN}21ABC123{GS}1727113010LOT7"


def test_a_scanner_that_sends_gs_needs_nothing() -> None:
    assert read(PACK) == (parse_scan(PACK), None)
    assert read(PACK + "\r\n") == (parse_scan(PACK), None)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_gs_are_understood_and_said(name: str) -> None:
    elements, remark = read(PACK.replace(GS, name))
    assert elements.pairs == PAIRS
    assert remark is not None
    assert repr(name) in remark


@pytest.mark.parametrize("separator", ["|", "~", "#", "\t|", "{FNC1}", "<F>"[:2] + "@"])
def test_what_the_scanner_is_set_to_send_is_understood(separator: str) -> None:
    check_separator(separator)
    assert read(PACK.replace(GS, separator), separator)[0].pairs == PAIRS
    with pytest.raises(IdentifierError):
        read(PACK.replace(GS, separator))


@pytest.mark.parametrize("separator", ["", "%", "A", "<GS>", "_-"])
def test_characters_that_values_may_hold_cannot_stand_for_gs(separator: str) -> None:
    with pytest.raises(IdentifierError, match="such as"):
        check_separator(separator)


def test_a_name_of_gs_inside_a_value_stays_where_the_scanner_sends_gs_itself() -> None:
    data = f"]d201{GTIN}21A<GS>B{GS}1727113010LOT7"
    assert restore(data) == (data, None)
    assert read(data)[0].serial == "A<GS>B"


def test_a_lost_separator_is_seen_where_only_one_reading_is_left() -> None:
    serial = "ABCDEFGHIJKLMNOPQRST"
    elements, remark = read(f"]d201{GTIN}21{serial}17271130")
    assert elements.pairs == (("01", GTIN), ("21", serial), ("17", "271130"))
    assert remark is not None
    assert "no separators" in remark


def test_where_several_readings_are_left_none_is_taken() -> None:
    with pytest.raises(IdentifierError, match="several ways") as caught:
        read(f"]d201{GTIN}21ABC12345678KLM1727113010LOT7")
    assert caught.value.field == "(21)"
    found = [one.bracketed() for one in splits(f"01{GTIN}21ABC12345678KLM1727113010LOT7")]
    assert f"(01){GTIN}(21)ABC12345678KLM(17)271130(10)LOT7" in found


def test_what_was_read_whole_may_be_merged_and_the_others_are_named() -> None:
    whole = parse_scan(f"]d201{GTIN}1727113021A10LOT7")
    assert whole.serial == "A10LOT7"
    assert [other.bracketed() for other in merged(whole)] == [f"(01){GTIN}(17)271130(21)A(10)LOT7"]
    assert merged(parse_scan(f"]d201{GTIN}17271130")) == []


def test_nothing_is_recovered_of_what_is_no_pack_or_breaks_a_rule() -> None:
    for text in (
        f"01{GTIN}21ABC<GS>17271130",  # no symbology identifier: it may be anything
        f"]d101{GTIN}21ABC<GS>17271130",  # a plain Data Matrix
        f"]d201{GTIN[:-1]}4<GS>21ABC",  # check digit
        f"]d201{GTIN}21ABC<GS>17271131",  # date
        f"]d201{GTIN}21ABC<GS>99{'x' * 91}",
    ):
        with pytest.raises(IdentifierError):
            read(text)


@pytest.mark.parametrize("data", [f"01{GTIN}10" + "1011121720212210111217" * 40, "101721" * 1000, "10" * 200])
def test_the_search_ends_however_many_splits_there_are(data: str) -> None:
    assert len(splits(data)) <= MOST_SPLITS
    with pytest.raises(IdentifierError):
        read(f"]d2{data}")


VALUES = st.text(string.ascii_letters + string.digits + "-/", min_size=1, max_size=20)


@st.composite
def packs(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    gtin = with_check_digit(draw(st.text("0123456789", min_size=13, max_size=13)))
    others = [("21", draw(VALUES)), ("10", draw(VALUES)), ("17", "281130"), ("710", draw(VALUES))]
    return (("01", gtin), *draw(st.permutations(others)))


@given(packs(), st.booleans())
def test_what_is_recovered_is_the_pack_and_what_was_merged_is_found(
    pairs: tuple[tuple[str, str], ...], all_lost: bool
) -> None:
    encoded = element_string(pairs).encode()
    data = encoded.replace(GS, "") if all_lost else encoded.replace(GS, "", 1)
    assert data == encoded or len(splits(data)) >= 1
    try:
        elements, remark = read(f"]d2{data}")
    except IdentifierError:
        return
    if remark is not None or data == encoded:
        assert set(elements.pairs) == set(pairs)
    elif len(others := merged(elements)) < MOST_SPLITS - 1:
        assert set(pairs) in [set(other.pairs) for other in others]


@given(st.text(max_size=60), st.sampled_from(NAMES))
def test_any_text_is_refused_or_read_by_all_rules(text: str, name: str) -> None:
    for scan in (text, f"]d2{text}", f"]d201{GTIN}21{text}{name}17271130"):
        try:
            elements, _ = read(scan)
        except IdentifierError:
            continue
        assert parse_scan(f"]d2{elements.encode()}") == elements
