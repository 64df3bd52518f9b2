/**
 * Compressed GS1 Digital Link data (GS1 Digital Link Standard 1.1): AIs and their values as one bit string in base64url;
 * read as `packtrace.gs1.link_compression` in Python does, tested on the same vectors.
 */

import { entryOf, lengthOf } from "./application-identifiers.js";
import { CodeError } from "./errors.js";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const numbered = (letters, stems) => stems.flatMap(([code, ais]) => [...letters].map((letter, n) => [`${code}${letter}`, ais.map((ai) => ai.replace("n", n))]));
/** Codes for groups of AIs that often come together. */
const SEQUENCES = new Map([
  ["0A", ["01", "22"]], ["0B", ["01", "10"]], ["0C", ["01", "21"]], ["0D", ["01", "17"]], ["0E", ["01", "7003"]], ["0F", ["01", "30"]],
  ["1A", ["01", "10", "21", "17"]], ["1B", ["01", "15"]], ["1C", ["01", "11"]], ["1D", ["01", "16"]], ["1E", ["01", "91"]], ["1F", ["01", "10", "15"]],
  ...numbered("ABCDEF", [["2", ["01", "310n"]], ["3", ["01", "320n"]]]),
  ["9A", ["8010", "8011"]], ["9B", ["8017", "8019"]], ["9C", ["8018", "8019"]], ["9D", ["414", "254"]],
  ...numbered("0123456789", [["A", ["01", "392n"]], ["C", ["255", "390n"]]]),
  ...numbered("ABCD", [["C", ["255", "394n"]]]),
]);
const OTHER = "F"; // the first digit of what is no AI: a parameter with a name of its own, passed over
const OTHER_LENGTH_BITS = 7;
const INDICATOR_BITS = 3;
const [DIGITS, LOWER_HEX, UPPER_HEX, BASE64, ASCII] = [0, 1, 2, 3, 4];
const BITS_A_CHARACTER = { [LOWER_HEX]: 4, [UPPER_HEX]: 4, [BASE64]: 6, [ASCII]: 7 };

/** Whether it is worth while to call `decompress`: false for most names on the web. */
export function mayBeCompressed(text) {
  const [first, second] = [BASE64URL.indexOf(text[0]), BASE64URL.indexOf(text[1])];
  if (text.length < 2 || first < 0 || second < 0) return false;
  const code = ((first << 2) | (second >> 4)).toString(16).toUpperCase().padStart(2, "0");
  return SEQUENCES.has(code) || lengthOf(code) !== undefined || code.startsWith(OTHER);
}

/**
 * The AIs and values in a compressed text, in its order, each value checked for itself.
 * @param {string} text @param {Date} today @returns {[string, string][]}
 * @throws {CodeError} for text that is not compressed GS1 data from its first bit to its last
 */
export function decompress(text, today) {
  const bits = new Bits(text);
  const values = new Map();
  while (bits.left >= 6) { // less is only what fills the last character
    const code = bits.hexadecimal(2);
    if (code.startsWith(OTHER)) {
      passOver(bits, code);
      continue;
    }
    for (const ai of SEQUENCES.get(code) ?? [aiOf(bits, code)]) {
      if (values.has(ai)) throw broken();
      const entry = entryOf(ai);
      const value = valueOf(bits, entry);
      if (!entry.checkable) throw broken(); // what may be a name on the web by chance has to keep every rule
      entry.check(value, today);
      values.set(ai, value);
    }
  }
  if (values.size === 0 || bits.number(bits.left) !== 0) throw broken();
  return [...values];
}

/** The bits of a base64url text, taken from its start. */
class Bits {
  #bits;
  #at = 0;

  constructor(text) {
    if (!/^[A-Za-z0-9\-_]*$/.test(text)) throw broken();
    this.#bits = [...text].map((character) => BASE64URL.indexOf(character).toString(2).padStart(6, "0")).join("");
  }

  get left() {
    return this.#bits.length - this.#at;
  }

  #take(count) {
    if (count > this.left) throw broken();
    return this.#bits.slice(this.#at, (this.#at += count));
  }

  number(count) {
    return count ? Number.parseInt(this.#take(count), 2) : 0;
  }

  hexadecimal(digits) {
    return digits ? this.number(4 * digits).toString(16).toUpperCase().padStart(digits, "0") : "";
  }

  digits(length) {
    // as the standard rounds: one bit where there is no digit, and one too many for 59
    const number = BigInt(`0b${this.#take(Math.ceil((length * Math.log(10)) / Math.log(2) + 0.01))}`).toString();
    if (number.length > Math.max(length, 1) || (length === 0 && number !== "0")) throw broken();
    return length ? number.padStart(length, "0") : "";
  }

  text(encoding, length) {
    if (encoding === DIGITS) return this.digits(length);
    const size = BITS_A_CHARACTER[encoding];
    if (size === undefined) throw broken();
    const numbers = Array.from({ length }, () => this.number(size));
    if (encoding === ASCII) return String.fromCharCode(...numbers);
    if (encoding === BASE64) return numbers.map((number) => BASE64URL[number]).join("");
    const text = numbers.map((number) => number.toString(16)).join("");
    return encoding === UPPER_HEX ? text.toUpperCase() : text;
  }
}

function broken() {
  return new CodeError("code.notLink");
}

function aiOf(bits, start) {
  const ai = start + bits.hexadecimal((lengthOf(start) ?? 2) - 2);
  if (!entryOf(ai)) throw broken();
  return ai;
}

/** A parameter that is not GS1's: its name in base64url, its value in any encoding. */
function passOver(bits, code) {
  const name = bits.text(BASE64, (Number.parseInt(code[1], 16) << 3) | bits.number(3));
  if (/^\d*$/.test(name)) throw broken(); // nothing, or an AI where a name of another kind should be
  const encoding = bits.number(INDICATOR_BITS);
  bits.text(encoding, bits.number(OTHER_LENGTH_BITS));
}

function valueOf(bits, entry) {
  let value = "";
  for (const { numeric, length, varies } of componentsOf(entry)) {
    const encoding = numeric ? DIGITS : bits.number(INDICATOR_BITS);
    const own = varies ? bits.number(length.toString(2).length) : length;
    if (own > length) throw broken();
    value += bits.text(encoding, own);
  }
  return value;
}

/** The components that compression knows: digits of one kind together, all text together; `length` the greatest. */
function componentsOf({ components }) {
  const merged = [];
  for (const { kind, length, varies, optional } of components) {
    const next = { numeric: kind === "N", length, varies: varies || optional };
    const last = merged.at(-1);
    if (last && last.numeric === next.numeric && (last.varies === next.varies || !next.numeric)) {
      merged[merged.length - 1] = { ...next, length: last.length + length };
    } else merged.push(next);
  }
  return merged;
}
