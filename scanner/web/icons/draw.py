"""Draws the icons: a DataMatrix finder with a tick in it. `python scanner/web/icons/draw.py` makes them anew."""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent
NIGHT, WHITE, GREEN = "#0d1b2a", "#ffffff", "#3fd08a"
UNITS = 96  # the drawing's own width
FINDER = [(25, 22), (25, 71), (74, 71)]
DOTS = [(x, 22) for x in (39, 53, 67)] + [(74, y) for y in (29, 43, 57)]
TICK = [(38, 46), (48, 56), (66, 35)]
STROKE = 7
SMOOTH = 8  # drawn so many times larger, then scaled down


def picture(pixels: int, *, corner: float, scale: float) -> Image.Image:
    """The icon; `corner` is the radius of its own ground, `scale` how much of that the drawing fills."""
    size = pixels * SMOOTH
    image = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, size - 1, size - 1), corner * size / UNITS, fill=NIGHT)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return tuple((UNITS / 2 + (value - UNITS / 2) * scale) * size / UNITS for value in point)  # type: ignore[return-value]

    width = STROKE * scale * size / UNITS

    def line(points: list[tuple[int, int]], colour: str) -> None:
        placed = [at(point) for point in points]
        draw.line(placed, fill=colour, width=round(width), joint="curve")
        for x, y in placed:
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)

    line(FINDER, WHITE)
    for dot in DOTS:
        x, y = at(dot)
        draw.rectangle((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=WHITE)
    line(TICK, GREEN)
    return image.resize((pixels, pixels), Image.Resampling.LANCZOS)


def drawing() -> str:
    """The same as SVG."""
    half = STROKE / 2
    dots = "".join(f"M{x - half:g} {y - half:g}h{STROKE}v{STROKE}h-{STROKE}z" for x, y in DOTS)

    def path(points: list[tuple[int, int]]) -> str:
        return "M" + "L".join(f"{x} {y}" for x, y in points)

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {UNITS} {UNITS}">'
        f'<rect width="{UNITS}" height="{UNITS}" rx="22" fill="{NIGHT}"/>'
        f'<path d="{dots}" fill="{WHITE}"/>'
        f'<g fill="none" stroke-width="{STROKE}" stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="{path(FINDER)}" stroke="{WHITE}"/><path d="{path(TICK)}" stroke="{GREEN}"/></g></svg>\n'
    )


def main() -> None:
    (FOLDER / "icon.svg").write_text(drawing())
    for pixels in (192, 512):
        picture(pixels, corner=22, scale=1).save(FOLDER / f"icon-{pixels}.png", optimize=True)
    picture(180, corner=0, scale=1).save(FOLDER / "icon-180.png", optimize=True)  # iOS rounds the corners itself
    # a launcher may cut to a circle of 80 % of the width
    picture(512, corner=0, scale=0.78).save(FOLDER / "icon-maskable-512.png", optimize=True)


if __name__ == "__main__":
    main()
