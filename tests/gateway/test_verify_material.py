"""What a verdict is given on: the pedigree that is here, or the answer of the pack's maker."""

import json

import pytest

from packtrace.epcis.context import GS1_CONTEXT
from packtrace.gs1 import sgtin_uri
from packtrace.scan import Place, Scan
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.verify.service import LedgerReceipts, VerifyService

GTIN = "09506000134352"


class Silent:
    """A locator that nobody answers; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Scan] = []

    def ask(self, scan: Scan) -> None:
        self.asked.append(scan)


@pytest.fixture
def locator() -> Silent:
    return Silent()


@pytest.fixture
def verify(gateway: Gateway, locator: Silent) -> VerifyService:
    receipts = LedgerReceipts(gateway.database)
    return VerifyService(gateway.database, gateway.store, gateway.reader, locator, receipts, Place(12))


def capture(gateway: Gateway, **fields: object) -> None:
    known = {"@context": GS1_CONTEXT, "type": "ObjectEvent", "eventTime": "2026-01-05T08:00:00Z"}
    gateway.capture.capture_event(json.dumps(known | {"eventTimeZoneOffset": "+00:00"} | fields).encode())


def test_a_pack_of_which_only_own_events_are_here_is_asked_of_its_maker(
    gateway: Gateway, verify: VerifyService, locator: Silent
) -> None:
    """A located pack that was dispensed here has one event here, which does not say where it came from."""
    pack = sgtin_uri(GTIN, "S1")
    capture(gateway, action="OBSERVE", bizStep="inspecting", epcList=[pack])
    verified = verify.verify(Scan(GTIN, "S1"))
    assert locator.asked == [Scan(GTIN, "S1")]
    assert verified.verdict.headline == "not verified"


def test_a_pack_whose_pedigree_is_here_is_asked_of_nobody(
    gateway: Gateway, verify: VerifyService, locator: Silent
) -> None:
    gateway.products.add(GTIN, None)
    ilmd = {"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2031-05-31"}
    capture(gateway, action="ADD", bizStep="commissioning", epcList=[sgtin_uri(GTIN, "S1")], ilmd=ilmd)
    verified = verify.verify(Scan(GTIN, "S1"))
    assert locator.asked == []
    assert verified.evidence.product is not None
    assert verified.evidence.product.lot == "L1"
