"""Pedigrees read back from the store: all events of an item and of what carried it, while it carried it, and no more.

Random histories are played twice: in real gateways, and in a model that moves boxes and notes who was there.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from houses import TIME, House, Town, event, pack_uri, packing, receiving, shipping, unit_uri, unpacking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import LifecycleError
from packtrace.evidence import examine
from packtrace.gs1 import split_sgtin_uri
from packtrace.rules import REUSE, Place
from packtrace.scan import Scan
from packtrace_gateway.exchange import check
from packtrace_gateway.exchange.models import Goods, ShippedUnit
from packtrace_gateway.fsck.places import check_containment
from packtrace_gateway.fsck.report import Checked

Shown = dict[bytes, set[str]]
PACKS = 6
AHEAD = timedelta(minutes=12)


@dataclass(frozen=True)
class Happened:
    """One event of the model: what it moved or saw, in or out of what, and what lay in what before and after."""

    digest: bytes
    items: frozenset[str]
    parent: str | None
    before: dict[str, str]
    after: dict[str, str]

    @property
    def named(self) -> set[str]:
        return set(self.items) | ({self.parent} if self.parent else set())


def carriers(uri: str, parents: dict[str, str]) -> set[str]:
    return {parents[uri]} | carriers(parents[uri], parents) if uri in parents else set()


@dataclass
class Model:
    """Who lay in what, event by event."""

    happened: list[Happened] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)

    def add(self, digest: bytes, *items: str, parent: str | None = None, inside: dict[str, str] | None = None) -> None:
        after = self.parents if inside is None else inside
        self.happened.append(Happened(digest, frozenset(items), parent, self.parents, after))
        self.parents = after

    def way_of(self, uri: str) -> Shown:
        """By event: the item and its carriers at that time, as far as the event names them."""
        way: Shown = {}
        for one in self.happened:
            concerned = {uri} | carriers(uri, one.before) | carriers(uri, one.after)
            if shown := concerned & one.named:
                way[one.digest] = shown
        return way

    def steps_of(self, uri: str) -> list[bytes]:
        """The events that moved or saw the item, or what it lay in; not those that took others out of its case."""
        return [
            one.digest
            for one in self.happened
            if ({uri} | carriers(uri, one.before)) & one.items
            or (not one.items and one.parent in carriers(uri, one.before))
        ]

    def content(self, uri: str) -> set[str]:
        """The unit, and all inside it."""
        return {uri} | {item for item in self.parents if uri in carriers(item, self.parents)}


def shown_of(pedigree: Pedigree) -> Shown:
    """What a pedigree discloses, after everything in it was verified."""
    events = [disclosure.verify() for disclosure in pedigree.disclosures]
    assert len({one.digest for one in events}) == len(events)
    return {one.digest: items_of(one) for one in events}


def items_of(one: VerifiedEvent) -> set[str]:
    return {uri for items in one.items.values() for uri in items}


def together(*ways: Shown) -> Shown:
    found: Shown = {}
    for way in ways:
        for digest, shown in way.items():
            found[digest] = found.get(digest, set()) | shown
    return found


class Day:
    """A day of packing, opening, shipping and receiving between three houses, its steps drawn by Hypothesis.

    Event times are anything, and the houses' clocks go wrong by minutes: neither must decide what is disclosed.
    `where` is the house that an item is at.
    """

    def __init__(self, data: st.DataObject, houses: list[House]) -> None:
        self.data, self.houses = data, houses
        self.model = Model()
        self.where: dict[str, House] = {}
        self.units: set[str] = set()  # filled and not unpacked
        self.next_unit = 0
        self.tick = 0

    def time(self) -> str:
        """A claimed time: often the same, sometimes backwards."""
        return f"2026-01-05T08:{self.data.draw(st.integers(0, 3)):02}:00.000Z"

    def free(self, house: House, names: set[str]) -> list[str]:
        return sorted(uri for uri in names if self.where.get(uri) is house and uri not in self.model.parents)

    def commission(self) -> None:
        packs = [pack_uri(number) for number in range(PACKS)]
        maker = self.houses[0]
        for lot, part in (("L1", packs[: PACKS // 2]), ("L2", packs[PACKS // 2 :])):
            self.model.add(maker.commission(part, lot, self.time()).digest, *part)
        self.where |= dict.fromkeys(packs, maker)

    def step(self) -> None:
        house = self.data.draw(st.sampled_from(self.houses))
        house.clock.ahead = self.data.draw(st.sampled_from((timedelta(), AHEAD, -AHEAD)))
        steps = [self.pack, self.pack, self.unpack, self.take_out, self.move, self.move, self.look]
        self.data.draw(st.sampled_from(steps))(house)

    def pack(self, house: House) -> None:
        free = self.free(house, set(self.where))
        if not free:
            return
        children = self.data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=3, unique=True))
        parent, self.next_unit = unit_uri(self.next_unit), self.next_unit + 1
        (captured,) = house.record(packing(parent, children, self.time()))
        inside = self.model.parents | dict.fromkeys(children, parent)
        self.model.add(captured.digest, *children, parent=parent, inside=inside)
        self.where[parent] = house
        self.units.add(parent)

    def unpack(self, house: House) -> None:
        free = self.free(house, self.units)
        if not free:
            return
        parent = self.data.draw(st.sampled_from(free))
        (captured,) = house.record(unpacking(parent, (), self.time()))
        inside = {uri: held for uri, held in self.model.parents.items() if held != parent}
        self.model.add(captured.digest, parent=parent, inside=inside)
        self.units.discard(parent)
        del self.where[parent]

    def take_out(self, house: House) -> None:
        free = [uri for uri in self.free(house, self.units) if uri in self.model.parents.values()]
        if not free:
            return
        parent = self.data.draw(st.sampled_from(free))
        within = sorted(uri for uri, inside in self.model.parents.items() if inside == parent)
        children = self.data.draw(st.lists(st.sampled_from(within), min_size=1, max_size=2, unique=True))
        (captured,) = house.record(unpacking(parent, children, self.time()))
        inside = {uri: held for uri, held in self.model.parents.items() if uri not in children}
        self.model.add(captured.digest, *children, parent=parent, inside=inside)

    def look(self, house: House) -> None:
        """An inspection, of things loose or packed."""
        here = sorted(uri for uri, at in self.where.items() if at is house)
        if not here:
            return
        seen = self.data.draw(st.lists(st.sampled_from(here), min_size=1, max_size=3, unique=True))
        self.tick += 1
        one = event("ObjectEvent", "OBSERVE", "inspecting", f"2026-01-05T09:00:{self.tick:02}.000Z", epcs=seen)
        self.model.add(house.record(one)[0].digest, *seen)

    def move(self, house: House) -> None:
        """To another house, with all data; goods and data arrive in any order, or the journey is checked half way."""
        free = self.free(house, self.units)
        others = [other for other in self.houses if other is not house]
        if not free:
            return
        units = self.data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True))
        to = self.data.draw(st.sampled_from(others))
        (captured,) = house.record(shipping(units, to.party, self.time()))
        self.model.add(captured.digest, *units)
        package = house.package(units, captured, to)
        moved = set().union(*(self.model.content(unit) for unit in units))
        assert shown_of(Pedigree.from_cbor(package.pedigree)) == together(*(self.model.way_of(uri) for uri in moved))
        if self.data.draw(st.booleans()):
            to.accept(package)
            (received,) = to.record(receiving(units, self.time()))
        else:  # goods before data: nothing but the receiver's own clock says that they were shipped before
            to.clock.ahead = AHEAD
            (received,) = to.record(receiving(units, self.time()))
            to.accept(package)
        self.model.add(received.digest, *units)
        self.where |= dict.fromkeys(moved, to)

    def check(self) -> None:
        for uri, house in self.where.items():
            house.seal()
            way = self.model.way_of(uri)
            pedigree = house.pedigree(uri)
            assert shown_of(pedigree) == way
            assert shown_of(Pedigree.from_json(pedigree.to_json())) == way
            if split_sgtin_uri(uri):
                self.check_evidence(uri, pedigree)
        for house in self.houses:
            at = sorted(uri for uri, where in self.where.items() if where is house)
            if at:
                some = self.data.draw(st.lists(st.sampled_from(at), min_size=1, unique=True))
                assert shown_of(house.pedigree(*some)) == together(*(self.model.way_of(uri) for uri in some))
            for unit in self.free(house, self.units):
                with house.database.read() as session:
                    assert set(house.read(session).contents([unit])) == self.model.content(unit)

    def check_evidence(self, uri: str, pedigree: Pedigree) -> None:
        """What a verdict is given on says the same: nothing broken, and in the end in what the pack lies."""
        gtin, serial = split_sgtin_uri(uri) or ("", "")
        evidence = examine(Scan(gtin, serial), pedigree.disclosures)
        assert not evidence.broken
        chain, at = [], uri
        while at in self.model.parents:
            at = self.model.parents[at]
            chain.append(at)
        assert list(evidence.steps[-1].inside) == chain
        assert [step.event.digest for step in evidence.steps] == self.model.steps_of(uri)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_pedigree_is_the_way_of_the_item_and_its_carriers_and_nothing_else(town: Town, data: st.DataObject) -> None:
    day = Day(data, town.houses(11, 20, 30))
    day.commission()
    for _ in range(data.draw(st.integers(1, 20))):
        day.step()
    day.check()


def test_an_sscc_used_again_after_a_year_is_another_unit(town: Town) -> None:
    """The case of the first year and that of the next have one SSCC, and nothing else in common."""
    maker, shop = town.houses(11, 30)
    case, first, second = unit_uri(1), pack_uri(1), pack_uri(2)
    maker.commission([first, second])
    maker.pack(case, [first])
    shop.accept(maker.package([case], maker.ship([case], shop), shop))
    shop.receive([case])
    shop.unpack(case)
    old = shop.pedigree(first)
    later = timedelta(days=366)
    year = {house.party: (house.clock.now() + later).strftime("%Y-%m-%dT%H:%M:%S.000Z") for house in (maker, shop)}
    with pytest.raises(LifecycleError, match="can be used again from"):
        shop.receive([case], time=TIME.replace("08:", "09:"))
    # Its maker has no record that it was unpacked; a unit of its own has.
    own, third = unit_uri(2), pack_uri(3)
    maker.commission([third])
    maker.pack(own, [second])
    maker.unpack(own)
    with pytest.raises(LifecycleError, match="can be used again from") as refused:
        maker.pack(own, [third])
    assert refused.value.rule == REUSE
    for house in (maker, shop):
        house.clock.ahead = later
    number = numbers_of(maker, own)
    maker.pack(own, [third], time=year[11])
    assert numbers_of(maker, own) != number, "another unit on chain"
    shipped = maker.ship([own], shop, time=year[11])
    package = maker.package([own], shipped, shop)
    shop.accept(package)
    shop.receive([own], time=year[30])
    assert shop.pedigree(first) == old
    pedigree = shop.pedigree(third)
    evidence = examine(Scan(*(split_sgtin_uri(third) or ("", ""))), pedigree.disclosures)
    assert not evidence.broken
    assert [step.event.header.core["bizStep"] for step in evidence.steps] == [
        "commissioning", "packing", "shipping", "receiving"
    ]  # fmt: skip
    assert list(evidence.steps[-1].inside) == [own]
    with maker.database.read() as session:
        states = maker.store.states(session, [second, third])
    assert (states[second].place, states[second].parent) == (Place.HERE, None)
    assert (states[third].place, states[third].parent) == (Place.SHIPPED, own)


def test_its_creator_uses_an_sscc_again_a_year_after_it_was_shipped(town: Town) -> None:
    """Of a pallet with a case in it both; nothing of the first year's is found in the next."""
    maker, shop, other = town.houses(11, 30, 40)
    pallet, case = unit_uri(1), unit_uri(2)
    first, second, third, fourth = (pack_uri(number) for number in range(4))
    maker.commission([first, second, third, fourth])
    maker.pack(case, [first])
    maker.pack(pallet, [case, second])
    shop.accept(maker.package([pallet], maker.ship([pallet], shop), shop))
    shop.receive([pallet])
    shop.unpack(pallet)
    other.accept(shop.package([case], shop.ship([case], other), other))
    with pytest.raises(
        LifecycleError, match="was last used on 2026-01-05: its SSCC can be used again from 2027"
    ) as soon:
        maker.pack(case, [third], time="2026-10-05T08:00:00.000Z")
    assert (soon.value.value, soon.value.rule) == (case, REUSE)

    for house in (maker, shop):
        house.clock.ahead = timedelta(days=400)
    later = "2027-01-05T08:00:00.000Z"
    with pytest.raises(LifecycleError, match="is in transit: end that"):
        maker.pack(case, [third], time=later)
    with maker.database.write() as session:
        session.execute(update(ShippedUnit).values(goods=Goods.RECEIVED))
    with pytest.raises(LifecycleError, match="is shipped; it cannot be filled here"):
        shop.pack(case, [second], time=later)  # it is the maker's
    number = numbers_of(maker, case)
    maker.pack(case, [third], time=later)
    assert numbers_of(maker, case) != number, "another unit on chain"
    maker.pack(pallet, [case, fourth], time=later)
    with maker.database.read() as session:
        states = maker.store.states(session, [first, second, third, fourth])
        assert [(state.place, state.parent) for state in (states[uri] for uri in (first, second, third, fourth))] == [
            (Place.SHIPPED, None),
            (Place.SHIPPED, None),
            (Place.HERE, case),
            (Place.HERE, pallet),
        ]
        assert set(maker.read(session).contents([pallet])) == {pallet, case, third, fourth}
        assert list(check_containment(session, Checked())) == []

    package = maker.package([pallet], maker.ship([pallet], shop, time=later), shop)
    assert len(Pedigree.from_cbor(package.pedigree).disclosures) == 4, "commissioned, packed twice, shipped"
    assert check.opened(package).gaps == []
    shop.accept(package)
    shop.receive([pallet], time=later)
    evidence = examine(Scan(*(split_sgtin_uri(third) or ("", ""))), shop.pedigree(third).disclosures)
    assert [step.event.header.core["bizStep"] for step in evidence.steps] == [
        "commissioning", "packing", "packing", "shipping", "receiving"
    ]  # fmt: skip
    with shop.database.read() as session:
        assert list(check_containment(session, Checked())) == []
    maker.seal()
    before = maker.pedigree(first)
    steps = examine(Scan(*(split_sgtin_uri(first) or ("", ""))), before.disclosures).steps
    assert [step.event.header.core["eventTime"][:4] for step in steps] == ["2026"] * 4


def numbers_of(house: House, unit: str) -> str | None:
    with house.database.read() as session:
        return house.store.logistic_units(session, [unit])[unit].number
