"""The other tables: each row against the event, package or call that it repeats."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import orjson
from eth_account import Account
from eth_account.messages import encode_defunct
from sqlmodel import Session, col, func, select

from packtrace.chain.deployment import Deployment
from packtrace.commit.items import Role
from packtrace.errors import PacktraceError
from packtrace.evidence import commissioned_batch
from packtrace.facts import BATCH_BITS, LOGISTIC_BITS, Recall, unit_number
from packtrace.product import lot_key
from packtrace.receipt import UNIT_BYTES
from packtrace_gateway.batches.models import RecallNotice
from packtrace_gateway.events.models import (
    CommissionedBatch,
    Counter,
    LogisticUnit,
    ProductSecret,
    Seal,
    StoredEvent,
)
from packtrace_gateway.events.store import EventStore, stored_header
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange import receipts, voids
from packtrace_gateway.exchange.models import (
    Arrival,
    ArrivalPiece,
    ArrivalUnit,
    HandOver,
    HandOverPiece,
    HeldBatch,
    ShippedUnit,
)
from packtrace_gateway.fsck.events import items_here, verified
from packtrace_gateway.fsck.report import Checked, Finding
from packtrace_gateway.keeping.belonging import differences
from packtrace_gateway.keeping.models import Belonging
from packtrace_gateway.ledger.models import BatchRow, ConflictRow
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow, State
from packtrace_gateway.status.models import Operation, OperationUnit

STORE = EventStore()
# How far a seal has come, by the state of its call.
SEAL_STATES = {
    State.QUEUED: "signed",
    State.SIGNED: "signed",
    State.BROADCAST: "signed",
    State.INCLUDED: "anchored",
    State.FINAL: "final",
}


def check_belonging(session: Session, checked: Checked, party: int, deployment: Deployment) -> Iterator[Finding]:
    """Whose records these are, against the settings and the deployment file."""
    for belonging in session.exec(select(Belonging)):
        checked.note("owners")
        for difference in differences(belonging, party, deployment):
            yield Finding("the whole database", str(difference))


def check_batches(session: Session, checked: Checked) -> Iterator[Finding]:
    """Commissioned batches against the events that commissioned them."""
    for batch in session.exec(select(CommissionedBatch)):
        checked.note("batches")
        where = f"batch {batch.number}"
        header = stored_header(session.get_one(StoredEvent, batch.event).header)
        product = header.core.get("product") or {}
        told = {
            "number": product.get("batch"),
            "gtin": product.get("gtin"),
            "lot": product.get("lot"),
            "expiry": product.get("expiry"),
            "count": sum(header.counts.values()),
        }
        for column, value in told.items():
            if getattr(batch, column) != value:
                yield Finding(where, f"{column} is {getattr(batch, column)!r}, its event says {value!r}")
        secret = session.get(ProductSecret, batch.gtin)
        if secret is None or secret.secret.hex() != product.get("secret"):
            yield Finding(where, "the secret of its product is missing, or another than its event says")


def check_held(session: Session, checked: Checked) -> Iterator[Finding]:
    """Batches that others commissioned for this company against the events that told of them."""
    for held in session.exec(select(HeldBatch)):
        checked.note("held batches")
        _, number = commissioned_batch(verified(session.get_one(StoredEvent, held.event)))
        if number != held.batch:
            yield Finding(f"held batch {held.batch}", f"event {held.event} commissions batch {number}")


def check_notices(session: Session, checked: Checked) -> Iterator[Finding]:
    """The notices of recalls against the calls that have their hashes."""
    for notice in session.exec(select(RecallNotice)):
        checked.note("notices")
        where, row = f"notice of recall {notice.outbox}", session.get(OutboxRow, notice.outbox)
        subject = _recalled(session, notice)
        if row is None or subject is None:
            yield Finding(where, "its call, its batch, or the secret of its product, is not here")
            continue
        kind = [] if notice.kind == "lifted" else [int(Recall[notice.kind.upper()])]
        if calls.load(row.args)[1:-1] != [subject, *kind, sha256(notice.notice.encode()).digest()]:
            yield Finding(where, "it is not the notice, lot, batch or kind that its call has")


def _recalled(session: Session, notice: RecallNotice) -> bytes | int | None:
    """What a notice is about, as its call names it."""
    if notice.batch is None:
        secret = session.get(ProductSecret, notice.gtin or "")
        return lot_key(secret.secret, notice.gtin or "", notice.lot or "") if secret and notice.scope == "lot" else None
    batch = session.get(BatchRow, notice.batch)
    if batch is None or notice.scope == "lot":
        return batch.lot_key if batch else None
    return notice.batch.to_bytes(32) if notice.kind == "lifted" else notice.batch


def check_logistic(session: Session, checked: Checked) -> Iterator[Finding]:
    """Logistic units against the events that filled them."""
    for unit in session.exec(select(LogisticUnit).where(col(LogisticUnit.filled_by).is_not(None))):
        checked.note("logistic units")
        event = session.get_one(StoredEvent, unit.filled_by)
        header = stored_header(event.header)
        custody = header.core.get("custody") or {}
        if unit.number != custody.get("number"):
            yield Finding(
                unit.uri, f"its number is {unit.number}, the event that filled it says {custody.get('number')}"
            )
        parents = [uri for role, _, uri in items_here(session, event, header) if role is Role.PARENT]
        if parents and parents != [unit.uri]:
            yield Finding(unit.uri, f"it is recorded as filled by event {event.id}, which fills {parents[0]}")


def check_seals(session: Session, checked: Checked) -> Iterator[Finding]:
    """Seals against their events and the calls that carry them."""
    for seal in session.exec(select(Seal)):
        checked.note("seals")
        where = f"seal {seal.sequence} of lane {seal.lane}"
        count = session.exec(select(func.count()).where(StoredEvent.seal_id == seal.id)).one()
        if count != seal.count:
            yield Finding(where, f"it is of {seal.count} events, {count} are here")
        row = session.get(OutboxRow, seal.outbox)
        if row is not None and seal.state != SEAL_STATES.get(row.state):
            yield Finding(where, f"it is {seal.state}, the call that carries it {row.state}")
        if row is None or calls.load(row.args)[:4] != [seal.lane, seal.sequence, seal.root, seal.count]:
            yield Finding(where, f"outbox row {seal.outbox} does not carry it")


def check_operations(session: Session, checked: Checked) -> Iterator[Finding]:
    """Status changes against the calls that carry them."""
    for operation in session.exec(select(Operation).where(col(Operation.reverses).is_(None))):
        checked.note("status changes")
        where = f"operation {operation.id}"
        units = session.exec(
            select(OperationUnit).where(OperationUnit.operation == operation.id).order_by(col(OperationUnit.position))
        ).all()
        named = b"".join(unit.unit.to_bytes(UNIT_BYTES) for unit in units)
        row = session.get(OutboxRow, operation.outbox)
        if row is None or calls.load(row.args)[:3] != [operation.to, named, operation.openings]:
            yield Finding(where, f"outbox row {operation.outbox} does not carry it")
        if row is not None and (operation.state == "done") != (row.state in ON_CHAIN):
            yield Finding(where, f"it is {operation.state}, its call {row.state}")
        yield from (Finding(where, what) for what in _units(session, units))
        if operation.receipt is not None and (row is None or row.digest != operation.receipt):
            yield Finding(where, "its receipt's number is not that of its call")
        kept = session.exec(select(ConflictRow).where(ConflictRow.call == operation.receipt)).all()
        told = {conflict.unit: conflict.found for conflict in kept}
        for unit in units:
            if unit.found is not None and told.get(unit.unit, unit.found) != unit.found:
                yield Finding(where, f"pack {unit.uri} is said to keep status {unit.found}, on chain {told[unit.unit]}")


def check_goods(session: Session, checked: Checked) -> Iterator[Finding]:
    """Units that were shipped, or are expected, against what their hand-overs and arrivals name.

    What was missing in one of those has a row too, and an event that says that it was not shipped.
    """
    rows: list[tuple[str, int, str]] = []
    for shipped in session.exec(select(ShippedUnit)):
        hand_over = session.get(HandOver, shipped.hand_over)
        rows.append((f"hand-over {shipped.hand_over}", shipped.unit, hand_over.units if hand_over else "[]"))
    for coming in session.exec(select(ArrivalUnit)):
        arrival = session.get(Arrival, coming.arrival)
        rows.append((f"arrival {coming.arrival}", coming.unit, arrival.units if arrival else "{}"))
    for where, number, named in rows:
        checked.note("goods")
        unit = session.get(LogisticUnit, number)
        if unit is None or not (unit.uri in orjson.loads(named) or voids.was_missing(session, unit.uri)):
            yield Finding(where, f"unit {number} ({unit.uri if unit else 'not here'}) is recorded of it, and not named")


def _units(session: Session, units: Sequence[OperationUnit]) -> Iterator[str]:
    """Each pack's number on chain is its batch's and its position's."""
    known = STORE.units(session, [unit.uri for unit in units])
    for at, unit in enumerate(units):
        if unit.position != at:
            yield f"its packs are not numbered one after the other: {unit.position} stands at {at}"
        if unit.uri not in known:
            continue  # it was dispensed on the maker's answer
        event, position, _, _ = known[unit.uri]
        _, batch = commissioned_batch(verified(session.get_one(StoredEvent, event)))
        if unit.unit != unit_number(batch, position):
            yield f"{unit.uri} is recorded as unit {unit.unit}, and is unit {unit_number(batch, position)}"


def check_packages(session: Session, checked: Checked) -> Iterator[Finding]:
    """Packages handed over and received: whole, and signed for."""
    packages: list[tuple[str, HandOver | Arrival, Any]] = []
    packages += [(f"hand-over {row.id}", row, HandOverPiece.hand_over) for row in session.exec(select(HandOver))]
    packages += [(f"arrival {row.id}", row, ArrivalPiece.arrival) for row in session.exec(select(Arrival))]
    for where, row, owner in packages:
        checked.note("packages")
        yield from (Finding(where, what) for what in _package(session, row, owner))


def _package(session: Session, row: HandOver | Arrival, owner: Any) -> Iterator[str]:
    piece = owner.class_
    whole, size = bytearray(), 0
    for data in session.exec(select(piece.data).where(owner == row.id).order_by(piece.number)):
        size += len(data)
        whole += data
    if size == row.size or (size and isinstance(row, HandOver)):
        yield from _whole(session, row, bytes(whole))
    if isinstance(row, Arrival) and size != row.received:
        yield f"{row.received} bytes of it were received, {size} are here"
    if row.receipt:
        try:
            receipt, _ = receipts.read(orjson.loads(row.receipt))
        except (PacktraceError, orjson.JSONDecodeError) as error:
            yield f"its receipt cannot be read: {error}"
        else:
            if receipt.package != row.digest:
                yield "its receipt is of another package"
    if isinstance(row, Arrival):
        yield from _announcement(row)


def _whole(session: Session, row: HandOver | Arrival, data: bytes) -> Iterator[str]:
    """A package that is here from end to end, against its row."""
    if packages.digest(data) != row.digest:
        yield "its pieces are not the package that it names"
        return
    package = packages.from_cbor(data)
    told: dict[str, Any] = {"size": len(data), "kind": package.kind}
    stored: dict[str, Any] = {"size": row.size, "kind": row.kind or package.kind}
    if isinstance(row, HandOver):
        event = session.get_one(StoredEvent, row.event)
        told |= {"receiver": package.receiver, "units": sorted(package.units), "event": package.event.hex()}
        stored |= {"receiver": row.receiver, "units": sorted(orjson.loads(row.units)), "event": event.digest.hex()}
    else:
        told |= {"sender": package.sender, "units": dict(package.units)}
        stored |= {"sender": row.sender, "units": orjson.loads(row.units) if row.kind else told["units"]}
    for name, value in told.items():
        if stored[name] != value:
            yield f"its {name} is {stored[name]!r}, the package says {value!r}"


def _announcement(row: Arrival) -> Iterator[str]:
    """The sender's signed request, which proves what was announced."""
    try:
        proof = orjson.loads(row.announcement)
        Account.recover_message(encode_defunct(text=proof["text"]), signature=proof["signature"])
    except Exception as error:  # whatever is wrong with it, it proves nothing
        yield f"the request that announced it proves nothing: {type(error).__name__}"


def check_counters(session: Session, checked: Checked) -> Iterator[Finding]:
    """Series of numbers stand behind every number that was given out."""
    used = {"batch": 0, "logistic": 0, "seal:0": 0}
    party = session.exec(select(StoredEvent.party).where(col(StoredEvent.secret).is_not(None)).limit(1)).first()
    for number in session.exec(select(CommissionedBatch.number)):
        used["batch"] = max(used["batch"], number % (1 << BATCH_BITS) + 1)
    for text in session.exec(select(LogisticUnit.number).where(col(LogisticUnit.number).is_not(None))):
        if text is not None and int(text) >> LOGISTIC_BITS == party:
            used["logistic"] = max(used["logistic"], int(text) % (1 << LOGISTIC_BITS) + 1)
    for sequence in session.exec(select(Seal.sequence)):
        used["seal:0"] = max(used["seal:0"], sequence + 1)
    for series, least in used.items():
        checked.note("series")
        counter = session.get(Counter, series)
        if (counter.next if counter else 0) < least:
            yield Finding(f"series {series}", f"it goes on from {counter.next if counter else 0}, {least - 1} is used")
