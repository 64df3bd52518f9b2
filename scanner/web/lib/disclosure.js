/** A disclosure: the part of an event that is shown, with the proof that it is part of it (docs/proofs.md). */

import { equal, fromBase64, fromHex, toHex } from "./bytes.js";
import { isCanonical } from "./codes.js";
import { EvidenceError } from "./errors.js";
import { byCodePoint, eventDigest, fieldLeafHash } from "./header.js";
import { itemLeafHash, Role } from "./items.js";
import { leafHash, rootFromMultiproof, rootFromPath } from "./merkle.js";

// The bounds of the Python library: whoever sends a proof cannot make this page work for ever.
const MAX_EVENTS = 100_000;
const MAX_FIELDS = 256;
const MAX_URI = 1024;
const MAX_TEXT = 1024;
const MAX_SIZE = 2 ** 32;
const MAX_SEALED = 2 ** 20;
const MOST_CORRECTIONS = 64;
const MAX_REASON = 256;
const PARTIES = 2 ** 22;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * The disclosures of a pedigree in JSON; nothing in them is believed yet.
 * @throws {EvidenceError} when it is no pedigree
 */
export function readPedigree(plain) {
  return wellFormed("pedigree", () => {
    if (plain.v !== 1) throw new EvidenceError("this page reads pedigrees of version 1", "pedigree");
    if (!Array.isArray(plain.events) || plain.events.length > MAX_EVENTS) throw new TypeError("its events are no list");
    return plain.events.map(readDisclosure);
  });
}

function readDisclosure(plain) {
  const fields = plain.f.map((entry) =>
    Array.isArray(entry) ? { name: text(entry[0]), salt: fromBase64(entry[1]), value: JSON.parse(text(entry[2])) } : fromBase64(entry),
  );
  return { fields, shown: readItems(plain), seal: plain.seal === null ? null : readSeal(plain.seal) };
}

function readSeal([party, lane, sequence, count, index, path]) {
  for (const number of [party, lane, sequence, count, index]) whole(number);
  return { party, lane, sequence, count, index, path: chunks(fromBase64(path), HASH_BYTES) };
}

function readItems(plain) {
  const nodes = chunks(fromBase64(plain.n), HASH_BYTES);
  const salts = chunks(fromBase64(plain.s), SALT_BYTES);
  if (plain.i.length === 0) return { indices: [], salts, uris: [], nodes };
  let at = 0;
  const indices = plain.i.map((distance) => (at += whole(distance)));
  const prefix = text(plain.p);
  return { indices, salts, uris: text(plain.u).split("\n").map((rest) => prefix + rest), nodes };
}

/**
 * Check everything that needs no chain. What remains: that the log entry which `seal` names has `sealRoot` on chain.
 * @throws {EvidenceError} naming the link that does not hold
 */
export async function verify({ fields, shown, seal }) {
  const header = headerOf(fields);
  const hashes = await Promise.all(fields.map((field) => (field instanceof Uint8Array ? field : fieldHash(field))));
  const digest = await eventDigest(hashes);
  const id = toHex(digest);
  const refuse = (message, rule) => {
    throw new EvidenceError(`event ${id.slice(0, 12)}: ${message}`, rule);
  };
  const { indices, salts, uris, nodes } = shown;
  if (uris.length !== indices.length || salts.length !== indices.length) refuse("items, positions and salts differ in number", "item proof");
  if (uris.some((uri) => uri.length > MAX_URI || !isCanonical(uri))) refuse("an item's URI is not in its canonical form", "item proof");
  const declares = declarationOf(header.core);
  if (declares && indices.length) refuse("an error declaration shows no items", "declaration");
  const roles = indices.map((index) => roleAt(header.counts, index));
  if (indices.length) {
    const leaves = await Promise.all(uris.map((uri, i) => itemLeafHash(roles[i], salts[i], uri)));
    const root = await rootFromMultiproof(header.size, indices, leaves, nodes);
    if (!equal(root, header.itemRoot)) refuse("the items shown are not those of the event", "item proof");
  } else if (nodes.length) {
    refuse("the proof has a node that is not needed", "item proof");
  }
  if (seal && seal.party !== header.core.party) refuse("the event is sealed by another party than recorded it", "seal");
  if (seal && !(seal.count > 0 && seal.count <= MAX_SEALED)) refuse("a seal has 1 to 2^20 events", "seal");
  const items = itemsOf(roles, shown, refuse);
  const sealRoot = seal && (await rootFromPath(seal.count, seal.index, await leafHash(digest), seal.path));
  return { header, core: header.core, digest, id, items, seal, sealRoot, party: header.core.party, declares };
}

/** @returns {Map<number, Map<string, number>>} positions by role and URI */
function itemsOf(roles, { indices, uris }, refuse) {
  const items = new Map();
  let before = [0, ""];
  roles.forEach((role, i) => {
    if (before[0] > role || (before[0] === role && before[1] >= uris[i])) refuse("items stand in the order of their URIs, each once", "item proof");
    before = [role, uris[i]];
    if (!items.has(role)) items.set(role, new Map());
    items.get(role).set(uris[i], indices[i]);
  });
  return items;
}

/** What the core of a header declares erroneous; null where it is that of any other event. */
export function declarationOf(core) {
  if (!("declares" in core)) return null;
  return wellFormed("header", () => {
    const { event, time, reason, corrections } = core.declares;
    const sound =
      Object.keys(core.declares).length === 4 && DIGEST.test(event) && TIME.test(time) &&
      (reason === null || (typeof reason === "string" && reason.length > 0 && reason.length <= MAX_REASON)) &&
      corrections.length <= MOST_CORRECTIONS && corrections.every((digest) => DIGEST.test(digest)) &&
      corrections.every((digest, i) => i === 0 || corrections[i - 1] < digest) && !corrections.includes(event) &&
      !["product", "custody", "receiver"].some((name) => name in core);
    if (!sound) throw new EvidenceError("what is declared is not well formed", "header");
    return { event, time, reason, corrections };
  });
}

/** A header from somebody else: an open, complete core first, the other fields in order. */
function headerOf(fields) {
  return wellFormed("header", () => {
    const opened = fields.filter((field) => !(field instanceof Uint8Array));
    if (fields.length === 0 || fields.length > MAX_FIELDS || fields[0].name !== "core") throw new TypeError("it does not begin with its open core");
    if (opened.some((field) => field.salt.length !== SALT_BYTES)) throw new TypeError("a salt has 16 bytes");
    if (fields.some((field) => field instanceof Uint8Array && field.length !== HASH_BYTES)) throw new TypeError("a closed field has 32 bytes");
    const names = opened.slice(1).map((field) => field.name);
    const ordered = names.every((name, i) => name !== "core" && (i === 0 || byCodePoint(names[i - 1], name) < 0));
    if (!ordered) throw new TypeError("its fields do not stand in the order of their names, each once");
    const core = fields[0].value;
    const given = core.items.counts;
    const counts = Object.entries(Role).filter(([name]) => name in given).map(([name, role]) => ({ role, count: given[name] }));
    const size = counts.reduce((sum, { count }) => sum + count, 0);
    const itemRoot = fromHex(core.items.root);
    const sound =
      itemRoot.length === HASH_BYTES && counts.length === Object.keys(given).length &&
      counts.every(({ count }) => Number.isSafeInteger(count) && count > 0 && count <= MAX_SIZE) && size <= MAX_SIZE &&
      (given.parent ?? 0) <= 1 && [core.type, core.action].every(isText) &&
      [core.eventTime, core.recordTime].every((time) => TIME.test(time)) &&
      [core.bizStep, core.disposition, core.readPoint].every((value) => value === null || isText(value)) &&
      isParty(core.party) && (core.receiver === undefined || core.receiver === null || isParty(core.receiver));
    if (!sound) throw new TypeError("its core is not well formed");
    return { fields, core, counts, size, itemRoot };
  });
}

async function fieldHash({ name, salt, value }) {
  return wellFormed("header", () => fieldLeafHash(name, salt, value));
}

/** Whether a role has items in the event, shown or not. */
export function has(event, role) {
  return event.header.counts.some((entry) => entry.role === role);
}

function roleAt(counts, index) {
  let end = 0;
  for (const { role, count } of counts) if (index < (end += count)) return role;
  throw new EvidenceError("there is no item at this position", "item proof");
}

/** Run `read`; what it stumbles over in somebody else's data is broken evidence. */
export function wellFormed(rule, read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) throw error;
    throw new EvidenceError(`not well formed: ${error instanceof Error ? error.message : error}`, rule);
  }
}

function chunks(joined, width) {
  if (joined.length % width) throw new TypeError(`pieces of ${width} bytes expected`);
  return Array.from({ length: joined.length / width }, (_, i) => joined.subarray(width * i, width * (i + 1)));
}

function text(value) {
  if (typeof value !== "string") throw new TypeError("text expected");
  return value;
}

/** Larger numbers would be rounded by JavaScript, and be others. */
function whole(value) {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError("a whole number expected");
  return value;
}

function isText(value) {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

function isParty(value) {
  return Number.isSafeInteger(value) && value > 0 && value < PARTIES;
}
