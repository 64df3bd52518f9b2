// What the phone page's library does beyond the vectors: what it refuses, and what it is built on.

import assert from "node:assert/strict";
import { test } from "node:test";

import { equal, fromHex, toBytes, toHex, toNumber, utf8 } from "../../../scanner/web/lib/bytes.js";
import { canonicalJson } from "../../../scanner/web/lib/canonical-json.js";
import { byCodePoint } from "../../../scanner/web/lib/header.js";
import { sha256 } from "../../../scanner/web/lib/hashing.js";
import { keccak256 } from "../../../scanner/web/lib/keccak.js";
import { batchNumber, logisticNumber, unitNumber, unitsOf } from "../../../scanner/web/lib/ledger.js";
import { leafHash, root, rootFromMultiproof } from "../../../scanner/web/lib/merkle.js";
import { ITEMS, salts } from "../../../scanner/web/lib/salts.js";
import { structHash } from "../../../scanner/web/lib/typed-data.js";

/** RFC 9162, sections 2.1.1 and 2.1.3, as they are written there: another way than the library's. */
async function plainRoot(leaves) {
  if (leaves.length <= 1) return leaves[0] ?? sha256();
  const split = splitOf(leaves.length);
  return sha256(Uint8Array.of(1), await plainRoot(leaves.slice(0, split)), await plainRoot(leaves.slice(split)));
}

function splitOf(count) {
  let power = 1;
  while (2 * power < count) power *= 2;
  return power;
}

/** The nodes that leaves `shown` do not give, each with the height at which they are needed. */
async function missing(leaves, shown, from = 0) {
  const inside = shown.filter((index) => index >= from && index < from + leaves.length);
  const height = Math.ceil(Math.log2(leaves.length));
  if (inside.length === 0) return [{ node: await plainRoot(leaves), from, size: leaves.length }];
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const halves = [...(await missing(leaves.slice(0, split), shown, from)), ...(await missing(leaves.slice(split), shown, from + split))];
  return halves.map((entry) => ({ ...entry, level: entry.level ?? height - 1 }));
}

async function proofOf(leaves, shown) {
  const nodes = await missing(leaves, shown);
  // a lone last node is used where its neighbour is: that is one below the height of the tree that joins both
  return nodes.sort((a, b) => a.level - b.level || a.from - b.from).map(({ node }) => node);
}

const leavesOf = (count) => Promise.all(Array.from({ length: count }, (_, i) => leafHash(toBytes(i, 4))));

test("Keccak-256 of known texts, and at the edges of its blocks", () => {
  const known = {
    "": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    abc: "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    "transfer(address,uint256)": "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b",
  };
  for (const [text, digest] of Object.entries(known)) assert.equal(toHex(keccak256(utf8(text))), digest);
  const repeated = {
    135: "ffccaa8dc845e60524688399949338faf942035e205e7e4e6321323420f90801",
    136: "2ae2373f423af4fbe71ee0568cf462301855edace38efb90478f8f1aebe2e91c",
    137: "9a525aa086c5b098621275ccb9a74d1d5f1332e5f385a62f24ab834914f0f21b",
    300: "eeb723343b3dbb83379d63920343d703a7d077d8f633b4a7fc7ff10dfc480030",
  };
  for (const [length, digest] of Object.entries(repeated)) {
    assert.equal(toHex(keccak256(new Uint8Array(Number(length)).fill(Number(length)))), digest);
  }
});

test("every proof of every small tree leads to its root, and with a node more, less or other to none", async () => {
  for (let count = 1; count <= 9; count++) {
    const leaves = await leavesOf(count);
    const wanted = await plainRoot(leaves);
    assert.ok(equal(await root(leaves), wanted));
    for (let set = 1; set < 2 ** count; set++) {
      const shown = [...leaves.keys()].filter((index) => (set >> index) & 1);
      const proof = await proofOf(leaves, shown);
      const known = shown.map((index) => leaves[index]);
      assert.ok(equal(await rootFromMultiproof(count, shown, known, proof), wanted), `${count}: ${shown}`);
      await assert.rejects(rootFromMultiproof(count, shown, known, [...proof, wanted]), /not needed/);
      if (proof.length === 0) continue;
      await assert.rejects(rootFromMultiproof(count, shown, known, proof.slice(1)), /too few/);
      const other = [await leafHash(proof[0]), ...proof.slice(1)];
      assert.ok(!equal(await rootFromMultiproof(count, shown, known, other), wanted));
    }
  }
});

test("a proof for other leaves than there are is refused", async () => {
  const [a, b] = await leavesOf(2);
  await assert.rejects(rootFromMultiproof(2, [1, 0], [b, a], []), { name: "EvidenceError", rule: "RFC 9162 multiproof" });
  for (const [size, indices, leaves, nodes] of [
    [2, [0, 0], [a, a], []],
    [2, [2], [a], [b]],
    [2, [-1], [a], [b]],
    [2, [0.5], [a], [b]],
    [2, [], [], [a]],
    [2, [0, 1], [a], []],
    [0, [0], [a], []],
    [2 ** 32 + 1, [0], [a], []],
    [2, [0], [a], [b.subarray(1)]],
    [1, [0], [a.subarray(1)], []],
  ]) {
    await assert.rejects(rootFromMultiproof(size, indices, leaves, nodes), { name: "EvidenceError" });
  }
});

test("an inner node is no leaf: the number of leaves decides", async () => {
  const leaves = await leavesOf(4);
  const [left, right] = [await plainRoot(leaves.slice(0, 2)), await plainRoot(leaves.slice(2))];
  assert.ok(equal(await rootFromMultiproof(2, [0], [left], [right]), await root(leaves)));
  await assert.rejects(rootFromMultiproof(4, [0], [left], [right]), /too few/);
});

test("salts are one stream, from wherever it is read", async () => {
  const secret = toBytes(7, 32);
  const all = await salts(secret, ITEMS, 0, 300);
  for (const at of [0, 1, 255, 256, 299]) assert.ok(equal((await salts(secret, ITEMS, at, 1))[0], all[at]));
});

test("canonical JSON is RFC 8785's", () => {
  // appendix of the RFC: sorted by UTF-16 code units, numbers as ECMAScript writes them
  const given = { "€": "Euro", "\r": "CR", "\ufb33": "Hebrew", 1: "One", "😀": "Smile", "\u0080": "Control", ö: "O" };
  const order = [...canonicalJson(given).matchAll(/:"(\w+)"/g)].map(([, name]) => name);
  assert.deepEqual(order, ["CR", "One", "Control", "O", "Euro", "Smile", "Hebrew"]);
  assert.equal(canonicalJson([333333333.33333329, 1e30, 4.5, 2e-3, 1e-27]), "[333333333.3333333,1e+30,4.5,0.002,1e-27]");
  assert.equal(canonicalJson("€$\u000f\nA'B\"\\\"/"), '"€$\\u000f\\nA\'B\\"\\\\\\"/"');
  assert.equal(canonicalJson({ b: null, a: [true, {}] }), '{"a":[true,{}],"b":null}');
  for (const wrong of ["\ud800", Number.NaN, undefined, { a: undefined }, 1n]) assert.throws(() => canonicalJson(wrong), TypeError);
});

test("fields stand in the order of code points, not of UTF-16", () => {
  assert.deepEqual(["😀", "\ufb33", "b", "a", "ab", ""].sort(byCodePoint), ["", "a", "ab", "b", "\ufb33", "😀"]);
  assert.deepEqual(["😀", "\ufb33"].sort(), ["😀", "\ufb33"]);
});

test("a number that does not fit is refused", () => {
  assert.throws(() => toBytes(256, 1), RangeError);
  assert.throws(() => toBytes(-1, 8), RangeError);
  assert.throws(() => batchNumber(2 ** 22, 0), RangeError);
  assert.throws(() => batchNumber(0, 2 ** 22), RangeError);
  assert.throws(() => unitNumber(2n ** 44n, 0), RangeError);
  assert.throws(() => unitNumber(0, 2 ** 20), RangeError);
  assert.throws(() => logisticNumber(1, 2n ** 42n), RangeError);
  assert.throws(() => unitsOf(new Uint8Array(9)), TypeError);
  assert.throws(() => fromHex("0x0"), TypeError);
  assert.throws(() => fromHex("zz"), TypeError);
  assert.equal(toNumber(toBytes(2n ** 64n - 1n, 8)), 2n ** 64n - 1n);
});

test("typed data of another form is refused", () => {
  const type = "A(address who,uint48 deadline,bytes32 root)";
  const message = { who: `0x${"11".repeat(20)}`, deadline: "1", root: `0x${"22".repeat(32)}` };
  assert.equal(structHash(type, message).length, 32);
  for (const wrong of [{ who: "0x11" }, { deadline: 2n ** 48n }, { root: "0x22" }]) {
    assert.throws(() => structHash(type, { ...message, ...wrong }));
  }
  assert.throws(() => structHash("A(int8 x)", { x: 1 }), /int8/);
});
