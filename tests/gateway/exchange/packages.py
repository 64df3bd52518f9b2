"""Packages as a test sends them by hand, and what each side can show of one."""

import json
import time
from hashlib import sha256
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from sqlmodel import select

from packtrace_gateway.exchange import receipts
from packtrace_gateway.exchange.models import PIECE_BYTES, Arrival, ArrivalPiece, HandOver, HandOverPiece
from packtrace_gateway.exchange.package import digest
from packtrace_gateway.exchange.sending import Sending
from packtrace_gateway.keys import Purpose
from tests.gateway.exchange.company import Party, holding, wait_for
from tests.gateway.exchange.network import World


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
