"""GS1 Digital Link URIs: the primary key and its qualifiers in the path, data attributes in the query.

GS1 Digital Link Standard: URI Syntax. Not read: compressed URIs, and the withdrawn short names (/gtin/…/ser/…).
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS, application_identifier
from packtrace.gs1.check_digits import has_check_digit

CANONICAL_HOST = "id.gs1.org"
CANONICAL_DOMAIN = f"https://{CANONICAL_HOST}"
LINK_RULE = "GS1 Digital Link Standard: URI Syntax, section 4"

# What web servers commonly accept as one request line.
MAX_URI_LENGTH = 8192

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]

CPV = "22"
GTIN_LENGTHS = (8, 12, 13, 14)

_HTTP_URI = re.compile(r"https?://([^/?#]+)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)
_RESERVED = re.compile(r"[^A-Za-z0-9\-._~]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode_value(value: str) -> str:
    """`value` with everything but RFC 3986 unreserved characters percent-encoded, hexadecimal digits in upper case."""
    return _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", value)


def decode_value(text: str) -> str:
    """`text` with its percent-escapes resolved. Raises IdentifierError for a broken escape."""
    if "%" not in text:
        return text
    if _BROKEN_ESCAPE.search(text):
        raise IdentifierError(
            "a % without two hexadecimal digits behind it; write %25 for the character itself",
            value=text,
            rule="RFC 3986, section 2.1",
        )
    return unquote(text, errors="replace")


def path_of(pairs: Sequence[Pair]) -> str:
    """``/01/04012345123456/21/12`` for a primary key and its qualifiers, in the order given."""
    return "".join([f"/{ai}/{encode_value(value)}" for ai, value in pairs])


def identity_of(pairs: Sequence[Pair]) -> Pairs:
    """Primary key with its finest qualifier only: what a canonical identifier names.

    The lot stands down where there is a serial number, and the consumer product variant (CPV) always (Core Business
    Vocabulary 2.0, event hash: constrained canonical Digital Link). A GLN extension of 0 means none (EPC Tag Data
    Standard, SGLN).
    """
    key, *qualifiers = pairs
    finest = [pair for pair in qualifiers if pair[0] != CPV and pair != ("254", "0")]
    return (key, *finest[-1:])


def read_link(uri: str) -> tuple[Pairs, str] | None:
    """Key and qualifiers from the path of a Digital Link URI of any domain, values decoded and checked; and the query.

    None if `uri` is no Digital Link: no web address, or at a domain other than id.gs1.org a path that does not end with
    a primary key in its right form. (A GTIN may lack leading zeros there only if its check digit is right.)
    Raises IdentifierError for one that breaks a rule, naming value and rule.
    """
    match = _HTTP_URI.fullmatch(uri)
    if not match:
        return None
    host, path, query = match.groups()
    segments = path.removesuffix("/").split("/")
    start = _primary_key_position(segments)
    at_gs1 = host.lower() == CANONICAL_HOST
    if start is None:
        if at_gs1:
            raise IdentifierError("there is no GS1 key in this path; write /AI/value", value=uri, rule=LINK_RULE)
        return None
    key = segments[start]
    if not (at_gs1 or _is_plausible(key, segments[start + 1])):
        return None
    pairs = [(ai, decode_value(text)) for ai, text in zip(segments[start::2], segments[start + 1 :: 2], strict=True)]
    if key == "01" and len(pairs[0][1]) in GTIN_LENGTHS:
        pairs[0] = (key, pairs[0][1].zfill(14))
    check_link_path(pairs)
    return tuple(pairs), query or ""


def check_link_path(pairs: Sequence[Pair]) -> None:
    """That a primary key comes first and only its own qualifiers follow, in their order, all with good values.

    Raises IdentifierError naming AI, value and rule.
    """
    key, *rest = (ai for ai, _ in pairs)
    sequences = application_identifier(key).qualifiers or ()
    if not any(_in_order(rest, sequence) for sequence in sequences):
        allowed = " or ".join(",".join(f"({ai})" for ai in sequence) or "none" for sequence in sequences)
        raise IdentifierError(
            f"these qualifiers do not fit the key ({key}); allowed, in this order: {allowed}",
            field=f"({key})",
            value=path_of(pairs),
            rule=LINK_RULE,
        )
    for ai, value in pairs:
        application_identifier(ai).check(value)


def _primary_key_position(segments: list[str]) -> int | None:
    """Where the last primary key stands, seen in steps of AI and value from the end of the path."""
    for position in range(len(segments) - 2, 0, -2):
        entry = APPLICATION_IDENTIFIERS.get(segments[position])
        if entry is None:
            return None
        if entry.qualifiers is not None:
            return position
    return None


def _is_plausible(key: str, text: str) -> bool:
    if key == "01" and len(text) in GTIN_LENGTHS[:-1]:
        return text.isascii() and text.isdigit() and has_check_digit(text)
    return APPLICATION_IDENTIFIERS[key].pattern.fullmatch(unquote(text)) is not None


def _in_order(ais: list[str], sequence: tuple[str, ...]) -> bool:
    remaining = iter(sequence)
    return all(ai in remaining for ai in ais)
