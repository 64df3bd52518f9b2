/** Items of an event: each identified thing with its role, under one root (docs/proofs.md). */

import { utf8 } from "./bytes.js";
import { leafHash } from "./merkle.js";
import { ITEMS, salts } from "./salts.js";

const TAG = utf8("packtrace/item/v1");
/** What an item is in its event; items stand sorted by role, then by URI. */
export const Role = Object.freeze({ epc: 1, parent: 2, child: 3, input: 4, output: 5 });

/** @param {number} role @param {Uint8Array} salt 16 bytes @param {string} uri canonical GS1 Digital Link URI */
export function itemLeafHash(role, salt, uri) {
  return leafHash(TAG, Uint8Array.of(role), salt, utf8(uri));
}

/**
 * All leaf hashes of an event, in tree order.
 * @param {Record<string, string[]>} roles name of a role → URIs (plain ASCII, as canonical ones are)
 * @param {Uint8Array} secret the event's
 */
export async function itemLeafHashes(roles, secret) {
  const ordered = Object.entries(Role).flatMap(([name, role]) => [...(roles[name] ?? [])].sort().map((uri) => [role, uri]));
  const salted = await salts(secret, ITEMS, 0, ordered.length);
  return Promise.all(ordered.map(([role, uri], i) => itemLeafHash(role, salted[i], uri)));
}
