"""Handing over: a package is made when the chain has all that it claims, and sent until its receipt is here.

Every step is stored before the next one; a gateway that is killed goes on where it was. A partner that does not answer
is asked again for ever, less and less often.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlmodel import Session

from packtrace.chain.refusals import ChainRefusal
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.pedigree import MAX_BYTES as MAX_PEDIGREE
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import ChainError, EvidenceError, LifecycleError, PacktraceError
from packtrace.gs1 import sscc_of_uri
from packtrace.rules import RULE
from packtrace_gateway.db import Database
from packtrace_gateway.events import bulk
from packtrace_gateway.events.declarations import Known, declarations, known
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit, Seal, StoredEvent
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange import receipts
from packtrace_gateway.exchange.client import PartnerClient
from packtrace_gateway.exchange.corrections import tell
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.errors import PartnerError, PartnerUnreachable
from packtrace_gateway.exchange.models import (
    PIECE_BYTES,
    DisclosedEvent,
    Goods,
    HandOver,
    HandOverPiece,
    HandOverState,
    ShippedUnit,
)
from packtrace_gateway.exchange.package import COMMISSIONING, CORRECTION, SHIPMENT, Package
from packtrace_gateway.exchange.queue import add_hand_over
from packtrace_gateway.exchange.timing import REST, SLOW_SECONDS, backoff, due
from packtrace_gateway.ledger.models import BatchRow
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

PACKAGES = "/exchange/packages"
SEALED = ("anchored", "final")
IDLE_SECONDS = 1.0
LONGEST_WAIT = 60.0  # for a receipt
LONGEST_LOOK = 2.0  # for what our own database says of the chain
LONGEST_SILENCE = 300.0  # for a partner that does not answer
LONGEST_DOUBT = 30 * 86_400.0  # in which a receiver may accept a correction that it has refused
LONGEST_STATE = 40  # characters of a partner's word for how far it is
MOST_BATCHES = 100  # that one pass finds to tell of
MOST_ITEMS = 1 << 18  # of a commissioning in one package: a third of the bytes that a pedigree may have
UNSENT = (HandOverState.READY, HandOverState.SENDING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a package has come at the partner's; the receipt is not checked yet."""

    offset: int
    receipt: Any
    state: str


class NotYetError(PacktraceError):
    """Something that must be on chain first is not there yet."""


# States of a batch whose proposal is not on chain: it may yet be refused, and made again by another call.
NOT_ON_CHAIN = ("proposing", "refused")


class Sending:
    """The sending side of the exchange."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        directory: Directory,
        client: PartnerClient,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._directory = directory
        self._client = client
        self._answered_here: set[int] = set()
        """Companies that name this very gateway in the registry; it is asked once."""

    def run_once(self) -> float:
        """One step for each hand-over that is due; the seconds until the next time."""
        self._find_batches()
        with self._database.read() as session:
            query = select(HandOver).where(_open(), due(HandOver.next_try))
            hand_over = session.execute(query.order_by(HandOver.next_try).limit(1)).scalar()  # type: ignore[arg-type]
        if hand_over is None:
            return IDLE_SECONDS
        began = time.monotonic()
        try:
            if hand_over.state == HandOverState.WAITING:
                self._make(hand_over)
            else:
                self._send(hand_over)
        except NotYetError as error:
            waiting = hand_over.state == HandOverState.WAITING
            self._later(hand_over, str(error), LONGEST_LOOK if waiting else LONGEST_WAIT)
        except (PacktraceError, ChainError) as error:
            self._later(hand_over, str(error), LONGEST_SILENCE, everything=isinstance(error, PartnerUnreachable))
        except Exception as error:  # a fault of this program must not stop the hand-overs behind it
            log.exception("hand-over %s cannot go on", hand_over.id)
            self._later(hand_over, f"an error of this gateway, see its log: {type(error).__name__}", LONGEST_SILENCE)
        if hand_over.state != HandOverState.WAITING:  # what making it takes is not the partner's fault
            self._share(hand_over.receiver, time.monotonic() - began)
        return 0.0

    def again(self, number: int) -> int:
        """Hand over anew what the receiver put in quarantine; the new hand-over's id.

        The package is made from what is recorded now. Raises NotFoundError; LifecycleError when nothing was refused, or
        nothing of it is on its way any more.
        """
        with self._database.write() as session:
            old = session.get(HandOver, number)
            if old is None:
                raise NotFoundError("there is no such hand-over", field="id", value=number)
            if old.state != HandOverState.REFUSED:
                detail = f" ({old.error})" if old.error else ""
                message = f"this hand-over is {old.state}{detail}; only a refused one is made again"
                raise LifecycleError(message, field="id", value=number, rule=RULE)
            going = (ShippedUnit.hand_over == number, ShippedUnit.goods == Goods.IN_TRANSIT)
            query = select(LogisticUnit.uri).join(ShippedUnit, ShippedUnit.unit == LogisticUnit.id).where(*going)  # type: ignore
            uris = list(session.execute(query.order_by(LogisticUnit.id)).scalars())
            if old.kind == SHIPMENT and not uris:
                message = "nothing of this shipment is on its way any more: ship it again"
                raise LifecycleError(message, field="id", value=number, rule=RULE)
            new = add_hand_over(session, old.kind, old.event, old.receiver, uris, orjson.loads(old.ship_rows))
            session.execute(update(ShippedUnit).where(*going).values(hand_over=new))  # type: ignore[arg-type]
            old.state, old.error = HandOverState.ENDED, f"{old.error}; handed over again as {new}"
            session.add(old)
            return new

    def _share(self, receiver: int, took: float) -> None:
        """Who answers slowly waits longer with the rest, where the others' hand-overs can come in between."""
        if took > SLOW_SECONDS and self._others_wait(receiver):
            self._postpone(receiver, min(took * REST, LONGEST_SILENCE))

    def _others_wait(self, receiver: int) -> bool:
        others = select(HandOver.id).where(HandOver.receiver != receiver, _open(), due(HandOver.next_try))  # type: ignore
        with self._database.read() as session:
            return session.execute(others.limit(1)).first() is not None

    def _postpone(self, receiver: int, seconds: float) -> None:
        until = time.time() + seconds
        others = (HandOver.receiver == receiver, HandOver.state.in_(UNSENT), HandOver.next_try < until)  # type: ignore
        with self._database.write() as session:
            session.execute(update(HandOver).where(*others).values(next_try=until))  # type: ignore[arg-type]

    def _later(self, hand_over: HandOver, why: str, longest: float, *, everything: bool = False) -> None:
        """Try again later; with `everything`, so do all hand-overs to the same partner."""
        now = time.time()
        wait = backoff(hand_over.attempts, longest)
        with self._database.write() as session:
            stored = session.get_one(HandOver, hand_over.id)
            if stored.state in (HandOverState.DELIVERED, HandOverState.ENDED):
                return  # meanwhile, and it says why
            if stored.error != why:
                log.info("hand-over %s to party %s waits: %s", stored.id, stored.receiver, why)
            if stored.state != HandOverState.REFUSED:  # there it says why it was refused
                stored.error = why
            stored.next_try, stored.updated_at = now + wait, now
            stored.attempts += 1
            session.add(stored)
        if everything:
            self._postpone(hand_over.receiver, wait)

    # ---- commissioning, to the authority and to the holder of the product ----

    def _find_batches(self) -> None:
        """Batches that were commissioned here and not yet handed to the authority, or to their product's holder."""
        regulator = self._settings.regulator
        new: list[tuple[CommissionedBatch, int, list[str]]] = []
        with self._database.read() as session:
            if regulator is not None and regulator != self._settings.party:
                query = select(CommissionedBatch).where(*_untold(regulator)).limit(MOST_BATCHES)
                new += [(batch, regulator, []) for batch in session.execute(query).scalars()]
            for batch, holder in self._made_for_others(session):
                starts = range(0, batch.count, MOST_ITEMS)
                new += [(batch, holder, [str(at), str(min(at + MOST_ITEMS, batch.count))]) for at in starts]
        if new:
            with self._database.write() as session:
                for batch, receiver, span in new:
                    add_hand_over(session, COMMISSIONING, batch.event, receiver, span, [batch.outbox])

    def _made_for_others(self, session: Session) -> list[tuple[CommissionedBatch, int]]:
        """Batches of which another company (or another gateway of ours) answers to who asks for a pack."""
        query = (
            select(CommissionedBatch, BatchRow.mah)  # type: ignore[call-overload]
            .join(BatchRow, BatchRow.batch == CommissionedBatch.number)
            .where(BatchRow.mah.not_in(self._answered_here), *_untold(BatchRow.mah))  # type: ignore[attr-defined]
        )
        found = [(batch, mah) for batch, mah in session.execute(query.limit(MOST_BATCHES))]
        for mah in {mah for _, mah in found}:
            try:
                here = self._directory.endpoint(mah) == (self._settings.endpoint or "").rstrip("/")
            except (ChainError, PartnerError) as error:
                log.debug("the holder %d cannot be told of its batches: %s", mah, error)
                return []
            if here:
                self._answered_here.add(mah)
        return [(batch, mah) for batch, mah in found if mah not in self._answered_here]

    # ---- making the package ----

    def _make(self, hand_over: HandOver) -> None:
        """Read the pedigree and store the package, once everything that it claims is on chain."""
        uris: list[str] = orjson.loads(hand_over.units)
        with self._database.read() as session:
            self._check_calls(session, orjson.loads(hand_over.ship_rows))
            reader = PedigreeReader(self._store, session)
            if hand_over.kind != CORRECTION:  # a partner's declaration is in that partner's log
                self._check_seals(session, [session.get_one(StoredEvent, hand_over.event).seal_id])
            if hand_over.kind == SHIPMENT:
                disclosures = reader.of(reader.contents(uris))
            elif hand_over.kind == CORRECTION:
                disclosures = reader.declaration(hand_over.event)
            elif uris:  # the first item, and the one after the last
                disclosures, uris = (reader.commissioned(hand_over.event, int(uris[0]), int(uris[1])),), []
            else:
                disclosures = (reader.header(hand_over.event),)
            self._check_disclosures(session, disclosures)
            event = session.get_one(StoredEvent, hand_over.event).digest
            numbers = {unit.uri: int(unit.number or 0) for unit in self._store.logistic_units(session, uris).values()}
        pedigree = Pedigree(disclosures).to_cbor()
        if len(pedigree) > MAX_PEDIGREE and len(uris) > 1:
            self._halve(hand_over, uris)
            return
        package = Package(hand_over.kind, self._settings.party, hand_over.receiver, event, numbers, pedigree)
        data = package.to_cbor()
        with self._database.write() as session:
            stored = session.get_one(HandOver, hand_over.id)
            if stored.state != HandOverState.WAITING:
                return  # cancelled meanwhile
            self._disclose(session, hand_over, known(session, [one.digest for one in disclosures]))
            for number, at in enumerate(range(0, len(data), PIECE_BYTES)):
                session.add(HandOverPiece(hand_over=hand_over.id or 0, number=number, data=data[at : at + PIECE_BYTES]))
            stored.state, stored.digest, stored.size = HandOverState.READY, packages.digest(data), len(data)
            stored.error, stored.attempts, stored.next_try, stored.updated_at = None, 0, 0.0, time.time()
            session.add(stored)

    def _disclose(self, session: Session, hand_over: HandOver, events: Sequence[Known]) -> None:
        """Note what the receiver is shown, and tell him what was declared of it while the package was made."""
        rows = [(event.id, hand_over.id) for event in events]
        bulk.insert(session, DisclosedEvent, ("event", "hand_over"), sorted(rows), "keep")
        for declaration in declarations(session, events):
            tell(session, session.get_one(StoredEvent, declaration.id))

    def _check_calls(self, session: Session, rows: Sequence[int]) -> None:
        for number in rows:
            row = session.get_one(OutboxRow, number)
            if row.state not in ON_CHAIN:
                detail = f" ({row.error_text or row.waiting})" if row.error_text or row.waiting else ""
                raise NotYetError(f"the call {row.contract}.{row.function} is {row.state}{detail}")

    def _check_seals(self, session: Session, seals: Sequence[int | None]) -> None:
        for number in seals:
            seal = None if number is None else session.get_one(Seal, number)
            if seal is None or seal.state not in SEALED:
                raise NotYetError("an event is not in our log on chain yet")

    def _check_disclosures(self, session: Session, disclosures: Sequence[Disclosure]) -> None:
        """Own events may have been recorded after the shipment was; they travel too, so they must be on chain too."""
        own = [entry for entry in disclosures if entry.header.core["party"] == self._settings.party]
        sequences = {entry.seal.entry[1:] if entry.seal else None for entry in own}
        for place in sequences:
            if place is None:
                raise NotYetError("an event is not sealed yet")
            query = select(Seal.id).where(Seal.lane == place[0], Seal.sequence == place[1])  # type: ignore
            self._check_seals(session, [session.execute(query).scalar_one()])
        self._check_registered(session, own)

    def _check_registered(self, session: Session, own: Sequence[Disclosure]) -> None:
        """Also what the packs lay in before, and was emptied since, is looked for on chain by who gets them."""
        numbers = [entry.header.core["custody"]["number"] for entry in own if "custody" in entry.header.core]
        for chunk in bulk.chunks(numbers):
            query = select(LogisticUnit).where(LogisticUnit.number.in_(chunk), LogisticUnit.refused == "register")  # type: ignore
            unit = session.execute(query.limit(1)).scalar()
            if unit is not None:
                raise NotYetError(
                    f"some of it was packed into {unit.uri}, and the chain refused its registration ({unit.refusal}); "
                    f"when the cause is gone, propose it again (POST /logistic-units/{sscc_of_uri(unit.uri)}/propose)"
                )

    def _halve(self, hand_over: HandOver, uris: list[str]) -> None:
        """Too much for one package: two hand-overs instead."""
        with self._database.write() as session:
            stored = session.get_one(HandOver, hand_over.id)
            if stored.state != HandOverState.WAITING or stored.units != hand_over.units:
                return  # halved meanwhile, by another process
            moved = uris[len(uris) // 2 :]
            rows = orjson.loads(stored.ship_rows)
            number = add_hand_over(session, stored.kind, stored.event, stored.receiver, moved, rows)
            units = [unit.id for unit in self._store.logistic_units(session, moved).values()]
            mine = (ShippedUnit.hand_over == stored.id, ShippedUnit.unit.in_(units))  # type: ignore[attr-defined]
            session.execute(update(ShippedUnit).where(*mine).values(hand_over=number))  # type: ignore[arg-type]
            stored.units = orjson.dumps(uris[: len(uris) // 2]).decode()
            session.add(stored)

    # ---- sending it ----

    def _send(self, hand_over: HandOver) -> None:
        """Send what the receiver does not have yet, then ask for its receipt."""
        digest, party = hand_over.digest or b"", hand_over.receiver
        size = hand_over.size or 0
        body = orjson.dumps({"digest": digest.hex(), "size": size})
        answer = self._ask(party, "POST", PACKAGES, body)
        while answer.receipt is None and answer.offset < size:
            offset = answer.offset
            if offset % PIECE_BYTES:
                raise PartnerError(f"party {party} has half a piece, which cannot be", field="offset", value=offset)
            self._progress(hand_over, offset)
            with self._database.read() as session:
                data = session.get_one(HandOverPiece, (hand_over.id, offset // PIECE_BYTES)).data
            answer = self._ask(party, "PATCH", f"{PACKAGES}/{digest.hex()}?offset={offset}", data)
            if answer.receipt is None and answer.offset <= offset:
                raise PartnerError(f"party {party} does not keep what it gets", value=offset)
        self._progress(hand_over, size)
        if answer.receipt is None:
            raise NotYetError(f"party {party} has it all, and no receipt yet: it is {answer.state}")
        self._finish(hand_over, answer.receipt)

    def _ask(self, party: int, method: str, target: str, body: bytes) -> "Progress":
        """The partner's answer about a package. Raises PartnerError when it makes no sense."""
        plain = self._client.request(party, method, target, body)
        try:
            offset, receipt, state = plain["offset"], plain["receipt"], str(plain["state"])[:LONGEST_STATE]
        except KeyError as error:
            raise PartnerError(f"the answer of party {party} has no {error}", field="endpoint") from error
        if type(offset) is not int or offset < 0:
            raise PartnerError(f"the answer of party {party} makes no sense", field="offset", value=offset)
        return Progress(offset, receipt, state)

    def _progress(self, hand_over: HandOver, sent: int) -> None:
        if hand_over.state == HandOverState.SENDING and hand_over.sent == sent:
            return
        with self._database.write() as session:
            stored = session.get_one(HandOver, hand_over.id)
            if stored.state not in UNSENT:
                return
            # What was gained by trying ends the growing pauses.
            stored.state, stored.sent, stored.attempts = HandOverState.SENDING, sent, 0
            session.add(stored)
        hand_over.state, hand_over.sent, hand_over.attempts = HandOverState.SENDING, sent, 0

    def _finish(self, hand_over: HandOver, plain: object) -> None:
        """Keep the receipt, if it is the receiver's and about this package."""
        receipt, signer = receipts.read(plain)
        expected = (self._directory.network, hand_over.digest, self._settings.party)
        if (receipt.network, receipt.package, receipt.sender) != expected:
            raise EvidenceError("the partner's receipt is for another package", rule="receipt")
        try:
            peer = self._directory.peer(signer)
        except ChainRefusal as error:
            raise EvidenceError(f"the partner's receipt is signed by no valid key: {error.message}") from error
        # A company is told through one of its premises.
        company = peer.company if hand_over.kind == COMMISSIONING else None
        if peer.party != receipt.receiver or hand_over.receiver not in (peer.party, company):
            raise EvidenceError(f"the partner's receipt is signed by party {peer.party}", rule="receipt")
        accepted = receipt.outcome == "accepted"
        with self._database.write() as session:
            stored = session.get_one(HandOver, hand_over.id)
            given = orjson.dumps(plain).decode()
            if stored.receipt not in (None, given):
                stored.former = orjson.dumps([*orjson.loads(stored.former), orjson.loads(stored.receipt)]).decode()
            stored.receipt = given
            # The receiver may have it checked again, and change its mind.
            stored.next_try = time.time() + LONGEST_SILENCE
            if stored.state != HandOverState.ENDED:
                stored.state = HandOverState.DELIVERED if accepted else HandOverState.REFUSED
                stored.error = None if accepted else "; ".join(receipt.reasons)
            stored.updated_at = time.time()
            session.add(stored)


def _untold(receiver: Any) -> tuple[Any, ...]:
    """Batches on chain that were not handed to this receiver."""
    mine = (HandOver.kind == COMMISSIONING, HandOver.event == CommissionedBatch.event, HandOver.receiver == receiver)
    told = select(HandOver.event).where(*mine)  # type: ignore
    return CommissionedBatch.state.not_in(NOT_ON_CHAIN), ~told.exists()  # type: ignore[attr-defined]


def _open() -> ColumnElement[bool]:
    """Not at its end."""
    return or_(HandOver.state.in_((HandOverState.WAITING, *UNSENT)), _doubted())  # type: ignore[attr-defined]


def _doubted() -> ColumnElement[bool]:
    """Refused by the receiver, and still of use there: its people may yet have it checked again."""
    young = and_(HandOver.kind == CORRECTION, HandOver.created_at > time.time() - LONGEST_DOUBT)  # type: ignore
    going = select(ShippedUnit.unit).where(ShippedUnit.hand_over == HandOver.id, ShippedUnit.goods == Goods.IN_TRANSIT)  # type: ignore
    return and_(HandOver.state == HandOverState.REFUSED, or_(young, going.exists()))  # type: ignore[arg-type]
