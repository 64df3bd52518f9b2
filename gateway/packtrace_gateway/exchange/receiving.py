"""Packages from partners: kept piece by piece as they come, then checked, then stored whole or put in quarantine."""

import logging
import time
from typing import Any

import orjson
from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.facts import ChainReader
from packtrace.errors import ChainError, EvidenceError, LifecycleError
from packtrace_gateway.db import Database
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange.check import Contents, compared, gathered, opened
from packtrace_gateway.exchange.directory import Directory
from packtrace_gateway.exchange.goods import ContradictionError, GoodsService
from packtrace_gateway.exchange.models import PIECE_BYTES, Arrival, ArrivalPiece, ArrivalState
from packtrace_gateway.exchange.receipts import LONGEST_REASON, MOST_REASONS, Outcome, Receipt
from packtrace_gateway.exchange.signing import Signed
from packtrace_gateway.exchange.timing import backoff
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.problems import ForbiddenError, NotFoundError
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

# Packages of one partner that are not decided: up to 64 MiB each.
MOST_UNDECIDED = 256
# A node is behind by blocks, not by hours; but a package waits as long as it takes.
LONGEST_WAIT = 60.0
IDLE_SECONDS = 1.0
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
        goods: GoodsService,
    ) -> None:
        self._party = settings.party
        self._database = database
        self._keys = keys
        self._network = directory.network
        self._reader = reader
        self._goods = goods

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
        query = select(Arrival.id).where(Arrival.sender == sender, Arrival.state.in_(UNDECIDED))  # type: ignore
        if len(session.execute(query.limit(MOST_UNDECIDED)).all()) >= MOST_UNDECIDED:
            raise ForbiddenError(
                "too many packages are announced or wait to be checked; complete those, or try again later",
                field="digest",
                rule=f"at most {MOST_UNDECIDED}",
            )

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

    def run_once(self) -> float:
        """Check what is due, one package at a time; the seconds until the next time."""
        with self._database.read() as session:
            query = select(Arrival).where(Arrival.state.in_(DUE), Arrival.next_try <= time.time())  # type: ignore
            arrival = session.execute(query.order_by(Arrival.next_try).limit(1)).scalar()  # type: ignore[arg-type]
            data = b"".join(_pieces(session, arrival)) if arrival else b""
        if arrival is None:
            return IDLE_SECONDS
        try:
            self._check(arrival, data)
        except ChainError as error:
            self._wait(arrival, [f"the chain could not be asked: {error}"])
        except Exception as error:  # a fault of this program must not stop the packages behind it
            log.exception("package %s of party %d cannot be checked", arrival.digest.hex(), arrival.sender)
            self._wait(arrival, [f"an error of this gateway, see its log: {type(error).__name__}"])
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
        findings = compared(contents, gathered(self._reader, contents))
        if findings.broken:
            self._quarantine(arrival, package, findings.broken)
        elif findings.missing:
            self._wait(arrival, findings.missing)
        else:
            self._accept(arrival, contents)

    def _opened(self, arrival: Arrival, data: bytes) -> packages.Package:
        if packages.digest(data) != arrival.digest:
            raise EvidenceError("the bytes that came are not those that were announced", rule="SHA-256")
        package = packages.from_cbor(data)
        if package.sender != arrival.sender or package.receiver != self._party:
            raise EvidenceError(
                f"the package is from party {package.sender} to party {package.receiver}",
                rule=f"from party {arrival.sender} to party {self._party}",
            )
        return package

    def _accept(self, arrival: Arrival, contents: Contents) -> None:
        try:
            with self._database.write() as session:
                self._decide(session, arrival, "accepted", [])
                self._goods.arrived(session, arrival, contents)
        except ContradictionError as error:
            self._quarantine(arrival, contents.package, [str(error)])

    def _quarantine(self, arrival: Arrival, package: packages.Package | None, reasons: list[str]) -> None:
        log.warning("package %s of party %d: %s", arrival.digest.hex()[:12], arrival.sender, "; ".join(reasons[:3]))
        with self._database.write() as session:
            self._decide(session, arrival, "quarantined", reasons)
            if package is not None:
                self._goods.doubted(session, package, reasons[0])

    def _decide(self, session: Session, arrival: Arrival, outcome: Outcome, reasons: list[str]) -> None:
        """The decision and its signed receipt; both sides keep it."""
        now = time.time()
        said = tuple(reason[:LONGEST_REASON] for reason in reasons[:MOST_REASONS])
        receipt = Receipt(self._network, arrival.digest, arrival.sender, self._party, outcome, said, int(now))
        arrival.state = ArrivalState(outcome)
        arrival.reasons = orjson.dumps(said).decode()
        arrival.receipt = orjson.dumps(receipt.sign(self._keys.account(Purpose.OPERATE))).decode()
        arrival.decided_at = now
        session.merge(arrival)
        session.flush()

    def _wait(self, arrival: Arrival, reasons: list[str]) -> None:
        with self._database.write() as session:
            arrival.state = ArrivalState.WAITING
            arrival.reasons = orjson.dumps([reason[:LONGEST_REASON] for reason in reasons[:MOST_REASONS]]).decode()
            arrival.next_try = time.time() + backoff(arrival.attempts, LONGEST_WAIT)
            arrival.attempts += 1
            session.merge(arrival)


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
