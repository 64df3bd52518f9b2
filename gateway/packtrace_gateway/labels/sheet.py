"""Many labels on A4 pages, in rows from the top left, as a printer for sticky labels wants them."""

from collections.abc import Sequence

from packtrace_gateway.labels.drawing import Drawing, Item, Text
from packtrace_gateway.labels.symbols import LabelError

A4_WIDTH_MM, A4_HEIGHT_MM = 210.0, 297.0
MARGIN_MM = 6.0
GAP_MM = 2.0
"""Between neighbouring labels."""

FOOTER_MM = 3.0
MAX_LABELS = 20_000
"""Most labels in one call: each takes some 6 kB of memory."""


def sheets(labels: Sequence[Drawing], title: str) -> list[Drawing]:
    """A4 pages with these labels in their order; each page carries `title` and its number at the foot.

    Every label gets a place as large as the largest one. Raises LabelError if there are none or too many, or one
    that is larger than a page.
    """
    if not 0 < len(labels) <= MAX_LABELS:
        raise LabelError(
            "so many labels cannot be put on sheets", field="labels", value=len(labels), rule=f"1 to {MAX_LABELS}"
        )
    width, height = max(label.width for label in labels), max(label.height for label in labels)
    columns = _places(A4_WIDTH_MM - 2 * MARGIN_MM, width)
    rows = _places(A4_HEIGHT_MM - 2 * MARGIN_MM - FOOTER_MM, height)
    if not columns or not rows:
        raise LabelError(
            "this label is larger than an A4 page; print it alone",
            field="labels",
            value=f"{width:.0f} x {height:.0f} mm",
            rule=f"{A4_WIDTH_MM - 2 * MARGIN_MM:.0f} x {A4_HEIGHT_MM - 2 * MARGIN_MM - FOOTER_MM:.0f} mm",
        )
    per_page = columns * rows
    count = -(-len(labels) // per_page)
    pages = []
    for number in range(count):
        items: list[Item] = []
        for place, label in enumerate(labels[number * per_page : (number + 1) * per_page]):
            x = MARGIN_MM + place % columns * (width + GAP_MM)
            y = MARGIN_MM + place // columns * (height + GAP_MM)
            items.extend(label.moved(x, y))
        footer = f"{title}  ·  {number + 1} of {count}"
        items.append(
            Text(
                A4_WIDTH_MM / 2, A4_HEIGHT_MM - MARGIN_MM, FOOTER_MM, footer, A4_WIDTH_MM - 2 * MARGIN_MM, centred=True
            )
        )
        pages.append(Drawing(A4_WIDTH_MM, A4_HEIGHT_MM, tuple(items)))
    return pages


def _places(space: float, size: float) -> int:
    """How many labels of this size fit side by side."""
    return int((space + GAP_MM) // (size + GAP_MM))
