"""Two-digit years, day 00, and when a pack is expired."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import IdentifierError
from packtrace.gs1.dates import expires_at, full_year, read_iso_date, read_yymmdd, write_yymmdd


@pytest.mark.parametrize(
    ("yy", "this_year", "expected"),
    [
        (27, 2026, 2027),
        (76, 2026, 2076),  # 50 ahead
        (77, 2026, 1977),  # 49 back
        (0, 2026, 2000),
        (99, 2026, 1999),
        (0, 2051, 2100),  # 49 ahead, over the turn of the century
        (1, 2050, 2001),
        (0, 2049, 2000),
        (49, 1999, 2049),
        (50, 1999, 1950),
    ],
)
def test_century_is_the_nearest_one(yy: int, this_year: int, expected: int) -> None:
    assert full_year(yy, this_year) == expected


@given(st.integers(0, 99), st.integers(1950, 2400))
def test_century_reaches_from_49_back_to_50_ahead(yy: int, this_year: int) -> None:
    year = full_year(yy, this_year)
    assert year % 100 == yy
    assert this_year - 49 <= year <= this_year + 50


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("271130", date(2027, 11, 30)),
        ("271100", date(2027, 11, 30)),
        ("280200", date(2028, 2, 29)),
        ("270200", date(2027, 2, 28)),
        ("280229", date(2028, 2, 29)),
        ("311200", date(2031, 12, 31)),
    ],
)
def test_expiry_with_day_00_is_the_last_day_of_the_month(text: str, expected: date) -> None:
    assert read_yymmdd(text, this_year=2026) == expected


@pytest.mark.parametrize(
    "text", ["270229", "271301", "270001", "271132", "2711", "2711300", "27113O", "٢٧١١٣٠", "", " 71130"]
)
def test_day_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        read_yymmdd(text, this_year=2026)
    assert caught.value.value == text


def test_29_february_2100_does_not_exist() -> None:
    assert read_yymmdd("000229", this_year=2026) == date(2000, 2, 29)
    with pytest.raises(IdentifierError):
        read_yymmdd("000229", this_year=2060)


@given(st.dates(date(1977, 1, 1), date(2076, 12, 31)))
def test_written_date_is_read_again(day: date) -> None:
    assert read_yymmdd(write_yymmdd(day, this_year=2026), this_year=2026) == day


@pytest.mark.parametrize("day", [date(1976, 12, 31), date(2077, 1, 1)])
def test_date_that_would_be_read_in_another_century_is_not_written(day: date) -> None:
    with pytest.raises(IdentifierError):
        write_yymmdd(day, this_year=2026)


@given(st.dates())
def test_pack_expires_at_midnight_utc_after_its_last_day(day: date) -> None:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=expires_at(day))
    assert moment - timedelta(days=1) == datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_expires_at_known_moment_and_the_end_of_the_calendar() -> None:
    assert expires_at(date(2027, 11, 30)) == 1_827_619_200  # date -u -d 2027-12-01 +%s
    assert expires_at(date.max) == 253_402_300_800


def test_iso_date_is_read() -> None:
    assert read_iso_date("2027-11-30") == date(2027, 11, 30)


@pytest.mark.parametrize(
    "text",
    ["20271130", "2027-W48-2", "2027-11-31", "2027-11-30Z", "2027-11-30T00:00:00Z", "27-11-30", "２０２７-11-30", ""],
)
def test_other_forms_of_date_are_refused(text: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        read_iso_date(text)
    assert caught.value.value == text
