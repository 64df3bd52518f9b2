"""The golden vectors of `tests/vectors/commitments.json`: what another implementation must come to.

Each is computed twice: by the library, and here in the plainest way, straight from docs/proofs.md.
"""

import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from packtrace import product
from packtrace.commit import header, items, merkle
from packtrace.commit.declaration import declaration_of
from packtrace.commit.items import Role
from packtrace.commit.seal import seal_root
from packtrace.evidence import content_hash
from packtrace.facts import batch_number, logistic_number, unit_number


@pytest.fixture(scope="module")
def given(vectors: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((vectors / "commitments.json").read_text())
    return content


def plain_salt(secret: bytes, purpose: bytes, index: int) -> bytes:
    key = hmac.new(secret, purpose, "sha256").digest()
    stream = Cipher(algorithms.AES(key), modes.CTR(index.to_bytes(16, "big"))).encryptor()
    return stream.update(bytes(16))


def plain_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def test_item_tree(given: dict[str, Any]) -> None:
    vector = given["items"]
    secret = bytes.fromhex(vector["secret"])
    by_role = {Role[name.upper()]: uris for name, uris in vector["roles"].items()}
    ordered = [(role, uri) for role in sorted(by_role) for uri in sorted(by_role[role])]
    leaves = [
        sha256(
            b"\x00packtrace/item/v1"
            + bytes([role])
            + plain_salt(secret, b"packtrace/salts/items/v1", index)
            + uri.encode()
        ).digest()
        for index, (role, uri) in enumerate(ordered)
    ]
    tree = items.build(by_role, secret)
    assert tree.uris == [uri for _, uri in ordered]
    assert [leaf.hex() for leaf in leaves] == vector["leaves"]
    assert tree.root.hex() == plain_root(leaves).hex() == vector["root"]


def test_multiproof(given: dict[str, Any]) -> None:
    vector = given["items"]
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves"]]
    shown, proof = vector["multiproof"]["indices"], [bytes.fromhex(node) for node in vector["multiproof"]["nodes"]]
    # Five leaves, 1 and 3 shown: the canonical proof is leaf 0, leaf 2, and leaf 4, which has moved up twice.
    assert proof == [leaves[0], leaves[2], leaves[4]]
    assert merkle.TiledTree(5, lambda _level, _number: leaves).multiproof(shown) == proof
    assert merkle.root_from_multiproof(5, shown, [leaves[at] for at in shown], proof).hex() == vector["root"]


@pytest.mark.parametrize("name", ["header", "declaration"])
def test_header_and_event_digest(given: dict[str, Any], name: str) -> None:
    vector = given[name]
    secret = bytes.fromhex(vector["secret"])
    built = header.build(vector["core"], vector["others"], secret)
    fields = [("core", vector["core"]), *sorted(vector["others"].items())]
    leaves = [
        sha256(
            b"\x00packtrace/field/v1"
            + plain_salt(secret, b"packtrace/salts/fields/v1", index)
            + json.dumps([name, value], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        ).digest()
        for index, (name, value) in enumerate(fields)
    ]
    assert built.root.hex() == plain_root(leaves).hex() == vector["root"]
    assert (
        built.digest.hex()
        == sha256(b"packtrace/event/v1" + bytes([0, len(leaves)]) + plain_root(leaves)).hexdigest()
        == vector["digest"]
    )


def test_declaration(given: dict[str, Any]) -> None:
    core = given["declaration"]["core"]
    said = declaration_of(core)
    assert said is not None
    assert said.event.hex() == given["header"]["digest"]
    assert said.to_json() == core["declares"]
    assert "custody" in given["header"]["core"]
    assert "custody" not in core


def test_seal(given: dict[str, Any]) -> None:
    digests = [bytes.fromhex(digest) for digest in given["seal"]["digests"]]
    leaves = [sha256(b"\x00" + digest).digest() for digest in digests]
    assert seal_root(digests).hex() == plain_root(leaves).hex() == given["seal"]["root"]


def test_keys_and_commitments(given: dict[str, Any]) -> None:
    vector = given["keys"]
    secret, salt = bytes.fromhex(vector["secret"]), bytes.fromhex(vector["salt"])
    gtin, lot = vector["gtin"], vector["lot"]
    plain = {
        "productKey": hmac.new(secret, f"packtrace/product/v1{gtin}".encode(), "sha256").digest(),
        "lotKey": hmac.new(secret, f"packtrace/lot/v1{gtin}{lot}".encode(), "sha256").digest(),
        "gtinHash": sha256(f"packtrace/gtin/v1{gtin}".encode()).digest(),
        "glnCommitment": sha256(b"packtrace/gln/v1" + salt + vector["gln"].encode()).digest(),
        "ssccCommitment": sha256(b"packtrace/sscc/v1" + salt + vector["sscc"].encode()).digest(),
    }
    ours = {
        "productKey": product.product_key(secret, gtin),
        "lotKey": product.lot_key(secret, gtin, lot),
        "gtinHash": product.gtin_hash(gtin),
        "glnCommitment": product.gln_commitment(salt, vector["gln"]),
        "ssccCommitment": product.sscc_commitment(salt, vector["sscc"]),
    }
    assert ours == plain
    assert {name: value.hex() for name, value in plain.items()} == {name: vector[name] for name in plain}


def test_numbers_and_content(given: dict[str, Any]) -> None:
    vector = given["numbers"]
    batch = batch_number(vector["party"], vector["batch"])
    assert str(batch) == vector["batchNumber"] == str(vector["party"] * 2**22 + vector["batch"])
    assert str(unit_number(batch, vector["index"])) == vector["unitNumber"] == str(batch * 2**20 + vector["index"])
    logistic = logistic_number(vector["party"], vector["logistic"])
    assert str(logistic) == vector["logisticNumber"] == str(vector["party"] * 2**42 + vector["logistic"])
    commitment, root = bytes.fromhex(given["keys"]["ssccCommitment"]), bytes.fromhex(given["items"]["root"])
    plain = keccak(encode(["bytes32", "bytes32", "uint32"], [commitment, root, 5]))
    assert content_hash(commitment, root, 5).hex() == plain.hex() == vector["content"]
