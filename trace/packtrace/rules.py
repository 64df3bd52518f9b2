"""The lifecycle of packs and logistic units: what an event does, and whether what is recorded so far allows it.

Pure: the caller says what is known of each item, and carries out the movement when `check` lets it pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.gs1 import sscc_of_uri

# How the canonical URI of everything with a GTIN begins.
PACKS = "https://id.gs1.org/01/"
# What a refusal names as the rule that was broken.
RULE = "packtrace: lifecycle"
# What a refusal names where an SSCC is used again too early (section 2.2.1).
REUSE = "GS1 General Specifications: an SSCC is not used again within one year"
# Steps that a pack does not come back from (CBV 2.0, section 7.1), whatever the event's action.
LAST_STEPS = frozenset({"dispensing", "retail_selling", "destroying", "decommissioning"})


class Place(IntEnum):
    """Where an item is, as this gateway's records say; an item inside another is where that one is."""

    UNKNOWN = 0
    HERE = 1
    SHIPPED = 2
    EXPECTED = 3  # its pedigree is here and verified, the goods are not
    QUARANTINED = 4  # the goods are here, their data are missing or wrong
    UNPACKED = 5  # a logistic unit that ended
    GONE = 6  # dispensed, destroyed, …


@dataclass(frozen=True, slots=True)
class ItemState:
    """What is recorded of one item: its place, what it is inside of, and for a logistic unit whether it was filled.

    `ended` is when one that is UNPACKED was unpacked, as far as is known, or when one that its creator shipped was last
    used: UTC, as in an event.
    """

    place: Place = Place.UNKNOWN
    parent: str | None = None
    filled: bool = False
    ended: str | None = None


class Movement(StrEnum):
    """What an event does to its items."""

    COMMISSION = "commission"
    PACK = "pack"
    UNPACK = "unpack"
    TAKE_OUT = "take out"
    SHIP = "ship"
    RECEIVE = "receive"
    REMOVE = "remove"
    OBSERVE = "observe"


def movement(event: Event) -> Movement:
    """What the event does (EPCIS 2.0, sections 7.4.2 and 7.4.3; CBV 2.0, section 7.1).

    An event of quantities or sensor data alone names no pack and no logistic unit, so it moves none.
    """
    if event.type == "AggregationEvent":
        if event.action == "ADD":
            return Movement.PACK
        if event.action == "DELETE":
            return Movement.TAKE_OUT if event.children or event.quantities else Movement.UNPACK
        return Movement.OBSERVE
    if not event.epcs:
        return Movement.OBSERVE
    if event.action == "ADD":
        return Movement.COMMISSION
    if event.action == "DELETE" or event.biz_step in LAST_STEPS:
        return Movement.REMOVE
    return {"shipping": Movement.SHIP, "receiving": Movement.RECEIVE}.get(event.biz_step or "", Movement.OBSERVE)


def items_to_know(event: Event) -> list[str]:
    """The items whose states `check` needs.

    A commissioning needs none of its packs: that a serial is new is the store's own unique key to say.
    """
    if movement(event) is Movement.COMMISSION:
        return [uri for uri in event.epcs if not uri.startswith(PACKS)]
    if event.type == "AggregationEvent":
        return [*([event.parent] if event.parent else []), *event.children]
    return list(event.epcs)


def check(event: Event, states: Mapping[str, ItemState], field: str) -> Movement:
    """The event's movement, if the states allow it. Raises LifecycleError naming the item and the rule.

    `field` is the event's own path with a dot, such as ``epcisBody.eventList[0].``, empty for a bare event.
    """
    what = movement(event)
    match what:
        case Movement.COMMISSION:
            _check_commission(event, states, field)
        case Movement.PACK:
            _check_pack(event, states, field)
        case Movement.UNPACK | Movement.TAKE_OUT:
            _check_unpack(event, states, field)
        case Movement.SHIP:
            _check_ship(event.epcs, states, f"{field}epcList")
        case Movement.RECEIVE:
            _check_receive(event, states, f"{field}epcList")
        case Movement.REMOVE:
            for number, uri in enumerate(event.epcs):
                _check_free(uri, states, f"{field}epcList[{number}]", "removed")
    return what


def _check_commission(event: Event, states: Mapping[str, ItemState], field: str) -> None:
    if event.biz_step in ("shipping", "receiving"):
        raise _refusal(f"{event.biz_step} is recorded with action OBSERVE", f"{field}action", event.action)
    if event.biz_step != "commissioning" and any(uri.startswith(PACKS) for uri in event.epcs):
        raise _refusal("packs come into being with bizStep commissioning", f"{field}bizStep", event.biz_step)
    for number, uri in enumerate(event.epcs):
        if not uri.startswith(PACKS) and states.get(uri, ItemState()).place is not Place.UNKNOWN:
            message = "was commissioned before; every identifier is commissioned once"
            raise _item_refusal(message, f"{field}epcList[{number}]", uri)


def _check_pack(event: Event, states: Mapping[str, ItemState], field: str) -> None:
    parent = event.parent
    if parent is None or sscc_of_uri(parent) is None:
        raise _refusal("things are packed into a logistic unit with an SSCC", f"{field}parentID", parent)
    state = states.get(parent, ItemState())
    if state.place in (Place.UNPACKED, Place.SHIPPED) and state.ended:
        _check_reuse(event, state, f"{field}parentID", parent)
        state = ItemState()
    elif state.place not in (Place.UNKNOWN, Place.HERE):
        raise _item_refusal(f"is {_where(state)}; it cannot be filled here", f"{field}parentID", parent)
    elif state.filled:
        message = "is packed already: its content is on chain; unpack it and use another SSCC"
        raise _item_refusal(message, f"{field}parentID", parent)
    if state.parent is not None:
        raise _item_refusal(f"is inside {state.parent}; take it out before it is filled", f"{field}parentID", parent)
    for number, child in enumerate(event.children):
        _check_free(child, states, f"{field}childEPCs[{number}]", "packed")


def _check_reuse(event: Event, state: ItemState, path: str, uri: str) -> None:
    """The same SSCC is another unit a year after the earlier one was unpacked, or shipped and not seen since."""
    ended = state.ended or ""
    again = f"{int(ended[:4]) + 1}{ended[4:]}"
    if event.event_time < again:
        last = "unpacked" if state.place is Place.UNPACKED else "last used"
        message = f"was {last} on {ended[:10]}: its SSCC can be used again from {again[:10]} on; use another one"
        raise LifecycleError(f"this item {message}", field=path, value=uri, rule=REUSE)


def _check_unpack(event: Event, states: Mapping[str, ItemState], field: str) -> None:
    parent = event.parent
    if parent is None:
        raise _refusal("unpacking names the logistic unit", f"{field}parentID", parent)
    if event.quantities and not event.children:
        # Who sees only a part of the event could not tell it from one that empties the unit.
        message = "name what is taken out in childEPCs, or leave out the quantities too to unpack the whole"
        raise _refusal(message, f"{field}childQuantityList", event.quantities[0].epc_class)
    state = states.get(parent, ItemState())
    if state.place is not Place.HERE:
        raise _item_refusal(f"is {_where(state)}; it cannot be opened here", f"{field}parentID", parent)
    if state.parent is not None:
        raise _item_refusal(f"is inside {state.parent}; take it out first", f"{field}parentID", parent)
    for number, child in enumerate(event.children):
        inside = states.get(child, ItemState()).parent
        if inside != parent:
            where = f"it is inside {inside}" if inside else "it is in no logistic unit"
            raise _item_refusal(f"is not inside {parent}: {where}", f"{field}childEPCs[{number}]", child)


def _check_ship(uris: Sequence[str], states: Mapping[str, ItemState], field: str) -> None:
    for number, uri in enumerate(uris):
        path = f"{field}[{number}]"
        if sscc_of_uri(uri) is None:
            message = "is no logistic unit: pack it first, loose packs travel in a tote with an SSCC"
            raise _item_refusal(message, path, uri)
        state = _check_free(uri, states, path, "shipped")
        if not state.filled:
            raise _item_refusal("is empty: nothing was packed into it", path, uri)


def _check_receive(event: Event, states: Mapping[str, ItemState], field: str) -> None:
    for number, uri in enumerate(event.epcs):
        path = f"{field}[{number}]"
        state = states.get(uri, ItemState())
        if sscc_of_uri(uri) is None:
            raise _item_refusal("is no logistic unit: goods are received by SSCC", path, uri)
        if state.parent is not None:
            raise _item_refusal(f"is inside {state.parent}: receive that one", path, uri)
        if state.place is Place.UNPACKED and state.ended:
            _check_reuse(event, state, path, uri)
        elif state.place not in (Place.UNKNOWN, Place.EXPECTED, Place.SHIPPED):
            raise _item_refusal(f"is {_where(state)}; it cannot be received again", path, uri)


def _check_free(uri: str, states: Mapping[str, ItemState], path: str, done: str) -> ItemState:
    """The item is here and inside nothing."""
    state = states.get(uri, ItemState())
    if not uri.startswith(PACKS) and sscc_of_uri(uri) is None:
        raise _item_refusal(f"is neither a pack nor a logistic unit: only these are {done}", path, uri)
    if state.place is Place.UNKNOWN:
        raise _item_refusal(f"is not known here: it cannot be {done} before it was commissioned or received", path, uri)
    if state.place is not Place.HERE:
        raise _item_refusal(f"is {_where(state)}; it cannot be {done} here", path, uri)
    if state.parent is not None:
        raise _item_refusal(f"is inside {state.parent}; take it out before it is {done}", path, uri)
    return state


def _where(state: ItemState) -> str:
    return {
        Place.UNKNOWN: "not known here",
        Place.HERE: "here already",
        Place.SHIPPED: "shipped",
        Place.EXPECTED: "announced, not received",
        Place.QUARANTINED: "in quarantine",
        Place.UNPACKED: "unpacked: its SSCC has ended",
        Place.GONE: "no longer there (dispensed or destroyed)",
    }[state.place]


def _item_refusal(message: str, field: str, uri: str) -> LifecycleError:
    return _refusal(f"this item {message}", field, uri)


def _refusal(message: str, field: str, value: str | None) -> LifecycleError:
    return LifecycleError(message, field=field, value=value, rule=RULE)
