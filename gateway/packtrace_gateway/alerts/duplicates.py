"""Two commissionings of one serial number: the alert when they are seen here, and their proof on chain."""

import time
from collections.abc import Iterator, Sequence
from hashlib import sha256

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.contracts import encode_call
from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node, Receipt
from packtrace.chain.transactions import Message, send
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.pedigree import Pedigree
from packtrace.duplicate import DuplicateProof, prove
from packtrace.errors import EvidenceError, PacktraceError
from packtrace.facts import Refusal, Status, batch_of_unit, unit_number
from packtrace.gs1 import sgtin_uri
from packtrace.scan import Scan
from packtrace_gateway.access.models import Caller
from packtrace_gateway.alerts.models import Alert, AlertComment
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore, stored_header
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange.models import Arrival, ArrivalPiece, ArrivalState
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.ledger.models import BatchRow
from packtrace_gateway.problems import NotFoundError

MOST_LOOKED_AT = 100  # packages in quarantine, the newest


def pair_hash(unit: int, twin: int) -> bytes:
    """What an alert about two packs is known by."""
    return sha256(b"".join(number.to_bytes(8) for number in sorted((unit, twin)))).digest()


def twins_seen(session: Session, company: int, event: int, position: int, twin: int, party: int) -> None:
    """Open an alert: a pack that is known here by `event` and `position`, and `twin`, which `party` told of, have one
    serial number. Nothing is on chain yet (block 0).
    """
    product = stored_header(session.get_one(StoredEvent, event).header).core.get("product") or {}
    first, second = sorted((unit_number(int(product.get("batch", 0)), position), twin))
    call = pair_hash(first, second)
    if session.execute(select(Alert).where(Alert.call == call)).first():  # type: ignore[arg-type]
        return
    batch = session.get(BatchRow, batch_of_unit(first))
    alert = Alert(
        unit=first,
        twin=second,
        call=call,
        party=party,
        asked=Status.SUSPECT,
        found=Status.ACTIVE,
        refusal=Refusal.DUPLICATE,
        block=0,
        time=int(time.time()),
        why="holder" if batch is not None and batch.mah == company else "receiver",
    )
    session.add(alert)


class DuplicateService:
    """Proves on chain that two packs have one serial number, where both openings are stored here."""

    def __init__(
        self, database: Database, store: EventStore, node: Node, deployment: Deployment, keys: KeyRing
    ) -> None:
        self._database = database
        self._store = store
        self._node = node
        self._deployment = deployment
        self._keys = keys

    def prove(self, scan: Scan, caller: Caller) -> tuple[DuplicateProof, Receipt]:
        """Flag both packs; anybody could. Doing it again does nothing.

        Raises NotFoundError where this gateway has not two openings, ChainRefusal where the chain refuses the proof
        (a batch that is not released).
        """
        with self._database.read() as session:
            proof = next(self._proofs(session, scan), None)
        if proof is None:
            message = (
                "two commissionings of this serial number are not stored here; `packtrace contracts prove-duplicate` "
                "takes the answers of two gateways"
            )
            raise NotFoundError(message, field="serial", value=scan.serial)
        message_ = Message(
            self._deployment.address("PackLedger"), encode_call("PackLedger", "proveDuplicate", list(proof))
        )
        receipt = send(self._node, self._keys.accounts(Purpose.RELAYER)[-1], message_)
        with self._database.write() as session:
            query = select(Alert).where(Alert.call == pair_hash(proof.unit.unit, proof.twin.unit))  # type: ignore[arg-type]
            alert = session.execute(query).scalar()
            if alert is not None and alert.number is not None:
                text = f"Proved on chain, block {receipt.block_number}, by order of API key {caller.key_id}."
                now = int(time.time())
                session.add(AlertComment(alert=alert.number, time=now, author=caller.name, text=text))
        return proof, receipt

    def _proofs(self, session: Session, scan: Scan) -> Iterator[DuplicateProof]:
        first = PedigreeReader(self._store, session).commissioning(sgtin_uri(scan.gtin, scan.serial))
        if first is None:
            return
        for shown in self._quarantined(session):
            try:
                yield prove(scan, (first,), shown)
            except EvidenceError:
                continue

    def _quarantined(self, session: Session) -> Iterator[Sequence[Disclosure]]:
        """What the packages in quarantine show."""
        query = select(Arrival.id).where(Arrival.state == ArrivalState.QUARANTINED)  # type: ignore
        for number in session.execute(query.order_by(Arrival.id.desc()).limit(MOST_LOOKED_AT)).scalars():  # type: ignore
            pieces = select(ArrivalPiece.data).where(ArrivalPiece.arrival == number).order_by(ArrivalPiece.number)  # type: ignore
            try:
                package = packages.from_cbor(b"".join(session.execute(pieces).scalars()))
                yield Pedigree.from_cbor(package.pedigree).disclosures
            except PacktraceError:
                continue
