"""GS1 identifiers: keys and check digits, element strings, Digital Link URIs, EPC URNs, dates, serial numbers."""

from packtrace.gs1.check_digits import check_digit, with_check_digit
from packtrace.gs1.dates import expires_at, read_iso_date, read_yymmdd, write_yymmdd
from packtrace.gs1.digital_link import is_web_address
from packtrace.gs1.element_string import (
    GS,
    ElementString,
    element_string,
    encode,
    parse_bracketed,
    parse_code,
    parse_digital_link,
    parse_element_string,
    parse_scan,
)
from packtrace.gs1.serials import SerialPolicy, draw
from packtrace.gs1.uri import (
    canonical_uri,
    canonical_uris,
    cbv_uri,
    epc_urn,
    gln_of_uri,
    pgln_uri,
    sgln_uri,
    sgtin_uri,
    split_sgtin_uri,
    sscc_of_uri,
    sscc_uri,
)

__all__ = [
    "GS",
    "ElementString",
    "SerialPolicy",
    "canonical_uri",
    "canonical_uris",
    "cbv_uri",
    "check_digit",
    "draw",
    "element_string",
    "encode",
    "epc_urn",
    "expires_at",
    "gln_of_uri",
    "is_web_address",
    "parse_bracketed",
    "parse_code",
    "parse_digital_link",
    "parse_element_string",
    "parse_scan",
    "pgln_uri",
    "read_iso_date",
    "read_yymmdd",
    "sgln_uri",
    "sgtin_uri",
    "split_sgtin_uri",
    "sscc_of_uri",
    "sscc_uri",
    "with_check_digit",
    "write_yymmdd",
]
