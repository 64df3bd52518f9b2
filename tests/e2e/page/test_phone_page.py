"""The phone page in a real Chromium, at a pharmacy's counter: what a pharmacist does, and what can go wrong."""

import json
import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from acts import HEAD, NODE_GONE, checks, headline, kind, other_index, type_code, verdict, wait_for
from chromium import Page

from packtrace_gateway.demo.companies import GTIN, MAKER

pytestmark = pytest.mark.e2e
Json = dict[str, Any]
# Answers to what is dispensed are lost (and those to what became of it); what was asked is in `sent`.
ANSWERS_LOST = (
    "(window.sent = [], window.kept = window.fetch, window.fetch = (url, asked) => url === '/dispense'"
    " ? (sent.push(JSON.parse(asked.body).request), {send}.then(() => Promise.reject(new TypeError('down'))))"
    " : String(url).startsWith('/operations/named/') ? {named} : kept(url, asked), 1)"
)


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


LOST = "Promise.reject(new TypeError('down'))"


def dispensed_without_an_answer(page: Page, counter: Any, send: str, named: str) -> str:
    """The serial number of a pack whose press is answered by nobody; `send` says whether the gateway gets it."""
    serial: str = counter.pack()
    type_code(page, counter, serial)
    assert kind(page) == "go"
    page.evaluate(ANSWERS_LOST.replace("{send}", send).replace("{named}", named))
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Not known whether dispensed')")
    return serial


def test_a_press_whose_answer_is_lost_is_sent_again_under_its_name(counter, phone):
    page = phone()
    serial = dispensed_without_an_answer(page, counter, "Promise.resolve()", "kept(url, asked)")
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
    serial = dispensed_without_an_answer(page, counter, "kept(url, asked)", LOST)
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
    "an item's position": other_index,
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


# Out of sight and back, by the browser's own signal; how long, by the clock.
PUT_DOWN = (
    "(() => { const now = Date.now, seen = (hidden) => { Object.defineProperty(document, 'hidden', { value: hidden,"
    " configurable: true }); document.dispatchEvent(new Event('visibilitychange')); };"
    " seen(true); Date.now = () => now.call(Date) + 1000 * %d; seen(false); Date.now = now; return 1 })()"
)


def test_a_phone_that_was_put_down_shows_no_pack_as_good_when_it_is_picked_up(counter, phone):
    """By then another pack may be in hand. A warning stays, and so does what a person is at."""
    page = phone()
    type_code(page, counter, counter.pack())
    assert kind(page) == "go"
    page.evaluate(PUT_DOWN % 20)
    assert kind(page) == "go"
    page.tap("Report as suspect")
    page.evaluate(PUT_DOWN % 90)
    assert page.evaluate("document.querySelector('dialog[open]') !== null"), "the photo is just being taken"
    page.tap("Back")
    page.until("!document.querySelector('dialog')")
    page.evaluate(PUT_DOWN % 90)
    page.until("document.body.dataset.view === 'scan'")
    type_code(page, counter, counter.pack(), lot="OTHER1")
    assert headline(page) == "Wrong data on the pack"
    page.evaluate(PUT_DOWN % 90)
    assert headline(page) == "Wrong data on the pack"


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
    page.open("about:blank")  # first: it has no service workers to be replaced
    page.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    page.open(counter.url)
    page.until("document.querySelector('.toast')?.innerText.startsWith('A new version is ready')")
    page.tap("Reload")
    page.until("window.told === 'go over'")


def test_nothing_is_loaded_from_elsewhere(counter, phone):
    page = phone(counter.film_of(counter.pack()))
    kind(page)
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
    assert set(loaded) <= {counter.network.page_origin, counter.network.devnet.url}
    assert page.evaluate("document.querySelectorAll('script:not([src]), style, [style], [onclick]').length") == 0
