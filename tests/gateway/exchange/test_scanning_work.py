"""Work by scanning, against real gateways: receive, ship, pack, unpack and dispense, online and off."""

import json
from pathlib import Path
from typing import Any

import pytest

from packtrace.gs1 import sscc_of_uri
from packtrace.scan import Scan
from packtrace_scanner.answers import Mark
from packtrace_scanner.journal import Job, Journal, State
from packtrace_scanner.reading import NotMedicine, meaning_of_text
from packtrace_scanner.work import expired, offline_verdict
from tests.gateway.exchange.scanning import (
    PHARMACY,
    PLANT,
    SHOP,
    WHOLESALER,
    Make,
    arrived,
    as_scanned,
    delivered,
)


def test_one_scan_receives_a_pallet(world: Any, counter: Make) -> None:
    pallet, _, packs = world.pallet(packs=6, cases=3)
    world[PLANT].capture(world[PLANT].ship(WHOLESALER, [pallet]))
    world[WHOLESALER].wait_arrival(pallet)
    desk = counter(WHOLESALER)
    said = desk.scan("packtrace:receive", pallet)
    assert (said.mark, said.headline) == (Mark.GOOD, "expected")
    assert f"from party {PLANT}: 3 cases, 6 packs" in said.lines
    assert desk.scan(pallet).mark is Mark.AGAIN
    assert desk.scan("packtrace:done").headline == "receiving: written down"
    assert [one.headline for one in desk.sent()] == ["receiving: recorded"]
    world[WHOLESALER].wait_goods(pallet, "received")
    assert world[WHOLESALER].place(packs[0]) == "HERE"
    assert desk.scan(pallet).headline == "is here already"


def test_missing_extra_and_wrong_cases_are_named_while_scanning(world: Any, counter: Make) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, (one, two, lost), _ = world.pallet(packs=6, cases=3)
    other, (stray, *_), _ = world.pallet(packs=2, cases=2)
    foreign, _, (pack, *_) = world.pallet()
    plant.capture(plant.ship(WHOLESALER, [pallet]), plant.ship(WHOLESALER, [other]))
    wholesaler.wait_arrival(pallet)
    wholesaler.wait_arrival(other)
    desk = counter(WHOLESALER)
    desk.scan("packtrace:receive", pallet)
    assert desk.scan(one).lines[-1] == f"1 of 3 cases of SSCC {sscc_of_uri(pallet)}"
    assert desk.scan(stray).headline == "only a part of what is expected"
    assert f"SSCC {sscc_of_uri(other)}" in desk.said[-1].lines[-1]
    assert desk.scan(pack).headline == "this is a pack"
    unknown = desk.scan(foreign)
    assert (unknown.mark, unknown.headline) == (Mark.QUESTION, "no data yet")
    assert desk.scan("packtrace:undo").headline == "taken back"
    assert desk.scan(two).mark is Mark.GOOD
    asked = desk.scan("packtrace:done")
    assert (asked.mark, asked.headline, asked.lines[0]) == (Mark.QUESTION, "1 missing", f"SSCC {sscc_of_uri(lost)}")
    assert desk.scan("packtrace:done").headline == "receiving: written down"
    assert [one.mark for one in desk.sent()] == [Mark.GOOD]
    units = wholesaler.wait_goods(pallet, "received")["units"]
    assert {entry["uri"]: entry["goods"] for entry in units}[lost] == "missing"
    assert wholesaler.place(other) == "EXPECTED"


def test_goods_are_packed_shipped_and_unpacked(world: Any, counter: Make) -> None:
    plant, shop = world[PLANT], world[SHOP]
    case, packs = world.units(1)[0], world.stock(3)
    desk = counter(PLANT)
    desk.scan("packtrace:pack")
    assert desk.scan(packs[0]).headline == "this is a pack"
    assert desk.scan(case).headline == "is filled now"
    assert desk.scan("packtrace:done").headline == "nothing goes in yet"
    assert desk.scan(*packs).headline == "goes in"
    assert desk.scan("packtrace:ship:" + shop.settings.gln).headline == "packing is open"
    desk.scan("packtrace:done")
    desk.sent()
    assert plant.place(packs[0]) == "HERE"
    assert desk.scan(case).headline == "in use"
    assert desk.scan("packtrace:ship").mark is Mark.WRONG
    assert desk.scan("packtrace:ship:4012345000008").mark is Mark.WRONG, "a wrong check digit"
    desk.scan("packtrace:ship:" + shop.settings.gln, case)
    assert desk.said[-1].headline == f"goes to {shop.settings.gln}"
    assert desk.scan(world.units(1)[0]).headline == "not known here"
    desk.scan("packtrace:done")
    assert [one.headline for one in desk.sent()] == ["shipping: recorded"]
    shop.wait_arrival(case)
    till = counter(SHOP)
    till.scan("packtrace:receive", case, "packtrace:done")
    till.sent()
    shop.wait_goods(case, "received")
    assert till.scan("packtrace:unpack", case).lines[-1] == "3 things come out of it"
    till.scan("packtrace:done")
    till.sent()
    assert (shop.place(case), shop.place(packs[0])) == ("UNPACKED", "HERE")
    assert till.scan("packtrace:verify", case).headline == "unpacked"


def test_a_pack_is_dispensed_by_one_scan_and_only_once(world: Any, counter: Make) -> None:
    pack, other = delivered(world, PHARMACY, 2)
    till = counter(PHARMACY)
    assert till.scan("packtrace:dispense", pack).headline == "dispensing …"
    assert [one.headline for one in till.sent()] == ["dispensed"]
    assert till.scan(pack).headline == "scanned for dispensing before"
    elsewhere = counter(SHOP)
    assert elsewhere.scan("packtrace:dispense", pack).headline == "not dispensed"
    assert elsewhere.parts.journal.next() is None
    assert till.scan("packtrace:verify", other).headline == "now: verifying"
    assert till.verdicts[-1].authentic


def test_a_logistic_unit_is_not_dispensed_whatever_its_label_says_of_a_trade_item(world: Any, counter: Make) -> None:
    (case,), (pack,) = world.units(1), world.stock(1)
    till = counter(PHARMACY)
    till.scan("packtrace:dispense")
    for label in (as_scanned(case), f"{as_scanned(case)}{as_scanned(pack)[3:]}"):
        said = till.scan(label)
        assert (said.mark, said.headline) == (Mark.WRONG, "not dispensed")
        assert said.lines[0] == f"SSCC {sscc_of_uri(case)}"
        assert "scan the code on each pack" in said.lines[1]
    assert till.parts.journal.next() is None
    assert till.verdicts == []


def test_packs_that_wait_for_their_block_hold_nothing_up(world: Any, counter: Make) -> None:
    packs = delivered(world, PHARMACY, 3)
    till = counter(PHARMACY)
    till.scan("packtrace:dispense")
    world.devnet.pause_mining()
    try:
        for pack in packs:
            assert till.scan(pack).headline == "dispensing …"
            till.parts.sender.step()
        assert till.parts.journal.waiting() == 0, "the gateway has all three, though none has its outcome"
        assert till.parts.journal.next().state is State.SENT  # type: ignore[union-attr]
    finally:
        world.devnet.resume_mining()
    assert [one.headline for one in till.sent()].count("dispensed") == 3


def test_offline_what_is_scanned_is_kept_and_the_verdict_says_what_it_does_not_know(
    world: Any, counter: Make, tmp_path: Path
) -> None:
    good, gone = delivered(world, PHARMACY, 2)
    till = counter(PHARMACY, gateway="http://127.0.0.1:9", node="http://127.0.0.1:9")
    till.scan(good)
    said = till.said[-1]
    assert (said.mark, said.headline) == (Mark.QUESTION, "not verified: offline")
    assert any("recalled" in line for line in said.lines)
    assert till.scan("packtrace:dispense", good).headline == "written down: sent when the gateway answers"
    assert till.scan(gone).headline == "written down: sent when the gateway answers"
    assert till.scan(gone).headline == "scanned for dispensing before"
    assert [one.headline for one in till.sent()] == ["offline"]
    # Meanwhile somebody else dispenses one of them; then the power fails, and a new program goes on.
    world[PHARMACY].post("/dispense", {"packs": [{"code": as_scanned(gone)}]})
    world.wait(
        lambda: not world[PHARMACY].verify(gone, lot="L1", expiry="2031-05-31")["headline"].startswith("authentic")
    )
    till.parts.journal.close()
    again = counter(PHARMACY)
    assert again.parts.journal.waiting() == 2
    said_of = [(one.mark, one.headline) for one in again.sent()]
    assert (Mark.GOOD, "dispensed") in said_of
    assert (Mark.WRONG, "was given out offline, and is not good") in said_of
    assert again.parts.journal.next() is None


def test_a_task_goes_on_after_a_power_cut(world: Any, counter: Make) -> None:
    plant = world[PLANT]
    pallet, (one, two), _ = world.pallet(packs=2, cases=2)
    plant.capture(plant.ship(WHOLESALER, [pallet]))
    world[WHOLESALER].wait_arrival(pallet)
    desk = counter(WHOLESALER)
    desk.scan("packtrace:receive", pallet, one)
    desk.parts.journal.close()
    again = counter(WHOLESALER)
    assert (again.said[-1].headline, again.said[-1].lines[0]) == (
        "receiving goes on",
        "2 scanned before the program ended",
    )
    assert again.scan(one).mark is Mark.AGAIN
    assert again.scan(two).lines[-1].startswith("2 of 2 cases")
    again.scan("packtrace:done")
    again.sent()
    world[WHOLESALER].wait_goods(pallet, "received")
    assert again.scan("packtrace:drop").headline == "receiving is forgotten"


def test_a_case_of_a_pallet_that_was_looked_at_is_ticked_off_without_the_gateway(
    world: Any, counter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pallet, (one, _) = arrived(world)
    desk = counter(WHOLESALER)
    desk.scan("packtrace:receive", pallet)
    monkeypatch.setattr(desk.parts.gateway, "_ask", None)
    assert desk.scan(one).lines[-1].startswith("1 of 2 cases")


def test_a_case_that_was_left_by_its_pallet_may_be_filled_but_not_with_itself(world: Any, counter: Make) -> None:
    plant = world[PLANT]
    pallet, (case, other), _ = world.pallet(packs=2, cases=2)
    (fresh,) = world.units(1)
    plant.capture(plant.unpack(pallet))
    desk = counter(PLANT)
    desk.scan("packtrace:pack", fresh, case, other, fresh, "packtrace:undo")
    plant.capture(plant.unpack(case))
    assert desk.scan(case).headline == "is filled now"
    assert desk.work._task.units == [case, other]  # type: ignore[union-attr]


def test_other_codes_and_commands_are_answered(world: Any, counter: Make) -> None:
    desk = counter(PLANT)
    assert desk.scan("]d1hello").headline == "not a medicine's code"
    assert desk.scan("packtrace:nonsense").headline == "not a medicine's code"
    assert desk.scan("packtrace:done").headline == "nothing is open"
    assert desk.scan(world.units(1)[0]).headline == "a logistic unit"
    assert isinstance(meaning_of_text("packtrace:done"), NotMedicine)


def test_what_is_not_known_offline_depends_on_what_this_counter_did(tmp_path: Path) -> None:
    from datetime import date

    journal = Journal(tmp_path / "j.db")
    scan = Scan("04012345123456", "A", "L", date(2027, 2, 28))
    day = 86_400
    last_day = date(2027, 2, 28).toordinal() * day - date(1970, 1, 1).toordinal() * day
    assert [expired(scan, last_day + day - 1), expired(scan, last_day + day)] == [False, True]
    assert offline_verdict(scan, journal, last_day).headline == "not verified: offline"
    assert offline_verdict(scan, journal, last_day + day).mark is Mark.WRONG
    code = "https://id.gs1.org/01/04012345123456/21/A"
    journal.write(Job("dispensing", {"packs": [code]}, State.READY))
    assert offline_verdict(scan, journal, last_day).headline == "dispensed here before"
    assert json.dumps(journal.next().body) == json.dumps({"packs": [code]})  # type: ignore[union-attr]
    journal.close()
