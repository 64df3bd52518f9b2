"""A pharmacy's counter: a real network, packs that came there the whole way, and phones with the page."""

import base64
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rich.console import Console

from packtrace_gateway.access.models import Role
from packtrace_gateway.demo.companies import GTIN, PHARMACY_A
from packtrace_gateway.demo.network import Network, Running
from packtrace_gateway.demo.story import EXPIRY_YYMMDD, LOT, Lot, Story, serial_of

sys.path.insert(0, str(Path(__file__).parent))
import film
from chromium import Browser, Page

UNITS, CASES = 1_000, 10  # of which one case comes to the counter


@dataclass
class Counter:
    """The pharmacy's gateway with the page, packs that nobody has used yet, and the phones."""

    network: Network
    lot: Lot
    packs: list[str]
    folder: Path
    key: str
    browsers: list[Browser] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def gateway(self) -> Running:
        return self.network.of(PHARMACY_A)

    @property
    def url(self) -> str:
        return f"{self.network.page_origin}/phone/"

    def pack(self) -> str:
        """The serial number of a pack that nobody else has."""
        return serial_of(self.packs.pop())

    def code(self, serial: str) -> str:
        return f"[01]{GTIN}[17]{EXPIRY_YYMMDD}[10]{self.lot.lot}[21]{serial}"

    def film_of(self, serial: str, seconds: float = 1.0) -> Path:
        """A film of the pack in somebody's hand."""
        lines = (f"PC {GTIN}", f"SN {serial}", f"Lot {self.lot.lot}", "EXP 31 10 2029")
        face = film.pack_face(self.code(serial), lines)
        return film.write(self.folder / f"{serial}.y4m", film.moving(face, seconds, seed=5))

    @property
    def port(self) -> int:
        return int(self.network.page_origin.rsplit(":", 1)[1])

    def phone(self, shown: Path | None = None, through: int | None = None) -> Page:
        """A phone with nothing on it yet, its camera on a film; set up by hand.

        `through` is the port by which it comes to the gateway.
        """
        certificate = x509.load_pem_x509_certificate((self.gateway.folder / "tls" / "gateway.crt").read_bytes())
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        trusted = base64.b64encode(sha256(spki).digest()).decode()
        way = [f"--host-resolver-rules=MAP 127.0.0.1:{self.port} 127.0.0.1:{through}"] if through else []
        folder = self.folder / f"browser-{next(self.numbers)}"
        browser = Browser(folder, film=shown, trusted_key=trusted, more=way)
        self.browsers.append(browser)
        page = browser.page
        page.open(self.url)
        page.until("document.querySelector('input[name=key]')?.name")
        page.fill("input[name=key]", self.key)
        page.choose("input[type=file]", self.network.deployment_file)
        page.until("document.querySelector('.fingerprint:not(:empty)')?.innerText")
        page.fill("input[name=node]", self.network.devnet.url)
        page.tap("Check and save")
        page.until("document.body?.dataset.view === 'scan'")
        return page

    def close_phones(self) -> None:
        for browser in self.browsers:
            browser.close()


@contextmanager
def opened(folder: Path) -> Iterator[Counter]:
    """The counter, from an empty network on."""
    with Network(folder / "run") as network:
        story = Story(network, Console(quiet=True), UNITS)
        story.set_up()
        lot = story.commission(LOT, UNITS, cases=CASES)
        story.release(lot)
        case = story.deliver(lot)
        for company in network.companies:
            story.idle(company)
        made = network.of(PHARMACY_A).client.post("/keys", {"name": "the counter's phone", "roles": [Role.DISPENSER]})
        counter = Counter(network, lot, list(lot.in_case[case]), folder, made["key"])
        try:
            yield counter
        finally:
            counter.close_phones()
