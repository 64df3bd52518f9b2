"""A supply chain for the exchange: real gateways with databases and keys of their own, over HTTP, on one devnet."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from eth_account import Account
from eth_account.messages import encode_defunct
from sqlmodel import delete, select

from packtrace.chain.deploy import deploy
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.gs1 import sgtin_uri, split_sgtin_uri, sscc_uri, with_check_digit
from packtrace.gs1.keys import make_sscc
from packtrace.product import gln_commitment
from packtrace_gateway import keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.app import create_app
from packtrace_gateway.db import Database
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.exchange import custody, receipts, receiving, sending, timing
from packtrace_gateway.exchange.models import PIECE_BYTES, Arrival, ArrivalPiece, HandOver, HandOverPiece
from packtrace_gateway.exchange.package import digest
from packtrace_gateway.exchange.sending import Sending
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.keys import Purpose
from packtrace_gateway.outbox.models import Lease
from packtrace_gateway.settings import Settings

GTIN = with_check_digit("0950600013435")
PREFIX = "9506000"
AUTHORITY, MAH, PLANT, WHOLESALER, PHARMACY, SHOP = 1, 10, 11, 20, 30, 31
ROLES = {AUTHORITY: 1, MAH: 2, PLANT: 4, WHOLESALER: 8, PHARMACY: 16, SHOP: 16}
BITS = {Purpose.OPERATE: 1, Purpose.LINE: 2, Purpose.QUALITY: 4, Purpose.MANAGE: 8}
EXPIRY = "2031-05-31"
BLOCK_SECONDS = 0.2
PATIENCE = 90.0
# Nobody waits for tests.
QUICKLY = (
    (custody, "EVERY_SECONDS", 0.4),
    (sending, "IDLE_SECONDS", 0.4),
    (receiving, "IDLE_SECONDS", 0.4),
    (timing, "FIRST_SECONDS", 0.05),
)


def gln(party: int) -> str:
    return with_check_digit(f"{PREFIX}{party:05}")


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE, about: Callable[[], Any] | None = None) -> Any:
    """Call `what` until it gives something true."""
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, about() if about else "it did not happen in time"
        time.sleep(0.1)
    return found


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


@dataclass
class World:
    """All of them, and the licensing authority."""

    devnet: Devnet
    admin: RegistryAdmin
    parties: dict[int, Party]
    _serial: int = 0
    _sscc: int = 0
    _stock: list[str] = field(default_factory=list)

    def __getitem__(self, number: int) -> Party:
        return self.parties[number]

    def join(self, folder: Path, number: int, roles: int, *purposes: Purpose) -> Party:
        """Another company with a gateway comes in."""
        plant = self[PLANT].settings
        own = make_settings(folder, number, self.devnet, Path(plant.deployment))
        for purpose in purposes:
            keys.add_key(own, purpose)
        ROLES[number], self.parties[number] = roles, Party(number, own)
        _register_party(self, self[number])
        self[number].start()
        _introduce_partners(self)
        return self[number]

    def authorise(self, **body: Any) -> None:
        """The holder lets a line, or a qualified person, act for the product."""
        plant = self[PLANT]
        path = f"/outbox/{plant.post(f'/products/{GTIN}/authorisations', body)['outbox']}"
        wait_for(lambda: plant.get(path)["state"] in ("included", "final"), about=plant.trouble)

    def signers(self, number: int, purpose: Purpose = Purpose.OPERATE) -> list[str]:
        """Addresses of a party's keys."""
        return [address for kind, address in keys.addresses(self[number].settings) if kind is purpose]

    def packs(self, count: int) -> list[str]:
        """Fresh serial numbers."""
        first, self._serial = self._serial, self._serial + count
        return [sgtin_uri(GTIN, f"S{number:09}") for number in range(first, first + count)]

    def lot(self, packs: list[str], lot: str = "L1") -> None:
        """Commission packs at the plant, and release them."""
        plant = self[PLANT]
        number = plant.capture(plant.commission(packs, lot))[0]["batch"]

        def state() -> str:
            return str(next(batch["state"] for batch in plant.get("/batches") if batch["number"] == number))

        wait_for(lambda: state() == "proposed", about=plant.trouble)
        plant.post(f"/batches/{number}/release")
        wait_for(lambda: state() == "released", about=plant.trouble)

    def stock(self, count: int) -> list[str]:
        """Packs of a released lot, not packed yet."""
        if len(self._stock) < count:
            self._stock = self.packs(max(count, 500))
            self.lot(self._stock)
        taken, self._stock = self._stock[:count], self._stock[count:]
        return taken

    def units(self, count: int) -> list[str]:
        """Fresh logistic units."""
        first, self._sscc = self._sscc, self._sscc + count
        return [sscc_uri(make_sscc(PREFIX, number)) for number in range(first + 1, first + count + 1)]

    def pallet(self, packs: int = 6, cases: int = 2) -> tuple[str, list[str], list[str]]:
        """A fresh pallet at the plant: its URI, its cases, its packs."""
        plant, uris, (pallet, *boxes) = self[PLANT], self.stock(packs), self.units(1 + cases)
        plant.capture(
            *(plant.pack(case, uris[at::cases]) for at, case in enumerate(boxes)),
            plant.pack(pallet, boxes),
        )
        return pallet, boxes, uris

    def holding(self, number: int, worker: str) -> Any:
        return holding(self[number], worker)

    def by_hand(self) -> "ByHand":
        return ByHand()

    def wait(self, what: Callable[[], Any]) -> Any:
        return wait_for(what)

    def deliver(self, sender: int, receiver: int, unit: str) -> None:
        """Ship, hand over, receive."""
        self[sender].capture(self[sender].ship(receiver, [unit]))
        self[receiver].wait_arrival(unit)
        self[receiver].capture(self[receiver].receive([unit]))
        self[receiver].wait_goods(unit, "received")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_settings(folder: Path, number: int, devnet: Devnet, deployment: Path) -> Settings:
    port = free_port()
    made = settings.from_values(
        {
            "party": number,
            "company": MAH if number == PLANT else number,
            "name": f"party {number}",
            "gln": gln(number),
            "gln_salt": f"{number:032x}",
            "public_places": number in (PLANT, WHOLESALER),
            "port": port,
            "endpoint": f"http://127.0.0.1:{port}",
            "node": devnet.url,
            "deployment": str(deployment),
            "seal_every": 0.2,
            "regulator": AUTHORITY if number == PLANT else None,
        },
        folder=folder,
    )
    keys.make_passphrase(made)
    for purpose in BITS if number == PLANT else (Purpose.OPERATE,):
        keys.add_key(made, purpose)
    keys.add_key(made, Purpose.RELAYER)
    database = Database(made.database_url)
    database.migrate()
    database.close()
    return made


_RUNNING = ExitStack()
_WORLDS: list[World] = []


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One network for all tests of this folder."""
    with _RUNNING:
        made = _RUNNING.enter_context(network(tmp_path_factory.mktemp("exchange")))
        _WORLDS.append(made)
        yield made


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A network of its own, for tests that move the chain's clock. The other one rests until the file's end."""
    for party in _running():
        party.stop()
    try:
        with network(tmp_path_factory.mktemp("later")) as made:
            yield made
    finally:
        for party in _running():
            party.start()


def _running() -> list[Party]:
    """The gateways of the network for all tests, if it was started here."""
    return [party for made in _WORLDS for party in made.parties.values()]


@pytest.hookimpl(trylast=True)  # when the fixtures of the last test have had it
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The network ends with the last test here, not with the session: the tests after it want the machine."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _RUNNING.close()
        _WORLDS.clear()


@contextmanager
def network(folder: Path) -> Iterator[World]:
    with (
        pytest.MonkeyPatch.context() as patch,
        Devnet(folder / "devnet", block_time=BLOCK_SECONDS, save_interval=3600) as devnet,
    ):
        for module, name, seconds in QUICKLY:
            patch.setattr(module, name, seconds)
        account = devnet.accounts[0]
        deployment = deploy(devnet.node, account, account.address)
        deployment.save(folder / "deployment.json")
        numbers = [AUTHORITY, PLANT, WHOLESALER, PHARMACY, SHOP]
        parties = {
            number: Party(number, make_settings(folder / str(number), number, devnet, folder / "deployment.json"))
            for number in numbers
        }
        made = World(devnet, RegistryAdmin(devnet.node, deployment, account), parties)
        _register(made)
        try:
            for party in parties.values():
                party.start()
            _introduce(made)
            yield made
        finally:
            for party in parties.values():
                party.stop()


def _register(world: World) -> None:
    plant = world[PLANT].settings
    with world.admin.together():
        world.admin.register_party(
            MAH, company=MAH, roles=ROLES[MAH], gln_commitment=bytes(32), name="Maker", endpoint=plant.endpoint or ""
        )
    for party in world.parties.values():
        _register_party(world, party)


def _register_party(world: World, party: Party) -> None:
    own, number = party.settings, party.number
    with world.admin.together():
        world.admin.register_party(
            number,
            company=own.company,
            roles=ROLES[number],
            gln_commitment=gln_commitment(bytes.fromhex(own.gln_salt), own.gln),
            name=own.name,
            endpoint=own.endpoint or "",
        )
        for purpose, address in keys.addresses(own):
            if purpose in BITS:
                world.admin.add_key(number, address, BITS[purpose])
    for purpose, address in keys.addresses(own):
        if purpose is Purpose.RELAYER:
            world.devnet.fund(address, 10**24)


def _introduce_partners(world: World) -> None:
    for one in world.parties.values():
        for other in world.parties.values():
            if one is not other:
                body = {"party": other.number, "salt": other.settings.gln_salt, "name": other.settings.name}
                assert one.http.put(f"/partners/{other.settings.gln}", json=body).status_code == 204


def _introduce(world: World) -> None:
    _introduce_partners(world)
    plant = world[PLANT]
    product = plant.post("/products", {"gtin": GTIN})
    with world.admin.together():
        world.admin.register_product(bytes.fromhex(product["productKey"]), MAH)
        world.admin.list_gtin(bytes.fromhex(product["gtinHash"]), MAH)
    quality = dict(keys.addresses(plant.settings))[Purpose.QUALITY]
    world.authorise(line=PLANT, until=FOREVER)
    world.authorise(quality=quality, until=FOREVER)


class ByHand:
    """A hand-over held back, so that a test can send the package itself, or another one."""

    def package(self, world: World, sender: int, receiver: int, unit: str) -> bytes:
        """Ship, let the package be made, and hold it; its bytes. The receiver gets nothing."""
        party = world[sender]
        with holding(party):
            party.capture(party.ship(receiver, [unit]))
            wait_for(lambda: self._ready(party, unit))
            number = party.shipment(unit)["id"]
            with party.gateway.database.write() as session:
                session.get_one(HandOver, number).next_try = time.time() + 3600
                pieces = select(HandOverPiece.data).where(HandOverPiece.hand_over == number)
                return b"".join(session.execute(pieces.order_by(HandOverPiece.number)).scalars())

    def _ready(self, party: Party, unit: str) -> bool:
        """Take the steps that make packages, and none that sends one."""
        Sending.run_once(party.gateway.exchange.sending)
        return bool(party.shipment(unit)["state"] == "ready")

    def release(self, party: Party, unit: str) -> None:
        """Let the gateway send it after all."""
        with party.gateway.database.write() as session:
            session.get_one(HandOver, party.shipment(unit)["id"]).next_try = 0.0

    def ask(self, party: Party, receiver: int, data: bytes) -> dict[str, Any]:
        """How far a package has come."""
        return party.gateway.exchange.client.request(receiver, "GET", f"/exchange/packages/{digest(data).hex()}")

    def upload(self, party: Party, receiver: int, data: bytes, name: str | None = None) -> dict[str, Any]:
        """Send a package as the sender's gateway would; the receiver's last answer."""
        client, name = party.gateway.exchange.client, name or digest(data).hex()
        body = json.dumps({"digest": name, "size": len(data)}).encode()
        answer = client.request(receiver, "POST", "/exchange/packages", body)
        while answer["offset"] < len(data):
            at = answer["offset"]
            target = f"/exchange/packages/{name}?offset={at}"
            answer = client.request(receiver, "PATCH", target, data[at : at + PIECE_BYTES])
        return answer


@pytest.fixture
def by_hand() -> ByHand:
    return ByHand()


class Proofs:
    """What each side can show to a third party, from its own database alone."""

    def check(self, world: World, shipment: dict[str, Any], arrival: dict[str, Any]) -> None:
        receipt, signer = receipts.read(shipment["receipt"])
        assert world.signers(arrival["receipt"]["to"]) == [signer]
        assert receipt.outcome == "accepted"
        sent = world[receipt.sender].bytes_of(HandOverPiece, HandOverPiece.hand_over, shipment["id"])
        came = world[receipt.receiver].bytes_of(ArrivalPiece, ArrivalPiece.arrival, arrival["id"])
        assert digest(sent) == digest(came) == receipt.package
        with world[receipt.receiver].gateway.database.read() as session:
            proof = json.loads(session.get_one(Arrival, arrival["id"]).announcement)
        recovered = Account.recover_message(encode_defunct(text=proof["text"]), signature=proof["signature"])
        assert world.signers(receipt.sender, Purpose.OPERATE) == [recovered]
        body = json.dumps({"digest": receipt.package.hex(), "size": len(came)}, separators=(",", ":"))
        assert sha256(body.encode()).hexdigest() in proof["text"].split("\n")


@pytest.fixture
def proofs() -> Proofs:
    return Proofs()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receive call that the chain refused is tried again soon."""
    monkeypatch.setattr(custody, "RETRY_SECONDS", 0.5)
