"""The lifecycle rules: what an event does, every refusal word for word, and histories beside a tiny warehouse."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from packtrace.epcis.model import Event, Quantity
from packtrace.errors import LifecycleError
from packtrace.gs1 import sgtin_uri, sscc_uri, with_check_digit
from packtrace.rules import REUSE, RULE, ItemState, Movement, Place, check, items_to_know, movement

GTIN = "09506000134352"
PACK, OTHER = sgtin_uri(GTIN, "S1"), sgtin_uri(GTIN, "S2")
CASE, PALLET, TOTE = (sscc_uri(with_check_digit(f"0950600013435200{number}")) for number in (1, 2, 3))
ASSET = "https://id.gs1.org/8004/4012345ABC"
KILOS = Quantity(epc_class="https://id.gs1.org/01/09506000134352/10/L1", quantity="52", uom="KGM")
HERE = ItemState(Place.HERE)
FULL = ItemState(Place.HERE, filled=True)
IN_CASE = ItemState(Place.HERE, parent=CASE)


def event(**fields: Any) -> Event:
    return Event(event_time="2026-11-23T08:00:00.000Z", event_time_zone_offset="+00:00", **fields)


def on_objects(action: str, step: str | None, *uris: str, **fields: Any) -> Event:
    return event(type="ObjectEvent", action=action, biz_step=step, epcs=list(uris), **fields)


def aggregation(action: str, parent: str | None, *children: str, **fields: Any) -> Event:
    return event(type="AggregationEvent", action=action, parent=parent, children=list(children), **fields)


def commission(*uris: str, step: str | None = "commissioning") -> Event:
    return on_objects("ADD", step, *uris)


def ship(*uris: str) -> Event:
    return on_objects("OBSERVE", "shipping", *uris)


def receive(*uris: str) -> Event:
    return on_objects("OBSERVE", "receiving", *uris)


def pack(parent: str | None, *children: str, **fields: Any) -> Event:
    return aggregation("ADD", parent, *children, **fields)


def unpack(parent: str | None, *children: str, **fields: Any) -> Event:
    return aggregation("DELETE", parent, *children, **fields)


# ---- what an event does ----

MOVEMENTS = [
    (commission(PACK), Movement.COMMISSION),
    (commission(CASE), Movement.COMMISSION),
    (commission(CASE, step=None), Movement.COMMISSION),
    (pack(CASE, PACK), Movement.PACK),
    (pack(CASE, quantities=(KILOS,)), Movement.PACK),
    (aggregation("ADD", CASE, PACK, biz_step="shipping"), Movement.PACK),
    (unpack(CASE), Movement.UNPACK),
    (unpack(CASE, PACK), Movement.TAKE_OUT),
    (unpack(CASE, quantities=(KILOS,)), Movement.TAKE_OUT),
    (ship(CASE), Movement.SHIP),
    (receive(CASE), Movement.RECEIVE),
    (on_objects("DELETE", "destroying", PACK), Movement.REMOVE),
    (on_objects("DELETE", "shipping", PACK), Movement.REMOVE),
    (on_objects("OBSERVE", "dispensing", PACK), Movement.REMOVE),
    (on_objects("OBSERVE", "destroying", PACK), Movement.REMOVE),
    (on_objects("OBSERVE", "decommissioning", PACK), Movement.REMOVE),
    (on_objects("OBSERVE", "retail_selling", PACK), Movement.REMOVE),
    (on_objects("OBSERVE", "inspecting", PACK), Movement.OBSERVE),
    (on_objects("OBSERVE", None, PACK), Movement.OBSERVE),
    (aggregation("OBSERVE", CASE, PACK), Movement.OBSERVE),
    (aggregation("OBSERVE", CASE, PACK, biz_step="receiving"), Movement.OBSERVE),
    (on_objects("OBSERVE", "receiving", quantities=(KILOS,)), Movement.OBSERVE),
    (on_objects("OBSERVE", "shipping", quantities=(KILOS,)), Movement.OBSERVE),
    (on_objects("ADD", "commissioning", quantities=(KILOS,)), Movement.OBSERVE),
    (on_objects("DELETE", "destroying", quantities=(KILOS,)), Movement.OBSERVE),
    (on_objects("OBSERVE", "sensor_reporting"), Movement.OBSERVE),
]


@pytest.mark.parametrize(("given", "expected"), MOVEMENTS)
def test_what_an_event_does(given: Event, expected: Movement) -> None:
    assert movement(given) is expected


def test_a_commissioning_asks_for_no_states_of_its_packs() -> None:
    assert items_to_know(commission(PACK, OTHER)) == []
    assert items_to_know(commission(CASE)) == [CASE]
    assert items_to_know(pack(CASE, PACK)) == [CASE, PACK]
    assert items_to_know(ship(CASE)) == [CASE]


def test_an_observation_asks_nothing_of_the_records() -> None:
    for observed in (on_objects("OBSERVE", "inspecting", PACK), aggregation("OBSERVE", None, PACK)):
        assert check(observed, {}, "") is Movement.OBSERVE


# ---- every refusal ----

REFUSALS: dict[str, tuple[Event, dict[str, ItemState], str, str | None, str]] = {
    "a pack made by another step": (
        commission(PACK, step="packing"),
        {},
        "bizStep",
        "packing",
        "packs come into being with bizStep commissioning",
    ),
    "a pack made by no step": (
        commission(PACK, step=None),
        {},
        "bizStep",
        None,
        "packs come into being with bizStep commissioning",
    ),
    "a logistic unit commissioned twice": (
        commission(CASE, PALLET),
        {PALLET: HERE},
        "epcList[1]",
        PALLET,
        "this item was commissioned before; every identifier is commissioned once",
    ),
    "an SSCC commissioned that was received": (
        commission(CASE),
        {CASE: ItemState(Place.EXPECTED)},
        "epcList[0]",
        CASE,
        "this item was commissioned before; every identifier is commissioned once",
    ),
    "shipping that adds": (
        on_objects("ADD", "shipping", CASE),
        {},
        "action",
        "ADD",
        "shipping is recorded with action OBSERVE",
    ),
    "receiving that adds": (
        on_objects("ADD", "receiving", PACK),
        {},
        "action",
        "ADD",
        "receiving is recorded with action OBSERVE",
    ),
    "packing into a pack": (
        pack(OTHER, PACK),
        {PACK: HERE, OTHER: HERE},
        "parentID",
        OTHER,
        "things are packed into a logistic unit with an SSCC",
    ),
    "packing into nothing": (
        pack(None, PACK),
        {PACK: HERE},
        "parentID",
        None,
        "things are packed into a logistic unit with an SSCC",
    ),
    "packing a second time into a case": (
        pack(CASE, PACK),
        {CASE: FULL, PACK: HERE},
        "parentID",
        CASE,
        "this item is packed already: its content is on chain; unpack it and use another SSCC",
    ),
    "packing into an unpacked case": (
        pack(CASE, PACK),
        {CASE: ItemState(Place.UNPACKED, filled=True), PACK: HERE},
        "parentID",
        CASE,
        "this item is unpacked: its SSCC has ended; it cannot be filled here",
    ),
    "packing into a case that was shipped": (
        pack(CASE, PACK),
        {CASE: ItemState(Place.SHIPPED, filled=True), PACK: HERE},
        "parentID",
        CASE,
        "this item is shipped; it cannot be filled here",
    ),
    "packing into an empty case on a pallet": (
        pack(CASE, PACK),
        {CASE: ItemState(Place.HERE, parent=PALLET), PACK: HERE},
        "parentID",
        CASE,
        f"this item is inside {PALLET}; take it out before it is filled",
    ),
    "packing what is unknown": (
        pack(CASE, PACK, OTHER),
        {PACK: HERE},
        "childEPCs[1]",
        OTHER,
        "this item is not known here: it cannot be packed before it was commissioned or received",
    ),
    "packing what is packed": (
        pack(PALLET, CASE, PACK),
        {CASE: FULL, PACK: IN_CASE},
        "childEPCs[1]",
        PACK,
        f"this item is inside {CASE}; take it out before it is packed",
    ),
    "packing what was dispensed": (
        pack(CASE, PACK),
        {PACK: ItemState(Place.GONE)},
        "childEPCs[0]",
        PACK,
        "this item is no longer there (dispensed or destroyed); it cannot be packed here",
    ),
    "packing what is in quarantine": (
        pack(PALLET, CASE),
        {CASE: ItemState(Place.QUARANTINED)},
        "childEPCs[0]",
        CASE,
        "this item is in quarantine; it cannot be packed here",
    ),
    "packing an asset": (
        pack(CASE, ASSET),
        {},
        "childEPCs[0]",
        ASSET,
        "this item is neither a pack nor a logistic unit: only these are packed",
    ),
    "unpacking what is unknown": (
        unpack(CASE),
        {},
        "parentID",
        CASE,
        "this item is not known here; it cannot be opened here",
    ),
    "unpacking what was shipped": (
        unpack(CASE),
        {CASE: ItemState(Place.SHIPPED, filled=True)},
        "parentID",
        CASE,
        "this item is shipped; it cannot be opened here",
    ),
    "unpacking what has not arrived": (
        unpack(CASE),
        {CASE: ItemState(Place.EXPECTED, filled=True)},
        "parentID",
        CASE,
        "this item is announced, not received; it cannot be opened here",
    ),
    "unpacking what is in quarantine": (
        unpack(CASE),
        {CASE: ItemState(Place.QUARANTINED, filled=True)},
        "parentID",
        CASE,
        "this item is in quarantine; it cannot be opened here",
    ),
    "unpacking twice": (
        unpack(CASE),
        {CASE: ItemState(Place.UNPACKED, filled=True)},
        "parentID",
        CASE,
        "this item is unpacked: its SSCC has ended; it cannot be opened here",
    ),
    "unpacking a case on a pallet": (
        unpack(CASE),
        {CASE: ItemState(Place.HERE, parent=PALLET, filled=True)},
        "parentID",
        CASE,
        f"this item is inside {PALLET}; take it out first",
    ),
    "unpacking without saying what": (
        unpack(None),
        {},
        "parentID",
        None,
        "unpacking names the logistic unit",
    ),
    "taking out a quantity": (
        unpack(CASE, quantities=(KILOS,)),
        {CASE: FULL},
        "childQuantityList",
        KILOS.epc_class,
        "name what is taken out in childEPCs, or leave out the quantities too to unpack the whole",
    ),
    "taking out what is in another case": (
        unpack(CASE, PACK, OTHER),
        {CASE: FULL, PACK: IN_CASE, OTHER: ItemState(Place.HERE, parent=TOTE)},
        "childEPCs[1]",
        OTHER,
        f"this item is not inside {CASE}: it is inside {TOTE}",
    ),
    "taking out what is loose": (
        unpack(CASE, PACK),
        {CASE: FULL, PACK: HERE},
        "childEPCs[0]",
        PACK,
        f"this item is not inside {CASE}: it is in no logistic unit",
    ),
    "shipping a loose pack": (
        ship(CASE, PACK),
        {CASE: FULL, PACK: HERE},
        "epcList[1]",
        PACK,
        "this item is no logistic unit: pack it first, loose packs travel in a tote with an SSCC",
    ),
    "shipping before packing": (
        ship(CASE),
        {CASE: HERE},
        "epcList[0]",
        CASE,
        "this item is empty: nothing was packed into it",
    ),
    "shipping what is unknown": (
        ship(CASE),
        {},
        "epcList[0]",
        CASE,
        "this item is not known here: it cannot be shipped before it was commissioned or received",
    ),
    "shipping twice": (
        ship(CASE),
        {CASE: ItemState(Place.SHIPPED, filled=True)},
        "epcList[0]",
        CASE,
        "this item is shipped; it cannot be shipped here",
    ),
    "shipping a case off its pallet": (
        ship(CASE),
        {CASE: ItemState(Place.HERE, parent=PALLET, filled=True)},
        "epcList[0]",
        CASE,
        f"this item is inside {PALLET}; take it out before it is shipped",
    ),
    "shipping what has not arrived": (
        ship(CASE),
        {CASE: ItemState(Place.EXPECTED, filled=True)},
        "epcList[0]",
        CASE,
        "this item is announced, not received; it cannot be shipped here",
    ),
    "receiving a loose pack": (
        receive(PACK),
        {},
        "epcList[0]",
        PACK,
        "this item is no logistic unit: goods are received by SSCC",
    ),
    "receiving a case instead of its pallet": (
        receive(CASE),
        {CASE: ItemState(Place.EXPECTED, parent=PALLET)},
        "epcList[0]",
        CASE,
        f"this item is inside {PALLET}: receive that one",
    ),
    "receiving what is here": (
        receive(CASE),
        {CASE: FULL},
        "epcList[0]",
        CASE,
        "this item is here already; it cannot be received again",
    ),
    "receiving what is in quarantine": (
        receive(CASE),
        {CASE: ItemState(Place.QUARANTINED)},
        "epcList[0]",
        CASE,
        "this item is in quarantine; it cannot be received again",
    ),
    "receiving what was unpacked": (
        receive(CASE),
        {CASE: ItemState(Place.UNPACKED, filled=True)},
        "epcList[0]",
        CASE,
        "this item is unpacked: its SSCC has ended; it cannot be received again",
    ),
    "removing what is unknown": (
        on_objects("DELETE", "destroying", PACK),
        {},
        "epcList[0]",
        PACK,
        "this item is not known here: it cannot be removed before it was commissioned or received",
    ),
    "dispensing from a sealed case": (
        on_objects("OBSERVE", "dispensing", OTHER, PACK),
        {OTHER: HERE, PACK: IN_CASE},
        "epcList[1]",
        PACK,
        f"this item is inside {CASE}; take it out before it is removed",
    ),
    "dispensing twice": (
        on_objects("DELETE", "dispensing", PACK),
        {PACK: ItemState(Place.GONE)},
        "epcList[0]",
        PACK,
        "this item is no longer there (dispensed or destroyed); it cannot be removed here",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_names_field_value_and_rule(name: str) -> None:
    given, states, path, value, message = REFUSALS[name]
    with pytest.raises(LifecycleError) as refused:
        check(given, states, "epcisBody.eventList[3].")
    error = refused.value
    assert (error.message, error.field, error.value, error.rule) == (
        message,
        f"epcisBody.eventList[3].{path}",
        value,
        RULE,
    )


def test_a_bare_event_is_refused_by_its_own_field() -> None:
    with pytest.raises(LifecycleError) as refused:
        check(ship(PACK), {}, "")
    assert refused.value.field == "epcList[0]"


# ---- whole histories ----


@dataclass(slots=True)
class Thing:
    """An item of the tiny warehouse. `inside` is what it lies in; only what lies in nothing has a place of its own."""

    place: Place
    inside: str | None = None
    content: set[str] = field(default_factory=set)
    was_filled: bool = False


class Warehouse(RuleBasedStateMachine):
    """Anything is tried, in any order: the rules accept exactly what this warehouse's forklifts could do.

    The model moves boxes; it does not ask the rules. What they refuse must be impossible in it, what they accept
    possible, and afterwards everything must be in one place, and inside at most one thing.
    """

    PACKS = tuple(sgtin_uri(GTIN, f"S{number}") for number in range(4))
    UNITS = tuple(sscc_uri(with_check_digit(f"0950600013435200{number}")) for number in range(4))

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, Thing] = {}
        for name in self.PACKS[:-1]:  # the last one was never made
            assert check(commission(name), {}, "") is Movement.COMMISSION
            self.things[name] = Thing(Place.HERE)

    def some(self, data: st.DataObject, *likely: str, names: tuple[str, ...] = PACKS + UNITS) -> list[str]:
        """One or two of `names`; mostly of the likely ones, so that the warehouse gets full."""
        one = st.sampled_from(names)
        if likely:
            one = st.one_of(st.sampled_from(sorted(likely)), st.sampled_from(sorted(likely)), one)
        return data.draw(st.lists(one, min_size=1, max_size=2, unique=True))

    def outermost(self, name: str) -> Thing:
        thing = self.things[name]
        return thing if thing.inside is None else self.outermost(thing.inside)

    def states(self, names: list[str]) -> dict[str, ItemState]:
        """The warehouse's records, as a store would give them."""
        return {
            name: ItemState(self.outermost(name).place, self.things[name].inside, self.things[name].was_filled)
            for name in names
            if name in self.things
        }

    def allowed(self, given: Event) -> bool:
        try:
            check(given, self.states(items_to_know(given)), "")
        except LifecycleError:
            return False
        return True

    def free(self, name: str) -> bool:
        """In somebody's hands, so to speak."""
        return name in self.things and self.things[name].inside is None and self.things[name].place is Place.HERE

    @rule(unit=st.sampled_from(UNITS))
    def commission_unit(self, unit: str) -> None:
        possible = unit not in self.things
        assert self.allowed(commission(unit)) == possible
        if possible:
            self.things[unit] = Thing(Place.HERE)

    @rule(unit=st.sampled_from(UNITS), data=st.data())
    def pack(self, unit: str, data: st.DataObject) -> None:
        children = self.some(data, *(name for name in self.things if self.free(name)))
        if unit in children:
            return  # the reader of documents has refused that
        empty = unit not in self.things or (self.free(unit) and not self.things[unit].was_filled)
        possible = empty and all(self.free(child) for child in children)
        assert self.allowed(pack(unit, *children)) == possible
        if possible:
            parent = self.things.setdefault(unit, Thing(Place.HERE))
            parent.content, parent.was_filled = set(children), True
            for child in children:
                self.things[child].inside = unit

    @rule(unit=st.sampled_from(UNITS), data=st.data())
    def take_out(self, unit: str, data: st.DataObject) -> None:
        children = self.some(data, *(self.things[unit].content if unit in self.things else ()))
        if unit in children:
            return
        possible = self.free(unit) and all(child in self.things[unit].content for child in children)
        assert self.allowed(unpack(unit, *children)) == possible
        if possible:
            for child in children:
                self.things[unit].content.discard(child)
                self.things[child].inside = None

    @rule(unit=st.sampled_from(UNITS))
    def unpack(self, unit: str) -> None:
        possible = self.free(unit)
        assert self.allowed(unpack(unit)) == possible
        if possible:
            for child in self.things[unit].content:
                self.things[child].inside = None
            self.things[unit].content = set()
            self.things[unit].place = Place.UNPACKED

    @rule(data=st.data())
    def ship(self, data: st.DataObject) -> None:
        names = self.some(data, *(name for name in self.UNITS if self.free(name)))
        possible = all(self.free(name) and self.things[name].was_filled for name in names)
        assert self.allowed(ship(*names)) == possible
        if possible:
            for name in names:
                self.things[name].place = Place.SHIPPED

    @rule(data=st.data())
    def receive_back(self, data: st.DataObject) -> None:
        names = self.some(data, names=self.UNITS)
        known = [self.things[name] for name in names if name in self.things]
        possible = all(thing.inside is None and thing.place is Place.SHIPPED for thing in known)
        assert self.allowed(receive(*names)) == possible
        for thing in known if possible else ():
            thing.place = Place.HERE

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        names = self.some(data, names=self.PACKS)
        possible = all(self.free(name) for name in names)
        assert self.allowed(on_objects("DELETE", "destroying", *names)) == possible
        for name in names if possible else ():
            self.things[name].place = Place.GONE

    @invariant()
    def everything_is_in_one_place_and_nothing_in_a_circle(self) -> None:
        for name, thing in self.things.items():
            seen: set[str] = set()
            at: str | None = name
            while at is not None:
                assert at not in seen, "a circle"
                seen.add(at)
                at = self.things[at].inside
            assert all(self.things[child].inside == name for child in thing.content)
            assert thing.inside is None or name in self.things[thing.inside].content


Warehouse.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWarehouse = Warehouse.TestCase


# ---- the same SSCC again ----


@pytest.mark.parametrize("again", [pack(CASE, PACK), receive(CASE)], ids=["packed", "received"])
def test_an_sscc_is_another_unit_a_year_after_the_earlier_one_was_unpacked(again: Event) -> None:
    def states(ended: str) -> dict[str, ItemState]:
        return {CASE: ItemState(Place.UNPACKED, filled=True, ended=ended), PACK: HERE}

    check(again, states("2025-11-23T08:00:00.000Z"), "")
    check(again, states("2024-02-29T08:00:00.000Z"), "")
    with pytest.raises(LifecycleError) as refused:
        check(again, states("2025-11-23T08:00:00.001Z"), "")
    assert (refused.value.value, refused.value.rule) == (CASE, REUSE)
    assert refused.value.message == (
        "this item was unpacked on 2025-11-23: its SSCC can be used again from 2026-11-23 on; use another one"
    )


def test_its_creator_fills_an_sscc_again_a_year_after_it_was_shipped() -> None:
    """Also one that left inside another; what is not known to be the creator's own stays shipped."""

    def states(ended: str | None, parent: str | None = None) -> dict[str, ItemState]:
        return {CASE: ItemState(Place.SHIPPED, parent, filled=True, ended=ended), PACK: HERE}

    for parent in (None, PALLET):
        check(pack(CASE, PACK), states("2025-11-23T08:00:00.000Z", parent), "")
        with pytest.raises(LifecycleError, match="was last used on 2025-11-23: its SSCC can be used again from 2026"):
            check(pack(CASE, PACK), states("2025-11-23T08:00:00.001Z", parent), "")
        with pytest.raises(LifecycleError, match="is shipped; it cannot be filled here"):
            check(pack(CASE, PACK), states(None, parent), "")
    with pytest.raises(LifecycleError, match="it cannot be shipped here"):
        check(ship(CASE), states("2024-11-23T08:00:00.000Z"), "")
