"""Labels over HTTP: who gets them, as what, and what is refused."""

import io
from collections.abc import Callable

import httpx
import zxingcpp
from PIL import Image

GTIN = "04012345123456"
SSCC = "340123450000000017"
PACK = {"gtin": GTIN, "serial": "7K4M2Q9TXW3B", "lot": "L2026A", "expiry": "2027-11-30"}


def data_of(png: bytes) -> list[tuple[str, str]]:
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)), text_mode=zxingcpp.TextMode.Plain)
    return [(symbol.symbology_identifier, symbol.text) for symbol in found]


def test_pack_label_comes_as_png_and_svg(client: httpx.Client, key: Callable[..., dict[str, str]]) -> None:
    line = key("line")
    png = client.get("/labels/pack", params=PACK, headers=line)
    assert png.headers["content-type"] == "image/png"
    assert data_of(png.content) == [("]d2", f"01{GTIN}1727113010L2026A\x1d217K4M2Q9TXW3B")]
    svg = client.get("/labels/pack", params=PACK | {"format": "svg"}, headers=line)
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "SN 7K4M2Q9TXW3B" in svg.text


def test_expiry_is_taken_as_in_the_code_too(client: httpx.Client, key: Callable[..., dict[str, str]]) -> None:
    png = client.get("/labels/pack", params=PACK | {"expiry": "271100"}, headers=key("line"))
    assert "17271100" in data_of(png.content)[0][1]


def test_qr_and_national_number(client: httpx.Client, key: Callable[..., dict[str, str]]) -> None:
    wanted = PACK | {"symbol": "qr", "national_ai": "710", "national_number": "1234567"}
    png = client.get("/labels/pack", params=wanted, headers=key("line"))
    ((identifier, uri),) = data_of(png.content)
    assert identifier == "]Q1"
    assert "710=1234567" in uri


def test_logistic_label_comes_with_its_content(client: httpx.Client, key: Callable[..., dict[str, str]]) -> None:
    wanted = {"sscc": SSCC, "gtin": GTIN, "count": 100, "lot": "L2026A", "expiry": "2027-11-30"}
    png = client.get("/labels/logistic", params=wanted, headers=key("warehouse"))
    assert ("]C1", f"00{SSCC}") in data_of(png.content)
    assert ("]C1", f"02{GTIN}37100") in data_of(png.content)


def test_content_that_breaks_a_rule_is_a_problem_that_names_it(
    client: httpx.Client, key: Callable[..., dict[str, str]]
) -> None:
    line = key("line")
    for path, params, field in (
        ("/labels/pack", PACK | {"gtin": "04012345123457"}, "(01)"),
        ("/labels/pack", PACK | {"serial": "A\x1dB"}, "(21)"),
        ("/labels/pack", PACK | {"expiry": "2027-02-30"}, '"field":"expiry"'),
        ("/labels/pack", PACK | {"expiry": "2099-01-01"}, '"field":"expiry"'),
        ("/labels/pack", PACK | {"national_ai": "710"}, '"field":"national_number"'),
        ("/labels/pack", PACK | {"national_number": "1"}, '"field":"national_ai"'),
        # A label without the number that its market asks for must not come of it.
        ("/labels/pack", PACK | {"national_ai": "710", "national_number": ""}, "(710)"),
        ("/labels/pack", PACK | {"national_ai": "", "national_number": "1"}, "()"),
        ("/labels/pack", PACK | {"national_ai": "00", "national_number": SSCC}, "(00)"),
        ("/labels/pack", PACK | {"serial": "S" * 5000}, "serial"),
        ("/labels/pack", PACK | {"format": "gif"}, "format"),
        ("/labels/logistic", {"sscc": SSCC[:-1] + "0"}, "(00)"),
        ("/labels/logistic", {"sscc": SSCC, "count": 7}, "gtin"),
    ):
        answer = client.get(path, params=params, headers=line)
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert field in answer.text


def test_labels_are_for_lines_and_warehouses_only(client: httpx.Client, key: Callable[..., dict[str, str]]) -> None:
    assert client.get("/labels/pack", params=PACK).status_code == 401
    assert client.get("/labels/pack", params=PACK, headers=key("dispenser")).status_code == 403
