"""Receiving a unit but for what is missing in it: people at the receiver's say so, the sender learns it from the chain.

What is missing stays the sender's by the chain (`ICustodyLedger.receivePartly`). Both sides record that it was not
shipped, and take it out of what it lay in.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import orjson
from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.facts import ChainReader, View
from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.facts import CustodyState, LogisticFacts
from packtrace.gs1 import sgln_uri, split_sgtin_uri, sscc_of_uri, sscc_uri
from packtrace.rules import RULE, Place
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.preparing import Prepared
from packtrace_gateway.capture.service import Captured, CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import voids
from packtrace_gateway.exchange.goods import TOO_LATE, GoodsService
from packtrace_gateway.exchange.models import Arrival, ArrivalState, ArrivalUnit, Goods, ShippedUnit
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

MOST_MISSING = 256  # named in one call (ICustodyLedger.MAX_UNITS)
MOST_INSIDE = 2_000  # logistic units inside what was received, that one look asks the chain about
A_PACK = (
    "on chain only cases, pallets and totes have a holder, so a single pack cannot be left with its sender. Either "
    "name the case that it should be in as missing: all of that stays its sender's, and goes back; or receive the "
    "case, take the pack out of it (unpacking), report it suspect (POST /status), and tell the sender"
)
ON_ITS_OWN = "it was shipped on its own, not inside of anything: do not receive it, and it stays its sender's"


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is said to be missing in an arrival: SSCCs or their URIs.

    `field` is the path of this with a dot, empty where it stands by itself.
    """

    arrival: int
    missing: Sequence[str]
    field: str = ""

    @property
    def uris(self) -> list[str]:
        """Raises IdentifierError, and LifecycleError for a pack."""
        return [_unit_uri(text, f"{self.field}missing[{at}]") for at, text in enumerate(self.missing)]


@dataclass(frozen=True, slots=True)
class Outer:
    """A unit that was shipped, and what is missing in it: outermost units only, each with the number on chain."""

    unit: LogisticUnit
    missing: tuple[LogisticUnit, ...]


class MissingUnits:
    """What is missing in arrivals, and in what was shipped from here."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        reader: ChainReader,
        goods: GoodsService,
        capture: CaptureService,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._reader = reader
        self._goods = goods
        self._capture = capture

    # ---- what people say here ----

    def receive(
        self, lacking: Sequence[Shortage], whole: Sequence[Prepared] = (), caller: Caller | None = None
    ) -> list[Captured]:
        """Receive those units of arrivals that lack something, but for what is missing, and capture what else came.

        All of it is done, or nothing; saying the same again changes nothing. `whole` are the events of the rest, as
        `CaptureService.prepare` gives them. Raises NotFoundError, IdentifierError; LifecycleError where one of them is
        not inside what arrives, or that cannot be received any more; ChainError when the node does not answer; and as
        `CaptureService.capture`.
        """
        with self._database.read() as session:
            told = [(one, _arrival(session, one)) for one in lacking]
            looked = [(arrival, *self._outers(session, arrival, one)) for one, arrival in told]
        for arrival, outers, chains in looked:
            if outers:
                self._check_chain(arrival, outers, chains)
        with self._database.write() as session:
            for one in lacking:
                arrival = _arrival(session, one)
                for outer in self._outers(session, arrival, one)[0]:
                    self._receive(session, arrival, outer, caller)
            return self._capture.store(session, whole, caller)

    def _said(self, session: Session, arrival: Arrival, uris: Sequence[str], known: Mapping[str, LogisticUnit]) -> bool:
        """Whether all of this, or what it lies in, was said before: a client that lost the answer asks again."""
        query = select(ArrivalUnit.unit).where(ArrivalUnit.arrival == arrival.id, ArrivalUnit.goods == Goods.MISSING)  # type: ignore
        said = set(session.execute(query).scalars())
        units = [known.get(uri) for uri in uris]
        return all(unit and said & {_id(unit), *map(_id, _around(session, unit))} for unit in units)

    def _outers(
        self, session: Session, arrival: Arrival, lacking: Shortage
    ) -> tuple[list[Outer], dict[int, list[LogisticUnit]]]:
        """What is missing by the units that were shipped; and all around each of it, from the inside out.

        Nothing where it was said before.
        """
        uris = lacking.uris
        known = self._store.logistic_units(session, uris)
        if self._said(session, arrival, uris, known):
            return [], {}
        shipped = orjson.loads(arrival.units)
        found: dict[int, list[LogisticUnit]] = defaultdict(list)
        chains: dict[int, list[LogisticUnit]] = {}
        roots: dict[int, LogisticUnit] = {}
        for at, uri in enumerate(uris):
            field = f"{lacking.field}missing[{at}]"
            if uri in shipped:
                raise LifecycleError(ON_ITS_OWN, field=field, value=uri, rule=RULE)
            chain = _around(session, known.get(uri))
            if not chain or chain[-1].uri not in shipped:
                message = f"it is not inside what arrives with arrival {arrival.id}, by the sender's data"
                raise LifecycleError(message, field=field, value=uri, rule=RULE)
            if any(outer.uri in uris for outer in chain):
                continue  # what is inside of it is missing with it
            root = chain[-1]
            self._check_open(session, arrival, root, field)
            roots[_id(root)], chains[_id(known[uri])] = root, [known[uri], *chain]
            if known[uri] not in found[_id(root)]:
                found[_id(root)].append(known[uri])
        return [Outer(root, tuple(found[number])) for number, root in roots.items()], chains

    def _check_open(self, session: Session, arrival: Arrival, unit: LogisticUnit, field: str) -> None:
        """The unit around what is missing can still be received in part."""
        row = session.get(ArrivalUnit, (arrival.id, unit.id))
        if row is not None and row.goods == Goods.IN_TRANSIT:
            return
        where = row.goods if row is not None else "not expected"
        why = f"{unit.uri}, which should hold it, is {where}; what is missing is said before that is received"
        if row is not None and row.goods in (Goods.RECEIVING, Goods.RECEIVED):
            why += ". Now it is ours: take it out of what it should be in (unpacking), and tell the sender"
        elif row is not None and row.goods == Goods.EXPIRED:
            why = TOO_LATE
        raise LifecycleError(why, field=field, value=unit.uri, rule=RULE)

    def _check_chain(
        self, arrival: Arrival, outers: Sequence[Outer], chains: Mapping[int, Sequence[LogisticUnit]]
    ) -> None:
        """The chain has it all inside what is on its way to here, and would carry the receipt out."""
        view = self._reader.view()
        numbers = {int(unit.number or 0) for chain in chains.values() for unit in chain}
        known = self._reader.logistic_units(numbers, view)
        for outer in outers:
            root = known.get(int(outer.unit.number or 0))
            if not comes_here(root, arrival.sender, self._settings.party):
                message = "by the chain it is not on its way to here: cancelled by its sender, or received already"
                raise LifecycleError(message, field="missing", value=outer.unit.uri, rule=RULE)
            if root is not None and root.expired(view.block.timestamp):
                raise LifecycleError(TOO_LATE, field="missing", value=outer.unit.uri, rule=RULE)
            for unit in outer.missing:
                if not _inside(known, chains[_id(unit)]):
                    message = f"by the chain it is not inside {outer.unit.uri}: its sender has to say why"
                    raise LifecycleError(message, field="missing", value=unit.uri, rule=RULE)

    def _receive(self, session: Session, arrival: Arrival, outer: Outer, caller: Caller | None) -> None:
        now = int(time.time())
        rows = []
        for unit in outer.missing:
            row = ArrivalUnit(arrival=arrival.id or 0, unit=_id(unit), goods=Goods.MISSING)
            row.note = f"missing in what party {arrival.sender} shipped: it is that party's"
            rows.append(session.merge(row))
        self._take_out(session, outer.missing, now, Place.UNKNOWN)
        for unit in outer.missing:
            unit.partner, unit.note = arrival.sender, f"missing in {outer.unit.uri} (arrival {arrival.id})"
            session.add(unit)
        if outer.unit.place == Place.EXPECTED:  # else it was recorded when it came
            self._capture.record(session, self._receiving(now, outer.unit.uri))
        session.flush()
        row = session.get_one(ArrivalUnit, (arrival.id, outer.unit.id))
        self._goods.accept(session, [outer.unit], [row], rows, caller=caller)

    def _receiving(self, time_: int, uri: str) -> Event:
        return Event(
            type="ObjectEvent",
            action="OBSERVE",
            event_time=voids.written(time_),
            event_time_zone_offset="+00:00",
            biz_step="receiving",
            disposition="in_progress",
            read_point=sgln_uri(self._settings.gln),
            epcs=[uri],
        )

    def _take_out(self, session: Session, units: Sequence[LogisticUnit], time_: int, place: Place) -> None:
        """Record, for each unit around some of these, that they were not shipped in it; they are at `place` then."""
        by_parent: dict[int, list[str]] = defaultdict(list)
        for unit in units:
            by_parent[unit.parent or 0].append(unit.uri)
        for parent, uris in by_parent.items():
            around = session.get_one(LogisticUnit, parent).uri
            self._capture.record(session, voids.not_inside(self._settings.gln, time_, around, sorted(uris)))
            self._store.put_inside(session, uris, None, place)

    # ---- what the chain says ----

    def left(self, received: Mapping[int, int], view: View) -> dict[int, dict[int, int]]:
        """What the chain left with the sender when units were received: by unit, each with the time of that.

        `received` are units that were received by final blocks, with their senders. Those that are not in the answer
        were too many for one look.
        """
        with self._database.read() as session:
            inner: dict[int, list[LogisticUnit]] = {}
            for number in received:
                inner[number] = self._store.units_inside(session, number)
                if sum(len(units) for units in inner.values()) > MOST_INSIDE:
                    break
        numbers = {int(unit.number) for units in inner.values() for unit in units if unit.number}
        known = self._reader.logistic_units(numbers, view) if numbers else {}
        found: dict[int, dict[int, int]] = {}
        for outer, units in inner.items():
            facts = {_id(unit): known.get(int(unit.number or 0)) for unit in units}
            found[outer] = {unit: one.since for unit, one in facts.items() if one and _is_left(one, received[outer])}
        return found

    def at_sender(self, session: Session, row: ShippedUnit, left: Mapping[int, int]) -> None:
        """The receiver has not found these units, and they are ours again."""
        outer = session.get_one(LogisticUnit, row.unit)
        for unit in self._recorded(session, left, Place.SHIPPED):
            unit.partner = outer.partner
            unit.note = (
                f"party {outer.partner} did not find it in {outer.uri}, so it is ours: receive it when it is found, "
                "then ship it again or keep it"
            )
            session.add(unit)
            session.merge(ShippedUnit(hand_over=row.hand_over, unit=_id(unit), goods=Goods.MISSING))

    def at_receiver(self, session: Session, row: ArrivalUnit, left: Mapping[int, int]) -> None:
        """We have received a unit without these, as the chain has it and our records do not: a backup was restored."""
        for unit in self._recorded(session, left, Place.UNKNOWN):
            unit.note = f"missing in what came with arrival {row.arrival}"
            session.add(unit)
            session.merge(ArrivalUnit(arrival=row.arrival, unit=_id(unit), goods=Goods.MISSING, note=unit.note))

    def _recorded(self, session: Session, left: Mapping[int, int], place: Place) -> list[LogisticUnit]:
        """Take out what is still recorded as being inside."""
        units = [session.get_one(LogisticUnit, number) for number in left]
        units = [unit for unit in units if unit.parent is not None]
        by_time: dict[int, list[LogisticUnit]] = defaultdict(list)
        for unit in units:
            by_time[left[_id(unit)]].append(unit)
        for time_, some in by_time.items():
            self._take_out(session, some, time_, place)
        return units


def comes_here(known: LogisticFacts | None, sender: int, party: int) -> bool:
    """Whether the chain has a unit on its way from the sender to this party."""
    return (
        known is not None
        and known.state is CustodyState.IN_TRANSIT
        and not known.parent
        and (known.holder, known.receiver) == (sender, party)
    )


def _inside(known: Mapping[int, LogisticFacts], chain: Sequence[LogisticUnit]) -> bool:
    """Whether the chain has each of these inside the next."""
    numbers = [int(unit.number or 0) for unit in chain]
    return all(number in known and known[number].parent == outer for number, outer in pairwise(numbers))


def _is_left(facts: LogisticFacts, sender: int) -> bool:
    return facts.state is CustodyState.HELD and facts.holder == sender and not facts.parent


def _around(session: Session, unit: LogisticUnit | None) -> list[LogisticUnit]:
    """What a unit is inside of, from the inside out."""
    chain: list[LogisticUnit] = []
    while unit is not None and unit.parent is not None:
        unit = session.get_one(LogisticUnit, unit.parent)
        chain.append(unit)
    return chain


def _unit_uri(text: str, field: str) -> str:
    if split_sgtin_uri(text):
        raise LifecycleError(A_PACK, field=field, value=text, rule="ICustodyLedger")
    return sscc_uri(sscc_of_uri(text) or text)


def _arrival(session: Session, lacking: Shortage) -> Arrival:
    number, field = lacking.arrival, f"{lacking.field}arrival" if lacking.field else "id"
    arrival = session.get(Arrival, number)
    if arrival is None:
        raise NotFoundError("there is no such arrival", field=field, value=number)
    if arrival.state != ArrivalState.ACCEPTED:
        message = f"its data are {arrival.state}, so nobody knows yet what is inside: wait for them, or refuse it whole"
        raise LifecycleError(message, field=field, value=number, rule=RULE)
    return arrival


def _id(unit: LogisticUnit) -> int:
    assert unit.id is not None
    return unit.id
