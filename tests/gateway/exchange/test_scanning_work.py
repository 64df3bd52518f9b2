"""Work by scanning, against real gateways: receive, ship, pack, unpack and dispense, online and off."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from packtrace.gs1 import sscc_of_uri
from packtrace.scan import Scan
from packtrace_gateway.access.models import Role
from packtrace_scanner.answers import Mark, Said
from packtrace_scanner.gateway import Gateway
from packtrace_scanner.journal import Job, Journal, State
from packtrace_scanner.reading import NotMedicine, meaning_of_text
from packtrace_scanner.sender import OFFLINE_SECONDS, Sender
from packtrace_scanner.settings import Settings
from packtrace_scanner.verifier import Verified, Verifier
from packtrace_scanner.work import Parts, Work, expired, offline_verdict
from tests.gateway.exchange.scanning import (
    PATIENCE,
    PHARMACY,
    PLANT,
    SHOP,
    WHOLESALER,
    arrived,
    as_scanned,
    delivered,
)


@dataclass
class Counter:
    """One counter: its work, and everything that it said."""

    work: Work
    parts: Parts
    said: list[Said] = field(default_factory=list)
    verdicts: list[Verified] = field(default_factory=list)

    def scan(self, *codes: str) -> Said:
        """Scan URIs, commands or raw text; the last answer."""
        for code in codes:
            self.work.take(meaning_of_text(as_scanned(code)))
        return self.said[-1]

    def sent(self) -> list[Said]:
        """Send everything; what was said of it."""
        before, limit = len(self.said), time.monotonic() + PATIENCE
        while self.parts.journal.next() is not None and self.parts.sender.step() != OFFLINE_SECONDS:
            assert time.monotonic() < limit
            time.sleep(0.05)
        return self.said[before:]


Make = Callable[..., Counter]


@pytest.fixture
def counter(world: Any, tmp_path: Path) -> Iterator[Make]:
    """`counter(party)`: a counter of its gateway, with a journal of its own that goes on where another ended."""
    made: list[Counter] = []

    def make(party: int, *, gateway: str | None = None, node: str | None = None) -> Counter:
        settings = world[party].settings
        key = tmp_path / f"key{party}"
        if not key.exists():
            key.write_text(world[party].gateway.access.create("counter", list(Role))[1])
            key.chmod(0o600)
        place = f"{party:05}"
        scanner = Settings(
            gateway=gateway or settings.endpoint,
            api_key_file=key,
            node=node or settings.node[0],
            deployment=settings.deployment,
            place=party,
            gln=settings.gln,
        )
        client, journal = Gateway(scanner), Journal(tmp_path / f"{place}.db")
        said: list[Said] = []
        verdicts: list[Verified] = []
        parts = Parts(Verifier(scanner), client, journal, Sender(journal, client, said.append), scanner.gln)
        one = Counter(Work(parts, said.append, verdicts.append), parts, said, verdicts)
        made.append(one)
        return one

    yield make
    for one in made:
        one.parts.journal.close()
        one.parts.gateway.close()
        one.parts.verifier.close()


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


def test_a_gateway_that_lets_nobody_in_or_refuses_loses_nothing(world: Any, counter: Make, tmp_path: Path) -> None:
    pallet, _, _ = world.pallet()
    desk = counter(PLANT)
    (tmp_path / "key20").write_text("pt_nobody")
    stranger = counter(WHOLESALER)
    said = stranger.scan("packtrace:receive", pallet)
    assert said.headline == "taken down, not looked at"
    stranger.scan("packtrace:done")
    assert "API key" in " ".join(stranger.sent()[0].lines)
    assert stranger.parts.journal.waiting() == 1
    desk.scan("packtrace:ship:" + world[SHOP].settings.gln, pallet)
    world[PLANT].capture(world[PLANT].unpack(pallet))  # behind the counter's back
    desk.scan("packtrace:done")
    (refused,) = desk.sent()
    assert (refused.mark, refused.headline) == (Mark.WRONG, "shipping was refused")
    assert f"SSCC {sscc_of_uri(pallet)}" in refused.lines


def test_a_gateway_in_trouble_says_its_incident_once_and_the_job_waits(
    world: Any, counter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pallet, _, _ = world.pallet()
    desk = counter(PLANT)
    desk.scan("packtrace:unpack", pallet, "packtrace:done")
    with monkeypatch.context() as patch:
        patch.setattr(world[PLANT].gateway.capture, "capture", None)
        (offline,) = desk.sent()
        assert "incident's number" in " ".join(offline.lines)
        assert desk.sent() == [], "not every few seconds"
    assert [said.headline for said in desk.sent()] == ["unpacking: recorded", "it works again"]
    assert world[PLANT].place(pallet) == "UNPACKED"


def test_a_job_that_the_gateway_never_takes_is_set_aside_kept_and_sent_later(
    world: Any, counter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, capture = world[PLANT], world[PLANT].gateway.capture.capture
    (one, _, _), (other, _, _) = world.pallet(), world.pallet()

    def in_trouble(document: bytes, *arguments: Any, **more: Any) -> Any:
        if one.encode() in document:
            raise RuntimeError("a disk of the gateway's is broken where this is written")
        return capture(document, *arguments, **more)

    desk = counter(PLANT)
    assert desk.scan("packtrace:aside").headline == "nothing is in the way"
    for unit in (one, other):
        desk.scan("packtrace:unpack", unit, "packtrace:done")
    assert desk.scan("packtrace:kept").headline == "2 waiting"
    with monkeypatch.context() as patch:
        patch.setattr(plant.gateway.capture, "capture", in_trouble)
        (waits,) = desk.sent()
        assert waits.headline == "unpacking waits"
        assert f"SSCC {sscc_of_uri(one)}" in waits.lines
        assert "packtrace:aside" in waits.lines[-2]
        assert plant.place(other) == "HERE", "in its order"
        aside = desk.scan("packtrace:aside")
        assert (aside.headline, aside.lines[0]) == ("unpacking is set aside", f"SSCC {sscc_of_uri(one)}")
        assert "NOT recorded" in aside.lines[1]
        assert [said.headline for said in desk.sent()] == ["unpacking: recorded"]
        assert (plant.place(one), plant.place(other)) == ("HERE", "UNPACKED")
        desk.parts.journal.close()  # and the program ends
        desk = counter(PLANT)
        assert (desk.said[-1].headline, desk.said[-1].lines[0]) == ("1 set aside", "unpacking")
        listed = desk.scan("packtrace:kept")
        assert listed.headline == "1 set aside"
        assert f"SSCC {sscc_of_uri(one)}" in listed.lines[0]
        assert desk.scan("packtrace:resend").headline == "sent once more"
        assert [said.headline for said in desk.sent()] == ["unpacking waits"], "as before"
    assert [said.headline for said in desk.sent()] == ["unpacking: recorded", "it works again"]
    assert plant.place(one) == "UNPACKED"
    assert desk.scan("packtrace:resend").headline == "nothing is set aside"
    assert desk.scan("packtrace:kept").headline == "the gateway has everything"


def test_a_disk_that_is_full_when_the_answer_comes_makes_the_counter_ask_again(world: Any, counter: Make) -> None:
    plant = world[PLANT]
    pallet, _, _ = world.pallet()
    desk = counter(PLANT)
    desk.scan("packtrace:unpack", pallet, "packtrace:done")
    journal = desk.parts.journal
    journal._connection.execute("PRAGMA query_only=ON")
    (said,) = desk.sent()
    assert (said.headline, plant.place(pallet)) == ("nothing can be written down", "UNPACKED")
    assert desk.sent() == []
    journal._connection.execute("PRAGMA query_only=OFF")
    assert [said.headline for said in desk.sent()] == ["unpacking: recorded", "it works again"]


def test_a_delivery_is_received_whole_or_not_at_all_and_can_be_mended(world: Any, counter: Make) -> None:
    wholesaler = world[WHOLESALER]
    (pallet, (one, lost)), (other, _) = arrived(world), arrived(world)
    desk = counter(WHOLESALER)
    desk.scan("packtrace:receive", pallet, one, other, "packtrace:done")
    assert desk.said[-1].headline == "1 missing"
    desk.scan("packtrace:done")
    wholesaler.capture(wholesaler.receive([other]))  # somebody was quicker
    (refused,) = desk.sent()
    assert (refused.mark, refused.headline) == (Mark.WRONG, "receiving was refused")
    assert f"SSCC {sscc_of_uri(other)}" == refused.lines[1]
    assert "packtrace:mend" in refused.lines[-1]
    assert (wholesaler.place(pallet), wholesaler.place(lost)) == ("EXPECTED", "EXPECTED"), "nothing half done"

    desk.parts.journal.close()  # and the program ends
    desk = counter(WHOLESALER)
    assert (desk.said[-1].headline, desk.said[-1].lines[0]) == ("1 refused", "receiving")
    desk.scan("packtrace:mend")
    assert [said.headline for said in desk.said[-2:]] == ["is here already", "receiving goes on"]
    assert "2 scanned, 1 left out" in desk.said[-1].lines
    assert desk.scan("packtrace:mend").headline == "receiving is open"
    assert desk.scan("packtrace:done").headline == "receiving: written down"
    assert [one.headline for one in desk.sent()] == ["receiving: recorded"]
    units = {entry["uri"]: entry["goods"] for entry in wholesaler.wait_goods(pallet, "received")["units"]}
    assert units[lost] == "missing"
    assert desk.scan("packtrace:mend").headline == "nothing was refused"


def test_units_are_unpacked_together_or_not_at_all(world: Any, counter: Make) -> None:
    plant = world[PLANT]
    (one, _, _), (other, _, _), (third, _, _) = (world.pallet() for _ in range(3))
    desk = counter(PLANT)
    desk.scan("packtrace:unpack", one, other, third, "packtrace:done")
    plant.capture(plant.unpack(other))
    assert [said.headline for said in desk.sent()] == ["unpacking was refused"]
    assert (plant.place(one), plant.place(third)) == ("HERE", "HERE")
    desk.scan("packtrace:mend")
    assert desk.said[-2].headline == "is not here"
    assert desk.scan(one).mark is Mark.AGAIN
    taken_back = desk.scan("packtrace:undo")
    assert (taken_back.headline, taken_back.lines) == ("taken back", (f"SSCC {sscc_of_uri(one)}", "1 left"))
    desk.scan("packtrace:done")
    desk.sent()
    assert (plant.place(one), plant.place(third)) == ("HERE", "UNPACKED")


def test_a_job_of_which_nothing_is_left_and_one_that_is_dropped_are_not_offered_again(
    world: Any, counter: Make
) -> None:
    plant = world[PLANT]
    (one, _, _), (other, _, _) = world.pallet(), world.pallet()
    desk = counter(PLANT)
    for unit in (one, other):
        desk.scan("packtrace:unpack", unit, "packtrace:done")
    plant.capture(plant.unpack(one), plant.ship(SHOP, [other]))
    assert [said.headline for said in desk.sent()] == ["unpacking was refused"] * 2
    assert desk.scan("packtrace:mend").headline == "unpacking: nothing is left of it"
    plant.post(f"/shipments/{plant.shipment(other)['id']}/cancel")
    plant.wait_goods(other, "cancelled")
    assert desk.scan("packtrace:mend").headline == "unpacking goes on"
    assert desk.scan("packtrace:drop").lines == ("1 scans are dropped",)
    assert desk.scan("packtrace:mend").headline == "nothing was refused"
    third = world.pallet()[0]
    assert desk.scan(third).headline == "is emptied", "and work goes on"
    assert len(desk.parts.journal.unfinished().body["units"]) == 1  # type: ignore[union-attr]
    desk.scan("packtrace:undo")
    assert desk.parts.journal.unfinished() is None


def test_what_was_scanned_into_a_case_whose_label_is_taken_goes_into_another(world: Any, counter: Make) -> None:
    plant = world[PLANT]
    taken, fresh = world.units(2)
    packs = world.stock(3)
    plant.capture(plant.pack(taken, world.stock(1)))
    desk = counter(PLANT, gateway="http://127.0.0.1:9")
    desk.scan("packtrace:pack", taken, *packs, "packtrace:done")  # offline nobody could say that it is
    desk.parts.journal.close()
    desk = counter(PLANT)
    assert desk.sent()[-1].headline == "packing was refused"
    desk.scan("packtrace:mend")
    assert [said.headline for said in desk.said[-2:]] == ["in use", "packing goes on"]
    desk.parts.journal.close()
    desk = counter(PLANT)
    assert desk.scan(packs[0]).headline == "this is a pack", "the case is asked for"
    assert desk.scan(fresh).headline == "is filled now"
    desk.scan(fresh, "packtrace:undo", fresh, packs[2], "packtrace:undo", "packtrace:done")
    desk.sent()
    assert [entry["uri"] for entry in plant.get(f"/logistic-units/{sscc_of_uri(fresh)}/contents")] == packs[:2]


def test_cases_that_were_scanned_offline_before_their_pallet_are_ticked_off_when_it_is_mended(
    world: Any, counter: Make
) -> None:
    pallet, (one, lost) = arrived(world)
    desk = counter(WHOLESALER, gateway="http://127.0.0.1:9")
    desk.scan("packtrace:receive", one, pallet, "packtrace:done")
    desk.parts.journal.close()
    desk = counter(WHOLESALER)
    assert desk.sent()[-1].headline == "receiving was refused"
    desk.scan("packtrace:mend")
    assert "2 scanned, 0 left out" in desk.said[-1].lines
    assert desk.scan("packtrace:done").lines[0] == f"SSCC {sscc_of_uri(lost)}"
    desk.scan(pallet, "packtrace:undo")
    assert desk.said[-1].lines[-1] == "0 left", "with its cases"
    assert desk.parts.journal.unfinished() is None


def test_what_was_scanned_offline_is_looked_at_when_it_is_scanned_again(world: Any, counter: Make) -> None:
    (pallet, (one, lost)), (here, _) = arrived(world), arrived(world)
    desk = counter(WHOLESALER, gateway="http://127.0.0.1:9")
    desk.scan("packtrace:receive", pallet, here)
    again = desk.scan(pallet)
    assert (again.mark, again.headline) == (Mark.AGAIN, "scanned before")
    assert "was not looked at" in again.lines[-1]
    desk.parts.journal.close()
    world[WHOLESALER].capture(world[WHOLESALER].receive([here]))
    desk = counter(WHOLESALER)
    assert desk.scan(one).headline == "only a part of what is expected"
    assert desk.scan(pallet).headline == "expected"
    assert desk.scan(here).headline == "is here already"
    assert desk.scan(one).lines[-1].startswith("1 of 2 cases")
    assert desk.scan(pallet).mark is Mark.AGAIN
    assert desk.scan("packtrace:done").lines[0] == f"SSCC {sscc_of_uri(lost)}"
    desk.parts.journal.close()
    assert counter(WHOLESALER).work._task.units == [pallet, one]  # type: ignore[union-attr]


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
