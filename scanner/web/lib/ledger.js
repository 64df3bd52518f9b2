/** What the contracts pack and hash: numbers, statuses, receipts, contents. Numbers of 64 bits are BigInts. */

import { concat, toBytes, toNumber } from "./bytes.js";
import { keccak256 } from "./keccak.js";

const UNIT_BYTES = 8;
const REFUSED = 0x80;
/** Status of a unit, by its number on chain (contracts/interfaces/Types.sol). */
export const STATUSES = Object.freeze([
  "ACTIVE", "SUPPLIED", "DESTROYED", "EXPORTED", "SAMPLED", "FREE_SAMPLE", "STOLEN", "LOCKED", "SUSPECT",
]);
/** Why a unit was left as it was, by its number on chain. */
export const REFUSALS = Object.freeze([
  "NONE", "UNKNOWN_UNIT", "NOT_RELEASED", "WRONG_STATUS", "EXPIRED", "RECALLED", "NOT_ALLOWED", "NOT_CHANGED_HERE",
  "ALREADY_REVERSED", "DUPLICATE",
]);

/** Party (22 bits) ‖ its own number (22 bits). */
export function batchNumber(party, own) {
  return joined([party, 22], [own, 22]);
}

/** Batch number (44 bits) ‖ position in the commissioning event's item tree (20 bits). */
export function unitNumber(batch, index) {
  return joined([batch, 44], [index, 20]);
}

/** Party (22 bits) ‖ its own number (42 bits). */
export function logisticNumber(party, own) {
  return joined([party, 22], [own, 42]);
}

/** @param {bigint} unit @returns {{party: bigint, own: bigint, batch: bigint, index: bigint}} */
export function partsOfUnit(unit) {
  const batch = unit >> 20n;
  return { party: batch >> 22n, own: batch % (1n << 22n), batch, index: unit % (1n << 20n) };
}

/** @param {bigint[]} units @returns {Uint8Array} 8 bytes each */
export function packedUnits(units) {
  return concat(...units.map((unit) => toBytes(unit, UNIT_BYTES)));
}

/** @param {Uint8Array} packed @returns {bigint[]} */
export function unitsOf(packed) {
  if (packed.length % UNIT_BYTES) throw new TypeError("a list of units has 8 bytes for each");
  return Array.from({ length: packed.length / UNIT_BYTES }, (_, i) =>
    toNumber(packed.subarray(UNIT_BYTES * i, UNIT_BYTES * (i + 1))),
  );
}

/** A unit's status in the word of 64 that it lies in. @param {Uint8Array} word 32 bytes @param {bigint} unit */
export function statusAt(word, unit) {
  return Number((toNumber(word) >> (4n * (unit % 64n))) % 16n);
}

/**
 * A receipt's outcome of one unit.
 * @param {number} outcome one byte
 * @returns {{changed: true, from: number} | {changed: false, refusal: number}} the status found, or why it was refused
 */
export function outcomeOf(outcome) {
  return outcome & REFUSED ? { changed: false, refusal: outcome & ~REFUSED } : { changed: true, from: outcome };
}

/**
 * What the chain keeps of a status change: Keccak-256(abi.encode(IPackLedger.Receipt)).
 * @param {{id: Uint8Array, party: number, to: number, time: number, openings: Uint8Array, units: Uint8Array, outcomes: Uint8Array}} receipt
 */
export function receiptHash({ id, party, to, time, openings, units, outcomes }) {
  const [first, second] = [dynamic(units), dynamic(outcomes)];
  const head = [32, id, party, to, time, openings, 7 * 32, 7 * 32 + first.length];
  return keccak256(concat(...head.map(word), first, second));
}

/** What `ICustodyLedger.contentOf` holds. @param {Uint8Array} commitment to the SSCC @param {Uint8Array} itemRoot */
export function contentHash(commitment, itemRoot, count) {
  return keccak256(concat(commitment, itemRoot, word(count)));
}

/** @param {[bigint | number, number][]} fields each number with its bits */
function joined(...fields) {
  return fields.reduce((number, [value, bits]) => {
    const part = BigInt(value);
    if (part < 0n || part >> BigInt(bits)) throw new RangeError(`${value} has more than ${bits} bits`);
    return (number << BigInt(bits)) | part;
  }, 0n);
}

/** One word of the ABI: a number, or 32 bytes. */
function word(value) {
  return value instanceof Uint8Array ? value : toBytes(value, 32);
}

/** `bytes` in the ABI: length, then the bytes up to a whole word. @param {Uint8Array} bytes */
function dynamic(bytes) {
  return concat(word(bytes.length), bytes, new Uint8Array(-bytes.length & 31));
}
