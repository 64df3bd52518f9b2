"""Dates as GS1 carries them: YYMMDD in barcodes, YYYY-MM-DD in EPCIS.

A pack whose expiry has day 00 can be used until the last day of that month (GS1 General Specifications, 3.4.7), and it
is expired from 00:00 UTC of the day after its last day, here and on chain.
"""

import re
from calendar import isleap, monthrange
from datetime import UTC, date, datetime

from packtrace.errors import IdentifierError

_YYMMDD = re.compile(r"[0-9]{6}")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
_LEAP_YEAR = 2000
_DAYS = frozenset(f"{m:02}{d:02}" for m in range(1, 13) for d in range(1, monthrange(_LEAP_YEAR, m)[1] + 1))
_MONTHS = frozenset(f"{month:02}00" for month in range(1, 13))


def full_year(yy: int, this_year: int | None = None) -> int:
    """The year that a two-digit year means: from 49 years back to 50 years ahead (General Specifications, 7.12).

    `this_year` is the year of reading, in UTC, unless one is given.
    """
    now = this_year if this_year is not None else datetime.now(UTC).year
    distance = yy - now % 100
    century = now - now % 100
    if distance >= 51:
        century -= 100
    elif distance <= -50:
        century += 100
    return century + yy


def is_yymmdd(text: str, *, day_may_be_zero: bool, this_year: int | None = None) -> bool:
    """Whether six ASCII digits are a date that exists; day 00 stands for the last day of the month if allowed."""
    month_and_day = text[2:]
    if month_and_day == "0229":
        return isleap(full_year(int(text[:2]), this_year))
    return month_and_day in _DAYS or (day_may_be_zero and month_and_day in _MONTHS)


def read_yymmdd(text: str, this_year: int | None = None) -> date:
    """The day that AI (17) and its like carry; day 00 is the last day of the month.

    Raises IdentifierError if there is no such day.
    """
    if not _YYMMDD.fullmatch(text) or not is_yymmdd(text, day_may_be_zero=True, this_year=this_year):
        raise IdentifierError(
            "not a date; write six digits YYMMDD, with day 00 for the end of the month",
            value=text,
            rule="GS1 General Specifications, 3.4 and 7.12",
        )
    year, month, day = full_year(int(text[:2]), this_year), int(text[2:4]), int(text[4:])
    return date(year, month, day or monthrange(year, month)[1])


def write_yymmdd(day: date, this_year: int | None = None) -> str:
    """`day` as YYMMDD. Raises IdentifierError if a reader would take it for a day of another century."""
    if full_year(day.year % 100, this_year) != day.year:
        raise IdentifierError(
            "too far away for a two-digit year, which reaches from 49 years back to 50 years ahead",
            value=day.isoformat(),
            rule="GS1 General Specifications, 7.12",
        )
    return day.strftime("%y%m%d")


def read_iso_date(text: str) -> date:
    """The day that an EPCIS date such as ``2027-11-30`` carries. Raises IdentifierError for any other form."""
    match = _ISO_DATE.fullmatch(text)
    try:
        if match:
            return date(*map(int, match.groups()))
    except ValueError:
        pass
    raise IdentifierError(
        "not a date; write it as YYYY-MM-DD", value=text, rule="XML Schema 1.1, xsd:date without a zone"
    )


def expires_at(last_day: date) -> int:
    """Unix time, in seconds, from which a pack usable until `last_day` is expired: 00:00 UTC of the day after."""
    return (last_day.toordinal() + 1 - _UNIX_EPOCH) * 86_400
