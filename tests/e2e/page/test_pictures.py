"""The pictures of docs/phone.md, each of the page as it is: with PACKTRACE_WRITE_SNAPSHOTS=1 they are written anew."""

import io
import os
from pathlib import Path
from typing import Any

import cv2
import film
import numpy as np
import pytest
from chromium import Page
from PIL import Image
from test_phone_page import HEAD, kind, type_code

from packtrace_gateway.demo.companies import GTIN

pytestmark = pytest.mark.e2e
DOCS = Path(__file__).resolve().parents[3] / "docs"
COLOURS = 128


def picture(page: Page, name: str, folder: Path) -> None:
    page.pump(0.5)
    file = folder / f"{name}.png"
    page.screenshot(file)
    shown = Image.open(io.BytesIO(file.read_bytes()))
    assert shown.size == (780, 1688)
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        packed = shown.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        packed.save(DOCS / f"phone-{name}.png", optimize=True)


def test_pictures(counter: Any, phone: Any, tmp_path: Path) -> None:
    serial = counter.pack()
    face = film.pack_face(counter.code(serial), ("", "", "", ""), module=8)
    face = cv2.GaussianBlur(face[:, :270], (0, 0), 7).astype(np.uint8)  # too near for the lens: nobody reads that
    page = phone(film.write(tmp_path / "blurred.y4m", film.moving(face, 1, seed=5)))
    page.until("Number(document.querySelector('video').dataset.looked) > 3")
    page.pump(1.5)
    picture(page, "scan", tmp_path)

    type_code(page, counter, serial)
    assert kind(page) == "go"
    picture(page, "authentic", tmp_path)
    page.evaluate("document.querySelector('.hands').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -12)")
    picture(page, "hands", tmp_path)
    page.evaluate("document.querySelector('.checks').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -12)")
    picture(page, "checks", tmp_path)
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Dispensed')")
    page.evaluate("window.scrollTo(0, 0)")
    picture(page, "dispensed", tmp_path)
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert kind(page) == "stop"
    picture(page, "supplied", tmp_path)
    page.tap("Report as suspect")
    page.tap("Seal broken", "dialog .chip")
    picture(page, "report", tmp_path)
    page.tap("Back")
    page.tap("Scan the next pack")

    held = counter.pack()
    with page.tampering("*/verify*", _shipped_elsewhere):
        type_code(page, counter, held)
        assert kind(page) == "stop"
        picture(page, "tampered", tmp_path)
    page.tap("Scan the next pack")

    page.tap("Settings")
    page.evaluate("document.querySelector('select').value = 'zh'")
    page.evaluate("document.querySelector('select').dispatchEvent(new Event('change'))")
    page.until("document.documentElement.lang.startsWith('zh')")
    picture(page, "setup", tmp_path)
    page.evaluate("document.querySelector('.top button').click()")
    page.until("document.body.dataset.view === 'scan'")
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    page.evaluate("document.querySelector('.scan .wide').click()")
    for name, value in (("gtin", GTIN), ("serial", held), ("lot", counter.lot.lot), ("expiry", "291031")):
        page.fill(f"dialog input[name={name}]", value)
    page.evaluate("document.querySelector('dialog .main').click()")
    assert kind(page) == "go"
    picture(page, "chinese-dark", tmp_path)

    page.evaluate("document.querySelector('.actions .row .quiet:last-child').click()")
    page.tap("设置")
    page.evaluate("document.querySelector('select').value = 'de'")
    page.evaluate("document.querySelector('select').dispatchEvent(new Event('change'))")
    page.until("document.documentElement.lang === 'de'")
    page.evaluate("document.querySelector('.top button').click()")
    page.call("Emulation.setEmulatedMedia", features=[])
    counter.gateway.stop()
    try:
        page.until("document.body.dataset.view === 'scan'")
        page.tap("Code eintippen")
        for name, value in (("gtin", GTIN), ("serial", held), ("lot", counter.lot.lot), ("expiry", "291031")):
            page.fill(f"dialog input[name={name}]", value)
        page.tap("Diese Packung prüfen")
        assert kind(page) == "unknown"
        picture(page, "offline", tmp_path)
    finally:
        counter.gateway.start()
        counter.gateway.wait_until_healthy()


def _shipped_elsewhere(answer: Any) -> Any:
    field = answer["material"]["pedigree"]["events"][6]["f"][0]
    field[2] = field[2].replace('"receiver":4', '"receiver":5')
    return answer
