"""GS1-128 and QR through libzbar, as pyzbar binds it.

pyzbar's own `decode` drops the symbology modifiers, which alone say whether a Code 128 began with FNC1. So this module
drives the same library through pyzbar's wrapper and asks for them.
"""

from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_uint, c_void_p, cast, string_at
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Corners, outline

_Y800 = int.from_bytes(b"Y800", "little")
_MODIFIER_GS1 = 1 << 0
_MODIFIER_AIM = 1 << 1
_ALL_SYMBOLOGIES = 0
LINE_DISTANCE = 3
"""Every third line is looked at: bars are long, and the time is a third."""
_SIDEWAYS = (1, 3)  # ZBAR_ORIENT_RIGHT, ZBAR_ORIENT_LEFT


class ZBarMissingError(ImportError):
    """libzbar is not on this machine."""


@dataclass(frozen=True, slots=True)
class ZBarSymbol:
    """One symbol as libzbar gives it: ISO/IEC 15424 identifier, data and the points it was seen at.

    A bar code was seen `down` the columns or along the rows of the picture, and the points are its ends on each line.
    """

    identifier: str
    data: bytes
    points: tuple[tuple[int, int], ...]
    down: bool

    @property
    def corners(self) -> Corners:
        """The outline, of a bar code with its sides along the bars; a part of it where few lines crossed it."""
        if self.identifier.startswith("]Q") or not self.points:
            return outline(self.points)
        along = 1 if self.down else 0
        ordered = sorted(self.points, key=lambda point: point[1 - along])
        middle = (min(point[along] for point in ordered) + max(point[along] for point in ordered)) / 2
        first = [point for point in ordered if point[along] <= middle]
        last = [point for point in ordered if point[along] > middle] or first
        return first[0], last[0], last[-1], first[-1]


class ZBar:
    """libzbar, set to Code 128 and QR Code. Raises ZBarMissingError where the library cannot be loaded."""

    def __init__(self) -> None:
        try:
            from pyzbar import wrapper
        except (ImportError, OSError) as error:
            raise ZBarMissingError(
                "libzbar is missing, so GS1-128 labels are read by one decoder instead of two;"
                " install the package libzbar0 (Debian, Ubuntu), zbar (Fedora, Homebrew)"
            ) from error
        self._lib: ModuleType = wrapper
        self._identifiers = {wrapper.ZBarSymbol.CODE128: "]C", wrapper.ZBarSymbol.QRCODE: "]Q"}
        try:
            self._modifiers: Any = wrapper.zbar_function(
                "zbar_symbol_get_modifiers", c_uint, POINTER(wrapper.zbar_symbol)
            )
        except AttributeError as error:
            raise ZBarMissingError(
                "this libzbar is too old to tell GS1-128 from Code 128; install version 0.11 or newer"
            ) from error

    def read(self, gray: Gray, line_distance: int = LINE_DISTANCE) -> list[ZBarSymbol]:
        """Every Code 128 and QR Code found in the picture, on lines so many pixels apart."""
        lib = self._lib
        scanner, image = lib.zbar_image_scanner_create(), lib.zbar_image_create()
        try:
            enable = lib.ZBarConfig.CFG_ENABLE
            lib.zbar_image_scanner_set_config(scanner, _ALL_SYMBOLOGIES, enable, 0)
            for symbology in self._identifiers:
                lib.zbar_image_scanner_set_config(scanner, symbology, enable, 1)
            for density in (lib.ZBarConfig.CFG_X_DENSITY, lib.ZBarConfig.CFG_Y_DENSITY):
                lib.zbar_image_scanner_set_config(scanner, _ALL_SYMBOLOGIES, density, line_distance)
            pixels = gray.tobytes()
            lib.zbar_image_set_format(image, _Y800)
            lib.zbar_image_set_size(image, gray.shape[1], gray.shape[0])
            lib.zbar_image_set_data(image, cast(c_char_p(pixels), c_void_p), len(pixels), None)
            lib.zbar_scan_image(scanner, image)
            return list(self._symbols(image))
        finally:
            lib.zbar_image_destroy(image)
            lib.zbar_image_scanner_destroy(scanner)

    def _symbols(self, image: Any) -> Iterator[ZBarSymbol]:
        lib = self._lib
        symbol = lib.zbar_image_first_symbol(image)
        while symbol:
            letter = self._identifiers.get(symbol.contents.type)
            if letter:
                size = lib.zbar_symbol_get_data_length(symbol)
                points = tuple(
                    (int(lib.zbar_symbol_get_loc_x(symbol, i)), int(lib.zbar_symbol_get_loc_y(symbol, i)))
                    for i in range(lib.zbar_symbol_get_loc_size(symbol))
                )
                yield ZBarSymbol(
                    letter + _modifier(letter, self._modifiers(symbol)),
                    string_at(lib.zbar_symbol_get_data(symbol), size),
                    points,
                    lib.zbar_symbol_get_orientation(symbol) in _SIDEWAYS,
                )
            symbol = lib.zbar_symbol_next(symbol)


def _modifier(letter: str, bits: int) -> str:
    """The third character of the symbology identifier (ISO/IEC 15424, annex: Code 128, QR Code)."""
    if letter == "]C":
        return "1" if bits & _MODIFIER_GS1 else "2" if bits & _MODIFIER_AIM else "0"
    return "3" if bits & _MODIFIER_GS1 else "5" if bits & _MODIFIER_AIM else "1"
