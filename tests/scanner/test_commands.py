"""`packtrace scan` as it is typed: pictures, folders and videos in, words, JSON and exit status out."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from typer.testing import CliRunner, Result

from benchmarks.hard_pictures.bars import damaged_label
from packtrace.chain.deployment import CONTRACTS
from packtrace.errors import PacktraceError
from packtrace.gs1 import with_check_digit
from packtrace_gateway.labels.drawing import to_png
from packtrace_gateway.labels.logistic import LogisticLabel, logistic_drawing
from packtrace_gateway.labels.pack import PackLabel, pack_drawing
from packtrace_scanner.commands import NOT_AUTHENTIC, NOTHING_READ, app
from packtrace_scanner.verifier import GatewayError

GTIN = "04012345123456"
SSCC = with_check_digit("34012345000000001")
NO_NODE = "http://127.0.0.1:9"  # port 9 (discard): nothing answers

Scene = Callable[..., np.ndarray]


def label(serial: str = "7K4M2Q9TXW3B") -> bytes:
    return to_png(pack_drawing(PackLabel(GTIN, serial, "L2026A", "271130")))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "pack.png"
    path.write_bytes(label())
    return path


def scan(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["scan", *(str(argument) for argument in arguments)])


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_picture_without_configuration_is_read_and_says_that_nothing_was_checked(picture: Path) -> None:
    result = scan(picture)
    assert result.exit_code == 0
    for words in ("R E A D ,   N O T   V E R I F I E D", GTIN, "7K4M2Q9TXW3B", "L2026A", "2027-11-30", "Nothing was"):
        assert words in result.stdout
    assert "may be dispensed" not in result.stdout


def test_json_has_everything_on_one_line(picture: Path) -> None:
    (line,) = lines(scan(picture, "--json"))
    assert {name: line[name] for name in ("kind", "gtin", "serial", "lot", "expiry", "verdict", "frame")} == {
        "kind": "pack",
        "gtin": GTIN,
        "serial": "7K4M2Q9TXW3B",
        "lot": "L2026A",
        "expiry": "2027-11-30",
        "verdict": None,
        "frame": "pack.png",
    }
    (code,) = line["codes"]  # type: ignore[misc]
    assert code["symbology"] == "]d2"
    assert len(code["corners"]) == 4


def test_logistic_label_is_shown_with_its_content(tmp_path: Path) -> None:
    path = tmp_path / "case.png"
    path.write_bytes(to_png(logistic_drawing(LogisticLabel(SSCC, GTIN, 100, "L2026A", "271130"))))
    result = scan(path)
    assert result.exit_code == 0
    assert f"SSCC {SSCC}" in result.stdout
    assert "COUNT 100" in result.stdout
    (line,) = lines(scan(path, "--json"))
    assert (line["kind"], line["sscc"]) == ("logistic unit", SSCC)


def test_folder_is_read_picture_by_picture_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    for name, data in (("a.png", label("A1")), ("b.png", b"\x89PNG damaged"), ("c.png", label("C1"))):
        (tmp_path / name).write_bytes(data)
    result = scan(tmp_path, "--json")
    assert [line["serial"] for line in lines(result)] == ["A1", "C1"]
    assert "b.png" in result.stderr.replace("\n", ""), "whatever the width of the screen"


def test_reading_that_one_picture_does_not_prove_is_named_and_does_not_count(tmp_path: Path) -> None:
    truth, damaged = damaged_label(9526)
    cv2.imwrite(str(tmp_path / "case.png"), damaged)
    result = scan(tmp_path / "case.png", "--json")
    assert result.exit_code == NOTHING_READ
    assert result.stdout == ""
    assert "case.png: a GS1-128 was read, but one picture does not prove what it says" in result.stderr
    assert truth not in result.stderr


def test_once_stops_after_the_first_pack(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(label(name))
    assert [line["serial"] for line in lines(scan(tmp_path, "--json", "--once"))] == ["a"]


def test_video_gives_each_pack_once_however_long_it_is_seen(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "belt.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (1280, 720))
    for serial in ("FIRST", "SECOND"):
        for step in range(6):
            frame = scene(label(serial), at=(500 + 40 * step, 360), degrees=3.0 * step, blur=0.5)
            writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    found = lines(scan(path, "--json"))
    assert [line["serial"] for line in found] == ["FIRST", "SECOND"]
    assert found[1]["time"] == pytest.approx(0.6, abs=0.11)


def test_picture_without_a_code_says_so(tmp_path: Path) -> None:
    path = tmp_path / "blank.png"
    cv2.imwrite(str(path), np.full((300, 300), 255, np.uint8))
    result = scan(path)
    assert result.exit_code == NOTHING_READ
    assert "no code of a pack" in result.stderr


def test_plain_data_matrix_is_refused_in_words(tmp_path: Path) -> None:
    code = zxingcpp.create_barcode(f"01{GTIN}21ABC", zxingcpp.BarcodeFormat.DataMatrix)
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), np.array(code.to_image(scale=5)))
    result = scan(path)
    assert result.exit_code == NOTHING_READ
    assert "N O T   A   M E D I C I N E   C O D E" in result.stdout
    assert "(]d1)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere/label.png"], "no such file"),
        ([""], "no such file"),
        (["camera:63"], "plugged in"),
        (["PICTURE", "--gateway", "http://127.0.0.1:9"], "api_key_file, node, deployment, place"),
        (["PICTURE", "--config", "/nowhere/scanner.toml"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(picture: Path, arguments: list[str], words: str) -> None:
    result = scan(*(picture if argument == "PICTURE" else argument for argument in arguments))
    assert isinstance(result.exception, PacktraceError)
    assert words in str(result.exception)


# With a gateway that answers like this, and a node that does not answer at all


@pytest.fixture
def gateway() -> Iterator[Callable[[int, bytes], str]]:
    """`gateway(status, body)`: the URL of a server that gives this answer to every POST."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def serving(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serving
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    """`config(gateway)`: a scanner.toml with that gateway and a node that does not answer."""

    def made(gateway: str) -> Path:
        contracts = {name: f"0x{number:040x}" for number, name in enumerate(CONTRACTS, 1)}
        (tmp_path / "network.json").write_text(json.dumps({"chainId": 31337, "block": 1, "contracts": contracts}))
        (tmp_path / "key").write_text("pt_secret\n")
        path = tmp_path / "scanner.toml"
        ours = f'api_key_file = "key"\nnode = "{NO_NODE}"\ndeployment = "network.json"\nplace = 12\n'
        path.write_text(f'gateway = "{gateway}"\n{ours}')
        return path

    return made


MATERIAL = {"pedigree": {"v": 1, "events": []}, "answer": None, "receipt": None}
PRAISE = json.dumps({"verdict": {"headline": "authentic, available"}, "material": MATERIAL}).encode()


def test_gateway_that_calls_a_pack_authentic_without_proof_is_not_believed(
    picture: Path, gateway: Callable[[int, bytes], str], config: Callable[[str], Path]
) -> None:
    result = scan(picture, "--config", config(gateway(200, PRAISE)))
    assert result.exit_code == NOT_AUTHENTIC
    assert "N O T   V E R I F I E D" in result.stdout
    assert "may be dispensed" not in result.stdout
    assert "no node was asked" in result.stdout
    assert "the node:" in result.stderr


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"material": 1}', b'{"material": {"pedigree": {"v": 9}, "answer": null, "receipt": null}}'],
)
def test_material_that_cannot_be_read_breaks_the_evidence(
    picture: Path, gateway: Callable[[int, bytes], str], config: Callable[[str], Path], body: bytes
) -> None:
    (line,) = lines(scan(picture, "--json", "--config", config(gateway(200, body))))
    verdict = line["verdict"]
    assert verdict["headline"] == "evidence broken"  # type: ignore[index]
    assert "what the gateway gave" in verdict["reasons"][0]  # type: ignore[index]


def test_gateway_that_does_not_answer_is_named_and_nothing_is_verified(
    picture: Path, config: Callable[[str], Path]
) -> None:
    result = scan(picture, "--config", config(NO_NODE))
    assert result.exit_code == NOT_AUTHENTIC
    assert "N O T   V E R I F I E D" in result.stdout
    assert "the gateway did not answer" in result.stderr


def test_gateway_in_trouble_is_named_and_nothing_is_verified(
    picture: Path, gateway: Callable[[int, bytes], str], config: Callable[[str], Path]
) -> None:
    result = scan(picture, "--config", config(gateway(503, b'{"title": "Out of order", "status": 503}')))
    assert result.exit_code == NOT_AUTHENTIC
    assert "503 Out of order" in result.stderr


def test_refused_api_key_is_an_error(
    picture: Path, gateway: Callable[[int, bytes], str], config: Callable[[str], Path]
) -> None:
    result = scan(picture, "--config", config(gateway(401, b'{"title": "Not authenticated", "detail": "no such key"}')))
    assert isinstance(result.exception, GatewayError)
    assert "no such key" in str(result.exception)


@pytest.mark.parametrize("key", [b"", b"two words", b"pt_\xff", b"a\x1b"])
def test_file_without_a_key_is_refused(picture: Path, config: Callable[[str], Path], key: bytes) -> None:
    path = config(NO_NODE)
    (path.parent / "key").write_bytes(key)
    result = scan(picture, "--config", path)
    assert isinstance(result.exception, PacktraceError)
    assert "key" in str(result.exception)
