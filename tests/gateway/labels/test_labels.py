"""Labels: what is printed is what was asked, in symbols that a reader takes for GS1's."""

import io
import re
import string
from itertools import groupby
from xml.etree import ElementTree

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packtrace.errors import IdentifierError
from packtrace.gs1 import GS, element_string, parse_digital_link, parse_scan, with_check_digit
from packtrace_gateway.labels import symbols
from packtrace_gateway.labels.drawing import Code, Drawing, Text, to_image, to_pdf, to_png, to_svg
from packtrace_gateway.labels.logistic import WIDTH_MM, LogisticLabel, logistic_drawing
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_gateway.labels.sheet import sheets
from packtrace_gateway.labels.symbols import LabelError, Symbol, data_matrix, digital_link_qr, dots, gs1_128

GTIN = "04012345123456"
SSCC = with_check_digit("34012345000000001")
PACK = PackLabel(GTIN, "7K4M2Q9TXW3B", "L2026A", "271130")

# GS1 character set 82 (General Specifications, figure 7.11-1).
SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
values = st.text(SET_82, min_size=1, max_size=20)
gtins = st.from_regex(r"[0-9]{13}", fullmatch=True).map(with_check_digit)
expiries = st.dates().map(lambda day: day.strftime("%y%m%d")) | st.just("271100")


def read(png: bytes) -> list[tuple[str, str]]:
    """(symbology identifier, data) of every symbol in the picture."""
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)), text_mode=zxingcpp.TextMode.Plain)
    return [(symbol.symbology_identifier, symbol.text) for symbol in found]


def texts(drawing: Drawing) -> list[str]:
    return [item.text for item in drawing.items if isinstance(item, Text)]


def the_code(drawing: Drawing) -> Code:
    (code,) = (item for item in drawing.items if isinstance(item, Code))
    return code


# Packs


def test_pack_label_is_a_gs1_datamatrix_with_its_element_string() -> None:
    assert read(to_png(pack_drawing(PACK))) == [("]d2", f"01{GTIN}1727113010L2026A{GS}217K4M2Q9TXW3B")]


def test_pack_label_says_the_same_in_words() -> None:
    assert texts(pack_drawing(PACK)) == [f"PC {GTIN}", "SN 7K4M2Q9TXW3B", "LOT L2026A", "EXP 2027-11-30"]


def test_expiry_at_a_months_end_is_printed_as_the_month() -> None:
    assert "EXP 2027-11" in texts(pack_drawing(PackLabel(GTIN, "1", "L", "271100")))


@pytest.mark.parametrize(
    ("ai", "name"),
    [("710", "PZN"), ("711", "CIP"), ("712", "CN"), ("713", "DRN"), ("714", "AIM"), ("715", "NDC"), ("716", "AIC")],
)
def test_national_number_is_in_the_code_and_in_the_text(ai: str, name: str) -> None:
    drawing = pack_drawing(PackLabel(GTIN, "S1", "L1", "271130", (ai, "1234567")))
    ((identifier, data),) = read(to_png(drawing))
    assert parse_scan(identifier + data).value(ai) == "1234567"
    assert f"{name} 1234567" in texts(drawing)


def test_qr_label_carries_the_digital_link() -> None:
    ((identifier, uri),) = read(to_png(pack_drawing(PACK, "qr")))
    assert identifier == "]Q1"
    assert uri == f"https://id.gs1.org/01/{GTIN}/10/L2026A/21/7K4M2Q9TXW3B?17=271130"


@settings(max_examples=60, deadline=None)
@given(gtins, values, values, expiries)
def test_any_content_reads_back_from_both_symbols(gtin: str, serial: str, lot: str, expiry: str) -> None:
    label = PackLabel(gtin, serial, lot, expiry)
    ((identifier, data),) = read(to_png(pack_drawing(label)))
    assert identifier == "]d2"
    assert parse_scan(identifier + data) == label.elements()
    ((identifier, uri),) = read(to_png(pack_drawing(label, "qr")))
    link = parse_digital_link(uri)
    assert (link.gtin, link.serial, link.lot, link.value("17")) == (gtin, serial, lot, expiry)


@pytest.mark.parametrize(
    ("label", "field"),
    [
        (PackLabel("04012345123457", "S", "L", "271130"), "(01)"),
        (PackLabel("4012345123456", "S", "L", "271130"), "(01)"),
        (PackLabel(GTIN, "S\x1d10FORGED", "L", "271130"), "(21)"),
        (PackLabel(GTIN, "S[10]FORGED", "L", "271130"), "(21)"),
        (PackLabel(GTIN, "", "L", "271130"), "(21)"),
        (PackLabel(GTIN, "S" * 21, "L", "271130"), "(21)"),
        (PackLabel(GTIN, "S", "Lß", "271130"), "(10)"),
        (PackLabel(GTIN, "S", "L", "271131"), "(17)"),
        (PackLabel(GTIN, "S", "L", "27113"), "(17)"),
        (PackLabel(GTIN, "S", "L", "271130", ("710", "X" * 21)), "(710)"),
        (PackLabel(GTIN, "S", "L", "271130", ("00", SSCC)), "(00)"),
    ],
)
def test_content_that_breaks_a_rule_is_refused_before_anything_is_drawn(
    label: PackLabel, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbols, "zxingcpp", None)
    for symbol in ("datamatrix", "qr"):
        with pytest.raises(IdentifierError) as caught:
            pack_drawing(label, symbol)  # type: ignore[arg-type]
        assert caught.value.field == field


def test_serial_that_looks_like_another_element_stays_a_serial() -> None:
    # The encoder takes "(10)" for an Application Identifier unless it is told otherwise.
    ((identifier, data),) = read(to_png(pack_drawing(PackLabel(GTIN, "A(10)B", "L", "271130"))))
    assert parse_scan(identifier + data).pairs[2:] == (("10", "L"), ("21", "A(10)B"))


def test_symbol_that_does_not_read_back_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = zxingcpp.create_barcode
    monkeypatch.setattr(
        symbols.zxingcpp,
        "create_barcode",
        lambda text, form, **options: real(text.replace("L2026A", "L2026B"), form, **options),
    )
    with pytest.raises(LabelError, match="does not read back"):
        data_matrix(PACK.elements())


def test_encoder_that_drops_fnc1_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    data = PACK.elements().encode()
    real = zxingcpp.create_barcode
    monkeypatch.setattr(symbols.zxingcpp, "create_barcode", lambda text, form, **options: real(data, form))
    with pytest.raises(LabelError, match="does not read back") as caught:
        data_matrix(PACK.elements())
    assert caught.value.rule == "symbology identifier ]d2"


# Logistic units


def test_logistic_label_is_gs1_128_with_the_sscc() -> None:
    drawing = logistic_drawing(LogisticLabel(SSCC))
    assert read(to_png(drawing)) == [("]C1", f"00{SSCC}")]
    assert texts(drawing) == ["SSCC", SSCC, f"(00) {SSCC}"]


def test_logistic_label_with_content_reads_together_as_one_unit() -> None:
    drawing = logistic_drawing(LogisticLabel(SSCC, GTIN, 100, "L2026A", "271130"))
    found = read(to_png(drawing))
    assert sorted(found) == [("]C1", f"00{SSCC}"), ("]C1", f"02{GTIN}37100"), ("]C1", "1727113010L2026A")]
    together = parse_scan(*(identifier + data for identifier, data in found))
    assert (together.sscc, together.value("02"), together.value("37")) == (SSCC, GTIN, "100")
    assert {"CONTENT", GTIN, "COUNT", "100", "BATCH/LOT", "L2026A", "2027-11-30"} <= set(texts(drawing))


@settings(max_examples=15, deadline=None)
@given(gtins, st.integers(1, 99_999_999), values)
def test_any_logistic_content_reads_back_and_keeps_to_the_longest_bar_code(gtin: str, count: int, lot: str) -> None:
    label = LogisticLabel(SSCC, gtin, count, lot, "271130")
    drawing = logistic_drawing(label)
    found = read(to_png(drawing))
    together = parse_scan(*(identifier + data for identifier, data in found))
    assert sorted(together.pairs) == sorted(label.elements().pairs)
    for item in drawing.items:
        if isinstance(item, Code):
            assert item.x + item.symbol.width_mm <= drawing.width
            assert item.symbol.width_mm <= symbols.GS1_128_MAX_WIDTH_MM
            assert item.y + item.symbol.height_mm <= drawing.height


def test_sscc_with_a_wrong_check_digit_is_refused() -> None:
    wrong = SSCC[:-1] + str((int(SSCC[-1]) + 1) % 10)
    with pytest.raises(IdentifierError, match="check digit") as caught:
        logistic_drawing(LogisticLabel(wrong))
    assert caught.value.value == wrong


@pytest.mark.parametrize(
    "label", [LogisticLabel(SSCC, gtin=GTIN), LogisticLabel(SSCC, count=7), LogisticLabel(SSCC, lot="L")]
)
def test_content_without_what_belongs_to_it_is_refused(label: LogisticLabel) -> None:
    with pytest.raises(IdentifierError, match="need"):
        logistic_drawing(label)


def test_content_longer_than_one_bar_code_may_be_is_refused() -> None:
    with pytest.raises(LabelError, match="mm long"):
        gs1_128(element_string([("00", SSCC), ("403", "abcdefghijklmnopqrstuvwxyzabcd")]))


# Sizes


def runs(line: list[int]) -> list[tuple[bool, int]]:
    return [(value < 128, len(list(group))) for value, group in groupby(line)]


@pytest.mark.parametrize(
    ("symbol", "quiet", "smallest_mm", "largest_mm"),
    [
        # Smallest and largest module: GS1 General Specifications, 5.12.3, tables for regulated healthcare retail trade
        # items (Data Matrix), logistic units (GS1-128) and GS1 Digital Link (QR Code).
        (data_matrix(PACK.elements()), 1, 0.254, 0.990),
        (gs1_128(element_string([("00", SSCC)])), 10, 0.495, 0.940),
        (digital_link_qr(PACK.elements().digital_link()), 4, 0.396, 0.990),
    ],
)
def test_modules_are_whole_dots_of_the_right_size_with_the_quiet_zone(
    symbol: Symbol, quiet: int, smallest_mm: float, largest_mm: float
) -> None:
    assert smallest_mm <= symbols.mm(symbol.module) <= largest_mm
    picture = to_image(Drawing(symbol.width_mm, symbol.height_mm, (Code(0, 0, symbol),)))
    assert picture.size == (symbol.width, symbol.height)
    row = symbol.height // 2
    line = runs([picture.getpixel((x, row)) for x in range(picture.width)])  # type: ignore[misc]
    assert line[0][0] is False
    assert line[0][1] >= quiet * symbol.module
    assert line[-1][1] >= quiet * symbol.module
    assert all(length % symbol.module == 0 for _, length in line)


def test_png_carries_its_resolution_so_that_it_prints_at_its_size() -> None:
    drawing = pack_drawing(PACK)
    picture = Image.open(io.BytesIO(to_png(drawing)))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert picture.size == (dots(drawing.width), dots(drawing.height))


def test_bars_are_as_high_as_general_distribution_wants() -> None:
    assert gs1_128(element_string([("00", SSCC)])).height_mm >= 31.75


def test_widest_text_is_made_to_fit() -> None:
    drawing = pack_drawing(PackLabel(GTIN, "W" * 20, "M" * 20, "271130", ("710", "W" * 20)))
    picture = to_image(drawing)
    last_column = [picture.getpixel((picture.width - 1, y)) for y in range(picture.height)]
    assert set(last_column) == {255}


# SVG and PDF

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "drawing", [pack_drawing(PACK), pack_drawing(PACK, "qr"), logistic_drawing(LogisticLabel(SSCC))]
)
def test_svg_has_the_same_modules_at_the_same_size(drawing: Drawing) -> None:
    code = the_code(drawing)
    symbol = code.symbol
    root = ElementTree.fromstring(to_svg(drawing))
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(drawing.width, abs=1e-3)
    path = root.find(f"{SVG}path")
    assert path is not None
    numbers = [float(n) for n in re.findall(r"[0-9.]+", path.attrib["transform"])]
    left = code.x + symbols.mm(symbol.quiet_x * symbol.module)
    assert numbers[0] == pytest.approx(left, abs=1e-3)
    assert numbers[2:] == pytest.approx([symbols.mm(symbol.module), symbols.mm(symbol.row_height)], abs=1e-4)
    dark = set()
    for x, y, length in re.findall(r"M(\d+),(\d+)h(\d+)v1h-\d+z", path.attrib["d"]):
        dark |= {(int(x) + step, int(y)) for step in range(int(length))}
    assert dark == {(x, y) for y, row in enumerate(symbol.modules) for x, module in enumerate(row) if module}


def test_svg_keeps_text_as_text_and_escapes_it() -> None:
    svg = to_svg(pack_drawing(PackLabel(GTIN, "<&>\"'", "L", "271130")))
    root = ElementTree.fromstring(svg)
    assert "SN <&>\"'" in [element.text for element in root.iter(f"{SVG}text")]
    assert "<script" not in to_svg(pack_drawing(PackLabel(GTIN, "<script>", "L", "271130")))


def test_sheets_hold_every_label_once_in_order() -> None:
    serials = ["".join(pair) for pair in zip(string.ascii_uppercase * 3, "ABCDEFGHIJKLM" * 6, strict=True)]
    labels = [pack_drawing(PackLabel(GTIN, f"{n:03}{serial}", "L1", "271130")) for n, serial in enumerate(serials)]
    pages = sheets(labels, "lot L1")
    assert len(pages) == 2
    assert [(page.width, page.height) for page in pages] == [(210, 297)] * 2
    shown = [[text for text in texts(page) if text.startswith("SN ")] for page in pages]
    assert [text for texts_on_page in shown for text in texts_on_page] == [
        f"SN {n:03}{serial}" for n, serial in enumerate(serials)
    ]
    for page, serials_on_page in zip(pages, shown, strict=True):
        found = [parse_scan(identifier + data).serial for identifier, data in read(to_png(page))]
        assert sorted(found) == sorted(text.removeprefix("SN ") for text in serials_on_page)
    assert texts(pages[1])[-1] == "lot L1  ·  2 of 2"


def test_sheets_of_logistic_labels_stay_on_the_page() -> None:
    labels = [
        logistic_drawing(LogisticLabel(with_check_digit(f"3401234500000{n:04}"), GTIN, 100, "L1", "271130"))
        for n in range(3)
    ]
    for page in sheets(labels, "cases"):
        for item in page.items:
            if isinstance(item, Code):
                assert 0 <= item.x <= page.width - item.symbol.width_mm
                assert 0 <= item.y <= page.height - item.symbol.height_mm


def test_no_label_and_a_label_larger_than_a_page_are_refused() -> None:
    with pytest.raises(LabelError, match="sheets"):
        sheets([], "nothing")
    with pytest.raises(LabelError, match="larger than an A4 page"):
        sheets([Drawing(WIDTH_MM, 400, ())], "large")


def test_pdf_has_one_page_a_drawing_and_loses_nothing() -> None:
    pages = sheets([pack_drawing(PACK)] * 120, "lot L1")
    pdf = to_pdf(pages)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == len(pages) == 2
    assert b"CCITTFaxDecode" in pdf
    assert b"DCTDecode" not in pdf


def test_pdf_of_too_many_pages_is_refused_before_they_are_drawn() -> None:
    with pytest.raises(LabelError, match="make several"):
        to_pdf([Drawing(210, 297, ())] * 51)
