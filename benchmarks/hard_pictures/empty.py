"""Pictures without any DataMatrix."""

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import zxingcpp

from benchmarks.hard_pictures.camera import Picture
from benchmarks.hard_pictures.grounds import ALPHABET, HEIGHT, WIDTH, Real, across, pack_face, write


def empty_pictures(seed: int, count: int = 150) -> Iterator[Picture]:
    """Scenes without any DataMatrix, of each kind in turn: print, textures, QR Codes, bar codes, things on a table."""
    makers = (_print_page, _texture, _qr_codes, _bar_codes, _things)
    for number in range(count):
        chance = np.random.default_rng([seed, 2000, number])
        maker = makers[number % len(makers)]
        scene = cv2.GaussianBlur(maker(chance), (0, 0), chance.uniform(0.4, 1.2)) * 255
        scene = scene + chance.normal(0, chance.uniform(1, 10), scene.shape)
        name = maker.__name__.strip("_").replace("_", " ")
        yield Picture(name, np.clip(scene, 0, 255).astype(np.uint8), ())


def _print_page(chance: np.random.Generator) -> Real:
    page = np.full((HEIGHT, WIDTH), 0.92, np.float32)
    size = chance.uniform(0.3, 1.1)
    y = 20.0
    while y < HEIGHT:
        text = "".join(chance.choice(list(ALPHABET.lower() + "      .,"), 160))
        write(page, text, (10, round(y)), size, 0.1, 1 + int(size > 0.7))
        y += 34 * size + 4
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), chance.uniform(-30, 30), chance.uniform(0.9, 1.4))
    return cv2.warpAffine(page, turn, (WIDTH, HEIGHT), borderValue=0.92).astype(np.float32)


def _texture(chance: np.random.Generator) -> Real:
    """Checks, halftone, weave, or random squares that look like modules but are none."""
    style, cell = chance.integers(4), chance.uniform(3, 14)
    x, y = across()
    angle = chance.uniform(0, math.pi / 2)
    u = (x * math.cos(angle) + y * math.sin(angle)) / cell
    v = (-x * math.sin(angle) + y * math.cos(angle)) / cell
    if style == 0:
        return (((np.floor(u) + np.floor(v)) % 2) * 0.8 + 0.1).astype(np.float32)
    if style == 1:
        return (np.hypot(u % 1 - 0.5, v % 1 - 0.5) > 0.2 + 0.2 * x / WIDTH).astype(np.float32)
    if style == 2:
        return (0.5 + 0.25 * np.sin(u * 3) * np.cos(v * 2) + 0.2 * np.sin(v * 5)).astype(np.float32)
    table = chance.random((256, 256)) < 0.5
    return np.where(table[np.floor(u).astype(int) % 256, np.floor(v).astype(int) % 256], 0.85, 0.15).astype(np.float32)


def _with_symbols(chance: np.random.Generator, draw: Callable[[str], Real]) -> Real:
    scene = pack_face(chance, 0.9)
    for _ in range(chance.integers(1, 4)):
        label = draw("".join(chance.choice(list(ALPHABET), chance.integers(8, 30))))
        turn = cv2.getRotationMatrix2D(
            (label.shape[1] / 2, label.shape[0] / 2), chance.uniform(0, 360), chance.uniform(0.6, 1.3)
        )
        turn[:, 2] += chance.uniform(250, 1000) - label.shape[1] / 2, chance.uniform(180, 540) - label.shape[0] / 2
        placed = cv2.warpAffine(label, turn, (WIDTH, HEIGHT), borderValue=-1.0)
        scene = np.where(placed >= 0, placed, scene).astype(np.float32)
    return scene


def _qr_codes(chance: np.random.Generator) -> Real:
    return _with_symbols(chance, lambda text: _drawn(text, zxingcpp.BarcodeFormat.QRCode, 5))


def _bar_codes(chance: np.random.Generator) -> Real:
    return _with_symbols(chance, lambda text: _drawn(text, zxingcpp.BarcodeFormat.Code128, 3))


def _drawn(text: str, form: zxingcpp.BarcodeFormat, scale: int) -> Real:
    return (np.array(zxingcpp.create_barcode(text, form).to_image(scale=scale)) / 255).astype(np.float32)


def _things(chance: np.random.Generator) -> Real:
    """Shapes in many greys with soft shading, as a photograph of a full table has them."""
    scene = cv2.resize(
        chance.uniform(0.2, 0.8, (5, 8)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(chance.integers(30, 120)):
        at = (int(chance.integers(0, WIDTH)), int(chance.integers(0, HEIGHT)))
        level, size = float(chance.uniform(0, 1)), int(chance.integers(5, 140))
        shape = chance.integers(4)
        if shape == 0:
            cv2.circle(scene, at, size, level, -1, cv2.LINE_AA)
        elif shape == 1:
            box = cv2.boxPoints((at, (size, chance.uniform(5, 140)), chance.uniform(0, 90)))
            cv2.fillPoly(scene, [box.astype(np.int32)], level)
        elif shape == 2:
            ends = (int(chance.integers(0, WIDTH)), int(chance.integers(0, HEIGHT)))
            cv2.line(scene, at, ends, level, int(chance.integers(1, 12)), cv2.LINE_AA)
        else:
            write(scene, "".join(chance.choice(list(ALPHABET), 6)), at, size / 50 + 0.3, level, 2)
    coarse = cv2.resize(chance.normal(0, 0.06, (90, 160)).astype(np.float32), (WIDTH, HEIGHT))
    return np.clip(scene + coarse, 0, 1).astype(np.float32)
