"""The verdict: every headline, the order of gravity, and every link of the evidence tampered with in turn."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from eth_account import Account
from journeys import (
    BATCH,
    CASE,
    GTIN,
    LINE,
    MAH,
    NOW,
    OTHER,
    PACKS,
    PALLET,
    PHARMACY,
    PRODUCT,
    SCAN,
    WHOLESALER,
    World,
    disclose,
    event,
    hold,
    journey,
    ship,
)

from packtrace.commit import seal
from packtrace.commit.event import Ledger
from packtrace.commit.header import Field, Header
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace.evidence import examine
from packtrace.facts import (
    BatchSigner,
    BatchState,
    Block,
    CustodyState,
    EntryFacts,
    Facts,
    KeyFacts,
    Recall,
    Status,
    StatusChange,
    UnitFacts,
)
from packtrace.locator import MAX_TIME, read_answer, sign_answer
from packtrace.scan import Place, Scan
from packtrace.verdict import GRAVITY, MAX_ANSWER_AGE, MAX_BLOCK_AGE, MAX_UNANCHORED, Headline, judge


@pytest.fixture
def world() -> World:
    return journey()


def changed_unit(world: World, **changes: object) -> UnitFacts:
    unit = world.facts().unit
    assert unit is not None
    batch = {name: value for name, value in changes.items() if hasattr(unit.batch, name)}
    rest = {name: value for name, value in changes.items() if name not in batch}
    return replace(unit, batch=replace(unit.batch, **batch), **rest)  # type: ignore[arg-type]


def test_a_pack_that_came_the_recorded_way_is_authentic_and_available(world: World) -> None:
    verdict = world.verdict()
    assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
    assert all(check.passed for check in verdict.checks)
    steps = "commissioning packing packing shipping receiving unpacking shipping receiving unpacking"
    assert [entry.step for entry in verdict.history] == steps.split()
    assert [entry.carrier for entry in verdict.history] == [
        PACKS[3],
        PACKS[3],
        CASE,
        PALLET,
        PALLET,
        PALLET,
        CASE,
        CASE,
        CASE,
    ]
    assert verdict.history[0].party_name == "Plant"
    assert (verdict.block, verdict.age) == (100, 3)
    assert verdict.unit == (3 << 42) | 3, "batch 0 of party 3, third serial from 0"


def test_history_says_how_far_each_events_proof_has_come(world: World) -> None:
    entries = {key: replace(entry, time=NOW - key[2]) for key, entry in world.entries.items() if key[2] != 8}
    proofs = [entry.proof for entry in world.verdict(entries=entries, final_time=NOW - 4).history]
    assert proofs == ["anchored"] * 4 + ["final"] * 4 + ["signed"]


CASES = {
    Headline.WRONG_DATA: lambda w: w.verdict(replace(SCAN, expiry=date(2029, 1, 31))),
    Headline.RECALLED: lambda w: w.verdict(unit=changed_unit(w, recall=Recall.RECALLED)),
    Headline.NOT_ACTIVE: lambda w: w.verdict(unit=changed_unit(w, status=Status.SUPPLIED)),
    Headline.NOT_RELEASED: lambda w: w.verdict(unit=changed_unit(w, state=BatchState.PROPOSED)),
    Headline.CUSTODY_GAP: lambda w: w.verdict(place=OTHER),
    Headline.NOT_VERIFIED: lambda w: w.verdict(place=None),
}


@pytest.mark.parametrize("recall", [Recall.WITHDRAWN, Recall.RECALLED])
def test_what_is_withdrawn_is_not_available_either(world: World, recall: Recall) -> None:
    verdict = world.verdict(unit=changed_unit(world, recall=recall, recalled_at=NOW))
    assert verdict.headline is Headline.RECALLED
    assert verdict.reasons == [f"the lot is {recall.name.lower()} since 2026-11-23"]


@pytest.mark.parametrize("state", [BatchState.PROPOSED, BatchState.WITHDRAWN])
def test_only_a_released_batch_is_released(world: World, state: BatchState) -> None:
    assert world.verdict(unit=changed_unit(world, state=state)).headline is Headline.NOT_RELEASED


def test_what_is_on_its_way_on_chain_is_not_here(world: World) -> None:
    """A gateway says that it received a case; the chain does not say that it took it over."""
    number = next(iter(world.logistic))
    world.logistic[number] = replace(world.logistic[number], state=CustodyState.IN_TRANSIT, receiver=OTHER)
    assert world.verdict().headline is Headline.CUSTODY_GAP


@pytest.mark.parametrize("batch", [0, -1, 1 << 44, True, "1", None])
def test_a_batch_number_that_no_batch_has_is_broken_evidence(world: World, batch: object) -> None:
    commitment = world.events[0][1]
    commitment.header.core["product"]["batch"] = batch
    evidence = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET]))
    assert evidence.unit is None
    assert "no number on chain" in evidence.broken[0]


@pytest.mark.parametrize("headline", CASES)
def test_each_finding_has_its_headline(world: World, headline: Headline) -> None:
    verdict = CASES[headline](world)
    assert verdict.headline is headline
    assert verdict.reasons


TWIN = 7 << 42 | 5 << 20 | 9


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ACTIVE])
def test_a_proven_duplicate_is_told_whatever_the_status(world: World, status: Status) -> None:
    """Flagged packs are never active on chain; the headline is their status, and the failed check names the twin."""
    verdict = world.verdict(unit=changed_unit(world, status=status, twin=TWIN))
    assert verdict.headline is Headline.NOT_ACTIVE
    assert verdict.words == verdict.status
    [check] = [check for check in verdict.checks if check.name == "duplicate"]
    assert check.passed is False
    assert check.detail == (
        f"another pack has this serial: number 9 of batch {7 << 22 | 5}. Quarantine this one, whatever it is"
    )
    assert check.detail in verdict.reasons


def test_a_pack_without_a_twin_says_so(world: World) -> None:
    [check] = [check for check in world.verdict().checks if check.name == "duplicate"]
    assert (check.passed, check.detail) == (True, "no other pack was proven to have this serial")


def test_an_aggregation_seen_at_shipping_ships_nothing(world: World) -> None:
    """Goods leave with an ObjectEvent; to look at what is in a case at the gate moves nothing."""
    seen = event(9, type="AggregationEvent", action="OBSERVE", biz_step="shipping", children=[PACKS[3]])
    world.add(seen, Ledger(party=PHARMACY))
    assert world.verdict().headline is Headline.AUTHENTIC


def test_own_events_on_their_way_to_the_log_are_said_to_be(world: World) -> None:
    entries = {key: entry for key, entry in world.entries.items() if key[2] != 8}
    verdict = world.verdict(entries=entries)
    assert verdict.headline is Headline.AUTHENTIC
    assert next(check.detail for check in verdict.checks if check.name == "log") == (
        "every event is in its party's log on chain, but for 1 recorded at this very place that are on their way there"
    )


def test_events_are_followed_in_the_order_in_which_they_were_recorded(world: World) -> None:
    """What devices say of when it happened does not turn the journey round."""
    for number, (_, commitment, proof) in enumerate(world.events):
        core = commitment.header.core
        core["eventTime"] = "2026-11-23T08:00:00.000Z" if number else "2026-11-24T08:00:00.000Z"
        digests = [bytes(32), commitment.digest, bytes([1]) * 32]
        moved = replace(proof, path=seal.seal_paths(digests)[1])
        world.events[number] = world.events[number][0], commitment, moved
        world.entries[proof.entry] = replace(world.entries[proof.entry], root=seal.seal_root(digests))
    verdict = world.verdict()
    assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
    assert [entry.step for entry in verdict.history][:3] == ["commissioning", "packing", "packing"]


def test_expiry_begins_at_midnight_utc_of_the_day_after(world: World) -> None:
    evidence = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET]))
    last = int(datetime(2028, 6, 30, tzinfo=UTC).timestamp())
    for now, headline in ((last + 86399, Headline.AUTHENTIC), (last + 86400, Headline.EXPIRED)):
        facts = world.facts(block=Block(100, bytes(32), now - 3))
        assert judge(SCAN, evidence, None, facts, Place(PHARMACY), now).headline is headline


def test_a_clock_that_is_slow_makes_no_expired_pack_good(world: World) -> None:
    evidence = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET]))
    midnight = int(datetime(2028, 7, 1, tzinfo=UTC).timestamp())
    for time, headline in ((midnight - 1, Headline.AUTHENTIC), (midnight, Headline.EXPIRED)):
        facts = world.facts(block=Block(100, bytes(32), time))
        assert judge(SCAN, evidence, None, facts, Place(PHARMACY), midnight - 400 * 86400).headline is headline


def test_the_gravest_finding_is_the_headline_and_all_are_reported(world: World) -> None:
    verdict = world.verdict(
        replace(SCAN, lot="OTHER"),
        place=OTHER,
        unit=changed_unit(world, status=Status.SUPPLIED, recall=Recall.RECALLED),
    )
    assert verdict.headline is Headline.WRONG_DATA
    failed = {check.finding for check in verdict.checks if check.passed is False}
    assert failed == {Headline.WRONG_DATA, Headline.RECALLED, Headline.NOT_ACTIVE, Headline.CUSTODY_GAP}
    assert min(failed, key=GRAVITY.index) is verdict.headline


def test_a_supplied_pack_says_when_and_the_case_number(world: World) -> None:
    change = StatusChange(bytes.fromhex("0123456789ab") + bytes(26), PHARMACY, Status.SUPPLIED, NOW - 60)
    verdict = world.verdict(unit=changed_unit(world, status=Status.SUPPLIED), change=change)
    assert verdict.words == "already supplied"
    assert verdict.case == "0123-4567-89AB"
    assert "2026-11-23" in " ".join(verdict.reasons)


def test_without_a_node_nothing_passes_for_verified(world: World) -> None:
    evidence = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET]))
    verdict = judge(SCAN, evidence, None, None, Place(PHARMACY), NOW)
    assert verdict.headline is Headline.NOT_VERIFIED
    assert next(check for check in verdict.checks if check.name == "chain").passed is None
    assert verdict.block is None


def test_without_a_pedigree_and_an_answer_it_is_not_verified(world: World) -> None:
    verdict = judge(SCAN, examine(SCAN, []), None, world.facts(unit=None), Place(PHARMACY), NOW)
    assert verdict.headline is Headline.NOT_VERIFIED
    assert not [check for check in verdict.checks if check.passed], "of nothing shown nothing was checked"


@pytest.mark.parametrize("number", range(9))
def test_any_event_missing_from_its_log_is_not_passed(world: World, number: int) -> None:
    """All but the pharmacy's own, which may still be on their way to the chain."""
    party = world.events[number][2].party
    entries = {key: entry for key, entry in world.entries.items() if key[2] != number}
    expected = Headline.AUTHENTIC if party == PHARMACY else Headline.NOT_VERIFIED
    assert world.verdict(entries=entries).headline is expected


@pytest.mark.parametrize("number", range(9))
def test_any_log_entry_that_is_another_breaks_the_evidence(world: World, number: int) -> None:
    entries = {
        key: EntryFacts(bytes(32), entry.count, entry.time, entry.key) if key[2] == number else entry
        for key, entry in world.entries.items()
    }
    verdict = world.verdict(entries=entries)
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert world.events[number][1].digest.hex()[:12] in verdict.reasons[0], "names the exact link"


def with_keys(world: World, **keys: KeyFacts) -> Facts:
    return world.facts(keys={**world.facts().keys, **keys})


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize(
    ("since", "revoked"), [(-100, True), (0, True), (0, False), (1, True)], ids=["before", "then", "unrevoked", "after"]
)
def test_what_a_compromised_key_anchored_is_broken_evidence_and_what_it_anchored_before_is_not(
    world: World, number: int, since: int, revoked: bool
) -> None:
    """One event by a key of its own, anchored at NOW; the key is compromised since a time around that."""
    entries = {key: replace(e, key="0xleaked") if key[2] == number else e for key, e in world.entries.items()}
    party = world.events[number][2].party
    keys = {**world.facts().keys, "0xleaked": KeyFacts(party, 1, not revoked, NOW + since)}
    verdict = world.verdict(entries=entries, keys=keys)
    if since > 0:
        assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
        return
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    (reason,) = verdict.reasons
    assert world.events[number][1].digest.hex()[:12] in reason, "names the event"
    assert "0xleaked" in reason, "and the key"


@pytest.mark.parametrize(("role", "act"), [("proposer", "proposal"), ("releaser", "release")])
@pytest.mark.parametrize("since", [-100, 0, 1], ids=["before", "then", "after"])
def test_batch_that_a_compromised_key_proposed_or_released_is_broken_evidence(
    world: World, role: str, act: str, since: int
) -> None:
    """Judged as log entries are: what was signed at that time or later counts for nothing, what was before stays."""
    verdict = world.verdict(unit=changed_unit(world, **{role: BatchSigner("0xleaked", NOW + since)}))
    if since > 0:
        assert verdict.headline is Headline.AUTHENTIC, verdict.reasons
        return
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    (reason,) = verdict.reasons
    assert reason.startswith(f"{act} of batch {BATCH}: key 0xleaked signed it at 2026-11-23 08:15:00+00:00")


def test_release_is_judged_at_its_own_time_and_not_at_the_proposals(world: World) -> None:
    leaked = BatchSigner("0xleaked", NOW + 50)
    later = {"released_at": NOW + 60, "proposer": leaked, "releaser": leaked}
    verdict = world.verdict(unit=changed_unit(world, **later))
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert [reason.split(":")[0] for reason in verdict.reasons] == [f"release of batch {BATCH}"]


def test_revoked_key_alone_breaks_nothing(world: World) -> None:
    keys = {address: replace(key, valid=False) for address, key in world.facts().keys.items()}
    assert world.verdict(keys=keys).headline is Headline.AUTHENTIC


@pytest.mark.parametrize("party", [LINE, WHOLESALER])
def test_without_the_keys_of_the_log_nothing_passes(world: World, party: int) -> None:
    keys = {address: key for address, key in world.facts().keys.items() if key.party != party}
    verdict = world.verdict(keys=keys)
    assert verdict.headline is Headline.NOT_VERIFIED
    assert next(check.passed for check in verdict.checks if check.name == "log") is None


def rewritable() -> list[tuple[int, str]]:
    names = ("eventTime", "recordTime", "party", "bizStep", "items", "receiver", "custody", "product")
    return [
        (number, name)
        for number, (_, commitment, _) in enumerate(journey().events)
        for name in names
        if name in commitment.header.core
    ]


@pytest.mark.parametrize(("number", "name"), rewritable())
def test_any_field_of_any_event_rewritten_breaks_the_evidence(world: World, number: int, name: str) -> None:
    """As if a gateway's database were changed behind its back: the rewritten event is not the sealed one."""
    core = world.events[number][1].header.fields[0]
    assert isinstance(core, Field)
    other = {"items": {**core.value["items"], "root": "00" * 32}, "party": 9, "receiver": 9}.get(name, "x")
    rewritten = replace(core, value=core.value | {name: other})
    disclosures = world.disclosures([PACKS[3], CASE, PALLET])
    spoiled = disclosures[number]
    disclosures[number] = replace(spoiled, header=Header((rewritten, *spoiled.header.fields[1:])))
    verdict = judge(SCAN, examine(SCAN, disclosures), None, world.facts(), Place(PHARMACY), NOW)
    assert verdict.headline is Headline.EVIDENCE_BROKEN


@pytest.mark.parametrize("fact", ["item_root", "count", "product_key", "lot_key", "expires_at", "mah"])
def test_a_batch_that_differs_on_chain_breaks_the_evidence_and_is_named(world: World, fact: str) -> None:
    value = {"count": 21, "expires_at": 1, "mah": 9}.get(fact, bytes(32))
    verdict = world.verdict(unit=changed_unit(world, **{fact: value}))
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert "batch on chain differs" in verdict.reasons[0]


@pytest.mark.parametrize("number", range(9))
def test_a_log_entry_with_another_count_breaks_the_evidence(world: World, number: int) -> None:
    entries = {key: replace(entry, count=4) if key[2] == number else entry for key, entry in world.entries.items()}
    assert world.verdict(entries=entries).headline is Headline.EVIDENCE_BROKEN


def test_packs_of_another_product_than_the_event_says_are_not_believed(world: World) -> None:
    other = replace(PRODUCT, gtin="09506000134369")
    del world.events[0]
    world.add(
        event(0, type="ObjectEvent", action="ADD", biz_step="commissioning", epcs=PACKS),
        Ledger(party=LINE, product=other, batch=BATCH),
    )
    verdict = world.verdict()
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert "commissions 09506000134369, not" in verdict.reasons[0]


def test_a_batch_is_its_proposers_event(world: World) -> None:
    """Somebody records the maker's commissioning, word for word, as an event of his own."""
    given, commitment, _ = world.events[0]
    core = commitment.header.core | {"party": OTHER}
    header = Header((replace(commitment.header.fields[0], value=core), *commitment.header.fields[1:]))
    proof = seal.SealProof(OTHER, 0, 0, 1, 0, ())
    world.events[0] = given, replace(commitment, header=header), proof
    world.entries[proof.entry] = EntryFacts(seal.seal_root([header.digest]), 1, NOW, "0xkey")
    verdict = world.verdict()
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert verdict.reasons[0] == "the batch on chain differs in: proposer"


def test_a_batch_of_somebody_elses_product_is_not_believed(world: World) -> None:
    """An attacker who commissions this GTIN as a product of his own is not the GTIN's listed holder."""
    assert world.verdict(mah_of_gtin=OTHER).headline is Headline.EVIDENCE_BROKEN


def test_content_that_differs_on_chain_breaks_the_evidence(world: World) -> None:
    logistic = {number: replace(unit, content=bytes(32)) for number, unit in world.logistic.items()}
    assert world.verdict(logistic=logistic).headline is Headline.EVIDENCE_BROKEN


def test_a_pack_whose_case_the_chain_gives_to_somebody_else_has_a_custody_gap(world: World) -> None:
    hold(world, 0, WHOLESALER, CustodyState.HELD)
    assert world.verdict().headline is Headline.CUSTODY_GAP


def test_a_pack_taken_out_alone_stays_when_its_case_moves_on(world: World) -> None:
    del world.events[8:]
    taking = event(8, type="AggregationEvent", action="DELETE", parent=CASE, children=[PACKS[3]])
    world.add(taking, Ledger(party=PHARMACY))
    ship(world, 9, PHARMACY, CASE, OTHER)
    hold(world, 0, OTHER, CustodyState.HELD)
    assert world.verdict().headline is Headline.AUTHENTIC
    assert world.verdict(replace(SCAN, serial="SN0004")).headline is Headline.CUSTODY_GAP, "it went with the case"


def test_a_pack_in_a_case_that_is_not_on_chain_yet_is_not_verified(world: World) -> None:
    """It was packed here a moment ago: no gap, but nothing that the chain confirms either."""
    del world.events[2:]
    verdict = world.verdict(place=LINE, logistic={})
    assert verdict.headline is Headline.NOT_VERIFIED
    assert "not on chain (yet)" in " ".join(verdict.reasons)
    assert world.verdict(logistic={}).headline is Headline.CUSTODY_GAP, "at another place it is a gap all the same"


def test_a_shipped_pack_is_nowhere(world: World) -> None:
    del world.events[7:]
    verdict = world.verdict()
    assert verdict.headline is Headline.CUSTODY_GAP
    assert "not received since" in verdict.reasons[0]


def test_another_packs_pedigree_proves_nothing_about_this_one(world: World) -> None:
    evidence = examine(SCAN, world.disclosures([PACKS[4], CASE, PALLET]))
    verdict = judge(SCAN, evidence, None, world.facts(unit=None), Place(PHARMACY), NOW)
    assert verdict.headline is Headline.NOT_VERIFIED


KEY = Account.from_key(b"\x07" * 32)
NETWORK = f"31337:0x{5:040x}"


def located(world: World, kind: str, facts: Facts | None = None, scan: Scan = SCAN, later: int = 0) -> Headline:
    _, commitment, proof = world.events[0]
    pedigree = Pedigree((disclose(commitment, [PACKS[3]], proof),)) if kind == "unit" else None
    answer = read_answer(sign_answer(KEY, NETWORK, kind, scan, NOW, pedigree), NETWORK, scan)  # type: ignore[arg-type]
    if facts is None:
        facts = with_keys(world, **{KEY.address: KeyFacts(MAH, 1, True)})
    evidence = examine(scan, answer.pedigree.disclosures if answer.pedigree else ())
    return judge(scan, evidence, answer, facts, Place(OTHER), NOW + later).headline


def test_a_located_pack_is_real_but_has_a_custody_gap(world: World) -> None:
    assert located(world, "unit") is Headline.CUSTODY_GAP


def test_a_serial_that_was_never_made_is_unknown(world: World) -> None:
    assert located(world, "never") is Headline.UNKNOWN_SERIAL


def test_a_signed_differs_is_not_this_products_data(world: World) -> None:
    assert located(world, "differs") is Headline.WRONG_DATA


@pytest.mark.parametrize(
    "key",
    [None, KeyFacts(OTHER, 1, True), KeyFacts(WHOLESALER, 1, True), KeyFacts(MAH, 1, False)],
    ids=["unknown", "unknown party's", "another company's", "revoked"],
)
def test_an_answer_with_a_wrong_key_breaks_the_evidence(world: World, key: KeyFacts | None) -> None:
    facts = with_keys(world, **({KEY.address: key} if key else {}))
    assert located(world, "never", facts) is Headline.EVIDENCE_BROKEN


def test_a_located_pack_anchored_by_a_compromised_key_breaks_the_evidence(world: World) -> None:
    """The holder answers with a valid key, about a commissioning that a thief of an older one has anchored."""
    leaked = {KEY.address: KeyFacts(MAH, 1, True), f"0xkey{LINE}": KeyFacts(LINE, 1, False, NOW)}
    assert located(world, "unit", with_keys(world, **leaked)) is Headline.EVIDENCE_BROKEN


@pytest.mark.parametrize("kind", ["never", "differs"])
@pytest.mark.parametrize("later", [MAX_ANSWER_AGE + 1, -MAX_ANSWER_AGE - 1], ids=["old", "from the future"])
def test_an_answer_of_another_time_counts_for_nothing(world: World, kind: str, later: int) -> None:
    """Somebody kept a "never commissioned" from before the pack was made, and shows it now."""
    assert located(world, kind, later=later) is Headline.NOT_VERIFIED
    assert located(world, kind, later=later // abs(later) * MAX_ANSWER_AGE) is not Headline.NOT_VERIFIED


def test_an_answer_about_another_pack_or_changed_is_refused() -> None:
    plain = sign_answer(KEY, NETWORK, "never", SCAN, NOW, None)
    for other in ({"serial": "SN0004"}, {"gtin": "09506000134369"}, {"lot": None}, {"expiry": None}):
        with pytest.raises(EvidenceError, match="another pack"):
            read_answer(plain, NETWORK, replace(SCAN, **other))  # type: ignore[arg-type]
    assert read_answer(plain | {"kind": "differs"}, NETWORK, SCAN).signer != KEY.address
    with pytest.raises(EvidenceError):
        read_answer({"kind": "never"}, NETWORK, SCAN)
    elsewhere = f"1:0x{5:040x}"
    with pytest.raises(EvidenceError, match="another network"):
        read_answer(plain, elsewhere, SCAN)
    assert read_answer(plain | {"network": elsewhere}, elsewhere, SCAN).signer != KEY.address


def test_product_data_is_shown(world: World) -> None:
    assert world.verdict().to_json()["product"] == {"gtin": GTIN, "lot": PRODUCT.lot, "expiry": "2028-06-30"}


@pytest.mark.parametrize("missing", ["lot", "expiry"])
def test_what_was_not_read_from_the_pack_is_not_passed(world: World, missing: str) -> None:
    scan = replace(SCAN, **{missing: None})  # type: ignore[arg-type]
    verdict = world.verdict(scan)
    assert verdict.headline is Headline.NOT_VERIFIED
    assert missing in verdict.reasons[0]
    other = {"lot": {"expiry": date(2029, 1, 31)}, "expiry": {"lot": "OTHER"}}[missing]
    assert world.verdict(replace(scan, **other)).headline is Headline.WRONG_DATA  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("age", "headline"), [(MAX_BLOCK_AGE, "authentic, available"), (MAX_BLOCK_AGE + 1, "not verified")]
)
def test_a_node_that_lost_the_network_knows_no_status(world: World, age: int, headline: str) -> None:
    verdict = world.verdict(block=Block(100, bytes(32), NOW - age))
    assert verdict.headline.value == headline
    assert verdict.age == age


def test_own_events_are_awaited_for_a_while_only(world: World) -> None:
    """An event that never reaches the log is not excused for ever: its party could still deny it."""
    entries = {key: entry for key, entry in world.entries.items() if key[2] != 8}
    recorded = int(datetime(2026, 11, 23, 8, 8, tzinfo=UTC).timestamp())
    evidence = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET]))
    for late, headline in ((0, Headline.AUTHENTIC), (1, Headline.NOT_VERIFIED)):
        now = recorded + MAX_UNANCHORED + late
        facts = world.facts(entries=entries, block=Block(100, bytes(32), now))
        assert judge(SCAN, evidence, None, facts, Place(PHARMACY), now).headline is headline


def test_the_call_that_is_quoted_is_the_one_that_gave_the_status(world: World) -> None:
    """A lock that was lifted before the pack was supplied stays in the receipts; it is not why, and not since when."""
    lock = StatusChange(bytes(32), MAH, Status.LOCKED, NOW - 600)
    for status in (Status.ACTIVE, Status.SUPPLIED):
        verdict = world.verdict(unit=changed_unit(world, status=status), change=lock)
        assert verdict.case is None
        assert "since 2026" not in " ".join(check.detail for check in verdict.checks if check.name == "status")


@pytest.mark.parametrize("kind", ["never", "differs"])
def test_what_nobody_known_signed_is_not_said_of_a_pack(world: World, kind: str) -> None:
    """Without a node, and with a key that is not the holder's, an answer is no finding about the pack."""
    answer = read_answer(sign_answer(KEY, NETWORK, kind, SCAN, NOW, None), NETWORK, SCAN)  # type: ignore[arg-type]
    verdict = judge(SCAN, examine(SCAN, []), answer, None, Place(OTHER), NOW)
    assert verdict.headline is Headline.NOT_VERIFIED
    verdict = judge(SCAN, examine(SCAN, []), answer, world.facts(keys={}), Place(OTHER), NOW)
    assert [check.name for check in verdict.checks if check.passed is False] == ["locator"]


def test_an_answer_needs_a_key_for_such_answers(world: World) -> None:
    line_key = world.facts(keys={KEY.address: KeyFacts(MAH, 2 | 4 | 8, True)})
    assert located(world, "never", line_key) is Headline.EVIDENCE_BROKEN


@pytest.mark.parametrize("time", [-1, MAX_TIME, 1 << 50, 10**12])
def test_an_answer_of_no_time_that_there_is_is_refused(time: int) -> None:
    with pytest.raises(EvidenceError, match="no time"):
        read_answer(sign_answer(KEY, NETWORK, "never", SCAN, time, None), NETWORK, SCAN)
    latest = read_answer(sign_answer(KEY, NETWORK, "never", SCAN, MAX_TIME - 1, None), NETWORK, SCAN)
    assert judge(SCAN, examine(SCAN, []), latest, None, Place(OTHER), NOW).headline is Headline.NOT_VERIFIED


def test_a_pack_that_was_commissioned_twice_is_not_believed(world: World) -> None:
    """Two units with one serial, each with a status of its own: whoever shows both cannot choose between them."""
    again = event(9, type="ObjectEvent", action="ADD", biz_step="commissioning", epcs=PACKS)
    world.add(again, Ledger(party=LINE, product=PRODUCT, batch=BATCH + 1))
    verdict = world.verdict()
    assert verdict.headline is Headline.EVIDENCE_BROKEN
    assert "more than once" in verdict.reasons[0]


def test_the_same_event_twice_is_not_two_events(world: World) -> None:
    shown = world.disclosures([PACKS[3], CASE, PALLET])
    assert "the same event is shown twice" in examine(SCAN, [*shown, shown[1]]).broken[0]


def custody_of(world: World, at: int, party: int = LINE, **changes: object) -> list[str]:
    """What is broken when the packing of the case says this of its custody."""
    given, commitment, _ = world.events[at]
    custody = commitment.header.core["custody"] | changes
    core = commitment.header.core | {"custody": custody, "party": party}
    del world.events[at]
    header = Header((replace(commitment.header.fields[0], value=core), *commitment.header.fields[1:]))
    proof = seal.SealProof(party, 0, 99, 1, 0, ())
    world.events.append((given, replace(commitment, header=header), proof))
    return list(examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET])).broken)


def test_custody_data_are_exact(world: World) -> None:
    """One unit's number is written in one way, is of who packed it, and its commitment opens in one way."""
    good = world.events[1][1].header.core["custody"]
    assert custody_of(journey(), 1) == []
    for number in (
        "",
        "0",
        f"+{good['number']}",
        f"0{good['number']}",
        f" {good['number']}",
        "1_0",
        "٥",
        str(1 << 64),
        5,
        None,
    ):
        assert custody_of(journey(), 1, number=number), number
    for salt in ("", good["salt"][2:], good["salt"] + "00", "zz" * 16, good["salt"].upper().replace("0", " 0"), None):
        assert custody_of(journey(), 1, salt=salt), salt
    assert "another party's" in custody_of(journey(), 1, party=WHOLESALER)[0]


def test_only_filling_a_unit_tells_of_custody(world: World) -> None:
    """As if a shipment said in which unit the chain must look."""
    shipping, commitment, proof = world.events[3]
    core = commitment.header.core | {"custody": world.events[1][1].header.core["custody"]}
    header = Header((replace(commitment.header.fields[0], value=core), *commitment.header.fields[1:]))
    world.events[3] = shipping, replace(commitment, header=header), proof
    broken = examine(SCAN, world.disclosures([PACKS[3], CASE, PALLET])).broken
    assert any("only filling" in reason for reason in broken)
