"""Whose hands a pack went through: only who was given it can hand it on, and honest records have no gap."""

from dataclasses import replace

import pytest
from hypothesis import given
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
    SERIALS,
    WHOLESALER,
    World,
    event,
    hold,
    journey,
    pack,
    receive,
    ship,
    unpack,
)

from packtrace.commit.event import Ledger
from packtrace.custody import Whereabouts, handed, whereabouts
from packtrace.errors import EvidenceError
from packtrace.evidence import examine, logistic_link
from packtrace.facts import CustodyState, logistic_number
from packtrace.scan import Place
from packtrace.verdict import Headline, judge

WAY = journey()


def parted() -> World:
    """Two packs of the case go on from the pharmacy in a tote, which a third party says it received."""
    world = journey()
    pack(world, 9, PALLET, PACKS[2:4], 0, party=PHARMACY)
    ship(world, 10, PHARMACY, PALLET, WHOLESALER)
    receive(world, 11, OTHER, PALLET)
    return world


PARTED = parted()


def made() -> World:
    """Commissioned and packed at the line; nothing has left."""
    world = journey()
    del world.events[3:]
    return world


def found(world: World) -> Whereabouts:
    return whereabouts(examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET])), world.facts())


def look(world: World, minute: int, party: int, step: str, uri: str = PACKS[3], *, log: bool = True) -> None:
    looking = event(minute, type="ObjectEvent", action="OBSERVE", biz_step=step, epcs=[uri])
    world.add(looking, Ledger(party=party), log=log)


def test_the_last_receiver_has_it() -> None:
    assert found(journey()) == Whereabouts(PHARMACY, f"party {PHARMACY} has it", logistic_number(LINE, 0))


def test_who_never_had_a_pack_cannot_sell_it() -> None:
    """A wholesaler asks the maker about a serial that he saw, and puts a clone of it into a tote of his own."""
    world = journey()
    del world.events[1:]
    world.logistic.clear()
    pack(world, 5, CASE, [PACKS[3]], 0, party=WHOLESALER)
    ship(world, 6, WHOLESALER, CASE, PHARMACY)
    receive(world, 7, PHARMACY, CASE)
    unpack(world, 8, PHARMACY, CASE)
    own = logistic_number(WHOLESALER, 0)
    world.logistic[own] = replace(world.logistic[own], holder=PHARMACY, state=CustodyState.UNPACKED)
    verdict = world.verdict()
    assert verdict.headline is Headline.CUSTODY_GAP
    assert f"party {WHOLESALER} packed it" in verdict.reasons[0]


@pytest.mark.parametrize("step", ["inspecting", "receiving", "unpacking", "void_shipping", "dispensing"])
@pytest.mark.parametrize("log", [True, False], ids=["anchored", "unanchored"])
def test_own_events_alone_do_not_bring_a_pack_here(step: str, log: bool) -> None:
    """A gateway that has only the maker's event cannot show its scanner a pack that came."""
    world = journey()
    del world.events[1:]
    look(world, 9, PHARMACY, step, log=log)
    assert world.verdict().headline is Headline.CUSTODY_GAP


def test_looking_at_a_pack_moves_nothing() -> None:
    world = journey()
    look(world, 9, OTHER, "inspecting")
    assert found(world).holder == PHARMACY
    assert world.verdict().headline is Headline.AUTHENTIC


def test_who_was_not_named_cannot_receive() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, OTHER, PALLET)
    assert found(world).holder is None
    unpack(world, 5, OTHER, PALLET)
    assert found(world).why.startswith(f"party {OTHER} opened it")


def test_a_gap_stays_a_gap() -> None:
    world = made()
    unpack(world, 3, OTHER, PALLET)
    receive(world, 4, LINE, PALLET)
    assert found(world).holder is None
    assert "no event brought it there" in found(world).why


def test_a_receipt_recorded_by_a_slow_clock_comes_before_the_shipment() -> None:
    world = made()
    receive(world, 3, WHOLESALER, PALLET)
    assert found(world).holder == LINE
    ship(world, 4, LINE, PALLET, WHOLESALER)
    unpack(world, 5, WHOLESALER, PALLET)
    assert found(world).holder == WHOLESALER


def test_a_cancelled_shipment_stays_even_if_that_is_recorded_late() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, OTHER)
    assert found(world) == Whereabouts(
        None, f"it was shipped by party {LINE} and not received since", logistic_number(LINE, 0)
    )
    look(world, 4, LINE, "void_shipping", PALLET)
    assert found(world).holder == LINE
    ship(world, 5, LINE, PALLET, WHOLESALER)
    look(world, 6, LINE, "void_shipping", PALLET)
    receive(world, 7, WHOLESALER, PALLET)
    assert found(world).holder == WHOLESALER


def test_a_shipment_that_another_one_ended_gives_nothing_any_more() -> None:
    """Named once, for a shipment that was cancelled, a party cannot take the goods from who has them now."""
    world = made()
    ship(world, 3, LINE, PALLET, OTHER)
    look(world, 4, LINE, "void_shipping", PALLET)
    ship(world, 5, LINE, PALLET, WHOLESALER)
    receive(world, 6, WHOLESALER, PALLET)
    receive(world, 7, OTHER, PALLET)
    assert found(world).holder == WHOLESALER


def test_what_was_refused_comes_back_and_goes_on() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, OTHER)
    receive(world, 4, LINE, PALLET)
    assert found(world).holder == LINE
    unpack(world, 5, LINE, PALLET)
    ship(world, 6, LINE, CASE, PHARMACY)
    receive(world, 7, PHARMACY, CASE)
    assert found(world).holder == PHARMACY


def test_a_receipt_that_came_to_nothing_is_no_gap() -> None:
    """The chain refused it, as it came too late; the sender cancels and ships again what is at the receiver's still."""
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, WHOLESALER, PALLET)
    look(world, 5, LINE, "void_shipping", PALLET)
    assert found(world).holder == LINE
    ship(world, 6, LINE, PALLET, WHOLESALER)
    assert found(world).holder == WHOLESALER, "it was received before it was shipped again"
    unpack(world, 7, WHOLESALER, PALLET)
    assert found(world).holder == WHOLESALER


def test_what_was_received_and_then_refused_comes_back_and_goes_to_the_same_receiver() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, WHOLESALER, PALLET)  # into quarantine
    receive(world, 5, LINE, PALLET)
    assert found(world).holder == WHOLESALER, "only its sender says that it is back"
    ship(world, 6, LINE, PALLET, WHOLESALER)
    receive(world, 7, WHOLESALER, PALLET)
    assert found(world).holder == WHOLESALER
    unpack(world, 8, LINE, PALLET)
    assert found(world).why.startswith(f"party {LINE} opened it")


def test_who_has_done_something_with_the_goods_has_received_them() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, WHOLESALER, PALLET)
    unpack(world, 5, WHOLESALER, PALLET)
    look(world, 6, LINE, "void_shipping")
    assert found(world).why.startswith(f"party {LINE} kept it")


def test_a_return_that_a_slow_clock_records_too_early_is_a_hand_over_all_the_same() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, WHOLESALER, PALLET)
    receive(world, 5, LINE, PALLET)
    ship(world, 6, WHOLESALER, PALLET, LINE)
    unpack(world, 7, LINE, PALLET)
    assert found(world).holder == LINE


def missed(world: World, minute: int, party: int) -> None:
    """A party says that the case did not come, or did not go, on the pallet."""
    taking = event(
        minute, type="AggregationEvent", action="DELETE", biz_step="void_shipping", parent=PALLET, children=[CASE]
    )
    world.add(taking, Ledger(party=party))


@pytest.mark.parametrize("order", [(WHOLESALER, LINE), (LINE, WHOLESALER)], ids=["receiver first", "sender first"])
def test_a_case_that_is_missing_is_its_senders_and_can_be_shipped_again(order: tuple[int, int]) -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    for minute, party in enumerate(order, 4):
        missed(world, minute, party)
        assert found(world).holder == LINE
    receive(world, 6, WHOLESALER, PALLET)
    assert found(world) == Whereabouts(LINE, f"party {LINE} has it", logistic_number(LINE, 0))
    ship(world, 7, LINE, CASE, WHOLESALER)
    assert found(world).holder is None
    receive(world, 8, WHOLESALER, CASE)
    assert found(world).holder == WHOLESALER


def test_the_receivers_word_on_a_missing_case_may_come_after_it_was_shipped_again() -> None:
    """By a clock that is ahead; the case has left the pallet by then."""
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    missed(world, 4, LINE)
    ship(world, 5, LINE, CASE, WHOLESALER)
    missed(world, 6, WHOLESALER)
    receive(world, 7, WHOLESALER, CASE)
    assert found(world).holder == WHOLESALER


def test_what_its_receiver_missed_cannot_be_received_any_more() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    missed(world, 4, WHOLESALER)
    receive(world, 5, WHOLESALER, CASE)
    assert found(world).holder == LINE


def test_the_whole_was_received_before_a_case_of_it_was_missed() -> None:
    """The chain had refused that receipt."""
    for party in (WHOLESALER, LINE):
        world = made()
        ship(world, 3, LINE, PALLET, WHOLESALER)
        receive(world, 4, WHOLESALER, PALLET)
        missed(world, 5, party)
        assert found(world).holder == LINE


def test_only_sender_and_receiver_miss_something() -> None:
    world = made()
    ship(world, 3, LINE, PALLET, WHOLESALER)
    missed(world, 4, OTHER)
    assert found(world).why.startswith(f"party {OTHER} missed it")


def test_a_return_is_one_more_hand() -> None:
    world = journey()
    pack(world, 9, PALLET, [PACKS[3]], 0, party=PHARMACY)
    ship(world, 10, PHARMACY, PALLET, WHOLESALER)
    receive(world, 11, WHOLESALER, PALLET)
    assert found(world) == Whereabouts(WHOLESALER, f"party {WHOLESALER} has it", logistic_number(PHARMACY, 0))


def test_a_unit_that_the_chain_does_not_know_is_a_gap() -> None:
    """Without a registration nothing on chain says who holds it."""
    world = journey()
    packing = event(9, type="AggregationEvent", action="ADD", biz_step="packing", parent=PALLET, children=[PACKS[3]])
    world.add(packing, Ledger(party=PHARMACY))
    assert world.verdict().headline is Headline.CUSTODY_GAP


def test_until_it_is_anchored_a_taking_out_does_not_part_a_pack_from_its_case() -> None:
    """A gateway says that it took the pack out of a case that, by the chain, it does not have."""
    for log, headline in ((False, Headline.CUSTODY_GAP), (True, Headline.AUTHENTIC)):
        world = journey()
        del world.events[8:], world.entries[PHARMACY, 0, 8]
        taking = event(8, type="AggregationEvent", action="DELETE", parent=CASE, children=[PACKS[3]])
        world.add(taking, Ledger(party=PHARMACY), log=log)
        hold(world, 0, WHOLESALER, CustodyState.HELD)
        assert world.verdict().headline is headline


@given(st.sets(st.integers(0, 11)))
def test_many_packs_are_followed_as_each_alone(shown: set[int]) -> None:
    """Whatever is shown of their ways, which part at the pharmacy's."""
    events = [one.verify() for number, one in enumerate(PARTED.disclosures([*PACKS, CASE, PALLET])) if number in shown]
    links = {event.digest for event in events if logistic_link(event)}
    together = handed(PACKS, events, links, 1_000)
    for serial, uri in zip(SERIALS, PACKS, strict=True):
        disclosures = [one for number, one in enumerate(PARTED.disclosures([uri, CASE, PALLET])) if number in shown]
        alone = whereabouts(examine(replace(SCAN, serial=serial), disclosures), PARTED.facts())
        one = together[uri]
        assert (alone.why == one.gap) if one.gap else (alone.holder in (one.holder, None))
        assert (one.link is None) == (one.gap is None)


def test_packs_are_not_followed_for_ever() -> None:
    events = [one.verify() for one in PARTED.disclosures([*PACKS, CASE, PALLET])]
    with pytest.raises(EvidenceError, match="more than 50 looks"):
        handed(PACKS, events, set(), 50)


@given(st.sets(st.integers(0, 8)))
def test_no_hand_over_can_be_left_out(shown: set[int]) -> None:
    """Whatever part of the way is shown: only with every hand-over in it is the pack where it should be.

    That the pallet and the case were opened is no hand-over: packs lie at the same place before and after.
    """
    disclosures = [one for number, one in enumerate(WAY.disclosures([PACKS[3], CASE, PALLET])) if number in shown]
    verdict = judge(SCAN, examine(SCAN, disclosures), None, WAY.facts(), Place(PHARMACY), NOW)
    assert (verdict.headline is Headline.AUTHENTIC) == ({0, 1, 2, 3, 4, 6, 7} <= shown)
