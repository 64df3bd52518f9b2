"""Disclosures and pedigrees: any part proves itself, nothing else leaks, and every spoiled link is named."""

import random
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrace.commit import header as headers
from packtrace.commit import items, merkle, salts, seal
from packtrace.commit.disclosure import NO_ITEMS, Disclosure, ShownItems, by_neighbourhood, together
from packtrace.commit.event import Commitment, Ledger, commit, event_of
from packtrace.commit.header import Field, Header
from packtrace.commit.items import Role
from packtrace.commit.pedigree import Pedigree
from packtrace.epcis.model import Event, Typed
from packtrace.errors import DocumentError, EvidenceError
from packtrace.product import Product

GTIN = "09506000134352"
PRODUCT = Product(GTIN, "ABC123", date(2028, 6, 30), bytes(range(32)))


def packs(count: int) -> list[str]:
    return [f"https://id.gs1.org/01/{GTIN}/21/{number * 7919 % 1000003:07}" for number in range(count)]


def commissioning(uris: list[str]) -> Event:
    return Event(
        type="ObjectEvent",
        action="ADD",
        event_time="2026-11-23T05:35:15.000Z",
        event_time_zone_offset="+00:00",
        biz_step="commissioning",
        disposition="active",
        epcs=uris,
        biz_transactions=(Typed(type="po", id="urn:epcglobal:cbv:bt:9506000134376:1"),),
        ilmd={"{urn:epcglobal:cbv:mda:}lotNumber": "ABC123"},
        extensions={"{https://example.com/}line": "7"},
    )


def committed(uris: list[str], secret: bytes = bytes(32)) -> Commitment:
    event = commissioning(uris)
    ledger = Ledger(party=7, product=PRODUCT, batch=(7 << 22) | 1)
    tree = items.build(items.items_of(event), secret)
    return commit(event, tree, ledger=ledger, record_time="2026-11-23T05:35:16.000Z", cbv_hash="ni:///x", secret=secret)


def test_a_place_that_is_not_public_is_opened_by_choice_only() -> None:
    place = "https://id.gs1.org/414/4012345000054"
    event = replace(commissioning(packs(3)), read_point=place)
    tree = items.build(items.items_of(event), bytes(32))
    header = commit(
        event,
        tree,
        ledger=Ledger(party=7),
        record_time="2026-11-23T05:35:16.000Z",
        cbv_hash="ni:///x",
        secret=bytes(32),
        public_place=False,
    ).header
    closed = header.closed_but(())
    assert closed.digest == header.digest
    assert place not in repr(closed)
    assert header.closed_but(["readPoint"]).opened == {"readPoint": place}
    assert event_of(header, tree.uris) == replace(event, epcs=tree.uris)


def disclosed(commitment: Commitment, uris: list[str]) -> Disclosure:
    tree = commitment.tree
    at = {uri: index for index, uri in enumerate(tree.uris)}
    indices = sorted(at[uri] for uri in uris)
    stream = salts.salts(commitment.secret, salts.ITEMS, 0, tree.size)
    source = items.tiled_tree(
        tree.counts,
        commitment.secret,
        lambda number: tree.uris[number * 256 : number * 256 + 256],
        lambda level, number: tree.tiles[level, number],
    )
    shown = ShownItems(
        tuple(indices),
        b"".join(stream[index * 16 : index * 16 + 16] for index in indices),
        tuple(tree.uris[index] for index in indices),
        tuple(source.multiproof(indices)),
    )
    digests = [bytes([number]) * 32 for number in range(5)] + [commitment.digest]
    proof = seal.SealProof(7, 0, 3, len(digests), 5, seal.seal_paths(digests)[5])
    return Disclosure(commitment.header.closed_but(()), shown, proof)


ALL = packs(1000)
COMMITTED = committed(ALL)


@settings(max_examples=30)
@given(st.sets(st.sampled_from(ALL), min_size=1, max_size=40), st.data())
def test_any_part_of_a_received_disclosure_verifies(chosen: set[str], data: st.DataObject) -> None:
    received = disclosed(COMMITTED, sorted(chosen))
    part = data.draw(st.sets(st.sampled_from(sorted(chosen)), min_size=1))
    onward = received.part(part)
    again = Pedigree.from_json(Pedigree((onward,)).to_json()).disclosures[0]
    assert again == onward
    verified = again.verify()
    assert set(verified.items[Role.EPC]) == part
    assert verified.digest == COMMITTED.digest
    assert onward == disclosed(COMMITTED, sorted(part)), "as if its owner had disclosed just this part"


def test_a_closed_field_and_an_item_not_shown_leave_no_trace() -> None:
    shown = disclosed(COMMITTED, ALL[:3])
    wire = Pedigree((shown,)).to_cbor()
    for hidden in (b"urn:epcglobal:cbv:bt", b"ni:///x", b"example.com", ALL[500].rpartition("/")[2].encode()):
        assert hidden not in wire
    assert not shown.header.opened


def test_salts_hide_an_item_even_from_one_who_guesses_it() -> None:
    """Whoever holds the disclosure and guesses a hidden serial cannot confirm the guess: its leaf hash is salted."""
    shown = disclosed(COMMITTED, ALL[:1])
    other = disclosed(committed(ALL, secret=bytes(31) + b"\x01"), ALL[:1])
    assert shown.shown.nodes != other.shown.nodes
    guess = [items.shown_leaf_hash(Role.EPC, shown.shown.salt(0), uri) for uri in ALL]
    assert not set(guess[1:]) & set(shown.shown.nodes)


def test_opened_fields_are_bound_to_the_event() -> None:
    header = COMMITTED.header.closed_but({"bizTransactionList"})
    assert header.digest == COMMITTED.digest
    assert header.opened == {"bizTransactionList": [{"type": "po", "id": "urn:epcglobal:cbv:bt:9506000134376:1"}]}


def spoiled() -> list[tuple[str, Disclosure, str]]:
    good = disclosed(COMMITTED, ALL[:9])
    shown, fields, proof = good.shown, good.header.fields, good.seal
    core = fields[0]
    assert isinstance(core, Field)
    assert proof is not None

    def with_core(**changes: object) -> Disclosure:
        return replace(good, header=Header((replace(core, value=core.value | changes), *fields[1:])))

    return [
        (
            "other serial",
            replace(good, shown=replace(shown, uris=(ALL[99], *shown.uris[1:]))),
            "not those of the event",
        ),
        (
            "other salt",
            replace(good, shown=replace(shown, salts=bytes(16) + shown.salts[16:])),
            "not those of the event",
        ),
        (
            "other node",
            replace(good, shown=replace(shown, nodes=(bytes(32), *shown.nodes[1:]))),
            "not those of the event",
        ),
        ("node missing", replace(good, shown=replace(shown, nodes=shown.nodes[1:])), "too few|not those"),
        ("node added", replace(good, shown=replace(shown, nodes=(*shown.nodes, bytes(32)))), "not needed"),
        ("short node", replace(good, shown=replace(shown, nodes=(b"x", *shown.nodes[1:]))), "32 bytes"),
        (
            "positions moved",
            replace(good, shown=replace(shown, indices=tuple(i + 1 for i in shown.indices))),
            "not those|too few|not needed",
        ),
        ("items missing", replace(good, shown=replace(shown, uris=shown.uris[1:])), "differ in number"),
        ("nodes alone", replace(good, shown=replace(NO_ITEMS, nodes=(bytes(32),))), "not needed"),
        ("another party's seal", replace(good, seal=replace(proof, party=8)), "another party"),
        ("seal too large", replace(good, seal=replace(proof, count=1 << 40)), "2\\^20"),
        ("seal index", replace(good, seal=replace(proof, index=9)), "below 6"),
        ("seal's lane", replace(good, seal=replace(proof, lane=1 << 64)), "64 bits"),
        ("seal's sequence", replace(good, seal=replace(proof, sequence=1 << 64)), "64 bits"),
        ("short salt", replace(good, header=Header((replace(core, salt=bytes(8)), *fields[1:]))), "16 bytes"),
        ("time without milliseconds", with_core(recordTime="2026-11-23T05:35:16Z"), "not well formed"),
        ("time of another zone", with_core(eventTime="2026-11-23T05:35:16.000+01:00"), "not well formed"),
        (
            "count that is no number",
            with_core(items={**core.value["items"], "counts": {"epc": True}}),
            "not well formed",
        ),
        ("no core", replace(good, header=Header(fields[1:])), "open core"),
        ("core without party", with_core(party=None), "not well formed"),
        ("counts of nonsense", with_core(items={**core.value["items"], "counts": {"epc": -1}}), "not well formed"),
        ("unknown role", with_core(items={**core.value["items"], "counts": {"epc": 1000, "x": 1}}), "not well formed"),
        ("fields out of order", replace(good, header=Header((core, *COMMITTED.header.fields[:0:-1]))), "order"),
    ]


@pytest.mark.parametrize(("what", "bad", "says"), spoiled(), ids=[case[0] for case in spoiled()])
def test_a_spoiled_disclosure_is_refused_by_name(what: str, bad: Disclosure, says: str) -> None:
    with pytest.raises(EvidenceError, match=says):
        bad.verify()


@pytest.mark.parametrize("name", ["gtin", "lot", "expiry", "secret"])
def test_changed_product_data_changes_the_digest(name: str) -> None:
    good = disclosed(COMMITTED, ALL[:1])
    core = good.header.fields[0]
    assert isinstance(core, Field)
    other = replace(core, value=core.value | {"product": core.value["product"] | {name: "00"}})
    verified = replace(good, header=Header((other, *good.header.fields[1:]))).verify()
    assert verified.digest != COMMITTED.digest
    assert verified.seal_root != good.verify().seal_root, "so the log entry on chain does not match"


def test_a_changed_count_changes_the_digest() -> None:
    good = disclosed(COMMITTED, ALL[:1])
    core = good.header.fields[0]
    assert isinstance(core, Field)
    smaller = replace(core, value=core.value | {"items": core.value["items"] | {"counts": {"epc": 999}}})
    assert Header((smaller, *good.header.fields[1:])).digest != COMMITTED.digest


def test_received_items_kept_by_neighbourhood_prove_themselves_alone_and_together() -> None:
    chosen = random.Random(4).sample(ALL, 60)
    received = disclosed(COMMITTED, chosen)
    groups = by_neighbourhood(received.header, received.shown)
    assert len(groups) == 4
    for group in groups.values():
        replace(received, shown=group).verify()
    assert together(received.header, list(groups.values())) == received.shown


def test_an_item_named_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match="same item twice"):
        committed([ALL[0], ALL[1], ALL[0]])


@given(st.binary(max_size=200))
def test_pedigree_of_arbitrary_bytes_is_refused_cleanly(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        Pedigree.from_cbor(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_pedigree_with_a_byte_changed_never_verifies_as_something_else(at: int, value: int) -> None:
    wire = bytearray(Pedigree((disclosed(COMMITTED, ALL[:2]),)).to_cbor())
    at %= len(wire)
    if wire[at] == value:
        return
    wire[at] = value
    try:
        verified = Pedigree.from_cbor(bytes(wire)).disclosures[0].verify()
    except EvidenceError:
        return
    assert verified.seal_root != disclosed(COMMITTED, ALL[:2]).verify().seal_root or set(
        verified.items.get(Role.EPC, {})
    ) <= set(ALL[:2])


def test_two_closed_fields_cannot_be_shown_as_one() -> None:
    """The number of a header's fields is in the digest: the node above two of them is no field."""
    fields = COMMITTED.header.closed_but(()).fields[:4]
    two, three = fields[2:]
    assert isinstance(two, bytes)
    assert isinstance(three, bytes)
    honest, merged = Header(fields), Header((*fields[:2], merkle.node_hash(two, three)))
    assert merged.root == honest.root, "the tree alone does not tell"
    assert merged.digest != honest.digest


def test_a_header_has_one_core() -> None:
    good = disclosed(COMMITTED, ALL[:1])
    core = good.header.fields[0]
    with pytest.raises(EvidenceError, match="each once"):
        replace(good, header=Header((*good.header.fields, core))).verify()


def of_items(roles: dict[Role, list[str]]) -> Disclosure:
    """A whole event that shows these items, committed as they stand."""
    secret = bytes(32)
    tree = items.build(roles, secret)
    counts = {role.name.lower(): count for role, count in tree.counts.items()}
    core = COMMITTED.header.core | {"items": {"root": tree.root.hex(), "counts": counts}}
    shown = ShownItems(tuple(range(tree.size)), salts.salts(secret, salts.ITEMS, 0, tree.size), tuple(tree.uris), ())
    return Disclosure(headers.build(core, {}, secret), shown, None)


@pytest.mark.parametrize(
    "uri",
    [
        f"https://id.gs1.org/01/{GTIN}/21/%41BC",
        f"https://id.gs1.org/01/{GTIN}/21/a%2fb",
        f"https://id.gs1.org/01/{GTIN}/21/a+b",
        f"https://id.gs1.org/01/{GTIN}/10/LOT/21/ABC",
        f"https://id.gs1.org/01/{GTIN[1:]}/21/ABC",
        f"https://example.com/01/{GTIN}/21/ABC",
        "urn:epc:id:sgtin:9506000.013435.ABC",
        f"https://id.gs1.org/01/{GTIN[:-1]}9/21/ABC",
        f"https://id.gs1.org/01/{GTIN}/21/A\u0412C",
        f"https://id.gs1.org/01/{GTIN}/21/A C",
        "https://id.gs1.org/00/1",
        "",
    ],
)
def test_an_item_in_another_spelling_is_refused(uri: str) -> None:
    """One item, one URI: else a pack could stand in an event twice, and be looked for in vain."""
    of_items({Role.EPC: ALL[:3]}).verify()
    with pytest.raises(EvidenceError, match="canonical"):
        of_items({Role.EPC: [*ALL[:2], uri]}).verify()


@pytest.mark.parametrize("order", [[1, 0], [0, 0], [0, 2, 1]])
def test_items_out_of_order_are_refused(order: list[int]) -> None:
    """Two places for one item would be two units with a status of their own."""
    secret, uris = bytes(32), [sorted(ALL)[at] for at in order]
    stream = salts.salts(secret, salts.ITEMS, 0, len(uris))
    root = merkle.root(items.leaf_hashes(uris, 0, {Role.EPC: len(uris)}, secret))
    core = COMMITTED.header.core | {"items": {"root": root.hex(), "counts": {"epc": len(uris)}}}
    shown = ShownItems(tuple(range(len(uris))), stream, tuple(uris), ())
    with pytest.raises(EvidenceError, match="in the order of their URIs, each once"):
        Disclosure(headers.build(core, {}, secret), shown, None).verify()


def test_a_line_break_in_the_common_prefix_is_refused() -> None:
    """Items are joined by line breaks on the wire: a break inside one would come apart when it is disclosed again."""
    plain = Pedigree((of_items({Role.EPC: ALL[:3]}),)).to_json()
    plain["events"][0]["p"] = "urn:x:\n" + plain["events"][0]["p"]
    with pytest.raises(EvidenceError):
        Pedigree.from_json(plain).disclosures[0].verify()


def test_an_event_has_one_parent_at_most() -> None:
    with pytest.raises(EvidenceError, match="not well formed"):
        of_items({Role.PARENT: ["urn:x:1", "urn:x:2"], Role.CHILD: ALL[:2]}).verify()


@pytest.mark.parametrize("place", ["i", "seal"])
def test_a_number_of_thousands_of_digits_is_refused_in_words(place: str) -> None:
    """A reason must fit on a line, and Python writes no number of more than 4,300 digits."""
    huge = 1 << 40_000
    good = disclosed(COMMITTED, ALL[:1])
    assert good.seal is not None
    bad = {
        "i": replace(good, shown=replace(good.shown, indices=(huge,))),
        "seal": replace(good, seal=replace(good.seal, index=huge)),
    }[place]
    with pytest.raises(EvidenceError, match="too long to show"):
        bad.verify()
    with pytest.raises(EvidenceError):
        Pedigree.from_cbor(Pedigree((bad,)).to_cbor())
