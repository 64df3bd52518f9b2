"""Scan data: what a medicine pack and a logistic label carry, and what must be refused."""

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1 import (
    GS,
    ElementString,
    canonical_uri,
    element_string,
    encode,
    parse_bracketed,
    parse_digital_link,
    parse_element_string,
    parse_scan,
    with_check_digit,
)

SET_82 = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"
GTIN = "09501101530003"
PACK = f"01{GTIN}1727113010ABC123{GS}2112345"
PAIRS = (("01", GTIN), ("17", "271130"), ("10", "ABC123"), ("21", "12345"))


@pytest.mark.parametrize("symbology", ["]d2", "]C1", "]Q3", "]e0"])
def test_medicine_pack_is_read(symbology: str) -> None:
    pack = parse_scan(symbology + PACK)
    assert pack.pairs == PAIRS
    assert (pack.gtin, pack.serial, pack.lot, pack.expiry) == (GTIN, "12345", "ABC123", date(2027, 11, 30))
    assert pack.sscc is None
    assert pack.national_number is None
    assert pack.bracketed() == f"(01){GTIN}(17)271130(10)ABC123(21)12345"


@pytest.mark.parametrize(
    ("scan", "bracketed"),
    [
        # The pack as the EU and its national schemes print it.
        (f"]d201{GTIN}21S{GS}17271100" + f"10L{GS}71003752864", f"(01){GTIN}(21)S(17)271100(10)L(710)03752864"),
        # GS1 General Specifications, examples of SSCC and content on a logistic label.
        ("]C100106141412345678908", "(00)106141412345678908"),
        (f"]C10010614141234567890802{GTIN}3712", f"(00)106141412345678908(02){GTIN}(37)12"),
        (f"]C101{GTIN}3103000123", f"(01){GTIN}(3103)000123"),
        (
            "]C1420PO5 6RN".replace(" ", "-") + f"{GS}403X{GS}00106141412345678908",
            "(420)PO5-6RN(403)X(00)106141412345678908",
        ),
        (f"]d201{GTIN}21A{GS}91free text".replace(" ", "_"), f"(01){GTIN}(21)A(91)free_text"),
        (f"]d201{GTIN}21A{GS}70032711302359", f"(01){GTIN}(21)A(7003)2711302359"),
    ],
)
def test_labels_of_the_field_are_read(scan: str, bracketed: str) -> None:
    assert parse_scan(scan).bracketed() == bracketed
    assert parse_bracketed(bracketed) == parse_scan(scan)


def test_day_00_of_a_pack_is_the_end_of_the_month() -> None:
    assert parse_element_string(f"01{GTIN}17280200").expiry == date(2028, 2, 29)


def test_codes_of_one_label_are_read_together() -> None:
    label = parse_scan(f"]C102{GTIN}1727113037{12}{GS}10L", "]C100106141412345678908")
    assert label.sscc == "106141412345678908"
    with pytest.raises(IdentifierError, match="all codes of the label"):
        parse_scan(f"]C102{GTIN}3712")


@pytest.mark.parametrize("data", [f"01{GTIN}{GS}17271130{GS}2112345{GS}", f"01{GTIN}{GS}172711302112345{GS}"])
def test_needless_separators_do_no_harm(data: str) -> None:
    assert parse_element_string(data).pairs == (("01", GTIN), ("17", "271130"), ("21", "12345"))


def test_same_ai_twice_with_the_same_value_is_read_once() -> None:
    assert parse_scan(f"]d2{PACK}", f"]d2{PACK}").pairs == PAIRS


@pytest.mark.parametrize(
    "scan", [f"]d1{PACK}", f"]d0{PACK}", f"]C0{PACK}", f"]Q1{PACK}", f"]E0{GTIN}", PACK, "", "]", "]d", GS + PACK]
)
def test_data_that_is_not_announced_as_gs1_is_refused(scan: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_scan(scan)
    assert "symbology identifier" in str(caught.value)
    assert "]d2" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ("", None, "no data"),
        (GS, None, "empty field"),
        (GS + PACK, None, "empty field"),
        (f"01{GTIN}21A{GS}{GS}10B", None, "empty field"),
        (f"01{GTIN}21{GS}10B", "(21)", "X..20"),
        (f"01{GTIN}21", "(21)", "X..20"),
        (f"01{GTIN[:-1]}4" + "2112345", "(01)", "check digit"),
        (f"01{GTIN}17271130" + "21" + "A" * 21, "(21)", "separator"),
        # The separator behind the lot was lost: too long for a lot, so it is seen.
        (f"01{GTIN}1012345678901234" + f"17271130{GS}21A", "(10)", "separator"),
        (f"01{GTIN[:10]}", "(01)", "N14"),
        (f"01{GTIN[:10]}{GS}2112345", "(01)", "x1d"),
        (f"01{GTIN}17271131", "(17)", "date"),
        (f"01{GTIN}171711", "(17)", "N6"),
        (f"01{GTIN}21A{GS}04123", "data[20]", "no known"),
        ("9", None, "does not begin"),
        ("hello", None, "does not begin"),
        (f"01{GTIN}x", "data[16]", "no known"),
        (f"01{GTIN}21A{GS}21B", "(21)", "twice"),
        (f"01{GTIN}10A{GS}01{with_check_digit('0950110153001')}", "(01)", "twice"),
        ("2112345", "(21)", "(01)"),
        ("17271130", "(17)", "(01)"),
        (f"02{GTIN}3712", "(37)", "(00)"),
        (f"01{GTIN}3712", "(01)", "(37)"),
        ("0109501101530003".translate({ord(d): 0x660 + int(d) for d in "0123456789"}), None, "does not begin"),
        (f"01{GTIN}21A\x00B", "(21)", "x00"),
        (f"01{GTIN}21A\nB", "(21)", "n"),
        (f"01{GTIN}21\u0661\u0662", "(21)", "u0661"),
        (f"01{GTIN}21" + "A" * 8000, None, "longer"),
        (f"01{GTIN}10A{GS}10B", "(10)", "twice"),
    ],
)
def test_bad_data_is_refused_naming_ai_value_and_rule(data: str, field: str | None, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_element_string(data)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert caught.value.rule
    assert len(str(caught.value)) < 600


def test_merged_fields_that_fit_are_read_as_one() -> None:
    """Nothing in the data tells that a separator is missing; the serial number is then unknown to the ledger."""
    assert parse_element_string(f"01{GTIN}21A10LOT").serial == "A10LOT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01",
        "(01)",
        "(1)9501101530003",
        f"({GTIN}",
        f"(01){GTIN}(21)",
        f"(01){GTIN}(21)a(b",
        "(0109)5",
        f"x(01){GTIN}",
        "(٠١)1",
    ],
)
def test_bad_bracketed_text_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError):
        parse_bracketed(text)


def test_bracket_inside_a_value_is_escaped() -> None:
    pack = element_string([("01", GTIN), ("21", "A(10)B\\"[:6])])
    assert pack.bracketed() == f"(01){GTIN}(21)A\\(10)B"
    assert parse_bracketed(pack.bracketed()) == pack


def test_encode_puts_separators_only_where_needed() -> None:
    assert encode(PAIRS) == PACK
    assert encode([("01", GTIN), ("17", "271130")]) == f"01{GTIN}17271130"
    assert encode([("21", "1"), ("10", "2"), ("01", GTIN)]) == f"211{GS}102{GS}01{GTIN}"
    assert encode([("01", GTIN), ("7003", "2711302359"), ("21", "1")]) == f"01{GTIN}70032711302359{GS}211"


@pytest.mark.parametrize(
    "pairs", [[], [("21", "1")], [("01", "1")], [("01", GTIN), ("21", f"A{GS}10B")], [("5", "x")], [("", "x")]]
)
def test_encode_refuses_what_a_reader_would(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(IdentifierError):
        encode(pairs)


# ---------------------------------------------------------------------------------------------- Digital Link


def test_digital_link_carries_identity_in_the_path_and_the_rest_as_attributes() -> None:
    pack = parse_scan(f"]d2{PACK}")
    assert pack.digital_link() == f"https://id.gs1.org/01/{GTIN}/10/ABC123/21/12345?17=271130"
    assert (
        pack.digital_link("https://pharma.example/p/")
        == f"https://pharma.example/p/01/{GTIN}/10/ABC123/21/12345?17=271130"
    )
    assert canonical_uri(pack.digital_link("https://pharma.example")) == f"https://id.gs1.org/01/{GTIN}/21/12345"


@pytest.mark.parametrize(
    ("bracketed", "link"),
    [
        (f"(01){GTIN}", f"/01/{GTIN}"),
        (f"(01){GTIN}(10)a/b", f"/01/{GTIN}/10/a%2Fb"),
        (f"(01){GTIN}(22)v(21)s(10)b", f"/01/{GTIN}/22/v/10/b/21/s"),
        # As GS1's own program writes them (gs1-syntax-engine, src/c-lib/dl.c, test_dl_generateDLuri).
        ("(21)XYZ(01)12312312312333(10)ABC123(99)XYZ", "/01/12312312312333/10/ABC123/21/XYZ?99=XYZ"),
        ("(01)12312312312326(22)ABC(10)DEF(21)GHI(95)INT", "/01/12312312312326/22/ABC/10/DEF/21/GHI?95=INT"),
        ("(253)9526064000028(01)12312312312326(10)DEF", "/253/9526064000028?01=12312312312326&10=DEF"),
        (f"(01){GTIN}(235)t(10)b", f"/01/{GTIN}/235/t?10=b"),
        (f"(00)106141412345678908(02){GTIN}(37)5", f"/00/106141412345678908?02={GTIN}&37=5"),
        ("(414)0614141123452(254)1", "/414/0614141123452/254/1"),
        (f"(21)s(01){GTIN}(240)a&b=c", f"/01/{GTIN}/21/s?240=a%26b%3Dc"),
    ],
)
def test_digital_link_of_other_keys(bracketed: str, link: str) -> None:
    data = parse_bracketed(bracketed)
    assert data.digital_link() == f"https://id.gs1.org{link}"
    assert set(parse_digital_link(data.digital_link()).pairs) == set(data.pairs)


@pytest.mark.parametrize("bracketed", ["(400)ORDER", f"(01){GTIN}(21)s(8200)http://x"])
def test_data_that_a_digital_link_cannot_carry_is_refused(bracketed: str) -> None:
    with pytest.raises(IdentifierError, match="Digital Link"):
        parse_bracketed(bracketed).digital_link()


def test_digital_link_is_read_with_all_its_data() -> None:
    uri = f"https://shop.example/x/01/{GTIN}/10/A%2F1/21/s?17=271130&linkType=all&s=1&240=a%2Bb#frag"
    assert parse_digital_link(uri).bracketed() == f"(01){GTIN}(10)A/1(21)s(17)271130(240)a+b"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://shop.example/", "not a GS1 Digital Link"),
        ("urn:epc:id:sgtin:4012345.012345.1", "not a GS1 Digital Link"),
        (f"http\u017f://id.gs1.org/01/{GTIN}", "not a GS1 Digital Link"),  # a long s, whose capital is S
        ("https://id.gs1.org/01/" + "0" * 9000, "not a GS1 Digital Link"),
        (f"https://id.gs1.org/01/{GTIN}?21=s", "no data attribute"),
        (f"https://id.gs1.org/01/{GTIN}?17=271131", "date"),
        (f"https://id.gs1.org/01/{GTIN}/10/A?10=B", "twice"),
        (f"https://id.gs1.org/01/{GTIN}?999999=1", "unknown Application Identifier"),
        (f"https://id.gs1.org/01/{GTIN}?10=a%20b", "' '"),
        (f"https://id.gs1.org/01/{GTIN}?10=a%1D", "x1d"),
        (f"https://id.gs1.org/01/{GTIN}?10=", "X..20"),
        ("https://id.gs1.org/415/0614141123452", "(8020)"),
    ],
)
def test_bad_digital_link_is_refused(uri: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_digital_link(uri)
    assert words in str(caught.value)


# ---------------------------------------------------------------------------------------------- properties

VALUES = st.text(SET_82, min_size=1, max_size=20)


@st.composite
def packs(draw: st.DrawFn) -> list[tuple[str, str]]:
    """A trade item's pairs in any order."""
    gtin = with_check_digit(draw(st.text("0123456789", min_size=13, max_size=13)))
    day = draw(st.dates(date(2020, 1, 1), date(2060, 12, 31)))
    optional = {
        "17": day.strftime("%y%m%d"),
        "11": day.strftime("%y%m00"),
        "10": draw(VALUES),
        "21": draw(VALUES),
        "240": draw(st.text(SET_82, min_size=1, max_size=30)),
        "712": draw(VALUES),
        "30": draw(st.text("0123456789", min_size=1, max_size=8)),
        "3102": draw(st.text("0123456789", min_size=6, max_size=6)),
        "91": draw(st.text(SET_82, min_size=1, max_size=90)),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True))
    return draw(st.permutations([("01", gtin), *((ai, optional[ai]) for ai in chosen)]))


@given(packs())
def test_what_is_encoded_is_read_again(pairs: list[tuple[str, str]]) -> None:
    data = element_string(pairs)
    assert data == ElementString(tuple(pairs))
    assert parse_element_string(encode(pairs)) == data
    assert parse_scan(f"]d2{data.encode()}") == data
    assert parse_bracketed(data.bracketed()) == data


@given(packs())
def test_digital_link_carries_everything_that_it_can(pairs: list[tuple[str, str]]) -> None:
    data = element_string([pair for pair in pairs if pair[0] != "91"])
    pairs_with_internal = element_string(pairs)
    assert set(parse_digital_link(data.digital_link()).pairs) == set(data.pairs)
    assert set(parse_digital_link(pairs_with_internal.digital_link()).pairs) == set(pairs)


@given(st.text(max_size=80), st.text(st.sampled_from("0123456789AB()" + GS), max_size=80))
def test_any_data_is_refused_or_read_back_the_same(text: str, likely: str) -> None:
    for data in (text, likely, f"01{GTIN}{text}", f"01{GTIN}{likely}"):
        try:
            read = parse_element_string(data)
        except IdentifierError:
            continue
        assert parse_element_string(read.encode()) == read
