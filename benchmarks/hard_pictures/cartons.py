"""Cartons full of print on a table: what the camera at a counter really shows around a code."""

import math

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from benchmarks.hard_pictures.grounds import ALPHABET, HEIGHT, WIDTH, Real

Print = NDArray[np.uint8]

_FINE = 2
"""Pixels of a carton's face for one of the picture: print is finer than the camera sees."""

_WORDS = ("mg", "film-coated", "tablets", "oral use", "read the", "leaflet", "before", "store below", "25 C", "sight")
_LEAST, _MOST = 5, 14
"""Cartons beneath the uppermost one."""


def cartons(chance: np.random.Generator, at: tuple[float, float], side: float, degrees: float, paper: float) -> Real:
    """A table with cartons on it, the uppermost under `at` and turned by `degrees`; there, a square of this side in
    pixels is left to the code and the lines that name its data. `paper` is the uppermost carton's grey, 0 to 1."""
    scene = _table(chance)
    for _ in range(chance.integers(_LEAST, _MOST)):
        middle = (chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT))
        size = (chance.uniform(160, 560), chance.uniform(90, 300))
        face = _face(chance, size, chance.uniform(0.5, 0.95))
        _lay(scene, face, middle, chance.uniform(0, 360), chance.uniform(0.4, 0.8))
    size = (side * chance.uniform(2.0, 4.0), side * chance.uniform(1.3, 2.0))
    face = _face(chance, size, paper)
    # Where on its carton the code is; the carton lies so that this is where it has to be.
    room = np.array(size) / 2 - 0.6 * side
    code = np.array([chance.uniform(-1, 1), chance.uniform(-1, 1)]) * np.maximum(room, 0)
    _data_lines(chance, face, code, side, paper)
    turn = math.radians(degrees)
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    x, y = np.array(at) - spin @ code
    _lay(scene, face, (float(x), float(y)), degrees, 0.5)
    return scene.astype(np.float32) / 255


def _table(chance: np.random.Generator) -> Print:
    """Wood or steel, its edge, and what lies there."""
    coarse = chance.normal(0, 1, (HEIGHT // 4, 4 if chance.random() < 0.5 else WIDTH // 4)).astype(np.float32)
    grain = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    table = np.clip(chance.uniform(60, 190) + chance.uniform(2, 12) * grain, 0, 255).astype(np.uint8)
    edge = chance.uniform(0, 360)
    beyond = cv2.boxPoints(((chance.uniform(0, WIDTH), -HEIGHT), (4 * WIDTH, 2 * HEIGHT), edge / 12 - 15))
    cv2.fillPoly(table, [beyond.astype(np.int32)], float(chance.uniform(10, 90)), cv2.LINE_AA)
    for _ in range(chance.integers(2, 8)):
        points = chance.uniform((0, 0), (WIDTH, HEIGHT), (3, 2)).astype(np.int32)
        cv2.polylines(table, [points], False, float(chance.uniform(0, 255)), int(chance.integers(1, 9)), cv2.LINE_AA)
    return table


def _face(chance: np.random.Generator, size: tuple[float, float], paper: float) -> Print:
    """One side of a carton: a band, stripes, a logo, the name, lines of small print, a table, a bar code."""
    wide, high = (round(length * _FINE) for length in size)
    face = np.full((high, wide), round(paper * 255), np.uint8)
    dark = float(chance.uniform(10, 90))
    if chance.random() < 0.7:
        level, begin = float(chance.uniform(60, 200)), int(chance.uniform(0, 0.8) * high)
        cv2.rectangle(face, (0, begin), (wide, begin + high // 6), level, -1)
    if chance.random() < 0.6:
        _stripes(chance, face, dark)
    if chance.random() < 0.6:
        _logo(chance, face)
    name = "".join(chance.choice(list(ALPHABET), chance.integers(5, 10)))
    large = chance.uniform(0.006, 0.012) * high
    cv2.putText(face, name, (wide // 20, round(0.3 * high)), cv2.FONT_HERSHEY_DUPLEX, large, dark, 6, cv2.LINE_AA)
    small = chance.uniform(0.35, 0.9) * _FINE
    for line in range(chance.integers(2, 9)):
        text = " ".join(chance.choice(_WORDS, 10))
        place = (wide // 20 + int(chance.integers(0, 30)), round(0.4 * high + line * 26 * small))
        cv2.putText(face, text, place, cv2.FONT_HERSHEY_SIMPLEX, small, dark, 1 + round(small), cv2.LINE_AA)
    if chance.random() < 0.5:
        _rows(chance, face, dark)
    if chance.random() < 0.7:
        _bar_code(chance, face)
    return face


def _stripes(chance: np.random.Generator, face: Print, level: float) -> None:
    high, wide = face.shape
    pitch, begin = int(chance.integers(6, 24)) * _FINE, int(chance.uniform(0, 0.8) * wide)
    lean = int(chance.integers(0, high))
    for number in range(chance.integers(4, 14)):
        x = begin + number * pitch
        cv2.line(face, (x, 0), (x + lean, high), level, pitch // 3, cv2.LINE_AA)


def _logo(chance: np.random.Generator, face: Print) -> None:
    """Rings and squares within each other, which look like a finder."""
    high, wide = face.shape
    middle = (int(chance.uniform(0.1, 0.9) * wide), int(chance.uniform(0.1, 0.9) * high))
    rings, step = int(chance.integers(2, 6)), int(chance.integers(4, 14)) * _FINE
    level = float(chance.uniform(0, 120))
    for ring in range(rings, 0, -1):
        shade = level if ring % 2 else 240.0
        if chance.random() < 0.5:
            cv2.circle(face, middle, ring * step, shade, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints((middle, (2 * ring * step, 2 * ring * step), 45.0))
            cv2.fillPoly(face, [box.astype(np.int32)], shade, cv2.LINE_AA)


def _rows(chance: np.random.Generator, face: Print, level: float) -> None:
    """A table, as of doses."""
    high, wide = face.shape
    cell, top = int(chance.integers(14, 34)) * _FINE, int(chance.uniform(0, 0.6) * high)
    left = int(chance.uniform(0, 0.6) * wide)
    for row in range(5):
        cv2.line(face, (left, top + row * cell), (left + 6 * cell, top + row * cell), level, _FINE)
        for column in range(7):
            cv2.line(face, (left + column * cell, top), (left + column * cell, top + 4 * cell), level, _FINE)
            if row < 4 and column < 6:
                place = (left + column * cell + 4, top + (row + 1) * cell - 6)
                cv2.putText(face, str(chance.integers(1, 99)), place, cv2.FONT_HERSHEY_SIMPLEX, cell / 60, level, 2)


def _bar_code(chance: np.random.Generator, face: Print) -> None:
    high, wide = face.shape
    if chance.random() < 0.5:
        text, form = "".join(map(str, chance.integers(0, 10, 12))), zxingcpp.BarcodeFormat.EAN13
    else:
        text, form = "".join(chance.choice(list(ALPHABET), 8)), zxingcpp.BarcodeFormat.Code128
    bars = np.array(zxingcpp.create_barcode(text, form).to_image(scale=int(chance.integers(2, 5))))
    bars = bars[: min(bars.shape[0], high), : min(bars.shape[1], wide)]
    if chance.random() < 0.3 and bars.shape[1] <= high and bars.shape[0] <= wide:
        bars = np.rot90(bars)
    top, left = (int(chance.integers(0, room + 1)) for room in (high - bars.shape[0], wide - bars.shape[1]))
    face[top : top + bars.shape[0], left : left + bars.shape[1]] = bars


def _data_lines(chance: np.random.Generator, face: Print, code: NDArray[np.float64], side: float, paper: float) -> None:
    """The white field that a printer needs, and right beside the code the lines that say what it holds."""
    high, wide = face.shape
    x, y = (round(float(value)) for value in np.array([wide, high]) / 2 + code * _FINE)
    half, level = round(0.45 * side * _FINE), round(paper * 255)
    reach = round(side * _FINE)
    cv2.rectangle(face, (x - half, y - half), (x + half + reach, y + half), level, -1)
    begin = x + round(0.45 * half) + round(chance.uniform(0.1, 0.4) * half)
    for line, title in enumerate(("PC", "SN", "LOT", "EXP")):
        text = f"{title} {''.join(chance.choice(list(ALPHABET), 10))}"
        place = (max(begin, x + round(0.75 * half)), y - half + round((line + 1) * half * 0.45))
        cv2.putText(face, text, place, cv2.FONT_HERSHEY_SIMPLEX, half / 130, 25.0, max(1, half // 60), cv2.LINE_AA)


def _lay(scene: Print, face: Print, middle: tuple[float, float], degrees: float, shade: float) -> None:
    """Put a carton on the scene, with the side that one sees beside its face and the shadow that it throws."""
    high, wide = face.shape
    turn = cv2.getRotationMatrix2D((wide / 2, high / 2), -degrees, 1 / _FINE)
    turn[:, 2] += np.array(middle) - (wide / 2, high / 2)
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]]) @ turn[:, :2].T + turn[:, 2]
    depth = np.array([14.0, 26.0])
    hull = cv2.convexHull(np.concatenate([corners, corners + depth]).astype(np.int32))
    cv2.fillConvexPoly(scene, hull, 255 * shade * 0.6, cv2.LINE_AA)
    soft = cv2.GaussianBlur(face, (0, 0), 0.42 * _FINE)
    seen = cv2.warpAffine(soft, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    cover = cv2.warpAffine(np.full_like(face, 255), turn, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST)
    cv2.copyTo(seen, cover, scene)
