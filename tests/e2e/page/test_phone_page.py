"""The phone page in a real Chromium, at a pharmacy's counter: what a pharmacist does, and what can go wrong."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import film
import hard
import numpy as np
import pytest
from chromium import PATIENCE, Page

from packtrace.gs1 import element_string
from packtrace_gateway.demo.companies import GTIN, MAKER
from packtrace_gateway.demo.story import EXPIRY_YYMMDD

pytestmark = pytest.mark.e2e
Json = dict[str, Any]
# Answers to what is dispensed are lost; what was asked is in `sent`.
ANSWERS_LOST = (
    "(window.sent = [], window.kept = window.fetch, window.fetch = (url, asked) => url === '/dispense'"
    " ? (sent.push(JSON.parse(asked.body).request), {send}.then(() => Promise.reject(new TypeError('down'))))"
    " : kept(url, asked), 1)"
)
NODE_GONE = (
    "(window.kept = window.fetch, window.fetch = (url, ...rest) =>"
    " String(url).startsWith('http:') ? Promise.reject(new TypeError('down')) : kept(url, ...rest), 1)"
)
HEAD = "(document.querySelector('.verdict h1')?.innerText ?? '')"
PLAYED = "['go', 'stop', 'care', 'unknown'].includes(document.querySelector('.verdict')?.dataset.kind)"


def kind(page: Page) -> str:
    """The verdict's kind, once there is one."""
    page.until(PLAYED)
    return str(page.evaluate("document.querySelector('.verdict').dataset.kind"))


def headline(page: Page) -> str:
    kind(page)
    return page.text(".verdict h1").split(":", 1)[1].strip()


def type_code(page: Page, counter: Any, serial: str, *, lot: str | None = None, expiry: str = EXPIRY_YYMMDD) -> None:
    """The last resort: typed by hand."""
    page.until("document.body?.dataset.view === 'scan'")
    page.tap("Type the code")
    for name, value in (("gtin", GTIN), ("serial", serial), ("lot", lot or counter.lot.lot), ("expiry", expiry)):
        page.fill(f"dialog input[name={name}]", value)
    page.tap("Check this pack")


def checks(page: Page) -> dict[str, str]:
    """What was checked, and how each came out."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.checklist li')].map("
        "(one) => [one.querySelector('strong').innerText, one.className]))"
    )
    return found


def test_a_pack_before_the_camera_is_read_checked_dispensed_and_taken_back(counter, phone):
    serial = counter.pack()
    page = phone(counter.film_of(serial))
    assert kind(page) == "go"
    assert headline(page) == "Authentic, available"
    assert serial in page.text(".pack")
    assert set(checks(page).values()) == {"passed"}
    assert len(checks(page)) >= 11
    hands = page.evaluate("[...document.querySelectorAll('svg.hands .name')].map((one) => one.textContent)")
    assert hands == ["Aurora Pharma", "Meridian Wholesale", "Market Pharmacy (here)"]

    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Pending')")
    page.until(f"{HEAD}.includes('Dispensed')")
    assert re.search(
        r"Your node confirms it. Case [0-9A-F]{4}\u2011[0-9A-F]{4}\u2011[0-9A-F]{4}", page.text(".verdict")
    )
    code = {"gtin": GTIN, "serial": serial}
    assert verdict(counter, code)["words"] == "already supplied"

    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")
    assert verdict(counter, code)["status"] == "active"


def test_what_this_phone_dispensed_is_taken_back_when_it_is_scanned_again(counter, phone):
    page = phone()
    serial = counter.pack()
    type_code(page, counter, serial)
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Dispensed')")
    page.tap("Scan the next pack")
    page.open("about:blank")
    page.open(counter.url)
    type_code(page, counter, serial)
    assert headline(page) == "Already supplied"
    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")
    wait_for(lambda: verdict(counter, {"gtin": GTIN, "serial": serial})["status"] == "active")


def test_a_press_whose_answer_is_lost_is_sent_again_under_its_name(counter, phone):
    page = phone()
    serial = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "go"
    page.evaluate(ANSWERS_LOST.replace("{send}", "Promise.resolve()"))
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Not known whether dispensed')")
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert headline(page) == "Authentic, available"
    page.evaluate(
        "(window.fetch = (url, asked) =>"
        " (url === '/dispense' && sent.push(JSON.parse(asked.body).request), kept(url, asked)), 1)"
    )
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Dispensed')")
    first, second = page.evaluate("sent")
    assert first == second
    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert headline(page) == "Authentic, available"
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Dispensed')")
    assert page.evaluate("sent[2] !== sent[1]"), "what came of the name before is known: this is another dispensing"


def test_a_press_whose_answer_is_lost_waits_under_its_name_too(counter, phone):
    page = phone()
    serial = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "go"
    page.evaluate(ANSWERS_LOST.replace("{send}", "kept(url, asked)"))
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Not known whether dispensed')")
    code = {"gtin": GTIN, "serial": serial}
    wait_for(lambda: verdict(counter, code)["words"] == "already supplied")
    counter.gateway.stop()
    try:
        page.tap("Scan the next pack")
        type_code(page, counter, serial)
        page.until(f"{HEAD}.includes('Not verified: offline')")
        page.tap("Dispense when there is a connection")
        page.until("document.querySelector('.kept') !== null")
    finally:
        counter.gateway.start()
        counter.gateway.wait_until_healthy()
    page.open("about:blank")
    page.open(counter.url)
    page.until("document.querySelector('.badge')?.innerText === 'Connected'", patience=60)
    type_code(page, counter, serial)
    assert headline(page) == "Already supplied"
    page.tap("Undo")
    page.until(f"{HEAD}.includes('Taken back')")


def test_after_a_second_without_a_read_a_frame_goes_to_the_gateway(counter, phone):
    """The symbol's finder is broken: the browser's reader does not find it, the gateway's pipeline does."""
    serial = counter.pack()
    plain = f"01{GTIN}17{EXPIRY_YYMMDD}10{counter.lot.lot}\x1d21{serial}"
    shown = film.write(counter.folder / "hard.y4m", [hard.frame_of((counter.code(serial), plain))] * 3)
    answers: list[Json] = []

    def seen(answer: Json) -> Json:
        answers.append(answer)
        return answer

    page = phone(shown)
    with page.tampering("*/decode", seen):
        assert kind(page) == "go"
    assert serial in page.text(".pack")
    assert [[reading["text"] for reading in answer["readings"]] for answer in answers][-1] == [plain]
    looked = page.evaluate("performance.getEntriesByName('packtrace: read')[0].startTime")
    began = page.evaluate("performance.getEntriesByName('packtrace: camera')[0].startTime")
    assert looked - began > 1000, "the browser had its second"


def test_a_compressed_digital_link_is_read_from_a_qr_code(counter, phone):
    serial = counter.pack()
    pack = element_string([("01", GTIN), ("17", EXPIRY_YYMMDD), ("10", counter.lot.lot), ("21", serial)])
    link = pack.digital_link("https://example.com/p", compressed=True)
    page = phone(film.write(counter.folder / "link.y4m", film.moving(film.link_face(link, ()), 1, seed=5)))
    assert kind(page) == "go"
    assert serial in page.text(".pack")
    assert checks(page)["Printed data"] == "passed"


# A camera as phones have it, at the edge of the browser: what it can, and what it is asked for. The rest is Chromium's.
ABLE = """
    window.asked = [];
    const [capabilities, settings] = ["getCapabilities", "getSettings"].map((name) => MediaStreamTrack.prototype[name]);
    MediaStreamTrack.prototype.getCapabilities = function () {
      return { ...capabilities.call(this), ...%s };
    };
    MediaStreamTrack.prototype.getSettings = function () {
      return { ...settings.call(this), zoom: 1 };
    };
    MediaStreamTrack.prototype.applyConstraints = async function (constraints) {
      await window.busy;
      if (window.refuses) throw new OverconstrainedError("torch");
      asked.push(constraints);
    };
"""
CAN = '{ torch: true, zoom: { min: 0.5, max: 8, step: 0.1 }, focusMode: ["continuous", "single-shot"] }'


def with_camera(page: Page, counter: Any, can: str) -> None:
    """The page opened anew, its camera one that can this."""
    page.call("Page.addScriptToEvaluateOnNewDocument", source=ABLE % can)
    page.open("about:blank")
    page.open(counter.url)
    page.until("document.querySelector('video')?.videoWidth > 0 && document.querySelector('.hint').innerText !== ''")
    page.until("document.querySelector('.hint').innerText.startsWith('Point the camera')")


def asked(page: Page) -> list[Json]:
    constraints: list[Json] = page.evaluate("window.asked")
    assert all(list(one) == ["advanced"] and len(one["advanced"]) == 1 for one in constraints)
    return [one["advanced"][0] for one in constraints]


def test_light_zoom_and_focus_are_asked_of_a_camera_that_has_them(counter, phone):
    page = phone()
    with_camera(page, counter, CAN)
    light = "[...document.querySelectorAll('button')].find((one) => one.innerText.trim() === 'Light')"
    page.tap("Light")
    page.until(f"{light}.getAttribute('aria-pressed') === 'true'")
    assert asked(page) == [{"torch": True}]

    zoom = "document.querySelector('input[type=range]')"
    assert page.evaluate(f"[{zoom}.min, {zoom}.max, {zoom}.step, {zoom}.value]") == ["0.5", "8", "0.1", "1"]
    page.evaluate(f"{zoom}.focus()")
    page.evaluate("(window.busy = new Promise((resolve) => (window.free = resolve)), 1)")
    for _ in range(6):
        page.press("ArrowRight")
    page.evaluate("window.free()")
    page.until("asked.at(-1).advanced[0].zoom === 1.6")
    zoomed = asked(page)[1:]
    assert [one["zoom"] for one in zoomed] == [1.1, 1.6], "a slow camera is asked for the newest place only"
    assert all(one["torch"] is True for one in zoomed), "the light stays on"

    before = len(asked(page))
    box = page.evaluate(
        "(() => { const b = document.querySelector('video').getBoundingClientRect(); return [b.width, b.height]; })()"
    )
    x, y = box[0] * 0.75, box[1] * 0.25
    for kind_, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        page.call("Input.dispatchTouchEvent", type=kind_, touchPoints=points)
    page.until(f"asked.length === {before + 1}")
    focus = asked(page)[-1]
    assert (focus["focusMode"], focus["torch"], focus["zoom"]) == ("single-shot", True, 1.6)
    [point] = focus["pointsOfInterest"]
    wide = 1280 * box[1] / 720  # the picture covers the upright screen: a quarter of the screen is less of the picture
    assert point["x"] == pytest.approx(0.5 + 0.25 * box[0] / wide, abs=0.01)
    assert point["y"] == pytest.approx(0.25, abs=0.01)

    page.evaluate("window.refuses = true")
    page.tap("Light")
    page.pump(0.3)
    assert page.evaluate(f"{light}.getAttribute('aria-pressed')") == "true", "it is still on: the camera refused"
    page.evaluate("window.refuses = false")
    page.tap("Light")
    page.until(f"{light}.getAttribute('aria-pressed') === 'false'")
    assert asked(page)[-1] == {"torch": False, "zoom": 1.6}


@pytest.mark.parametrize(
    "can", ["{}", "{ torch: false, zoom: { min: 1, max: 1, step: 0 }, focusMode: ['continuous'] }"]
)
def test_a_camera_without_them_shows_no_light_no_zoom_and_is_asked_for_nothing(counter, phone, can):
    page = phone()
    with_camera(page, counter, can)
    names = [name for role, name in page.accessible() if role in ("button", "slider")]
    assert "Light" not in names
    assert "Zoom" not in names
    assert "Type the code" in names
    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": 200, "y": 300}])
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.pump(0.3)
    assert asked(page) == []


def test_what_somebody_dispensed_before_is_stopped_and_reported_with_a_photo(counter, phone, tmp_path):
    serial = counter.pack()
    client = counter.gateway.client
    operation = client.post("/dispense", {"packs": [{"gtin": GTIN, "serial": serial}], "acknowledge": "not verified"})
    client.wait(f"/operations/{operation['id']}", lambda found: found["state"] == "done")
    page = phone(counter.film_of(serial))
    assert kind(page) == "stop"
    assert headline(page) == "Already supplied"
    assert "Do not dispense" in page.text(".verdict")
    assert "case" in page.text(".why")
    assert "Dispense" not in page.text(".actions").split("\n")

    page.tap("Report as suspect")
    page.tap("Send the report")
    page.until("document.querySelector('dialog .problem').innerText.startsWith('Say what you saw')")
    page.tap("Seal broken", "dialog .chip")
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(1).integers(0, 255, (1500, 3000, 3), dtype=np.uint8))
    page.choose("dialog input[type=file]", photo)
    page.until("document.querySelector('dialog .photos img')?.complete")
    lost = "String(url).endsWith('/photos')"
    full = "new Response(JSON.stringify({type: 'packtrace:too-many', detail: 'later'}), {status: 429})"
    page.evaluate(
        f"(window.kept = window.fetch, window.fetch = async (url, ...rest) => {lost} ? {full} : kept(url, ...rest), 1)"
    )
    page.tap("Send the report")
    page.until("document.querySelector('dialog .problem').innerText.startsWith('Too much at once')")
    page.evaluate("(window.fetch = window.kept, 1)")
    page.tap("Send the report")
    page.until("/^Report \\d+ is sent/.test(document.querySelector('dialog h2').innerText)")
    number = int(re.findall(r"\d+", page.text("dialog h2"))[0])
    kept = client.get(f"/reports/{number}")
    assert kept["text"] == "Seal broken"
    assert kept["verdict"] == "already supplied"
    assert [one["type"] for one in kept["photos"]] == ["image/jpeg"]
    assert [one["number"] for one in client.get("/reports") if one["uri"] == kept["uri"]] == [number], "one report"
    # what is not ACTIVE any more is sent all the same: the refusal is the evidence, at the maker too
    client.wait(f"/operations/{kept['operation']}", lambda found: found["state"] == "done")
    counter.network.of(MAKER).client.wait(
        "/alerts", lambda found: any(alert["unit"] == kept["unit"] and alert["asked"] == "suspect" for alert in found)
    )


def test_a_dishonest_gateway_is_found_out_in_the_page(counter, phone):
    """The gateway's answer is changed on its way, and its own verdict goes on saying that all is well."""
    page = phone()
    for name, tamper in TAMPERED.items():
        serial = counter.pack()

        def changed(answer: Json, tamper: Callable[[Json], None] = tamper) -> Json:
            assert answer["verdict"]["headline"] == "authentic, available"
            tamper(answer["material"])
            return answer

        with page.tampering("*/verify*", changed):
            type_code(page, counter, serial)
            assert kind(page) == "stop", name
            assert headline(page) == "Evidence broken", name
        assert "failed" in checks(page).values()
        page.tap("Scan the next pack")


def _core(event: int, **changes: Any) -> Callable[[Json], None]:
    def tamper(material: Json) -> None:
        field = material["pedigree"]["events"][event]["f"][0]
        field[2] = json.dumps(json.loads(field[2]) | changes)

    return tamper


def _member(event: int, member: str) -> Callable[[Json], None]:
    def tamper(material: Json) -> None:
        entry = material["pedigree"]["events"][event]
        entry[member] = ("B" if entry[member][:1] != "B" else "C") + entry[member][1:]

    return tamper


def _index(material: Json) -> None:
    material["pedigree"]["events"][0]["i"][0] += 1


def _other_log(material: Json) -> None:
    """The same event, said to be in an entry that there is, of another seal."""
    events = material["pedigree"]["events"]
    events[0]["seal"] = [*events[0]["seal"][:2], 0 if events[0]["seal"][2] else 1, *events[0]["seal"][3:]]


def _nonsense(material: Json) -> None:
    material["pedigree"] = {"v": 1, "events": "none"}


TAMPERED: dict[str, Callable[[Json], None]] = {
    "when it was made": _core(0, eventTime="2026-01-01T00:00:00.000Z"),
    "to whom it was shipped": _core(3, receiver=4),
    "an item's salt": _member(0, "s"),
    "a node of the proof": _member(0, "n"),
    "an item's position": _index,
    "the place in the log": _other_log,
    "no pedigree at all": _nonsense,
}


def test_a_node_that_is_gone_leaves_the_verdict_open(counter, phone):
    """Facts come from the node that its user names: without it nothing is passed that needs the chain."""
    page = phone()
    page.evaluate(NODE_GONE)
    serial = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "unknown"
    assert headline(page) == "Not verified"
    assert checks(page)["Ledger reached"] == "open"
    assert "Status" not in checks(page)
    # a person may go on, and says so; one press alone does not
    page.tap("Dispense all the same")
    page.tap("No, go back")
    page.until("!document.querySelector('dialog')")
    assert headline(page) == "Not verified"


def test_printed_data_that_differ_are_seen(counter, phone):
    page = phone()
    type_code(page, counter, counter.pack(), lot="OTHER1")
    assert headline(page) == "Wrong data on the pack"
    assert "OTHER1 is printed, AP2611A was commissioned" in page.text(".why")
    page.tap("Scan the next pack")
    type_code(page, counter, "NEVERMADE1")
    assert headline(page) == "Unknown serial number"
    page.tap("Scan the next pack")
    page.tap("Type the code")
    page.fill("dialog input[name=gtin]", "09506000134353")
    page.fill("dialog input[name=serial]", "X")
    page.tap("Check this pack")
    page.until("document.querySelector('dialog .problem').innerText.includes('check its digits')")
    assert page.evaluate("document.activeElement.name") == "gtin"


def test_offline_it_says_what_it_does_not_know_and_a_queue_outlives_the_page(counter, phone):
    page = phone()
    known, fresh, wanted = (counter.pack() for _ in range(3))
    type_code(page, counter, known)
    assert kind(page) == "go"
    page.until("navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready.then(() => true)")
    counter.gateway.stop()
    try:
        page.open("about:blank")
        page.open(counter.url)  # the page itself comes from the service worker
        page.until("document.querySelector('.badge')?.innerText === 'No connection'")
        type_code(page, counter, known)
        assert kind(page) == "unknown"
        assert headline(page) == "Not verified: offline"
        shown = page.text("main")
        assert "Last known: Authentic, available" in shown
        for unknown in ("dispensed the pack since", "recalled since", "ever made"):
            assert unknown in shown
        page.tap("Check it when there is a connection")
        page.tap("Scan the next pack")
        type_code(page, counter, fresh, expiry="200131")
        assert headline(page) == "Expired", "the printed date says so by itself"
        page.tap("Scan the next pack")
        type_code(page, counter, wanted)
        assert headline(page) == "Not verified: offline"
        assert "not checked on this phone before" in page.text("main")
        page.tap("Dispense when there is a connection")
        page.until("document.querySelector('.kept') !== null")
        page.open("about:blank")  # closed, and opened again
        page.open(counter.url)
        page.until("document.querySelector('.badge')?.innerText === '2 waiting'")
    finally:
        counter.gateway.start()
        counter.gateway.wait_until_healthy()
    page.open(counter.url)
    page.until("document.querySelector('.badge')?.innerText === 'Connected'", patience=60)
    assert verdict(counter, {"gtin": GTIN, "serial": wanted})["words"] == "already supplied"
    assert verdict(counter, {"gtin": GTIN, "serial": known})["status"] == "active"


def test_a_new_version_that_waits_already_is_offered_again(counter, phone):
    page = phone()
    page.until("navigator.serviceWorker.controller !== null")
    waits = "({ waiting: { postMessage: (said) => (window.told = said) }, addEventListener: () => null })"
    script = f"ServiceWorkerContainer.prototype.register = async () => {waits};"
    page.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    page.open("about:blank")
    page.open(counter.url)
    page.until("document.querySelector('.toast')?.innerText.startsWith('A new version is ready')")
    page.tap("Reload")
    page.until("window.told === 'go over'")


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
    with page.tampering("*/verify*", lambda answer: (_index(answer["material"]), answer)[1]):
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


def test_nothing_is_loaded_from_elsewhere(counter, phone):
    page = phone(counter.film_of(counter.pack()))
    kind(page)
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
    assert set(loaded) <= {counter.network.page_origin, counter.network.devnet.url}
    assert page.evaluate("document.querySelectorAll('script:not([src]), style, [style], [onclick]').length") == 0


def verdict(counter: Any, code: Json) -> Json:
    found: Json = counter.gateway.client.post("/verify", code)["verdict"]
    return found


def wait_for(what: Callable[[], bool]) -> None:
    """The page's node may be a block ahead of what the gateway has seen."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)
