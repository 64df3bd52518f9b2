"""An event is declared erroneous after it was shown to others: all of them learn of it, late, early, or twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from packtrace.commit.declaration import Declaration
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.event import Ledger
from packtrace.commit.header import Field, Header
from packtrace.commit.pedigree import Pedigree
from packtrace.epcis.model import ErrorDeclaration, Event
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.exchange import receiving, sending
from packtrace_gateway.exchange.check import compared, gathered, opened
from packtrace_gateway.exchange.corrections import untold
from packtrace_gateway.exchange.models import Arrival, HandOverPiece
from packtrace_gateway.exchange.package import CORRECTION, Package, from_cbor
from packtrace_gateway.exchange.queue import add_hand_over
from packtrace_gateway.exchange.sending import Sending

PLANT, WHOLESALER, PHARMACY, SHOP, FORGER = 11, 20, 30, 31, 61
PRINTED = {"lot": "L1", "expiry": "2031-05-31"}


def inspected(party: Any, unit: str, **more: Any) -> dict[str, Any]:
    """An inspection, and the same again with another disposition to stand in its place."""
    event: dict[str, Any] = party._event("ObjectEvent", "OBSERVE", "inspecting", epcList=[unit], **more)
    return event


def declared(event: dict[str, Any], reason: str = "incorrect_data", *corrections: str) -> dict[str, Any]:
    said = {"declarationTime": event["eventTime"], "reason": reason, "correctiveEventIDs": list(corrections)}
    return event | {"errorDeclaration": said}


def entry_of(party: Any, pack: str, digest: str) -> dict[str, Any] | None:
    """An event in a pack's history."""
    verdict = party.verify(pack, **PRINTED)
    return next((entry for entry in verdict["history"] if entry["digest"] == digest), None)


def said_of(party: Any, pack: str, digest: str) -> Any:
    entry = entry_of(party, pack, digest)
    return entry and entry["declared"]


def arrivals(party: Any) -> list[dict[str, Any]]:
    return [entry for entry in party.get("/arrivals") if entry["kind"] == CORRECTION]


def corrections(party: Any) -> list[dict[str, Any]]:
    """Corrections that a party hands over, the newest first."""
    return [entry for entry in party.get("/hand-overs") if entry["kind"] == CORRECTION]


def seen_at(party: Any, unit: str) -> tuple[dict[str, Any], str]:
    """A wrong inspection of a unit: the event and its digest."""
    event = inspected(party, unit, disposition="damaged")
    (captured,) = party.capture(event)
    return event, captured["digest"]


# ---- the whole way ----


def test_a_correction_follows_the_goods_from_hand_to_hand(world: Any) -> None:
    plant, wholesaler, pharmacy = world[PLANT], world[WHOLESALER], world[PHARMACY]
    pallet, cases, packs = world.pallet()
    wrong, digest = seen_at(plant, cases[0])
    world.deliver(PLANT, WHOLESALER, pallet)
    wholesaler.capture(wholesaler.unpack(pallet))
    world.deliver(WHOLESALER, PHARMACY, cases[0])
    for party in (wholesaler, pharmacy):
        assert entry_of(party, packs[0], digest)["declared"] is None  # type: ignore[index]
    right = inspected(plant, cases[0], disposition="in_progress", eventID="urn:uuid:right-one")
    entries = plant.capture(declared(wrong, "incorrect_data", "urn:uuid:right-one"), right)
    for party in (plant, wholesaler, pharmacy):
        world.wait(lambda party=party: said_of(party, packs[0], digest))
        said = said_of(party, packs[0], digest)
        assert (said["digest"], said["reason"]) == (entries[0]["digest"], "incorrect_data")
        (instead,) = said["corrections"]
        assert (instead["digest"], instead["disposition"]) == (entries[1]["digest"], "in_progress")
        assert said_of(party, packs[1], digest) is None, "it is of the other case"
    world.wait(lambda: pharmacy.verify(packs[0], **PRINTED)["headline"] == "authentic, available")
    checks = pharmacy.verify(packs[0], **PRINTED)["checks"]
    (check,) = [check for check in checks if check["name"] == "corrections"]
    assert check["passed"]
    assert "inspecting" in check["detail"]
    assert "incorrect data" in check["detail"]
    for sender, receiver in ((plant, WHOLESALER), (wholesaler, PHARMACY)):
        world.wait(lambda sender=sender: corrections(sender)[0]["state"] == "delivered")
        assert corrections(sender)[0]["receiver"] == receiver
        assert corrections(sender)[0]["receipt"]["outcome"] == "accepted"
    assert arrivals(pharmacy)[0]["state"] == "accepted"
    assert arrivals(world[SHOP]) == [], "who was not shown it is not told"
    for party, own in ((plant, True), (pharmacy, False)):
        listed = party.get("/corrections?limit=1")[0]
        assert (listed["party"], listed["own"], listed["step"]) == (PLANT, own, "inspecting")
        assert (listed["event"], listed["declaration"]) == (digest, entries[0]["digest"])
        assert (listed["reason"], listed["corrections"]) == ("incorrect_data", [entries[1]["digest"]])
        assert (listed["eventID"] is not None) == own, "an ID may be a hash, and stays with its owner"
    assert plant.get(f"/corrections?before={plant.get('/corrections')[-1]['id']}") == []


def test_a_shop_that_is_down_learns_of_it_when_it_is_back(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    world.deliver(PLANT, SHOP, pallet)
    shop.stop()
    try:
        plant.capture(declared(wrong, "did_not_occur"))
        world.wait(lambda: "did not answer" in (corrections(plant)[0]["error"] or ""))
    finally:
        shop.start()
    world.wait(lambda: said_of(shop, packs[0], digest))
    assert said_of(shop, packs[0], digest)["reason"] == "did_not_occur"
    assert shop.verify(packs[0], **PRINTED)["headline"] == "authentic, available"


def test_what_is_declared_before_the_goods_leave_travels_with_them(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    before = len(corrections(plant))
    plant.capture(declared(wrong))
    world.deliver(PLANT, SHOP, pallet)
    assert said_of(shop, packs[0], digest)
    assert len(corrections(plant)) == before, "nobody is told twice"


def test_a_packing_that_was_wrong_is_undone_and_the_packs_go_in_another_case(world: Any) -> None:
    plant, pharmacy = world[PLANT], world[PHARMACY]
    packs, (wrong_case, case) = world.stock(3), world.units(2)
    wrong = plant.pack(wrong_case, packs)
    (captured,) = plant.capture(wrong)
    right = plant.pack(case, packs[:2]) | {"eventID": "urn:uuid:packed-right"}
    plant.capture(declared(wrong, "incorrect_data", "urn:uuid:packed-right"), right)
    assert (plant.place(wrong_case), plant.place(packs[2])) == ("UNPACKED", "HERE")
    world.deliver(PLANT, PHARMACY, case)
    world.wait(lambda: pharmacy.verify(packs[0], **PRINTED)["headline"] == "authentic, available")
    said = said_of(pharmacy, packs[0], captured["digest"])
    assert said["corrections"][0]["step"] == "packing"
    # The third one stayed.
    assert plant.verify(packs[2], **PRINTED)["headline"] == "authentic, available"
    assert pharmacy.verify(packs[2], **PRINTED)["headline"] == "custody gap"


# ---- late, early, twice ----


def test_a_correction_that_comes_before_the_data_waits_for_them(world: Any, by_hand: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    by_hand.package(world, PLANT, SHOP, pallet)
    (entry,) = plant.capture(declared(wrong))
    waits = "the event that is declared erroneous is not here (yet)"
    world.wait(lambda: waits in str([one["reasons"] for one in arrivals(shop) if one["state"] == "waiting"]))
    by_hand.release(plant, pallet)
    shop.wait_arrival(pallet)
    world.wait(lambda: said_of(shop, packs[0], digest))
    assert said_of(shop, packs[0], digest)["digest"] == entry["digest"]
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")


def test_a_correction_of_what_is_in_quarantine_is_checked_again_with_it(
    world: Any, by_hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    by_hand.package(world, PLANT, SHOP, pallet)
    monkeypatch.setattr(sending, "LONGEST_SILENCE", 1.0)  # five minutes
    with monkeypatch.context() as patch:
        patch.setattr(receiving, "LONGEST_UNDECIDED", -1.0)  # three days go by
        patch.setattr(receiving, "ENOUGH_ATTEMPTS", 0)
        plant.capture(declared(wrong))
        world.wait(lambda: "quarantined" in [entry["state"] for entry in arrivals(shop)][:1])
        world.wait(lambda: corrections(plant)[0]["state"] == "refused")
    with monkeypatch.context() as patch:
        patch.setattr(receiving, "compared", lambda *_: (_ for _ in ()).throw(AssertionError("not now")))
        by_hand.release(plant, pallet)
        arrival = shop.wait_arrival(pallet, "waiting")
    with shop.gateway.database.write() as session:  # as when it had been in quarantine for a while
        session.get_one(Arrival, arrival["id"]).state = "quarantined"
    shop.post(f"/arrivals/{arrival['id']}/recheck")
    shop.wait_arrival(pallet)
    world.wait(lambda: said_of(shop, packs[0], digest))
    world.wait(lambda: corrections(plant)[0]["state"] == "delivered")
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")


def test_the_same_correction_twice_is_stored_once_and_has_the_same_receipt(world: Any, by_hand: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    world.deliver(PLANT, SHOP, pallet)
    plant.capture(declared(wrong))
    world.wait(lambda: corrections(plant)[0]["state"] == "delivered")
    handed = corrections(plant)[0]
    count, events = len(arrivals(shop)), stored(shop)
    data = plant.bytes_of(HandOverPiece, HandOverPiece.hand_over, handed["id"])
    assert by_hand.upload(plant, SHOP, data)["receipt"] == handed["receipt"]
    plant.capture(declared(wrong))  # the line has lost the answer
    assert corrections(plant)[0]["id"] == handed["id"]
    assert (len(arrivals(shop)), stored(shop)) == (count, events)
    assert said_of(shop, packs[0], digest)


def test_what_is_declared_while_the_package_is_made_is_told_too(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pedigree was read, the event is declared erroneous, and only then the package is stored."""
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    wrong, digest = seen_at(plant, pallet)
    before = len(corrections(plant))
    original = Sending._check_disclosures
    declaring = []

    def meanwhile(self: Sending, session: Any, disclosures: Any) -> None:
        original(self, session, disclosures)
        if not declaring and self is plant.gateway.exchange.sending:
            declaring.append(plant.capture(declared(wrong)))

    monkeypatch.setattr(Sending, "_check_disclosures", meanwhile)
    world.deliver(PLANT, SHOP, pallet)
    assert declaring
    world.wait(lambda: said_of(shop, packs[0], digest))
    assert len(corrections(plant)) == before + 1


def stored(party: Any) -> int:
    with party.gateway.database.read() as session:
        return int(session.execute(select(func.count()).select_from(StoredEvent)).scalar_one())


def test_nobody_is_left_out(world: Any) -> None:
    """After all of this, every declaration is where its event was shown."""
    for party in world.parties.values():
        with party.gateway.database.read() as session:
            said = session.execute(select(StoredEvent).where(StoredEvent.declares.is_not(None))).scalars()  # type: ignore
            assert [untold(session, declaration) for declaration in said if untold(session, declaration)] == []


# ---- forged and tampered ----


def test_an_event_is_declared_erroneous_once(world: Any, forger: Any) -> None:
    """A gateway of its own making declares the same again and again."""
    pharmacy, event = world[PHARMACY], LOOKED
    with forger.gateway.database.write() as session:
        (seen,) = forger.gateway.capture.store(session, [forger.gateway.capture.preparing.prepare(event, "")])
    numbers = [forged(forger, seen.digest.hex(), event) for _ in range(2)]
    disclosed(world, pharmacy, forger, seen.digest)
    for number, outcome in zip(numbers, ("delivered", "refused"), strict=True):
        with forger.gateway.database.write() as session:
            add_hand_over(session, CORRECTION, number, PHARMACY, [], [])
        world.wait(lambda outcome=outcome: corrections(forger)[0]["state"] == outcome)
    assert "declared erroneous before" in arrivals(pharmacy)[0]["reasons"][0]


def disclosed(world: Any, receiver: Any, sender: Any, digest: bytes) -> None:
    """As when the event had come with goods."""

    def sealed() -> Any:
        with sender.gateway.database.read() as session:
            event = session.execute(select(StoredEvent).where(StoredEvent.digest == digest)).scalar_one()
            return event.seal and PedigreeReader(sender.gateway.store, session).header(event.id)

    disclosure = world.wait(sealed)
    with receiver.gateway.database.write() as session:
        receiver.gateway.store.add_received(session, disclosure, disclosure.verify())


LOOKED = Event(
    type="ObjectEvent", action="OBSERVE", event_time="2026-01-05T08:00:00.000Z", event_time_zone_offset="+00:00",
    biz_step="inspecting", epcs=["https://id.gs1.org/01/09506000134352/21/LOOKED"],
)  # fmt: skip


def forged(party: Any, erroneous: str, event: Event) -> int:
    """A declaration of somebody else's event, as a dishonest gateway makes and anchors it; its number there."""
    capture = party.gateway.capture
    said = ErrorDeclaration(declaration_time=event.event_time, reason="did_not_occur")
    entry = capture.preparing.unchecked(replace(event, error_declaration=said), "")
    declares = Declaration(bytes.fromhex(erroneous), event.event_time, "did_not_occur", ())
    with party.gateway.database.write() as session:
        number: int = capture._add(session, entry, Ledger(party=party.number, declares=declares))[0]
        return number


@pytest.fixture(scope="module")
def forger(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Another wholesaler, with a licence and a gateway of its own making."""
    return world.join(tmp_path_factory.mktemp("forger"), FORGER, 8)


@pytest.mark.parametrize("known", [True, False], ids=["of an event that is there", "of one that is not"])
def test_nobody_takes_anothers_event_back(
    world: Any, forger: Any, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pharmacy = world[PHARMACY]
    pallet, _, packs = world.pallet()
    _, digest = seen_at(world[PLANT], pallet)
    world.deliver(PLANT, PHARMACY, pallet)
    if not known:
        monkeypatch.setattr(receiving, "LONGEST_UNDECIDED", -1.0)
        monkeypatch.setattr(receiving, "ENOUGH_ATTEMPTS", 0)
    number = forged(forger, digest if known else "77" * 32, LOOKED)
    before = stored(pharmacy)
    with forger.gateway.database.write() as session:
        add_hand_over(session, CORRECTION, number, PHARMACY, [], [])
    world.wait(lambda: corrections(forger)[0]["state"] == "refused")
    (reason,) = arrivals(pharmacy)[0]["reasons"]
    assert f"declares an event of party {PLANT} erroneous" in reason if known else "is not here (yet)" in reason
    assert stored(pharmacy) == before
    assert said_of(pharmacy, packs[0], digest) is None


Change = Callable[[Package, list[Disclosure]], Package]


@pytest.fixture(scope="module")
def correction(world: Any) -> tuple[Package, list[Disclosure]]:
    """A genuine correction to the shop, with what stands in the erroneous event's place."""
    plant = world[PLANT]
    pallet, _, _ = world.pallet()
    wrong, _ = seen_at(plant, pallet)
    world.deliver(PLANT, SHOP, pallet)
    right = inspected(plant, pallet, eventID=f"urn:uuid:{pallet[-18:]}")
    plant.capture(declared(wrong, "incorrect_data", right["eventID"]), right)
    world.wait(lambda: corrections(plant)[0]["state"] == "delivered")
    package = from_cbor(plant.bytes_of(HandOverPiece, HandOverPiece.hand_over, corrections(plant)[0]["id"]))
    events = list(Pedigree.from_cbor(package.pedigree).disclosures)
    assert [event.header.core["bizStep"] for event in events] == ["inspecting", "inspecting"]
    assert all(not event.shown.indices and not event.header.opened for event in events)
    assert sum(event.digest == package.event for event in events) == 1
    return package, events


def core(declaration: bool, **parts: Any) -> Change:
    """Other members in the core of the declaration, or of what stands in the erroneous event's place."""

    def changed(package: Package, events: list[Disclosure]) -> Package:
        shown = []
        for event in events:
            first = event.header.fields[0]
            assert isinstance(first, Field)
            if ("declares" in first.value) == declaration:
                value = {name: part for name, part in (first.value | parts).items() if part is not None}
                event = replace(event, header=Header((replace(first, value=value), *event.header.fields[1:])))
            shown.append(event)
        return with_events(package, shown)

    return changed


def with_events(package: Package, events: list[Disclosure]) -> Package:
    named = next((event.digest for event in events if "declares" in event.header.core), package.event)
    return replace(package, event=named, pedigree=Pedigree(tuple(events)).to_cbor())


def declares(**parts: Any) -> Change:
    said = {"event": "11" * 32, "time": "2026-01-05T08:00:00.000Z", "reason": None, "corrections": []}
    return core(True, declares=said | parts)


CHANGES: dict[str, tuple[Change, str]] = {
    "what is right is named as what is wrong": (
        lambda package, events: replace(
            package, event=next(event.digest for event in events if event.digest != package.event)
        ),
        "declares nothing erroneous",
    ),
    "with other words": (declares(event="AA" * 32), "not well formed"),
    "at no time": (declares(time="yesterday"), "not well formed"),
    "in its own place": (declares(corrections=["11" * 32]), "not well formed"),
    "twice in its place": (declares(corrections=["22" * 32] * 2), "not well formed"),
    "replaced by what it does not name": (declares(), "does not stand in the place"),
    "more than is asked": (declares(more=1), "not well formed"),
    "of another party": (core(True, party=WHOLESALER), "sealed by another party"),
    "to somebody": (core(True, receiver=SHOP), "not well formed"),
    "without a seal": (
        lambda package, events: with_events(package, [replace(event, seal=None) for event in events]),
        "not sealed",
    ),
    "with goods": (lambda package, _: replace(package, units={"https://id.gs1.org/00/1": 1}), "names logistic units"),
    "about another event": (lambda package, _: replace(package, event=bytes(32)), "not among the disclosures"),
    "without the declaration": (
        lambda package, events: replace(
            package, pedigree=Pedigree(tuple(one for one in events if one.digest != package.event)).to_cbor()
        ),
        "not among the disclosures",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tampered_correction_is_named(correction: tuple[Package, list[Disclosure]], change: str) -> None:
    how, reason = CHANGES[change]
    contents = opened(how(*correction))
    assert reason in "; ".join(contents.broken), contents.broken


def test_a_changed_word_is_not_what_was_anchored(world: Any, correction: tuple[Package, list[Disclosure]]) -> None:
    """Everything in it fits together; only the log on chain is another."""
    package, events = correction
    reader = world[SHOP].gateway.reader
    genuine = opened(package)
    assert compared(genuine, gathered(reader, genuine)).broken == []
    (said,) = [event.header.core["declares"] for event in events if "declares" in event.header.core]
    changed = opened(core(True, declares=said | {"reason": "did_not_occur"})(package, events))
    assert changed.broken == []
    (reason,) = compared(changed, gathered(reader, changed)).broken
    assert "its log entry on chain is another" in reason
