"""Events as rows: what is stored for each, and who is told."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, delete, select

from packtrace.chain.node import Block, Log
from packtrace_gateway.ledger.models import (
    BatchEventRow,
    BatchRow,
    BatchState,
    CallKind,
    ConflictRow,
    CustodyRow,
    DuplicateRow,
    EntryRow,
    RecallRow,
    RegistryRow,
    StatusCallRow,
    StatusUnitRow,
)

UNIT_BYTES = 8
Row = TypeVar("Row", bound=SQLModel)
INDEXED = (
    StatusCallRow,
    ConflictRow,
    DuplicateRow,
    BatchRow,
    BatchEventRow,
    RecallRow,
    CustodyRow,
    EntryRow,
    RegistryRow,
)


class Listener:
    """A feature that wants to hear of events; each method runs in the transaction that stores the event's row.

    A reorganisation takes rows back (`on_retracted`), and may bring the same events again in other blocks.
    """

    def on_status(self, session: Session, call: StatusCallRow) -> None:
        """Status was changed, reversed, lifted or restored."""

    def on_conflict(self, session: Session, conflict: ConflictRow) -> None:
        """A unit could not be changed."""

    def on_duplicate(self, session: Session, duplicate: DuplicateRow) -> None:
        """Two units were proven to have one serial."""

    def on_batch(self, session: Session, batch: int, state: BatchState) -> None:
        """A batch was proposed, released or withdrawn."""

    def on_recall(self, session: Session, recall: RecallRow) -> None:
        """A lot or batch was recalled or withdrawn, or that was lifted."""

    def on_custody(self, session: Session, custody: CustodyRow) -> None:
        """Something happened to a logistic unit."""

    def on_registry(self, session: Session, entry: RegistryRow) -> None:
        """The party registry changed."""

    def on_retracted(self, session: Session, number: int) -> None:
        """All that stood in blocks after `number` is about to be deleted from the index."""


def store(session: Session, listeners: Sequence[Listener], log: Log, block: Block) -> None:
    """Store one event of one of our contracts, and tell the listeners; events that are not indexed are passed over."""
    where: dict[str, Any] = {
        "block_number": log.block_number,
        "log_index": log.index,
        "tx_hash": log.transaction_hash,
        "time": block.timestamp,
    }
    args: dict[str, Any] = dict(log.args)
    match log.contract, log.event:
        case "PackLedger", "StatusChanged":
            _status_call(session, listeners, CallKind.CHANGED, args["id"], args, where)
        case "PackLedger", "StatusReversed":
            _status_call(session, listeners, CallKind.REVERSED, args["id"], args, where)
        case "PackLedger", "StatusLifted":
            _status_call(session, listeners, CallKind.LIFTED, args["call"], args, where)
        case "PackLedger", "StatusRestored":
            _status_call(session, listeners, CallKind.RESTORED, args["id"], args, where)
        case "PackLedger", "DuplicateProven":
            twin_found, uri = args.pop("twinFound"), args.pop("uri").decode("utf-8", "replace")
            duplicate = _added(session, DuplicateRow(**args, twin_found=twin_found, uri=uri, **where))
            _tell(listeners, lambda listener: listener.on_duplicate(session, duplicate))
        case "PackLedger", "Conflict":
            conflict = _added(session, ConflictRow(**args, **where))
            _tell(listeners, lambda listener: listener.on_conflict(session, conflict))
        case "PackLedger", "BatchProposed":
            lot_key = args.pop("lotKey")
            session.add(BatchRow(**args, lot_key=lot_key, **where))
            _tell(listeners, lambda listener: listener.on_batch(session, args["batch"], BatchState.PROPOSED))
        case "PackLedger", "BatchReleased" | "BatchWithdrawn":
            state = BatchState.RELEASED if log.event == "BatchReleased" else BatchState.WITHDRAWN
            session.add(BatchEventRow(**args, state=state, **where))
            _tell(listeners, lambda listener: listener.on_batch(session, args["batch"], state))
        case "RecallBoard", "Recalled" | "RecallLifted":
            recall = _added(session, RecallRow(**{"kind": 0, **args}, **where))
            _tell(listeners, lambda listener: listener.on_recall(session, recall))
        case "CustodyLedger", "Registered" | "Packed" | "TakenOut" | "Unpacked" | "Shipped" | "ShipmentCancelled":
            _custody(session, listeners, log.event, args, where)
        case "CustodyLedger", "Received" | "Refused" | "Missing":
            _custody(session, listeners, log.event, args, where)
        case "EventLog", "Appended":
            session.add(EntryRow(**args, **where))
        case "PartyRegistry", event if event not in ("EIP712DomainChanged", "AuthorityUpdated"):
            shown = {name: "0x" + v.hex() if isinstance(v, bytes) else v for name, v in args.items()}
            party = args.get("party", args.get("mah"))
            entry = _added(session, RegistryRow(event=event, party=party, args=shown, **where))
            _tell(listeners, lambda listener: listener.on_registry(session, entry))


def roll_back(session: Session, listeners: Sequence[Listener], number: int) -> None:
    """Delete every row of the blocks after `number`."""
    _tell(listeners, lambda listener: listener.on_retracted(session, number))
    calls = select(StatusCallRow.id).where(StatusCallRow.block_number > number)
    session.exec(delete(StatusUnitRow).where(col(StatusUnitRow.call_id).in_(calls)))
    for table in INDEXED:
        session.exec(delete(table).where(col(table.block_number) > number))


def units_of(packed: bytes) -> list[int]:
    """The unit numbers in a packed list."""
    return [int.from_bytes(packed[at : at + UNIT_BYTES]) for at in range(0, len(packed), UNIT_BYTES)]


def _status_call(
    session: Session,
    listeners: Sequence[Listener],
    kind: CallKind,
    number: bytes,
    args: dict[str, Any],
    where: dict[str, Any],
) -> None:
    call = StatusCallRow(
        kind=kind,
        call=number,
        party=args["mah"] if "mah" in args else args["party"],
        second_party=args.get("regulator"),
        to=args.get("to", 0),
        openings=args.get("openings"),
        units=args["units"],
        outcomes=args["outcomes"],
        **where,
    )
    _added(session, call)
    rows = [
        {"unit": unit, "call_id": call.id, "position": position} for position, unit in enumerate(units_of(call.units))
    ]
    session.execute(insert(StatusUnitRow), rows)
    _tell(listeners, lambda listener: listener.on_status(session, call))


def _custody(
    session: Session, listeners: Sequence[Listener], event: str, args: dict[str, Any], where: dict[str, Any]
) -> None:
    row = CustodyRow(
        event=event,
        number=args["child"] if "child" in args else args["number"],
        party=args.get("holder", args.get("from")),
        other=args.get("to"),
        parent=args.get("parent"),
        sscc_commitment=args.get("ssccCommitment"),
        content_root=args.get("contentRoot"),
        count=args.get("count"),
        **where,
    )
    _added(session, row)
    _tell(listeners, lambda listener: listener.on_custody(session, row))


def _added(session: Session, row: Row) -> Row:
    """The row with its number."""
    session.add(row)
    session.flush()
    return row


def _tell(listeners: Sequence[Listener], tell: Callable[[Listener], None]) -> None:
    for listener in listeners:
        tell(listener)
