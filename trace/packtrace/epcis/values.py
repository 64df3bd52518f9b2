"""Single values of an EPCIS document: read, checked, and refused with their place in the document."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from packtrace.errors import DocumentError

# RFC 3986, an absolute URI. 2,048 characters are what browsers and servers agree on; GS1's keys need under 200.
MAX_URI_CHARACTERS = 2048
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")

# RFC 3339, an offset always given (xsd:dateTimeStamp).
MAX_TIME_CHARACTERS = 64
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(0\d|1[0-3]|14(?=:00)):([0-5]\d))",
    re.ASCII,
)
OFFSET = re.compile(r"[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)", re.ASCII)

# The largest integer that every JSON reader holds exactly (RFC 7493, section 2.2).
MAX_NUMBER = 2**53 - 1

# The rule behind every limit of our own.
BOUND = "packtrace: bounds of one document"

# So much of a refused value and of its path goes into the error.
SHOWN_CHARACTERS = 200
SHOWN_PATH_CHARACTERS = 500


def refusal(message: str, path: str, value: Any = None, *, rule: str | None) -> DocumentError:
    """The error for what stands at `path`; a long value is shortened, a container only described."""
    if isinstance(value, str):
        value = value[:SHOWN_CHARACTERS]
    elif isinstance(value, dict):
        value = f"an object with {len(value)} members"
    elif isinstance(value, Sequence):
        value = f"a list of {len(value)}"
    path = path[:SHOWN_PATH_CHARACTERS] or "document"
    if not path.isprintable():  # names come from the sender, and an error is one line on somebody's terminal
        path = path.encode("unicode_escape").decode()
    return DocumentError(message, field=path, value=value, rule=rule)


def text(given: object, path: str) -> str:
    if not isinstance(given, str):
        raise refusal("write a string here", path, given, rule="EPCIS 2.0 JSON Schema")
    return given


def members(given: object, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise refusal("write an object here: {…}", path, given, rule="EPCIS 2.0 JSON Schema")
    return given


def listing(given: object, path: str, *, least: int = 0) -> list[Any]:
    if not isinstance(given, list):
        raise refusal("write a list here: […]", path, given, rule="EPCIS 2.0 JSON Schema")
    if len(given) < least:
        raise refusal("this list is empty: fill it or leave the field out", path, given, rule="EPCIS 2.0 JSON Schema")
    return given


def only(given: dict[str, Any], known: frozenset[str], path: str) -> None:
    """Refuse members of `given` that are not `known`, where the standard allows no extension."""
    for key in given:
        if key not in known:
            raise refusal(
                f"this field is not known here: take it out (known are {', '.join(sorted(known))})",
                below(path, key),
                given[key],
                rule="EPCIS 2.0 JSON Schema",
            )


def required(given: dict[str, Any], key: str, path: str, rule: str = "EPCIS 2.0 JSON Schema") -> Any:
    if key not in given:
        raise refusal("this field is required: add it", below(path, key), rule=rule)
    return given[key]


def below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def uri(given: object, path: str) -> str:
    """An absolute URI, as written."""
    written = text(given, path)
    if len(written) > MAX_URI_CHARACTERS or not URI.fullmatch(written):
        raise refusal(
            f"this is not a URI of at most {MAX_URI_CHARACTERS} characters: write scheme:rest, others percent-encoded",
            path,
            written,
            rule="RFC 3986, section 3",
        )
    return written


def first_repeated(entries: list[str]) -> int | None:
    """The index of the first entry that stands earlier in the list too."""
    if len(set(entries)) == len(entries):
        return None
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry in seen:
            return index
        seen.add(entry)
    return None


def moment(given: object, path: str) -> str:
    """A time as UTC with milliseconds, rounded up from the fourth decimal 5 (CBV 2.0, 8.9)."""
    written = text(given, path)
    found = TIME.fullmatch(written) if len(written) <= MAX_TIME_CHARACTERS else None
    try:
        if not found:
            raise ValueError
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        decimals, sign, offset_hours, offset_minutes = found.groups()[6:]
        ahead = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
        utc = datetime(year, month, day, hour, minute, second) - (-ahead if sign == "-" else ahead)
        utc += timedelta(milliseconds=_milliseconds(decimals or ""))
    except (ValueError, OverflowError) as error:
        raise refusal(
            "this is not a time: write YYYY-MM-DDThh:mm:ss with Z or an offset, as in 2026-11-23T05:35:15.000+01:00",
            path,
            written,
            rule="RFC 3339, section 5.6",
        ) from error
    return utc.isoformat(timespec="milliseconds") + "Z"


def _milliseconds(decimals: str) -> int:
    return int(decimals[:3].ljust(3, "0")) + (decimals[3:4] >= "5")


def offset(given: object, path: str) -> str:
    written = text(given, path)
    if not OFFSET.fullmatch(written):
        raise refusal(
            "this is not an offset from UTC: write +hh:mm or -hh:mm, at most 14:00",
            path,
            written,
            rule="EPCIS 2.0, 7.4.1",
        )
    return written


def number(given: object, path: str) -> int | float:
    """A number that every JSON reader holds alike; a whole one as an integer."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise refusal("write a number here, without quotes", path, given, rule="EPCIS 2.0 JSON Schema")
    if not abs(given) <= MAX_NUMBER:
        raise refusal(
            "this number is too large for JSON: write it as a string", path, given, rule="RFC 7493, section 2.2"
        )
    return int(given) if given == int(given) else given


def decimal_text(given: int | float) -> str:
    """`given` in plain decimal digits, without exponent or trailing zeros (CBV 2.0, 8.9)."""
    written = format(Decimal(repr(given)) if given else Decimal(0), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def boolean(given: object, path: str) -> bool:
    if not isinstance(given, bool):
        raise refusal("write true or false here", path, given, rule="EPCIS 2.0 JSON Schema")
    return given
