// The vectors of tests/vectors, each computed here by the phone page's own library.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { fromHex, toHex } from "../../../scanner/web/lib/bytes.js";
import { eventDigest, fieldLeafHashes, sealRoot } from "../../../scanner/web/lib/header.js";
import { Role, itemLeafHash, itemLeafHashes } from "../../../scanner/web/lib/items.js";
import * as ledger from "../../../scanner/web/lib/ledger.js";
import { root, rootFromMultiproof, rootFromPath } from "../../../scanner/web/lib/merkle.js";
import * as product from "../../../scanner/web/lib/product.js";
import { structHash, typedDataDigest } from "../../../scanner/web/lib/typed-data.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8"));
const commitments = read("commitments.json");
const numbers = read("chain_numbers.json");

test("items: leaves and root", async () => {
  const { roles, secret, leaves, root: wanted } = commitments.items;
  const hashes = await itemLeafHashes(roles, fromHex(secret));
  assert.deepEqual(hashes.map(toHex), leaves);
  assert.equal(toHex(await root(hashes)), wanted);
});

test("multiproof", async () => {
  const { leaves, multiproof, root: wanted } = commitments.items;
  const shown = multiproof.indices.map((index) => fromHex(leaves[index]));
  const found = await rootFromMultiproof(leaves.length, multiproof.indices, shown, multiproof.nodes.map(fromHex));
  assert.equal(toHex(found), wanted);
});

for (const name of ["header", "declaration"]) {
  test(`header and event digest: ${name}`, async () => {
    const { core, others, secret, root: wanted, digest } = commitments[name];
    const hashes = await fieldLeafHashes(core, others, fromHex(secret));
    assert.equal(toHex(await root(hashes)), wanted);
    assert.equal(toHex(await eventDigest(hashes)), digest);
  });
}

test("seal", async () => {
  const { digests, root: wanted } = commitments.seal;
  assert.equal(toHex(await sealRoot(digests.map(fromHex))), wanted);
});

test("keys and commitments", async () => {
  const given = commitments.keys;
  const [secret, salt] = [fromHex(given.secret), fromHex(given.salt)];
  assert.equal(toHex(await product.productKey(secret, given.gtin)), given.productKey);
  assert.equal(toHex(await product.lotKey(secret, given.gtin, given.lot)), given.lotKey);
  assert.equal(toHex(await product.gtinHash(given.gtin)), given.gtinHash);
  assert.equal(toHex(await product.glnCommitment(salt, given.gln)), given.glnCommitment);
  assert.equal(toHex(await product.ssccCommitment(salt, given.sscc)), given.ssccCommitment);
});

test("numbers of batches, units and logistic units", () => {
  for (const { party, own, index, batch, unit } of numbers.units) {
    assert.equal(ledger.batchNumber(party, own), BigInt(batch));
    assert.equal(ledger.unitNumber(batch, index), BigInt(unit));
    const parts = { party: BigInt(party), own: BigInt(own), batch: BigInt(batch), index: BigInt(index) };
    assert.deepEqual(ledger.partsOfUnit(BigInt(unit)), parts);
  }
  for (const { party, own, number } of numbers.logisticUnits) {
    assert.equal(ledger.logisticNumber(party, own), BigInt(number));
  }
  const given = commitments.numbers;
  assert.equal(ledger.unitNumber(ledger.batchNumber(given.party, given.batch), given.index), BigInt(given.unitNumber));
});

test("packed lists of units", () => {
  for (const { units, packed } of numbers.lists) {
    assert.equal(`0x${toHex(ledger.packedUnits(units.map(BigInt)))}`, packed);
    assert.deepEqual(ledger.unitsOf(fromHex(packed)), units.map(BigInt));
  }
});

test("status words", () => {
  for (const { statuses, word } of numbers.statusWords) {
    for (let unit = 0; unit < 64; unit++) {
      assert.equal(ledger.statusAt(fromHex(word), BigInt(unit)), Number(statuses[unit] ?? 0));
      assert.equal(ledger.statusAt(fromHex(word), 64n * 7n + BigInt(unit)), Number(statuses[unit] ?? 0));
    }
  }
});

test("content of a logistic unit", () => {
  const commitment = fromHex(commitments.keys.ssccCommitment);
  const content = ledger.contentHash(commitment, fromHex(commitments.items.root), 5);
  assert.equal(toHex(content), commitments.numbers.content);
});

test("receipts", () => {
  for (const { receipt, outcomes, hash } of read("chain_receipts.json")) {
    const { id, openings, units, outcomes: packed } = receipt;
    const bytes = { id, openings, units, outcomes: packed };
    for (const name of Object.keys(bytes)) bytes[name] = fromHex(bytes[name]);
    const made = { ...bytes, party: receipt.party, to: receipt.to, time: receipt.time };
    assert.equal(`0x${toHex(ledger.receiptHash(made))}`, hash);
    const told = [...bytes.outcomes].map(ledger.outcomeOf);
    const names = told.map((one) => (one.changed ? ledger.STATUSES[one.from] : `refused: ${ledger.REFUSALS[one.refusal]}`));
    assert.deepEqual(names, outcomes);
  }
});

test("openings: roots over leaf hashes", async () => {
  for (const { leafHashes, root: wanted } of read("chain_openings.json")) {
    assert.equal(`0x${toHex(await root(leafHashes.map(fromHex)))}`, wanted);
  }
});

test("duplicates: both openings lead to their batch's root", async () => {
  for (const { uri, batches } of read("chain_duplicates.json")) {
    for (const { batch, count, root: wanted, opening } of batches) {
      const leaf = await itemLeafHash(Role.epc, fromHex(opening.salt), uri);
      assert.equal(`0x${toHex(leaf)}`, opening.leaf);
      const { batch: number, index } = ledger.partsOfUnit(BigInt(opening.unit));
      assert.equal(number, BigInt(batch));
      const found = await rootFromPath(count, Number(index), leaf, opening.path.map(fromHex));
      assert.equal(`0x${toHex(found)}`, wanted);
    }
  }
});

test("typed data: struct hash and digest of every signed function", () => {
  const vectors = read("chain_typed_data.json");
  assert.ok(vectors.length >= 23);
  for (const { encodedType, domain, message, structHash: wanted, digest } of vectors) {
    assert.equal(`0x${toHex(structHash(encodedType, message))}`, wanted);
    assert.equal(`0x${toHex(typedDataDigest(domain, encodedType, message))}`, digest);
  }
});
