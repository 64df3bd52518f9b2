"""An event, committed: its header, its item tree, and the secret that salts both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packtrace.commit import header as headers
from packtrace.commit.declaration import MEMBER, Declaration
from packtrace.commit.header import Header
from packtrace.commit.items import ItemTree, Role, role_ranges
from packtrace.epcis.model import ErrorDeclaration, Event, Quantity, Typed
from packtrace.errors import EvidenceError
from packtrace.product import Product


@dataclass(frozen=True, slots=True)
class Custody:
    """The chain's number of the logistic unit that an aggregation fills, and the salt of its SSCC commitment."""

    number: int
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What ties an event to the contracts.

    `party` recorded the event; `product` and `batch` stand in a commissioning of packs, `custody` in an aggregation
    that fills a logistic unit, `receiver` in a shipment: the party number that the goods are handed to. `declares`
    stands in an error declaration, and there none of the others but `party`.
    """

    party: int
    product: Product | None = None
    batch: int | None = None
    custody: Custody | None = None
    receiver: int | None = None
    declares: Declaration | None = None


@dataclass(frozen=True, slots=True)
class Commitment:
    """A committed event, as its owner keeps it."""

    header: Header
    tree: ItemTree
    secret: bytes

    @property
    def digest(self) -> bytes:
        return self.header.digest


def commit(
    event: Event,
    tree: ItemTree,
    *,
    ledger: Ledger,
    record_time: str,
    cbv_hash: str,
    secret: bytes,
    public_place: bool = True,
) -> Commitment:
    """Commit to `event`, whose item tree was built with the same `secret`. `record_time` is UTC with milliseconds,
    `cbv_hash` its CBV 2.0 event hash.

    The core always travels; the unsalted CBV hash never does unless opened on purpose, since it would let its reader
    test guesses about the rest. So it is with the read point of a premises whose GLN is not public.
    """
    core, others = core_of(event, tree, ledger, record_time), others_of(event, cbv_hash)
    if not public_place and core["readPoint"] is not None:
        core["readPoint"], others["readPoint"] = None, core["readPoint"]
    return Commitment(headers.build(core, others, secret), tree, secret)


def core_of(event: Event, tree: ItemTree, ledger: Ledger, record_time: str) -> dict[str, Any]:
    core: dict[str, Any] = {
        "party": ledger.party,
        "type": event.type,
        "action": event.action,
        "eventTime": event.event_time,
        "eventTimeZoneOffset": event.event_time_zone_offset,
        "recordTime": record_time,
        "bizStep": event.biz_step,
        "disposition": event.disposition,
        "readPoint": event.read_point,
        "items": {
            "root": tree.root.hex(),
            "counts": {role.name.lower(): count for role, count in tree.counts.items()},
        },
    }
    if ledger.product is not None:
        core["product"] = ledger.product.to_json() | {"batch": ledger.batch}
    if ledger.custody is not None:
        core["custody"] = {"number": str(ledger.custody.number), "salt": ledger.custody.salt.hex()}
    if ledger.receiver is not None:
        core["receiver"] = ledger.receiver
    if ledger.declares is not None:
        core[MEMBER] = ledger.declares.to_json()
    return core


def others_of(event: Event, cbv_hash: str) -> dict[str, Any]:
    """Every field that is not in the core, by its EPCIS name; extensions as ``ext:{namespace}name``."""
    declaration = event.error_declaration
    fields: dict[str, Any] = {
        "cbvHash": cbv_hash,
        "eventID": event.event_id,
        "readPoint:extensions": event.read_point_extensions,
        "bizLocation": event.biz_location,
        "bizLocation:extensions": event.biz_location_extensions,
        "bizTransactionList": [_typed(entry) for entry in event.biz_transactions],
        "sourceList": [_typed(entry) for entry in event.sources],
        "destinationList": [_typed(entry) for entry in event.destinations],
        "quantityList": [_quantity(entry) for entry in event.quantities],
        "persistentDisposition": {key: list(words) for key, words in (event.persistent_disposition or {}).items()},
        "ilmd": event.ilmd,
        "sensorElementList": list(event.sensor_elements),
        "certificationInfo": list(event.certification_info),
        "errorDeclaration": declaration
        and {
            "declarationTime": declaration.declaration_time,
            "reason": declaration.reason,
            "correctiveEventIDs": list(declaration.corrective_event_ids),
            "extensions": declaration.extensions,
        },
    }
    said = {name: value for name, value in fields.items() if value not in (None, [], {})}
    return said | {f"ext:{name}": value for name, value in event.extensions.items()}  # an empty one says something too


def event_of(header: Header, uris: Sequence[str]) -> Event:
    """The event that was committed to: `header` with every field open, `uris` all items in tree order.

    Items come back in the order of the tree; the order in the document that was captured is no part of an event. Raises
    EvidenceError where these are not the fields of an event.
    """
    core, fields = header.core, header.opened
    by_role = {role: list(uris[first:last]) for role, first, last in role_ranges(header.counts, 0, len(uris))}
    declaration = fields.get("errorDeclaration")
    try:
        return Event(
            type=core["type"],
            action=core["action"],
            event_time=core["eventTime"],
            event_time_zone_offset=core["eventTimeZoneOffset"],
            event_id=fields.get("eventID"),
            biz_step=core["bizStep"],
            disposition=core["disposition"],
            read_point=core["readPoint"] or fields.get("readPoint"),
            read_point_extensions=fields.get("readPoint:extensions", {}),
            biz_location=fields.get("bizLocation"),
            biz_location_extensions=fields.get("bizLocation:extensions", {}),
            epcs=by_role.get(Role.EPC, []),
            parent=next(iter(by_role.get(Role.PARENT, [])), None),
            children=by_role.get(Role.CHILD, []),
            quantities=tuple(
                Quantity(epc_class=entry["epcClass"], quantity=entry["quantity"], uom=entry["uom"])
                for entry in fields.get("quantityList", ())
            ),
            biz_transactions=_typed_of(fields, "bizTransactionList"),
            sources=_typed_of(fields, "sourceList"),
            destinations=_typed_of(fields, "destinationList"),
            persistent_disposition={key: tuple(words) for key, words in fields["persistentDisposition"].items()}
            if "persistentDisposition" in fields
            else None,
            ilmd=fields.get("ilmd", {}),
            sensor_elements=tuple(fields.get("sensorElementList", ())),
            certification_info=tuple(fields.get("certificationInfo", ())),
            error_declaration=declaration
            and ErrorDeclaration(
                declaration_time=declaration["declarationTime"],
                reason=declaration["reason"],
                corrective_event_ids=tuple(declaration["correctiveEventIDs"]),
                extensions=declaration["extensions"],
            ),
            extensions={name.removeprefix("ext:"): fields[name] for name in fields if name.startswith("ext:")},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"the header's fields are not those of an event: {error!r}", rule="header") from error


def _typed_of(fields: Mapping[str, Any], name: str) -> tuple[Typed, ...]:
    return tuple(Typed(type=entry["type"], id=entry["id"]) for entry in fields.get(name, ()))


def _typed(entry: Typed) -> dict[str, Any]:
    return {"type": entry.type, "id": entry.id}


def _quantity(entry: Quantity) -> dict[str, Any]:
    return {"epcClass": entry.epc_class, "quantity": entry.quantity, "uom": entry.uom}
