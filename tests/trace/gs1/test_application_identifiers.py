"""The table of Application Identifiers against GS1's syntax dictionary, and its checks."""

import re
from pathlib import Path

import pytest

from packtrace.errors import IdentifierError
from packtrace.gs1.ai_table import TABLE
from packtrace.gs1.application_identifiers import AI_LENGTHS, APPLICATION_IDENTIFIERS, check_companions
from packtrace.gs1.component_checks import CHECKS


def dictionary_lines(text: str) -> dict[str, str]:
    """AIs column → the line with its blanks made one."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    return {line.split(" ")[0]: line for line in lines if line and not line.startswith("#")}


@pytest.mark.standards
def test_table_agrees_with_the_syntax_dictionary(standards: Path) -> None:
    dictionary = dictionary_lines((standards / "gs1-syntax-dictionary.txt").read_text())
    assert dictionary_lines(TABLE) == dictionary
    count = sum(
        len(range(int(first), int(last or first) + 1)) for first, _, last in (a.partition("-") for a in dictionary)
    )
    assert len(APPLICATION_IDENTIFIERS) == count


@pytest.mark.standards
def test_two_digits_tell_the_length_of_every_ai(standards: Path) -> None:
    for ais in dictionary_lines((standards / "gs1-syntax-dictionary.txt").read_text()):
        first = ais.split("-")[0]
        assert AI_LENGTHS.get(first[:2], len(first)) == len(first)


def test_predefined_lengths_are_those_of_the_general_specifications() -> None:
    # 7.8.5: every AI that begins so, AI included, has this many characters and needs no separator.
    lengths = {"00": 20, "01": 16, "02": 16, "03": 16, "11": 8, "12": 8, "13": 8, "15": 8, "16": 8, "17": 8, "20": 4}
    lengths |= dict.fromkeys(("31", "32", "33", "34", "35", "36"), 10) | {"41": 16}
    for ai, entry in APPLICATION_IDENTIFIERS.items():
        assert entry.predefined_length == (ai[:2] in lengths)
        if entry.predefined_length:
            assert len(ai) + entry.max_length == lengths[ai[:2]]


GOOD = [
    ("00", "106141412345678908"),
    ("01", "09501101530003"),
    ("10", "A" * 20),
    ("17", "271100"),
    ("7001", "6505123456789"),
    ("7003", "2711302359"),
    ("7004", "1250"),
    ("7240", "EUCT-2026-500123"),
    ("21", "!\"%&'()*+,-./:;<=>?_"),
    ("253", "9501101530003" + "x" * 17),
    ("253", "9501101530003"),
    ("255", "9501101530003123456789012"),
    ("402", "06141411234567890"),
    ("8003", "00614141123452" + "A" * 16),
    ("8004", "061414112345400"),
    ("8006", "040123451234560404"),
    ("8010", "0614141#/-AZ09"),
    ("8011", "0"),
    ("8011", "123456789012"),
    ("8013", "1987654Ad4X4bL5ttr2310c2K"),
    ("3103", "000123"),
    ("37", "12345678"),
    ("03", "09501101530003"),
    ("3921", "1"),
    ("3932", "978" + "1" * 15),
    ("421", "276" + "ABC-1"),
    ("423", "276"),
    ("423", "276756040056250"),
    ("4300", "A%20B%c3%a4"),
    ("4307", "CH"),
    ("4309", "18000000003600000000"),
    ("4321", "1"),
    ("4324", "2711002359"),
    ("4330", "000123-"),
    ("4330", "000123"),
    ("7007", "271130"),
    ("7007", "271130271201"),
    ("7030", "999" + "A" * 27),
    ("7040", "1ABz"),
    ("7040", "1AB_"),
    ("7041", "PX"),
    ("7041", "8"),
    ("7230", "EMA"),
    ("7241", "10"),
    ("7241", "80"),
    ("7250", "20240229"),
    ("7251", "199912312359"),
    ("7252", "9"),
    ("7258", "2/3"),
    ("8001", "12341234512310"),
    ("8007", "GB98MIDL07009312345678"),
    ("8007", "CH5604835012345678009"),
    ("8008", "27113023"),
    ("8008", "271130235959"),
    ("8014", "1987654Ad4X4bL5ttr2310c2K"),
    ("8026", "040123451234560404"),
    ("8030", "A-_9="),
    ("8030", "A" * 88 + "=="),
    ("8043", "123456789012345678"),
    ("8043", "12345678901234567812"),
    ("8110", "012345612345611110123"),
    # every optional field, and an offer that starts and ends on one day
    ("8110", "0123456" + "123456" + "11" + "110123" + "1" + "0" + "110123" + "9" + "3270228" + "4270228"),
    ("8110", "0123456" + "123456" + "11" + "110123" + "2" + "110123" + "0123456" + "50123456" + "9" + "0010"),
    ("8110", "0123456" + "123456" + "11" + "110123" + "61" + "1234567"),
    ("8112", "001234561234560123456"),
    ("8112", "161234567890121234569123456789012345"),
]


@pytest.mark.parametrize(("ai", "value"), GOOD)
def test_good_value_is_accepted(ai: str, value: str) -> None:
    APPLICATION_IDENTIFIERS[ai].check(value)


BAD = [
    ("00", "106141412345678900", "check digit"),
    ("01", "09501101530004", "check digit"),
    ("01", "9501101530003", "N14"),
    ("01", "0950110153000٣", "digits 0 to 9"),
    ("10", "", "X..20"),
    ("10", "A" * 21, "separator"),
    ("10", "A" * 1_000_000, "X..20"),
    ("10", "A B", "' '"),
    ("10", "A\x00", "x00"),
    ("10", "A\n", "n"),
    ("10", "Ä", "xc4"),
    ("10", "A~", "'~'"),
    ("17", "271301", "date"),
    ("7003", "2711002359", "date"),
    ("7003", "2711302460", "time"),
    ("253", "9501101530004X", "check digit"),
    ("253", "95011015300034" + "x" * 17, "N13 [X..17]"),
    ("255", "9501101530003A", "digits"),
    ("8003", "10614141123452", "first digit"),
    ("8003", "0061414112345X", "N1 N13 [X..16]"),
    ("8004", "ABC", "Company Prefix"),
    ("8004", "061X", "Company Prefix"),
    ("8006", "040123451234560504", "piece"),
    ("8006", "040123451234560004", "piece"),
    ("8010", "0614141abc", "set 39"),
    ("8011", "012", "leading zeros"),
    ("8013", "1987654Ad4X4bL5ttr2310cXK", "pair"),
    ("3932", "000" + "1", "currency"),
    ("421", "000" + "A", "country"),
    ("423", "276000", "country"),
    ("423", "27675", "N3"),
    ("4300", "A%2", "hexadecimal"),
    ("4300", "A%GG", "hexadecimal"),
    ("4307", "XX", "country"),
    ("4309", "18000000010000000000", "latitude"),
    ("4309", "00000000003600000001", "longitude"),
    ("4321", "2", "yes"),
    ("4330", "000123+", "hyphen"),
    ("7007", "271130271131", "date"),
    ("7030", "998A", "country"),
    ("7040", "1AB+", "importer"),
    ("7041", "XYZ", "package type"),
    ("7041", "px", "package type"),
    ("7241", "11", "media type"),
    ("7241", "00", "media type"),
    ("7241", "79", "media type"),
    ("7250", "20230229", "date"),
    ("7250", "00000101", "date"),
    ("7252", "3", "sex"),
    ("7258", "3/2", "position"),
    ("7258", "0/2", "position"),
    ("7258", "1-2", "position"),
    ("8001", "00001234512310", "not zero"),
    ("8001", "12341234512320", "winding"),
    ("8007", "GB98MIDL07009312345679", "bank account"),
    ("8007", "XX98MIDL07009312345678", "bank account"),
    ("8007", "GB98", "bank account"),
    ("8008", "27113024", "hour"),
    ("8008", "2711302360", "minute"),
    ("8008", "271130235960", "second"),
    ("8011", "00", "leading zeros"),
    ("8014", "123456789", "pair"),
    ("8014", "198712933", "no digit"),
    ("8030", "A+B", "base64url"),
    ("8030", "A=B", "padded at its end"),
    ("8030", "AB===", "padded at its end"),
    ("8030", "==", "padded at its end"),
    ("8030", "A" * 91, "Z..90"),
    ("8110", "0123456123456111101231", "coupon"),
    ("8110", "71234567890123" + "123456" + "11110123", "coupon"),
    ("8110", "012345612345611110123" + "3270228" + "4270301", "coupon"),  # ends before it starts
    ("8110", "012345612345611110123" + "3270229", "coupon"),
    ("8110", "01234561234561111012X", "coupon"),
    ("8112", "0012345612345601234567", "offer"),
    ("8112", "201234561234560123456", "offer"),
]


def test_every_check_has_an_example_that_keeps_it_and_one_that_breaks_it() -> None:
    def checked(examples: "list[tuple[str, str]]") -> set[str]:
        return {rule for ai, _ in examples for _, _, rule, _ in APPLICATION_IDENTIFIERS[ai].checks}

    messages = {message for _, message, _ in CHECKS.values()}
    used = {message for entry in APPLICATION_IDENTIFIERS.values() for _, _, message, _ in entry.checks}
    assert used == messages
    assert checked(GOOD) == used
    broken = {_broken(ai, value) for ai, value, _ in BAD}
    assert broken >= used


def _broken(ai: str, value: str) -> str:
    with pytest.raises(IdentifierError) as caught:
        APPLICATION_IDENTIFIERS[ai].check(value)
    found = str(caught.value)
    return next((m for _, _, m, _ in APPLICATION_IDENTIFIERS[ai].checks if m in found), found)


@pytest.mark.parametrize(("ai", "value", "words"), BAD)
def test_bad_value_is_refused_naming_ai_value_and_rule(ai: str, value: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        APPLICATION_IDENTIFIERS[ai].check(value)
    error = caught.value
    assert error.field == f"({ai})"
    assert error.value == value
    assert "GS1 " in (error.rule or "")
    assert words in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "ais",
    [
        ("01", "17", "10", "21"),
        ("01", "21", "710"),
        ("00",),
        ("00", "02", "37", "10"),
        ("414", "254"),
        ("01", "21", "250"),
        ("8010", "8011"),
        ("01", "3103"),
    ],
)
def test_companions_that_belong_together(ais: tuple[str, ...]) -> None:
    check_companions(ais)


@pytest.mark.parametrize(
    ("ais", "blamed"),
    [
        (("21",), "(21)"),  # needs a GTIN
        (("17", "10"), "(17)"),
        (("02", "37"), "(37)"),  # needs the SSCC of what it is in
        (("00", "02"), "(02)"),  # needs a count
        (("01", "02", "37", "00"), "(01)"),  # a trade item is not its own content
        (("01", "250"), "(250)"),  # needs (01) with (21)
        (("254",), "(254)"),
        (("01", "235", "21"), "(21)"),
        (("01", "3100", "3101"), "(3100)"),  # one net weight only
        (("710",), "(710)"),
    ],
)
def test_missing_or_forbidden_companion_is_named(ais: tuple[str, ...], blamed: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        check_companions(ais)
    assert caught.value.field == blamed
