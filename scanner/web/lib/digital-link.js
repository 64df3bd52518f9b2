/**
 * GS1 Digital Link URIs of any domain, compressed or not: the key and its qualifiers in the path, the rest in the query; read
 * as `parse_digital_link` of the Python library does, tested on the same vectors.
 */

import { checkCompanions, entryOf, isKey } from "./application-identifiers.js";
import { checkDigitFits } from "./component-checks.js";
import { CodeError } from "./errors.js";
import { decompress, mayBeCompressed } from "./link-compression.js";

/** @typedef {[string, string]} Pair an AI and its value */

const CANONICAL_HOST = "id.gs1.org";
const SSCC = "00";
const GTIN_LENGTHS = [8, 12, 13, 14];

/**
 * Everything that a link says about its item, in its order.
 * @param {string} uri @param {Date} today @returns {Pair[]}
 * @throws {CodeError} for what is no Digital Link, or breaks a rule
 */
export function readLink(uri, today) {
  const [, host, path, query = ""] = /^https?:\/\/([^/?#]+)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/is.exec(uri) ?? [];
  if (host === undefined) throw notLink();
  const segments = path.replace(/\/$/, "").split("/");
  const start = keyPosition(segments);
  const atGs1 = host.toLowerCase() === CANONICAL_HOST;
  let pairs;
  if (start !== null) {
    if (!atGs1 && !isPlausible(segments[start], segments[start + 1])) throw notLink();
    pairs = pairsOf(segments.slice(start));
    checkPath(pairs, today);
  } else {
    if (!mayBeCompressed(segments.at(-1))) throw notLink();
    pairs = compressed(segments, atGs1, today);
  }
  for (const parameter of query.split("&")) {
    const [, name, text = ""] = /^(\d+)(?:=(.*))?$/s.exec(parameter) ?? [];
    if (name === undefined) continue;
    if (!entryOf(name)?.attribute) throw notLink();
    pairs.push([name, decoded(text)]);
  }
  return unique(pairs, today);
}

function notLink() {
  return new CodeError("code.notLink");
}

/** Each AI once, every value good, and all of them together. */
function unique(pairs, today) {
  const values = new Map();
  for (const [ai, value] of pairs) {
    entryOf(ai).check(value, today);
    if (values.has(ai) && values.get(ai) !== value) throw new CodeError("code.twice", { ai });
    values.set(ai, value);
  }
  checkCompanions([...values.keys()]);
  return [...values];
}

/**
 * A path whose last segment is compressed, perhaps behind a key and qualifiers in the clear. A name on the web may be
 * base64url by chance, so every rule has to hold; a class of things with data attributes is read at id.gs1.org only.
 */
function compressed(segments, atGs1, today) {
  const clear = segments.slice(0, -1);
  const start = keyPosition(clear);
  const head = start === null ? [] : pairsOf(clear.slice(start));
  if (head.length) checkPath(head, today);
  const pairs = [...head, ...decompress(segments.at(-1), today)];
  const ais = pairs.map(([ai]) => ai);
  if (new Set(ais).size < ais.length || (head.length === 0 && ais.filter(isKey).length > 1)) throw notLink();
  checkCompanions(ais);
  const { path, attributes } = arranged(pairs);
  if (attributes.length && path.length === 1 && path[0][0] !== SSCC && !head.length && !atGs1) throw notLink();
  return [...path, ...attributes];
}

/** What stands in a link's path: the first key and its qualifiers; and what in its query. */
function arranged(pairs) {
  const key = pairs.find(([ai]) => isKey(ai));
  if (!key) throw notLink();
  const values = new Map(pairs);
  const paths = entryOf(key[0]).qualifiers.map((sequence) => [key, ...sequence.filter((ai) => values.has(ai)).map((ai) => [ai, values.get(ai)])]);
  const needing = (path) => path.filter(([ai]) => !entryOf(ai).attribute).length;
  const path = paths.reduce((best, one) => (needing(one) > needing(best) ? one : best));
  const shown = new Set(path.map(([ai]) => ai));
  const attributes = pairs.filter(([ai]) => !shown.has(ai));
  if (attributes.some(([ai]) => !entryOf(ai).attribute)) throw notLink();
  return { path, attributes };
}

/** That a key comes first and only its own qualifiers follow, in their order, all with good values. */
function checkPath(pairs, today) {
  const [key, ...rest] = pairs.map(([ai]) => ai);
  const inOrder = (sequence) => {
    const positions = rest.map((ai) => sequence.indexOf(ai));
    return positions.every((position, i) => position >= 0 && (i === 0 || position > positions[i - 1]));
  };
  if (!entryOf(key).qualifiers.some(inOrder)) throw notLink();
  for (const [ai, value] of pairs) entryOf(ai).check(value, today);
}

/** Where the last key stands, seen in steps of AI and value from the end of the path. */
function keyPosition(segments) {
  for (let position = segments.length - 2; position > 0; position -= 2) {
    if (!entryOf(segments[position])) return null;
    if (isKey(segments[position])) return position;
  }
  return null;
}

/** AI, value, AI, value, … of a path, decoded, a GTIN with its leading zeros. */
function pairsOf(segments) {
  const pairs = [];
  for (let i = 0; i < segments.length; i += 2) pairs.push([segments[i], decoded(segments[i + 1])]);
  const [key, value] = pairs[0];
  if (key === "01" && GTIN_LENGTHS.includes(value.length)) pairs[0] = [key, value.padStart(14, "0")];
  return pairs;
}

function isPlausible(key, text) {
  if (key === "01" && GTIN_LENGTHS.slice(0, -1).includes(text.length)) return /^\d+$/.test(text) && checkDigitFits(text);
  try {
    return entryOf(key).pattern.test(decodeURIComponent(text));
  } catch {
    return false;
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notLink();
  }
}
