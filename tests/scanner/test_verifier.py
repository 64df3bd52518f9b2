"""The scanner's own verdict on real parts: a devnet, a maker's gateway in its own process, a label picture, and a
gateway that lies."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from packtrace.gs1 import write_yymmdd
from packtrace.gs1.dates import read_iso_date
from packtrace_gateway.demo.companies import AUTHORITY, GTIN, MAKER
from packtrace_gateway.demo.network import Network, scanner_config
from packtrace_gateway.demo.story import EXPIRY, Story
from packtrace_gateway.labels.drawing import to_png
from packtrace_gateway.labels.pack import PackLabel, PackSymbol, pack_drawing
from packtrace_scanner.commands import NOT_AUTHENTIC, app

pytestmark = pytest.mark.e2e

LOT = "AP2611A"
PRINTED_EXPIRY = write_yymmdd(read_iso_date(EXPIRY))
NO_ANSWER = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Shop:
    """A released lot at its maker, and a scanner there."""

    folder: Path
    config: Path
    serials: list[str]
    gateway: str

    def picture(
        self, name: str, *, serial: str = "", expiry: str = PRINTED_EXPIRY, symbol: PackSymbol = "datamatrix"
    ) -> Path:
        path = self.folder / f"{name}.png"
        path.write_bytes(to_png(pack_drawing(PackLabel(GTIN, serial or self.serials[0], LOT, expiry), symbol)))
        return path

    def scan(self, picture: Path, *options: str) -> Result:
        return CliRunner().invoke(app, ["scan", str(picture), "--config", str(self.config), *options])

    def verdict(self, picture: Path, *options: str) -> dict[str, Any]:
        verdict: dict[str, Any] = json.loads(self.scan(picture, "--json", *options).stdout)["verdict"]
        return verdict


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    with Network(folder, companies=(AUTHORITY, MAKER)) as network:
        network.start_chain()
        for company in network.companies:
            network.make_gateway(company)
        network.register()
        network.start_gateways()
        network.set_up_product()
        story = Story(network, Console(file=StringIO()), 20)
        lot = story.commission(LOT, 20, cases=2, pallets=1)
        story.release(lot)
        story.idle(MAKER)
        config = scanner_config(network, network.of(MAKER), folder / "counter.toml")
        yield Shop(folder, config, lot.serials, network.of(MAKER).client.url)


@contextmanager
def lying(gateway: str, lie: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """The URL of a server that passes everything on to the gateway, and changes what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
            answer = httpx.post(gateway + self.path, content=body, headers=headers, timeout=30)
            told = answer.json()
            lie(told)
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def check(verdict: dict[str, Any], name: str) -> bool | None:
    passed: bool | None = next(entry["passed"] for entry in verdict["checks"] if entry["name"] == name)
    return passed


@pytest.mark.parametrize("symbol", ["datamatrix", "qr"])
def test_picture_of_a_released_pack_is_authentic_with_its_history(shop: Shop, symbol: PackSymbol) -> None:
    result = shop.scan(shop.picture(symbol, symbol=symbol))
    assert result.exit_code == 0
    assert "A U T H E N T I C ,   A V A I L A B L E" in result.stdout
    assert "FAILED" not in result.stdout
    assert "not made" not in result.stdout
    assert f"commissioning by {MAKER.public_name}" in result.stdout


def test_another_expiry_printed_is_not_this_products_data(shop: Shop) -> None:
    picture = shop.picture("expiry", expiry="301031")
    assert shop.verdict(picture)["headline"] == "not this product's data"
    assert shop.scan(picture).exit_code == NOT_AUTHENTIC


def test_serial_nobody_made_is_not_authentic(shop: Shop) -> None:
    verdict = shop.verdict(shop.picture("serial", serial="NEVERMADE001"))
    assert verdict["headline"] in ("unknown serial", "not verified")
    assert verdict["history"] == []


def test_a_code_whose_separators_the_scanner_lost_is_named_as_such(shop: Shop) -> None:
    """Serial number and expiry run into each other: a serial that nobody made. That of a known pack is in it."""
    merged = f"]d201{GTIN}21{shop.serials[0]}17{PRINTED_EXPIRY}\n"
    arguments = ["scan", "keyboard", "--config", str(shop.config)]
    said = CliRunner().invoke(app, arguments, input=merged)
    assert said.exit_code == NOT_AUTHENTIC
    assert "may be dispensed" not in said.output
    assert "lost the separators" in said.output
    assert f"(21){shop.serials[0]}(17){PRINTED_EXPIRY}" in said.output.replace("\n", "")
    line = json.loads(CliRunner().invoke(app, [*arguments, "--json"], input=merged).stdout)
    assert line["verdict"]["headline"] in ("unknown serial", "not verified")
    assert line["merged"]["21"] == shop.serials[0]
    unknown = f"]d201{GTIN}21NEVERMADE17{PRINTED_EXPIRY}\n"
    assert json.loads(CliRunner().invoke(app, [*arguments, "--json"], input=unknown).stdout)["merged"] is None


def test_node_that_does_not_answer_leaves_the_chains_checks_not_made(shop: Shop) -> None:
    verdict = shop.verdict(shop.picture("node"), "--node", NO_ANSWER)
    assert verdict["headline"] == "not verified"
    assert check(verdict, "chain") is None
    assert check(verdict, "proofs") is True
    assert verdict["block"] is None


def tampered(told: dict[str, Any]) -> None:
    event = told["material"]["pedigree"]["events"][0]
    event["s"] = ("B" if event["s"][0] == "A" else "A") + event["s"][1:]


def emptied(told: dict[str, Any]) -> None:
    told["material"]["pedigree"]["events"] = []


@pytest.mark.parametrize(("lie", "headline"), [(tampered, "evidence broken"), (emptied, "not verified")])
def test_gateway_that_changes_the_proofs_but_says_authentic_is_caught(
    shop: Shop, lie: Callable[[dict[str, Any]], None], headline: str
) -> None:
    with lying(shop.gateway, lie) as liar:
        assert shop.verdict(shop.picture("lie"), "--gateway", liar)["headline"] == headline


def test_gateways_own_verdict_is_not_looked_at(shop: Shop) -> None:
    def praise(told: dict[str, Any]) -> None:
        told["verdict"] = {"headline": "authentic, available", "words": "authentic, available", "reasons": []}

    with lying(shop.gateway, praise) as liar:
        verdict = shop.verdict(shop.picture("praise", expiry="301031"), "--gateway", liar)
    assert verdict["headline"] == "not this product's data"
