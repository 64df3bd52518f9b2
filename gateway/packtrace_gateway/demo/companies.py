"""Who takes part: made-up companies with GLNs and a GTIN from GS1's range for examples (950)."""

from dataclasses import dataclass

from packtrace.gs1 import with_check_digit
from packtrace_gateway.access.models import Role
from packtrace_gateway.keys import Purpose

COMPANY_PREFIX = "9506000"
GTIN = with_check_digit("0950600013435")

REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER = 1, 2, 4, 8, 16  # IPartyRegistry, ROLE_*
OPERATE, LINE, QUALITY, MANAGE = 1, 2, 4, 8  # IPartyRegistry, PURPOSE_*
PURPOSE_BITS = {
    Purpose.OPERATE: OPERATE,
    Purpose.LINE: LINE,
    Purpose.QUALITY: QUALITY,
    Purpose.MANAGE: MANAGE,
}


@dataclass(frozen=True, slots=True)
class Company:
    """One company with one premises and one gateway.

    `public_name` stands in the party registry; it is empty for a pharmacy, whose identity is not public.
    """

    slug: str
    party: int
    name: str
    public_name: str
    roles: int
    api_roles: tuple[Role, ...]
    purposes: tuple[Purpose, ...] = (Purpose.OPERATE, Purpose.RELAYER)

    @property
    def gln(self) -> str:
        return with_check_digit(f"{COMPANY_PREFIX}{self.party:05}")


AUTHORITY = Company(
    "regulator",
    1,
    "Medicines Authority",
    "Medicines Authority",
    REGULATOR,
    (Role.REGULATOR, Role.AUDITOR),
    (Purpose.OPERATE, Purpose.QUALITY, Purpose.RELAYER),
)
MAKER = Company(
    "manufacturer",
    2,
    "Aurora Pharma",
    "Aurora Pharma",
    MAH | MANUFACTURER,
    (Role.LINE, Role.QUALITY, Role.WAREHOUSE),
    (Purpose.OPERATE, Purpose.LINE, Purpose.QUALITY, Purpose.MANAGE, Purpose.RELAYER),
)
WHOLESALE = Company("wholesaler", 3, "Meridian Wholesale", "Meridian Wholesale", WHOLESALER, (Role.WAREHOUSE,))
PHARMACY_A = Company("pharmacy-a", 4, "Market Pharmacy", "", DISPENSER, (Role.DISPENSER, Role.WAREHOUSE))
PHARMACY_B = Company("pharmacy-b", 5, "Harbour Pharmacy", "", DISPENSER, (Role.DISPENSER, Role.WAREHOUSE))
COMPANIES = (AUTHORITY, MAKER, WHOLESALE, PHARMACY_A, PHARMACY_B)
