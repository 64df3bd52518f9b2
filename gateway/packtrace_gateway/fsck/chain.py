"""What is stored, against the chain: at one block, through the node that whoever checks has named."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, select

from packtrace.chain.facts import ChainReader, View, receipt_hash_of
from packtrace.commit.disclosure import VerifiedEvent
from packtrace.errors import PacktraceError
from packtrace.evidence import LogisticLink, batch_differences, commissioned_batch, logistic_link
from packtrace.facts import BatchState, CustodyState, EntryFacts, LogisticFacts, unit_number
from packtrace.product import gtin_hash
from packtrace.receipt import UNIT_BYTES
from packtrace.rules import Place
from packtrace_gateway.db import Database
from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit, Seal, StoredEvent
from packtrace_gateway.fsck.events import all_events, name, verified
from packtrace_gateway.fsck.report import Checked, Finding
from packtrace_gateway.ledger.follower import Follower, indexed
from packtrace_gateway.ledger.models import (
    BatchEventRow,
    BatchRow,
    ConflictRow,
    CustodyRow,
    DuplicateRow,
    EntryRow,
    RecallRow,
    RegistryRow,
    StatusCallRow,
    StatusUnitRow,
)
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.effects import happened
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow, State
from packtrace_gateway.status.models import Operation, OperationUnit
from packtrace_gateway.status.outcomes import receipt_of

INDEX = (
    BatchEventRow,
    BatchRow,
    ConflictRow,
    CustodyRow,
    DuplicateRow,
    EntryRow,
    RecallRow,
    RegistryRow,
    StatusCallRow,
)
# What a batch of ours may be on chain, by what is said of it here.
BATCH_STATES = {
    "proposing": (BatchState.NONE, BatchState.PROPOSED),
    "refused": (BatchState.NONE,),
    "proposed": (BatchState.PROPOSED,),
    "releasing": (BatchState.PROPOSED, BatchState.RELEASED),
    "withdrawing": (BatchState.PROPOSED, BatchState.WITHDRAWN),
    "released": (BatchState.RELEASED,),
    "withdrawn": (BatchState.WITHDRAWN,),
}


def check_log(session: Session, reader: ChainReader, view: View, checked: Checked) -> Iterator[Finding]:
    """Every event that was sealed is in its party's log on chain."""
    waiting = {seal.id for seal in session.exec(select(Seal).where(Seal.state == "signed"))}
    known: dict[tuple[int, int, int], EntryFacts] = {}
    for event in all_events(session, col(StoredEvent.seal).is_not(None)):
        checked.note("events in the log")
        try:
            seal, root = verified(event).seal, verified(event).seal_root
        except PacktraceError:
            continue  # named by the check of events
        if seal is None or event.seal_id in waiting:
            continue
        if seal.entry not in known:
            known |= reader.log_entries([seal.entry], view)
        entry, where = known.get(seal.entry), f"entry {seal.sequence} of lane {seal.lane} of party {seal.party}'s log"
        if entry is None:
            yield Finding(name(event), f"{where} is not on chain")
        elif (entry.root, entry.count) != (root, seal.count):
            yield Finding(name(event), f"{where} is another on chain")


def check_batches(session: Session, reader: ChainReader, view: View, checked: Checked) -> Iterator[Finding]:
    """Every commissioned batch, own or received, is on chain as its event says."""
    own = {batch.number: batch.state for batch in session.exec(select(CommissionedBatch))}
    for event in all_events(session, StoredEvent.action == "ADD", StoredEvent.type == "ObjectEvent"):
        try:
            commissioning = verified(event)
            if not commissioning.header.core.get("product"):
                continue
            checked.note("batches on chain")
            yield from _batch(reader, view, commissioning, own)
        except PacktraceError as error:
            yield Finding(name(event), str(error))


def _batch(reader: ChainReader, view: View, event: VerifiedEvent, own: Mapping[int, str]) -> Iterator[Finding]:
    product, number = commissioned_batch(event)
    unit = reader.unit_facts(unit_number(number, 0), view)
    state = unit.batch.state if unit else BatchState.NONE
    if number in own and state not in BATCH_STATES[own[number]]:
        yield Finding(f"batch {number}", f"it is {own[number]} here, and on chain {state.name.lower()}")
    if unit is None:
        if number not in own:
            yield Finding(f"batch {number}", "it is not on chain")
        return
    mah = reader.mah_of_gtin(gtin_hash(product.gtin), view)
    wrong = batch_differences(event, product, number, unit.batch, mah)
    if wrong:
        yield Finding(f"batch {number}", f"on chain it differs in: {', '.join(wrong)}")


def check_custody(session: Session, reader: ChainReader, view: View, checked: Checked) -> Iterator[Finding]:
    """Every logistic unit that was filled is registered on chain with the content that was packed."""
    waiting = {
        registration[0]
        for row in session.exec(select(OutboxRow).where(OutboxRow.function == "register"))
        if row.state not in ON_CHAIN
        for registration in calls.load(row.args)[0]
    }
    filled = select(LogisticUnit.filled_by).where(col(LogisticUnit.filled_by).is_not(None))
    for event in all_events(session, col(StoredEvent.id).in_(filled)):
        checked.note("logistic units on chain")
        try:
            link = logistic_link(verified(event))
        except PacktraceError as error:
            yield Finding(name(event), str(error))
            continue
        if link is not None and link.number not in waiting:
            yield from _content(reader, view, link)


def _content(reader: ChainReader, view: View, link: LogisticLink) -> Iterator[Finding]:
    known = reader.logistic_units([link.number], view).get(link.number)
    if known is None:
        yield Finding(link.uri, f"number {link.number} is not on chain")
    elif known.content != link.content:
        yield Finding(link.uri, f"what was packed into it is not what the chain holds for number {link.number}")


def check_whereabouts(
    session: Session, reader: ChainReader, view: View, checked: Checked, party: int
) -> Iterator[Finding]:
    """Whose each logistic unit is, here and on chain. Not while a call about custody is on its way."""
    unsettled = col(OutboxRow.state).in_((State.QUEUED, State.SIGNED, State.BROADCAST, State.INCLUDED))
    custody = select(OutboxRow.id).where(OutboxRow.contract == "CustodyLedger", unsettled)
    if session.exec(custody.limit(1)).first() is not None:
        return
    outermost = (col(LogisticUnit.number).is_not(None), col(LogisticUnit.parent).is_(None))
    units = session.exec(select(LogisticUnit).where(*outermost).order_by(col(LogisticUnit.id))).all()
    for part in bulk.chunks(units):
        known = reader.logistic_units([int(unit.number or 0) for unit in part], view)
        for unit in part:
            checked.note("holders on chain")
            facts = known.get(int(unit.number or 0))
            may = _places(facts, party) if facts else ()
            if may and unit.place not in may:
                assert facts is not None
                place = Place(unit.place).name.lower() if unit.place in iter(Place) else unit.place
                told = f"{facts.state.name.lower().replace('_', ' ')} by party {facts.holder}"
                yield Finding(unit.uri, f"it is {place} here, and {told} on chain")


def _places(facts: LogisticFacts, party: int) -> tuple[Place, ...]:
    """Where a unit may be by these records, as the chain has it; none where it says nothing of that."""
    if facts.parent:
        return ()
    if facts.state is CustodyState.UNPACKED and facts.holder == party:
        return (Place.UNPACKED,)
    if facts.state is CustodyState.IN_TRANSIT:
        if facts.holder == party:
            return (Place.SHIPPED,)
        return (Place.EXPECTED, Place.QUARANTINED, Place.UNKNOWN) if facts.receiver == party else ()
    if facts.holder == party:
        return (Place.HERE, Place.QUARANTINED, Place.SHIPPED)  # shipped: refused, and not back yet
    return (Place.SHIPPED, Place.UNKNOWN, Place.QUARANTINED)


def check_calls(session: Session, reader: ChainReader, checked: Checked) -> Iterator[Finding]:
    """Every call that is said to be on chain is there, with its own event, in the block that is said."""
    query = select(OutboxRow).where(col(OutboxRow.state).in_(ON_CHAIN), col(OutboxRow.tx_hash).is_not(None))
    rows = session.exec(query.order_by(col(OutboxRow.id))).all()
    for part in bulk.chunks(rows):
        found = reader.node.receipts([row.tx_hash for row in part])
        for row, receipt in zip(part, found, strict=True):
            checked.note("calls on chain")
            where = f"outbox row {row.id} ({row.contract}.{row.function})"
            told = receipt and (receipt.block_number, receipt.block_hash)
            if receipt is None or told != (row.block_number, row.block_hash):
                yield Finding(where, f"it is not in block {row.block_number} of the chain")
            elif not happened(row.contract, row.function, row.args, row.digest, receipt.events(reader.deployment)):
                yield Finding(where, "its transaction has no such event")


def check_receipts(
    session: Session, reader: ChainReader, view: View, checked: Checked, party: int
) -> Iterator[Finding]:
    """The chain holds the hashes of the receipts of own status changes."""
    done = select(Operation).where(col(Operation.reverses).is_(None), col(Operation.receipt).is_not(None))
    for operation in session.exec(done.where(Operation.state == "done")):
        checked.note("receipts on chain")
        query = select(OperationUnit).where(OperationUnit.operation == operation.id)
        receipt = receipt_of(party, operation, session.exec(query.order_by(col(OperationUnit.position))).all())
        if reader.receipt_hash(receipt.id, view) != receipt_hash_of(receipt):
            yield Finding(f"operation {operation.id}", "the chain holds another receipt for it, or none")


def check_index(session: Session, reader: ChainReader, checked: Checked) -> Iterator[Finding]:
    """The index of the contracts' events, against one that is read from the chain anew."""
    newest = indexed(session)
    if newest is None:
        return
    with tempfile.TemporaryDirectory(prefix="packtrace-fsck-") as folder:
        database = Database(f"sqlite:///{Path(folder, 'index.db')}")
        database.migrate()
        try:
            follower = Follower(database, reader.node, reader.deployment)
            while follower.run_once() == 0.0:
                pass
            if follower.trouble:
                yield Finding("index", f"it could not be read from the chain: {follower.trouble}")
                return
            with database.read() as fresh:
                for model in INDEX:
                    yield from _index(fresh, session, model, newest.number, checked)
                yield from _units_of_calls(session)
        finally:
            database.close()


def _index(fresh: Session, stored: Session, model: type[SQLModel], last: int, checked: Checked) -> Iterator[Finding]:
    where = f"index {bulk.table_of(model).name}"
    there, here = _rows(fresh, model, last), _rows(stored, model, last)
    checked.note("index rows", here.total())
    yield from (Finding(where, f"it lacks {_shown(row)}") for row in (there - here).elements())
    yield from (Finding(where, f"the chain has no {_shown(row)}") for row in (here - there).elements())


def _units_of_calls(session: Session) -> Iterator[Finding]:
    """The rows by which a unit's calls are found, against the calls."""
    found: dict[int, set[tuple[int, int]]] = {}
    for row in session.exec(select(StatusUnitRow)):
        found.setdefault(row.call_id, set()).add((row.unit, row.position))
    for call in session.exec(select(StatusCallRow)):
        numbers = range(0, len(call.units), UNIT_BYTES)
        named = {(int.from_bytes(call.units[at : at + UNIT_BYTES]), at // UNIT_BYTES) for at in numbers}
        if found.pop(call.id or 0, set()) != named:
            yield Finding(f"index of call {call.id}", "its units are not those by which it is found")
    yield from (Finding(f"index of call {number}", "units are found by it, and it is not here") for number in found)


def _rows(session: Session, model: type[SQLModel], last: int) -> "Counter[tuple[tuple[str, str], ...]]":
    """Rows up to a block, as they are stored: a value that no enumeration has must be shown too."""
    table = bulk.table_of(model)
    columns = ", ".join(f'"{column.name}"' for column in table.c if column.name != "id")
    query = text(f"SELECT {columns} FROM {table.name} WHERE block_number <= :last")  # noqa: S608
    return Counter(
        tuple((str(key), value.hex() if isinstance(value, bytes) else str(value)) for key, value in row.items())
        for row in session.execute(query, {"last": last}).mappings()
    )


def _shown(row: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{key} {value[:40]}" for key, value in row)
