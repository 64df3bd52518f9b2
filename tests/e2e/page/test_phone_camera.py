"""The phone page's camera: what it is asked for, and what is read with the gateway's help."""

import time
from pathlib import Path
from typing import Any

import film
import hard
import numpy as np
import pytest
from acts import checks, kind
from chromium import Browser, Page
from host import Host, set_up

from packtrace.gs1 import element_string
from packtrace_gateway.demo.companies import GTIN
from packtrace_gateway.demo.story import EXPIRY_YYMMDD

pytestmark = pytest.mark.e2e
Json = dict[str, Any]


def test_after_a_second_without_a_read_a_frame_goes_to_the_gateway(counter, phone):
    """The symbol's finder is broken: the browser's reader does not find it, the gateway's pipeline does."""
    serial = counter.pack()
    plain = f"01{GTIN}17{EXPIRY_YYMMDD}10{counter.lot.lot}\x1d21{serial}"
    shown = film.write(counter.folder / "hard.y4m", [hard.frame_of((counter.code(serial), plain))] * 3)
    answers: list[Json] = []

    def seen(answer: Json) -> Json:
        if not answers:
            time.sleep(5)  # of a frame that old another pack may be in hand by now
        answers.append(answer)
        return answer

    page = phone(shown)
    with page.tampering("*/decode", seen):
        assert kind(page) == "go"
    assert serial in page.text(".pack")
    assert [[reading["text"] for reading in answer["readings"]] for answer in answers][-1] == [plain]
    assert len(answers) > 1, "the first one came too late to count"
    looked = page.evaluate("performance.getEntriesByName('packtrace: read')[0].startTime")
    began = page.evaluate("performance.getEntriesByName('packtrace: camera')[0].startTime")
    assert looked - began > 1000, "the browser had its second"


def test_of_two_packs_in_the_picture_none_is_taken_for_the_other(host: Host, tmp_path: Path) -> None:
    frame = np.full((film.HEIGHT, film.WIDTH), 120, np.uint8)
    for serial, top in (("FIRST1", 40), ("OTHER2", 380)):
        frame[top : top + 300, 360:920] = film.pack_face(f"[01]{GTIN}[17]{EXPIRY_YYMMDD}[10]L1[21]{serial}", ())
    browser = Browser(tmp_path / "browser", film=film.write(tmp_path / "two.y4m", [frame] * 3), trusted_key="")
    try:
        set_up(browser.page, host)
        browser.page.until("document.querySelector('.hint')?.innerText.startsWith('More than one pack')")
        browser.page.pump(3)
        assert browser.page.evaluate("document.body.dataset.view") == "scan"
    finally:
        browser.close()


def test_a_camera_that_is_taken_away_is_said_to_be(host: Host, page: Page) -> None:
    set_up(page, host)
    page.until("document.querySelector('.hint')?.innerText.startsWith('Point the camera')")
    page.evaluate("document.querySelector('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    page.until("document.querySelector('.hint').innerText.startsWith('No camera here')")


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
