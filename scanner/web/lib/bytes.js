/** Bytes: hexadecimal, big-endian numbers, text. */

const encoder = new TextEncoder();

/** @param {string} text @returns {Uint8Array} UTF-8 */
export function utf8(text) {
  return encoder.encode(text);
}

/** @param {...Uint8Array} parts */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Bytes from hexadecimal digits, with or without 0x. @param {string} text */
export function fromHex(text) {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new TypeError(`not hexadecimal: ${text}`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} lower-case digits, without 0x */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {bigint | number | string} value @param {number} length @returns {Uint8Array} big-endian */
export function toBytes(value, length) {
  let rest = BigInt(value);
  if (rest < 0n || rest >> BigInt(8 * length)) throw new RangeError(`${value} is no number of ${length} bytes`);
  const bytes = new Uint8Array(length);
  for (let i = length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** @param {Uint8Array} bytes big-endian @returns {bigint} */
export function toNumber(bytes) {
  return BigInt(`0x${toHex(bytes) || "0"}`);
}

/** @param {Uint8Array} left @param {Uint8Array} right */
export function equal(left, right) {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

const BASE64 = /^[A-Za-z0-9+/]*$/;

/** Bytes from base64 (RFC 4648, section 4) or base64url (section 5), with or without padding. @param {string} text */
export function fromBase64(text) {
  const plain = text.replace(/-/g, "+").replace(/_/g, "/").replace(/={1,2}$/, "");
  if (!BASE64.test(plain) || plain.length % 4 === 1) throw new TypeError("not base64");
  return Uint8Array.from(atob(plain), (character) => character.charCodeAt(0));
}
