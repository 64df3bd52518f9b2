"""The bar codes themselves, as modules: GS1 DataMatrix, GS1-128 and the QR Code of a GS1 Digital Link URI.

Sizes follow the GS1 General Specifications, section 5.12.3 (symbol specification tables), at `DOTS_PER_INCH`; every
module is a whole number of printer dots, so that no edge is blurred by rounding. The encoder is not trusted: every
symbol is read back before it is given out.
"""

from dataclasses import dataclass

import qrcode
import zxingcpp
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError

from packtrace.errors import IdentifierError
from packtrace.gs1 import ElementString

DOTS_PER_INCH = 300
MM_PER_INCH = 25.4

DATA_MATRIX_MODULE = 5
"""Dots: 0.423 mm. Regulated healthcare retail items: 0.254 to 0.990 mm."""

DATA_MATRIX_QUIET = 1
"""Modules on each of the four sides (ISO/IEC 16022)."""

GS1_128_MODULE = 6
"""Dots: 0.508 mm. SSCC on logistic units: 0.495 to 0.940 mm."""

GS1_128_QUIET = 10
"""Modules on the left and on the right (ISO/IEC 15417)."""

GS1_128_HEIGHT_MM = 32.0
"""Height of the bars; at least 31.75 mm for items scanned in general distribution."""

GS1_128_MAX_WIDTH_MM = 165.1
"""Longest symbol, quiet zones included (GS1 General Specifications, 5.4.4)."""

QR_MODULE = 6
"""Dots: 0.508 mm. GS1 Digital Link: 0.396 to 0.990 mm."""

QR_QUIET = 4
"""Modules on each of the four sides (ISO/IEC 18004)."""

Modules = tuple[tuple[bool, ...], ...]
"""Rows of modules, True for dark."""


class LabelError(IdentifierError):
    """A label that cannot be printed as asked."""


def mm(dots: float) -> float:
    """Millimetres of so many printer dots."""
    return dots * MM_PER_INCH / DOTS_PER_INCH


def dots(millimetres: float) -> int:
    """The whole number of printer dots nearest to so many millimetres."""
    return round(millimetres * DOTS_PER_INCH / MM_PER_INCH)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A bar code. `identifier` is what a reader reports for it (ISO/IEC 15424).

    `module` and `row_height` are in dots, quiet zones in modules.
    """

    identifier: str
    modules: Modules
    module: int
    row_height: int
    quiet_x: int
    quiet_y: int

    @property
    def width(self) -> int:
        """Dots, quiet zones included."""
        return (len(self.modules[0]) + 2 * self.quiet_x) * self.module

    @property
    def height(self) -> int:
        """Dots, quiet zones included."""
        return len(self.modules) * self.row_height + 2 * self.quiet_y * self.module

    @property
    def width_mm(self) -> float:
        return mm(self.width)

    @property
    def height_mm(self) -> float:
        return mm(self.height)


def data_matrix(elements: ElementString) -> Symbol:
    """GS1 DataMatrix: ECC 200, square, FNC1 first. Raises LabelError."""
    modules = _encode(zxingcpp.BarcodeFormat.DataMatrix, elements, "]d2")
    module = DATA_MATRIX_MODULE
    return Symbol("]d2", modules, module, module, DATA_MATRIX_QUIET, DATA_MATRIX_QUIET)


def gs1_128(elements: ElementString) -> Symbol:
    """GS1-128: Code 128 with FNC1 first. Raises LabelError where one symbol cannot hold it."""
    modules = _encode(zxingcpp.BarcodeFormat.Code128, elements, "]C1")
    symbol = Symbol("]C1", modules[:1], GS1_128_MODULE, dots(GS1_128_HEIGHT_MM), GS1_128_QUIET, 0)
    if symbol.width_mm > GS1_128_MAX_WIDTH_MM:
        raise LabelError(
            f"this bar code would be {symbol.width_mm:.1f} mm long; put fewer elements into one",
            value=elements.bracketed(),
            rule=f"GS1 General Specifications, 5.4.4: at most {GS1_128_MAX_WIDTH_MM} mm",
        )
    return symbol


def digital_link_qr(uri: str) -> Symbol:
    """QR Code with error correction M of a GS1 Digital Link URI. Raises LabelError."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=1, border=0)
    code.add_data(uri)
    try:
        code.make(fit=True)
    except (DataOverflowError, ValueError) as error:
        raise LabelError("too long for a QR Code", field="uri", value=uri, rule="ISO/IEC 18004") from error
    modules = tuple(tuple(bool(cell) for cell in row) for row in code.get_matrix())
    _read_back(modules, zxingcpp.BarcodeFormat.QRCode, "]Q1", uri)
    return Symbol("]Q1", modules, QR_MODULE, QR_MODULE, QR_QUIET, QR_QUIET)


def _encode(form: zxingcpp.BarcodeFormat, elements: ElementString, identifier: str) -> Modules:
    # Square brackets: a value may hold round ones, but square ones are not in GS1's character set 82.
    bracketed = "".join(f"[{ai}]{value}" for ai, value in elements.pairs)
    try:
        code = zxingcpp.create_barcode(bracketed, form, gs1=True, forceSquare=True)
    except ValueError as error:
        raise LabelError(f"this cannot be encoded: {error}", value=elements.bracketed()) from error
    picture = code.to_image(scale=1, add_quiet_zones=False)
    height, width = picture.shape
    pixels = memoryview(picture).tobytes()  # type: ignore[arg-type]  # it has the buffer protocol, its stub has not
    modules = tuple(tuple(value == 0 for value in pixels[row * width :][:width]) for row in range(height))
    _read_back(modules, form, identifier, elements.encode())
    return modules


_READ_BACK_SCALE = 2
_READ_BACK_BORDER = 10 * _READ_BACK_SCALE


def _read_back(modules: Modules, form: zxingcpp.BarcodeFormat, identifier: str, data: str) -> None:
    """Raises LabelError unless a reader gets `data` from the symbol, as the kind that `identifier` names."""
    picture = bitmap(modules, _READ_BACK_SCALE, _READ_BACK_SCALE)
    framed = Image.new("L", (picture.width + 2 * _READ_BACK_BORDER, picture.height + 2 * _READ_BACK_BORDER), 255)
    framed.paste(picture, (_READ_BACK_BORDER, _READ_BACK_BORDER))
    read = zxingcpp.read_barcodes(framed, zxingcpp.BarcodeFormats([form]), text_mode=zxingcpp.TextMode.Plain)
    if [(symbol.symbology_identifier, symbol.text) for symbol in read] != [(identifier, data)]:
        raise LabelError(
            "the symbol does not read back as what was to be encoded; do not print it",
            value=data,
            rule=f"symbology identifier {identifier}",
        )


def bitmap(modules: Modules, width: int, height: int) -> Image.Image:
    """A grey picture of the modules, each `width` x `height` dots, without quiet zone."""
    columns, rows = len(modules[0]), len(modules)
    pixels = bytes(0 if dark else 255 for row in modules for dark in row)
    picture = Image.frombytes("L", (columns, rows), pixels)
    return picture.resize((columns * width, rows * height), Image.Resampling.NEAREST)
