"""The way of one item through events: its own, and those of the logistic units that carried it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.commit.header import Header
from packtrace.commit.items import Role
from packtrace.errors import EvidenceError

# An event's record time may be this much after its entry in the log on chain: clocks are ahead. More is not believed,
# as items are followed in the order of recording, and an event from the far future would have the last word.
RECORDED_AHEAD = timedelta(hours=1)
# A pack, and units inside one another: the chain admits 8 levels below the outermost (ICustodyLedger.MAX_NESTING). What
# is nested deeper is no honest party's, and is followed no further.
MAX_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One event of an item's way. `carrier` is the item's own URI, or that of the unit that carried it."""

    event: VerifiedEvent
    carrier: str
    inside: tuple[str, ...]  # what the item is inside of after the event, innermost first


def history(uri: str, events: Iterable[VerifiedEvent]) -> list[Step]:
    """The steps of `uri`, oldest first.

    Taken in the order of recording, like `containment`. Events that concern neither it nor a carrier of its at that
    time are left out.
    """
    return histories([uri], events)[uri]


def histories(uris: Iterable[str], events: Iterable[VerifiedEvent], most: int | None = None) -> dict[str, list[Step]]:
    """The steps of many items, as `history` has those of one, in one pass through the events.

    Raises EvidenceError when that would take more than `most` looks at what an event carries.
    """
    inside = Containment()
    found: dict[str, list[Step]] = {uri: [] for uri in uris}
    looks = 0
    for event in sorted(events, key=_recorded):
        carried = inside.below(_named(event))
        looks += len(carried)
        if most is not None and looks > most:
            raise EvidenceError(f"to follow all that is in it takes more than {most} looks: ship it in parts")
        carriers = {uri: _carrier(event, inside.chain(uri)) for uri in carried if uri in found}
        inside.follow(event.header, event.items)
        for uri, carrier in carriers.items():
            if carrier is not None:
                found[uri].append(Step(event, carrier, tuple(inside.chain(uri)[1:])))
    return found


def containment(events: Iterable[VerifiedEvent]) -> dict[str, str]:
    """What each item is inside of after `events`: child to parent.

    Taken in the order of recording, those of the same millisecond in the order given: in that order their parties
    checked that each was possible. When a thing happened is only what a device claims.
    """
    inside = Containment()
    for event in sorted(events, key=_recorded):
        inside.follow(event.header, event.items)
    return inside.parents


class Containment:
    """Who is inside what, kept up event by event; each takes time for the items that it shows, and no more.

    `parents` is child to parent.
    """

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}
        self._children: dict[str, set[str]] = {}

    def follow(self, header: Header, items: Mapping[Role, Collection[str]]) -> None:
        """The next event in the order of recording, with those of its items that are known.

        A DELETE without children empties its parent (EPCIS 2.0, section 7.4.3).
        """
        core = header.core
        if core["type"] != "AggregationEvent":
            return
        children = items.get(Role.CHILD, ())
        for parent in items.get(Role.PARENT, ()):  # one at most, see `header.check_received`
            if core["action"] == "ADD":
                for child in children:
                    self._put(child, parent)
            elif core["action"] == "DELETE":
                all_of_it = Role.CHILD not in header.counts
                for child in list(self._children.get(parent, ())) if all_of_it else children:
                    if self.parents.get(child) == parent:
                        self._take(child)

    def use_again(self, uri: str) -> None:
        """An SSCC is another unit's from now on: it is inside nothing, and nothing that was in the earlier is in it."""
        for one in [uri, *self._children.get(uri, ())]:
            if one in self.parents:
                self._take(one)

    def below(self, uris: Iterable[str]) -> set[str]:
        """The items, and all that is inside them."""
        found: set[str] = set()
        todo = list(uris)
        while todo:
            uri = todo.pop()
            if uri not in found:
                found.add(uri)
                todo += self._children.get(uri, ())
        return found

    def chain(self, uri: str) -> list[str]:
        """The item and all that it is inside of, innermost first. A circle, which no honest event makes, ends it."""
        chain = [uri]
        while (parent := self.parents.get(chain[-1])) is not None and parent not in chain and len(chain) < MAX_LEVELS:
            chain.append(parent)
        return chain

    def _put(self, child: str, parent: str) -> None:
        if child in self.parents:
            self._take(child)
        self.parents[child] = parent
        self._children.setdefault(parent, set()).add(child)

    def _take(self, child: str) -> None:
        self._children[self.parents.pop(child)].remove(child)


def _recorded(event: VerifiedEvent) -> str:
    return str(event.header.core["recordTime"])


def _named(event: VerifiedEvent) -> Iterator[str]:
    """The items that the event is about, with all that is inside them."""
    yield from event.items.get(Role.EPC, ())
    yield from event.items.get(Role.CHILD, ())
    if _empties(event):
        yield from event.items.get(Role.PARENT, ())


def _empties(event: VerifiedEvent) -> bool:
    return event.header.core["action"] == "DELETE" and Role.CHILD not in event.header.counts


def _carrier(event: VerifiedEvent, chain: list[str]) -> str | None:
    """Which link of the chain the event is about, if any."""
    for uri in chain:
        if uri in event.items.get(Role.EPC, ()) or uri in event.items.get(Role.CHILD, ()):
            return uri
    for uri in chain[1:]:
        if uri in event.items.get(Role.PARENT, ()) and _empties(event):
            return uri
    return None
