/** Whose key signed (ECDSA over secp256k1, SEC 1, section 4.1.6): recovery only; nothing secret is handled here. */

import { concat, toBytes, toHex, toNumber } from "./bytes.js";
import { keccak256 } from "./keccak.js";

const P = 2n ** 256n - 2n ** 32n - 977n;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n, 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n];

/**
 * The address that signed a digest, in lower case; null where no key could have.
 * @param {Uint8Array} digest 32 bytes @param {Uint8Array} signature r ‖ s ‖ v, 65 bytes
 */
export function recoverAddress(digest, signature) {
  if (signature.length !== 65) return null;
  const [r, s] = [toNumber(signature.subarray(0, 32)), toNumber(signature.subarray(32, 64))];
  const parity = signature[64] >= 27 ? signature[64] - 27 : signature[64];
  if (r <= 0n || r >= N || s <= 0n || s >= N || parity > 1) return null;
  const square = mod(r ** 3n + 7n);
  let y = power(square, (P + 1n) / 4n);
  if (mod(y * y) !== square) return null;
  if ((y & 1n) !== BigInt(parity)) y = P - y;
  const inverse = inverted(r, N);
  const u = mod(-toNumber(digest) * inverse, N);
  const v = mod(s * inverse, N);
  const key = added(times(u, G), times(v, [r, y]));
  if (!key) return null;
  return `0x${toHex(keccak256(concat(toBytes(key[0], 32), toBytes(key[1], 32))).subarray(12))}`;
}

/** Points are [x, y], null at infinity. */
function added(a, b) {
  if (!a || !b) return a ?? b;
  if (a[0] === b[0] && mod(a[1] + b[1]) === 0n) return null;
  const slope = a[0] === b[0] ? mod(3n * a[0] * a[0] * inverted(2n * a[1], P)) : mod((b[1] - a[1]) * inverted(b[0] - a[0], P));
  const x = mod(slope * slope - a[0] - b[0]);
  return [x, mod(slope * (a[0] - x) - a[1])];
}

function times(factor, point) {
  let sum = null;
  for (let rest = factor, power_ = point; rest > 0n; rest >>= 1n, power_ = added(power_, power_)) {
    if (rest & 1n) sum = added(sum, power_);
  }
  return sum;
}

function mod(value, by = P) {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

/** By the extended Euclidean algorithm. */
function inverted(value, by) {
  let [a, b, x, y] = [mod(value, by), by, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return mod(x, by);
}

function power(base, exponent) {
  let result = 1n;
  for (let rest = exponent, square = base; rest > 0n; rest >>= 1n, square = mod(square * square)) {
    if (rest & 1n) result = mod(result * square);
  }
  return result;
}
