"""A gateway with goods in it, over HTTP, whose database can be compared before and after a request."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from packtrace.chain.deployment import CONTRACTS
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.gs1 import sgtin_uri, sscc_uri, with_check_digit
from packtrace_gateway import keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.app import create_app
from packtrace_gateway.db import Database
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.partners.models import Partner

Json = dict[str, Any]
GTIN, OTHER_GTIN, FOREIGN_GTIN = "09506000134352", "09506000134369", "09506000134376"
PARTNER_GLN = with_check_digit("950600000030")
SECRET = bytes(range(32))
MAX_BODY = 12 << 20
CASE, FULL, SHIPPED, PALLET, EMPTY, FRESH = (sscc_uri(with_check_digit(f"0950600{number:010}")) for number in range(6))
# Tables that change by themselves: who used which key when, who owns the outbox, when a hand-over is tried again.
RESTLESS = ("api_key", "outbox_lease", "hand_over")


def pack(number: int, gtin: str = GTIN) -> str:
    return sgtin_uri(gtin, f"SN{number:05}")


def an_event(kind: str, action: str, step: str | None, **fields: Any) -> Json:
    known: Json = {
        "type": kind,
        "action": action,
        "eventTime": "2026-01-05T08:00:00.000Z",
        "eventTimeZoneOffset": "+00:00",
        "bizStep": step,
    }
    return {name: value for name, value in (known | fields).items() if value is not None}


def commissioning(uris: Sequence[str], lot: Any = "L1", expiry: Any = "2031-05-31", **more: Any) -> Json:
    ilmd = {"cbvmda:lotNumber": lot, "cbvmda:itemExpirationDate": expiry} | more.pop("ilmd", {})
    ilmd = {name: value for name, value in ilmd.items() if value is not None}
    return an_event("ObjectEvent", "ADD", "commissioning", epcList=list(uris), ilmd=ilmd, **more)


def packing(parent: str, children: Sequence[str], **more: Any) -> Json:
    return an_event("AggregationEvent", "ADD", "packing", parentID=parent, childEPCs=list(children), **more)


def unpacking(parent: str, children: Sequence[str] = (), **more: Any) -> Json:
    return an_event("AggregationEvent", "DELETE", "unpacking", parentID=parent, childEPCs=list(children), **more)


def shipping(units: Sequence[str], gln: str | None = PARTNER_GLN, **more: Any) -> Json:
    to = [{"type": "possessing_party", "destination": f"https://id.gs1.org/417/{gln}"}] if gln else None
    return an_event("ObjectEvent", "OBSERVE", "shipping", epcList=list(units), destinationList=to, **more)


def document(*events: Json, **more: Any) -> Json:
    return {
        "@context": [GS1_CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-01-05T09:00:00.000Z",
        "epcisBody": {"eventList": list(events)},
    } | more


@dataclass
class Shop:
    """The gateway, a client of it, and headers with keys of the roles."""

    gateway: Gateway
    client: httpx.Client
    keys: dict[str, dict[str, str]]

    def send(self, body: Any, *, path: str = "/capture", role: str = "plant", **headers: str) -> httpx.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            path, content=data, headers={"Content-Type": "application/json"} | self.keys[role] | headers
        )

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the database; of what changes by itself, how many rows there are."""
        with closing(sqlite3.connect(self.gateway.database.file)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            return {
                name: connection.execute(f"SELECT {'count(*)' if name in RESTLESS else '*'} FROM {name}").fetchall()
                for (name,) in names
            }


def make_app(folder: Path) -> FastAPI:
    """A gateway that set two products up and knows a partner. Its node does not answer, and it seals nothing."""
    contracts = {name: f"0x{number:040x}" for number, name in enumerate(CONTRACTS, 1)}
    (folder / "network.json").write_text(json.dumps({"chainId": 31337, "block": 1, "contracts": contracts}))
    own = settings.from_values(
        {
            "party": 11,
            "company": 11,
            "name": "Plant",
            "gln": with_check_digit("950600000011"),
            "gln_salt": "00" * 16,
            "node": "http://127.0.0.1:9",
            "node_timeout": 1,
            "deployment": str(folder / "network.json"),
            "port": 0,
            "seal_every": 3600,
            "max_body": MAX_BODY,
        },
        folder=folder,
    )
    keys.make_passphrase(own)
    keys.add_key(own, keys.Purpose.OPERATE)
    keys.add_key(own, keys.Purpose.RELAYER)
    database = Database(own.database_url)
    database.migrate()
    database.close()
    app = create_app(own)
    gateway: Gateway = app.state.gateway
    gateway.products.add(GTIN, SECRET)
    gateway.products.add(OTHER_GTIN, SECRET)
    with gateway.database.write() as session:
        session.add(Partner(gln=PARTNER_GLN, party=30, company=30, salt=bytes(16), name="Wholesaler"))
    return app


def open_shop(app: FastAPI, client: httpx.Client) -> Shop:
    """The served gateway, with a key for each role."""
    gateway: Gateway = app.state.gateway
    people = {role.value: [role] for role in Role} | {"plant": [Role.LINE, Role.WAREHOUSE]}
    made = {name: gateway.access.create(name, roles)[1] for name, roles in people.items()}
    headers = {name: {"Authorization": f"Bearer {key}"} for name, key in made.items()}
    return Shop(gateway, client, headers)
