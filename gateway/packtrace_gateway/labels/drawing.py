"""A label as a drawing, in millimetres: bar codes, text and rules; drawn as PNG, SVG or PDF from one source."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from packtrace_gateway.labels.symbols import DOTS_PER_INCH, LabelError, Symbol, bitmap, dots, mm

FONT_FAMILY = "Aileron, Helvetica, Arial, sans-serif"
"""In PNG the font is Aileron, which Pillow carries; in SVG the nearest that the viewer has."""

SMALLEST_TEXT_MM = 1.2
"""Text is made smaller to fit its place, but not below this."""

_BASELINE = 0.75  # of the text height, from its top
_WHITE, _BLACK = 255, 0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text. `x`, `y` is its top left corner, or top middle if `centred`; `height` its font size."""

    x: float
    y: float
    height: float
    text: str
    width: float
    centred: bool = False

    def fitted(self) -> float:
        """The font size at which the text is no wider than `width`."""
        wide = _length(self.text)
        return max(min(self.height, self.width / wide), SMALLEST_TEXT_MM) if wide else self.height


@dataclass(frozen=True, slots=True)
class Code:
    """A bar code with its quiet zones; `x`, `y` is the top left corner of the quiet zone."""

    x: float
    y: float
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Rule:
    """A thin horizontal line of the given width."""

    x: float
    y: float
    width: float


Item = Text | Code | Rule

RULE_MM = 0.25

MAX_PDF_PAGES = 50
"""Most pages in one PDF: they are all in memory, 9 MB each."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """So many millimetres wide and high, white, with its items."""

    width: float
    height: float
    items: tuple[Item, ...]

    def moved(self, x: float, y: float) -> tuple[Item, ...]:
        """The items, moved right and down."""
        return tuple(replace(item, x=item.x + x, y=item.y + y) for item in self.items)


def to_png(drawing: Drawing) -> bytes:
    """PNG at `DOTS_PER_INCH`, which is stored in it."""
    out = io.BytesIO()
    to_image(drawing).save(out, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return out.getvalue()


def to_pdf(pages: Sequence[Drawing]) -> bytes:
    """PDF, one page a drawing, as bitmaps at `DOTS_PER_INCH` without loss. Raises LabelError for too many pages."""
    if not 0 < len(pages) <= MAX_PDF_PAGES:
        raise LabelError(
            "so many pages do not fit into one PDF; make several",
            field="pages",
            value=len(pages),
            rule=f"1 to {MAX_PDF_PAGES}",
        )
    first, *rest = [to_image(page).convert("1", dither=Image.Dither.NONE) for page in pages]
    out = io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=rest, resolution=DOTS_PER_INCH)
    return out.getvalue()


def to_image(drawing: Drawing) -> Image.Image:
    """A grey picture at `DOTS_PER_INCH`."""
    image = Image.new("L", (dots(drawing.width), dots(drawing.height)), _WHITE)
    draw = ImageDraw.Draw(image)
    for item in drawing.items:
        if isinstance(item, Text):
            anchor = "ms" if item.centred else "ls"
            size = item.fitted()
            draw.text((dots(item.x), dots(item.y + size * _BASELINE)), item.text, _BLACK, _font(dots(size)), anchor)
        elif isinstance(item, Rule):
            left, top = dots(item.x), dots(item.y)
            draw.rectangle((left, top, left + dots(item.width) - 1, top + dots(RULE_MM) - 1), _BLACK)
        else:
            image.paste(_picture(item.symbol), (dots(item.x), dots(item.y)))
    return image


def _picture(symbol: Symbol) -> Image.Image:
    picture = Image.new("L", (symbol.width, symbol.height), _WHITE)
    corner = (symbol.quiet_x * symbol.module, symbol.quiet_y * symbol.module)
    picture.paste(bitmap(symbol.modules, symbol.module, symbol.row_height), corner)
    return picture


def to_svg(drawing: Drawing) -> str:
    """SVG in millimetres; its text is text and can be searched and copied."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(drawing.width)}mm" height="{_n(drawing.height)}mm"'
        f' viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}">',
        f'<rect width="{_n(drawing.width)}" height="{_n(drawing.height)}" fill="#fff"/>',
    ]
    for item in drawing.items:
        if isinstance(item, Text):
            size = item.fitted()
            anchor = ' text-anchor="middle"' if item.centred else ""
            parts.append(
                f'<text x="{_n(item.x)}" y="{_n(item.y + size * _BASELINE)}" font-size="{_n(size)}"'
                f' font-family="{FONT_FAMILY}"{anchor}>{escape(item.text)}</text>'
            )
        elif isinstance(item, Rule):
            parts.append(f'<rect x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.width)}" height="{RULE_MM}"/>')
        else:
            parts.append(_svg_symbol(item))
    return "\n".join([*parts, "</svg>", ""])


def _svg_symbol(code: Code) -> str:
    symbol = code.symbol
    path = []
    for number, row in enumerate(symbol.modules):
        column = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                path.append(f"M{column},{number}h{length}v1h-{length}z")
            column += length
    x, y = code.x + mm(symbol.quiet_x * symbol.module), code.y + mm(symbol.quiet_y * symbol.module)
    return (
        f'<path shape-rendering="crispEdges" transform="translate({_n(x)} {_n(y)})'
        f' scale({_n(mm(symbol.module))} {_n(mm(symbol.row_height))})" d="{"".join(path)}"/>'
    )


def _n(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")


def _length(text: str) -> float:
    """Width of the text at font size 1."""
    return _font(_MEASURE).getlength(text) / _MEASURE


_MEASURE = 100


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(size, 1))
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
