"""Work by scanning that the gateway does not take as it came: kept, set aside, mended, sent again."""

from pathlib import Path
from typing import Any

import pytest

from packtrace.gs1 import sscc_of_uri
from packtrace_scanner.answers import Mark
from tests.gateway.exchange.scanning import (
    PLANT,
    SHOP,
    WHOLESALER,
    Make,
    arrived,
)


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
