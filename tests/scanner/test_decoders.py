"""Labels as rendered, read back from pictures of them: turned, scaled, blurred, compressed, crowded, and not there."""

import io
import sys
import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packtrace.gs1 import GS, with_check_digit
from packtrace_gateway.labels.drawing import to_image, to_png
from packtrace_gateway.labels.logistic import LogisticLabel, logistic_drawing
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_gateway.labels.sheet import sheets
from packtrace_scanner import zbar
from packtrace_scanner.decoders import Decoder, Reading, merge, outline
from packtrace_scanner.reading import is_item

GTIN = "04012345123456"
SSCC = with_check_digit("34012345000000001")
PACK = PackLabel(GTIN, "7K4M2Q9TXW3B", "L2026A", "271130")
UNIT = LogisticLabel(SSCC)

LABELS = {
    "datamatrix": (to_png(pack_drawing(PACK)), "]d2", f"01{GTIN}1727113010L2026A{GS}217K4M2Q9TXW3B"),
    "qr": (
        to_png(pack_drawing(PACK, "qr")),
        "]Q1",
        f"https://id.gs1.org/01/{GTIN}/10/L2026A/21/7K4M2Q9TXW3B?17=271130",
    ),
    "gs1-128": (to_png(logistic_drawing(UNIT)), "]C1", f"00{SSCC}"),
}
# A GS1-128 label is 105 mm wide: a camera sees it from further away.
SCALES = {"datamatrix": 1.0, "qr": 0.8, "gs1-128": 0.6}

Scene = Callable[..., np.ndarray]


def said(readings: list[Reading]) -> list[tuple[str, str]]:
    """What counts."""
    return [(reading.symbology, reading.text) for reading in readings if reading.certain]


@pytest.mark.parametrize("kind", LABELS)
def test_label_reads_as_rendered(kind: str) -> None:
    png, identifier, text = LABELS[kind]
    assert said(Decoder().read(np.asarray(Image.open(io.BytesIO(png))))) == [(identifier, text)]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("degrees", [0, 7, 90, 180, 270])
def test_label_on_a_cluttered_table_reads_at_any_quarter_turn(scene: Scene, kind: str, degrees: float) -> None:
    png, identifier, text = LABELS[kind]
    frame = scene(png, scale=SCALES[kind], degrees=degrees)
    assert (identifier, text) in said(Decoder(is_item).read(frame))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("degrees", [22, 45, 67, 112])
def test_label_lying_obliquely_reads(scene: Scene, kind: str, degrees: float) -> None:
    png, identifier, text = LABELS[kind]
    frame = scene(png, scale=SCALES[kind], degrees=degrees)
    assert (identifier, text) in said(Decoder(is_item).read(frame))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("factor", [0.6, 0.8, 1.1])
def test_label_reads_from_nearer_and_further_away(scene: Scene, kind: str, factor: float) -> None:
    png, identifier, text = LABELS[kind]
    frame = scene(png, scale=SCALES[kind] * factor, blur=0.7)
    assert (identifier, text) in said(Decoder(is_item).read(frame))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("quality", [90, 50, 25])
def test_label_reads_from_a_jpeg(scene: Scene, kind: str, quality: int) -> None:
    png, identifier, text = LABELS[kind]
    ok, data = cv2.imencode(".jpg", scene(png, scale=SCALES[kind], blur=0.6), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    frame = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert (identifier, text) in said(Decoder(is_item).read(frame))


@pytest.mark.parametrize("kind", ["datamatrix", "qr"])
def test_light_on_dark_reads(scene: Scene, kind: str) -> None:
    png, identifier, text = LABELS[kind]
    assert (identifier, text) in said(Decoder(is_item).read(255 - scene(png, scale=SCALES[kind])))


@settings(max_examples=20, deadline=None)
@given(
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-/%()", min_size=1, max_size=20),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=1, max_size=20),
    st.sampled_from([0, 90, 180, 270]),
    st.sampled_from(["datamatrix", "qr"]),
)
def test_any_pack_label_reads_exactly_or_not_at_all(serial: str, lot: str, degrees: int, symbol: str) -> None:
    label = PackLabel(GTIN, serial, lot, "271130")
    picture = to_image(pack_drawing(label, symbol))  # type: ignore[arg-type]
    turned = np.asarray(picture.rotate(degrees, expand=True))
    (reading,) = Decoder().read(turned)
    elements = label.elements()
    assert reading.text == (elements.encode() if symbol == "datamatrix" else elements.digital_link())


def test_reading_says_where_the_symbol_is(scene: Scene) -> None:
    png, identifier, _ = LABELS["datamatrix"]
    (reading,) = (r for r in Decoder().read(scene(png, at=(400, 300))) if r.symbology == identifier)
    width, height = Image.open(io.BytesIO(png)).size
    left, top = 400 - width / 2, 300 - height / 2
    xs, ys = [x for x, _ in reading.corners], [y for _, y in reading.corners]
    assert left <= min(xs) < max(xs) <= left + width / 2
    assert top <= min(ys) < max(ys) <= top + height
    assert max(xs) - min(xs) == pytest.approx(110, abs=4)  # 22 modules of 5 dots


def test_several_codes_in_one_frame_are_all_read(scene: Scene) -> None:
    pngs = [to_png(pack_drawing(PackLabel(GTIN, f"SERIAL{n}", "L2026A", "271130"))) for n in range(2)]
    qr, _, uri = LABELS["qr"]
    frame = scene(*pngs, qr, scale=0.7)
    texts = {reading.text for reading in Decoder(is_item).read(frame)}
    assert texts == {f"01{GTIN}1727113010L2026A{GS}21SERIAL{n}" for n in range(2)} | {uri}


def test_several_packs_that_lie_criss_cross_are_all_read_from_one_picture(scene: Scene) -> None:
    serials = ["A1", "B2", "C3"]
    pngs = [to_png(pack_drawing(PackLabel(GTIN, serial, "L2026A", "271130"))) for serial in serials]
    frame = scene(*pngs, scale=0.7, degrees=[5, 130, 250], blur=0.5)
    assert sorted(reading.text[-2:] for reading in Decoder(is_item).read(frame)) == serials


def test_whole_sheet_is_read_in_one_picture() -> None:
    serials = {f"SN{n:04}" for n in range(60)}
    (page,) = sheets([pack_drawing(PackLabel(GTIN, serial, "L", "271130")) for serial in sorted(serials)], "lot L")
    found = Decoder(is_item).read(np.asarray(to_image(page)))
    assert {reading.text[-6:] for reading in found} == serials


def test_two_labels_with_the_same_code_are_two_readings(scene: Scene) -> None:
    png, _, text = LABELS["datamatrix"]
    assert [reading.text for reading in Decoder().read(scene(png, png))] == [text, text]


def test_one_symbol_read_by_two_decoders_is_one_reading(scene: Scene) -> None:
    png, identifier, text = LABELS["gs1-128"]
    decoder = Decoder(lambda _: False)  # never satisfied: every stage runs
    assert said(decoder.read(scene(png, scale=0.6))) == [(identifier, text)]


def test_two_opinions_about_one_place_are_both_kept() -> None:
    corners = ((0, 0), (9, 0), (9, 9), (0, 9))
    readings = [Reading("]C1", "1", corners, "a"), Reading("]C1", "2", corners, "b"), Reading("]C0", "1", corners, "c")]
    assert merge(readings) == readings


@pytest.mark.parametrize("picture", ["table", "white", "black", "noise", "tiny"])
def test_picture_without_a_code_gives_no_reading(table: np.ndarray, picture: str) -> None:
    frames = {
        "table": table,
        "white": np.full((720, 1280), 255, np.uint8),
        "black": np.zeros((720, 1280), np.uint8),
        "noise": np.random.default_rng(3).integers(0, 256, (720, 1280)).astype(np.uint8),
        "tiny": np.zeros((1, 1), np.uint8),
    }
    decoder = Decoder()
    assert decoder.read(frames[picture]) == []
    assert decoder.read_live(frames[picture]) == []


def test_symbology_says_what_is_gs1_and_what_only_looks_so() -> None:
    data = f"01{GTIN}21ABC"
    for form, plain in ((zxingcpp.BarcodeFormat.DataMatrix, "]d1"), (zxingcpp.BarcodeFormat.Code128, "]C0")):
        picture = np.array(zxingcpp.create_barcode(data, form).to_image(scale=4))
        assert said(Decoder(lambda _: False).read(picture)) == [(plain, data)]


def test_live_source_reads_an_oblique_label_within_half_a_second(scene: Scene) -> None:
    png, identifier, text = LABELS["gs1-128"]
    frame = scene(png, scale=0.6, degrees=40)
    decoder = Decoder(is_item)
    decoder.read_live(np.zeros_like(frame))
    frames = (frame for _ in range(12))  # of 30 a second: every dear stage has had its turn
    assert any((identifier, text) in said(decoder.read_live(one)) for one in frames)


def test_libzbar_alone_reads_gs1_128_with_its_identifier(scene: Scene) -> None:
    png, identifier, text = LABELS["gs1-128"]
    (symbol,) = zbar.ZBar().read(scene(png, scale=0.6))
    assert (symbol.identifier, symbol.data.decode()) == (identifier, text)


def test_libzbar_keeps_the_separator_and_tells_plain_code_128_apart() -> None:
    def picture(content: str, **options: object) -> np.ndarray:
        bars = np.array(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.Code128, **options).to_image(scale=3))
        return cv2.copyMakeBorder(bars, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)

    reader = zbar.ZBar()
    (symbol,) = reader.read(picture("[10]AB[37]3", gs1=True))
    assert (symbol.identifier, symbol.data) == ("]C1", b"10AB\x1d373")
    (symbol,) = reader.read(picture(f"00{SSCC}"))
    assert symbol.identifier == "]C0"


def test_missing_libzbar_is_told_once_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    monkeypatch.setitem(sys.modules, "pyzbar", None)
    decoder = Decoder()
    blank = np.full((720, 1280), 255, np.uint8)
    with pytest.warns(UserWarning, match="install the package libzbar0"):
        assert decoder.read(blank) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoder.read(blank) == []
        png, identifier, text = LABELS["gs1-128"]
        assert said(decoder.read(scene(png, scale=0.6, degrees=90))) == [(identifier, text)]


def test_outline_of_points_is_the_rectangle_around_them() -> None:
    corners = outline([(10, 10), (50, 10), (50, 30), (10, 30), (20, 20)])
    assert sorted(corners) == [(10, 10), (10, 30), (50, 10), (50, 30)]
    assert outline([]) == ((0, 0),) * 4


@pytest.mark.parametrize("degrees", [0, 20, 45, 80, 135, 200, 290])
def test_one_live_frame_is_enough_for_a_pack_at_any_angle_on_a_cluttered_table(scene: Scene, degrees: float) -> None:
    png, identifier, text = LABELS["datamatrix"]
    frame = scene(png, degrees=degrees, blur=0.7)
    assert (identifier, text) in said(Decoder(is_item, clock=time.process_time).read_live(frame))
