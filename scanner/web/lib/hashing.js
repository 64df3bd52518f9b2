/** The browser's own cryptography (Web Crypto): SHA-256, HMAC and AES. It works only in a secure context. */

import { concat, toBytes } from "./bytes.js";

const { subtle } = globalThis.crypto;

/** SHA-256 of the parts, one after the other. @param {...Uint8Array} parts */
export async function sha256(...parts) {
  return new Uint8Array(await subtle.digest("SHA-256", concat(...parts)));
}

/** @param {Uint8Array} secret @param {...Uint8Array} parts */
export async function hmacSha256(secret, ...parts) {
  const key = await subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", key, concat(...parts)));
}

/**
 * The keystream of AES in counter mode.
 * @param {Uint8Array} secret @param {number | bigint} start number of its first block of 16 bytes @param {number} length
 */
export async function aesCtr(secret, start, length) {
  const key = await subtle.importKey("raw", secret, "AES-CTR", false, ["encrypt"]);
  const counter = { name: "AES-CTR", counter: toBytes(start, 16), length: 128 };
  return new Uint8Array(await subtle.encrypt(counter, key, new Uint8Array(length)));
}
