"""What the chain takes back is taken back here, and comes again."""

from one_gateway import Lot, Plant, recorded


def test_a_dispense_that_a_reorganisation_takes_back_is_pending_and_then_done_again(plant: Plant, lot: Lot) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        operation = plant.submit(lot, 17)
        plant.until(lambda: plant.devnet.pool().pending)
        plant.devnet.mine()
        done = plant.settled(operation)
        assert done["packs"][0]["outcome"] == "dispensed"
        plant.devnet.reorg(1)
        back = plant.until(lambda: o if (o := plant.operation(operation))["state"] == "pending" else None)
        assert back["packs"][0]["outcome"] == "pending"
        assert back["case"] is None
        assert plant.verdict(lot, 17)["headline"] == "authentic, available"
        with plant.gateway.database.read() as session:
            (state,) = plant.gateway.store.states(session, [lot.packs[17]]).values()
        assert state.place.name == "HERE"
        plant.until(lambda: plant.operation(operation)["state"] == "done", mine=True)
    finally:
        plant.devnet.resume_mining()
    again = plant.operation(operation)
    assert (again["packs"][0]["outcome"], again["case"]) == ("dispensed", done["case"])
    plant.until(lambda: recorded(plant, operation), mine=True)
    reversal = plant.settled(plant.post(f"/operations/{operation['id']}/reverse"))
    assert reversal["packs"][0]["outcome"] == "available again"  # its receipt has the new block's time


def test_a_conflict_that_a_reorganisation_moves_opens_one_alert(plant: Plant, lot: Lot) -> None:
    assert plant.outcomes(lot, 18) == ["dispensed"]
    unit = plant.verdict(lot, 18)["unit"]
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        second = plant.submit(lot, 18)
        plant.until(lambda: plant.devnet.pool().pending)
        plant.devnet.mine()
        alert = plant.alert(unit, retracted=False)
        plant.devnet.reorg(1)
        assert plant.alert(unit, retracted=True)["number"] == alert["number"]
        plant.until(lambda: plant.operation(second)["state"] == "pending")
        plant.until(lambda: plant.operation(second)["state"] == "done", mine=True)
        assert plant.alert(unit, retracted=False)["number"] == alert["number"]
    finally:
        plant.devnet.resume_mining()
    assert len([one for one in plant.get("/alerts") if one["unit"] == unit]) == 1


def test_a_reorganisation_takes_proposal_and_release_back_and_both_come_again(plant: Plant) -> None:
    plant.quiet()
    before = plant.devnet.node.block().number
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
        plant.until(lambda: plant.batches(lot)[0]["state"] == "released", mine=True)
        plant.devnet.reorg(plant.devnet.node.block().number - before)
        plant.until(lambda: plant.batches(lot)[0]["state"] == "releasing")
        assert plant.verdict(lot, 0)["headline"] == "not verified"
        plant.until(lambda: plant.batches(lot)[0]["state"] == "released", mine=True)
    finally:
        plant.devnet.resume_mining()
    assert plant.verdict(lot, 0)["headline"] == "authentic, available"
