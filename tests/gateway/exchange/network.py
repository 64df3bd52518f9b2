"""The whole supply chain on one devnet: its companies, registered and introduced to each other, and their goods."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from packtrace.chain.deploy import deploy
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.gs1 import sgtin_uri, sscc_uri, with_check_digit
from packtrace.gs1.keys import make_sscc
from packtrace.product import gln_commitment
from packtrace_gateway import keys, settings
from packtrace_gateway.db import Database
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.exchange import custody, receiving, sending, timing
from packtrace_gateway.keys import Purpose
from packtrace_gateway.settings import Settings
from tests.gateway.exchange.company import PREFIX, Party, gln, holding, wait_for

GTIN = with_check_digit("0950600013435")
AUTHORITY, MAH, PLANT, WHOLESALER, PHARMACY, SHOP = 1, 10, 11, 20, 30, 31
ROLES = {AUTHORITY: 1, MAH: 2, PLANT: 4, WHOLESALER: 8, PHARMACY: 16, SHOP: 16}
BITS = {Purpose.OPERATE: 1, Purpose.LINE: 2, Purpose.QUALITY: 4, Purpose.MANAGE: 8}
BLOCK_SECONDS = 0.2
# Nobody waits for tests.
QUICKLY = (
    (custody, "EVERY_SECONDS", 0.4),
    (sending, "IDLE_SECONDS", 0.4),
    (receiving, "IDLE_SECONDS", 0.4),
    (timing, "FIRST_SECONDS", 0.05),
    (sending, "REST", 0.5),  # a slow machine is no slow partner
    (receiving, "REST", 0.5),
)


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

    def wait(self, what: Callable[[], Any]) -> Any:
        return wait_for(what)

    def deliver(self, sender: int, receiver: int, unit: str) -> None:
        """Ship, hand over, receive."""
        self[sender].capture(self[sender].ship(receiver, [unit]))
        self[receiver].wait_arrival(unit)
        self[receiver].capture(self[receiver].receive([unit]))
        self[receiver].wait_goods(unit, "received")


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
