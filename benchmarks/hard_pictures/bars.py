"""Bar code labels (GS1-128) that are damaged over the whole height of their bars: what a decoder may read wrong.

A scratch along the bars, a smear or a fold spoils every line of a bar code in the same way, frame after frame; only
the check character, one of 103, notices it. So these are the pictures on which readings must prove themselves.
"""

from collections.abc import Callable

import cv2
import numpy as np
import zxingcpp

from benchmarks.hard_pictures.camera import Gray
from benchmarks.hard_pictures.grounds import ALPHABET, Real
from packtrace.gs1 import with_check_digit

_CANVAS = 12
"""Pixels of one module before the camera sees it."""
_HEIGHT, _MARGIN = 60, (10, 30)
"""Pixels."""

Damage = Callable[[Real, float, float, np.random.Generator], Real]
"""Spoils a label at a place; given pixels of a module too."""


def damaged_label(seed: int) -> tuple[str, Gray]:
    """A label's data, without separators, and the label as a camera sees it from straight above."""
    chance = np.random.default_rng([77, seed])
    content = _content(chance)
    bars = np.array(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.Code128, gs1=True).to_image(scale=1))[0]
    module = chance.uniform(1.2, 3.5)
    fine = np.kron(bars, np.ones(_CANVAS)).astype(np.float32)[None].repeat(_HEIGHT, 0)
    label = cv2.resize(fine, (round(bars.size * module), _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    first, last = np.flatnonzero(bars < 128)[[0, -1]] * module
    number = int(chance.integers(len(_DAMAGES)))
    damage, noisy = _DAMAGES[number], number == len(_DAMAGES) - 1
    for _ in range(chance.integers(1, 4)):
        label = damage(label, chance.uniform(first, last), module, chance)
    label = cv2.GaussianBlur(label, (0, 0), chance.uniform(0.3, 0.9) * (module * 1.1 if noisy else 1))
    label = cv2.copyMakeBorder(label, *(_MARGIN[:1] * 2), *(_MARGIN[1:] * 2), cv2.BORDER_CONSTANT, value=255)
    label = label + chance.normal(0, chance.uniform(2, 40 if noisy else 12), label.shape)
    return content.replace("[", "").replace("]", ""), np.clip(label, 0, 255).astype(np.uint8)


def _content(chance: np.random.Generator) -> str:
    """What cases, pallets and their contents carry."""
    gtin = with_check_digit("04" + "".join(map(str, chance.integers(0, 10, 11))))
    match chance.integers(4):
        case 0:
            return "[00]" + with_check_digit("3" + "".join(map(str, chance.integers(0, 10, 16))))
        case 1:
            return f"[01]{gtin}[21]" + "".join(chance.choice(list(ALPHABET), 8))
        case 2:
            return f"[02]{gtin}[37]{chance.integers(1, 999)}"
        case _:
            expiry = f"27{chance.integers(1, 13):02}{chance.integers(1, 29):02}"
            return f"[01]{gtin}[17]{expiry}[10]" + "".join(chance.choice(list(ALPHABET), 6))


def _stroke(level: float) -> Damage:
    """Scraped off, or smeared on."""

    def damage(label: Real, at: float, module: float, chance: np.random.Generator) -> Real:
        label[:, int(at) : int(at + chance.uniform(0.3, 4) * module) + 1] = level
        return label

    return damage


def _blurred(label: Real, at: float, module: float, chance: np.random.Generator) -> Real:
    begin, end = int(at), int(at + chance.uniform(5, 40) * module)
    part = label[:, begin:end]
    if part.shape[1] > 3:
        label[:, begin:end] = cv2.GaussianBlur(part, (0, 0), max(0.3, chance.uniform(0.4, 1.2) * module))
    return label


def _stretched(label: Real, at: float, module: float, chance: np.random.Generator) -> Real:
    """As on a carton's edge or a wrinkle."""
    begin, end = int(at), int(at + chance.uniform(5, 60) * module)
    more = chance.uniform(-1, 1) * module
    part = label[:, begin:end]
    if part.shape[1] > 4:
        into = np.array([[1 + more / part.shape[1], 0, 0], [0, 1, 0]], np.float32)
        label[:, begin:end] = cv2.warpAffine(part, into, part.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return label


def _folded(label: Real, at: float, module: float, chance: np.random.Generator) -> Real:
    """A strip out of sight."""
    gone = max(1, int(chance.uniform(0.3, 4) * module))
    label[:, int(at) : -gone] = label[:, int(at) + gone :].copy()
    return label


def _grown(label: Real, at: float, module: float, chance: np.random.Generator) -> Real:
    begin, end = int(at), int(at + chance.uniform(3, 60) * module)
    part = label[:, begin:end]
    if part.shape[1] > 2:
        kernel = np.ones((1, 1 + max(1, round(chance.uniform(0.2, 0.6) * module))), np.uint8)
        label[:, begin:end] = (cv2.erode if chance.random() < 0.6 else cv2.dilate)(part, kernel)
    return label


def _whole(label: Real, *_: object) -> Real:
    """No damage but blur and noise, of all of it."""
    return label


_DAMAGES: tuple[Damage, ...] = (_stroke(255), _stroke(0), _blurred, _stretched, _folded, _grown, _whole)
