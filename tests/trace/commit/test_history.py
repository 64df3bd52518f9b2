"""What is inside what, after any events: compared with a plain model."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from packtrace.commit import header as headers
from packtrace.commit.disclosure import VerifiedEvent
from packtrace.commit.history import MAX_LEVELS, Containment, containment, history
from packtrace.commit.items import Role

PACKS = [f"https://id.gs1.org/01/09506000134352/21/S{number}" for number in range(6)]
CASES = [f"https://id.gs1.org/00/09506000000000{number:04}" for number in range(4)]
STEP = st.tuples(
    st.sampled_from(["pack", "take out", "unpack"]),
    st.sampled_from(CASES),
    st.lists(st.sampled_from(PACKS), min_size=1, max_size=3, unique=True),
)


def event(number: int, action: str, parent: str, children: Sequence[str], shown: Sequence[str]) -> VerifiedEvent:
    """An aggregation of `children`, of which `shown` are disclosed."""
    counts = {"parent": 1} | ({"child": len(children)} if children else {})
    core = {
        "party": 1,
        "type": "AggregationEvent",
        "action": action,
        "eventTime": "2026-11-23T05:00:00.000Z",
        "recordTime": f"2026-11-23T05:00:00.{number:03}Z",
        "bizStep": None,
        "items": {"root": "00" * 32, "counts": counts},
    }
    header = headers.build(core, {}, bytes(32))
    items = {Role.PARENT: {parent: 0}} | ({Role.CHILD: dict.fromkeys(shown, 1)} if shown else {})
    return VerifiedEvent(header, header.digest, items, None, None)


@settings(max_examples=200)
@given(st.lists(STEP, max_size=12), st.sets(st.sampled_from(PACKS)), st.randoms())
def test_containment_is_what_a_plain_model_says_for_whatever_is_shown(
    steps: list[tuple[str, str, list[str]]], visible: set[str], chance: object
) -> None:
    model: dict[str, str] = {}
    events = []
    for number, (what, parent, children) in enumerate(steps):
        if what == "pack":
            model |= dict.fromkeys(children, parent)
            events.append(event(number, "ADD", parent, children, [uri for uri in children if uri in visible]))
        elif what == "take out":
            for child in children:
                if model.get(child) == parent:
                    del model[child]
            events.append(event(number, "DELETE", parent, children, [uri for uri in children if uri in visible]))
        else:
            model = {child: inside for child, inside in model.items() if inside != parent}
            events.append(event(number, "DELETE", parent, [], []))
    chance.shuffle(events)  # type: ignore[attr-defined]
    assert containment(events) == {child: parent for child, parent in model.items() if child in visible}


def test_taking_others_out_leaves_what_is_shown_inside() -> None:
    """Children that are taken out, and not shown, are not *all* children: their parent goes on with the rest."""
    events = [
        event(0, "ADD", CASES[0], PACKS[:3], PACKS[:1]),
        event(1, "DELETE", CASES[0], PACKS[1:3], []),
    ]
    assert containment(events) == {PACKS[0]: CASES[0]}
    steps = history(PACKS[0], events)
    assert [step.event for step in steps] == events[:1], "what happened to others is no step of its way"
    assert steps[-1].inside == (CASES[0],)


def test_a_circle_ends() -> None:
    events = [event(0, "ADD", CASES[0], [CASES[1]], [CASES[1]]), event(1, "ADD", CASES[1], [CASES[0]], [CASES[0]])]
    assert containment(events) == {CASES[1]: CASES[0], CASES[0]: CASES[1]}
    assert [step.inside for step in history(CASES[1], events)][:1] == [(CASES[0],)]


def test_a_chain_that_no_honest_party_makes_is_followed_so_far_and_no_further() -> None:
    """Each step would take longer than the one before: thousands of them would take for ever."""
    units = [f"https://id.gs1.org/00/{number:018}" for number in range(MAX_LEVELS * 3)]
    events = [event(number, "ADD", outer, [inner], [inner]) for number, (inner, outer) in enumerate(pairwise(units))]
    steps = history(units[0], events)
    assert max(len(step.inside) for step in steps) == MAX_LEVELS - 1
    assert len(steps) == MAX_LEVELS


def test_what_moves_to_another_case_is_not_in_the_first() -> None:
    events = [
        event(0, "ADD", CASES[0], PACKS[:2], PACKS[:2]),
        event(1, "ADD", CASES[1], PACKS[:1], PACKS[:1]),
        event(2, "DELETE", CASES[0], [], []),
    ]
    assert containment(events) == {PACKS[0]: CASES[1]}


def test_an_sscc_that_is_used_again_has_nothing_of_the_earlier_unit() -> None:
    inside = Containment()
    for one in (event(0, "ADD", CASES[0], PACKS[:2], PACKS[:2]), event(1, "ADD", CASES[1], CASES[:1], CASES[:1])):
        inside.follow(one.header, one.items)
    inside.use_again(CASES[0])
    assert inside.parents == {}
    again = event(2, "ADD", CASES[0], PACKS[2:3], PACKS[2:3])
    inside.follow(again.header, again.items)
    inside.use_again(CASES[2])  # of which nothing is known
    assert inside.parents == {PACKS[2]: CASES[0]}
