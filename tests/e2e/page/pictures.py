"""Takes the pictures of docs/phone.md, each of the page as it is: `python tests/e2e/page/pictures.py`."""

import io
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from acts import HEAD, kind, type_code
from chromium import Page
from counter import Counter, film, opened
from PIL import Image

from packtrace_gateway.demo.companies import GTIN

DOCS = Path(__file__).resolve().parents[3] / "docs"
COLOURS = 256


def picture(page: Page, name: str) -> None:
    page.pump(0.5)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shot.png"
        page.screenshot(file)
        shown: Image.Image = Image.open(io.BytesIO(file.read_bytes()))
    shown = shown.convert("RGB")
    if name == "scan":  # a photograph: a third of the size in fewer greys
        shown = shown.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    shown.save(DOCS / f"phone-{name}.png", optimize=True)


def main(counter: Counter) -> None:
    serial = counter.pack()
    face = film.pack_face(counter.code(serial), ("", "", "", ""), module=8)
    face = cv2.GaussianBlur(face[:, :270], (0, 0), 7).astype(np.uint8)  # too near for the lens: nobody reads that
    page = counter.phone(film.write(counter.folder / "blurred.y4m", film.moving(face, 1, seed=5)))
    page.until("Number(document.querySelector('video').dataset.looked) > 3")
    page.pump(1.5)
    picture(page, "scan")

    type_code(page, counter, serial)
    assert kind(page) == "go"
    picture(page, "authentic")
    page.evaluate("document.querySelector('.hands').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -12)")
    picture(page, "hands")
    page.evaluate("document.querySelector('.checks').scrollIntoView({block: 'start'})")
    page.evaluate("window.scrollBy(0, -12)")
    picture(page, "checks")
    page.tap("Dispense")
    page.until(f"{HEAD}.includes('Dispensed')")
    page.evaluate("window.scrollTo(0, 0)")
    picture(page, "dispensed")
    page.tap("Scan the next pack")
    type_code(page, counter, serial)
    assert kind(page) == "stop"
    picture(page, "supplied")
    page.tap("Report as suspect")
    page.tap("Seal broken", "dialog .chip")
    picture(page, "report")
    page.tap("Back")
    page.tap("Scan the next pack")

    held = counter.pack()
    with page.tampering("*/verify*", _shipped_elsewhere):
        type_code(page, counter, held)
        assert kind(page) == "stop"
        picture(page, "tampered")
    page.tap("Scan the next pack")

    page.tap("Settings")
    page.evaluate("document.querySelector('select').value = 'zh'")
    page.evaluate("document.querySelector('select').dispatchEvent(new Event('change'))")
    page.until("document.querySelector('h1').innerText.startsWith('设置')")
    picture(page, "setup")
    page.evaluate("document.querySelector('.top button').click()")
    page.until("document.body?.dataset.view === 'scan'")
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    page.evaluate("document.querySelector('.scan .wide').click()")
    for name, value in (("gtin", GTIN), ("serial", held), ("lot", counter.lot.lot), ("expiry", "291031")):
        page.fill(f"dialog input[name={name}]", value)
    page.evaluate("document.querySelector('dialog .main').click()")
    assert kind(page) == "go"
    picture(page, "chinese-dark")

    page.evaluate("document.querySelector('.actions .row .quiet:last-child').click()")
    page.tap("设置")
    page.evaluate("document.querySelector('select').value = 'de'")
    page.evaluate("document.querySelector('select').dispatchEvent(new Event('change'))")
    page.until("document.querySelector('h1').innerText.startsWith('Dieses')")
    page.evaluate("document.querySelector('.top button').click()")
    page.call("Emulation.setEmulatedMedia", features=[])
    counter.gateway.stop()
    try:
        page.until("document.body?.dataset.view === 'scan'")
        page.tap("Code eintippen")
        for name, value in (("gtin", GTIN), ("serial", held), ("lot", counter.lot.lot), ("expiry", "291031")):
            page.fill(f"dialog input[name={name}]", value)
        page.tap("Diese Packung prüfen")
        assert kind(page) == "unknown"
        picture(page, "offline")
    finally:
        counter.gateway.start()
        counter.gateway.wait_until_healthy()


def _shipped_elsewhere(answer: Any) -> Any:
    field = answer["material"]["pedigree"]["events"][6]["f"][0]
    field[2] = field[2].replace('"receiver":4', '"receiver":5')
    return answer


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, opened(Path(made)) as counter:
        main(counter)
