"""GS1 Digital Link URIs: the primary key and its qualifiers in the path, data attributes in the query.

GS1 Digital Link Standard: URI Syntax. Compressed URIs (`link_compression`) are read as what they stand for. Not read:
the withdrawn short names (/gtin/…/ser/…).
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import APPLICATION_IDENTIFIERS, application_identifier, check_companions
from packtrace.gs1.check_digits import has_check_digit
from packtrace.gs1.link_compression import COMPRESSION_RULE, decompress, may_be_compressed

CANONICAL_HOST = "id.gs1.org"
CANONICAL_DOMAIN = f"https://{CANONICAL_HOST}"
LINK_RULE = "GS1 Digital Link Standard: URI Syntax, section 4"

# What web servers commonly accept as one request line.
MAX_URI_LENGTH = 8192

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]

SSCC = "00"
CPV = "22"
GTIN_LENGTHS = (8, 12, 13, 14)

_HTTP_URI = re.compile(r"https?://([^/?#]+)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.ASCII | re.DOTALL)
_RESERVED = re.compile(r"[^A-Za-z0-9\-._~]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_web_address(text: str) -> bool:
    """Whether this may be a Digital Link: whatever the symbol it was in, it means the same."""
    return text.lower().startswith(("http://", "https://"))


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


def arrange(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """What of these pairs stands in a Digital Link's path, and what in its query.

    In the path are the first primary key and all its qualifiers: GS1's own program refuses one in the query, where one
    like (10) may stand beside a key that it does not qualify. Of a key's alternatives that one is taken which leaves
    fewest without a place. Raises IdentifierError when there is no primary key, or an AI that a link cannot carry.
    """
    path = _path(pairs)
    attributes = [pair for pair in pairs if pair not in path]
    for ai, value in attributes:
        if not application_identifier(ai).is_attribute:
            raise IdentifierError(
                "a Digital Link cannot carry this AI beside this key", field=f"({ai})", value=value, rule=LINK_RULE
            )
    return path, attributes


def query_of(pairs: Sequence[Pair]) -> str:
    """``17=271130&10=L1`` for data attributes, in the order given."""
    return "&".join([f"{ai}={encode_value(value)}" for ai, value in pairs])


def read_link(uri: str, *, compressed: bool = True) -> tuple[Pairs, str] | None:
    """Key and qualifiers from the path of a Digital Link URI of any domain, values decoded and checked; and the query.

    A compressed URI gives what the same URI uncompressed would; with `compressed` false none is looked for.

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
        problem = "nor compressed data"
        if compressed and may_be_compressed(segments[-1]):
            try:
                pairs, attributes = _read_compressed(segments, at_gs1)
                return tuple(pairs), "&".join(filter(None, [query_of(attributes), query]))
            except IdentifierError as error:
                problem = f"nor compressed data: {error.message}"
        if at_gs1:
            raise IdentifierError(
                f"there is no GS1 key in this path, {problem}; write /AI/value", value=uri, rule=LINK_RULE
            )
        return None
    if not (at_gs1 or _is_plausible(segments[start], segments[start + 1])):
        return None
    pairs = _pairs(segments[start:])
    check_link_path(pairs)
    return tuple(pairs), query or ""


def _read_compressed(segments: list[str], at_gs1: bool) -> tuple[list[Pair], list[Pair]]:
    """What a path says whose last segment is compressed, perhaps behind a key and qualifiers in the clear.

    A name on the web may be base64url by chance, so every rule has to hold. A class of things with data attributes is
    read at id.gs1.org only: of order numbers like PG-2021-91074, one in 1,000 would be a GTIN with a weight.
    Raises IdentifierError for what is not compressed data.
    """
    *clear, segment = segments
    start = _primary_key_position(clear)
    head = [] if start is None else _pairs(clear[start:])
    if head:
        check_link_path(head)
    pairs = [*head, *decompress(segment)]
    ais = tuple(ai for ai, _ in pairs)
    keys = sum(APPLICATION_IDENTIFIERS[ai].qualifiers is not None for ai in ais)
    if len(set(ais)) < len(ais) or (keys > 1 and not head):
        raise IdentifierError(
            "an AI comes twice, or there are two keys in compressed data", value=segment, rule=COMPRESSION_RULE
        )
    check_companions(ais)
    path, attributes = arrange(pairs)
    if attributes and len(path) == 1 and path[0][0] != SSCC and not (head or at_gs1):
        raise IdentifierError("this may be any name on the web", value=segment, rule=COMPRESSION_RULE)
    return path, attributes


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


def _pairs(segments: list[str]) -> list[Pair]:
    """AI, value, AI, value, … of a path, decoded, a GTIN with its leading zeros."""
    pairs = [(ai, decode_value(text)) for ai, text in zip(segments[::2], segments[1::2], strict=True)]
    key, value = pairs[0]
    if key == "01" and len(value) in GTIN_LENGTHS:
        pairs[0] = (key, value.zfill(14))
    return pairs


def _path(pairs: Sequence[Pair]) -> list[Pair]:
    for pair in pairs:
        sequences = application_identifier(pair[0]).qualifiers
        if sequences is not None:
            values = dict(pairs)
            paths = [[pair, *((ai, values[ai]) for ai in sequence if ai in values)] for sequence in sequences]
            return max(paths, key=lambda path: sum(not application_identifier(ai).is_attribute for ai, _ in path))
    shown = "".join(f"({ai}){value}" for ai, value in pairs)
    raise IdentifierError("a Digital Link needs a primary key such as (01)", value=shown, rule=LINK_RULE)


def _is_plausible(key: str, text: str) -> bool:
    if key == "01" and len(text) in GTIN_LENGTHS[:-1]:
        return text.isascii() and text.isdigit() and has_check_digit(text)
    return APPLICATION_IDENTIFIERS[key].pattern.fullmatch(unquote(text)) is not None


def _in_order(ais: list[str], sequence: tuple[str, ...]) -> bool:
    remaining = iter(sequence)
    return all(ai in remaining for ai in ais)
