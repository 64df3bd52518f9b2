"""Pictures that are hard to read, made from a seed: GS1 DataMatrix as cameras really see it, and scenes without any.

Each of the kinds of difficulty comes 20 times, with the truth beside it: what each code says and where it is. The
strengths are set so that a good general decoder (zxing-cpp, all its `try` options on) reads about three codes of four.
The same seed gives the same pictures; the seed of the figures is never used for tuning.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from packtrace.gs1 import with_check_digit

Gray = NDArray[np.uint8]
Real = NDArray[np.float32]
Matrix = NDArray[np.float64]

WIDTH, HEIGHT = 1280, 720
PICTURES = 20
"""Pictures of each kind."""
SEVERAL = (3, 4, 4, 5, 6)
"""Codes in the pictures of the kind "several codes", in turn."""
TUNING_SEED, FIGURES_SEED = 20_261_128, 97_531
CANVAS = 12
"""Pixels of one module before it is projected into the picture."""
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


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


@dataclass(slots=True)
class Look:
    """How a symbol is printed and seen. Lengths in modules, angles in degrees, levels between 0 and 1."""

    module: float = 5.0  # pixels
    degrees: float = 0.0
    tilt: float = 0.0
    tilt_axis: float = 0.0
    distance: float = 8.0  # of the camera, in widths of the symbol
    paper: float = 0.9
    ink: float = 0.12
    growth: float = 0.0
    dot: float | None = None  # a dot's diameter
    dot_jitter: float = 0.0
    quiet: float = 2.0
    marks: list[Callable[[Real, np.random.Generator], None]] = field(default_factory=list)
    blur: float = 0.12
    motion: float = 0.0
    motion_degrees: float = 0.0
    noise: float = 2.0  # standard deviation, grey levels
    light: Callable[[np.random.Generator, tuple[float, float], float], Real] | None = None
    pepper: float = 0.0
    at: tuple[float, float] | None = None


def pictures(seed: int, kinds: tuple[str, ...] | None = None, count: int = PICTURES) -> Iterator[Picture]:
    """`count` pictures of each of these kinds (default: of all), each with one code or more."""
    for kind in kinds or tuple(KINDS):
        for number in range(count):
            yield picture(kind, seed, number)


def picture(kind: str, seed: int, number: int, says: tuple[str, str] | None = None) -> Picture:
    """The picture of one kind, seed and number; `says` is its one code's data, bracketed and as a decoder gives it."""
    chance = np.random.default_rng([seed, list(KINDS).index(kind), number])
    if kind == "several codes":
        return _several(chance, SEVERAL[number % len(SEVERAL)])
    return _seen(kind, chance, [KINDS[kind](chance)], says)


def easy_pictures(seed: int, count: int = PICTURES) -> Iterator[Picture]:
    """Codes as a steady hand in good light shows them."""
    for number in range(count):
        chance = np.random.default_rng([seed, 1000, number])
        yield _seen("easy", chance, [Look(module=chance.uniform(4.5, 7), degrees=chance.uniform(-10, 10))])


def element_string(chance: np.random.Generator) -> tuple[str, str]:
    """A medicine pack's data, bracketed and as a decoder gives it."""
    gtin = with_check_digit("04" + "".join(map(str, chance.integers(0, 10, 11))))
    expiry = f"{chance.integers(27, 32)}{chance.integers(1, 13):02}{chance.integers(1, 29):02}"
    serial = "".join(chance.choice(list(ALPHABET), chance.integers(8, 17)))
    lot = "".join(chance.choice(list(ALPHABET), chance.integers(5, 9)))
    if chance.random() < 0.5:
        pairs = [("01", gtin), ("17", expiry), ("10", lot), ("21", serial)]
    else:
        pairs = [("01", gtin), ("21", serial), ("17", expiry), ("10", lot)]
    separator = {"10", "21"}
    plain = "".join(
        ai + value + ("\x1d" if ai in separator and place < len(pairs) - 1 else "")
        for place, (ai, value) in enumerate(pairs)
    )
    return "".join(f"[{ai}]{value}" for ai, value in pairs), plain


def symbol(bracketed: str) -> NDArray[np.bool_]:
    """The modules of a square GS1 DataMatrix, true where dark, without quiet zone."""
    code = zxingcpp.create_barcode(bracketed, zxingcpp.BarcodeFormat.DataMatrix, gs1=True, forceSquare=True)
    drawn = np.array(code.to_image(scale=1, add_quiet_zones=False)) < 128
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


# How a symbol is printed.


def _printed(modules: NDArray[np.bool_], look: Look, chance: np.random.Generator) -> tuple[Real, float]:
    """Ink of the label, 0 to 1, CANVAS pixels a module, and the width of its margin in pixels."""
    margin = round(3 * CANVAS)
    size = modules.shape[0] * CANVAS
    ink = np.zeros((size + 2 * margin, size + 2 * margin), np.float32)
    if look.dot is None:
        solid = np.kron(modules, np.ones((CANVAS, CANVAS))).astype(np.float32)
        ink[margin:-margin, margin:-margin] = solid
        reach = round(abs(look.growth) * CANVAS)
        if reach:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach + 1, reach + 1))
            ink = (cv2.dilate if look.growth > 0 else cv2.erode)(ink, kernel).astype(np.float32)
    else:
        for row, column in np.argwhere(modules):
            off = chance.normal(0, look.dot_jitter, 2)
            x, y = ((at + 0.5 + move) * CANVAS + margin for at, move in ((column, off[0]), (row, off[1])))
            radius = look.dot * CANVAS / 2 * chance.uniform(0.92, 1.08)
            cv2.circle(ink, (round(x * 16), round(y * 16)), round(radius * 16), 1.0, -1, cv2.LINE_AA, 4)
    for mark in look.marks:
        mark(ink, chance)
    return ink, float(margin)


def _scratches(count: int, width: float) -> Callable[[Real, np.random.Generator], None]:
    """Lines across the symbol, some scraped off, some smeared on."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size = ink.shape[0]
        for _ in range(count):
            angle, half = chance.uniform(0, math.pi), chance.uniform(0.15, 0.5) * size
            along = np.array([math.cos(angle), math.sin(angle)]) * half / size
            middle = size / 2 + chance.uniform(-0.3, 0.3, 2) * size
            bend = chance.normal(0, 0.03 * size, 2)
            points = np.array([middle - along * size, middle + bend, middle + along * size])
            level = float(chance.random() < 0.35)
            cv2.polylines(ink, [points.astype(np.int32)], False, level, max(1, round(width * CANVAS)), cv2.LINE_AA)

    return mark


def _broken_finder(share: float) -> Callable[[Real, np.random.Generator], None]:
    """A part of the solid legs and of the dashed edges gone, about `share` of one of them."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size = ink.shape[0] - 6 * CANVAS
        edges = chance.permutation(4)[: 1 + int(chance.random() < 0.5)]
        for edge in edges:
            length, thick = share * size * chance.uniform(0.7, 1.2), CANVAS * chance.uniform(1.1, 2.0)
            begin = 3 * CANVAS + chance.uniform(0, max(1.0, size - length))
            level = 0.0 if chance.random() < 0.75 else 1.0
            low = 3 * CANVAS - 0.5 * CANVAS
            high = 3 * CANVAS + size + 0.5 * CANVAS
            a, b = (low, low + thick) if edge in (0, 1) else (high - thick, high)
            box = (begin, a, begin + length, b) if edge % 2 else (a, begin, b, begin + length)
            left, top, right, bottom = map(round, box)
            ink[top:bottom, left:right] = level

    return mark


def _crowded(gap: float) -> Callable[[Real, np.random.Generator], None]:
    """Print that comes up to `gap` modules from the symbol on one to four sides: bars, a frame or letters."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size, reach = ink.shape[0], round((3 - gap) * CANVAS)
        for side in chance.permutation(4)[: chance.integers(1, 5)]:
            strip = np.zeros((reach, size), np.float32)
            style = chance.integers(3)
            if style == 0:
                strip[-max(2, round(CANVAS * chance.uniform(0.4, 1.5))) :] = 1.0
            elif style == 1:
                strip[:] = 1.0
            else:
                text = "".join(chance.choice(list(ALPHABET), 30))
                _write(strip, text, (0, reach - 1), reach / 24, 1.0, 3)
            turned = np.rot90(strip, -side)
            if side == 0:
                ink[:reach] = np.maximum(ink[:reach], turned)
            elif side == 1:
                ink[:, -reach:] = np.maximum(ink[:, -reach:], turned)
            elif side == 2:
                ink[-reach:] = np.maximum(ink[-reach:], turned)
            else:
                ink[:, :reach] = np.maximum(ink[:, :reach], turned)

    return mark


# How it is seen.


def _projection(size: float, margin: float, look: Look, at: tuple[float, float]) -> Matrix:
    """From the label's canvas to the picture."""
    half = size / 2
    wide = (size - 2 * margin) / CANVAS * look.module
    turn, tilt, axis = map(math.radians, (look.degrees, look.tilt, look.tilt_axis))
    flat = np.array([[-half, -half], [half, -half], [half, half], [-half, half]]) / CANVAS * look.module
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    away = np.array([[math.cos(axis), -math.sin(axis)], [math.sin(axis), math.cos(axis)]])
    points = flat @ spin.T @ away
    depth = look.distance * wide
    x, y = points[:, 0] * math.cos(tilt), points[:, 1]
    scale = depth / (depth + points[:, 0] * math.sin(tilt))
    seen = np.stack([x * scale, y * scale], axis=1) @ away.T + np.array(at)
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    return cv2.getPerspectiveTransform(corners, seen.astype(np.float32)).astype(np.float64)


def _seen(kind: str, chance: np.random.Generator, looks: list[Look], says: tuple[str, str] | None = None) -> Picture:
    reflected = _pack_face(chance, looks[0].paper)
    codes = []
    for look in looks:
        bracketed, text = says or element_string(chance)
        modules = symbol(bracketed)
        ink, margin = _printed(modules, look, chance)
        size = float(ink.shape[0])
        at = look.at or (WIDTH / 2 + chance.uniform(-250, 250), HEIGHT / 2 + chance.uniform(-110, 110))
        projection = _projection(size, margin, look, at)
        finer = CANVAS / look.module
        label = cv2.GaussianBlur(look.paper + (look.ink - look.paper) * ink, (0, 0), max(0.3, 0.42 * finer))
        quiet = margin - look.quiet * CANVAS
        mask = np.zeros_like(ink)
        inner = slice(round(quiet), ink.shape[0] - round(quiet))
        mask[inner, inner] = 1.0
        shown = cv2.warpPerspective(label, projection, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderValue=look.paper)
        cover = cv2.warpPerspective(mask, projection, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        reflected = (cover * shown + (1 - cover) * reflected).astype(np.float32)
        ends = np.array(
            [[margin, margin], [size - margin, margin], [size - margin, size - margin], [margin, size - margin]]
        )
        corners = cv2.perspectiveTransform(ends[None].astype(np.float64), projection)[0]
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


def _pack_face(chance: np.random.Generator, paper: float) -> Real:
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
        _write(face, str(chance.choice(words)), at, size, dark, 1 + int(size))
    return np.clip(face, 0, 1).astype(np.float32)


def _write(picture: Real, text: str, at: tuple[int, int], size: float, level: float, thickness: int) -> None:
    drawn = np.zeros(picture.shape, np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thickness, cv2.LINE_AA)
    cover = drawn.astype(np.float32) / 255
    picture += cover * (level - picture)


def _across() -> tuple[Real, Real]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return x, y


def _uneven(dim: float) -> Callable[[np.random.Generator, tuple[float, float], float], Real]:
    """Light that falls off steeply across the symbol, down to `dim`, and a soft glare near it."""

    def light(chance: np.random.Generator, middle: tuple[float, float], extent: float) -> Real:
        x, y = _across()
        angle = chance.uniform(0, 2 * math.pi)
        along = ((x - middle[0]) * math.cos(angle) + (y - middle[1]) * math.sin(angle)) / extent
        field_ = dim + (1 - dim) / (1 + np.exp(along * chance.uniform(2, 7)))
        spot = np.array(middle) + chance.uniform(-0.8, 0.8, 2) * extent
        far = ((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (0.35 * extent) ** 2
        return (field_ * (1 + chance.uniform(0.1, 0.8) * np.exp(-far))).astype(np.float32)

    return light


def _hard_edged(dim: float) -> Callable[[np.random.Generator, tuple[float, float], float], Real]:
    """Shadows with sharp edges that cross the symbol: of a hand, of a blind."""

    def light(chance: np.random.Generator, middle: tuple[float, float], extent: float) -> Real:
        x, y = _across()
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


# The kinds of difficulty.


def _rotation(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(2.6, 4.2), degrees=chance.uniform(0, 360), blur=chance.uniform(0.2, 0.45), noise=4
    )


def _perspective(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-25, 25),
        tilt=chance.uniform(35, 62),
        tilt_axis=chance.uniform(0, 360),
        distance=chance.uniform(2.2, 5),
        noise=4,
    )


def _small(chance: np.random.Generator) -> Look:
    return Look(module=chance.uniform(2, 4), degrees=chance.uniform(-15, 15), blur=0.2, noise=4)


def _inverted(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(2.6, 6),
        degrees=chance.uniform(-20, 20),
        paper=0.12,
        ink=chance.uniform(0.4, 0.9),
        blur=0.3,
        noise=5,
    )


def _motion(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        motion=chance.uniform(0.7, 1.6),
        motion_degrees=chance.uniform(0, 180),
        noise=3,
    )


def _low_contrast(chance: np.random.Generator) -> Look:
    contrast, paper = chance.uniform(0.05, 0.2), chance.uniform(0.35, 0.9)
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        paper=paper,
        ink=paper - contrast,
        noise=contrast * 20,
    )


def _uneven_light(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(3.5, 6),
        degrees=chance.uniform(-15, 15),
        light=_uneven(chance.uniform(0.03, 0.2)),
        blur=0.25,
        noise=4,
    )


def _hard_edged_light(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        light=_hard_edged(chance.uniform(0.35, 0.95)),
        noise=3,
    )


def _noise(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        noise=chance.uniform(20, 60),
        pepper=chance.uniform(0, 0.06),
    )


def _scratched(chance: np.random.Generator) -> Look:
    return Look(
        degrees=chance.uniform(-15, 15),
        marks=[_scratches(int(chance.integers(1, 4)), chance.uniform(0.1, 0.5))],
    )


def _finder(chance: np.random.Generator) -> Look:
    return Look(degrees=chance.uniform(-15, 15), marks=[_broken_finder(chance.uniform(0.04, 0.3))])


def _quiet_zone(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        quiet=3.0,
        marks=[_crowded(chance.uniform(0.1, 0.9))],
    )


def _dot_print(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(5, 8),
        degrees=chance.uniform(-15, 15),
        dot=chance.uniform(0.75, 1.1),
        dot_jitter=chance.uniform(0, 0.07),
        blur=0.15,
    )


def _growth(chance: np.random.Generator) -> Look:
    sign = 1 if chance.random() < 0.6 else -1
    return Look(module=chance.uniform(4, 6), degrees=chance.uniform(-15, 15), growth=sign * chance.uniform(0.2, 0.65))


def _blurred(chance: np.random.Generator) -> Look:
    return Look(module=chance.uniform(4, 7), degrees=chance.uniform(-15, 15), blur=chance.uniform(0.25, 0.6), noise=2)


def _everything(chance: np.random.Generator) -> Look:
    paper = chance.uniform(0.55, 0.9)
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(0, 360),
        tilt=chance.uniform(10, 35),
        tilt_axis=chance.uniform(0, 360),
        distance=5,
        paper=paper,
        ink=paper - chance.uniform(0.3, 0.5),
        growth=chance.uniform(-0.15, 0.25),
        quiet=2.0,
        marks=[_scratches(1, 0.12)],
        blur=chance.uniform(0.1, 0.3),
        motion=chance.uniform(0.0, 0.4),
        motion_degrees=chance.uniform(0, 180),
        noise=chance.uniform(3, 9),
        light=_uneven(chance.uniform(0.4, 0.7)) if chance.random() < 0.5 else _hard_edged(chance.uniform(0.7, 0.9)),
    )


def _several(chance: np.random.Generator, count: int) -> Picture:
    """Codes side by side, each lying as it likes, on one ground and in one light."""
    blur, noise = chance.uniform(0.2, 0.44), chance.uniform(4, 9)
    module = chance.uniform(3.0, 4.5)
    cells = chance.permutation(8)[:count]
    looks = []
    for cell in cells:
        at = (240 + cell % 4 * 265 + chance.uniform(-35, 35), 215 + cell // 4 * 290 + chance.uniform(-35, 35))
        looks.append(Look(module=module, degrees=chance.uniform(0, 360), blur=blur, noise=noise, at=at))
    return _seen("several codes", chance, looks)


def _never(chance: np.random.Generator) -> Look:
    raise NotImplementedError


KINDS: dict[str, Callable[[np.random.Generator], Look]] = {
    "rotation": _rotation,
    "perspective": _perspective,
    "small modules": _small,
    "inverted": _inverted,
    "motion blur": _motion,
    "low contrast": _low_contrast,
    "uneven light": _uneven_light,
    "hard-edged light": _hard_edged_light,
    "noise": _noise,
    "scratches": _scratched,
    "broken finder": _finder,
    "lost quiet zone": _quiet_zone,
    "dot print": _dot_print,
    "print growth": _growth,
    "blur": _blurred,
    "several codes": _never,
    "everything": _everything,
}


# Pictures without any DataMatrix.


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
        _write(page, text, (10, round(y)), size, 0.1, 1 + int(size > 0.7))
        y += 34 * size + 4
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), chance.uniform(-30, 30), chance.uniform(0.9, 1.4))
    return cv2.warpAffine(page, turn, (WIDTH, HEIGHT), borderValue=0.92).astype(np.float32)


def _texture(chance: np.random.Generator) -> Real:
    """Checks, halftone, weave, or random squares that look like modules but are none."""
    style, cell = chance.integers(4), chance.uniform(3, 14)
    x, y = _across()
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
    scene = _pack_face(chance, 0.9)
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
            _write(scene, "".join(chance.choice(list(ALPHABET), 6)), at, size / 50 + 0.3, level, 2)
    coarse = cv2.resize(chance.normal(0, 0.06, (90, 160)).astype(np.float32), (WIDTH, HEIGHT))
    return np.clip(scene + coarse, 0, 1).astype(np.float32)
