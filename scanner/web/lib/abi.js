/** Calls of the contracts and what they answer, in the Contract ABI: as much of it as a verdict's questions need. */

import { concat, fromHex, toBytes, toHex, toNumber, utf8 } from "./bytes.js";
import { keccak256 } from "./keccak.js";

const WORD = 32;
const selectors = new Map(); // by signature: Keccak-256 takes longer here than all the rest

/**
 * Call data as hexadecimal text.
 * @param {string} signature `name(type,…)` of types that take one word
 * @param {(bigint | number | Uint8Array)[]} args numbers, or bytes of at most 32: bytes32 whole, an address at the right
 */
export function encodeCall(signature, args) {
  const words = args.map((value) => (value instanceof Uint8Array ? concat(new Uint8Array(WORD - value.length), value) : toBytes(value, WORD)));
  if (!selectors.has(signature)) selectors.set(signature, keccak256(utf8(signature)).subarray(0, 4));
  return `0x${toHex(concat(selectors.get(signature), ...words))}`;
}

/** The words of an answer, one after the other. */
export class Words {
  #data;

  /** @param {string} data hexadecimal @param {number} least words that must be there @throws {RangeError} */
  constructor(data, least) {
    this.#data = fromHex(data);
    if (this.#data.length < least * WORD) throw new RangeError("no such contract there, or of another version");
  }

  bytes(at) {
    return this.#data.subarray(at * WORD, (at + 1) * WORD);
  }

  big(at) {
    return toNumber(this.bytes(at));
  }

  /** @throws {RangeError} for a number that JavaScript would round: none of the contracts' 32 and 40 bits is */
  number(at) {
    const value = Number(this.big(at));
    if (!Number.isSafeInteger(value)) throw new RangeError("a number larger than its type");
    return value;
  }

  address(at) {
    return `0x${toHex(this.bytes(at).subarray(12))}`;
  }

  /** A text whose place, in bytes from word `base` on, stands in word `at`. */
  text(at, base) {
    const start = base * WORD + this.number(at);
    const length = Number(toNumber(this.#data.subarray(start, start + WORD)));
    const bytes = this.#data.subarray(start + WORD, start + WORD + length);
    if (bytes.length !== length) throw new RangeError("a text that ends too early");
    return new TextDecoder().decode(bytes);
  }
}
