"""Whose hands a pack went through, by the events of its way.

The events are followed like a relay. Who commissions a pack has it. Only who has it, or the unit that it lies in,
packs, unpacks and ships it; the next one has it when a shipment names that party and that party receives it. An event
of anybody else is a gap in the record, and nothing that comes after closes it: whoever knows a serial can get its
maker's event, but nobody who had the pack has shipped it to them.

A receipt can come to nothing: the chain refuses it, or the receiver turns the goods away after all. While the receiver
has done nothing else with them, its sender has them again by saying so. The same holds for what is missing in a unit
that was received: both sides say of it that it was not shipped.

That an event was declared erroneous can only take away: the pack is with who has it both by all events and by those
that are left without the erroneous ones. So no declaration hides a gap or a hand-over.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.commit.history import Step, histories, history
from packtrace.commit.items import Role
from packtrace.evidence import Evidence, anchored, taken_back
from packtrace.facts import Facts

# What is done to goods by who has them (CBV 2.0, 7.1), in words; all other events only look at them.
PACKED, OPENED, SHIPPED, KEPT = "packed", "opened", "shipped", "kept"
COMMISSIONED, RECEIVED, MISSED = "commissioned", "received", "missed"
NOT_SHIPPED = "void_shipping"
_DONE = {"shipping": SHIPPED, "receiving": RECEIVED, NOT_SHIPPED: KEPT}


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`holder` has the pack, None where it is on its way or the record has a gap; `why` says it in words.

    `number` is the chain's number of the logistic unit that it lies, or came, in.
    """

    holder: int | None
    why: str
    number: int | None


def whereabouts(evidence: Evidence, facts: Facts) -> Whereabouts:
    """Where the pack is by the events, oldest first."""
    found = _followed(evidence.steps, evidence, facts)
    declared = taken_back(evidence, facts)
    if found.holder is None or not declared:
        return found
    left = history(evidence.uri, (event for event in evidence.events if event.digest not in declared))
    without = _followed(left, evidence, facts)
    if without.holder == found.holder:
        return found
    return Whereabouts(None, f"without what was declared erroneous, {without.why}", found.number)


def _followed(steps: Iterable[Step], evidence: Evidence, facts: Facts) -> Whereabouts:
    registered = {link.digest: (link.uri, link.number) for link in evidence.logistic}
    numbers: dict[str, int] = {}
    number: int | None = None
    hands = _Hands()
    for step, done in _deeds(steps, evidence.uri):
        if done is not None:
            hands.follow(done, step.event, registered)
        if done == PACKED and step.event.digest in registered:
            uri, own = registered[step.event.digest]
            numbers[uri] = own
        number = next((numbers[uri] for uri in step.inside if uri in numbers), number)
        alone = step.carrier == evidence.uri and done == OPENED and Role.CHILD in step.event.header.counts
        if alone and anchored(step.event, facts):
            # What it lay in goes its own way. Before that is anchored, the unit cannot be far, and is looked at still.
            number = None
    return Whereabouts(hands.holder if not (hands.gap or hands.away) else None, hands.words(), number)


@dataclass(frozen=True, slots=True)
class Handed:
    """Who has a pack, or has shipped it, by the events of its way. `gap` says in words what breaks it, at `link`."""

    holder: int | None
    gap: str | None
    link: VerifiedEvent | None


def handed(
    uris: Iterable[str], events: Sequence[VerifiedEvent], registered: Container[bytes], most: int
) -> dict[str, Handed]:
    """The same for many packs at once, by all of their events: `registered` are those that filled a unit on chain.

    Packs that no event ever told apart went one way, which is followed once. Raises EvidenceError as `histories` does.
    """
    groups = _together(uris, events)
    steps = histories([group[0] for group in groups], events, most)
    found: dict[str, Handed] = {}
    for group in groups:
        hands = _Hands()
        for step, done in _deeds(steps[group[0]], group[0]):
            if done is not None:
                hands.follow(done, step.event, registered)
        found |= dict.fromkeys(group, Handed(hands.holder, hands.gap, hands.link))
    return found


def _together(uris: Iterable[str], events: Iterable[VerifiedEvent]) -> list[list[str]]:
    """The packs in groups: the same events name those of one group."""
    named: dict[str, list[int]] = {uri: [] for uri in uris}
    for number, event in enumerate(events):
        for role in (Role.EPC, Role.CHILD):
            for uri in event.items.get(role, ()):
                if uri in named:
                    named[uri].append(number)
    groups: dict[tuple[int, ...], list[str]] = {}
    for uri, numbers in named.items():
        groups.setdefault(tuple(numbers), []).append(uri)
    return list(groups.values())


def _deeds(steps: Iterable[Step], uri: str) -> Iterator[tuple[Step, str | None]]:
    """Each step with what it does to the pack."""
    inside: tuple[str, ...] = ()
    for step in steps:
        yield step, _done(step, uri, inside)
        inside = step.inside


def _done(step: Step, uri: str, inside: Sequence[str]) -> str | None:
    """What the event does to the pack or its carrier, which lay in `inside`; None where it only looks at it."""
    core = step.event.header.core
    if core["type"] == "AggregationEvent":
        if (core["action"], core["bizStep"]) == ("DELETE", NOT_SHIPPED):
            # The receiver's word may be recorded when the sender has taken it out, by clocks that differ.
            return MISSED if any(parent in inside for parent in step.event.items.get(Role.PARENT, ())) else None
        return {"ADD": PACKED, "DELETE": OPENED}.get(core["action"])
    if core["action"] == "ADD":
        return COMMISSIONED if step.carrier == uri else None
    return _DONE.get(core["bizStep"] or "")


@dataclass(slots=True)
class _Hands:
    """Who has the goods, whom they were shipped to, and who received them before a shipment to them is seen.

    A receiver whose clock is behind records a receipt before the shipment; that a shipment was cancelled is recorded,
    perhaps, after the next one began. Neither is a gap. `giver` is who shipped it to the holder, as long as that has
    only received it.
    """

    holder: int | None = None
    away: bool = False
    to: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    giver: int | None = None
    gap: str | None = None
    link: VerifiedEvent | None = None

    def follow(self, done: str, event: VerifiedEvent, registered: Container[bytes]) -> None:
        """`registered` are the digests of the events that filled a unit on chain."""
        if self.gap:
            return
        party, core = event.party, event.header.core
        if done == PACKED and event.digest not in registered:
            self.gap, self.link = f"party {party} packed it into a unit that it did not register on chain", event
        elif done == COMMISSIONED and self.holder is None:
            self.holder = party
        elif done == RECEIVED:
            self._received(party)
        elif party == self.giver and (done in (KEPT, MISSED) or party in self.early):
            self._give_back({self.holder} if self.holder and done != MISSED else set())
            self._act(done, core)
        elif done == MISSED and party in self.to:
            self.away = False
            self.to.discard(party)
        elif party != self.holder:
            self.gap = f"party {party} {done} it on {core['eventTime']}, and no event brought it there"
            self.link = event
        elif done == MISSED and self.giver is not None:
            self._give_back(set())
        else:
            self._act(done, core)

    def _act(self, done: str, core: Mapping[str, Any]) -> None:
        """Its holder does something with it."""
        self.giver = None
        if done == SHIPPED:
            self._shipped(core.get("receiver"))
        elif done in (KEPT, MISSED):
            self.away = False

    def _give_back(self, early: set[int]) -> None:
        """The last receipt came to nothing: `early` has received it all the same, when it is shipped again."""
        self.holder, self.away, self.to, self.early, self.giver = self.giver, False, set(), early, None

    def _received(self, party: int) -> None:
        if party in self.to:
            self._hand_over(party)
        elif party == self.holder:
            self.away = False  # it came back
        else:
            self.early.add(party)

    def _shipped(self, receiver: int | None) -> None:
        self.away = True
        if receiver is not None and receiver in self.early:
            self._hand_over(receiver)
        elif receiver is not None:
            self.to.add(receiver)

    def _hand_over(self, party: int) -> None:
        self.giver, self.holder = self.holder, party
        self.away, self.to, self.early = False, set(), set()

    def words(self) -> str:
        if self.gap:
            return self.gap
        if self.holder is None:
            return "no event says where it is"
        return (
            f"it was shipped by party {self.holder} and not received since"
            if self.away
            else (f"party {self.holder} has it")
        )
