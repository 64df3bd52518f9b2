"""Symbols on a ground as a camera sees them: projected, lit, blurred, moved and noisy."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.hard_pictures.grounds import HEIGHT, WIDTH, Real, across, pack_face
from benchmarks.hard_pictures.printing import CANVAS, Data, Look, element_string, printed, symbol

Gray = NDArray[np.uint8]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Code:
    """The truth about one symbol: its data, with the separator as 0x1D, and its corners in pixels, turning one way."""

    text: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture, what makes it hard, and the codes in it."""

    kind: str
    gray: Gray
    codes: tuple[Code, ...]


def _projection(wide: float, high: float, margin: float, look: Look, at: tuple[float, float]) -> Matrix:
    """From the label's canvas, so many pixels wide and high, to the picture."""
    across, down = wide / 2, high / 2
    symbol_wide = (wide - 2 * margin) / CANVAS * look.module
    turn, tilt, axis = map(math.radians, (look.degrees, look.tilt, look.tilt_axis))
    flat = np.array([[-across, -down], [across, -down], [across, down], [-across, down]]) / CANVAS * look.module
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    away = np.array([[math.cos(axis), -math.sin(axis)], [math.sin(axis), math.cos(axis)]])
    points = flat @ spin.T @ away
    depth = look.distance * symbol_wide
    x, y = points[:, 0] * math.cos(tilt), points[:, 1]
    scale = depth / (depth + points[:, 0] * math.sin(tilt))
    seen = np.stack([x * scale, y * scale], axis=1) @ away.T + np.array(at)
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    return cv2.getPerspectiveTransform(corners, seen.astype(np.float32)).astype(np.float64)


def seen(
    kind: str,
    chance: np.random.Generator,
    looks: list[Look],
    says: Data | None = None,
    ground: Real | None = None,
) -> Picture:
    """Symbols that look so and say this (default: each its own), on this ground (default: a calm pack face)."""
    reflected = pack_face(chance, looks[0].paper) if ground is None else ground
    codes = []
    for look in looks:
        bracketed, text = says or element_string(chance, look.rectangle)
        modules = symbol(bracketed, look.rectangle)
        ink, margin = printed(modules, look, chance)
        high, wide = ink.shape
        at = look.at or (WIDTH / 2 + chance.uniform(-250, 250), HEIGHT / 2 + chance.uniform(-110, 110))
        into = _projection(float(wide), float(high), margin, look, at)
        finer = CANVAS / look.module
        label = cv2.GaussianBlur(look.paper + (look.ink - look.paper) * ink, (0, 0), max(0.3, 0.42 * finer))
        quiet = round(margin - look.quiet * CANVAS)
        mask = np.zeros_like(ink)
        mask[quiet : high - quiet, quiet : wide - quiet] = 1.0
        shown = cv2.warpPerspective(label, into, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderValue=look.paper)
        cover = cv2.warpPerspective(mask, into, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        reflected = (cover * shown + (1 - cover) * reflected).astype(np.float32)
        ends = np.array(
            [[margin, margin], [wide - margin, margin], [wide - margin, high - margin], [margin, high - margin]]
        )
        corners = cv2.perspectiveTransform(ends[None].astype(np.float64), into)[0]
        codes.append(Code(text, tuple((float(x), float(y)) for x, y in corners)))
    return Picture(kind, _camera(reflected, looks[0], codes[0], chance), tuple(codes))


def _camera(reflected: Real, look: Look, code: Code, chance: np.random.Generator) -> Gray:
    """Light, blur, movement and noise, in the order in which they come in a camera."""
    middle = tuple(np.mean(code.corners, axis=0))
    extent = float(np.ptp(np.array(code.corners), axis=0).max())
    light = reflected * look.light(chance, middle, extent) if look.light else reflected
    if look.motion:
        light = _moved(light, look.motion * look.module, look.motion_degrees)
    light = cv2.GaussianBlur(light, (0, 0), max(0.35, look.blur * look.module)) * 255
    light = light + chance.normal(0, look.noise, light.shape)
    if look.pepper:
        hit = chance.random(light.shape)
        light = np.where(hit < look.pepper / 2, 0, np.where(hit > 1 - look.pepper / 2, 255, light))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def _moved(light: Real, length: float, degrees: float) -> Real:
    size = 2 * math.ceil(length / 2) + 3
    kernel = np.zeros((size, size), np.float32)
    along = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]) * length / 2
    for step in np.linspace(-1, 1, 64):
        x, y = size // 2 + along * step
        left, top = math.floor(x), math.floor(y)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            if 0 <= column < size and 0 <= row < size:
                kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return cv2.filter2D(light, -1, kernel / kernel.sum()).astype(np.float32)


def uneven(dim: float) -> Callable[[np.random.Generator, tuple[float, float], float], Real]:
    """Light that falls off steeply across the symbol, down to `dim`, and a soft glare near it."""

    def light(chance: np.random.Generator, middle: tuple[float, float], extent: float) -> Real:
        x, y = across()
        angle = chance.uniform(0, 2 * math.pi)
        along = ((x - middle[0]) * math.cos(angle) + (y - middle[1]) * math.sin(angle)) / extent
        field_ = dim + (1 - dim) / (1 + np.exp(along * chance.uniform(2, 7)))
        spot = np.array(middle) + chance.uniform(-0.8, 0.8, 2) * extent
        far = ((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (0.35 * extent) ** 2
        return (field_ * (1 + chance.uniform(0.1, 0.8) * np.exp(-far))).astype(np.float32)

    return light


def hard_edged(dim: float) -> Callable[[np.random.Generator, tuple[float, float], float], Real]:
    """Shadows with sharp edges that cross the symbol: of a hand, of a blind."""

    def light(chance: np.random.Generator, middle: tuple[float, float], extent: float) -> Real:
        x, y = across()
        field_ = np.ones((HEIGHT, WIDTH), np.float32)
        for _ in range(chance.integers(1, 4)):
            angle = chance.uniform(0, 2 * math.pi)
            off = chance.uniform(-0.4, 0.4) * extent
            along = (x - middle[0]) * math.cos(angle) + (y - middle[1]) * math.sin(angle) - off
            wide = chance.uniform(0.15, 1.0) * extent if chance.random() < 0.5 else 1e9
            inside = np.clip(along + 0.5, 0, 1) * np.clip(wide - along + 0.5, 0, 1)
            field_ *= 1 - (1 - dim) * inside
        return field_

    return light
