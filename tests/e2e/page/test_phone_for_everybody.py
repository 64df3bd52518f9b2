"""The phone page for everybody: by keyboard, by ear, in their language, in any light (WCAG 2.2)."""

import re
from pathlib import Path
from typing import Any

import pytest
from acts import HEAD, NODE_GONE, kind, other_index, type_code
from chromium import Page
from host import Host, set_up

from packtrace_gateway.demo.companies import GTIN
from packtrace_gateway.demo.story import EXPIRY_YYMMDD
from packtrace_gateway.phone.files import page_of, page_sources

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
    for name, value in (
        ("gtin", GTIN),
        ("serial", serial),
        ("lot", counter and counter.lot.lot),
        ("expiry", EXPIRY_YYMMDD),
    ):
        page.fill(f"dialog input[name={name}]", value or "")
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


def test_a_field_is_marked_as_wrong_only_while_it_is(host: Host, page: Page) -> None:
    set_up(page, host)
    page.tap("Type the code")
    wrong = "[...document.querySelectorAll('dialog [aria-invalid=true]')].map((one) => one.name).join()"
    page.fill("dialog input[name=gtin]", "09506000134353")
    page.fill("dialog input[name=serial]", "S/ä")
    page.tap("Check this pack")
    page.until(f"{wrong} === 'gtin'")
    page.fill("dialog input[name=gtin]", GTIN)
    page.tap("Check this pack")
    page.until(f"{wrong} === 'serial'")


def test_nothing_is_forgotten_by_one_press(host: Host, page: Page) -> None:
    """WCAG 3.3.4: what deletes a person's data is confirmed."""
    set_up(page, host)
    page.tap("Settings")
    page.tap("Forget everything on this phone")
    page.until("document.activeElement.innerText === 'No, go back'")
    page.press("Enter")
    page.until("!document.querySelector('dialog')")
    page.open("about:blank")
    page.open(host.url)
    page.until("document.body?.dataset.view === 'scan'")
    page.tap("Settings")
    page.tap("Forget everything on this phone")
    page.tap("Yes, forget")
    page.until("document.body?.dataset.view === 'setup' && document.querySelector('input[name=key]')?.value === ''")


def test_what_has_the_focus_does_not_lie_below_the_actions(host: Host, page: Page) -> None:
    """WCAG 2.4.11, on a low screen."""
    set_up(page, host)
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=560, deviceScaleFactor=2, mobile=True)
    type_code_in_any_language(page, None, "S1")
    assert kind(page) == "unknown"
    for name in ("Try again now", "Report as suspect"):
        focus(page, name)
        free = (
            "(() => { const one = document.activeElement; const box = one.getBoundingClientRect();"
            " return one.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); })()"
        )
        page.until(free, patience=5)
        page.evaluate("window.scrollTo(0, 0)")
        page.evaluate("document.querySelector('.verdict h1').focus({ preventScroll: true })")


def test_a_note_about_the_page_lies_over_no_verdict_and_no_button(host: Host, page: Page) -> None:
    set_up(page, host)
    name = next(name for name in host.files if name.endswith("/text/de.json"))
    host.files = page_of(page_sources() | {"text/de.json": host.files[name].content + b"\n"})
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until("document.querySelector('.toast')?.checkVisibility()")
    page.tap("Type the code")  # nothing lies over it
    page.tap("Back", "dialog button")
    page.tap("Settings")
    page.until("document.body.dataset.view === 'setup'")
    assert page.evaluate("document.querySelector('.toast').checkVisibility()") is False
