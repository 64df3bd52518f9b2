"""A package that was tampered with anywhere is put in quarantine, with the link named, and leaves nothing behind."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from packtrace.commit.disclosure import Disclosure
from packtrace.commit.header import Field, Header
from packtrace.commit.items import Role
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace_gateway.events.models import LogisticUnit, StoredEvent, Unit
from packtrace_gateway.exchange.check import ChainFacts, compared, gathered, opened
from packtrace_gateway.exchange.package import Package, from_cbor
from tests.gateway.exchange.packages import ByHand

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31
Change = Callable[[Package, list[Disclosure]], Package]


@pytest.fixture(scope="module")
def shipped(world: Any) -> Iterator[tuple[str, list[str], bytes]]:
    """A pallet on its way to the shop, its packs, and its genuine package, which is held back."""
    from_hand = ByHand()
    pallet, _, packs = world.pallet(packs=6, cases=2)
    data = from_hand.package(world, PLANT, SHOP, pallet)
    yield pallet, packs, data
    from_hand.release(world[PLANT], pallet)


@pytest.fixture(scope="module")
def facts(world: Any, shipped: tuple[str, list[str], bytes]) -> ChainFacts:
    """What the chain says of the genuine package."""
    contents = opened(from_cbor(shipped[2]))
    assert contents.broken == []
    found = gathered(world[SHOP].gateway.reader, contents)
    findings = compared(contents, found)
    assert (findings.broken, findings.missing) == ([], [])
    steps = [event.header.core["bizStep"] for event in contents.verified]
    assert steps == ["commissioning", "packing", "packing", "packing", "shipping"]
    return found


# ---- one change for each link ----


def with_events(package: Package, disclosures: list[Disclosure]) -> Package:
    return replace(package, pedigree=Pedigree(tuple(disclosures)).to_cbor())


def is_of(disclosure: Disclosure, step: str) -> bool:
    return bool(disclosure.header.core["bizStep"] == step)


def change(step: str, how: Callable[[Disclosure], Disclosure]) -> Change:
    """Change the first event of a business step."""

    def changed(package: Package, events: list[Disclosure]) -> Package:
        at = next(at for at, event in enumerate(events) if is_of(event, step))
        return with_events(package, [*events[:at], how(events[at]), *events[at + 1 :]])

    return changed


def shown(**parts: Any) -> Callable[[Disclosure], Disclosure]:
    """Change the items shown: each part is a function of what it was."""

    def changed(event: Disclosure) -> Disclosure:
        old = event.shown
        return replace(event, shown=replace(old, **{name: how(getattr(old, name)) for name, how in parts.items()}))

    return changed


def sealed(**parts: Any) -> Callable[[Disclosure], Disclosure]:
    def changed(event: Disclosure) -> Disclosure:
        assert event.seal
        return replace(event, seal=replace(event.seal, **{n: how(getattr(event.seal, n)) for n, how in parts.items()}))

    return changed


def core(**parts: Any) -> Callable[[Disclosure], Disclosure]:
    """Change a member of the core; the header's hashes follow by themselves, as a forger's would."""

    def changed(event: Disclosure) -> Disclosure:
        first = event.header.fields[0]
        assert isinstance(first, Field)
        value = first.value | {name: how(first.value.get(name)) for name, how in parts.items()}
        return replace(event, header=Header((replace(first, value=value), *event.header.fields[1:])))

    return changed


def closed_field(event: Disclosure) -> Disclosure:
    fields = list(event.header.fields)
    at = next(at for at, field in enumerate(fields) if isinstance(field, bytes))
    fields[at] = flip(fields[at])
    return replace(event, header=Header(tuple(fields)))


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def without(step: str) -> Change:
    return lambda package, events: with_events(package, [event for event in events if not is_of(event, step)])


def one_case_unpacked(package: Package, events: list[Disclosure]) -> Package:
    at = next(at for at, event in enumerate(events) if is_of(event, "packing"))
    return with_events(package, [*events[:at], *events[at + 1 :]])


def one_item_less(role: Role) -> Callable[[Disclosure], Disclosure]:
    """Leave one item out, with a proof that is sound."""

    def changed(event: Disclosure) -> Disclosure:
        items = [uri for uri in event.shown.uris if ("/01/" in uri) == (role in (Role.EPC, Role.CHILD))]
        return event.part(set(event.shown.uris) - {items[0]})

    return changed


def other_product(value: dict[str, Any]) -> dict[str, Any]:
    return value | {"expiry": "2039-01-31"}


CHANGES: dict[str, tuple[Change, str]] = {
    "a pack's serial": (
        change("commissioning", shown(uris=lambda uris: (uris[0] + "0", *uris[1:]))),
        "the items shown are not those of the event",
    ),
    "a salt": (change("packing", shown(salts=flip)), "the items shown are not those of the event"),
    "a position": (
        change("commissioning", shown(indices=lambda at: (*at[:-1], at[-1] + 1))),
        "disclosure 0",
    ),
    "a proof node": (
        change("commissioning", shown(nodes=lambda nodes: (flip(nodes[0]), *nodes[1:]))),
        "the items shown are not those of the event",
    ),
    "a proof node too many": (
        change("shipping", shown(nodes=lambda nodes: (*nodes, bytes(32)))),
        "a node that is not needed",
    ),
    "the expiry": (change("commissioning", core(product=other_product)), "its log entry on chain is another"),
    "a time": (change("packing", core(eventTime=lambda _: "2020-01-01T00:00:00.000Z")), "entry on chain is another"),
    "the recording party": (change("packing", core(party=lambda _: WHOLESALER)), "sealed by another party"),
    "a field that is closed": (change("packing", closed_field), "its log entry on chain is another"),
    "the path of a seal": (
        change("commissioning", sealed(path=lambda path: (*path[:-1], flip(path[-1])) if path else (bytes(32),))),
        "",
    ),
    "the size of a seal": (change("commissioning", sealed(count=lambda count: count + 1)), ""),
    "the entry of a seal": (change("shipping", sealed(sequence=lambda _: 0)), "its log entry on chain is another"),
    "no seal": (change("packing", lambda event: replace(event, seal=None)), "was not sealed"),
    "no commissioning": (without("commissioning"), "its commissioning is not shown"),
    "no shipping": (without("shipping"), "the shipping event is not among the disclosures"),
    "a case that nobody packed": (one_case_unpacked, "is not inside what was shipped"),
    "a pack fewer in a case": (change("packing", one_item_less(Role.CHILD)), "3 things are inside, 2 are shown"),
    "a pack fewer in the batch": (change("commissioning", one_item_less(Role.EPC)), "its commissioning is not shown"),
    "an event twice": (lambda package, events: with_events(package, [*events, events[0]]), "shown twice"),
    "the pallet's number": (
        lambda package, _: replace(package, units={uri: number + 1 for uri, number in package.units.items()}),
        "no event fills it as number",
    ),
    "another pallet beside it": (
        lambda package, _: replace(package, units={**package.units, "https://id.gs1.org/00/095060000000999990": 7}),
        "does not ship it",
    ),
    "no pallet at all": (lambda package, _: replace(package, units={}), "names no logistic unit"),
    "its sender": (lambda package, _: replace(package, sender=WHOLESALER), "from party 20 to party 31"),
    "its receiver": (lambda package, _: replace(package, receiver=PHARMACY), "from party 11 to party 30"),
    "its kind": (lambda package, _: replace(package, kind="commissioning"), "no commissioning of packs"),
    "its pedigree's bytes": (lambda package, _: replace(package, pedigree=package.pedigree[:-1]), "sound CBOR"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_tampered_link_is_named_and_nothing_is_stored(
    world: Any, shipped: tuple[str, list[str], bytes], facts: ChainFacts, what: str
) -> None:
    pallet, packs, data = shipped
    genuine = from_cbor(data)
    how, reason = CHANGES[what]
    tampered = how(genuine, list(Pedigree.from_cbor(genuine.pedigree).disclosures)).to_cbor()
    before = stored(world[SHOP])
    answer = ByHand().upload(world[PLANT], SHOP, tampered)
    world.wait(lambda: state_of(world, tampered)["receipt"])
    receipt = state_of(world, tampered)["receipt"]
    assert answer["size"] == len(tampered)
    assert receipt["outcome"] == "quarantined"
    assert reason in "; ".join(receipt["reasons"]), receipt["reasons"]
    assert stored(world[SHOP]) == before
    assert world[SHOP].place(packs[0]) is None
    assert world[SHOP].place(pallet) is None


def test_bytes_that_are_not_those_announced_are_no_package(world: Any) -> None:
    client, data = world[PLANT].gateway.exchange.client, b"something else"
    ByHand().upload(world[PLANT], SHOP, data, name="ab" * 32)
    answer = world.wait(
        lambda: (found := client.request(SHOP, "GET", f"/exchange/packages/{'ab' * 32}"))["receipt"] and found
    )
    assert "not those that were announced" in answer["receipt"]["reasons"][0]


def state_of(world: Any, data: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = ByHand().ask(world[PLANT], SHOP, data)
    return answer


def stored(party: Any) -> tuple[int, ...]:
    with party.gateway.database.read() as session:
        counts = (select(func.count()).select_from(model) for model in (StoredEvent, Unit, LogisticUnit))
        return tuple(session.execute(count).scalar() or 0 for count in counts)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_flipped_bit_is_accepted(
    shipped: tuple[str, list[str], bytes], facts: ChainFacts, data: st.DataObject
) -> None:
    genuine = shipped[2]
    at = data.draw(st.integers(0, len(genuine) - 1))
    flipped = bytearray(genuine)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        package = from_cbor(bytes(flipped))
        if (package.sender, package.receiver) != (PLANT, SHOP):
            return
        contents = opened(package)
    except EvidenceError:
        return
    if not contents.broken:
        known = {batch.number for batch in contents.batches} <= facts.batches.keys()
        holders = {batch.product.gtin for batch in contents.batches} <= facts.holders.keys()
        assert not (known and holders) or compared(contents, facts).broken or compared(contents, facts).missing


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_from_anywhere_are_refused_in_plain_words(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        from_cbor(data)


def test_goods_here_say_why_their_data_are_doubted_and_can_be_sent_back(world: Any) -> None:
    """Goods first, then data that do not verify: quarantine, with the reason; refused, they are the sender's again."""
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, _, _ = world.pallet()
    data = ByHand().package(world, PLANT, PHARMACY, pallet)
    pharmacy.capture(pharmacy.receive([pallet]))
    genuine = from_cbor(data)
    how, reason = CHANGES["a salt"]
    tampered = how(genuine, list(Pedigree.from_cbor(genuine.pedigree).disclosures)).to_cbor()
    ByHand().upload(plant, PHARMACY, tampered)
    world.wait(lambda: reason in world[PHARMACY].get("/quarantine")[0]["note"])
    arrival = pharmacy.arrival(pallet)
    assert arrival["state"] == "quarantined"
    pharmacy.post(f"/arrivals/{arrival['id']}/refuse")
    pharmacy.wait_goods(pallet, "refused")
    plant.wait_goods(pallet, "refused")
    assert pharmacy.get("/quarantine") == []
