"""Gas as the relayer's receipts show it: base cost, calldata (floor of EIP-7623 included) and execution together.

The figures are committed in contracts/gas-snapshot.json, so that a change in them shows up in review.
Write them anew with PACKTRACE_WRITE_SNAPSHOTS=1.
"""

import hashlib
import json
import os
from typing import Any

import pytest

REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER = 1, 2, 4, 8, 16
OPERATE, LINE, QUALITY, MANAGE = 1, 2, 4, 8
SUPPLIED, LOCKED, SUSPECT = 1, 7, 8
FOREVER = 2**40 - 1
EXPIRES = 4_102_444_800  # 2100-01-01: a date that depends on the day of the run would change the calldata's gas
TRANSACTION_CAP = 16_777_216  # EIP-7825
PRODUCT, LOT, ROOT = (hashlib.sha256(text).digest() for text in (b"product", b"lot", b"root"))

MAKER, PLANT, TRADER, PHARMACY, AGENCY = 1001, 1002, 2001, 3001, 9001


class Figures(dict[str, int]):
    def note(self, name: str, receipt: Any) -> int:
        self[name] = receipt["gasUsed"]
        assert self[name] < TRANSACTION_CAP, name
        return self[name]


def batch_of(party: int, own: int) -> int:
    return (party << 22) | own


def case_of(party: int, own: int) -> int:
    return (party << 42) | own


def units_of(batch: int, indices: Any) -> bytes:
    return b"".join(((batch << 20) | index).to_bytes(8, "big") for index in indices)


@pytest.fixture
def world(chain: Any) -> Any:
    """A maker with a plant, a wholesaler, a pharmacy and an agency, each with a key."""
    chain.party(MAKER, MAKER, MAH)
    chain.party(PLANT, MAKER, MANUFACTURER)
    chain.party(TRADER, TRADER, WHOLESALER)
    chain.party(PHARMACY, PHARMACY, DISPENSER)
    chain.party(AGENCY, AGENCY, REGULATOR)
    chain.line = chain.key(PLANT, "line", LINE | OPERATE)
    chain.qp = chain.key(PLANT, "qp", QUALITY)
    chain.maker = chain.key(MAKER, "maker", OPERATE | MANAGE | QUALITY)
    chain.trader = chain.key(TRADER, "trader", OPERATE)
    chain.pharmacist = chain.key(PHARMACY, "pharmacist", OPERATE)
    chain.agent = chain.key(AGENCY, "agent", OPERATE)
    chain.write("PartyRegistry", "registerProduct", PRODUCT, MAKER)
    chain.relay(chain.maker, "PartyRegistry", "authoriseLine",
                {"productKey": PRODUCT, "party": PLANT, "until": FOREVER})  # fmt: skip
    chain.relay(chain.maker, "PartyRegistry", "authoriseQuality",
                {"productKey": PRODUCT, "key": chain.qp.address, "until": FOREVER})  # fmt: skip
    return chain


def root_of(own: int) -> bytes:
    return hashlib.sha256(ROOT + bytes([own])).digest()


def propose(world: Any, own: int, count: int = 10_000, root: bytes | None = None) -> Any:
    batch = batch_of(PLANT, own)
    lot = hashlib.sha256(LOT + bytes([own])).digest()
    values = {"batch": batch, "productKey": PRODUCT, "lotKey": lot, "itemRoot": root or root_of(own),
              "count": count, "expiresAt": EXPIRES}  # fmt: skip
    return world.relay(world.line, "PackLedger", "propose", values)


def release(world: Any, own: int, root: bytes | None = None) -> Any:
    values = {"batch": batch_of(PLANT, own), "itemRoot": root or root_of(own)}
    return world.relay(world.qp, "PackLedger", "release", values)


def change(world: Any, key: Any, to: int, units: bytes) -> Any:
    values = {"to": to, "units": units, "openings": hashlib.sha256(units).digest()}
    return world.relay(key, "PackLedger", "changeStatus", values)


def receipt_of(world: Any, changed: Any) -> Any:
    event = world.contracts["PackLedger"].events.StatusChanged().process_receipt(changed)[0]["args"]
    time = world.w3.eth.get_block(changed["blockNumber"])["timestamp"]
    return (event["id"], event["party"], event["to"], time, event["openings"], event["units"], event["outcomes"])


def reverse(world: Any, key: Any, changed: Any, positions: bytes) -> Any:
    receipt = receipt_of(world, changed)
    values = {"id": receipt[0], "positions": positions}
    consent = world.consent(key, "PackLedger", "reverseStatus", values)
    return world.send("PackLedger", "reverseStatus", [receipt, positions], consent)


def lift(world: Any, units: bytes) -> Any:
    values = {"units": units, "duplicates": False}
    consents = [world.consent(key, "PackLedger", "liftStatus", values) for key in (world.maker, world.agent)]
    return world.send("PackLedger", "liftStatus", [units, False], *consents)


def restore(world: Any, changed: Any, positions: bytes) -> Any:
    receipt = receipt_of(world, changed)
    values = {"id": receipt[0], "positions": positions, "ground": 1}
    consents = [world.consent(key, "PackLedger", "restoreStatus", values) for key in (world.maker, world.agent)]
    return world.send("PackLedger", "restoreStatus", [receipt, positions, 1], *consents)


def prove(world: Any, *own: int) -> Any:
    """The first item of each of two batches of 2^20 (or whatever of it a path of 20 nodes needs) has one serial."""
    uri = b"https://id.gs1.org/01/09506000134352/21/" + b"S" * 20
    salt, path = bytes(range(1, 17)), [hashlib.sha256(bytes([level])).digest() for level in range(20)]
    root = hashlib.sha256(b"\0packtrace/item/v1\1" + salt + uri).digest()
    for node in path:
        root = hashlib.sha256(b"\1" + root + node).digest()
    for number in own:
        propose(world, number, 1 << 20, root)
        release(world, number, root)
    openings = [(batch_of(PLANT, number) << 20, salt, path) for number in own]
    return world.send("PackLedger", "proveDuplicate", [uri, *openings])


def registration(number: int, children: list[int]) -> dict[str, Any]:
    named = number.to_bytes(8, "big")
    return {"number": number, "ssccCommitment": hashlib.sha256(b"s" + named).digest(),
            "contentRoot": hashlib.sha256(b"c" + named).digest(), "count": 100, "children": children}  # fmt: skip


@pytest.fixture
def figures(world: Any) -> Figures:
    """Every kind of call, first on lanes that are new, then on lanes in use."""
    made = Figures()
    made.note("propose, first of its lane", propose(world, 1))
    made.note("release, first of its lane", release(world, 1))
    made.note("propose", propose(world, 2))
    made.note("release", release(world, 2))
    for own in range(3, 54):
        propose(world, own, 1 << 20)
        release(world, own)
    wide = batch_of(PLANT, 3)

    made.note(
        "dispense one, fresh slot, first of its lane", change(world, world.pharmacist, SUPPLIED, units_of(wide, [0]))
    )
    made.note("dispense one, fresh slot", change(world, world.pharmacist, SUPPLIED, units_of(wide, [64 * 5000])))
    made.note("dispense one, slot in use", change(world, world.pharmacist, SUPPLIED, units_of(wide, [1])))
    made.note("dispense one already supplied", change(world, world.pharmacist, SUPPLIED, units_of(wide, [1])))

    scattered = [64 * slot for slot in range(1, 201)]
    made.note("lock 200, 200 fresh slots", change(world, world.maker, LOCKED, units_of(wide, scattered)))
    made.note("dispense 200, 200 slots in use",
              change(world, world.pharmacist, SUPPLIED, units_of(wide, [i + 1 for i in scattered])))  # fmt: skip
    made.note("dispense 200, 4 slots in use",
              change(world, world.pharmacist, SUPPLIED, units_of(wide, [64 + 2 + i for i in range(200)])))  # fmt: skip
    made.note("dispense 200 already supplied",
              change(world, world.pharmacist, SUPPLIED, units_of(wide, [64 + 2 + i for i in range(200)])))  # fmt: skip
    last = [64 * slot for slot in range(1000, 1256)]
    made.note("dispense 256, 256 fresh slots",
              change(world, world.pharmacist, SUPPLIED, units_of(wide, last)))  # fmt: skip
    for own in range(4, 54):
        change(world, world.maker, LOCKED, units_of(batch_of(PLANT, own), [0]))
    many = b"".join(units_of(batch_of(PLANT, own), [1]) for own in range(4, 54))
    made.note("dispense 50 of 50 batches, slots in use", change(world, world.pharmacist, SUPPLIED, many))

    receipt = change(world, world.pharmacist, SUPPLIED, units_of(wide, range(64 * 300, 64 * 300 + 200)))
    made.note("reverse 200, 4 slots", reverse(world, world.pharmacist, receipt, bytes(range(200))))
    change(world, world.maker, LOCKED, units_of(wide, range(64 * 400, 64 * 400 + 200)))
    made.note("lift 200, 4 slots", lift(world, units_of(wide, range(64 * 400, 64 * 400 + 200))))

    changed = change(world, world.maker, LOCKED, units_of(wide, range(64 * 500, 64 * 500 + 200)))
    made.note("restore 200, 4 slots", restore(world, changed, bytes(range(200))))
    made.note("prove a duplicate, 20 levels, two batches", prove(world, 60, 61))

    made.note("append, first of its lane", world.relay(world.maker, "EventLog", "append",
              {"lane": 0, "sequence": 0, "root": ROOT, "count": 100}))  # fmt: skip
    made.note("append", world.relay(world.maker, "EventLog", "append",
              {"lane": 0, "sequence": 1, "root": LOT, "count": 100}))  # fmt: skip

    cases = [case_of(PLANT, own) for own in range(1, 101)]
    pallet = case_of(PLANT, 1_000)
    made.note("register 100 cases", world.relay(world.line, "CustodyLedger", "register",
              {"registrations": [registration(number, []) for number in cases]}))  # fmt: skip
    made.note("register a pallet of 100 cases", world.relay(world.line, "CustodyLedger", "register",
              {"registrations": [registration(pallet, cases)]}))  # fmt: skip
    made.note("register 256 units", world.relay(world.line, "CustodyLedger", "register",
              {"registrations": [registration(case_of(PLANT, 2_000 + own), []) for own in range(256)]}))  # fmt: skip
    made.note("ship a pallet", world.relay(world.line, "CustodyLedger", "ship", {"numbers": [pallet], "to": TRADER}))
    world.relay(world.trader, "CustodyLedger", "receiveShipment", {"numbers": [pallet]})
    world.relay(world.trader, "CustodyLedger", "ship", {"numbers": [pallet], "to": TRADER})
    made.note("receive a pallet", world.relay(world.trader, "CustodyLedger", "receiveShipment", {"numbers": [pallet]}))
    more = case_of(PLANT, 3_000)
    cases = [case_of(PLANT, 2_000 + own) for own in range(100)]
    world.relay(world.line, "CustodyLedger", "register", {"registrations": [registration(more, cases)]})
    world.relay(world.line, "CustodyLedger", "ship", {"numbers": [more], "to": TRADER})
    made.note("receive a pallet, 1 case missing", world.relay(world.trader, "CustodyLedger", "receivePartly",
              {"number": more, "missing": cases[:1]}))  # fmt: skip
    made.note("unpack a pallet", world.relay(world.trader, "CustodyLedger", "unpack", {"numbers": [pallet]}))

    made.note("recall a lot", world.relay(world.maker, "RecallBoard", "recallLot",
              {"mah": MAKER, "lotKey": LOT, "kind": 2, "reason": ROOT}))  # fmt: skip
    return made


def test_gas_as_committed(figures: Figures, project: Any) -> None:
    snapshot = project / "contracts" / "gas-snapshot.json"
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(figures, indent=2) + "\n")
    assert figures == json.loads(snapshot.read_text())
    assert figures["propose"] + figures["release"] <= 10_000 * 20
    assert figures["dispense 200, 200 slots in use"] <= 200 * 8_000
    assert figures["dispense one, fresh slot"] <= 120_000
