"""The way of one item through events: its own, and those of the logistic units that carried it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.commit.items import Role

# An event's record time may be this much after its entry in the log on chain: clocks are ahead. More is not believed,
# as items are followed in the order of recording, and an event from the far future would have the last word.
RECORDED_AHEAD = timedelta(hours=1)


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
    parents: dict[str, str] = {}
    steps = []
    for event in sorted(events, key=_recorded):
        carrier = _carrier(event, _chain(uri, parents))
        if event.header.core["type"] == "AggregationEvent":
            _follow(event, parents)
        if carrier is not None:
            steps.append(Step(event, carrier, tuple(_chain(uri, parents)[1:])))
    return steps


def containment(events: Iterable[VerifiedEvent]) -> dict[str, str]:
    """What each item is inside of after `events`: child to parent.

    Taken in the order of recording, those of the same millisecond in the order given: in that order their parties
    checked that each was possible. When a thing happened is only what a device claims.
    """
    parents: dict[str, str] = {}
    for event in sorted(events, key=_recorded):
        if event.header.core["type"] == "AggregationEvent":
            _follow(event, parents)
    return parents


def _recorded(event: VerifiedEvent) -> str:
    return str(event.header.core["recordTime"])


def _chain(uri: str, parents: dict[str, str]) -> list[str]:
    """The item and all that it is inside of, innermost first. A circle, which no honest event makes, ends the chain."""
    chain = [uri]
    while (parent := parents.get(chain[-1])) is not None and parent not in chain:
        chain.append(parent)
    return chain


def _carrier(event: VerifiedEvent, chain: list[str]) -> str | None:
    """Which link of the chain the event is about, if any."""
    action = event.header.core["action"]
    for uri in chain:
        if uri in event.items.get(Role.EPC, ()) or uri in event.items.get(Role.CHILD, ()):
            return uri
    emptied = action == "DELETE" and Role.CHILD not in event.header.counts
    for uri in chain[1:]:
        if uri in event.items.get(Role.PARENT, ()) and emptied:
            return uri
    return None


def _follow(event: VerifiedEvent, parents: dict[str, str]) -> None:
    """Keep up who is inside what. A DELETE without children empties its parent (EPCIS 2.0, section 7.4.3)."""
    action = event.header.core["action"]
    for parent in event.items.get(Role.PARENT, ()):
        children = event.items.get(Role.CHILD, {})
        if action == "ADD":
            parents.update(dict.fromkeys(children, parent))
        elif action == "DELETE" and Role.CHILD in event.header.counts:
            for child in children:
                if parents.get(child) == parent:
                    del parents[child]
        elif action == "DELETE":
            for child in [child for child, holder in parents.items() if holder == parent]:
                del parents[child]
