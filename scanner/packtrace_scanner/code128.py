"""Code 128 (ISO/IEC 15417) decoded by ourselves, strictly: to confirm what another decoder read, not to find symbols.

A decoder of the field takes each character for the pattern that its bars resemble most. A scratch that makes one
pattern resemble another is then read as if nothing were wrong. Here every edge has to lie near a whole module.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner.images import Gray

Real = NDArray[np.float64]

_PATTERNS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 "
    "122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 "
    "322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 "
    "112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 "
    "331121 312113 312311 332111 314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 "
    "112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 111242 121142 121241 114212 "
    "124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 114311 411113 "
    "411311 113141 114131 311141 411131 211412 211214 211232"
)
"""Widths of bars and spaces, in modules, of each symbol character (ISO/IEC 15417, table 1)."""
_WIDTHS = np.array([list(map(int, pattern)) for pattern in _PATTERNS.split()], np.float64)
_STOP = np.array([2, 3, 3, 1, 1, 1, 2], np.float64)
_MODULES = 11
"""Of a symbol character; its pairs of a bar and a space are the same however much print grew."""

_OFF = 0.5
"""Modules by which an edge may be off one of the same kind."""
_GROWTH = 0.75
"""Modules by which bars may be wider, or narrower, than they should be."""
_UNEVEN = 0.18
"""How much one character may be wider than its neighbour."""
_REACH = 8
"""The part of the length within which there are bars and spaces: their greys are looked for there."""
_CONTRAST = 20.0
"""Grey levels between bars and spaces."""

_FNC3, _FNC2, _SHIFT, _CODE_C, _FNC1 = 96, 97, 98, 99, 102
_TO_B, _TO_A = 100, 101
_START_A, _START_B, _START_C = 103, 104, 105
_CHECK = 103
_GS = "\x1d"


def decode(strip: Gray) -> tuple[str, str] | None:
    """Symbology identifier and text of the bar code that goes through all of an upright strip, from one quiet zone to
    the other; None where it is not beyond doubt. Shift, FNC2, FNC3 and FNC4, which GS1 does not use, are doubt."""
    edges = _edges(strip.astype(np.float64).mean(axis=0))
    for found in (edges, -edges[::-1]):
        words = _words(np.diff(found))
        if words is not None:
            return _text(words)
    return None


def _edges(profile: Real) -> Real:
    """Where the profile crosses the grey between bars and spaces, from the first bar's left edge to the last right."""
    reach = np.ones(max(3, len(profile) // _REACH), np.uint8)[None]
    line = profile.astype(np.float32)[None]
    high, low = cv2.dilate(line, reach)[0], cv2.erode(line, reach)[0]
    border = cv2.blur((high + low)[None] / 2, (max(1, len(profile) // 12), 1))[0].astype(np.float64)
    above = profile - border
    places = np.flatnonzero((above[:-1] > 0) != (above[1:] > 0))
    if not len(places) or float((high - low).max()) < _CONTRAST:
        return np.zeros(0)
    crossings = places + above[places] / (above[places] - above[places + 1])
    first, last = int(above[places[0]] <= 0), len(places) - int(above[places[-1]] > 0)
    return np.asarray(crossings[first:last], np.float64)


def _words(widths: Real) -> list[int] | None:
    """The symbol characters from start to check character; None if anything is off."""
    count = (len(widths) - len(_STOP)) // 6
    if count < 3 or len(widths) != 6 * count + len(_STOP):
        return None
    characters = widths[: 6 * count].reshape(count, 6)
    stop = widths[6 * count :]
    lengths = [*characters.sum(axis=1), stop[:6].sum()]
    if any(abs(one / other - 1) > _UNEVEN for one, other in pairwise(lengths)):
        return None
    modules = characters * (_MODULES / characters.sum(axis=1, keepdims=True))
    misfits = _misfit(modules[:, None], _WIDTHS)  # character x pattern
    last = float(_misfit(stop * (_STOP.sum() / stop.sum()), _STOP))
    if max(last, float(misfits.min(axis=1).max())) > 1:
        return None
    words = [int(word) for word in misfits.argmin(axis=1)]
    check = (words[0] + sum(place * word for place, word in enumerate(words[:-1]))) % _CHECK
    return words[:-1] if check == words[-1] else None


def _misfit(modules: Real, pattern: Real) -> Real:
    """How badly widths in modules fit a pattern, more than 1 if too badly: bars may all be about as much too wide."""
    off = modules - pattern
    edges = np.abs(off[..., 1:] + off[..., :-1]).max(axis=-1) / _OFF
    return np.asarray(np.maximum(edges, np.abs(off).max(axis=-1) / _GROWTH))


def _text(words: list[int]) -> tuple[str, str] | None:
    if words[0] < _START_A:
        return None
    code = {_START_A: "A", _START_B: "B", _START_C: "C"}[words[0]]
    gs1 = len(words) > 1 and words[1] == _FNC1
    text: list[str] = []
    for word in words[2 if gs1 else 1 :]:
        if word == _FNC1:
            text.append(_GS)
        elif code == "C":
            if word < _TO_B:
                text.append(f"{word:02}")
            elif word in (_TO_B, _TO_A):
                code = "B" if word == _TO_B else "A"
            else:
                return None
        elif word < _FNC3:
            text.append(chr(word + 32 if code == "B" or word < 64 else word - 64))
        elif word == _CODE_C:
            code = "C"
        elif word == (_TO_A if code == "B" else _TO_B):
            code = "A" if code == "B" else "B"
        else:
            return None
    return ("]C1" if gs1 else "]C0"), "".join(text)
