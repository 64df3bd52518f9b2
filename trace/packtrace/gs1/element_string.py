"""GS1 element strings: the data of one item's barcodes, read strictly and written (General Specifications, 7.8).

A scan is taken for GS1 data only if its symbology identifier says so: the same characters in a plain DataMatrix (]d1)
mean whatever its maker wanted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import (
    AI_LENGTHS,
    APPLICATION_IDENTIFIERS,
    NATIONAL_NUMBERS,
    SYNTAX_RULE,
    application_identifier,
    check_companions,
)
from packtrace.gs1.dates import read_yymmdd
from packtrace.gs1.digital_link import (
    CANONICAL_DOMAIN,
    LINK_RULE,
    MAX_URI_LENGTH,
    Pair,
    Pairs,
    arrange,
    decode_value,
    is_web_address,
    path_of,
    query_of,
    read_link,
)
from packtrace.gs1.link_compression import compress

# FNC1 between fields, as scanners send it.
GS = "\x1d"

SYMBOLOGIES = {"]d2": "GS1 DataMatrix", "]C1": "GS1-128", "]Q3": "GS1 QR Code", "]e0": "GS1 DataBar"}

# The most that a symbol holds: 7,089 digits in a QR code version 40-L (ISO/IEC 18004).
MAX_DATA_LENGTH = 7089

SYMBOLOGY_RULE = "GS1 General Specifications, 7.8: symbology identifiers"
SEPARATOR_RULE = "GS1 General Specifications, 7.8.5: fields of variable length end with FNC1 (GS)"
REPEAT_RULE = "GS1 General Specifications, section 4: one AI has one value on an item"

_BRACKETED = re.compile(r"\(([0-9]{2,4})\)((?:[^(\\]|\\\()*)")
_NUMERIC_NAME = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class ElementString:
    """What one item's codes say: (AI, value) pairs in the order read, each AI once, all rules kept.

    Make one with `element_string`, `parse_code` or one of its like.
    """

    pairs: Pairs

    def value(self, ai: str) -> str | None:
        """The value of an AI, None where it is absent."""
        return next((value for name, value in self.pairs if name == ai), None)

    @property
    def gtin(self) -> str | None:
        """AI (01): 14 digits."""
        return self.value("01")

    @property
    def serial(self) -> str | None:
        """AI (21)."""
        return self.value("21")

    @property
    def lot(self) -> str | None:
        """AI (10)."""
        return self.value("10")

    @property
    def expiry(self) -> date | None:
        """AI (17): the last day on which the item can be used."""
        text = self.value("17")
        return read_yymmdd(text) if text is not None else None

    @property
    def sscc(self) -> str | None:
        """AI (00): 18 digits."""
        return self.value("00")

    @property
    def national_number(self) -> str | None:
        """The first national healthcare reimbursement number, AI (710) to (717)."""
        return next((value for ai, value in self.pairs if ai in NATIONAL_NUMBERS), None)

    def encode(self) -> str:
        """The data to encode in a symbol, behind its first FNC1: GS stands for FNC1 and only where one is needed."""
        fields = [
            ai + value + ("" if APPLICATION_IDENTIFIERS[ai].predefined_length else GS) for ai, value in self.pairs
        ]
        return "".join(fields).removesuffix(GS)

    def bracketed(self) -> str:
        """``(01)04012345123456(21)12``: for people to read. An opening bracket inside a value is written ``\\(``."""
        return "".join(f"({ai})" + value.replace("(", "\\(") for ai, value in self.pairs)

    def digital_link(self, domain: str = CANONICAL_DOMAIN, *, compressed: bool = False) -> str:
        """The Digital Link URI: primary key and its qualifiers in the path, all else as data attributes.

        Compressed, it is one segment behind the domain; where the data have two keys, behind the key in the clear.
        `domain` is a web address, perhaps with a path. Raises IdentifierError when there is no primary key, or an AI
        that a Digital Link cannot carry.
        """
        path, attributes = arrange(self.pairs)
        stem = domain.rstrip("/")
        if not compressed:
            return stem + path_of(path) + ("?" if attributes else "") + query_of(attributes)
        key = path[0]
        others = [pair for pair in self.pairs if pair != key]
        if any(APPLICATION_IDENTIFIERS[ai].qualifiers is not None for ai, _ in others):
            return f"{stem}{path_of([key])}/{compress(others)}"
        return f"{stem}/{compress(self.pairs)}"


def element_string(pairs: Iterable[Pair]) -> ElementString:
    """The element string of these (AI, value) pairs. Raises IdentifierError naming AI, value and rule."""
    values: dict[str, str] = {}
    for ai, value in pairs:
        application_identifier(ai).check(value)
        if values.setdefault(ai, value) != value:
            raise _repeated(ai, values[ai], value)
    return _complete(values)


def encode(pairs: Iterable[Pair]) -> str:
    """The data to encode in a symbol behind its first FNC1, with GS where a separator is needed; all rules checked."""
    return element_string(pairs).encode()


def parse_scan(*scans: str) -> ElementString:
    """One item's codes as a scanner sends them, each with its symbology identifier, GS between fields.

    Give all codes of a label together: AIs may need a companion in another one. Raises IdentifierError naming AI, value
    and rule.
    """
    values: dict[str, str] = {}
    for scan in scans:
        if scan[:3] not in SYMBOLOGIES:
            raise _not_gs1(scan)
        _parse(scan[3:], values)
    return _complete(values)


def parse_code(code: str) -> ElementString:
    """One code in any of its forms: as scanned (symbology identifier first), in brackets, or a Digital Link URI.

    Errors as `parse_scan`.
    """
    if code.startswith("("):
        return parse_bracketed(code)
    if is_web_address(code):
        return parse_digital_link(code)
    return parse_scan(code)


def parse_element_string(data: str) -> ElementString:
    """Data without symbology identifier that the caller knows to be GS1 data; else as `parse_scan`."""
    values: dict[str, str] = {}
    _parse(data, values)
    return _complete(values)


def parse_bracketed(text: str) -> ElementString:
    """What `ElementString.bracketed` writes, and people type. Errors as `parse_scan`."""
    _check_length(text)
    pairs, position = [], 0
    while position < len(text):
        match = _BRACKETED.match(text, position)
        if not match:
            raise IdentifierError(
                r"write each field as (AI)value, and an opening bracket inside a value as \(",
                value=text[position:],
                rule=SYNTAX_RULE,
            )
        pairs.append((match[1], match[2].replace("\\(", "(")))
        position = match.end()
    return element_string(pairs)


def parse_digital_link(uri: str) -> ElementString:
    """Everything that a Digital Link URI of any domain says about its item: key, qualifiers and data attributes.

    The URI may be compressed, wholly or behind its key.
    Query parameters with names that are not numbers are no GS1 data and passed over. A qualifier such as (10) is read
    there too: it can mean nothing else. Errors as `parse_scan`.
    """
    link = read_link(uri) if len(uri) <= MAX_URI_LENGTH else None
    if link is None:
        raise IdentifierError("not a GS1 Digital Link URI", value=uri, rule=LINK_RULE)
    path, query = link
    pairs = list(path)
    for parameter in query.split("&"):
        name, _, text = parameter.partition("=")
        if not _NUMERIC_NAME.fullmatch(name):
            continue
        value = decode_value(text)
        if not application_identifier(name).is_attribute:
            raise IdentifierError("this AI is no data attribute", field=f"({name})", value=value, rule=LINK_RULE)
        pairs.append((name, value))
    return element_string(pairs)


def _parse(data: str, values: dict[str, str]) -> None:
    """Add the fields of `data` to `values`."""
    _check_length(data)
    position, end = 0, len(data)
    while position < end:
        ai = data[position : position + AI_LENGTHS.get(data[position : position + 2], 2)]
        entry = APPLICATION_IDENTIFIERS.get(ai)
        if entry is None:
            raise _no_field(data, position)
        position += len(ai)
        stop = position + entry.max_length if entry.predefined_length else data.find(GS, position)
        if stop < 0:
            stop = end
        value = data[position:stop]
        entry.check(value)
        if values.setdefault(ai, value) != value:
            raise _repeated(ai, values[ai], value)
        # A separator behind a field of predefined length, or behind the last one, is needless but does no harm.
        position = stop + data.startswith(GS, stop)


def _repeated(ai: str, first: str, value: str) -> IdentifierError:
    return IdentifierError(
        f"this AI comes twice with different values, first with {first!a}; scan one item only",
        field=f"({ai})",
        value=value,
        rule=REPEAT_RULE,
    )


def _complete(values: dict[str, str]) -> ElementString:
    if not values:
        raise IdentifierError("there is no data in this code", value="", rule=SYNTAX_RULE)
    check_companions(tuple(values))
    return ElementString(tuple(values.items()))


def _check_length(data: str) -> None:
    if len(data) > MAX_DATA_LENGTH:
        raise IdentifierError(
            f"longer than any symbol can hold ({MAX_DATA_LENGTH} characters)", value=data, rule="ISO/IEC 18004"
        )


def _no_field(data: str, position: int) -> IdentifierError:
    rest = data[position:]
    if rest.startswith(GS):
        return IdentifierError(
            "an empty field: a separator (GS) where an AI should be", value=data, rule=SEPARATOR_RULE
        )
    if position:
        return IdentifierError(
            "no known Application Identifier begins here; a separator (GS) before may be wrong or too much was read",
            field=f"data[{position}]",
            value=rest,
            rule=SYNTAX_RULE,
        )
    return IdentifierError("does not begin with a known Application Identifier", value=data, rule=SYNTAX_RULE)


def _not_gs1(scan: str) -> IdentifierError:
    known = ", ".join(f"{identifier} ({name})" for identifier, name in SYMBOLOGIES.items())
    if scan.startswith("]"):
        return IdentifierError(
            f"the symbology identifier {scan[:3]!a} does not announce GS1 data; these do: {known}",
            value=scan,
            rule=SYMBOLOGY_RULE,
        )
    return IdentifierError(
        f"no symbology identifier, so this may be anything; set the scanner to send one of {known}",
        value=scan,
        rule=SYMBOLOGY_RULE,
    )
