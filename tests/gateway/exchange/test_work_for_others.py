"""A contract manufacturer commissions for the holder: the holder's gateway is told, and answers for those packs.

The last of this folder by its name: it leaves a batch that its holder does not know all packs of, and no gateway of
this world says "never commissioned" of that product from then on.
"""

from typing import Any

import pytest
from sqlalchemy import select

from packtrace.chain.registry import FOREVER
from packtrace_gateway.events.models import ProductSecret
from packtrace_gateway.exchange.models import HandOver, HeldBatch
from packtrace_gateway.exchange.package import COMMISSIONING
from packtrace_gateway.keys import Purpose

MAH, PLANT, PHARMACY, CONTRACTOR = 10, 11, 30, 50
MANUFACTURER = 4
EXPIRY = "2031-05-31"
COUNT = 300  # more than one tile of the tree
GTIN = "09506000134352"


@pytest.fixture(scope="module")
def contractor(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Premises of another company, whose line and qualified person the holder authorised."""
    joined = world.join(tmp_path_factory.mktemp("contractor"), CONTRACTOR, MANUFACTURER, Purpose.LINE, Purpose.QUALITY)
    with world[PLANT].gateway.database.read() as session:
        secret = session.execute(select(ProductSecret.secret)).scalar_one()
    joined.post("/products", {"gtin": GTIN, "secret": secret.hex()})
    (quality,) = world.signers(CONTRACTOR, Purpose.QUALITY)
    world.authorise(line=CONTRACTOR, until=FOREVER)
    world.authorise(quality=quality, until=FOREVER)
    return joined


def made(world: Any, contractor: Any, packs: list[str]) -> int:
    number: int = contractor.capture(contractor.commission(packs, "C1"))[0]["batch"]
    for state, then in (("proposed", f"/batches/{number}/release"), ("released", None)):
        world.wait(
            lambda state=state: [b["state"] for b in contractor.get("/batches") if b["number"] == number] == [state]
        )
        if then:
            contractor.post(then)
    return number


def held(world: Any, batch: int) -> bool:
    with world[PLANT].gateway.database.read() as session:
        return session.get(HeldBatch, batch) is not None


def test_the_holder_answers_for_packs_that_a_contract_manufacturer_made(world: Any, contractor: Any) -> None:
    pharmacy, packs = world[PHARMACY], world.packs(COUNT)
    never = packs[0] + "X"
    world.lot(world.packs(1))  # the holder makes some itself
    assert pharmacy.verify(never, lot="C1", expiry=EXPIRY)["headline"] == "unknown serial"
    with world.holding(CONTRACTOR, "hand-over"):
        batch = made(world, contractor, packs)
        # The holder's gateway sees on chain that there is a batch that it does not know, and denies nothing.
        world.wait(lambda: pharmacy.verify(never, lot="C1", expiry=EXPIRY)["headline"] == "not verified")
        assert pharmacy.verify(packs[7], lot="C1", expiry=EXPIRY)["headline"] == "not verified"
        assert not held(world, batch)
    world.wait(lambda: held(world, batch))
    for pack in (packs[0], packs[255], packs[256], packs[-1]):
        assert pharmacy.verify(pack, lot="C1", expiry=EXPIRY)["headline"] == "custody gap", "genuine, and not from here"
    assert pharmacy.verify(packs[0], lot="C2")["headline"] == "not this product's data"
    assert pharmacy.verify(never, lot="C1", expiry=EXPIRY)["headline"] == "unknown serial"

    def sent() -> list[tuple[int, str]]:
        with contractor.gateway.database.read() as session:
            query = select(HandOver.receiver, HandOver.state).where(HandOver.kind == COMMISSIONING)
            return [(receiver, state) for receiver, state in session.execute(query)]

    world.wait(lambda: sent() == [(MAH, "delivered")])  # its receipt may come after the packs are known


def test_a_batch_in_parts_is_held_when_all_of_it_is_here(
    world: Any, contractor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from packtrace_gateway.exchange import sending

    monkeypatch.setattr(sending, "MOST_ITEMS", 100)
    packs = world.packs(COUNT)
    batch = made(world, contractor, packs)
    world.wait(lambda: held(world, batch))
    assert world[PHARMACY].verify(packs[150], lot="C1", expiry=EXPIRY)["headline"] == "custody gap"
    with contractor.gateway.database.read() as session:
        query = select(HandOver.units).where(HandOver.kind == COMMISSIONING).order_by(HandOver.id.desc()).limit(3)
        assert sorted(session.execute(query).scalars()) == ['["0","100"]', '["100","200"]', '["200","300"]']


def test_a_withdrawn_batch_keeps_nobody_from_an_answer(world: Any, contractor: Any) -> None:
    packs = world.packs(2)
    with world.holding(CONTRACTOR, "hand-over"):
        number = contractor.capture(contractor.commission(packs, "C9"))[0]["batch"]
        pharmacy = world[PHARMACY]
        world.wait(lambda: pharmacy.verify(packs[0], lot="C9", expiry=EXPIRY)["headline"] == "not verified")
        world.wait(lambda: [b["state"] for b in contractor.get("/batches") if b["number"] == number] == ["proposed"])
        contractor.post(f"/batches/{number}/withdraw")
        world.wait(lambda: pharmacy.verify(packs[0], lot="C9", expiry=EXPIRY)["headline"] == "unknown serial")


def test_the_holders_own_qualified_person_releases_or_withdraws_what_was_made_for_it(
    world: Any, contractor: Any
) -> None:
    plant = world[PLANT]
    numbers = {}
    with world.holding(CONTRACTOR, "hand-over"):
        for lot in ("H1", "H2"):
            numbers[lot] = contractor.capture(contractor.commission(world.packs(2), lot))[0]["batch"]

        def shown(lot: str) -> Any:
            return next((one for one in plant.get("/batches/held") if one["number"] == numbers[lot]), None)

        world.wait(lambda: shown("H1") and shown("H2"))
        assert (shown("H1")["state"], shown("H1")["held"], shown("H1")["maker"]) == ("proposed", False, CONTRACTOR)
        problem = plant.http.post(f"/batches/{numbers['H1']}/release")
        assert problem.status_code == 409
        assert "not (all) known here yet" in problem.json()["detail"]
        # To take it back, nobody needs to know what is in it.
        assert plant.post(f"/batches/{numbers['H2']}/withdraw")["state"] == "withdrawing"
        world.wait(lambda: shown("H2")["state"] == "withdrawn")
    world.wait(lambda: shown("H1")["held"])
    assert (shown("H1")["lot"], shown("H1")["expiry"], shown("H1")["count"]) == ("H1", EXPIRY, 2)
    assert plant.post(f"/batches/{numbers['H1']}/release")["state"] == "releasing"
    world.wait(lambda: shown("H1")["state"] == "released")
    unit = plant.gateway.reader.unit_facts(numbers["H1"] << 20)
    assert [unit.batch.releaser.key] == world.signers(PLANT, Purpose.QUALITY)
    for lot in numbers:
        for what in ("release", "withdraw"):
            assert plant.http.post(f"/batches/{numbers[lot]}/{what}").status_code == 409
    assert world[PHARMACY].http.post(f"/batches/{numbers['H1']}/release").status_code == 404


def test_two_commissionings_of_one_serial_open_an_alert_and_are_proven(world: Any, contractor: Any) -> None:
    plant, (pack,) = world[PLANT], world.packs(1)
    gtin, serial = pack.removeprefix("https://id.gs1.org/01/").split("/21/")
    world.lot([pack])
    named = {"gtin": gtin, "serial": serial}
    assert plant.http.post("/duplicates/prove", json=named).status_code == 404
    made(world, contractor, [pack])

    def alert() -> Any:
        found = [one for one in plant.get("/alerts") if one["twin"] is not None]
        return found[0] if found else None

    world.wait(alert)
    seen = alert()
    assert (seen["kind"], seen["block"], seen["party"], seen["why"]) == ("twins", 0, CONTRACTOR, "holder")
    proof = plant.post("/duplicates/prove", named)
    assert (proof["uri"], sorted(proof["units"])) == (pack, sorted([seen["unit"], seen["twin"]]))
    world.wait(lambda: alert()["kind"] == "duplicate")
    assert (alert()["number"], alert()["block"]) == (seen["number"], proof["block"])
    (comment,) = plant.get(f"/alerts/{seen['number']}")["comments"]
    assert comment["text"].startswith(f"Proved on chain, block {proof['block']}, by order of API key ")
    assert plant.verify(pack)["words"] == "reported suspect"
    again = plant.post("/duplicates/prove", named)  # does nothing
    assert again["units"] == proof["units"]
    assert len([one for one in plant.get("/alerts") if one["twin"] is not None]) == 1
