"""Packages from partners: kept piece by piece as they come, then checked, then stored whole or put in quarantine."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import and_, delete, func, not_, or_, select, update
from sqlmodel import Session

from packtrace.chain.facts import ChainReader
from packtrace.errors import ChainError, EvidenceError, LifecycleError
from packtrace.rules import RULE
from packtrace_gateway.alerts.duplicates import twins_seen
from packtrace_gateway.db import Database
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange.accepted import (
    AcceptedData,
    ContradictionError,
    OpenShipmentError,
    TwinsError,
    UnknownEventError,
)
from packtrace_gateway.exchange.check import GAP, ChainFacts, Contents, compared, gathered, held, opened
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.models import PIECE_BYTES, Arrival, ArrivalPiece, ArrivalState
from packtrace_gateway.exchange.receipts import LONGEST_REASON, MOST_REASONS, Outcome, Receipt
from packtrace_gateway.exchange.signing import Signed
from packtrace_gateway.exchange.timing import REST, SLOW_SECONDS, backoff, due
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.problems import ForbiddenError, NotFoundError
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

# Packages of one partner that are not decided: up to 64 MiB each.
MOST_UNDECIDED = 256
# Packages of one partner that are not accepted, in a week, and their bytes: those in quarantine are kept as evidence,
# and a partner must not fill the disk with them.
MOST_UNACCEPTED, MOST_UNACCEPTED_BYTES, WEEK = 1024, 4 << 30, 7 * 86_400.0
# A node is behind by blocks, not by hours.
LONGEST_WAIT = 60.0
# What the chain does not say by then, or the sender has not sent whole, does not come by itself: the shipment was
# cancelled, say. People are told, and can have it checked again.
LONGEST_UNDECIDED, ENOUGH_ATTEMPTS = 3 * 86_400.0, 10
# What a sender learns of a package that contradicts what is recorded here: where a pack was dispensed, and what else is
# here, is none of its business.
CONTRADICTION = "it contradicts the receiver's own records: ask the receiver"
IDLE_SECONDS = 1.0
MOST_GIVEN_UP = 100  # uploads that one pass gives up
DUE = (ArrivalState.CHECKING, ArrivalState.WAITING)
UNDECIDED = (ArrivalState.RECEIVING, *DUE)


class Receiving:
    """The receiving side of the exchange."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keys: KeyRing,
        directory: Directory,
        reader: ChainReader,
        data: AcceptedData,
    ) -> None:
        self._party, self._company = settings.party, settings.company
        self._database = database
        self._keys = keys
        self._network = directory.network
        self._reader = reader
        self._data = data

    # ---- as it comes ----

    def announce(self, signed: Signed, digest: bytes, size: int) -> dict[str, Any]:
        """A partner is about to send a package, or asks how far it came. The signed request is kept as proof."""
        sender = signed.peer.party
        with self._database.write() as session:
            arrival = _find(session, sender, digest)
            if arrival is None:
                self._check_room(session, sender)
                arrival = Arrival(
                    sender=sender,
                    digest=digest,
                    size=size,
                    state=ArrivalState.RECEIVING,
                    announcement=orjson.dumps({"text": signed.text, "signature": signed.signature}).decode(),
                    created_at=time.time(),
                )
                session.add(arrival)
            elif arrival.size != size:
                raise LifecycleError(
                    "this package was announced with another size", field="size", value=size, rule=f"{arrival.size}"
                )
            return view(arrival)

    def _check_room(self, session: Session, sender: int) -> None:
        undecided, _ = self._count(session, sender, UNDECIDED)
        if undecided >= MOST_UNDECIDED:
            raise ForbiddenError(
                "too many packages are announced or wait to be checked; complete those, or try again later",
                field="digest",
                rule=f"at most {MOST_UNDECIDED}",
            )
        packages, size = self._count(session, sender, (*UNDECIDED, ArrivalState.QUARANTINED))
        if packages >= MOST_UNACCEPTED or size >= MOST_UNACCEPTED_BYTES:
            raise ForbiddenError(
                "too many packages were not accepted in the last days; ask the receiver why, and try again later",
                field="digest",
                rule=f"at most {MOST_UNACCEPTED} packages and {MOST_UNACCEPTED_BYTES} bytes in {WEEK:.0f} s",
            )

    def _count(self, session: Session, sender: int, states: Sequence[ArrivalState]) -> tuple[int, int]:
        """A partner's packages in these states, and their bytes: those of the last week, and all that are undecided."""
        counts = (func.count(), func.coalesce(func.sum(Arrival.size), 0))
        query: Any = select(*counts).where(Arrival.sender == sender, Arrival.state.in_(states))  # type: ignore
        old = and_(Arrival.created_at < time.time() - WEEK, Arrival.decided_at.is_not(None))  # type: ignore
        packages, size = session.execute(query.where(not_(old))).one()
        return int(packages), int(size)

    def state(self, sender: int, digest: bytes) -> dict[str, Any]:
        """How far a partner's package has come. Raises NotFoundError."""
        with self._database.read() as session:
            return view(_known(session, sender, digest))

    def piece(self, sender: int, digest: bytes, offset: int, data: bytes) -> dict[str, Any]:
        """Keep a piece; it is on disk when this returns. A piece that is there already is not kept twice."""
        with self._database.write() as session:
            arrival = _known(session, sender, digest)
            if offset != arrival.received:
                return view(arrival)  # it says where to go on
            expected = min(PIECE_BYTES, arrival.size - offset)
            if len(data) != expected or not data:
                raise LifecycleError(
                    "a package comes in pieces of one size, only the last one shorter",
                    field="body",
                    value=len(data),
                    rule=f"{expected} bytes from {offset} on",
                )
            session.add(ArrivalPiece(arrival=arrival.id or 0, number=offset // PIECE_BYTES, data=data))
            arrival.received += len(data)
            if arrival.received == arrival.size:
                arrival.state = ArrivalState.CHECKING
            session.add(arrival)
            return view(arrival)

    # ---- once it is here ----

    def recheck(self, number: int, caller: str) -> None:
        """Check a package in quarantine again: our node was wrong, say, or a batch came late. Then as at first.

        Raises NotFoundError; LifecycleError when it is not in quarantine, or when its goods have gone on since.
        """
        with self._database.write() as session:
            arrival = session.get(Arrival, number)
            if arrival is None:
                raise NotFoundError("there is no such arrival", field="id", value=number)
            if arrival.state in DUE:
                return  # it is being checked, or will be
            if arrival.state != ArrivalState.QUARANTINED:
                raise LifecycleError(
                    f"this package is {arrival.state}; only one in quarantine is checked again",
                    field="id",
                    value=number,
                    rule=RULE,
                )
            self._data.check_open(session, arrival)
            log.info("package %s of party %d is checked again for %s", _name(arrival), arrival.sender, caller)
            again = (Arrival.sender == arrival.sender, Arrival.kind == packages.CORRECTION)
            beside = and_(*again, Arrival.state == ArrivalState.QUARANTINED)  # type: ignore[arg-type]
            # Corrections of the sender's too: they may be about what was in quarantine.
            statement = update(Arrival).where(or_(Arrival.id == arrival.id, beside))  # type: ignore[arg-type]
            session.execute(statement.values(state=ArrivalState.CHECKING, attempts=0, next_try=0.0))

    def accept(self, number: int, caller: str, reason: str) -> None:
        """Accept a package in quarantine with the custody gaps that it is there for, and for nothing else.

        The gaps, who accepted them and why are kept. The verdict on its packs remains what it is. Raises NotFoundError,
        LifecycleError.
        """
        with self._database.write() as session:
            arrival = session.get(Arrival, number)
            if arrival is None:
                raise NotFoundError("there is no such arrival", field="id", value=number)
            findings: list[str] = orjson.loads(arrival.reasons)
            gaps = [finding for finding in findings if finding.startswith(GAP)]
            if arrival.state != ArrivalState.QUARANTINED or not gaps or gaps != findings:
                raise LifecycleError(
                    f"this package is {arrival.state}; what is accepted is one in quarantine for custody gaps alone",
                    field="id",
                    value=number,
                    rule=RULE,
                )
            self._data.check_open(session, arrival)
            log.warning("package %s of party %d is accepted by %s: %s", _name(arrival), arrival.sender, caller, reason)
            accepted = {"findings": gaps, "by": caller, "reason": reason, "time": int(time.time())}
            arrival.acknowledged = orjson.dumps(accepted).decode()
            arrival.state, arrival.attempts, arrival.next_try = ArrivalState.CHECKING, 0, 0.0
            session.add(arrival)

    def run_once(self) -> float:
        """Check what is due, one package at a time; the seconds until the next time."""
        with self._database.read() as session:
            query = select(Arrival).where(Arrival.state.in_(DUE), due(Arrival.next_try))  # type: ignore
            arrival = session.execute(query.order_by(Arrival.next_try).limit(1)).scalar()  # type: ignore[arg-type]
            data = b"".join(_pieces(session, arrival)) if arrival else b""
        if arrival is None:
            self._give_up_cut_off()
            return IDLE_SECONDS
        began = time.monotonic()
        try:
            self._check(arrival, data)
        except ChainError as error:
            self._wait(arrival, [f"the chain could not be asked: {error}"])
        except Exception as error:  # a fault of this program must not stop the packages behind it
            log.exception("package %s of party %d cannot be checked", arrival.digest.hex(), arrival.sender)
            self._wait(arrival, [f"an error of this gateway, see its log: {type(error).__name__}"])
        self._share(arrival.sender, time.monotonic() - began)
        return 0.0

    def _check(self, arrival: Arrival, data: bytes) -> None:
        try:
            package = self._opened(arrival, data)
            contents = opened(package)
        except EvidenceError as error:
            self._quarantine(arrival, None, [str(error)])
            return
        arrival.kind, arrival.units = package.kind, orjson.dumps(dict(package.units)).decode()
        if contents.broken:
            self._quarantine(arrival, package, contents.broken)
            return
        chain = gathered(self._reader, contents)
        findings = compared(contents, chain)
        if findings.broken:
            self._quarantine(arrival, package, findings.broken)
        elif findings.missing:
            self._wait_or_quarantine(arrival, package, findings.missing)
        elif contents.gaps and not _acknowledged(arrival, contents.gaps):
            self._quarantine(arrival, package, contents.gaps)
        else:
            self._accept(arrival, contents, chain)

    def _opened(self, arrival: Arrival, data: bytes) -> packages.Package:
        if packages.digest(data) != arrival.digest:
            raise EvidenceError("the bytes that came are not those that were announced", rule="SHA-256")
        package = packages.from_cbor(data)
        # Commissionings are told to the company that holds the product, whichever premises' gateway it has.
        ours = (self._party, self._company) if package.kind == packages.COMMISSIONING else (self._party,)
        if package.sender != arrival.sender or package.receiver not in ours:
            raise EvidenceError(
                f"the package is from party {package.sender} to party {package.receiver}",
                rule=f"from party {arrival.sender} to party {self._party}",
            )
        return package

    def _accept(self, arrival: Arrival, contents: Contents, chain: ChainFacts) -> None:
        try:
            with self._database.write() as session:
                stored = self._due(session, arrival)
                if stored is not None:
                    self._decide(session, stored, "accepted", [])
                    self._data.arrived(session, stored, contents, held(contents.package, chain.facts))
        except UnknownEventError as error:
            self._wait_or_quarantine(arrival, contents.package, [str(error)])
        except OpenShipmentError as error:
            self._wait_or_quarantine(arrival, contents.package, [str(error)], CONTRADICTION)
        except ContradictionError as error:
            twins = error if isinstance(error, TwinsError) else None
            self._quarantine(arrival, contents.package, [str(error)], CONTRADICTION, twins)

    def _wait_or_quarantine(
        self, arrival: Arrival, package: packages.Package, reasons: list[str], told: str | None = None
    ) -> None:
        """What is not there yet is waited for, and not for ever."""
        if arrival.attempts >= ENOUGH_ATTEMPTS and time.time() - arrival.created_at > LONGEST_UNDECIDED:
            self._quarantine(arrival, package, reasons, told)
        else:
            self._wait(arrival, reasons)

    def _quarantine(
        self,
        arrival: Arrival,
        package: packages.Package | None,
        reasons: list[str],
        told: str | None = None,
        twins: TwinsError | None = None,
    ) -> None:
        """`told` is what the sender learns instead of the reasons; two packs with one serial open an alert."""
        log.warning("package %s of party %d: %s", _name(arrival), arrival.sender, "; ".join(reasons[:3]))
        with self._database.write() as session:
            stored = self._due(session, arrival)
            if stored is None:
                return
            self._decide(session, stored, "quarantined", reasons, told)
            if package is not None:
                self._data.doubted(session, package, reasons[0])
            if twins is not None:
                twins_seen(session, self._company, twins.event, twins.position, twins.twin, arrival.sender)

    def _decide(
        self, session: Session, arrival: Arrival, outcome: Outcome, reasons: list[str], told: str | None = None
    ) -> None:
        """The decision and its signed receipt; both sides keep it."""
        now = time.time()
        said = _shortened(reasons)
        receipt = Receipt(
            self._network, arrival.digest, arrival.sender, self._party, outcome, (told,) if told else said, int(now)
        )
        if arrival.receipt is not None:
            arrival.former = orjson.dumps([*orjson.loads(arrival.former), orjson.loads(arrival.receipt)]).decode()
        arrival.state = ArrivalState(outcome)
        arrival.reasons = orjson.dumps(said).decode()
        arrival.receipt = orjson.dumps(receipt.sign(self._keys.account(Purpose.OPERATE))).decode()
        arrival.decided_at = now
        session.add(arrival)
        session.flush()

    def _wait(self, arrival: Arrival, reasons: list[str]) -> None:
        with self._database.write() as session:
            stored = self._due(session, arrival)
            if stored is None:
                return
            stored.state = ArrivalState.WAITING
            stored.reasons = orjson.dumps(_shortened(reasons)).decode()
            stored.next_try = time.time() + backoff(stored.attempts, LONGEST_WAIT)
            stored.attempts += 1
            session.add(stored)

    def _due(self, session: Session, arrival: Arrival) -> Arrival | None:
        """The arrival as it is stored, unless it was decided meanwhile (by another process)."""
        stored = session.get_one(Arrival, arrival.id)
        if stored.state not in DUE:
            return None
        stored.kind, stored.units = arrival.kind, arrival.units
        return stored

    def _share(self, sender: int, took: float) -> None:
        """Who sends what takes long to check waits with the rest, where the others' packages can come in between."""
        if took > SLOW_SECONDS and self._others_wait(sender):
            until = time.time() + min(took, LONGEST_WAIT) * REST
            mine = (Arrival.sender == sender, Arrival.state.in_(DUE), Arrival.next_try < until)  # type: ignore
            with self._database.write() as session:
                session.execute(update(Arrival).where(*mine).values(next_try=until))  # type: ignore[arg-type]

    def _others_wait(self, sender: int) -> bool:
        others = (Arrival.sender != sender, Arrival.state.in_(DUE), due(Arrival.next_try))  # type: ignore[attr-defined]
        with self._database.read() as session:
            return session.execute(select(Arrival.id).where(*others).limit(1)).first() is not None  # type: ignore

    def _give_up_cut_off(self) -> None:
        """Uploads that ended long ago half way take no room for ever; the sender can begin anew."""
        half = (Arrival.state == ArrivalState.RECEIVING, Arrival.created_at < time.time() - WEEK)
        query = select(Arrival.id).where(*half).limit(MOST_GIVEN_UP)  # type: ignore
        with self._database.read() as session:
            old = session.execute(query).scalars().all()
        if old:
            with self._database.write() as session:
                old = session.execute(query).scalars().all()
                session.execute(delete(ArrivalPiece).where(ArrivalPiece.arrival.in_(old)))  # type: ignore
                session.execute(delete(Arrival).where(Arrival.id.in_(old)))  # type: ignore


def _acknowledged(arrival: Arrival, gaps: list[str]) -> bool:
    """Whether somebody has accepted just these gaps."""
    return arrival.acknowledged is not None and orjson.loads(arrival.acknowledged)["findings"] == list(_shortened(gaps))


def _shortened(reasons: list[str]) -> tuple[str, ...]:
    return tuple(reason[:LONGEST_REASON] for reason in reasons[:MOST_REASONS])


def _name(arrival: Arrival) -> str:
    return arrival.digest.hex()[:12]


def view(arrival: Arrival) -> dict[str, Any]:
    """A package's state, as its sender sees it."""
    return {
        "state": arrival.state,
        "offset": arrival.received,
        "size": arrival.size,
        "receipt": orjson.loads(arrival.receipt) if arrival.receipt else None,
    }


def _find(session: Session, sender: int, digest: bytes) -> Arrival | None:
    query = select(Arrival).where(Arrival.sender == sender, Arrival.digest == digest)  # type: ignore[arg-type]
    found: Arrival | None = session.execute(query).scalar()
    return found


def _known(session: Session, sender: int, digest: bytes) -> Arrival:
    arrival = _find(session, sender, digest)
    if arrival is None:
        raise NotFoundError("announce the package first", field="digest", value=digest.hex())
    return arrival


def _pieces(session: Session, arrival: Arrival) -> list[bytes]:
    query = select(ArrivalPiece.data).where(ArrivalPiece.arrival == arrival.id)  # type: ignore
    return list(session.execute(query.order_by(ArrivalPiece.number)).scalars())
