"""The checks that the table of Application Identifiers names: rules on one component of a value.

A check is given a component's text that already has the right length and characters. The names are those of the GS1
Barcode Syntax Dictionary. What begins a key could be looked up in GS1's list of company prefixes too; that list is not
public as a whole, so only its form is checked here.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import cache

import pycountry

from packtrace.gs1.check_digits import CHECK_DIGIT_RULE, check_pair, has_check_digit
from packtrace.gs1.coupons import is_coupon, is_positive_offer
from packtrace.gs1.dates import is_yymmdd

Check = Callable[[str], bool]

_POSITION = re.compile(r"([1-9][0-9]*)/([1-9][0-9]*)")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IBAN = re.compile(r"([A-Z]{2})[0-9A-Z]{9,}")
_IMPORTER_INDEX = re.compile(r"[-0-9A-Z_a-z]")

# UN/ECE Recommendation 21 with GS1's additions (GS1 code list PackageTypeCode).
_PACKAGE_TYPE_CODES = """
1A 1B 1D 1F 1G 1W 200 201 202 203 204 205 206 210 211 212 2C 3A 3H 43 44 4A 4B 4C 4D 4F 4G 4H 5H 5L 5M 6H 6P 7A 7B 8
8A 8B 8C 9 AA AB AC AD AF AG AH AI AJ AL AM AP APE AT AV B4 BB BC BD BE BF BG BGE BH BI BJ BK BL BM BME BN BO BP BQ BR
BRI BS BT BU BV BW BX BY BZ CA CB CBL CC CCE CD CE CF CG CH CI CJ CK CL CM CN CO CP CQ CR CS CT CU CV CW CX CY CZ DA
DB DC DG DH DI DJ DK DL DM DN DP DPE DR DS DT DU DV DW DX DY E1 E2 E3 EC ED EE EF EG EH EI EN FB FC FD FE FI FL FO FOB
FP FPE FR FT FW FX GB GI GL GR GU GY GZ HA HB HC HG HN HR IA IB IC ID IE IF IG IH IK IL IN IZ JB JC JG JR JT JY KG KI
LAB LE LG LT LU LV LZ MA MB MC ME MPE MR MS MT MW MX NA NE NF NG NS NT NU NV OA OB OC OD OE OF OK OPE OT OU P2 PA PAE
PB PC PD PE PF PG PH PI PJ PK PL PLP PN PO POP PP PPE PR PT PU PUE PV PX PY PZ QA QB QC QD QF QG QH QJ QK QL QM QN QP
QQ QR QS RB1 RB2 RB3 RCB RD RG RJ RK RL RO RT RZ S1 SA SB SC SD SE SEC SH SI SK SL SM SO SP SS ST STL SU SV SW SX SY
SZ T1 TB TC TD TE TEV TG THE TI TK TL TN TO TR TRE TS TT TTE TU TV TW TWE TY TZ UC UN UUE VA VG VI VK VL VN VO VP VQ
VR VS VY WA WB WC WD WF WG WH WJ WK WL WM WN WP WQ WR WRP WS WT WU WV WW WX WY WZ X11 X12 X15 X16 X17 X18 X19 X20 X3
XA XB XC XD XF XG XH XJ XK YA YB YC YD YF YG YH YJ YK YL YM YN YP YQ YR YS YT YV YW YX YY YZ ZA ZB ZC ZD ZF ZG ZH ZJ
ZK ZL ZM ZN ZP ZQ ZR ZS ZT ZU ZV ZW ZX ZY ZZ
"""
_PACKAGE_TYPES = frozenset(_PACKAGE_TYPE_CODES.split())


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.numeric for country in pycountry.countries)


@cache
def _country_letters() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def _currencies() -> frozenset[str]:
    return frozenset(currency.numeric for currency in pycountry.currencies)


def _has_check_pair(text: str) -> bool:
    return check_pair(text[:-2]) == text[-2:]


def _is_piece_of_total(text: str) -> bool:
    return 0 < int(text[:2]) <= int(text[2:])


def _is_position(text: str) -> bool:
    found = _POSITION.fullmatch(text)
    return found is not None and int(found[1]) <= int(found[2])


def _is_full_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _is_iban(text: str) -> bool:
    found = _IBAN.fullmatch(text)
    if found is None or found[1] not in _country_letters():
        return False
    # Letters count 10 to 35, the first four characters come last (ISO 13616-1; ISO/IEC 7064, MOD 97-10).
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def _is_media_type(text: str) -> bool:
    return "01" <= text <= "10" or text >= "80"


CHECKS: dict[str, tuple[Check, str, str]] = {
    "couponcode": (
        is_coupon,
        "it is no North American coupon code",
        "GS1 US: North American Coupon Application Guideline Using GS1 DataBar Expanded",
    ),
    "couponposoffer": (
        is_positive_offer,
        "it is no positive offer file coupon code",
        "GS1 AI (8112) Coupon Data Specification",
    ),
    "csum": (has_check_digit, "the check digit is wrong", CHECK_DIGIT_RULE),
    "csumalpha": (
        _has_check_pair,
        "the check character pair is wrong",
        "GS1 General Specifications, 7.9: check character pair",
    ),
    "gcppos1": (
        lambda text: text[:4].isdigit() and len(text) >= 4,
        "a key begins with the digits of its GS1 Company Prefix",
        "GS1 General Specifications, 1.4.4: GS1 Company Prefix",
    ),
    "hasnondigit": (
        lambda text: not text.isdigit(),
        "it needs a character that is no digit",
        "GS1 General Specifications, 3.9: highly individualised device registration identifier",
    ),
    "hh": (
        lambda text: text < "24",
        "there is no such hour; write 00 to 23",
        "GS1 General Specifications, 3.9: date and time of production",
    ),
    "hhmi": (
        lambda text: text[:2] < "24" and text[2:] < "60",
        "there is no such time of day; write HHMM",
        "GS1 General Specifications, 3.8: hour and minute",
    ),
    "hyphen": (
        lambda text: text == "-",
        "only a hyphen, for degrees below zero, may stand behind the six digits",
        "GS1 General Specifications, 3.7: temperature",
    ),
    "iban": (
        _is_iban,
        "it is no international bank account number, or its check digits are wrong",
        "GS1 General Specifications, 3.9: IBAN; ISO 13616-1",
    ),
    "importeridx": (
        lambda text: _IMPORTER_INDEX.fullmatch(text) is not None,
        "an importer index is one of - 0 to 9 A to Z _ a to z",
        "GS1 General Specifications, 3.8: UIC with extension and importer index",
    ),
    "iso3166": (
        lambda text: text in _countries(),
        "there is no country with this number",
        "GS1 General Specifications, 3.7: countries; ISO 3166-1 numeric",
    ),
    "iso3166999": (
        lambda text: text == "999" or text in _countries(),
        "there is no country with this number, and 999 stands for several",
        "GS1 General Specifications, 3.8: processor; ISO 3166-1 numeric",
    ),
    "iso3166alpha2": (
        lambda text: text in _country_letters(),
        "there is no country with these two letters",
        "GS1 General Specifications, 3.7: countries; ISO 3166-1 alpha-2",
    ),
    "iso4217": (
        lambda text: text in _currencies(),
        "there is no currency with this number",
        "GS1 General Specifications, 3.6: amounts; ISO 4217 numeric",
    ),
    "iso5218": (
        lambda text: text in "0129",
        "sex is 0 (not known), 1 (male), 2 (female) or 9 (not applicable)",
        "GS1 General Specifications, 3.8: biological sex; ISO/IEC 5218",
    ),
    "latitude": (
        lambda text: text <= "1800000000",
        "a latitude is at most 1800000000 (90° north)",
        "GS1 General Specifications, 3.7: geolocation",
    ),
    "longitude": (
        lambda text: text <= "3600000000",
        "a longitude is at most 3600000000",
        "GS1 General Specifications, 3.7: geolocation",
    ),
    "mediatype": (
        _is_media_type,
        "there is no such media type; 01 to 10 and 80 to 99 are assigned",
        "GS1 General Specifications, 3.8: AIDC media type",
    ),
    "mi": (
        lambda text: text < "60",
        "there is no such minute; write 00 to 59",
        "GS1 General Specifications, 3.9: date and time of production",
    ),
    "nonzero": (
        lambda text: text.strip("0") != "",
        "width, length, diameter and their like are not zero",
        "GS1 General Specifications, 3.9: roll products",
    ),
    "nozeroprefix": (
        lambda text: text == "0" or text[0] != "0",
        "a number without leading zeros is needed",
        "GS1 General Specifications, 3.9: component and part serial number",
    ),
    "packagetype": (
        lambda text: text in _PACKAGE_TYPES,
        "there is no such package type",
        "GS1 General Specifications, 3.8: UN freight unit type; UN/ECE Recommendation 21",
    ),
    "pcenc": (
        lambda text: _BROKEN_PERCENT.search(text) is None,
        "a % needs two hexadecimal digits behind it",
        "GS1 General Specifications, 3.7: percent-encoded text; RFC 3986, 2.1",
    ),
    "pieceoftotal": (
        _is_piece_of_total,
        "piece number and total do not fit: the piece counts from 01 up to the total",
        "GS1 General Specifications, 3.9: individual trade item piece",
    ),
    "posinseqslash": (
        _is_position,
        "write position/number, such as 2/3, without leading zeros",
        "GS1 General Specifications, 3.8: birth sequence",
    ),
    "ss": (
        lambda text: text < "60",
        "there is no such second; write 00 to 59",
        "GS1 General Specifications, 3.9: date and time of production",
    ),
    "winding": (
        lambda text: text in "019",
        "the winding direction is 0 (face out), 1 (face in) or 9 (undefined)",
        "GS1 General Specifications, 3.9: roll products",
    ),
    "yesno": (
        lambda text: text in "01",
        "this is 0 (no) or 1 (yes)",
        "GS1 General Specifications, 3.7: flags of transport",
    ),
    "yymmd0": (
        lambda text: is_yymmdd(text, day_may_be_zero=True),
        "there is no such date; write YYMMDD, with day 00 for the end of the month",
        "GS1 General Specifications, 3.4: dates",
    ),
    "yymmdd": (
        lambda text: is_yymmdd(text, day_may_be_zero=False),
        "there is no such date; write YYMMDD",
        "GS1 General Specifications, 3.8: dates",
    ),
    "yyyymmdd": (
        _is_full_date,
        "there is no such date; write YYYYMMDD",
        "GS1 General Specifications, 3.8: date of birth",
    ),
    "zero": (
        lambda text: text == "0",
        "the first digit must be 0",
        "GS1 General Specifications, 3.9: GRAI",
    ),
}
