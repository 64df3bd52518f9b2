/** Keys and commitments under which the chain knows products, lots, places and logistic units (docs/proofs.md). */

import { utf8 } from "./bytes.js";
import { hmacSha256, sha256 } from "./hashing.js";

/** @param {Uint8Array} secret the product's @param {string} gtin 14 digits */
export function productKey(secret, gtin) {
  return hmacSha256(secret, utf8(`packtrace/product/v1${gtin}`));
}

export function lotKey(secret, gtin, lot) {
  return hmacSha256(secret, utf8(`packtrace/lot/v1${gtin}${lot}`));
}

export function gtinHash(gtin) {
  return sha256(utf8(`packtrace/gtin/v1${gtin}`));
}

/** @param {Uint8Array} salt 16 bytes @param {string} gln 13 digits */
export function glnCommitment(salt, gln) {
  return sha256(utf8("packtrace/gln/v1"), salt, utf8(gln));
}

/** @param {Uint8Array} salt 16 bytes @param {string} sscc 18 digits */
export function ssccCommitment(salt, sscc) {
  return sha256(utf8("packtrace/sscc/v1"), salt, utf8(sscc));
}
