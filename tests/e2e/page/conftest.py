"""The phone page at a pharmacy of a real network: devnet, gateways, packs that came the whole way, a Chromium."""

import base64
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rich.console import Console

from packtrace_gateway.access.models import Role
from packtrace_gateway.demo.companies import GTIN, PHARMACY_A
from packtrace_gateway.demo.network import Network, Running
from packtrace_gateway.demo.story import EXPIRY_YYMMDD, LOT, Lot, Story, serial_of

sys.path.insert(0, str(Path(__file__).parent))
import film
from chromium import Browser, Page, find

ROOT = Path(__file__).resolve().parents[3]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium a user's run leaves these tests out, and says so; with CI=true they fail."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if find() is not None or os.environ.get("CI") == "true" or not here:
        return
    config.hook.pytest_deselected(items=here)
    items[:] = [item for item in items if item not in here]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.write_line(f"{len(here)} tests of the phone page left out: install Chromium")


@dataclass
class Counter:
    """A pharmacy's counter: its gateway with the page, packs that came there, and phones."""

    network: Network
    lot: Lot
    packs: list[str]
    folder: Path
    key: str
    browsers: list[Browser] = field(default_factory=list)

    @property
    def gateway(self) -> Running:
        return self.network.of(PHARMACY_A)

    @property
    def url(self) -> str:
        return f"{self.network.page_origin}/phone/"

    def pack(self) -> str:
        """The serial number of a pack that no other test has."""
        return serial_of(self.packs.pop())

    def code(self, serial: str) -> str:
        return f"[01]{GTIN}[17]{EXPIRY_YYMMDD}[10]{self.lot.lot}[21]{serial}"

    def film_of(self, serial: str, *, code: str | None = None) -> Path:
        lines = (f"PC {GTIN}", f"SN {serial}", f"Lot {self.lot.lot}", "EXP 31 10 2029")
        face = film.pack_face(code or self.code(serial), lines)
        return film.write(self.folder / f"{serial}.y4m", film.moving(face, 1.5, seed=5))

    def phone(self, shown: Path | None = None) -> Page:
        """A phone with nothing on it yet, its camera on a film."""
        certificate = x509.load_pem_x509_certificate((self.gateway.folder / "tls" / "gateway.crt").read_bytes())
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        trusted = base64.b64encode(sha256(spki).digest()).decode()
        folder = self.folder / f"browser-{len(self.browsers)}"
        browser = Browser(folder, film=shown, trusted_key=trusted)
        self.browsers.append(browser)
        return browser.page

    def ready(self, shown: Path | None = None) -> Page:
        """A phone that was set up, by hand."""
        page = self.phone(shown)
        page.open(self.url)
        set_up(page, self)
        return page


def set_up(page: Page, counter: Counter) -> None:
    """What a pharmacist does once: key, the network's file, node."""
    page.until("document.querySelector('input[name=key]')?.name")
    page.fill("input[name=key]", counter.key)
    page.choose("input[type=file]", counter.network.deployment_file)
    page.until("document.querySelector('.fingerprint:not(:empty)')?.innerText")
    page.fill("input[name=node]", counter.network.devnet.url)
    page.tap("Check and save")
    page.until("document.body.dataset.view === 'scan'")


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder = tmp_path_factory.mktemp("page")
    with Network(folder / "run") as network:
        story = Story(network, Console(quiet=True), 1_000)
        story.set_up()
        lot = story.commission(LOT, 1_000, cases=10)
        story.release(lot)
        case = story.deliver(lot)
        for company in network.companies:
            story.idle(company)
        made = network.of(PHARMACY_A).client.post("/keys", {"name": "the counter's phone", "roles": [Role.DISPENSER]})
        counter = Counter(network, lot, list(lot.in_case[case]), folder, made["key"])
        yield counter
        for browser in counter.browsers:
            browser.close()
    shutil.rmtree(folder, ignore_errors=True)  # films are large


@pytest.fixture
def phone(counter: Counter) -> Iterator[Callable[[Path | None], Page]]:
    """Makes phones that are set up, and looks in the end whether anything went wrong in them."""
    pages: list[Page] = []

    def made(shown: Path | None = None) -> Page:
        pages.append(counter.ready(shown))
        return pages[-1]

    yield made
    for page in pages:
        page.pump(0.05)
        assert page.errors == []
