// The verdicts of tests/vectors/verdicts.json, each given here by the phone page's own library on the same material.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { fromHex } from "../../../scanner/web/lib/bytes.js";
import { EvidenceError } from "../../../scanner/web/lib/errors.js";
import { examine } from "../../../scanner/web/lib/evidence.js";
import { readMaterial } from "../../../scanner/web/lib/material.js";
import { GRAVITY, judge } from "../../../scanner/web/lib/verdict.js";

const shared = JSON.parse(readFileSync(new URL("../../vectors/verdicts.json", import.meta.url), "utf8"));
const vectors = shared.verdicts.map((one) => ({ ...one, material: shared.material[one.material], facts: shared.facts[one.facts] }));

/** Facts as `Node.gather` gives them, from the vector's plain JSON. */
function factsOf(plain) {
  if (!plain) return null;
  const { unit, change } = plain;
  const binary = (entries, name, number = (key) => key) => new Map(entries.map(([key, value]) => [number(key), { ...value, [name]: fromHex(value[name]) }]));
  const hashes = unit && Object.fromEntries(["itemRoot", "lotKey", "productKey"].map((name) => [name, fromHex(unit.batch[name])]));
  return {
    ...plain,
    entries: binary(plain.entries, "root"),
    parties: new Map(plain.parties),
    keys: new Map(plain.keys),
    logistic: binary(plain.logistic, "content", BigInt),
    unit: unit && { ...unit, twin: unit.twin && BigInt(unit.twin), batch: { ...unit.batch, ...hashes } },
    change: change && { ...change, receipt: fromHex(change.receipt) },
  };
}

async function verdictOf({ scan, network, material, facts, place, now }) {
  const { disclosures, answer } = readMaterial(material, network, scan);
  return judge(scan, await examine(scan, disclosures), answer, factsOf(facts), place && { party: place }, now);
}

for (const vector of vectors) {
  test(`verdict: ${vector.name}`, async () => {
    const wanted = vector.verdict;
    const found = await verdictOf(vector);
    assert.deepEqual(found.checks.map(({ name, passed }) => [name, passed]), wanted.checks);
    assert.equal(found.headline, wanted.headline);
    assert.equal(found.case, wanted.case);
    assert.equal(found.unit === null ? null : String(found.unit), wanted.unit);
    assert.deepEqual(found.product, wanted.product);
    const history = found.history.map(({ time, step, party, carrier, proof }) => [time, step, party, carrier, proof]);
    assert.deepEqual(history, wanted.history);
  });
}

test("a pack is expired from midnight after its last day", async () => {
  const vector = vectors.find(({ name }) => name === "authentic, available");
  const end = Date.parse(`${vector.scan.expiry}T00:00:00Z`) / 1000 + 86_400;
  const at = async (now, timestamp = now) => {
    const facts = { ...vector.facts, block: { ...vector.facts.block, timestamp } };
    return (await verdictOf({ ...vector, facts, now })).headline;
  };
  assert.equal(await at(end - 1), "authentic, available");
  assert.equal(await at(end), "expired");
  assert.equal(await at(end - 100 * 86_400, end), "expired", "a phone's clock that is slow makes none good");
  assert.ok(GRAVITY.includes("expired"));
});

test("any one character of the proofs changed, and the pack is not authentic", async () => {
  const vector = vectors.find(({ name }) => name === "authentic, available");
  const text = JSON.stringify(vector.material.pedigree);
  let refused = 0;
  for (let at = 9; at < text.length; at += 41) {
    const changed = text.slice(0, at) + (text[at] === "1" ? "2" : "1") + text.slice(at + 1);
    let pedigree;
    try {
      pedigree = JSON.parse(changed);
    } catch {
      continue;
    }
    try {
      const { headline } = await verdictOf({ ...vector, material: { ...vector.material, pedigree } });
      // the last character of base64 has bits that mean nothing: they are no change
      if (headline === "authentic, available") assert.ok(sameBytes(vector.material.pedigree, pedigree), `at ${at}: ${text.slice(at - 20, at + 20)}`);
    } catch (error) {
      assert.ok(error instanceof EvidenceError, `at ${at}: ${error.stack}`);
    }
    refused++;
  }
  assert.ok(refused > 100);
});

/** Whether two pedigrees are the same once base64 is read. */
function sameBytes(left, right) {
  const plain = (value) => JSON.stringify(value, (_, entry) => (typeof entry === "string" && /^[\w-]{22,}$/.test(entry) ? Buffer.from(entry, "base64url").toString("hex") : entry));
  return plain(left) === plain(right);
}
