"""What becomes of batches and of events' seals as the chain answers."""

from one_gateway import PARTY, Plant, authorise

from packtrace.chain.registry import FOREVER
from packtrace.facts import BatchState


def test_a_batch_is_proposed_released_and_then_its_packs_are_available(plant: Plant) -> None:
    lot = plant.commission(5)
    assert plant.batch(lot, "proposed")["error"] is None
    on_chain = plant.gateway.reader
    verdict = plant.verdict(lot, 0)
    assert verdict["headline"] == "not released"
    facts = on_chain.facts(unit=int(verdict["unit"])).unit
    assert facts is not None
    assert (facts.batch.state, facts.batch.count, facts.batch.mah) == (BatchState.PROPOSED, 5, PARTY)
    assert plant.outcomes(lot, 0) == ["refused: the batch is not released"]
    plant.post(f"/batches/{lot.batch}/release")
    plant.batch(lot, "released")
    verdict = plant.verdict(lot, 0)
    assert (verdict["headline"], verdict["words"]) == ("authentic, available", "authentic, available")
    assert {check["passed"] for check in verdict["checks"]} == {True}
    assert [entry["step"] for entry in verdict["history"]] == ["commissioning"]
    problem = plant.post(f"/batches/{lot.batch}/release", status=409)
    assert problem["detail"] == "this batch is released; it cannot be released"
    assert problem["field"] == "number"


def test_a_release_waits_for_its_proposal_and_is_sent_once(plant: Plant) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
        plant.until(lambda: plant.devnet.pool().pending)
        assert plant.post(f"/batches/{lot.batch}/release", status=409)["detail"].startswith("this batch is releasing")
        plant.devnet.mine()
        row = plant.get("/outbox", reference=f"batch:{lot.batch}")["calls"][-1]
        plant.until(lambda: plant.get(f"/outbox/{row['id']}")["state"] == "included")
        assert plant.batches(lot)[0]["state"] == "releasing"  # not proposed again: its release is on its way
        assert plant.post(f"/batches/{lot.batch}/release", status=409)["detail"].startswith("this batch is releasing")
    finally:
        plant.devnet.resume_mining()
    plant.batch(lot, "released")
    calls = plant.get("/outbox", reference=f"batch:{lot.batch}")["calls"]
    assert [call["function"] for call in calls] == ["release", "propose"]


def test_a_release_that_the_chain_refuses_can_be_tried_again(plant: Plant) -> None:
    lot = plant.commission(2)
    plant.batch(lot, "proposed")
    authorise(plant, quality=plant.quality, until=0)
    plant.post(f"/batches/{lot.batch}/release")
    refused = plant.until(lambda: next((b for b in plant.batches(lot) if b["error"]), None))
    assert refused["state"] == "proposed"
    assert refused["error"].startswith("QualityNotAuthorised")
    authorise(plant, quality=plant.quality, until=FOREVER)
    plant.post(f"/batches/{lot.batch}/release")
    assert plant.batch(lot, "released")["error"] is None


def test_a_proposal_that_the_chain_refuses_is_not_released_but_can_be_made_again(plant: Plant) -> None:
    authorise(plant, line=PARTY, until=0)
    lot = plant.commission(2)
    refused = plant.batch(lot, "refused")
    assert refused["error"].startswith("LineNotAuthorised")
    assert "LineNotAuthorised" in plant.post(f"/batches/{lot.batch}/release", status=409)["detail"]
    assert plant.verdict(lot, 0)["headline"] == "not verified"
    plant.post(f"/batches/{lot.batch}/propose")
    assert plant.batch(lot, "refused")["error"].startswith("LineNotAuthorised")
    authorise(plant, line=PARTY, until=FOREVER)
    plant.post(f"/batches/{lot.batch}/propose")
    plant.post(f"/batches/{lot.batch}/release")
    plant.batch(lot, "released")
    assert plant.verdict(lot, 1)["headline"] == "authentic, available"
    problem = plant.post(f"/batches/{lot.batch}/propose", status=409)
    assert problem["detail"] == "this batch is released; only a refused one is proposed again"


def test_a_release_falls_with_its_proposal(plant: Plant) -> None:
    authorise(plant, line=PARTY, until=0)
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
    finally:
        plant.devnet.resume_mining()
    refused = plant.batch(lot, "refused")
    assert refused["error"].startswith("LineNotAuthorised")
    plant.idle()
    assert plant.batches(lot)[0] == refused
    authorise(plant, line=PARTY, until=FOREVER)


def test_a_withdrawn_proposal_is_not_released(plant: Plant) -> None:
    lot = plant.commission(2)
    plant.post(f"/batches/{lot.batch}/withdraw")
    plant.batch(lot, "withdrawn")
    assert plant.verdict(lot, 0)["reasons"] == ["the batch is withdrawn before release"]
    problem = plant.post(f"/batches/{lot.batch}/release", status=409)
    assert problem["detail"] == "this batch is withdrawn; it cannot be released"
    assert plant.post("/batches/4194304/release", status=404)["detail"] == "this batch was not commissioned here"


def test_an_event_is_captured_signed_anchored_and_final(plant: Plant) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    states = []
    try:
        lot = plant.commission(300)
        path = f"/events/{lot.captured['eventID'].replace('?', '%3F')}"
        states.append(plant.get(path)["proof"])
        plant.until(lambda: plant.get(path)["proof"] != "captured")
        states.append(plant.get(path)["proof"])
        plant.until(lambda: plant.devnet.pool().pending == 2)  # the proposal and the seal
        states.append(plant.get(path)["proof"])
        plant.devnet.mine()
        anchored = plant.until(lambda: plant.get(path) if plant.get(path)["proof"] == "anchored" else None)
        entry = (PARTY, anchored["seal"]["lane"], anchored["seal"]["sequence"])
        plant.until(lambda: plant.get(path)["proof"] == "final", mine=True)
    finally:
        plant.devnet.resume_mining()
    assert set(states[:1]) <= {"captured", "signed"}
    assert states[1:] == ["signed", "signed"]
    facts = plant.gateway.reader.facts(entries=[entry])
    assert facts.entries[entry].count == anchored["seal"]["count"]
