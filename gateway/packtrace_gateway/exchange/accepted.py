"""Data that verified, stored whole: what a package tells of, and where that is expected."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import func, select, update
from sqlmodel import Session

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.errors import LifecycleError
from packtrace.facts import unit_number
from packtrace.gs1 import sscc_of_uri
from packtrace.rules import RULE, ItemState, Place
from packtrace_gateway.events import bulk
from packtrace_gateway.events.declarations import Known, declarations
from packtrace_gateway.events.keys import split
from packtrace_gateway.events.models import LogisticUnit, StoredEvent, Unit
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import corrections
from packtrace_gateway.exchange.check import Contents
from packtrace_gateway.exchange.goods import GoodsService
from packtrace_gateway.exchange.models import ON_THE_WAY, Arrival, ArrivalUnit, Goods, HeldBatch, ShippedUnit
from packtrace_gateway.exchange.package import COMMISSIONING, CORRECTION, SHIPMENT, Package

WHERE = {
    Place.HERE: "is recorded as being here",
    Place.GONE: "was dispensed or destroyed here",
    Place.EXPECTED: "is expected",
}
OPEN = "it is expected in another shipment that is open; cancelled or refused, that one is out of the way"
TAKEN_IN = (Place.HERE, Place.UNPACKED, Place.SHIPPED)
TURNED_AWAY = (Goods.REFUSING, Goods.REFUSED)
UNIT_COLUMNS = ("prefix", "suffix", "event", "position", "place", "parent")


class ContradictionError(LifecycleError):
    """A package says of an item what cannot be, by what is recorded here."""


class TwinsError(ContradictionError):
    """Two commissionings of one serial number: `event` and `position` of the one that is known here, and `twin`, the
    number on chain of the other.
    """

    def __init__(self, uri: str, event: int, position: int, twin: int) -> None:
        message = "the package has a pack that is known from another commissioning: two packs with one serial"
        super().__init__(message, value=uri, rule=RULE)
        self.event, self.position, self.twin = event, position, twin


class UnknownEventError(LifecycleError):
    """A correction is about an event that is not here; it may yet come."""


class OpenShipmentError(LifecycleError):
    """A package says of an item what cannot be while another shipment with it is open; that may end."""


class AcceptedData:
    """Packages whose data verified; those that did not are told to the goods that wait for them.

    Everything works in the caller's database transaction.
    """

    def __init__(self, store: EventStore, goods: GoodsService) -> None:
        self._store = store
        self._goods = goods

    def doubted(self, session: Session, package: Package, reason: str) -> None:
        """A package was put in quarantine: goods of it that are here say why they stay there."""
        for unit in self._store.logistic_units(session, list(package.units)).values():
            if unit.place == Place.QUARANTINED:
                self._goods.quarantine(session, unit, f"the data of party {package.sender} do not verify: {reason}")

    def check_open(self, session: Session, arrival: Arrival) -> None:
        """A package in quarantine still matters. Raises LifecycleError when its goods have gone on without it."""
        mine = select(ArrivalUnit).where(ArrivalUnit.arrival == arrival.id, ArrivalUnit.goods.in_(TURNED_AWAY))  # type: ignore
        if session.execute(mine.limit(1)).first():
            why = "its goods were refused; when they are shipped again, their data come again too"
            raise LifecycleError(why, field="id", value=arrival.id, rule=RULE)
        units = [unit.id for unit in self._store.logistic_units(session, list(orjson.loads(arrival.units))).values()]
        for chunk in bulk.chunks(units):
            newer = select(ArrivalUnit.arrival).where(ArrivalUnit.unit.in_(chunk), ArrivalUnit.arrival > arrival.id)  # type: ignore
            found = session.execute(newer.limit(1)).scalar()
            if found is not None:
                why = f"newer data of the same goods were accepted with arrival {found}"
                raise LifecycleError(why, field="id", value=arrival.id, rule=RULE)

    def arrived(self, session: Session, arrival: Arrival, contents: Contents, held: Collection[str] = ()) -> None:
        """A package verified: store all of it. `held` are the units shipped that are ours already, by the chain.

        Raises ContradictionError, OpenShipmentError and UnknownEventError, and then nothing may be stored.
        """
        shipment = contents.package.kind == SHIPMENT
        _check_declarations(session, contents)
        known = self._taken_in(session, contents, held) if shipment else set()
        contents = contents.without(known)
        if shipment:
            self._check_known(session, contents)
        events = {
            digest: self._store.add_received(session, disclosure, event)
            for digest, (disclosure, event) in contents.events.items()
        }
        for event in contents.verified:
            if event.declares is not None:
                self._goods.declared(session, events[event.digest])
        if contents.package.kind == COMMISSIONING:
            self._elsewhere(session, contents, events)
        if not shipment:
            return
        units = self._logistic_units(session, contents, events)
        self._packs(session, contents, events, units)
        self._announce(session, arrival, contents, units)
        for unit in self._store.logistic_units(session, sorted(known)).values():
            session.merge(ArrivalUnit(arrival=_number(arrival), unit=_id(unit), goods=Goods.RECEIVED))

    def _taken_in(self, session: Session, contents: Contents, held: Collection[str]) -> set[str]:
        """The units shipped that were taken in before: what became of them here since stays as it is.

        A second package of the same goods (its sender lost the receipt, or wants to undo what was done here) would put
        them back to where they were when they came.
        """
        shipped = contents.package.units
        known = self._store.logistic_units(session, list(shipped))
        receiving = {row.unit for row in self._goods.rows(session, known.values(), Goods.RECEIVING)}
        return {
            uri
            for uri, unit in known.items()
            if unit.number == str(shipped[uri])
            and (uri in held or unit.id in receiving)
            and (unit.parent is not None or unit.place in TAKEN_IN)
        }

    def _check_known(self, session: Session, contents: Contents) -> None:
        """Nothing is in two places: what is recorded here as being here came in what was shipped, or did not come.

        That the shipped units themselves are on their way is the chain's word, and goes before our own records. What is
        expected in another shipment is not taken out of it by this one: who ships what another has announced could else
        keep that from being received.
        """
        states = self._store.states(session, contents.inside)
        for uri in sorted(states):
            place = states[uri].place
            if place not in WHERE or self._outermost(session, uri, states) in contents.package.units:
                continue
            if place is Place.EXPECTED:
                raise OpenShipmentError(OPEN, value=uri, rule=RULE)
            raise ContradictionError(f"the package has an item that {WHERE[place]}", value=uri, rule=RULE)
        for uri, unit in self._store.logistic_units(session, sorted(contents.inside)).items():
            link, place = contents.filled.get(uri), states[uri].place
            if link is None or unit.number in (None, str(link.number)):
                continue
            if place is Place.EXPECTED:
                raise OpenShipmentError(f"{OPEN} (from party {unit.partner})", value=uri, rule=RULE)
            if place is Place.HERE:
                raise ContradictionError("another logistic unit with this SSCC is here", value=uri, rule=RULE)

    def _outermost(self, session: Session, uri: str, states: dict[str, ItemState]) -> str:
        """What an item lies in, as recorded here; the store has seen that it is no circle."""
        while (parent := states[uri].parent) is not None:
            if parent not in states:
                states |= self._store.states(session, [parent])
            uri = parent
        return uri

    def _logistic_units(
        self, session: Session, contents: Contents, events: dict[bytes, int]
    ) -> dict[str, LogisticUnit]:
        """The logistic units as the package fills them, each inside its parent."""
        uris = {uri for uri in contents.inside if sscc_of_uri(uri)}
        units = self._store.logistic_units(session, sorted(uris))
        for uri in sorted(uris - units.keys()):
            units[uri] = LogisticUnit(uri=uri, place=int(Place.HERE))
            session.add(units[uri])
        session.flush()
        for uri, unit in units.items():
            link = contents.filled.get(uri)
            if link is not None:
                unit.number, unit.filled_by = str(link.number), events[link.digest]
            parent = contents.parents.get(uri)
            unit.parent = _id(units[parent]) if parent else None
            if parent:
                unit.place = int(Place.HERE)  # which means: where its parent is
            session.add(unit)
        session.flush()
        # What was inside when it was here before, and is not now, stayed elsewhere.
        numbers = [_id(unit) for unit in units.values()]
        self._store.leave_behind(session, numbers, numbers)
        return units

    def _packs(
        self, session: Session, contents: Contents, events: dict[bytes, int], units: dict[str, LogisticUnit]
    ) -> None:
        """New packs get their rows; those that are known already get their new parent."""
        packs = {uri: where for uri, where in contents.packs().items() if uri in contents.inside}
        known = self._store.units(session, packs)
        _check_commissionings(contents, packs, known, events)
        new = [uri for uri in packs if uri not in known]
        prefixes = self._store.prefixes.stored(session, {split(uri)[0] for uri in new})
        rows = []
        for uri in new:
            digest, position = packs[uri]
            prefix, suffix = split(uri)
            parent = contents.parents.get(uri)
            inside = _id(units[parent]) if parent else None
            rows.append((prefixes[prefix], suffix, events[digest], position, int(Place.HERE), inside))
        bulk.insert(session, Unit, UNIT_COLUMNS, sorted(rows))
        moved: dict[str, list[str]] = defaultdict(list)
        for uri in known:
            if uri in contents.parents:
                moved[contents.parents[uri]].append(uri)
        for parent, children in moved.items():
            self._store.put_inside(session, children, units[parent], Place.HERE)

    def _elsewhere(self, session: Session, contents: Contents, events: dict[bytes, int]) -> None:
        """Packs of ours that others commissioned: we answer for them, wherever they are."""
        packs = contents.packs()
        known = self._store.units(session, packs)
        _check_commissionings(contents, packs, known, events)
        new = [uri for uri in packs if uri not in known]
        prefixes = self._store.prefixes.stored(session, {split(uri)[0] for uri in new})
        rows = [
            (prefixes[split(uri)[0]], split(uri)[1], events[packs[uri][0]], packs[uri][1], int(Place.UNKNOWN), None)
            for uri in new
        ]
        bulk.insert(session, Unit, UNIT_COLUMNS, sorted(rows))
        for batch in contents.batches:
            event = events[batch.event.digest]
            here = session.execute(select(func.count()).select_from(Unit).where(Unit.event == event)).scalar_one()  # type: ignore
            if batch.event.items and here == sum(batch.event.header.counts.values()):
                session.merge(HeldBatch(batch=batch.number, event=event))

    def _announce(self, session: Session, arrival: Arrival, contents: Contents, units: dict[str, LogisticUnit]) -> None:
        """What was shipped is expected; or accepted, where the goods came before their data."""
        here, rows = [], []
        for uri in contents.package.units:
            if uri not in contents.inside:
                continue
            unit = units[uri]
            row = session.get(ArrivalUnit, (arrival.id, unit.id))
            if row is not None and row.goods not in ON_THE_WAY:
                raise ContradictionError(f"it is {row.goods} here", value=uri, rule=RULE)
            self._end_older(session, unit, _number(arrival))
            row = row or ArrivalUnit(arrival=_number(arrival), unit=_id(unit), goods=Goods.IN_TRANSIT)
            rows.append(row)
            unit.partner = contents.package.sender
            if unit.place == Place.QUARANTINED:
                here.append(unit)
            else:
                unit.place, unit.note = int(Place.EXPECTED), None
            session.add(unit)
            session.add(row)
        session.flush()
        self._goods.accept(session, here, rows)

    def _end_older(self, session: Session, unit: LogisticUnit, arrival: int) -> None:
        """Shipments of the same unit that were still open when it was shipped again: how they ended is clear now."""
        for model, end in ((ArrivalUnit, Goods.CANCELLED), (ShippedUnit, Goods.RECEIVED)):
            statement = update(model).where(model.unit == unit.id, model.goods.in_(ON_THE_WAY))  # type: ignore
            if model is ArrivalUnit:
                statement = statement.where(ArrivalUnit.arrival != arrival)  # type: ignore[arg-type]
            session.execute(statement.values(goods=end))


def _check_declarations(session: Session, contents: Contents) -> None:
    """Who recorded an event alone can take it back."""
    for event in contents.verified:
        if event.declares is None or event.declares.event in contents.events:
            continue  # in the latter case it was compared with what is beside it
        erroneous = corrections.stored(session, event.declares.event)
        if erroneous is None and contents.package.kind == CORRECTION:
            message = "the event that is declared erroneous is not here (yet)"
            raise UnknownEventError(message, value=event.declares.event.hex(), rule=RULE)
        if erroneous is not None and contents.package.kind == CORRECTION:
            _check_first(session, erroneous, event)
        if erroneous is not None and erroneous.party != event.party:
            message = f"it declares an event of party {erroneous.party} erroneous"
            raise ContradictionError(message, value=event.declares.event.hex(), rule=RULE)


def _check_first(session: Session, erroneous: StoredEvent, declaration: VerifiedEvent) -> None:
    """An event is declared erroneous once: who says it again and again fills the disk."""
    known = Known(erroneous.id or 0, erroneous.digest, erroneous.party)
    if any(before.digest != declaration.digest for before in declarations(session, [known])):
        message = "this event was declared erroneous before, by another declaration"
        raise ContradictionError(message, value=erroneous.digest.hex(), rule=RULE)


def _check_commissionings(
    contents: Contents,
    packs: Mapping[str, tuple[bytes, int]],
    known: Mapping[str, tuple[int, int, int, int | None]],
    events: Mapping[bytes, int],
) -> None:
    for uri, (event, position, _, _) in known.items():
        digest, shown = packs[uri]
        if (event, position) != (events[digest], shown):
            number = next(batch.number for batch in contents.batches if batch.event.digest == digest)
            raise TwinsError(uri, event, position, unit_number(number, shown))


def _number(arrival: Arrival) -> int:
    assert arrival.id is not None
    return arrival.id


def _id(unit: LogisticUnit) -> int:
    assert unit.id is not None
    return unit.id
