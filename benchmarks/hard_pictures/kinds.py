"""The kinds of difficulty: each draws its strengths from a range, and makes a picture."""

from collections.abc import Callable

import numpy as np

from benchmarks.hard_pictures.camera import Picture, hard_edged, seen, uneven
from benchmarks.hard_pictures.cartons import cartons
from benchmarks.hard_pictures.grounds import HEIGHT, WIDTH
from benchmarks.hard_pictures.printing import RECTANGLES, Data, Look, broken_finder, crowded, scratches

SEVERAL = (3, 4, 4, 5, 6)
"""Codes in the pictures of the kind "several codes", in turn."""


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
        light=uneven(chance.uniform(0.03, 0.2)),
        blur=0.25,
        noise=4,
    )


def _hard_edged_light(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        light=hard_edged(chance.uniform(0.35, 0.95)),
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
        marks=[scratches(int(chance.integers(1, 4)), chance.uniform(0.1, 0.5))],
    )


def _finder(chance: np.random.Generator) -> Look:
    return Look(degrees=chance.uniform(-15, 15), marks=[broken_finder(chance.uniform(0.04, 0.3))])


def _quiet_zone(chance: np.random.Generator) -> Look:
    return Look(
        module=chance.uniform(4, 6),
        degrees=chance.uniform(-15, 15),
        quiet=3.0,
        marks=[crowded(chance.uniform(0.1, 0.9))],
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
        marks=[scratches(1, 0.12)],
        blur=chance.uniform(0.1, 0.3),
        motion=chance.uniform(0.0, 0.4),
        motion_degrees=chance.uniform(0, 180),
        noise=chance.uniform(3, 9),
        light=uneven(chance.uniform(0.4, 0.7)) if chance.random() < 0.5 else hard_edged(chance.uniform(0.7, 0.9)),
    )


def _several(kind: str, chance: np.random.Generator, number: int, _: Data | None) -> Picture:
    """Codes side by side, each lying as it likes, on one ground and in one light."""
    count = SEVERAL[number % len(SEVERAL)]
    blur, noise = chance.uniform(0.2, 0.44), chance.uniform(4, 9)
    module = chance.uniform(3.0, 4.5)
    cells = chance.permutation(8)[:count]
    looks = []
    for cell in cells:
        at = (240 + cell % 4 * 265 + chance.uniform(-35, 35), 215 + cell // 4 * 290 + chance.uniform(-35, 35))
        looks.append(Look(module=module, degrees=chance.uniform(0, 360), blur=blur, noise=noise, at=at))
    return seen(kind, chance, looks)


def _cluttered(kind: str, chance: np.random.Generator, _: int, says: Data | None) -> Picture:
    """On a carton full of print, among others on a table: text up to the quiet zone, bar codes, stripes, edges."""
    degrees = chance.uniform(0, 360)
    look = Look(
        module=chance.uniform(2.6, 4.6),
        degrees=degrees + chance.choice([0, 90, 180, 270]),
        tilt=chance.uniform(0, 25),
        tilt_axis=chance.uniform(0, 360),
        quiet=chance.uniform(1.0, 2.0),
        growth=chance.uniform(-0.15, 0.25),
        blur=chance.uniform(0.2, 0.45),
        noise=chance.uniform(3, 8),
        light=uneven(chance.uniform(0.3, 0.8)) if chance.random() < 0.3 else None,
        at=(WIDTH / 2 + chance.uniform(-250, 250), HEIGHT / 2 + chance.uniform(-110, 110)),
    )
    assert look.at is not None
    side = 32 * look.module
    return seen(kind, chance, [look], says, cartons(chance, look.at, side, degrees, look.paper))


def _rectangular(kind: str, chance: np.random.Generator, number: int, says: Data | None) -> Picture:
    """The symbols of ECC 200 that are no squares, each size in turn."""
    return seen(
        kind,
        chance,
        [
            Look(
                rectangle=RECTANGLES[number % len(RECTANGLES)],
                module=chance.uniform(2.6, 5.0),
                degrees=chance.uniform(0, 360),
                tilt=chance.uniform(0, 30),
                tilt_axis=chance.uniform(0, 360),
                growth=chance.uniform(-0.2, 0.3),
                blur=chance.uniform(0.15, 0.45),
                noise=chance.uniform(3, 8),
                marks=[scratches(1, 0.15)] if chance.random() < 0.3 else [],
                light=hard_edged(chance.uniform(0.4, 0.8)) if chance.random() < 0.25 else None,
            )
        ],
        says,
    )


Kind = Callable[[str, np.random.Generator, int, Data | None], Picture]
"""Makes the picture of this kind and number, whose one code may be told what to say."""


def _alone(look: Callable[[np.random.Generator], Look]) -> Kind:
    """One code that looks so."""
    return lambda kind, chance, _, says: seen(kind, chance, [look(chance)], says)


KINDS: dict[str, Kind] = {
    "rotation": _alone(_rotation),
    "perspective": _alone(_perspective),
    "small modules": _alone(_small),
    "inverted": _alone(_inverted),
    "motion blur": _alone(_motion),
    "low contrast": _alone(_low_contrast),
    "uneven light": _alone(_uneven_light),
    "hard-edged light": _alone(_hard_edged_light),
    "noise": _alone(_noise),
    "scratches": _alone(_scratched),
    "broken finder": _alone(_finder),
    "lost quiet zone": _alone(_quiet_zone),
    "dot print": _alone(_dot_print),
    "print growth": _alone(_growth),
    "blur": _alone(_blurred),
    "several codes": _several,
    "everything": _alone(_everything),
}

MORE_KINDS: dict[str, Kind] = {"cluttered ground": _cluttered, "rectangular": _rectangular}
"""Beside the 408 codes with which other decoders were measured too."""
