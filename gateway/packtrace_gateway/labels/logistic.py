"""The label of a logistic unit (case, pallet, tote): GS1-128 with its SSCC, and its content where that is wanted.

As the GS1 Logistic Label Guideline has it: text on top, bar codes below, the one with the SSCC last.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from packtrace.errors import IdentifierError
from packtrace.gs1 import ElementString, element_string
from packtrace_gateway.labels.drawing import Code, Drawing, Item, Rule, Text
from packtrace_gateway.labels.pack import readable_expiry
from packtrace_gateway.labels.symbols import GS1_128_QUIET, LabelError, Symbol, gs1_128, mm

WIDTH_MM = 105.0
"""As A6; wider only where a bar code needs it. The label is as high as what is on it."""

MARGIN_MM = 2.0
TITLE_MM = 3.0
VALUE_MM = 5.0
LINE_MM = 9.5
"""Height of a line of text: its title and its value."""

HRI_MM = 4.0
"""Font size of the text under a bar code."""

CODE_GAP_MM = 2.0

_TITLES = (("00", "SSCC"), ("02", "CONTENT"), ("37", "COUNT"), ("10", "BATCH/LOT"), ("17", "USE BY OR EXPIRY"))
# What stands together in one bar code if there is room; (02) and (37) belong together.
_GROUPS = (("02", "37"), ("17",), ("10",))


@dataclass(frozen=True, slots=True)
class LogisticLabel:
    """What a logistic unit's label says: SSCC and, if it holds one product, GTIN, count, lot and expiry (YYMMDD)."""

    sscc: str
    gtin: str | None = None
    count: int | None = None
    lot: str | None = None
    expiry: str | None = None

    def elements(self) -> ElementString:
        """All elements of the label, validated together. Raises IdentifierError."""
        if (self.gtin is None) != (self.count is None):
            raise IdentifierError(
                "the content needs both its GTIN, AI (02), and how many there are, AI (37)",
                field="count" if self.count is None else "gtin",
                rule="GS1 General Specifications, 4.13",
            )
        count = None if self.count is None else str(self.count)
        values = (("00", self.sscc), ("02", self.gtin), ("37", count), ("17", self.expiry), ("10", self.lot))
        return element_string([(ai, value) for ai, value in values if value is not None])


def logistic_drawing(label: LogisticLabel) -> Drawing:
    """The label as a drawing. Raises IdentifierError for content that breaks a rule of GS1, LabelError for too much."""
    elements = label.elements()
    codes = [*_content_codes(elements), (_part(elements, ["00"]), gs1_128(_part(elements, ["00"])))]
    width = max(WIDTH_MM, *(code.width_mm + 2 * MARGIN_MM for _, code in codes))
    items, y = _text(elements, width)
    items.append(Rule(MARGIN_MM, y, width - 2 * MARGIN_MM))
    y += CODE_GAP_MM
    for part, code in codes:
        quiet = mm(GS1_128_QUIET * code.module)
        readable = "".join(f"({ai}) {value} " for ai, value in part.pairs).rstrip()
        items.append(Code(MARGIN_MM, y, code))
        items.append(Text(MARGIN_MM + quiet, y + code.height_mm + 0.5, HRI_MM, readable, code.width_mm - 2 * quiet))
        y += code.height_mm + HRI_MM + CODE_GAP_MM
    return Drawing(width, y, tuple(items))


def _text(elements: ElementString, width: float) -> tuple[list[Item], float]:
    """Title and value of every element, and where they end."""
    items: list[Item] = []
    y, column = MARGIN_MM, (width - 2 * MARGIN_MM) / 2
    shown = [(title, _shown(elements, ai)) for ai, title in _TITLES if elements.value(ai) is not None]
    for number, (title, value) in enumerate(shown):
        # The SSCC has a line for itself, the others share theirs.
        right = number > 0 and number % 2 == 0
        x, room = MARGIN_MM + (column if right else 0), width - 2 * MARGIN_MM if number == 0 else column - 3
        items += [Text(x, y, TITLE_MM, title, room), Text(x, y + TITLE_MM + 0.5, VALUE_MM, value, room)]
        if number == 0 or right or number == len(shown) - 1:
            y += LINE_MM
    return items, y


def _shown(elements: ElementString, ai: str) -> str:
    return readable_expiry(elements) if ai == "17" else elements.value(ai) or ""


def _content_codes(elements: ElementString) -> list[tuple[ElementString, Symbol]]:
    """The content in as few bar codes as fit on the label."""
    codes: list[tuple[ElementString, Symbol]] = []
    names: list[str] = []
    for group in _GROUPS:
        if elements.value(group[0]) is None:
            continue
        joined = _fitting(elements, [*names, *group]) if names else None
        if joined is not None:
            codes[-1] = joined
            names += group
        else:
            part = _part(elements, group)
            codes.append((part, gs1_128(part)))
            names = list(group)
    return codes


def _fitting(elements: ElementString, names: list[str]) -> tuple[ElementString, Symbol] | None:
    """These elements in one bar code, or None if it would be wider than the label."""
    part = _part(elements, names)
    try:
        code = gs1_128(part)
    except LabelError:
        return None
    return (part, code) if code.width_mm <= WIDTH_MM - 2 * MARGIN_MM else None


def _part(elements: ElementString, names: Iterable[str]) -> ElementString:
    """Some of the elements, for a bar code of their own: their companions are in another one of the same label."""
    wanted = set(names)
    return ElementString(tuple(pair for pair in elements.pairs if pair[0] in wanted))
