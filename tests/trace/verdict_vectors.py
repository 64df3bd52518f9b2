"""Verdicts on a small world, and on each link of its evidence tampered with: what the phone page must say as well."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from eth_account import Account
from journeys import (
    CASE,
    LINE,
    MAH,
    NOW,
    OTHER,
    PALLET,
    PHARMACY,
    SCAN,
    WHOLESALER,
    World,
    declare,
    hold,
    journey,
    ship,
)

from packtrace.commit.pedigree import Pedigree
from packtrace.evidence import examine
from packtrace.facts import (
    BatchSigner,
    BatchState,
    CustodyState,
    Facts,
    KeyFacts,
    Recall,
    Status,
    StatusChange,
)
from packtrace.gs1 import sgtin_uri
from packtrace.locator import read_answer, sign_answer
from packtrace.scan import Place, Scan
from packtrace.verdict import Verdict, judge

Json = dict[str, Any]
NETWORK = "31337:0x0000000000000000000000000000000000000001"
HOLDER = Account.from_key(bytes([7]) * 32)
TWIN = 7 << 42 | 5 << 20 | 9


def vectors() -> Iterator[Json]:
    """Every vector: what a verdict was given on, and the verdict."""
    for name, change in WORLDS.items():
        world = journey()
        facts = change(world) or {}
        place = facts.pop("place", PHARMACY)
        scan = facts.pop("scan", SCAN)
        yield vector(name, world, scan, place, None if facts.get("facts", 1) is None else world.facts(**facts))
    for name, tamper in TAMPERED.items():
        world = journey()
        plain = pedigree(world, SCAN)
        tamper(plain)
        yield vector(f"tampered: {name}", world, SCAN, PHARMACY, world.facts(), plain)
    yield from located()


def pedigree(world: World, scan: Scan) -> Json:
    uri = sgtin_uri(scan.gtin, scan.serial)
    made: Json = json.loads(json.dumps(Pedigree(tuple(world.disclosures([uri, CASE, PALLET]))).to_json()))
    return made


def vector(
    name: str, world: World, scan: Scan, place: int | None, facts: Facts | None, plain: Json | None = None
) -> Json:
    material = plain or pedigree(world, scan)
    evidence = examine(scan, Pedigree.from_json(material).disclosures)
    verdict = judge(scan, evidence, None, facts, Place(place) if place else None, NOW)
    return written(name, scan, {"pedigree": material, "answer": None, "receipt": None}, facts, place, verdict)


def located() -> Iterator[Json]:
    """Answers of the holder, or of somebody else, about a pack whose pedigree is not here."""
    for kind in ("unit", "never", "differs"):
        for who, signer, time in (
            ("holder", HOLDER, NOW),
            ("stranger", Account.from_key(b"\x09" * 32), NOW),
            ("old", HOLDER, NOW - 7200),
        ):
            world = journey()
            made = (
                Pedigree(tuple(world.disclosures([sgtin_uri(SCAN.gtin, SCAN.serial)])[:1])) if kind == "unit" else None
            )
            plain = json.loads(json.dumps(sign_answer(signer, NETWORK, kind, SCAN, time, made)))
            answer = read_answer(plain, NETWORK, SCAN)
            evidence = examine(SCAN, answer.pedigree.disclosures if answer.pedigree else ())
            keys = dict(world.facts().keys) | {HOLDER.address: KeyFacts(MAH, 1, True)}
            facts = world.facts(keys=keys)
            verdict = judge(SCAN, evidence, answer, facts, Place(PHARMACY), NOW)
            material = {"pedigree": None, "answer": plain, "receipt": None}
            yield written(f"located: {kind} by {who}", SCAN, material, facts, PHARMACY, verdict)
    world = journey()
    verdict = judge(SCAN, examine(SCAN, ()), None, world.facts(), Place(PHARMACY), NOW)
    empty = {"pedigree": Pedigree(()).to_json(), "answer": None, "receipt": None}
    yield written("nobody knows the pack", SCAN, empty, world.facts(), PHARMACY, verdict)


def written(name: str, scan: Scan, material: Json, facts: Facts | None, place: int | None, verdict: Verdict) -> Json:
    given = verdict.to_json()
    return {
        "name": name,
        "scan": {
            "gtin": scan.gtin,
            "serial": scan.serial,
            "lot": scan.lot,
            "expiry": scan.expiry.isoformat() if scan.expiry else None,
        },
        "network": NETWORK,
        "material": material,
        "facts": facts and _facts(facts),
        "place": place,
        "now": NOW,
        "verdict": {
            "headline": given["headline"],
            "case": given["case"],
            "unit": given["unit"],
            "product": given["product"] or None,
            "checks": [[check["name"], check["passed"]] for check in given["checks"]],
            "history": [
                [entry[key] for key in ("time", "step", "party", "carrier", "proof")] for entry in given["history"]
            ],
        },
    }


def _facts(facts: Facts) -> Json:
    """Plain JSON; bytes in hexadecimal, numbers of 64 bits as texts, addresses in lower case."""
    unit = facts.unit
    return {
        "block": {"number": facts.block.number, "hash": facts.block.hash.hex(), "timestamp": facts.block.timestamp},
        "finalTime": facts.final_time,
        "entries": [
            [f"{party}/{lane}/{number}", {"root": e.root.hex(), "count": e.count, "time": e.time, "key": e.key.lower()}]
            for (party, lane, number), e in facts.entries.items()
        ],
        "parties": [[number, {"company": p.company, "name": p.name}] for number, p in facts.parties.items()],
        "keys": [
            [
                key.lower(),
                {
                    "party": k.party,
                    "purposes": k.purposes,
                    "valid": k.valid,
                    "compromisedSince": k.compromised_since,
                },
            ]
            for key, k in facts.keys.items()
        ],
        "logistic": [
            [str(number), {"state": u.state, "holder": u.holder, "content": u.content.hex()}]
            for number, u in facts.logistic.items()
        ],
        "unit": unit
        and {
            "status": unit.status,
            "recall": unit.recall,
            "recalledAt": unit.recalled_at,
            "twin": None if unit.twin is None else str(unit.twin),
            "batch": {
                "itemRoot": unit.batch.item_root.hex(),
                "lotKey": unit.batch.lot_key.hex(),
                "productKey": unit.batch.product_key.hex(),
                "mah": unit.batch.mah,
                "count": unit.batch.count,
                "expiresAt": unit.batch.expires_at,
                "proposedAt": unit.batch.proposed_at,
                "releasedAt": unit.batch.released_at,
                "state": unit.batch.state,
                "proposer": _signer(unit.batch.proposer),
                "releaser": unit.batch.releaser and _signer(unit.batch.releaser),
            },
        },
        "change": facts.change
        and {
            "receipt": facts.change.receipt.hex(),
            "party": facts.change.party,
            "to": facts.change.to,
            "time": facts.change.time,
        },
        "mahOfGtin": facts.mah_of_gtin,
    }


def _signer(signer: BatchSigner) -> Json:
    return {"key": signer.key, "compromisedSince": signer.compromised_since}


# ---- worlds ----


def _unit(**changes: Any) -> Callable[[World], Json]:
    def changed(world: World) -> Json:
        unit = world.facts().unit
        assert unit is not None
        batch = {name: value for name, value in changes.items() if hasattr(unit.batch, name)}
        rest = {name: value for name, value in changes.items() if name not in batch}
        return {"unit": replace(unit, batch=replace(unit.batch, **batch), **rest)}

    return changed


def _supplied(world: World) -> Json:
    change = StatusChange(bytes(range(32)), PHARMACY, Status.SUPPLIED, NOW - 60)
    return _unit(status=Status.SUPPLIED)(world) | {"change": change}


def _other_change(world: World) -> Json:
    change = StatusChange(bytes(range(32)), PHARMACY, Status.SUPPLIED, NOW - 60)
    return _unit(status=Status.LOCKED)(world) | {"change": change}


def _in_transit(world: World) -> None:
    hold(world, 0, PHARMACY, CustodyState.IN_TRANSIT)


def _key(party: int, **changes: Any) -> Callable[[World], Json]:
    def changed(world: World) -> Json:
        keys = dict(world.facts().keys)
        keys[f"0xkey{party}"] = replace(keys[f"0xkey{party}"], **changes)
        return {"keys": keys}

    return changed


def _without_entry(number: int) -> Callable[[World], None]:
    def changed(world: World) -> None:
        key = next(key for key in world.entries if key[2] == number)
        del world.entries[key]

    return changed


def _other_root(world: World) -> None:
    key = next(iter(world.entries))
    world.entries[key] = replace(world.entries[key], root=bytes(32))


def _other_content(world: World) -> None:
    number = next(iter(world.logistic))
    world.logistic[number] = replace(world.logistic[number], content=bytes(32))


def _no_content(world: World) -> None:
    world.logistic.clear()


def _shipped_on(world: World) -> None:
    ship(world, 9, PHARMACY, CASE, OTHER)


def _stranger_ships(world: World) -> None:
    ship(world, 9, OTHER, CASE, OTHER)


WORLDS: dict[str, Callable[[World], Json | None]] = {
    "authentic, available": lambda world: None,
    "final": lambda world: {"final_time": NOW + 1},
    "no node": lambda world: {"facts": None},
    "an old block": lambda world: {"block": replace(world.facts().block, timestamp=NOW - 901)},
    "place not known": lambda world: {"place": None},
    "another place": lambda world: {"place": OTHER},
    "other expiry printed": lambda world: {"scan": replace(SCAN, expiry=date(2029, 1, 31))},
    "other lot printed": lambda world: {"scan": replace(SCAN, lot="OTHER")},
    "lot not read": lambda world: {"scan": replace(SCAN, lot=None)},
    "recalled": _unit(recall=Recall.RECALLED, recalled_at=NOW),
    "withdrawn": _unit(recall=Recall.WITHDRAWN, recalled_at=NOW),
    "supplied": _supplied,
    "supplied, by whom is not known": _unit(status=Status.SUPPLIED),
    "a change to another status": _other_change,
    "proposed": _unit(state=BatchState.PROPOSED),
    "withdrawn before release": _unit(state=BatchState.WITHDRAWN),
    "a twin": _unit(twin=TWIN),
    "batch with other items": _unit(item_root=bytes(32)),
    "batch of another holder": _unit(mah=OTHER),
    "batch of another product": _unit(product_key=bytes(32)),
    "line's key compromised": _unit(proposer=BatchSigner("0xline", NOW)),
    "QP's key compromised later": _unit(releaser=BatchSigner("0xqp", NOW + 1)),
    "batch not on chain": lambda world: {"unit": None},
    "GTIN of another holder": lambda world: {"mah_of_gtin": OTHER},
    "key compromised before": _key(WHOLESALER, compromised_since=NOW),
    "key compromised after": _key(WHOLESALER, compromised_since=NOW + 1),
    "wholesaler's entry missing": _without_entry(3 + 1),
    "own entry on its way": _without_entry(8),
    "an entry with another root": _other_root,
    "content differs": _other_content,
    "content not on chain": _no_content,
    "case on its way on chain": _in_transit,
    "shipped on": _shipped_on,
    "a stranger ships it": _stranger_ships,
    "receipt declared erroneous": lambda world: declare(world, 7) and None,
    "commissioning declared erroneous": lambda world: declare(world, 0) and None,
    "somebody else's event declared erroneous": lambda world: declare(world, 0, party=OTHER) and None,
}


# ---- tampering: every member of the pedigree in turn ----


def _core(event: int, **changes: Any) -> Callable[[Json], None]:
    def tamper(plain: Json) -> None:
        field = plain["events"][event]["f"][0]
        field[2] = json.dumps(json.loads(field[2]) | changes)

    return tamper


def _flip(event: int, member: str) -> Callable[[Json], None]:
    def tamper(plain: Json) -> None:
        entry = plain["events"][event]
        entry[member] = ("B" if entry[member][:1] != "B" else "C") + entry[member][1:]

    return tamper


def _seal(event: int, at: int, value: Any) -> Callable[[Json], None]:
    def tamper(plain: Json) -> None:
        plain["events"][event]["seal"][at] = value

    return tamper


def _closed(plain: Json) -> None:
    fields = plain["events"][3]["f"]
    fields[1] = "A" * 43


def _suffix(plain: Json) -> None:
    plain["events"][0]["u"] = "4"
    plain["events"][0]["p"] = plain["events"][0]["p"][:-1]


def _twice(plain: Json) -> None:
    plain["events"].append(plain["events"][4])


def _left_out(plain: Json) -> None:
    del plain["events"][6]


def _unneeded(plain: Json) -> None:
    plain["events"][0]["n"] += "A" * 43 if len(plain["events"][0]["n"]) % 4 == 0 else ""


TAMPERED: dict[str, Callable[[Json], None]] = {
    "another time": _core(0, eventTime="2026-11-22T08:00:00.000Z"),
    "another receiver": _core(6, receiver=OTHER),
    "another party": _core(4, party=LINE),
    "another step": _core(7, bizStep="inspecting"),
    "a party that is none": _core(4, party=0),
    "a time that is none": _core(4, recordTime="yesterday"),
    "a field's hash": _closed,
    "an item's salt": _flip(0, "s"),
    "a proof's node": _flip(0, "n"),
    "an item's position": lambda plain: plain["events"][0].update(i=[4]),
    "another serial in the proof": _suffix,
    "a seal's party": _seal(2, 0, OTHER),
    "a seal's sequence": _seal(2, 2, 77),
    "a seal's index": _seal(2, 4, 0),
    "a seal's count": _seal(2, 3, 4),
    "no seal": lambda plain: plain["events"][2].update(seal=None),
    "an event twice": _twice,
    "an event left out": _left_out,
}
