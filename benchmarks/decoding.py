"""Reading one camera frame of 1280x720 pixels.

A pack's GS1 DataMatrix as printed by the gateway, turned and blurred, on a table with print, lines and noise; and the
same table without any code, on which the decoder tries everything that it tries on a live frame.
"""

import random
import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import Bench, Figure, at_most, percentiles
from packtrace.gs1.serials import draw
from packtrace_gateway.demo.companies import GTIN
from packtrace_gateway.labels.drawing import to_image
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.reading import is_item

Gray = NDArray[np.uint8]

WIDTH, HEIGHT = 1280, 720
FRAMES, QUICK_FRAMES = 100, 5
P95 = at_most(33)  # ms: a camera gives 30 frames a second


def measure(bench: Bench) -> Iterator[Figure]:
    count = QUICK_FRAMES if bench.quick else FRAMES
    labelled = [_with_label(_table(seed), serial, seed) for seed, serial in enumerate(draw(count))]
    taken, found = _read(labelled)
    yield from percentiles("a frame with a pack's label", taken, "ms", P95)
    yield Figure("frames with a label that were read", found / count * 100, "%")
    empty = [_table(seed) for seed in range(count)]
    taken, found = _read(empty)
    assert found == 0, "a code was read where there is none"
    yield from percentiles("a frame without a code", taken, "ms", P95)


def _read(frames: list[Gray]) -> tuple[list[float], int]:
    """Milliseconds of each frame, and how many gave a pack."""
    decoder = Decoder(is_item)
    taken, found = [], 0
    for frame in frames:
        begun = time.perf_counter()
        readings = decoder.read_live(frame)
        taken.append((time.perf_counter() - begun) * 1000)
        found += any(map(is_item, readings))
    return taken, found


def _table(seed: int) -> Gray:
    """A table with lines, print and noise on it."""
    chance = np.random.default_rng(seed)
    table = np.full((HEIGHT, WIDTH), 190, np.uint8)
    for _ in range(60):
        ends = chance.integers(0, WIDTH, 4).tolist()
        cv2.line(table, ends[:2], ends[2:], int(chance.integers(0, 255)), int(chance.integers(1, 9)))
    for _ in range(25):
        at = (int(chance.integers(0, 900)), int(chance.integers(20, 700)))
        cv2.putText(table, "100 mg film-coated tablets", at, cv2.FONT_HERSHEY_SIMPLEX, chance.uniform(0.4, 1.5), 60, 2)
    return _noisy(cv2.GaussianBlur(table, (5, 5), 0).astype(np.uint8), seed)


def _with_label(table: Gray, serial: str, seed: int) -> Gray:
    """A pack's label somewhere near the middle, at any angle."""
    chance = random.Random(seed)
    label = np.asarray(to_image(pack_drawing(PackLabel(GTIN, serial, "L2026A", "291031"))).convert("L"))
    height, width = label.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(0, 360), chance.uniform(0.8, 1.1))
    turn[:, 2] += chance.uniform(0.35, 0.65) * WIDTH - width / 2, chance.uniform(0.4, 0.6) * HEIGHT - height / 2
    placed = cv2.warpAffine(label, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(np.full_like(label, 255), turn, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST)
    picture = cv2.GaussianBlur(np.where(mask > 0, placed, table), (0, 0), 0.7)
    return _noisy(picture.astype(np.uint8), seed)


def _noisy(picture: Gray, seed: int) -> Gray:
    noise = np.random.default_rng(seed).normal(0, 4.0, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
