"""GS1 keys as validated strings: GTIN, serial number, lot, SSCC, GLN, national numbers.

Each function gives the value back in its one normal form, or raises IdentifierError naming value and rule.
"""

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import NATIONAL_NUMBERS, SYNTAX_RULE, application_identifier
from packtrace.gs1.check_digits import with_check_digit

GTIN_DIGITS = 14
SHORT_GTIN_DIGITS = (8, 12, 13)
SSCC_DIGITS = 18
GLN_DIGITS = 13

# A company prefix has at least four digits (General Specifications, 1.4.4); the longest leaves room for one more digit.
MIN_COMPANY_PREFIX, MAX_COMPANY_PREFIX = 4, 12

SSCC_RULE = "GS1 General Specifications, 3.3.1: SSCC"


def gtin(text: str) -> str:
    """A GTIN-8, GTIN-12, GTIN-13 or GTIN-14 as 14 digits, zeros before the shorter ones, check digit right."""
    digits = text.zfill(GTIN_DIGITS) if len(text) in SHORT_GTIN_DIGITS else text
    application_identifier("01").check(digits)
    return digits


def serial(text: str) -> str:
    """A serial number, AI (21): 1 to 20 characters of set 82."""
    application_identifier("21").check(text)
    return text


def lot(text: str) -> str:
    """A batch or lot number, AI (10): 1 to 20 characters of set 82."""
    application_identifier("10").check(text)
    return text


def gln(text: str) -> str:
    """A GLN: 13 digits, check digit right."""
    application_identifier("414").check(text)
    return text


def gln_extension(text: str) -> str:
    """The extension that names a part of a location, AI (254): 1 to 20 characters of set 82."""
    application_identifier("254").check(text)
    return text


def sscc(text: str) -> str:
    """An SSCC: 18 digits, check digit right."""
    application_identifier("00").check(text)
    return text


def national_number(ai: str, text: str) -> str:
    """A national healthcare reimbursement number, AI (710) to (717): 1 to 20 characters of set 82.

    GS1 leaves further rules to the markets, so none is checked here.
    """
    if ai not in NATIONAL_NUMBERS:
        raise IdentifierError(
            "national numbers have the AIs (710) to (717)", field=f"({ai})", value=text, rule=SYNTAX_RULE
        )
    application_identifier(ai).check(text)
    return text


def make_sscc(company_prefix: str, serial_reference: int, extension_digit: int = 0) -> str:
    """An SSCC from extension digit (0 to 9), company prefix (4 to 12 digits) and serial reference, check digit added.

    Raises IdentifierError when the serial reference does not fit into the digits that the company prefix leaves.
    """
    if not (company_prefix.isascii() and company_prefix.isdigit()) or not (
        MIN_COMPANY_PREFIX <= len(company_prefix) <= MAX_COMPANY_PREFIX
    ):
        raise IdentifierError("the company prefix needs 4 to 12 digits", value=company_prefix, rule=SSCC_RULE)
    if not 0 <= extension_digit <= 9:
        raise IdentifierError("the extension digit is 0 to 9", value=extension_digit, rule=SSCC_RULE)
    room = SSCC_DIGITS - 2 - len(company_prefix)
    if not 0 <= serial_reference < 10**room:
        raise IdentifierError(
            f"the serial reference must fit into {room} digits; take another extension digit or company prefix",
            value=serial_reference,
            rule=SSCC_RULE,
        )
    return with_check_digit(f"{extension_digit}{company_prefix}{serial_reference:0{room}}")
