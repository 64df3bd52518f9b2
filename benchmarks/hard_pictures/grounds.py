"""What a symbol lies on: a calm pack face, or cartons full of print on a table."""

import cv2
import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]

WIDTH, HEIGHT = 1280, 720
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def pack_face(chance: np.random.Generator, paper: float) -> Real:
    """A pack on a table: an outline, print, a coloured band."""
    face = np.full((HEIGHT, WIDTH), chance.uniform(0.25, 0.75), np.float32)
    grain = cv2.resize(chance.normal(0, 1, (HEIGHT // 8, WIDTH // 8)).astype(np.float32), (WIDTH, HEIGHT))
    face += 0.03 * grain
    outline = cv2.boxPoints(
        ((WIDTH / 2, HEIGHT / 2), (chance.uniform(850, 1100), chance.uniform(480, 640)), chance.uniform(-6, 6))
    )
    cv2.fillPoly(face, [outline.astype(np.int32)], paper)
    dark = 0.15 if paper > 0.5 else 0.85
    band = int(chance.integers(60, 160))
    cv2.rectangle(face, (170, band), (1100, band + int(chance.integers(20, 60))), float(chance.uniform(0.3, 0.7)), -1)
    words = ("Film-coated tablets", "100 mg", "30 tablets", "LOT EXP SN PC", "Keep out of the sight of children")
    for _ in range(chance.integers(6, 14)):
        at = (int(chance.integers(170, 900)), int(chance.integers(130, 620)))
        size = chance.uniform(0.4, 1.3)
        write(face, str(chance.choice(words)), at, size, dark, 1 + int(size))
    return np.clip(face, 0, 1).astype(np.float32)


def write(picture: Real, text: str, at: tuple[int, int], size: float, level: float, thickness: int) -> None:
    drawn = np.zeros(picture.shape, np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thickness, cv2.LINE_AA)
    cover = drawn.astype(np.float32) / 255
    picture += cover * (level - picture)


def across() -> tuple[Real, Real]:
    """The place of each pixel, across and down."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return x, y
