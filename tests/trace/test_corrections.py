"""Events declared erroneous: shown to people, and never a reason to trust more than without."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journeys import (
    CASE,
    LINE,
    NOW,
    OTHER,
    PACKS,
    PALLET,
    PHARMACY,
    SCAN,
    WHOLESALER,
    World,
    declare,
    disclose,
    event,
    hold,
    journey,
    pack,
    receive,
    ship,
    unpack,
)

from packtrace.commit.declaration import declaration_of
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.event import Ledger
from packtrace.commit.header import Field, Header
from packtrace.commit.history import containment
from packtrace.custody import whereabouts
from packtrace.errors import EvidenceError
from packtrace.evidence import examine
from packtrace.facts import CustodyState, KeyFacts
from packtrace.scan import Place
from packtrace.verdict import Check, Headline, Verdict, judge


def look(world: World, minute: int, party: int, uri: str = PACKS[3], step: str = "inspecting") -> int:
    """Somebody looks at something; the event's number."""
    looking = event(minute, type="ObjectEvent", action="OBSERVE", biz_step=step, disposition="damaged", epcs=[uri])
    world.add(looking, Ledger(party=party))
    return len(world.events) - 1


def corrections(verdict: Verdict) -> list[Check]:
    return [check for check in verdict.checks if check.name == "corrections"]


# ---- what people see ----


def test_a_wrong_inspection_is_shown_as_declared_and_by_what_it_was_replaced() -> None:
    world = journey()
    wrong, right = look(world, 9, PHARMACY), look(world, 10, PHARMACY)
    by = world.events[right][1].digest
    declaration = declare(world, wrong, reason="incorrect_data", corrections=[by])
    verdict = world.verdict()
    assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
    (entry,) = [entry for entry in verdict.history if entry.declared]
    assert entry.digest == world.events[wrong][1].digest.hex()
    assert entry.declared == {
        "time": "2026-11-23T08:11:00.000Z",
        "reason": "incorrect_data",
        "digest": declaration.digest.hex(),
        "corrections": [
            {"digest": by.hex(), "time": "2026-11-23T08:10:00.000Z", "step": "inspecting", "disposition": "damaged"}
        ],
    }
    assert verdict.to_json()["history"][-2]["declared"] == entry.declared
    assert len(verdict.history) == 11, "the declaration itself is no event of its way"
    (check,) = corrections(verdict)
    assert check.passed
    assert check.detail == (
        f"inspecting of 2026-11-23 by party {PHARMACY} was declared erroneous on 2026-11-23 (incorrect data), "
        f"replaced by event {by.hex()[:12]}"
    )


def test_where_nothing_was_declared_nothing_is_said_of_it() -> None:
    verdict = journey().verdict()
    assert corrections(verdict) == []
    assert all(entry.declared is None for entry in verdict.history)


def test_of_what_replaces_it_only_its_own_maker_is_quoted() -> None:
    """A party names somebody else's event as what is right."""
    world = journey()
    wrong, other = look(world, 9, PHARMACY), look(world, 10, WHOLESALER)
    digest = world.events[other][1].digest
    declare(world, wrong, corrections=[digest])
    (entry,) = [entry for entry in world.verdict().history if entry.declared]
    assert entry.declared is not None
    assert entry.declared["corrections"] == [{"digest": digest.hex()}]


# ---- what takes trust away ----


@pytest.mark.parametrize(("number", "gap"), [(3, True), (4, True), (5, False), (6, True), (7, True), (8, False)])
def test_without_a_hand_over_it_is_not_here(number: int, gap: bool) -> None:
    """That something was opened is no hand-over."""
    world = journey()
    declare(world, number)
    verdict = world.verdict()
    assert (verdict.headline is Headline.CUSTODY_GAP) == gap
    if gap:
        assert "without what was declared erroneous" in str(verdict.reasons)
    assert corrections(verdict)[0].passed


@pytest.mark.parametrize("reason", ["did_not_occur", "incorrect_data", None])
def test_what_its_maker_calls_wrong_is_not_known(reason: str | None) -> None:
    world = journey()
    declare(world, 0, reason=reason)
    verdict = world.verdict()
    assert corrections(verdict)[0].passed is None
    assert "its commissioning is wrong" in corrections(verdict)[0].detail
    assert verdict.headline is not Headline.AUTHENTIC


# ---- what gives none ----


def test_a_gap_is_not_declared_away() -> None:
    """Who never had the pack opened its case, and takes that back."""
    world = journey()
    del world.events[8:]
    unpack(world, 8, OTHER, CASE)
    assert world.verdict().headline is Headline.CUSTODY_GAP
    declare(world, 8)
    verdict = world.verdict()
    assert verdict.headline is Headline.CUSTODY_GAP
    assert f"party {OTHER} opened it" in str(verdict.reasons)


def test_a_hand_over_is_not_declared_away() -> None:
    """The line shipped the pallet to the wholesaler, says that this was wrong, and sells a clone to the pharmacy."""
    world = journey()
    del world.events[5:]
    declare(world, 3)
    ship(world, 6, LINE, PALLET, PHARMACY)
    receive(world, 7, PHARMACY, PALLET)
    unpack(world, 8, PHARMACY, PALLET)
    hold(world, 1, PHARMACY, CustodyState.UNPACKED)
    assert world.verdict().headline is Headline.CUSTODY_GAP


def test_a_packing_is_not_declared_away_after_its_unit_has_left() -> None:
    """The pack was never in that case, says the line, and sells it a second time in another one."""
    world = journey()
    del world.events[5:]
    declare(world, 1)
    pack(world, 6, CASE, [PACKS[3]], 2)
    ship(world, 7, LINE, CASE, PHARMACY)
    receive(world, 8, PHARMACY, CASE)
    hold(world, 2, PHARMACY, CustodyState.HELD)
    assert world.verdict().headline is Headline.CUSTODY_GAP


def test_a_packing_that_was_undone_before_anything_left_harms_nobody() -> None:
    world = journey()
    del world.events[2:]
    unpack(world, 2, LINE, CASE)
    declare(world, 1)
    pack(world, 3, PALLET, [PACKS[3]], 2)
    ship(world, 4, LINE, PALLET, PHARMACY)
    receive(world, 5, PHARMACY, PALLET)
    hold(world, 0, LINE, CustodyState.UNPACKED)
    hold(world, 2, PHARMACY, CustodyState.HELD)
    verdict = world.verdict()
    assert verdict.headline is Headline.AUTHENTIC, verdict.reasons


STEPS = st.tuples(
    st.sampled_from(["pack", "unpack", "ship", "receive", "look", "void"]),
    st.sampled_from([LINE, WHOLESALER, PHARMACY, OTHER]),
    st.sampled_from([LINE, WHOLESALER, PHARMACY]),
    st.sampled_from([CASE, PALLET]),
)


def walked(steps: list[tuple[str, int, int, str]]) -> World:
    """A pack's way that nobody has checked; everything of it is on chain as it says."""
    world = journey()
    del world.events[1:]
    world.logistic.clear()
    for minute, (what, party, other, unit) in enumerate(steps, 1):
        if what == "pack":
            pack(world, minute, unit, [PACKS[3]], minute, party=party)
        elif what == "unpack":
            unpack(world, minute, party, unit)
        elif what == "ship":
            ship(world, minute, party, unit, other)
        elif what == "receive":
            receive(world, minute, party, unit)
        else:
            look(world, minute, party, unit, "void_shipping" if what == "void" else "inspecting")
    return world


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEPS, max_size=9),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, None, OTHER])), max_size=3),
    st.sampled_from([LINE, WHOLESALER, PHARMACY]),
)
def test_a_declaration_never_brings_a_pack_to_a_place(
    steps: list[tuple[str, int, int, str]], said: list[tuple[int, int | None]], place: int
) -> None:
    """Whatever is declared, and by whom: where the pack was not before, it is not after."""
    world = walked(steps)
    wanted = [PACKS[3], CASE, PALLET]
    before = whereabouts(examine(SCAN, world.disclosures(wanted)), world.facts())
    sound = judge(SCAN, examine(SCAN, world.disclosures(wanted)), None, world.facts(), Place(place), NOW)
    for number, party in said:
        if number <= len(steps):
            declare(world, number, party=party)
    after = whereabouts(examine(SCAN, world.disclosures(wanted)), world.facts())
    assert after.holder in (before.holder, None)
    verdict = judge(SCAN, examine(SCAN, world.disclosures(wanted)), None, world.facts(), Place(place), NOW)
    if verdict.headline is Headline.AUTHENTIC:
        assert sound.headline is Headline.AUTHENTIC


# ---- who may say so ----


def test_nobody_takes_anothers_event_back() -> None:
    world = journey()
    declare(world, 6, party=OTHER)
    verdict = world.verdict()
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert f"declares an event of party {WHOLESALER} erroneous" in verdict.reasons[0]


def test_a_declaration_is_not_taken_back() -> None:
    world = journey()
    declare(world, 6)
    declare(world, 9)
    assert "declares a declaration erroneous" in str(world.verdict().reasons)


def test_what_a_thief_of_the_key_declared_does_not_count_and_breaks_nothing() -> None:
    world = journey()
    declare(world, 6)
    assert world.verdict().headline is Headline.CUSTODY_GAP
    entry = (WHOLESALER, 0, 9)
    world.entries[entry] = replace(world.entries[entry], time=NOW + 1)
    keys = dict(world.facts().keys) | {f"0xkey{WHOLESALER}": KeyFacts(WHOLESALER, 1, False, NOW + 1)}
    verdict = world.verdict(keys=keys)
    assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
    assert "compromised, which does not count" in corrections(verdict)[0].detail
    assert all(entry.declared is None for entry in verdict.history)


def test_a_declaration_that_is_not_on_chain_is_not_a_check_that_passed() -> None:
    world = journey()
    looked = look(world, 9, WHOLESALER)
    declare(world, looked, log=False)
    verdict = world.verdict()
    assert verdict.headline is Headline.NOT_VERIFIED
    assert "not in its party's log" in verdict.reasons[0]
    entry = (WHOLESALER, 0, 10)
    other = dict(world.entries) | {entry: replace(world.entries[WHOLESALER, 0, 9], root=bytes(32))}
    assert world.verdict(entries=other).headline is Headline.EVIDENCE_BROKEN


# ---- what it looks like ----


def declaration(world: World) -> Disclosure:
    return world.disclosures([PACKS[3]])[-1]


def changed(disclosure: Disclosure, **members: Any) -> Disclosure:
    first = disclosure.header.fields[0]
    assert isinstance(first, Field)
    core = {name: value for name, value in (first.value | members).items() if value != "gone"}
    return replace(disclosure, header=Header((replace(first, value=core), *disclosure.header.fields[1:])))


def test_a_declaration_of_goods_moves_none() -> None:
    """Who shows its items would have it taken for what it repeats."""
    world = journey()
    declare(world, 1)
    _, commitment, proof = world.events[-1]
    assert declaration(world).verify().declares is not None
    with pytest.raises(EvidenceError, match="shows no items"):
        disclose(commitment, [PACKS[3], CASE], proof).verify()
    events = [one.verify() for one in world.disclosures([PACKS[3], CASE, PALLET])]
    assert containment(events) == containment(events[:-1])


GOOD = {"event": "11" * 32, "time": "2026-11-23T08:00:00.000Z", "reason": None, "corrections": []}


@pytest.mark.parametrize(
    "said",
    [
        None,
        "declared",
        [],
        {},
        GOOD | {"event": "11" * 31},
        GOOD | {"event": "AA" * 32},
        GOOD | {"event": None},
        GOOD | {"time": "2026-11-23"},
        GOOD | {"time": 5},
        GOOD | {"reason": ""},
        GOOD | {"reason": "x" * 257},
        GOOD | {"reason": 5},
        GOOD | {"corrections": None},
        GOOD | {"corrections": "22" * 32},
        GOOD | {"corrections": ["22" * 32, "22" * 32]},
        GOOD | {"corrections": ["33" * 32, "22" * 32]},
        GOOD | {"corrections": ["11" * 32]},
        GOOD | {"corrections": [7]},
        GOOD | {"corrections": [f"{number:064}" for number in range(65)]},
        GOOD | {"more": 1},
    ],
)
def test_what_is_declared_has_one_form(said: Any) -> None:
    with pytest.raises(EvidenceError):
        declaration_of({"declares": said})
    world = journey()
    declare(world, 1)
    with pytest.raises(EvidenceError):
        changed(declaration(world), declares=said).verify()


@pytest.mark.parametrize("member", ["product", "custody", "receiver"])
def test_a_declaration_is_tied_to_no_contract(member: str) -> None:
    with pytest.raises(EvidenceError):
        declaration_of({"declares": GOOD, member: 5})
