"""Vectors shared by Solidity, Python and JavaScript, each held against the deployed contracts.

tests/vectors/chain_typed_data.json   EIP-712: message, struct hash, digest and signature of every signed function
tests/vectors/chain_numbers.json      numbers of batches, units and logistic units; packed lists; status words
tests/vectors/chain_openings.json     RFC 9162 roots over leaf hashes, as `openings` of a status change commit to them
tests/vectors/chain_receipts.json     receipts of status changes, what their outcomes say, and their hash
tests/vectors/chain_duplicates.json   one serial in two batches: both openings, as `proveDuplicate` takes them

Integers are decimal strings (JavaScript's numbers end at 2^53) where they may be long, bytes are hexadecimal with 0x.
Write the files anew with PACKTRACE_WRITE_SNAPSHOTS=1. JavaScript computes the same in tests/scanner/web. Multiproofs,
seals, salted fields and the openings of a status change are not computed on chain: those vectors are for the other two.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from packtrace.chain.facts import receipt_hash_of
from packtrace.commit import merkle
from packtrace.commit.items import Role, shown_leaf_hash
from packtrace.facts import Refusal, Status
from packtrace.receipt import REFUSED, Receipt

HERE_ON = 4_102_444_800  # 2100-01-01
DEADLINE = 2**48 - 1
PARTY = 1002
BATCH = 1002 * 2**22 + 7
UNIT = BATCH * 2**20 + 99
CASE, PALLET = 1002 * 2**42 + 5, 1002 * 2**42 + 6
KEY = Account.from_key(keccak(text="packtrace/vectors"))
OLD_KEY = Account.from_key(keccak(text="packtrace/vectors/old")).address


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def packed(*units: int) -> bytes:
    return b"".join(unit.to_bytes(8, "big") for unit in units)


def registration(number: int, children: list[int]) -> dict[str, Any]:
    return {"number": number, "ssccCommitment": digest_of(f"sscc {number}"),
            "contentRoot": digest_of(f"content {number}"), "count": 10, "children": children}  # fmt: skip


LOT, PRODUCT, NOTICE = digest_of("lot"), digest_of("product"), digest_of("notice")
MESSAGES: dict[str, dict[str, Any]] = {
    "PartyRegistry.authoriseLine": {"productKey": PRODUCT, "party": PARTY, "until": HERE_ON},
    "PartyRegistry.authoriseQuality": {"productKey": PRODUCT, "key": KEY.address, "until": HERE_ON},
    "PartyRegistry.rotateKey": {"oldKey": OLD_KEY, "newKey": KEY.address},
    "PartyRegistry.replaceKey": {"oldKey": OLD_KEY, "newKey": KEY.address, "validUntil": HERE_ON},
    "PackLedger.propose": {"batch": BATCH, "productKey": PRODUCT, "lotKey": LOT, "itemRoot": digest_of("root"),
                           "count": 10_000, "expiresAt": HERE_ON},
    "PackLedger.release": {"batch": BATCH, "itemRoot": digest_of("root")},
    "PackLedger.withdraw": {"batch": BATCH},
    "PackLedger.changeStatus": {"to": 1, "units": packed(UNIT, UNIT + 1), "openings": digest_of("openings")},
    "PackLedger.reverseStatus": {"id": digest_of("receipt"), "positions": b"\x00\x02"},
    "PackLedger.liftStatus": {"units": packed(UNIT), "duplicates": True},
    "PackLedger.restoreStatus": {"id": digest_of("receipt"), "positions": b"\x00\x02", "ground": 1},
    "CustodyLedger.register": {"registrations": [registration(CASE, []), registration(PALLET, [CASE, CASE + 2])]},
    "CustodyLedger.ship": {"numbers": [CASE, PALLET], "to": 2001},
    "CustodyLedger.cancelShipment": {"numbers": [CASE]},
    "CustodyLedger.receiveShipment": {"numbers": [CASE]},
    "CustodyLedger.receivePartly": {"number": PALLET, "missing": [CASE, CASE + 2]},
    "CustodyLedger.refuseShipment": {"numbers": [CASE]},
    "CustodyLedger.unpack": {"numbers": [CASE]},
    "CustodyLedger.takeOut": {"numbers": [CASE]},
    "RecallBoard.recallLot": {"mah": 1001, "lotKey": LOT, "kind": 2, "reason": NOTICE},
    "RecallBoard.recallBatch": {"mah": 1001, "batch": BATCH, "kind": 1, "reason": NOTICE},
    "RecallBoard.liftRecall": {"mah": 1001, "subject": LOT, "reason": NOTICE},
    "EventLog.append": {"lane": 3, "sequence": 0, "root": digest_of("batch of events"), "count": 12},
}  # fmt: skip


def plain(value: Any) -> Any:
    """As it stands in a vector file."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if isinstance(value, bool):
        return value
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def committed(vectors: Path, name: str, made: Any) -> Any:
    """The committed file, written first when asked to."""
    path = vectors / name
    if os.environ.get("PACKTRACE_WRITE_SNAPSHOTS"):
        path.write_text(json.dumps(made, indent=2) + "\n")
    return json.loads(path.read_text())


# ---- typed data ----


def vector_of(chain: Any, name: str) -> dict[str, Any]:
    contract, function = name.split(".")
    nonce = 3 << 64  # the first of lane 3
    data = chain.typed_data(contract, function, MESSAGES[name], KEY.address, nonce, DEADLINE)
    signable = encode_typed_data(full_message=data)
    return {
        "contract": contract,
        "function": function,
        "encodedType": chain.encoded_types[name],
        "domain": plain(data["domain"]),
        "message": plain(data["message"]),
        "structHash": plain(bytes(signable.body)),
        "digest": plain(bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))),
        "privateKey": plain(bytes(KEY.key)),
        "signature": plain(bytes(KEY.sign_message(signable).signature)),
    }


def test_typed_data_vectors_are_as_committed(chain: Any, vectors: Path) -> None:
    assert set(MESSAGES) == set(chain.encoded_types), "every signed function has a vector"
    made = [vector_of(chain, name) for name in MESSAGES]
    assert committed(vectors, "chain_typed_data.json", made) == made


@pytest.mark.parametrize("name", MESSAGES)
def test_contract_agrees_on_the_digest(name: str, chain: Any, vectors: Path) -> None:
    """The signature over the vector's digest passes; the call then fails for what the empty contracts do not know."""
    vector = next(v for v in json.loads((vectors / "chain_typed_data.json").read_text())
                  if f"{v['contract']}.{v['function']}" == name)  # fmt: skip
    consent = (KEY.address, int(vector["message"]["nonce"]), DEADLINE, bytes.fromhex(vector["signature"][2:]))
    spoilt = (*consent[:3], consent[3][:40] + bytes([consent[3][40] ^ 1]) + consent[3][41:])
    arguments = chain.arguments_of(vector["function"], MESSAGES[name])
    if vector["function"] in ("reverseStatus", "restoreStatus"):
        receipt = (MESSAGES[name]["id"], PARTY, 1, 0, bytes(32), b"", b"")
        arguments = [receipt, *arguments[1:]]
    assert chain.refusal(vector["contract"], vector["function"], arguments, spoilt) == "InvalidConsent"
    reason = chain.refusal(vector["contract"], vector["function"], arguments, consent)
    assert reason in {"UnknownKey", "BatchNotProposed", "NotReceipt"}


# ---- numbers ----


def numbers_made() -> dict[str, Any]:
    units = [
        {"party": party, "own": own, "index": index, "batch": party * 2**22 + own,
         "unit": party * 2**42 + own * 2**20 + index}
        for party, own, index in [
            (1, 0, 0), (1, 0, 1), (1, 1, 0), (1002, 7, 99), (2**22 - 1, 2**22 - 1, 2**20 - 1), (9001, 2**22 - 1, 63)
        ]
    ]  # fmt: skip
    logistic = [
        {"party": party, "own": own, "number": party * 2**42 + own}
        for party, own in [(1, 0), (1, 1), (1002, 5), (2**22 - 1, 2**42 - 1)]
    ]
    words = []
    for statuses in [{0: 1}, {63: 8}, {0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8}, {31: 7, 32: 8}]:
        word = sum(status << (4 * place) for place, status in statuses.items())
        words.append(
            {"statuses": {str(place): status for place, status in statuses.items()}, "word": word.to_bytes(32)}
        )
    lists = [
        {"units": [u["unit"] for u in units[:n]], "packed": packed(*(u["unit"] for u in units[:n]))} for n in (1, 3, 6)
    ]
    made: dict[str, Any] = plain({"units": units, "logisticUnits": logistic, "lists": lists, "statusWords": words})
    return made


def test_number_vectors_are_as_committed(vectors: Path) -> None:
    made = numbers_made()
    assert committed(vectors, "chain_numbers.json", made) == made


MAKER, PLANT, PHARMACY = 1001, 1002, 3001


@pytest.fixture
def supply(chain: Any) -> Any:
    """The batch of the vectors, proposed and released; its maker and a pharmacy."""
    chain.party(MAKER, MAKER, 2)
    chain.party(PLANT, MAKER, 4)
    chain.party(PHARMACY, PHARMACY, 16)
    chain.maker = chain.key(MAKER, "maker", 1 | 8)
    chain.line = chain.key(PLANT, "line", 1 | 2 | 4)
    chain.pharmacist = chain.key(PHARMACY, "pharmacist", 1)
    chain.write("PartyRegistry", "registerProduct", PRODUCT, MAKER)
    forever = 2**40 - 1
    chain.relay(
        chain.maker, "PartyRegistry", "authoriseLine", {"productKey": PRODUCT, "party": PLANT, "until": forever}
    )
    chain.relay(chain.maker, "PartyRegistry", "authoriseQuality",
                {"productKey": PRODUCT, "key": chain.line.address, "until": forever})  # fmt: skip
    chain.relay(chain.line, "PackLedger", "propose", MESSAGES["PackLedger.propose"])
    chain.relay(chain.line, "PackLedger", "release", MESSAGES["PackLedger.release"])
    return chain


def test_contract_agrees_on_the_unit_numbers(supply: Any, vectors: Path) -> None:
    unit = next(
        u for u in json.loads((vectors / "chain_numbers.json").read_text())["units"] if u["party"] == str(PARTY)
    )
    assert supply.read("PackLedger", "batchOf", int(unit["batch"]))[4] == 10_000  # count
    values = {"to": 1, "units": int(unit["unit"]).to_bytes(8, "big"), "openings": bytes(32)}
    supply.relay(supply.pharmacist, "PackLedger", "changeStatus", values)
    index = int(unit["index"])
    found = [supply.read("PackLedger", "statusOf", BATCH * 2**20 + i) for i in range(index - 1, index + 2)]
    assert found == [0, 1, 0]


def test_contract_agrees_on_the_logistic_numbers(supply: Any, vectors: Path) -> None:
    numbers = json.loads((vectors / "chain_numbers.json").read_text())["logisticUnits"]
    for lane, vector in enumerate(numbers):
        values = {"registrations": [registration(int(vector["number"]), [])]}
        consent = supply.consent(supply.line, "CustodyLedger", "register", values, lane)
        reason = supply.refusal("CustodyLedger", "register", supply.arguments_of("register", values), consent)
        assert reason == (None if vector["party"] == str(PLANT) else "NumberNotYours")


def test_contract_stores_the_status_words(supply: Any, vectors: Path) -> None:
    """Each word of the vectors is made by calls, 64 units further on, and read from the contract's storage."""
    words = json.loads((vectors / "chain_numbers.json").read_text())["statusWords"]
    for turn, vector in enumerate(words):
        for place, status in vector["statuses"].items():
            unit = BATCH * 2**20 + 64 * turn + int(place)
            who = supply.pharmacist if status == "1" else supply.maker
            values = {"to": int(status), "units": packed(unit), "openings": bytes(32)}
            supply.relay(who, "PackLedger", "changeStatus", values)
        key = ((BATCH * 2**20) >> 6) + turn
        slots = [keccak(key.to_bytes(32) + slot.to_bytes(32)) for slot in range(16)]  # one of them is the mapping's
        ledger = supply.contracts["PackLedger"].address
        stored = [bytes(supply.w3.eth.get_storage_at(ledger, int.from_bytes(slot))).rjust(32, b"\0") for slot in slots]
        assert f"0x{max(stored).hex()}" == vector["word"]


# ---- openings ----


def rfc_root(leaf_hashes: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, as it is written there."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << ((len(leaf_hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + rfc_root(leaf_hashes[:split]) + rfc_root(leaf_hashes[split:])).digest()


def test_openings_vectors_are_as_committed(vectors: Path) -> None:
    hashes = [hashlib.sha256(b"\x00" + digest_of(f"leaf {i}")).digest() for i in range(256)]
    made = plain([{"leafHashes": hashes[:n], "root": rfc_root(hashes[:n])} for n in (1, 2, 3, 5, 8, 200, 256)])
    assert committed(vectors, "chain_openings.json", made) == made


def test_openings_are_the_librarys_tree(vectors: Path) -> None:
    for vector in json.loads((vectors / "chain_openings.json").read_text()):
        hashes = [bytes.fromhex(text[2:]) for text in vector["leafHashes"]]
        assert f"0x{merkle.root(hashes).hex()}" == vector["root"]


# ---- receipts ----


def plain_receipt_hash(receipt: tuple[Any, ...]) -> bytes:
    return keccak(encode(["(bytes32,uint32,uint8,uint40,bytes32,bytes,bytes)"], [receipt]))


def receipts_made() -> list[dict[str, Any]]:
    made = []
    for count in (1, 4, 256):
        outcomes = bytes([0, 8, 0x80 | 3, 0x80 | 9][at % 4] for at in range(count))
        units = packed(*range(UNIT, UNIT + count))
        receipt = (digest_of(f"receipt {count}"), PARTY, 2, HERE_ON + count, digest_of("openings"), units, outcomes)
        names = ("id", "party", "to", "time", "openings", "units", "outcomes")
        told = [
            f"refused: {Refusal(byte ^ REFUSED).name}" if byte & REFUSED else Status(byte).name for byte in outcomes
        ]
        made.append(
            {
                "receipt": {
                    name: value if isinstance(value, int) else plain(value)
                    for name, value in zip(names, receipt, strict=True)
                },
                "outcomes": told,
                "hash": plain(plain_receipt_hash(receipt)),
            }
        )
    return made


def test_receipt_vectors_are_as_committed(vectors: Path) -> None:
    made = receipts_made()
    assert committed(vectors, "chain_receipts.json", made) == made


def test_receipt_vectors_are_the_librarys(vectors: Path) -> None:
    for vector in json.loads((vectors / "chain_receipts.json").read_text()):
        given = {
            name: bytes.fromhex(value[2:]) if isinstance(value, str) else value
            for name, value in vector["receipt"].items()
        }
        receipt = Receipt(**{**given, "to": Status(given["to"])})
        assert f"0x{receipt_hash_of(receipt).hex()}" == vector["hash"]


def test_contract_agrees_on_the_receipts_hash(supply: Any) -> None:
    units = packed(UNIT, UNIT + 1, UNIT, UNIT + 10_000)  # the third was changed by then, the fourth is none
    mined = supply.relay(
        supply.pharmacist, "PackLedger", "changeStatus", {"to": 1, "units": units, "openings": bytes(32)}
    )
    (event,) = supply.contracts["PackLedger"].events.StatusChanged().process_receipt(mined, errors=DISCARD)
    told = event["args"]
    assert told["outcomes"] == bytes([0, 0, 0x80 | Refusal.WRONG_STATUS, 0x80 | Refusal.UNKNOWN_UNIT])
    time = supply.w3.eth.get_block(mined["blockNumber"])["timestamp"]
    receipt = (told["id"], PHARMACY, 1, time, bytes(32), units, told["outcomes"])
    assert supply.read("PackLedger", "receiptHash", told["id"]) == plain_receipt_hash(receipt)


# ---- duplicates ----


def rfc_path(leaf_hashes: list[bytes], index: int) -> list[bytes]:
    """RFC 9162, section 2.1.3.1, as it is written there."""
    if len(leaf_hashes) == 1:
        return []
    split = 1 << ((len(leaf_hashes) - 1).bit_length() - 1)
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if index < split:
        return [*rfc_path(left, index), rfc_root(right)]
    return [*rfc_path(right, index - split), rfc_root(left)]


DUPLICATES = {  # serial → where it stands: own number of the batch, its count, index
    "A1": [(8, 5, 0), (9, 7, 6)],
    "B%2F2": [(8, 5, 4), (8, 5, 1)],
    "C3": [(10, 1, 0), (11, 200, 199)],
}


def duplicates_made() -> list[dict[str, Any]]:
    """A serial at two places of two batches, or of one: sizes with and without a lone last leaf."""
    made = []
    for serial, places in DUPLICATES.items():
        uri = f"https://id.gs1.org/01/09506000134352/21/{serial}"
        batches = []
        for own, count, index in places:
            batch = PARTY * 2**22 + own
            salts = [digest_of(f"salt {batch} {at}")[:16] for at in range(count)]
            named = {at: uri for at_own, _, at in places if at_own == own}
            uris = [named.get(at, f"https://id.gs1.org/01/09506000134352/21/N{at}") for at in range(count)]
            leaves = [
                hashlib.sha256(b"\x00packtrace/item/v1\x01" + salt + item.encode()).digest()
                for salt, item in zip(salts, uris, strict=True)
            ]
            opening = {
                "unit": batch * 2**20 + index,
                "salt": salts[index],
                "leaf": leaves[index],
                "path": rfc_path(leaves, index),
            }
            batches.append({"batch": batch, "root": rfc_root(leaves), "opening": opening})
        counted = zip(batches, places, strict=True)
        made.append({"uri": uri, "batches": [{**plain(batch), "count": count} for batch, (_, count, _) in counted]})
    return made


def test_duplicate_vectors_are_as_committed(vectors: Path) -> None:
    made = duplicates_made()
    assert committed(vectors, "chain_duplicates.json", made) == made


def test_duplicate_vectors_are_the_librarys(vectors: Path) -> None:
    for vector in json.loads((vectors / "chain_duplicates.json").read_text()):
        for batch in vector["batches"]:
            opening = batch["opening"]
            leaf = shown_leaf_hash(Role.EPC, bytes.fromhex(opening["salt"][2:]), vector["uri"])
            path = [bytes.fromhex(node[2:]) for node in opening["path"]]
            root = merkle.root_from_path(batch["count"], int(opening["unit"]) % 2**20, leaf, path)
            assert (f"0x{leaf.hex()}", f"0x{root.hex()}") == (opening["leaf"], batch["root"])


@pytest.mark.parametrize("place", range(3))
def test_contract_takes_the_openings_of_a_duplicate(place: int, supply: Any, vectors: Path) -> None:
    vector = json.loads((vectors / "chain_duplicates.json").read_text())[place]
    for batch in {batch["batch"]: batch for batch in vector["batches"]}.values():
        root = bytes.fromhex(batch["root"][2:])
        proposal = MESSAGES["PackLedger.propose"] | {
            "batch": int(batch["batch"]), "itemRoot": root, "count": batch["count"]
        }  # fmt: skip
        supply.relay(supply.line, "PackLedger", "propose", proposal)
        supply.relay(supply.line, "PackLedger", "release", {"batch": int(batch["batch"]), "itemRoot": root})
    openings = sorted(
        (int(o["unit"]), bytes.fromhex(o["salt"][2:]), [bytes.fromhex(node[2:]) for node in o["path"]])
        for o in (batch["opening"] for batch in vector["batches"])
    )
    with pytest.raises(ContractCustomError):
        supply.read("PackLedger", "proveDuplicate", vector["uri"].encode() + b"0", *openings)
    supply.write("PackLedger", "proveDuplicate", vector["uri"].encode(), *openings)
    (unit, *_), (twin, *_) = openings
    assert supply.read("PackLedger", "factsOf", unit)[4] == twin
    assert supply.read("PackLedger", "factsOf", twin)[4] == unit


def test_interfaces_document_every_signed_function(chain: Any, project: Path) -> None:
    """Every function that takes a consent has its typed data above it, the consent's three members last."""
    functions = {
        f"{path.stem[1:]}.{function}"
        for path in (project / "contracts" / "interfaces").glob("I*.sol")
        for function in re.findall(r"function (\w+)\([^;]*Consent calldata[^;]*;", path.read_text())
    }
    assert set(chain.encoded_types) == functions
    for encoded in chain.encoded_types.values():
        assert encoded.split(")")[0].endswith(",address signer,uint256 nonce,uint48 deadline")
