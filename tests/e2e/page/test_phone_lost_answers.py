"""Answers that are lost because the connection really breaks: the phone finds out by itself what became of a press."""

from collections.abc import Iterator
from typing import Any

import pytest
from acts import HEAD, headline, kind, type_code, verdict, wait_for
from cable import Cable, cable
from chromium import Page

from packtrace_gateway.demo.companies import GTIN

pytestmark = pytest.mark.e2e
UNKNOWN = f"{HEAD}.includes('Not known whether dispensed')"


@pytest.fixture
def way(counter: Any) -> Iterator[Cable]:
    with cable(counter.port) as way:
        yield way


def dispensed_and_cut_off(page: Page, counter: Any, way: Cable) -> str:
    """A pack that is dispensed, of which the phone does not know it: the connection broke before the answer came."""
    serial: str = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "go"
    way.lose_answers()
    page.tap("Dispense")
    wait_for(lambda: verdict(counter, {"gtin": GTIN, "serial": serial})["words"] == "already supplied")
    way.cut()
    page.until(UNKNOWN)
    return serial


def calls(counter: Any, serial: str) -> list[str]:
    """What the chain was asked to make of the pack, the first first."""
    unit = verdict(counter, {"gtin": GTIN, "serial": serial})["unit"]
    return [call["to"] for call in reversed(counter.gateway.client.get(f"/packs/{unit}/history"))]


def test_what_became_of_a_press_is_shown_as_soon_as_the_connection_is_back(counter, phone, way):
    page = phone(through=way.port)
    serial = dispensed_and_cut_off(page, counter, way)
    page.pump(4)
    assert page.evaluate(UNKNOWN), "nothing is known as long as nothing can be asked"
    way.mend()
    page.until(f"{HEAD}.includes('Dispensed')")
    assert "Your node confirms it" in page.text(".verdict")
    assert calls(counter, serial) == ["supplied"]
    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")
    wait_for(lambda: calls(counter, serial) == ["supplied", "active"])


def test_who_went_on_meanwhile_finds_it_at_the_next_scan(counter, phone, way):
    page = phone(through=way.port)
    serial = dispensed_and_cut_off(page, counter, way)
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert headline(page) == "Not verified: offline"
    assert "Last known: Not known whether dispensed" in page.text()
    way.mend()
    page.tap("Try again now")
    page.until(f"{HEAD}.includes('Already supplied')")
    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")
    wait_for(lambda: calls(counter, serial) == ["supplied", "active"])


def test_a_press_that_never_arrived_changes_nothing_later(counter, phone, way):
    page = phone(through=way.port)
    serial = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "go"
    way.cut()
    page.tap("Dispense")
    page.until(UNKNOWN)
    way.mend()
    page.until("performance.getEntriesByType('resource').some(({ name }) => name.includes('/operations/named/'))")
    page.pump(5)
    assert page.evaluate(UNKNOWN), "it could be on its way still"
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert headline(page) == "Authentic, available"
    assert calls(counter, serial) == []
