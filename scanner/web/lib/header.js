/** The header: an event's fields, each salted, under one root, and the event's digest (docs/proofs.md). */

import { toBytes, utf8 } from "./bytes.js";
import { canonicalJson } from "./canonical-json.js";
import { sha256 } from "./hashing.js";
import { leafHash, root } from "./merkle.js";
import { FIELDS, salts } from "./salts.js";

const FIELD_TAG = utf8("packtrace/field/v1");
const EVENT_TAG = utf8("packtrace/event/v1");

/** Leaf hash of a field that was opened. @param {string} name @param {Uint8Array} salt @param {unknown} value */
export function fieldLeafHash(name, salt, value) {
  return leafHash(FIELD_TAG, salt, utf8(canonicalJson([name, value])));
}

/** All leaf hashes of a header: the core, then the other fields in the order of their names (by code points). */
export async function fieldLeafHashes(core, others, secret) {
  const fields = [["core", core], ...Object.keys(others).sort(byCodePoint).map((name) => [name, others[name]])];
  const salted = await salts(secret, FIELDS, 0, fields.length);
  return Promise.all(fields.map(([name, value], i) => fieldLeafHash(name, salted[i], value)));
}

/** The event's digest from the leaf hashes of its fields, opened or closed. @param {Uint8Array[]} leafHashes */
export async function eventDigest(leafHashes) {
  return sha256(EVENT_TAG, toBytes(leafHashes.length, 2), await root(leafHashes));
}

/** Root of what a gateway seals together, over the events' digests. @param {Uint8Array[]} digests */
export async function sealRoot(digests) {
  return root(await Promise.all(digests.map((digest) => leafHash(digest))));
}

/** UTF-8 sorts as code points do; JavaScript's own order is that of UTF-16. */
export function byCodePoint(left, right) {
  const [a, b] = [[...left], [...right]];
  const at = a.findIndex((character, i) => character !== b[i]);
  return at < 0 ? a.length - b.length : (a[at].codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? -1);
}
