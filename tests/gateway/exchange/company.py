"""One company of the supply chain: its gateway in this process, what its people do and see."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn
from sqlmodel import delete, select

from packtrace.gs1 import split_sgtin_uri, with_check_digit
from packtrace_gateway.access.models import Role
from packtrace_gateway.app import create_app
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.outbox.models import Lease
from packtrace_gateway.settings import Settings

PREFIX = "9506000"
EXPIRY = "2031-05-31"
PATIENCE = 90.0  # seconds


def gln(party: int) -> str:
    return with_check_digit(f"{PREFIX}{party:05}")


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE, about: Callable[[], Any] | None = None) -> Any:
    """Call `what` until it gives something true."""
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, about() if about else "it did not happen in time"
        time.sleep(0.1)
    return found


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Party:
    """One company's gateway in this process: started and stopped like a real one, its folder stays."""

    number: int
    settings: Settings
    gateway: Gateway = field(init=False)
    http: httpx.Client = field(init=False)
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        app = create_app(self.settings)
        self.gateway = app.state.gateway
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=self.settings.port,
                log_config=None,
                ws="none",
                timeout_keep_alive=600,  # a test may wait long between two requests
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        wait_for(lambda: self._server and self._server.started)
        _row, key = self.gateway.access.create("test", list(Role))
        self.http = httpx.Client(
            base_url=self.settings.endpoint or "", timeout=120, headers={"Authorization": f"Bearer {key}"}
        )

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
            self.http.close()
            self._server = None
            database = Database(self.settings.database_url)
            with database.write() as session:  # a process that has ended loses its lease; this one goes on
                session.execute(delete(Lease))
            database.close()

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    # ---- what its people do ----

    def capture(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        document = {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": now(),
            "epcisBody": {"eventList": list(events)},
        }
        found: list[dict[str, Any]] = self.post("/capture", document)["events"]
        return found

    def _event(self, kind: str, action: str, step: str, **fields: Any) -> dict[str, Any]:
        place = {"readPoint": {"id": f"https://id.gs1.org/414/{gln(self.number)}"}}
        base = {"type": kind, "action": action, "eventTime": now(), "eventTimeZoneOffset": "+00:00", "bizStep": step}
        return base | place | fields

    def commission(self, packs: Sequence[str], lot: str = "L1") -> dict[str, Any]:
        ilmd = {"cbvmda:lotNumber": lot, "cbvmda:itemExpirationDate": EXPIRY}
        return self._event("ObjectEvent", "ADD", "commissioning", epcList=list(packs), ilmd=ilmd)

    def pack(self, parent: str, children: Sequence[str]) -> dict[str, Any]:
        return self._event("AggregationEvent", "ADD", "packing", parentID=parent, childEPCs=list(children))

    def unpack(self, parent: str, children: Sequence[str] = ()) -> dict[str, Any]:
        return self._event("AggregationEvent", "DELETE", "unpacking", parentID=parent, childEPCs=list(children))

    def ship(self, receiver: int, units: Sequence[str]) -> dict[str, Any]:
        to = [{"type": "possessing_party", "destination": f"https://id.gs1.org/417/{gln(receiver)}"}]
        return self._event("ObjectEvent", "OBSERVE", "shipping", epcList=list(units), destinationList=to)

    def receive(self, units: Sequence[str]) -> dict[str, Any]:
        return self._event("ObjectEvent", "OBSERVE", "receiving", epcList=list(units))

    # ---- what they see ----

    def trouble(self) -> Any:
        """Calls that are not on chain, and why."""
        answer = self.get("/outbox")
        return answer["trouble"], [call for call in answer["calls"] if call["state"] not in ("included", "final")]

    def bytes_of(self, model: Any, owner: Any, number: int) -> bytes:
        with self.gateway.database.read() as session:
            return b"".join(session.execute(select(model.data).where(owner == number).order_by(model.number)).scalars())

    def shipment(self, unit: str) -> dict[str, Any]:
        """The newest shipment of a unit."""
        return self._newest("/shipments", unit)

    def arrival(self, unit: str) -> dict[str, Any] | None:
        """The newest arrival of a unit."""
        return self._newest("/arrivals", unit)

    def _newest(self, path: str, unit: str) -> Any:
        found = [entry for entry in self.get(path) if any(one["uri"] == unit for one in entry["units"])]
        return found[0] if found else None

    def place(self, unit: str) -> str | None:
        """Where the gateway thinks a unit or pack is, by the name of the place."""
        with self.gateway.database.read() as session:
            state = self.gateway.store.states(session, [unit]).get(unit)
        return state.place.name if state else None

    def verify(self, pack: str, **printed: str) -> dict[str, Any]:
        """The verdict on a pack, with what is printed on it."""
        gtin, serial = split_sgtin_uri(pack) or ("", "")
        verdict: dict[str, Any] = self.post("/verify", {"gtin": gtin, "serial": serial, **printed})["verdict"]
        return verdict

    def wait_arrival(self, unit: str, state: str = "accepted") -> dict[str, Any]:
        found: dict[str, Any] = wait_for(
            lambda: (entry := self.arrival(unit)) and entry["state"] == state and entry,
            about=lambda: (self.arrival(unit), self.gateway.outbox.trouble),
        )
        return found

    def wait_hand_over(self, unit: str, state: str, error: str = "") -> dict[str, Any]:
        """Until the newest shipment of a unit is in `state`, with `error` in its error."""

        def look() -> Any:
            entry = self.shipment(unit)
            return entry if entry["state"] == state and error in (entry["error"] or "") else None

        found: dict[str, Any] = wait_for(look, about=lambda: self.shipment(unit))
        return found

    def product(self, digest: str) -> dict[str, Any] | None:
        """The product data of an event that is stored here."""
        with self.gateway.database.read() as session:
            query = select(StoredEvent).where(StoredEvent.digest == bytes.fromhex(digest))
            event = session.execute(query).scalar()
        product: dict[str, Any] | None = stored_header(event.header).core["product"] if event else None
        return product

    def wait_goods(self, unit: str, goods: str) -> dict[str, Any]:
        """Until a unit's goods are so, in the newest shipment or arrival of it here."""

        def look() -> Any:
            for entry in (self.arrival(unit), self.shipment(unit)):
                for one in entry["units"] if entry else ():
                    if one["uri"] == unit and one["goods"] == goods:
                        return entry
            return None

        found: dict[str, Any] = wait_for(look, about=lambda: (self.arrival(unit), self.shipment(unit)))
        return found


@contextmanager
def holding(party: Party, name: str = "hand-over") -> Iterator[None]:
    """One of the gateway's workers does nothing meanwhile."""
    worker = next(worker for worker in party.gateway.workers._workers if worker.name == name)
    original = worker._run_once
    idle = threading.Event()

    def nothing() -> float:
        idle.set()
        return 0.05

    worker._run_once = nothing
    worker.wake()
    idle.wait(30)
    try:
        yield
    finally:
        worker._run_once = original
