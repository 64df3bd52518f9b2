"""A call's own event: what must be in a receipt for the call to have happened.

A receipt with status 1 is not enough: it says that a transaction did not fail, not that it did what was asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packtrace.chain.contracts import Event
from packtrace_gateway.outbox import calls

Expected = tuple[str, dict[str, Any]]

CUSTODY_EVENTS = {
    "ship": "Shipped",
    "cancelShipment": "ShipmentCancelled",
    "receiveShipment": "Received",
    "refuseShipment": "Refused",
    "unpack": "Unpacked",
}


def happened(contract: str, function: str, args: bytes, digest: bytes | None, events: Iterable[Event]) -> bool:
    """Whether `events` of one transaction hold all that this call emits.

    `digest` is the consent's EIP-712 digest where it is known: a status change carries it as its number.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event.contract == contract:
            found.setdefault(event.event, []).append(event.args)
    wanted: dict[str, list[dict[str, Any]]] = {}
    for name, known in own_events(contract, function, calls.load(args), digest):
        wanted.setdefault(name, []).append(known)
    return all(_all_there(found.get(name, []), wanted[name]) for name in wanted)


def own_events(contract: str, function: str, args: Sequence[Any], digest: bytes | None) -> list[Expected]:
    """The events that this call emits when it succeeds: name and the arguments that are known before."""
    match contract, function, *args:
        case "EventLog", "append", lane, sequence, root, count, _:
            return [("Appended", {"lane": lane, "sequence": sequence, "root": root, "count": count})]
        case "PackLedger", "propose", (batch, _, lot_key, _, count, _), _:
            return [("BatchProposed", {"batch": batch, "lotKey": lot_key, "count": count})]
        case "PackLedger", "release", batch, _, _:
            return [("BatchReleased", {"batch": batch})]
        case "PackLedger", "withdraw", batch, _:
            return [("BatchWithdrawn", {"batch": batch})]
        case "PackLedger", "changeStatus", to, units, openings, _:
            number = {} if digest is None else {"id": digest}
            return [("StatusChanged", {**number, "to": to, "openings": openings, "units": units})]
        case "PackLedger", "reverseStatus", (number, *_), _, _:
            return [("StatusReversed", {"id": number})]
        case "PackLedger", "liftStatus", units, _, _, _:
            return [("StatusLifted", {"units": units})]
        case "PackLedger", "restoreStatus", (number, *_), _, ground, _, _:
            return [("StatusRestored", {"id": number, "ground": ground})]
        case "CustodyLedger", "register", registrations, _:
            names = ("number", "ssccCommitment", "contentRoot", "count")
            return [("Registered", dict(zip(names, one[:4], strict=True))) for one in registrations]
        case "CustodyLedger", "ship", numbers, to, _:
            return [("Shipped", {"number": number, "to": to}) for number in numbers]
        case "CustodyLedger", "receivePartly", number, missing, _:
            left = [("Missing", {"number": child}) for child in missing]
            return [("Received", {"number": number}), *left]
        case "CustodyLedger", "takeOut", numbers, _:
            return [("TakenOut", {"child": number}) for number in numbers]
        case "CustodyLedger", _, numbers, _:
            return [(CUSTODY_EVENTS[function], {"number": number}) for number in numbers]
        case "RecallBoard", "recallLot", mah, lot_key, kind, reason, _:
            return [("Recalled", {"mah": mah, "subject": lot_key, "kind": kind, "reason": reason})]
        case "RecallBoard", "recallBatch", mah, batch, kind, reason, _:
            subject = batch.to_bytes(32)
            return [("Recalled", {"mah": mah, "subject": subject, "kind": kind, "reason": reason})]
        case "RecallBoard", "liftRecall", mah, subject, reason, _:
            return [("RecallLifted", {"mah": mah, "subject": subject, "reason": reason})]
        case "PartyRegistry", "rotateKey", old, new, _, _:
            return [("KeyReplaced", {"oldKey": old, "newKey": new})]
        case "PartyRegistry", "replaceKey", old, new, _, _:
            return [("KeyReplaced", {"oldKey": old, "newKey": new})]
        case "PartyRegistry", "authoriseLine", _, party, until, _:
            return [("LineAuthorised", {"party": party, "until": until})]
        case "PartyRegistry", "authoriseQuality", _, key, until, _:
            return [("QualityAuthorised", {"key": key, "until": until})]
    raise ValueError(f"no event is known for {contract}.{function}")


def _all_there(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> bool:
    """All of one kind of event; looked up by the first known argument (256 units in a call make as many events)."""
    name = next(iter(wanted[0]))
    by_name: dict[Any, list[Mapping[str, Any]]] = {}
    for args in found:
        by_name.setdefault(args[name], []).append(args)
    return all(
        any(all(args[key] == value for key, value in one.items()) for args in by_name.get(one[name], ()))
        for one in wanted
    )
