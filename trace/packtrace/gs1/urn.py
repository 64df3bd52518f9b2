"""EPC URNs to GS1 keys and back (GS1 EPC Tag Data Standard 1.13, sections 6 and 7; Core Business Vocabulary 2.0, 8.2).

Pure identities (urn:epc:id:…), the lot class (urn:epc:class:lgtin:…) and the patterns that name one class
(urn:epc:idpat:sgtin:….*). The way back needs the length of the GS1 Company Prefix, which a key does not tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import application_identifier
from packtrace.gs1.check_digits import with_check_digit
from packtrace.gs1.digital_link import Pair, Pairs, decode_value, path_of

URN_RULE = "GS1 EPC Tag Data Standard, section 6: EPC URI"
COMPANY_PREFIX_RULE = "GS1 EPC Tag Data Standard, section 6: a company prefix has 6 to 12 digits"
MIN_COMPANY_PREFIX, MAX_COMPANY_PREFIX = 6, 12

_COMPANY_PREFIX = re.compile(rf"[0-9]{{{MIN_COMPANY_PREFIX},{MAX_COMPANY_PREFIX}}}")
_DIGITS = re.compile(r"[0-9]*")
_PIECE_DIGITS = 2

# In an EPC URN these must be escaped, all other characters of set 82 stand as they are.
_ESCAPED = re.compile(r'["#%&/<>?]')

_NO_EXTENSION = "0"


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How an EPC scheme's parts make a key.

    `digits` is how many company prefix and reference have together in a key of digits, None in an alphanumeric key.
    `indicator_first`: the reference begins with a digit that the key has before the company prefix. `serial` is the
    qualifier that the serial part goes to, "+" if it is appended to the key, "" if the scheme has none.
    """

    ai: str
    digits: int | None
    serial: str = ""
    indicator_first: bool = False
    lead: str = ""
    kind: str = "id"


_SCHEMES = {
    "sgtin": _Scheme("01", 13, "21", indicator_first=True),
    "upui": _Scheme("01", 13, "235", indicator_first=True),
    "lgtin": _Scheme("01", 13, "10", indicator_first=True, kind="class"),
    "itip": _Scheme("8006", 13, "21", indicator_first=True),
    "sscc": _Scheme("00", 17, indicator_first=True),
    "sgln": _Scheme("414", 12, "254"),
    "pgln": _Scheme("417", 12),
    "grai": _Scheme("8003", 12, "+", lead="0"),
    "gdti": _Scheme("253", 12, "+"),
    "sgcn": _Scheme("255", 12, "+"),
    "gsrn": _Scheme("8018", 17),
    "gsrnp": _Scheme("8017", 17),
    "gsin": _Scheme("402", 16),
    "giai": _Scheme("8004", None),
    "ginc": _Scheme("401", None),
    "cpi": _Scheme("8010", None, "8011"),
}

# EPC schemes for things that have no GS1 key, and so no Digital Link.
FOREIGN_SCHEMES = frozenset({"adi", "bic", "gid", "imovn", "usdod"})

# Schemes whose pattern with * for the serial part names one class (Core Business Vocabulary 2.0, 8.3).
_CLASS_PATTERNS = frozenset({"sgtin", "upui", "itip", "grai", "gdti", "sgcn", "cpi"})


def is_epc_urn(uri: str) -> bool:
    return uri[:8].lower() == "urn:epc:"


def read_urn(urn: str) -> Pairs | None:
    """The GS1 key and qualifier that an EPC URN names, check digit computed, values unescaped and checked.

    None for EPCs without a GS1 key (urn:epc:id:gid:…) and for tag and raw URIs, which are no identifiers of things.
    Raises IdentifierError for a URN that breaks a rule, naming value and rule.
    """
    kind, _, rest = urn[8:].partition(":")
    name, _, body = rest.partition(":")
    if kind in ("tag", "raw", "pat") or name in FOREIGN_SCHEMES:
        return None
    scheme = _SCHEMES.get(name)
    if scheme is None or kind not in (scheme.kind, "idpat"):
        raise _refused("there is no such EPC scheme", urn)
    if kind == "idpat":
        if name not in _CLASS_PATTERNS or not body.endswith(".*"):
            raise _refused("this pattern names no class of objects; only the serial part may be *, and must be", urn)
        body = body.removesuffix(".*")
    pairs = _key_and_serial(scheme, body, is_class=kind == "idpat", urn=urn)
    for ai, value in pairs:
        application_identifier(ai).check(value)
    return pairs


def _key_and_serial(scheme: _Scheme, body: str, *, is_class: bool, urn: str) -> Pairs:
    pieces = 2 if scheme.ai == "8006" else 0
    has_serial = bool(scheme.serial) and not is_class
    parts = body.split(".", 1 + pieces + has_serial)
    if len(parts) != 2 + pieces + has_serial:
        raise _refused("this EPC scheme has another number of parts between dots", urn)
    company, reference = parts[:2]
    if not _COMPANY_PREFIX.fullmatch(company):
        raise IdentifierError(
            "the company prefix is not a number of 6 to 12 digits", value=urn, rule=COMPANY_PREFIX_RULE
        )
    serial = _unescape(parts[-1], urn) if has_serial else ""
    if scheme.digits is None:
        if not reference:
            raise _refused("the reference behind the company prefix is empty", urn)
        key = company + _unescape(reference, urn)
    else:
        if len(company) + len(reference) != scheme.digits or not _DIGITS.fullmatch(reference):
            raise _refused(f"company prefix and reference need {scheme.digits} digits together", urn)
        lead = scheme.lead
        if scheme.indicator_first:
            lead, reference = reference[0], reference[1:]
        piece_and_total = parts[2 : 2 + pieces]
        if any(len(part) != _PIECE_DIGITS for part in piece_and_total):
            raise _refused("piece and total have two digits each", urn)
        key = with_check_digit(lead + company + reference) + "".join(piece_and_total)
    if scheme.serial == "+":
        if has_serial and not serial:
            raise _refused("the serial part is empty", urn)
        return ((scheme.ai, key + serial),)
    if not has_serial or (scheme.ai == "414" and serial == _NO_EXTENSION):
        return ((scheme.ai, key),)
    return (scheme.ai, key), (scheme.serial, serial)


def write_urn(pairs: Sequence[Pair], company_prefix_length: int) -> str:
    """The EPC URN for a key with at most one qualifier, as `digital_link.identity_of` gives them.

    Raises IdentifierError if the key has no EPC or the company prefix cannot have this length (6 to 12).
    """
    if not MIN_COMPANY_PREFIX <= company_prefix_length <= MAX_COMPANY_PREFIX:
        raise IdentifierError(
            "a company prefix in an EPC has 6 to 12 digits", value=company_prefix_length, rule=COMPANY_PREFIX_RULE
        )
    (ai, key), *qualifiers = pairs
    qualifier, serial = qualifiers[0] if qualifiers else ("", "")
    name, scheme = _scheme_for(ai, qualifier, pairs)
    if scheme.digits is None:
        if not key[:company_prefix_length].isdigit() or len(key) <= company_prefix_length:
            raise IdentifierError(
                "the key does not begin with a company prefix of this length", field=f"({ai})", value=key, rule=URN_RULE
            )
        parts = [key[:company_prefix_length], _escape(key[company_prefix_length:])]
    else:
        digits = key[len(scheme.lead) : len(scheme.lead) + scheme.digits]
        rest = key[len(scheme.lead) + scheme.digits + 1 :]
        indicator = ""
        if scheme.indicator_first:
            indicator, digits = digits[0], digits[1:]
        parts = [digits[:company_prefix_length], indicator + digits[company_prefix_length:]]
        if ai == "8006":
            parts += [rest[:_PIECE_DIGITS], rest[_PIECE_DIGITS:]]
        elif scheme.serial == "+":
            serial = rest
    if not serial and ai == "414":
        serial = _NO_EXTENSION
    if not scheme.serial:
        return f"urn:epc:id:{name}:{'.'.join(parts)}"
    if serial:
        return f"urn:epc:{scheme.kind}:{name}:{'.'.join([*parts, _escape(serial)])}"
    return f"urn:epc:idpat:{name}:{'.'.join(parts)}.*"


def _scheme_for(ai: str, qualifier: str, pairs: Sequence[Pair]) -> tuple[str, _Scheme]:
    for name, scheme in _SCHEMES.items():
        if scheme.ai == ai and (qualifier == scheme.serial or not qualifier):
            return name, scheme
    raise IdentifierError("this key has no EPC", field=f"({ai})", value=path_of(pairs), rule=URN_RULE)


def _escape(value: str) -> str:
    return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", value)


def _unescape(text: str, urn: str) -> str:
    bare = _ESCAPED.search(text.replace("%", ""))
    if bare:
        raise _refused(f"{bare[0]!a} must be written as an escape such as %2F", urn)
    return decode_value(text)


def _refused(message: str, urn: str) -> IdentifierError:
    return IdentifierError(message, value=urn, rule=URN_RULE)
