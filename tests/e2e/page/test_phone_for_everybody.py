"""The phone page for everybody: by keyboard, by ear, in their language, in any light (WCAG 2.2)."""

import re
from pathlib import Path
from typing import Any

import pytest
from acts import HEAD, NODE_GONE, kind, other_index, type_code
from chromium import Page

from packtrace_gateway.demo.companies import GTIN
from packtrace_gateway.demo.story import EXPIRY_YYMMDD

pytestmark = pytest.mark.e2e
Json = dict[str, Any]


def test_everything_can_be_done_with_the_keyboard_alone(counter, phone):
    page = phone()
    serial = counter.pack()
    page.until("document.body?.dataset.view === 'scan'")
    focus(page, "Type the code")
    page.press("Enter")
    page.until("document.activeElement.name === 'gtin'")
    for value in (GTIN, serial, counter.lot.lot, EXPIRY_YYMMDD):
        page.write(value)
        page.press("Tab")
    page.press("Tab")
    assert focused(page) == "Check this pack"
    page.press("Enter")
    assert kind(page) == "go"
    assert page.evaluate("document.activeElement.tagName") == "H1", "a screen reader begins at the verdict"
    focus(page, "Dispense")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "where the focus is can be seen"
    page.press("Enter")
    page.until(f"{HEAD}.includes('Dispensed')")
    assert focused(page) == "Undo"
    page.press(" ")
    page.until(f"{HEAD}.includes('Taken back')")


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
    ).strip()


def focus(page: Page, name: str) -> None:
    for _ in range(20):
        page.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"{name} is not reached with the Tab key")


def test_a_screen_reader_hears_the_verdict_and_names_for_everything(counter, phone):
    page = phone()
    assert nameless(page) == []
    type_code(page, counter, counter.pack())
    assert kind(page) == "go"
    heard = "document.getElementById('status').textContent"
    assert page.until(heard) == "Good. Authentic, available. May be dispensed."
    found = page.accessible()
    assert ("heading", "Good: Authentic, available") in found
    for name in ("Dispense", "Report as suspect", "Scan the next pack"):
        assert ("button", name) in found
    assert ("image", "From Aurora Pharma to Market Pharmacy (here), 3 hands") in found or (
        "img",
        "From Aurora Pharma to Market Pharmacy (here), 3 hands",
    ) in found
    assert [name for role, name in found if role == "heading"] == [
        "Good: Authentic, available",
        "Whose hands it came through",
        "History",
        "What was checked",
    ]
    assert nameless(page) == []
    page.tap("Scan the next pack")
    type_code(page, counter, "NEVERMADE2")
    kind(page)
    grave = page.until("document.getElementById('alert').textContent")
    assert grave.startswith("Stop. Unknown serial number."), "at once, whatever was being read"


def nameless(page: Page) -> list[str]:
    """Controls that a screen reader has no name for."""
    roles = ("button", "textbox", "combobox", "slider", "link", "checkbox", "image", "img")
    return [role for role, name in page.accessible() if role in roles and not name.strip()]


LOOKS = (Path(__file__).parent / "contrast.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_targets_are_those_of_wcag_2_2(counter, phone, scheme):
    """Text 4.5:1 (large 3:1), and nothing to touch is smaller than 44 pixels: more than the 24 that AA asks for."""
    page = phone()
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for serial, lot in ((counter.pack(), None), (counter.pack(), "OTHER1")):
        type_code(page, counter, serial, lot=lot)
        kind(page)
        page.pump(0.3)
        assert page.evaluate(LOOKS) == []
        page.tap("Report as suspect")
        page.pump(0.1)
        assert page.evaluate(LOOKS) == []
        page.tap("Back")
        page.tap("Scan the next pack")
    page.tap("Settings")
    page.until("document.body?.dataset.view === 'setup'")
    assert page.evaluate(LOOKS) == []
    page.tap("Back")
    page.tap("Connected")
    page.until("document.querySelectorAll('.entries li').length > 1")
    assert page.evaluate(LOOKS) == []


def speak(page: Page, language: str) -> None:
    """Choose the page's language in its settings, and come back to the camera."""
    page.tap("Settings")
    page.evaluate(f"document.querySelector('select').value = '{language}'")
    page.evaluate("document.querySelector('select').dispatchEvent(new Event('change'))")
    page.until("document.querySelector('h1').innerText !== 'Set up this phone'")
    assert page.evaluate("document.documentElement.lang").startswith(language)
    back = page.evaluate("document.querySelector('.top button').getAttribute('aria-label')")
    page.tap(back)


def type_code_in_any_language(page: Page, counter: Any, serial: str) -> None:
    page.until("document.body?.dataset.view === 'scan'")
    page.evaluate("document.querySelector('.scan .wide').click()")
    for name, value in (("gtin", GTIN), ("serial", serial), ("lot", counter.lot.lot), ("expiry", EXPIRY_YYMMDD)):
        page.fill(f"dialog input[name={name}]", value)
    page.evaluate("document.querySelector('dialog .main').click()")


def untranslated(page: Page) -> list[str]:
    return re.findall(r"\b(?:the|and|pack|ledger|check|node|does)\b", page.text("main"))


@pytest.mark.parametrize(("language", "words"), [("de", "Echt und verfügbar"), ("zh", "真品，可用")])
def test_it_speaks_german_and_chinese(counter, phone, language, words):
    page = phone()
    serial = counter.pack()
    speak(page, language)
    type_code_in_any_language(page, counter, serial)
    assert kind(page) == "go"
    assert page.text(".verdict h1").endswith(words)
    assert untranslated(page) == []


def test_refusals_and_broken_evidence_are_told_in_the_persons_language(counter, phone):
    page = phone()
    speak(page, "de")
    lost = counter.pack()
    type_code_in_any_language(page, counter, lost)
    assert kind(page) == "go"
    client = counter.gateway.client
    operation = client.post("/dispense", {"packs": [{"gtin": GTIN, "serial": lost}], "acknowledge": "not verified"})
    client.wait(f"/operations/{operation['id']}", lambda found: found["state"] == "done")
    page.tap("Abgeben")  # somebody was faster
    page.until(f"{HEAD}.includes('Nicht abgegeben')")
    assert page.text(".verdict .do") == "Der Status der Packung im Register lässt es nicht zu: Schon abgegeben"

    page.tap("Nächste Packung")
    with page.tampering("*/verify*", lambda answer: (other_index(answer["material"]), answer)[1]):
        type_code_in_any_language(page, counter, counter.pack())
        assert kind(page) == "stop"
    why = page.text(".verdict .why")
    assert re.search(r"hält nicht: .+: der (Merkle-Nachweis|Nachweis seiner Packungen) hält nicht \(.+\)", why)

    page.tap("Nächste Packung")
    page.evaluate(NODE_GONE)
    type_code_in_any_language(page, counter, counter.pack())
    assert kind(page) == "unknown"
    assert "Der Knoten antwortet nicht (down)" in page.text(".checks")
    assert untranslated(page) == []


def test_motion_is_reduced_where_somebody_asks_for_it(counter, phone):
    page = phone()
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    type_code(page, counter, counter.pack())
    kind(page)
    moving = "getComputedStyle(document.querySelector('.verdict')).transitionDuration"
    assert page.evaluate(moving) == "0s"
    page.call("Emulation.setEmulatedMedia", features=[])
    assert page.evaluate(moving) != "0s"
