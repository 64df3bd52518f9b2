"""What a gateway hands to a verifier may be anything: it is read or refused, and never crashes a scanner."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from journeys import CASE, NOW, PACKS, PALLET, PHARMACY, SCAN, World, declare, journey, receive

from packtrace.chain.facts import _change
from packtrace.commit.disclosure import Disclosure
from packtrace.commit.header import Field, Header
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace.evidence import examine
from packtrace.facts import Status
from packtrace.locator import sign_answer
from packtrace.material import Material
from packtrace.receipt import Receipt
from packtrace.scan import Place
from packtrace.verdict import judge


def corrected() -> World:
    """A pack's way, on which a receipt was recorded twice, and the second time declared erroneous."""
    world = journey()
    receive(world, 9, PHARMACY, CASE)
    declare(world, 9, corrections=[world.events[7][1].digest])
    return world


WORLD = corrected()
DISCLOSURES = tuple(WORLD.disclosures([PACKS[3], CASE, PALLET]))
RECEIPT = Receipt(bytes(32), 5, Status.SUPPLIED, NOW, bytes(32), bytes(7) + b"\x03", b"\x00")
NETWORK = f"31337:0x{5:040x}"
HOLDER = Account.from_key(bytes([1]) * 32)
ANSWER = sign_answer(HOLDER, NETWORK, "unit", SCAN, NOW, Pedigree(DISCLOSURES[:1]))
HERE: dict[str, Any] = Material(DISCLOSURES, receipt=RECEIPT).to_json()
LOCATED: dict[str, Any] = {"pedigree": None, "answer": ANSWER, "receipt": None}

ODD: list[Any] = [
    *(None, True, -1, 0, 1, 1 << 31, 1 << 40, 1 << 70, 1.5, 1e300, 10**12, "", "x", "AAAA", "\ud800", "9" * 5000),
    *([], {}, [[]], [0], {"v": 1}, [["core", "AAAA", "{}"]]),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    whole = copy.deepcopy(value)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return whole


PLACES = [(name, path) for name, one in (("here", HERE), ("located", LOCATED)) for path in places(one)]


def test_material_comes_back_as_it_was() -> None:
    for plain in (HERE, LOCATED):
        assert Material.from_json(json.loads(json.dumps(plain)), NETWORK, SCAN).to_json() == plain


@pytest.mark.parametrize("odd", ODD, ids=[repr(odd)[:20] for odd in ODD])
def test_any_value_in_any_place_is_read_or_refused(odd: Any) -> None:
    for name, path in PLACES:
        plain = changed(HERE if name == "here" else LOCATED, path, odd)
        try:
            material = Material.from_json(plain, NETWORK, SCAN)
        except EvidenceError:
            continue
        evidence = examine(SCAN, material.disclosures)  # keeps what is broken; raises nothing
        json.dumps(judge(SCAN, evidence, material.answer, None, Place(PHARMACY), NOW).to_json())
        if material.receipt is not None:
            _change(3, material.receipt)  # can be asked of the chain


@pytest.mark.parametrize("odd", ODD, ids=[repr(odd)[:20] for odd in ODD])
def test_a_party_may_say_anything_in_an_event_and_the_verdict_is_given(odd: Any) -> None:
    """An event that was committed, sealed and anchored like any other, with something odd in its core."""
    facts = WORLD.facts()
    for number in (0, 1, 3, 10):  # commissioned, packed, shipped, declared erroneous
        disclosure = DISCLOSURES[number]
        core = disclosure.header.fields[0]
        assert isinstance(core, Field)
        for path in places(core.value):
            field = Field(core.name, core.salt, changed(core.value, path, odd))
            header = Header((field, *disclosure.header.fields[1:]))
            shown = list(DISCLOSURES)
            shown[number] = Disclosure(header, disclosure.shown, disclosure.seal)
            evidence = examine(SCAN, shown)
            verdict = judge(SCAN, evidence, None, facts, Place(PHARMACY), NOW)
            json.dumps(verdict.to_json())
            assert evidence.entries
            assert evidence.parties is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"party": -1},
        {"party": 1 << 32},
        {"party": "5"},
        {"party": True},
        {"time": 1 << 40},
        {"time": 1.5},
        {"to": 9},
        {"to": "1"},
        {"id": "AAAA"},
        {"openings": ""},
        {"units": "AAAA"},
        {"outcomes": "not base64!"},
    ],
)
def test_a_receipt_has_the_numbers_and_hashes_of_the_contract(changes: dict[str, Any]) -> None:
    assert Receipt.from_json(RECEIPT.to_json()) == RECEIPT
    with pytest.raises(EvidenceError):
        Receipt.from_json(RECEIPT.to_json() | changes)


def test_an_answer_about_another_pack_or_by_another_hand_is_told_apart() -> None:
    answer = Material.from_json(LOCATED, NETWORK, SCAN).answer
    assert answer is not None
    assert answer.signer == HOLDER.address
    with pytest.raises(EvidenceError, match="another pack"):
        Material.from_json(LOCATED, NETWORK, replace(SCAN, serial="OTHER"))
    # A changed statement is another statement, signed by nobody that anybody knows.
    never = Material.from_json(LOCATED | {"answer": ANSWER | {"kind": "never"}}, NETWORK, SCAN).answer
    assert never is not None
    assert never.signer != HOLDER.address
