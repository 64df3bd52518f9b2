"""One gateway with all keys on a real devnet, and what a test does with it."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlmodel import select

from packtrace.chain.registry import RegistryAdmin
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.gs1 import sgtin_uri, sscc_uri, with_check_digit
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.keys import Purpose
from packtrace_gateway.status.models import Operation

Json = dict[str, Any]
Serve = Callable[[FastAPI], AbstractContextManager[httpx.Client]]
PARTY, OTHER = 2, 99
GTIN, OTHER_GTIN, EXPIRY = "09506000134352", "09506000134369", "2031-05-31"
REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER = 1, 2, 4, 8, 16  # IPartyRegistry
EVERYTHING = REGULATOR | MAH | MANUFACTURER | WHOLESALER | DISPENSER
PURPOSES = {Purpose.OPERATE: 1, Purpose.LINE: 2, Purpose.QUALITY: 4, Purpose.MANAGE: 8}
PATIENCE = 60.0
QUICK = 0.05  # seconds between two looks at the chain


@dataclass
class Plant:
    """The gateway, its devnet, the authority's hand on the registry, and what a test does with them."""

    devnet: Devnet
    authority: RegistryAdmin
    gateway: Gateway
    client: httpx.Client
    key: dict[str, str]
    quality: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters or None, headers=self.key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 202) -> Any:
        answer = self.client.post(path, json=body, headers=self.key)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def until(self, what: Callable[[], Any], *, mine: bool = False) -> Any:
        """Call `what` until it gives something true; with `mine`, blocks are made meanwhile."""
        limit = time.monotonic() + PATIENCE
        while not (found := what()):
            assert time.monotonic() < limit, f"it did not happen in time; {self.gateway.outbox.trouble}"
            if mine:
                self.devnet.mine()
            time.sleep(QUICK)
        return found

    def idle(self) -> None:
        """Wait until every event is sealed, and every call at its end or in a block."""
        self.until(lambda: self.sealed() and not self.calls("queued", "signed", "broadcast"))

    def quiet(self) -> None:
        """Wait until nothing moves: every call is at its end, so that the next block has what the test sends only."""
        self.until(lambda: self.sealed() and not self.calls("queued", "signed", "broadcast", "included"), mine=True)

    def calls(self, *states: str) -> list[Json]:
        return [call for call in self.get("/outbox")["calls"] if call["state"] in states]

    def sealed(self) -> bool:
        return not any(row.seal_id is None and row.secret for row in self.events())

    def events(self) -> list[StoredEvent]:
        with self.gateway.database.read() as session:
            return list(session.exec(select(StoredEvent)))

    # ---- goods ----

    def capture(self, *events: Json) -> list[Json]:
        body = {
            "@context": GS1_CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-01-05T09:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }
        captured: list[Json] = self.post("/capture", body)["events"]
        return captured

    def event(self, kind: str, action: str, step: str, **fields: Any) -> Json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {"type": kind, "action": action, "bizStep": step, "eventTime": now, "eventTimeZoneOffset": "+00:00"}
        return known | fields

    def commission(self, count: int, expiry: str = EXPIRY, gtin: str = GTIN) -> "Lot":
        """A new lot; its proposal is on its way."""
        number = next(self.numbers)
        lot = Lot(gtin, f"L{number}", expiry, [f"S{number}x{serial}" for serial in range(count)])
        ilmd = {"cbvmda:lotNumber": lot.lot, "cbvmda:itemExpirationDate": expiry}
        made = self.event("ObjectEvent", "ADD", "commissioning", epcList=lot.packs, ilmd=ilmd)
        (lot.captured,) = self.capture(made)
        lot.batch = lot.captured["batch"]
        return lot

    def released(self, count: int, expiry: str = EXPIRY, gtin: str = GTIN) -> "Lot":
        lot = self.commission(count, expiry, gtin)
        self.post(f"/batches/{lot.batch}/release")
        self.batch(lot, "released")
        return lot

    def batch(self, lot: "Lot", state: str) -> Json:
        """Wait until a batch has come so far."""
        found: Json = self.until(lambda: next((b for b in self.batches(lot) if b["state"] == state), None))
        return found

    def batches(self, lot: "Lot") -> list[Json]:
        found: list[Json] = self.get("/batches", lot=lot.lot)
        return found

    def sscc(self) -> str:
        return sscc_uri(with_check_digit(f"0950600{next(self.numbers):010}"))

    def pack(self, uris: Sequence[str]) -> str:
        case = self.sscc()
        self.capture(self.event("AggregationEvent", "ADD", "packing", parentID=case, childEPCs=list(uris)))
        return case

    # ---- people ----

    def verdict(self, lot: "Lot", index: int) -> Json:
        verdict: Json = self.post("/verify", lot.code(index), 200)["verdict"]
        return verdict

    def submit(self, lot: "Lot", *indices: int, to: str = "supplied", **more: Any) -> Json:
        body = {"packs": [lot.code(index) for index in indices]} | more
        path = "/dispense" if to == "supplied" else "/status"
        operation: Json = self.post(path, body if to == "supplied" else body | {"to": to})
        return operation

    def operation(self, operation: Json) -> Json:
        found: Json = self.get(f"/operations/{operation['id']}")
        return found

    def settled(self, operation: Json) -> Json:
        def done() -> Json | None:
            found = self.operation(operation)
            return None if found["state"] == "pending" else found

        found: Json = self.until(done)
        return found

    def outcomes(self, lot: "Lot", *indices: int, to: str = "supplied", **more: Any) -> list[str]:
        return [pack["outcome"] for pack in self.settled(self.submit(lot, *indices, to=to, **more))["packs"]]

    def alert(self, unit: str, **wanted: Any) -> Json:
        """The newest alert about a unit, once it is there."""

        def found() -> Json | None:
            mine = [alert for alert in self.get("/alerts") if alert["unit"] == unit]
            return next((one for one in mine if all(one[name] == value for name, value in wanted.items())), None)

        alert: Json = self.until(found)
        return alert


@dataclass
class Lot:
    gtin: str
    lot: str
    expiry: str
    serials: list[str]
    batch: int = 0
    captured: Json = field(default_factory=dict)

    @property
    def packs(self) -> list[str]:
        return [sgtin_uri(self.gtin, serial) for serial in self.serials]

    def code(self, index: int) -> Json:
        return {"gtin": self.gtin, "serial": self.serials[index], "lot": self.lot, "expiry": self.expiry}


def authorise(plant: Plant, **body: Any) -> None:
    row = plant.post(f"/products/{GTIN}/authorisations", body)["outbox"]
    plant.until(lambda: plant.get(f"/outbox/{row}")["state"] in ("included", "final"))


def recorded(plant: Plant, operation: Json) -> StoredEvent | None:
    """The EPCIS event of an operation, once it is final."""
    with plant.gateway.database.read() as session:
        row = session.get_one(Operation, operation["id"])
        return session.get_one(StoredEvent, row.event) if row.event else None
