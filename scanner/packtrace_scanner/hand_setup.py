"""Setting a hand scanner up: what it really sends for a code whose content is known, and what to change.

The test code holds what goes wrong: a separator, capital and small letters, the letters and signs that other keyboard
layouts have elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packtrace.errors import IdentifierError
from packtrace.gs1 import GS, element_string
from packtrace.gs1.element_string import SYMBOLOGIES
from packtrace.gs1.separators import NAMES, check_separator

ELEMENTS = element_string((("01", "09506000134352"), ("10", "aAyYzZ-/"), ("21", "qQwWmM_:%?0189"), ("17", "311231")))
"""What the test code says: a product of GS1's own example company."""

DATA = ELEMENTS.encode()
QUIET = 2
"""Modules left white around the picture of the code; the terminal's own margin is not counted on."""
IDENTIFIER = "]d2"
_ENDS = {"\r\n": "CR LF", "\r": "CR", "\n": "LF", "\t": "TAB", "": "nothing"}
_LAYOUTS = {("y", "z"): "German or Swiss", ("q", "a"): "French or Belgian"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about what was sent: `good`, or what to do about it in `advice`."""

    what: str
    good: bool
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a scanner sends. `settings` are those to put into scanner.toml so that its codes are read as it is now."""

    findings: tuple[Finding, ...]
    settings: dict[str, str]
    usable: bool


def picture() -> NDArray[np.bool_]:
    """The test code, modules by rows, True for dark; quiet zone included."""
    import zxingcpp

    bracketed = "".join(f"[{ai}]{value}" for ai, value in ELEMENTS.pairs)
    code = zxingcpp.create_barcode(bracketed, zxingcpp.BarcodeFormat.DataMatrix, gs1=True, forceSquare=True)
    modules = np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0
    return np.pad(modules, QUIET, constant_values=False)


def for_terminal(modules: NDArray[np.bool_]) -> str:
    """Two rows of modules in one line of characters, dark on white whatever the terminal's colours."""
    rows = np.pad(modules, ((0, len(modules) % 2), (0, 0)), constant_values=False)
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        lines.append("".join(" ▄▀█"[2 * up + low] for up, low in zip(upper, lower, strict=True)))
    return "\n".join(f"\033[30;107m{line}\033[0m" for line in lines)


def write_png(modules: NDArray[np.bool_], file: Path) -> None:
    """The code to print, a module 12 pixels wide."""
    _write(np.where(np.kron(modules, np.ones((12, 12), bool)), 0, 255).astype(np.uint8), file)


def _write(pixels: NDArray[np.uint8], file: Path) -> None:
    import cv2

    good, png = cv2.imencode(".png", pixels)
    assert good
    file.write_bytes(png.tobytes())


def command_sheet(commands: Sequence[str], file: Path) -> None:
    """A page of command codes, each with its name, to lie on the counter."""
    import cv2
    import zxingcpp

    columns, cell, code = 4, (300, 340), 200
    rows = -(-len(commands) // columns)
    page = np.full((rows * cell[1], columns * cell[0]), 255, np.uint8)
    for number, command in enumerate(commands):
        made = zxingcpp.create_barcode(f"packtrace:{command}", zxingcpp.BarcodeFormat.DataMatrix, forceSquare=True)
        modules = np.asarray(made.to_image(scale=1, add_quiet_zones=False), np.uint8)
        scale = code // len(modules)
        picture = np.kron(modules, np.ones((scale, scale), np.uint8))
        x, y = number % columns * cell[0] + 50, number // columns * cell[1] + 40
        page[y : y + len(picture), x : x + len(picture)] = picture
        for line, text in enumerate(command.upper().split(":")):
            at = (x, y + code + 45 + 35 * line)
            cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 0, 2, cv2.LINE_AA)
    _write(page, file)


def diagnose(sent: str) -> Diagnosis:
    """What a scanner that was shown the test code sent, line end included."""
    end = next(end for end in _ENDS if sent.endswith(end))
    body = sent.removesuffix(end)
    findings = [Finding(f"ends a code with {_ENDS[end]}", True)]
    before, identifier, data = _taken_apart(body)
    if before:
        advice = "turn its prefix off, or set it to send only the symbology identifier (AIM ID)"
        findings.append(Finding(f"sends {before!r} before the code", False, advice))
    settings: dict[str, str] = {}
    findings.append(_identified(identifier, settings))
    changed = _changes(data)
    if changed is None:
        findings.append(_unlike(data))
        return Diagnosis(tuple(findings), {}, False)
    separator = changed.pop(GS, GS)
    findings.append(_separated(separator, settings))
    findings.append(_letters(changed))
    hopeless = bool(changed) or bool(before) or separator == "" or identifier not in (IDENTIFIER, "")
    usable = not hopeless and (separator == GS or separator in NAMES or "separator" in settings)
    return Diagnosis(tuple(findings), settings if usable else {}, usable)


def _taken_apart(body: str) -> tuple[str, str, str]:
    """What stands before the code, its symbology identifier, its data."""
    at = body.find("]")
    if at >= 0 and len(body) > at + 2 and body[at + 1].isalpha() and body[at + 2].isalnum():
        return body[:at], body[at : at + 3], body[at + 3 :]
    start = max(body.find(DATA[:6]), 0)  # digits are where they are on every keyboard
    return body[:start], "", body[start:]


def _identified(identifier: str, settings: dict[str, str]) -> Finding:
    if identifier == IDENTIFIER:
        return Finding("says that it is GS1 data (]d2)", True)
    if identifier:
        known = SYMBOLOGIES.get(identifier, "no GS1 data")
        advice = "was it the test code? Then set the scanner to report FNC1 in first position (GS1 mode)"
        return Finding(f"calls the code {identifier} ({known})", False, advice)
    settings["without_identifier"] = IDENTIFIER
    advice = (
        "set it to send the symbology identifier (AIM ID); until then every code counts as GS1 DataMatrix, so set it "
        "to read nothing else"
    )
    return Finding("does not say what kind of code it is", False, advice)


def _changes(data: str) -> dict[str, str] | None:
    """Which characters arrived as others, the separator among them; None where the text is not the test code's."""
    for name in (GS, "", *NAMES):
        expected = DATA.replace(GS, name)
        if len(expected) == len(data):
            changed = _mapping(expected, data)
            if changed is not None:
                return changed if name == GS else changed | {GS: name}
    return None


def _mapping(expected: str, data: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for wanted, came in zip(expected, data, strict=True):
        if found.setdefault(wanted, came) != came:
            return None
    same = sum(wanted == came for wanted, came in found.items())
    digits = all(found.get(digit, digit) == digit for digit in "0123456789")
    return {wanted: came for wanted, came in found.items() if wanted != came} if digits and same >= 10 else None


def _separated(separator: str, settings: dict[str, str]) -> Finding:
    if separator == GS:
        return Finding("sends GS (0x1D) between fields", True)
    if not separator:
        return Finding(
            "sends nothing between fields",
            False,
            "set it to send GS (0x1D), or another character for FNC1 such as |: without it serial numbers and lots run "
            "into each other",
        )
    try:
        check_separator(separator)
    except IdentifierError as error:
        if separator not in NAMES:
            return Finding(f"sends {separator!r} between fields", False, error.message)
    settings["separator"] = separator
    return Finding(f"sends {separator!r} between fields instead of GS", True)


def _letters(changed: dict[str, str]) -> Finding:
    if not changed:
        return Finding("sends letters and signs as they are", True)
    swapped = all(came == wanted.swapcase() for wanted, came in changed.items())
    one_case = all(came in (wanted.lower(), wanted.upper()) for wanted, came in changed.items())
    listed = ", ".join(f"{came} for {wanted}" for wanted, came in sorted(changed.items()))
    if swapped and any(map(str.isupper, changed)) and any(map(str.islower, changed)):
        return Finding("sends capital letters for small ones", False, "turn Caps Lock off, here or in the scanner")
    if one_case:
        return Finding(f"changes letters to one case ({listed})", False, "turn its case conversion off")
    layout = next((name for (one, other), name in _LAYOUTS.items() if changed.get(one) == other), "another")
    advice = f"set its keyboard language to that of this computer; it types for {layout} keyboard"
    return Finding(f"sends other characters ({listed})", False, advice.replace("another keyboard", "another one"))


def _unlike(data: str) -> Finding:
    return Finding(
        f"sends {data[:60]!r}, which is not the test code ({len(data)} characters instead of {len(DATA)})",
        False,
        "scan the test code again, once; if it stays so, set the scanner back to its factory settings",
    )
