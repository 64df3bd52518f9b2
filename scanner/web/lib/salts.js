/** Salts from one 32-byte secret per event: a seekable stream, nothing stored per item. */

import { utf8 } from "./bytes.js";
import { aesCtr, hmacSha256 } from "./hashing.js";

const SALT_BYTES = 16;
export const ITEMS = "packtrace/salts/items/v1";
export const FIELDS = "packtrace/salts/fields/v1";

/** `count` salts from number `start` on. @param {Uint8Array} secret @param {string} purpose ITEMS or FIELDS */
export async function salts(secret, purpose, start, count) {
  const stream = await aesCtr(await hmacSha256(secret, utf8(purpose)), start, SALT_BYTES * count);
  return Array.from({ length: count }, (_, i) => stream.subarray(SALT_BYTES * i, SALT_BYTES * (i + 1)));
}
