"""The exchange of one gateway: its parts, as the composition root and the routes see them."""

from dataclasses import dataclass

from packtrace_gateway.exchange.client import PartnerClient
from packtrace_gateway.exchange.custody import CustodyService
from packtrace_gateway.exchange.locate import Locator
from packtrace_gateway.exchange.missing import MissingUnits
from packtrace_gateway.exchange.receiving import Receiving
from packtrace_gateway.exchange.sending import Sending
from packtrace_gateway.exchange.signing import RequestVerifier
from packtrace_gateway.exchange.units import UnitService


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a gateway does with its partners."""

    requests: RequestVerifier
    client: PartnerClient
    sending: Sending
    receiving: Receiving
    custody: CustodyService
    missing: MissingUnits
    locator: Locator
    units: UnitService
