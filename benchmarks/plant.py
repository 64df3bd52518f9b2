"""Real gateways to measure: the demo's network around one maker, and HTTP to it that costs next to nothing itself."""

import http.client
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from packtrace.errors import PacktraceError
from packtrace.gs1 import sgtin_uri
from packtrace.gs1.serials import draw
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import GTIN, MAKER, Company
from packtrace_gateway.demo.network import Network, Running

LOT_EXPIRY = "2029-10-31"
TIMEOUT = 600.0
KEEP = 2.0  # seconds; the gateway closes a connection that is idle for 5
PATIENCE = 300.0


class Caller:
    """HTTP to one gateway on one kept connection. Not safe to share between threads."""

    def __init__(self, running: Running) -> None:
        host = urlsplit(running.client.url).netloc
        self._connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
        self._used = 0.0
        self._headers = {"Authorization": f"Bearer {running.api_key}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes) -> bytes:
        return self._ask("POST", path, body)

    def get(self, path: str) -> Any:
        return orjson.loads(self._ask("GET", path, None))

    def text(self, path: str) -> str:
        return self._ask("GET", path, None).decode()

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        if time.monotonic() - self._used > KEEP:
            self._connection.close()
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        self._used = time.monotonic()
        if response.status >= 300:
            raise PacktraceError(f"{method} {path} was refused", value=answer[:500].decode())
        return answer


@dataclass(slots=True)
class Lot:
    """A lot with fresh random serial numbers; `batch` once it was captured."""

    number: str
    serials: list[str] = field(repr=False)
    batch: int = 0

    @property
    def uris(self) -> list[str]:
        return [sgtin_uri(GTIN, serial) for serial in self.serials]

    def commissioning(self) -> bytes:
        """The document that a line sends."""
        return orjson.dumps(documents.document(documents.commissioning(MAKER, self.uris, self.number, LOT_EXPIRY)))

    def question(self, serial: str) -> bytes:
        """The body of a `POST /verify`, with everything that the code says."""
        return orjson.dumps({"gtin": GTIN, "serial": serial, "lot": self.number, "expiry": LOT_EXPIRY})


class Plant:
    """A devnet with a block every second, the maker's gateway, set up to commission, and those of `others`."""

    def __init__(self, folder: Path, *others: Company) -> None:
        self.network = Network(folder, companies=(MAKER, *others))

    def __enter__(self) -> "Plant":
        network = self.network
        try:
            network.start_chain()
            for company in network.companies:
                network.make_gateway(company)
            self.configure()
            network.register()
            network.start_gateways()
            network.introduce()
            network.set_up_product()
        except BaseException:
            network.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.network.stop()

    def configure(self) -> None:
        """Called when the gateways' folders are there, before they start."""

    @property
    def maker(self) -> Running:
        return self.network.of(MAKER)

    @property
    def process(self) -> int:
        """The maker's gateway."""
        assert self.maker.process is not None
        return self.maker.process.pid

    def commission(self, caller: Caller, size: int) -> Lot:
        """A new lot of `size` packs, captured and acknowledged."""
        lot = new_lot(size)
        lot.batch = orjson.loads(caller.post("/capture", lot.commissioning()))["events"][0]["batch"]
        return lot

    def release(self, lots: Iterable[Lot]) -> None:
        """Release the lots, and wait until the chain has it."""
        client = self.maker.client
        for state in ("proposed", "released"):
            for lot in lots:
                client.wait("/batches", lambda found: found[0]["state"] == state, patience=PATIENCE, lot=lot.number)  # noqa: B023
                if state == "proposed":
                    client.post(f"/batches/{lot.batch}/release")


def new_lot(size: int) -> Lot:
    return Lot(f"B{time.time_ns() % 10**12:012}", draw(size))
