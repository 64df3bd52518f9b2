"""The table of Application Identifiers against GS1's syntax dictionary, and its checks."""

import re
from pathlib import Path

import pytest

from packtrace.errors import IdentifierError
from packtrace.gs1 import application_identifiers
from packtrace.gs1.application_identifiers import AI_LENGTHS, APPLICATION_IDENTIFIERS, check_companions


def dictionary_lines(text: str) -> dict[str, str]:
    """AIs column → the line with its blanks made one."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    return {line.split(" ")[0]: line for line in lines if line and not line.startswith("#")}


@pytest.mark.standards
def test_table_agrees_with_the_syntax_dictionary(standards: Path) -> None:
    dictionary = dictionary_lines((standards / "gs1-syntax-dictionary.txt").read_text())
    table = dictionary_lines(application_identifiers._TABLE)
    assert table == {ais: dictionary[ais] for ais in table}


@pytest.mark.standards
def test_two_digits_tell_the_length_of_every_ai(standards: Path) -> None:
    for ais in dictionary_lines((standards / "gs1-syntax-dictionary.txt").read_text()):
        first = ais.split("-")[0]
        assert AI_LENGTHS.get(first[:2], len(first)) == len(first)


def test_predefined_lengths_are_those_of_the_general_specifications() -> None:
    # 7.8.5: every AI that begins so, AI included, has this many characters and needs no separator.
    lengths = {"00": 20, "01": 16, "02": 16, "11": 8, "12": 8, "13": 8, "15": 8, "16": 8, "17": 8, "20": 4}
    lengths |= {"31": 10, "33": 10, "41": 16}
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
]


@pytest.mark.parametrize(("ai", "value", "words"), BAD)
def test_bad_value_is_refused_naming_ai_value_and_rule(ai: str, value: str, words: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        APPLICATION_IDENTIFIERS[ai].check(value)
    error = caught.value
    assert error.field == f"({ai})"
    assert error.value == value
    assert "GS1 General Specifications" in (error.rule or "")
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
