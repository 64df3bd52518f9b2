"""zxing-cpp, the fastest decoder of the field, as the stages use it."""

from typing import Any, cast

import numpy as np
import zxingcpp

from packtrace_scanner.ecc200 import Modules
from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Corners, Reading

ALL = zxingcpp.BarcodeFormats(
    [zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128]
)
LINEAR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.Code128])
QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
MATRIX = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.DataMatrix])

_UNUSED = 0.5
"""The share of a QR Code's error correction that proves it. Of the least symbol, 1-L, it leaves 6 of 7 codewords and
one error in 26 places: chance gives that once in 2 ** 43."""

_QUIET = 2
_SCALE = 3


def read(
    gray: Gray,
    formats: zxingcpp.BarcodeFormats = ALL,
    *,
    rotate: bool = True,
    everything: bool = False,
    decoder: str = "zxing-cpp",
) -> list[Reading]:
    """What zxing-cpp reads: along rows and, if `rotate`, columns; `everything` adds smaller and inverted copies.

    A Data Matrix and a bar code are never certain, and a QR Code is if half of its error correction was not needed.
    """
    symbols = zxingcpp.read_barcodes(
        np.ascontiguousarray(gray),
        formats=formats,
        try_rotate=rotate,
        try_downscale=everything,
        try_invert=everything,
        text_mode=zxingcpp.TextMode.Plain,
    )
    return [
        Reading(
            symbol.symbology_identifier,
            symbol.text,
            _corners(symbol.position),
            decoder,
            _proves_itself(symbol),
        )
        for symbol in symbols
    ]


def meaning(modules: Modules) -> tuple[str, str] | None:
    """Symbology identifier and text of a symbol without any error; None if its codewords say nothing."""
    drawn = np.pad(np.where(modules, 0, 255).astype(np.uint8), _QUIET, constant_values=255)
    symbols = zxingcpp.read_barcodes(
        drawn.repeat(_SCALE, 0).repeat(_SCALE, 1),
        formats=MATRIX,
        is_pure=True,
        text_mode=zxingcpp.TextMode.Plain,
    )
    if not symbols or not symbols[0].text:
        return None
    return symbols[0].symbology_identifier, symbols[0].text


def _proves_itself(symbol: zxingcpp.Barcode) -> bool:
    if symbol.format != zxingcpp.BarcodeFormat.QRCode:
        return False
    details = cast(dict[str, Any], symbol.extra)
    return float(details.get("UEC", 0.0)) >= _UNUSED


def _corners(position: zxingcpp.Position) -> Corners:
    a, b, c, d = (
        (point.x, point.y)
        for point in (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    )
    return a, b, c, d
