"""Canonical identifiers: one URI for one thing, whatever form it came in.

The canonical form is the Digital Link at https://id.gs1.org with the key and its finest qualifier, everything but RFC
3986 unreserved characters percent-encoded. It differs from the form that the CBV event hash uses in three characters
only, see `cbv_uri`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from packtrace.errors import IdentifierError
from packtrace.gs1 import keys
from packtrace.gs1.digital_link import (
    CANONICAL_DOMAIN,
    MAX_URI_LENGTH,
    decode_value,
    encode_value,
    identity_of,
    path_of,
    read_link,
)
from packtrace.gs1.urn import URN_RULE, is_epc_urn, read_urn, write_urn

# Items looked at together: enough to spread the cost of a call, few enough to need little memory.
_CHUNK = 8192

# An SGTIN in both forms, as head and serial number. The head is the same for many, so it is worked out once.
_SGTIN = re.compile(
    r"(urn:epc:id:sgtin:[0-9]{6,12}\.[0-9]{1,7}\.|https?://[^\s?#]{1,200}/01/[0-9]{8,14}/21/)"
    r"([A-Za-z0-9._\-%!'()*+,:;=]{1,60})"
)
# Serial numbers that need no escape: nearly all that occur.
_PLAIN = re.compile(r"[A-Za-z0-9._\-]{1,20}")
_PLAIN_LINES = re.compile(r"(?:[A-Za-z0-9._\-]{1,20}\n)*[A-Za-z0-9._\-]{1,20}")

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")

_SGTIN_PREFIX = f"{CANONICAL_DOMAIN}/01/"
_SSCC_PREFIX = f"{CANONICAL_DOMAIN}/00/"
_GTIN_END = len(_SGTIN_PREFIX) + keys.GTIN_DIGITS
_SERIAL_START = _GTIN_END + len("/21/")
_GLN_PREFIXES = (f"{CANONICAL_DOMAIN}/414/", f"{CANONICAL_DOMAIN}/417/")


def canonical_uri(identifier: str, *, compressed: bool = True) -> str:
    """The canonical form of an EPC URN or a GS1 Digital Link URI of any domain; any other URI as it is.

    A compressed link is what it stands for, unless `compressed` is false: then a link like any other on the web.
    Raises IdentifierError, naming value and rule, for a malformed GS1 identifier and for what is no URI at all.
    """
    match = _SGTIN.fullmatch(identifier)
    if not match:
        return _canonical(identifier, compressed)
    head, serial = match.groups()
    try:
        canonical_head = _canonical_head(head)
    except IdentifierError:
        return _canonical(identifier)  # for an error that shows all of it
    if canonical_head == head and not head.startswith(_SGTIN_PREFIX):
        return identifier
    if not _PLAIN.fullmatch(serial):
        serial = encode_value(keys.serial(decode_value(serial)))
    return canonical_head + serial


def canonical_uris(identifiers: Sequence[str], field: str = "") -> list[str]:
    """`canonical_uri` of each, made for lists of a million, fastest where neighbours share a GTIN.

    Raises IdentifierError for the first that is wrong, with its position as ``field[index]``.
    """
    result: list[str] = []
    for start in range(0, len(identifiers), _CHUNK):
        chunk = identifiers[start : start + _CHUNK]
        result += _of_one_gtin(chunk) or _one_by_one(chunk, start, field)
    return result


def _of_one_gtin(chunk: Sequence[str]) -> list[str] | None:
    """The chunk's canonical URIs if all are SGTINs with one head and plain serial numbers, else None."""
    first = _SGTIN.fullmatch(chunk[0])
    if not first:
        return None
    head = first[1]
    text = "\n".join(chunk)
    serials = text.replace(head, "")
    # Every line begins with the head and has it once, and no URI brings a line break of its own.
    if (
        text.count("\n") != len(chunk) - 1
        or text.count("\n" + head) != len(chunk) - 1
        or len(text) - len(serials) != len(head) * len(chunk)
        or not _PLAIN_LINES.fullmatch(serials)
    ):
        return None
    try:
        canonical_head = _canonical_head(head)
    except IdentifierError:
        return None
    return [canonical_head + serial for serial in serials.split("\n")]


def _one_by_one(chunk: Sequence[str], start: int, field: str) -> list[str]:
    result = []
    for index, identifier in enumerate(chunk, start):
        try:
            result.append(canonical_uri(identifier))
        except IdentifierError as error:
            inner = f".{error.field}" if error.field else ""
            raise IdentifierError(
                error.message, field=f"{field}[{index}]{inner}", value=error.value, rule=error.rule
            ) from error
    return result


@lru_cache(maxsize=4096)
def _canonical_head(head: str) -> str:
    """What stands before the serial number in the canonical form; the head itself if it is no SGTIN's after all."""
    return _canonical(f"{head}0")[:-1]


def _canonical(identifier: str, compressed: bool = True) -> str:
    if len(identifier) > MAX_URI_LENGTH:
        raise IdentifierError(
            f"longer than {MAX_URI_LENGTH} characters", value=identifier, rule="packtrace: length of an identifier"
        )
    if not _URI.fullmatch(identifier):
        raise IdentifierError(
            "not a URI; it needs a scheme such as https: or urn:, and other characters percent-encoded",
            value=identifier,
            rule="RFC 3986",
        )
    if is_epc_urn(identifier):
        pairs = read_urn(identifier)
    else:
        link = read_link(identifier, compressed=compressed)
        pairs = link[0] if link else None
    return CANONICAL_DOMAIN + path_of(identity_of(pairs)) if pairs else identifier


def epc_urn(uri: str, company_prefix_length: int) -> str:
    """The EPC URN of a GS1 identifier, given how many digits its GS1 Company Prefix has (6 to 12).

    Class-level keys give urn:epc:class:lgtin:… or urn:epc:idpat:….*. Raises IdentifierError for other URIs, keys that
    have no EPC and lengths that do not fit.
    """
    link = read_link(canonical_uri(uri))
    if link is None:
        raise IdentifierError("not a GS1 identifier, so it has no EPC URN", value=uri, rule=URN_RULE)
    return write_urn(link[0], company_prefix_length)


def sgtin_uri(gtin: str, serial: str) -> str:
    """The canonical URI of one trade item. Raises IdentifierError as `keys.gtin` and `keys.serial` do."""
    return f"{_SGTIN_PREFIX}{keys.gtin(gtin)}/21/{encode_value(keys.serial(serial))}"


def sscc_uri(sscc: str) -> str:
    """The canonical URI of a logistic unit. Raises IdentifierError as `keys.sscc` does."""
    return _SSCC_PREFIX + keys.sscc(sscc)


def sgln_uri(gln: str, extension: str | None = None) -> str:
    """The canonical URI of a location, or of a part of it. Extension "0" means none (EPC Tag Data Standard, SGLN)."""
    pairs = [("414", keys.gln(gln))]
    if extension is not None:
        pairs.append(("254", keys.gln_extension(extension)))
    return CANONICAL_DOMAIN + path_of(identity_of(pairs))


def pgln_uri(gln: str) -> str:
    """The canonical URI of a party."""
    return f"{CANONICAL_DOMAIN}/417/{keys.gln(gln)}"


def split_sgtin_uri(uri: str) -> tuple[str, str] | None:
    """(GTIN-14, serial number) of a canonical SGTIN URI; None for every other canonical URI."""
    if not uri.startswith(_SGTIN_PREFIX) or uri[_GTIN_END:_SERIAL_START] != "/21/":
        return None
    return uri[len(_SGTIN_PREFIX) : _GTIN_END], decode_value(uri[_SERIAL_START:])


def sscc_of_uri(uri: str) -> str | None:
    """The SSCC in a canonical URI; None for every other canonical URI."""
    return uri[len(_SSCC_PREFIX) :] if uri.startswith(_SSCC_PREFIX) else None


def gln_of_uri(uri: str) -> str | None:
    """The GLN in the canonical URI of a location or party, without extension; None for every other canonical URI."""
    for prefix in _GLN_PREFIXES:
        if uri.startswith(prefix):
            return uri[len(prefix) : len(prefix) + keys.GLN_DIGITS]
    return None


def cbv_uri(canonical: str) -> str:
    """A canonical URI as the CBV 2.0 event hash wants it: with ' ; and = as they are.

    The hash escapes only what section 7 of the Digital Link standard lists, and these three are not in it. All else is
    the same in both forms.
    """
    if "%" not in canonical or not canonical.startswith(f"{CANONICAL_DOMAIN}/"):
        return canonical
    return canonical.replace("%27", "'").replace("%3B", ";").replace("%3D", "=")
