"""The label of one pack: GS1 DataMatrix, or the QR Code of its Digital Link, with the text beside it.

The text names what people must be able to read (Delegated Regulation (EU) 2016/161, Art. 7): product code (PC), serial
number (SN) and, where a market has one, national number; and lot and expiry.
"""

from dataclasses import dataclass
from typing import Literal

from packtrace.gs1 import ElementString, element_string
from packtrace.gs1.application_identifiers import NATIONAL_NUMBERS, application_identifier
from packtrace.gs1.keys import national_number
from packtrace_gateway.labels.drawing import Code, Drawing, Text
from packtrace_gateway.labels.symbols import data_matrix, digital_link_qr

PackSymbol = Literal["datamatrix", "qr"]

MARGIN_MM = 1.0
GAP_MM = 1.0
"""Between code and text."""

TEXT_WIDTH_MM = 33.0
TEXT_MM = 2.4
"""Font size; smaller only where a line would not fit."""

LINE_MM = 3.0


@dataclass(frozen=True, slots=True)
class PackLabel:
    """What a pack's code says; `national` is the AI (710 to 717) and value of its national number."""

    gtin: str
    serial: str
    lot: str
    expiry: str
    national: tuple[str, str] | None = None

    def elements(self) -> ElementString:
        """The element string, validated. `expiry` is YYMMDD, day 00 for a month's end. Raises IdentifierError."""
        pairs = [("01", self.gtin), ("17", self.expiry), ("10", self.lot), ("21", self.serial)]
        if self.national:
            ai, number = self.national
            pairs.append((ai, national_number(ai, number)))
        return element_string(pairs)


def pack_drawing(label: PackLabel, symbol: PackSymbol = "datamatrix") -> Drawing:
    """The label as a drawing. Raises IdentifierError for content that breaks a rule of GS1, LabelError for too much."""
    elements = label.elements()
    code = data_matrix(elements) if symbol == "datamatrix" else digital_link_qr(elements.digital_link())
    lines = _lines(elements)
    height = max(code.height_mm, len(lines) * LINE_MM)
    left = MARGIN_MM + code.width_mm + GAP_MM
    top = MARGIN_MM + (height - len(lines) * LINE_MM) / 2
    texts = [Text(left, top + LINE_MM * n, TEXT_MM, line, TEXT_WIDTH_MM) for n, line in enumerate(lines)]
    return Drawing(
        left + TEXT_WIDTH_MM + MARGIN_MM,
        height + 2 * MARGIN_MM,
        (Code(MARGIN_MM, MARGIN_MM + (height - code.height_mm) / 2, code), *texts),
    )


def _lines(elements: ElementString) -> list[str]:
    named = {"01": "PC", "21": "SN", "10": "LOT", **{ai: national_name(ai) for ai in NATIONAL_NUMBERS}}
    lines = [f"{name} {value}" for ai, name in named.items() if (value := elements.value(ai)) is not None]
    return [*lines, f"EXP {readable_expiry(elements)}"]


def national_name(ai: str) -> str:
    """What a market calls its national number: the AI's data title without "NHRN"."""
    return application_identifier(ai).title.removeprefix("NHRN ")


def readable_expiry(elements: ElementString) -> str:
    """AI (17) as people read it: ``2027-11-30``, or ``2027-11`` where day 00 stands for the end of the month."""
    day, digits = elements.expiry, elements.value("17")
    if day is None or digits is None:
        return ""
    return day.strftime("%Y-%m") if digits.endswith("00") else day.isoformat()
