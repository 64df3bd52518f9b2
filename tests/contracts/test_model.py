"""The pack ledger against a model in Python, and packed calls against the same calls one by one.

Random calls by everybody: the deployed contract and the model below, which is written from design.md's table, must
agree on every outcome and on every status. Then the same calls are made again, each unit in a call of its own.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from web3.logs import DISCARD

from packtrace.commit import items
from packtrace.commit.items import Role
from packtrace.facts import Refusal, Status

REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER = 1, 2, 4, 8, 16
OPERATE, LINE, QUALITY, MANAGE = 1, 2, 4, 8
MAKER, PLANT, RIVAL, TRADER, PHARMACY, OTHER, AGENCY = 1001, 1002, 1101, 2001, 3001, 3002, 9001
COMPANY = {PLANT: MAKER}
ROLES = {MAKER: MAH, PLANT: MANUFACTURER, RIVAL: MAH, TRADER: WHOLESALER, PHARMACY: DISPENSER, OTHER: DISPENSER,
         AGENCY: REGULATOR}  # fmt: skip
FOREVER, EXPIRES = 2**40 - 1, 4_102_444_800
PRODUCT = b"p" * 32
REFUSED = 0x80
KINDS = ("change", "reverse", "restore", "lift", "prove")
CALLS, MOST = 40, 5  # calls; units of a call at most
SEEDS = (0, 4)  # with which every kind of call changes something

# to: from, roles, the holder too, before release too, only what may be sold
A, S, D, E, P, F, T, L, Q = Status
TABLE = {
    S: ({A}, DISPENSER, False, False, True),
    E: ({A}, WHOLESALER, True, False, True),
    P: ({A}, REGULATOR, True, True, False),
    F: ({A}, REGULATOR, True, False, True),
    D: ({A, L, Q}, WHOLESALER, True, True, False),
    T: ({A, S, E, P, F, L, Q}, REGULATOR, True, False, False),
    L: ({A, Q}, REGULATOR, True, True, False),
    Q: ({A}, 31, True, False, False),
}


@dataclass(frozen=True)
class Call:
    """`kind` is change, reverse, lift, restore or prove; `of` the number of the call that is undone."""

    kind: str
    party: int = 0
    to: Status = A
    units: tuple[int, ...] = ()
    of: int = -1
    positions: tuple[int, ...] = ()
    duplicates: bool = False


@dataclass
class Model:
    """What should be on chain. `batches`: number of units, whether released, whether recalled."""

    batches: dict[int, tuple[int, bool, bool]]
    statuses: dict[int, Status] = field(default_factory=dict)
    twins: dict[int, int] = field(default_factory=dict)
    done: list[tuple[Call, bytes]] = field(default_factory=list)
    undone: set[tuple[int, int]] = field(default_factory=set)

    def apply(self, call: Call) -> bytes:
        outcomes = getattr(self, f"_{call.kind}")(call)
        self.done.append((call, outcomes))
        return bytes(outcomes)

    def _judge(self, unit: int, sources: set[Status], early: bool, market: bool, allowed: bool) -> Refusal:
        count, released, recalled = self.batches.get(unit >> 20, (0, False, False))
        if unit & 0xFFFFF >= count:
            return Refusal.UNKNOWN_UNIT
        if not released and not early:
            return Refusal.NOT_RELEASED
        if self.statuses.get(unit, A) not in sources:
            return Refusal.WRONG_STATUS
        if market and recalled:
            return Refusal.RECALLED
        return Refusal.NONE if allowed else Refusal.NOT_ALLOWED

    def _settle(self, unit: int, to: Status, refusal: Refusal) -> int:
        if refusal:
            return REFUSED | refusal
        found, self.statuses[unit] = self.statuses.get(unit, A), to
        return found

    def _change(self, call: Call) -> bytes:
        sources, roles, holder, early, market = TABLE[call.to]
        allowed = bool(ROLES[call.party] & roles) or (holder and COMPANY.get(call.party, call.party) == MAKER)
        return bytes(
            self._settle(unit, call.to, self._judge(unit, sources, early, market, allowed)) for unit in call.units
        )

    def _undo(self, call: Call, position: int, *, together: bool) -> int:
        first, outcomes = self.done[call.of]
        unit, outcome = first.units[position], outcomes[position]
        if outcome >= REFUSED:
            return REFUSED | Refusal.NOT_CHANGED_HERE
        if (call.of, position) in self.undone:
            return REFUSED | Refusal.ALREADY_REVERSED
        to = Status(outcome)
        if unit in self.twins and to is A:
            if not together or first.to is Q:
                return REFUSED | Refusal.DUPLICATE
            to = Q
        refusal = self._judge(unit, {first.to}, True, not together, True)
        found = self._settle(unit, to, refusal)
        if not refusal:
            self.undone.add((call.of, position))
        return found if refusal or not together else to

    def _reverse(self, call: Call) -> bytes:
        return bytes(self._undo(call, position, together=False) for position in call.positions)

    def _restore(self, call: Call) -> bytes:
        return bytes(self._undo(call, position, together=True) for position in call.positions)

    def _lift(self, call: Call) -> bytes:
        outcomes = []
        for unit in call.units:
            refusal = self._judge(unit, {L, Q}, True, False, True)
            if unit in self.twins and not call.duplicates:
                refusal = Refusal.DUPLICATE
            outcomes.append(self._settle(unit, A, refusal))
            if not refusal:
                self.twins.pop(unit, None)
        return bytes(outcomes)

    def _prove(self, call: Call) -> bytes:
        if any(one.kind == "prove" and one.units == call.units for one, _ in self.done):
            return b""
        for unit, twin in (call.units, call.units[::-1]):
            if self.statuses.get(unit, A) is A:
                self.statuses[unit] = Q
            self.twins[unit] = twin
        return b""


class Ledger:
    """The deployed contract: the same calls, relayed."""

    def __init__(self, chain: Any) -> None:
        self.chain = chain
        self.receipts: list[Any] = []
        self.trees: dict[int, tuple[items.ItemTree, bytes]] = {}

    def _events(self, name: str, mined: Any) -> Any:
        return self.chain.contracts["PackLedger"].events[name]().process_receipt(mined, errors=DISCARD)[0]["args"]

    def apply(self, call: Call) -> bytes:
        outcomes, receipt = getattr(self, f"_{call.kind}")(call)
        self.receipts.append(receipt)
        return bytes(outcomes)

    def _change(self, call: Call) -> Any:
        units = b"".join(unit.to_bytes(8, "big") for unit in call.units)
        values = {"to": int(call.to), "units": units, "openings": bytes(32)}
        mined = self.chain.relay(self.chain.keys[call.party], "PackLedger", "changeStatus", values)
        found = self._events("StatusChanged", mined)
        time = self.chain.w3.eth.get_block(mined["blockNumber"])["timestamp"]
        names = ("openings", "units", "outcomes")
        return found["outcomes"], (found["id"], found["party"], found["to"], time, *(found[name] for name in names))

    def _reverse(self, call: Call) -> Any:
        receipt, positions = self.receipts[call.of], bytes(call.positions)
        values = {"id": receipt[0], "positions": positions}
        consent = self.chain.consent(self.chain.keys[call.party], "PackLedger", "reverseStatus", values)
        mined = self.chain.send("PackLedger", "reverseStatus", [receipt, positions], consent)
        return self._events("StatusReversed", mined)["outcomes"], None

    def _together(self, function: str, values: dict[str, Any], arguments: list[Any]) -> Any:
        consents = [
            self.chain.consent(self.chain.keys[party], "PackLedger", function, values) for party in (MAKER, AGENCY)
        ]
        return self.chain.send("PackLedger", function, arguments, *consents)

    def _restore(self, call: Call) -> Any:
        receipt, positions = self.receipts[call.of], bytes(call.positions)
        values = {"id": receipt[0], "positions": positions, "ground": 2}
        mined = self._together("restoreStatus", values, [receipt, positions, 2])
        return self._events("StatusRestored", mined)["outcomes"], None

    def _lift(self, call: Call) -> Any:
        units = b"".join(unit.to_bytes(8, "big") for unit in call.units)
        values = {"units": units, "duplicates": call.duplicates}
        return self._events("StatusLifted", self._together("liftStatus", values, list(values.values())))[
            "outcomes"
        ], None

    def _prove(self, call: Call) -> Any:
        uri = self.trees[call.units[0] >> 20][0].uris[call.units[0] & 0xFFFFF].encode()
        self.chain.send("PackLedger", "proveDuplicate", [uri, *map(self.opening, call.units)])
        return b"", None

    def opening(self, unit: int) -> Any:
        tree, secret = self.trees[unit >> 20]
        index = unit & 0xFFFFF
        owned = items.tiled_tree(
            tree.counts, secret,
            lambda number: tree.uris[number << 8 : (number + 1) << 8],
            lambda level, number: tree.tiles[level, number],
        )  # fmt: skip
        return unit, items.salts(secret, items.ITEMS, index, 1), owned.multiproof([index])


def batch_of(own: int) -> int:
    return PLANT << 22 | own


def serials(own: int, count: int, copied: Sequence[int]) -> list[str]:
    """A batch's serials; those at `copied` are the same in every batch."""
    return [f"https://id.gs1.org/01/09506000134352/21/{0 if n in copied else own}x{n:04}" for n in range(count)]


@pytest.fixture
def ledger(chain: Any) -> Ledger:
    """Four batches: released, released with twins of the first's units, proposed, and recalled."""
    chain.keys = {}
    for party, roles in ROLES.items():
        chain.party(party, COMPANY.get(party, party), roles)
        chain.keys[party] = chain.key(party, f"operate {party}", OPERATE)
    line, qp = chain.key(PLANT, "line", LINE), chain.key(PLANT, "qp", QUALITY)
    manager = chain.key(MAKER, "manager", MANAGE | QUALITY)
    chain.write("PartyRegistry", "registerProduct", PRODUCT, MAKER)
    chain.relay(manager, "PartyRegistry", "authoriseLine", {"productKey": PRODUCT, "party": PLANT, "until": FOREVER})
    chain.relay(manager, "PartyRegistry", "authoriseQuality",
                {"productKey": PRODUCT, "key": qp.address, "until": FOREVER})  # fmt: skip
    made = Ledger(chain)
    for own in range(1, 5):
        secret = bytes([own]) * 32
        tree = items.build({Role.EPC: serials(own, 300, (3, 4, 255, 256))}, secret)
        made.trees[batch_of(own)] = tree, secret
        values = {"batch": batch_of(own), "productKey": PRODUCT, "lotKey": bytes([own]) * 32, "itemRoot": tree.root,
                  "count": tree.size, "expiresAt": EXPIRES}  # fmt: skip
        chain.relay(line, "PackLedger", "propose", values)
        if own != 3:
            chain.relay(qp, "PackLedger", "release", {"batch": batch_of(own), "itemRoot": tree.root})
    chain.relay(manager, "RecallBoard", "recallBatch",
                {"mah": MAKER, "batch": batch_of(4), "kind": 2, "reason": bytes(32)})  # fmt: skip
    return made


def same_serial(ledger: Ledger) -> list[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for own in (1, 2, 4):
        for index, uri in enumerate(ledger.trees[batch_of(own)][0].uris):
            places.setdefault(uri, []).append(batch_of(own) << 20 | index)
    return [pair for units in places.values() for pair in pairwise(units)]


def random_call(dice: random.Random, pool: Sequence[int], pairs: Sequence[tuple[int, int]], model: Model) -> Call:
    units = tuple(dice.choices(pool, k=dice.randint(1, MOST)))
    changes = [number for number, (call, _) in enumerate(model.done) if call.kind == "change"]
    kind = dice.choices(KINDS, (10, 3, 3, 2, 2))[0]
    if kind in ("reverse", "restore") and changes:
        of = dice.choice(changes[-4:])
        call = model.done[of][0]
        if kind == "restore" or call.to in (S, E, P, F):
            positions = tuple(dice.choices(range(len(call.units)), k=dice.randint(1, 4)))
            return Call(kind, call.party, of=of, positions=positions)
    if kind == "lift":
        return Call("lift", units=units, duplicates=dice.random() < 0.4)
    if kind == "prove":
        return Call("prove", units=dice.choice(pairs))
    to = dice.choice((S, S, *TABLE))
    return Call("change", dice.choice((PHARMACY, OTHER) if to is S else tuple(ROLES)), to, units)


@pytest.mark.parametrize("seed", SEEDS)
def test_ledger_agrees_with_the_model_and_packed_calls_with_single_ones(ledger: Ledger, seed: int) -> None:
    dice = random.Random(seed)
    pairs = same_serial(ledger)
    pool = sorted({unit for pair in pairs for unit in pair})
    pool += [batch_of(own) << 20 | index for own in (1, 2, 3, 4) for index in (63, 64, 300)]
    pool += [batch_of(9) << 20]
    model = Model({batch_of(own): (300, own != 3, own == 4) for own in range(1, 5)})
    provider, nonces = ledger.chain.w3.provider, dict(ledger.chain.nonces)
    before = provider.make_request("evm_snapshot", [])["result"]
    changing: set[str] = set()
    for _ in range(CALLS):
        call = random_call(dice, pool, pairs, model)
        wanted = model.apply(call)
        assert ledger.apply(call) == wanted, call
        if call.kind == "prove" or min(wanted) < REFUSED:
            changing.add(call.kind)
    assert changing == set(KINDS)
    _check(ledger, model, pool)

    provider.make_request("evm_revert", [before])
    ledger.chain.nonces = nonces
    ledger.receipts, single = [], {}
    for number, (call, wanted) in enumerate(model.done):
        outcomes = b""
        for position, one in enumerate(_singles(call)):
            if call.of >= 0:
                one = Call(one.kind, one.party, of=single[call.of, call.positions[position]], positions=(0,))
            outcomes += ledger.apply(one)
            single[number, position] = len(ledger.receipts) - 1
        assert outcomes == wanted, call
    _check(ledger, model, pool)


def _singles(call: Call) -> list[Call]:
    """The same, one unit in a call; which call is undone is for the caller to say."""
    if call.kind == "prove":
        return [call]
    if call.of >= 0:
        return [call] * len(call.positions)
    return [Call(call.kind, call.party, call.to, (unit,), duplicates=call.duplicates) for unit in call.units]


def _check(ledger: Ledger, model: Model, pool: Sequence[int]) -> None:
    for unit in pool:
        status, _batch, _recall, _since, twin, *_ = ledger.chain.read("PackLedger", "factsOf", unit)
        assert (Status(status), twin) == (model.statuses.get(unit, A), model.twins.get(unit, 0)), unit
