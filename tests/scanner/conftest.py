"""Pictures as a camera gives them: labels on a cluttered table, turned, scaled, blurred and with noise."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 1280, 720

Gray = np.ndarray
Scene = Callable[..., Gray]


def gray_of(png: bytes) -> Gray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


def cluttered(seed: int = 1) -> Gray:
    """A table with lines, print and noise on it, and no code."""
    random = np.random.default_rng(seed)
    table = np.full((HEIGHT, WIDTH), 190, np.uint8)
    for _ in range(60):
        ends = random.integers(0, WIDTH, 4)
        cv2.line(table, tuple(ends[:2]), tuple(ends[2:]), int(random.integers(0, 255)), int(random.integers(1, 9)))
    for _ in range(25):
        at = (int(random.integers(0, 900)), int(random.integers(20, 700)))
        cv2.putText(table, "100 mg film-coated tablets", at, cv2.FONT_HERSHEY_SIMPLEX, random.uniform(0.4, 1.5), 60, 2)
    return noisy(cv2.GaussianBlur(table, (5, 5), 0), seed, 6.0)


def noisy(picture: Gray, seed: int, sigma: float) -> Gray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def put(frame: Gray, label: Gray, *, at: tuple[float, float], scale: float = 1.0, degrees: float = 0.0) -> Gray:
    """The label on the frame, its middle at `at`."""
    height, width = label.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    turn[:, 2] += at[0] - width / 2, at[1] - height / 2
    size = (frame.shape[1], frame.shape[0])
    # Smaller pictures are averaged first, as a lens does; else lines thinner than a pixel would be lost.
    sharp = cv2.GaussianBlur(label, (0, 0), 0.35 / scale) if scale < 1 else label
    placed = cv2.warpAffine(sharp, turn, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(np.full_like(label, 255), turn, size, flags=cv2.INTER_NEAREST)
    return np.where(mask > 0, placed, frame)


@pytest.fixture(scope="session")
def table() -> Gray:
    return cluttered()


@pytest.fixture
def scene(table: Gray) -> Scene:
    """`scene(label, degrees=, scale=, blur=, at=)`: a 1280x720 frame, the label (PNG bytes) on a cluttered table.

    Several labels lie side by side; `degrees` may be a list with one angle for each.
    """

    def frame(
        *labels: bytes,
        at: tuple[float, float] = (WIDTH / 2, HEIGHT / 2),
        scale: float = 1.0,
        degrees: float | list[float] = 0.0,
        blur: float = 0.0,
    ) -> Gray:
        picture = table
        for number, label in enumerate(labels):
            offset = (number - (len(labels) - 1) / 2) * WIDTH / max(len(labels), 1)
            turn = degrees[number] if isinstance(degrees, list) else degrees
            picture = put(picture, gray_of(label), at=(at[0] + offset, at[1]), scale=scale, degrees=turn)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        return noisy(picture, 7, 3.0)

    return frame
