/** What a pack's code says: GS1 element strings and Digital Link URIs, read strictly, and the URIs of packs and units. */

import { checkCompanions, entryOf, lengthOf } from "./application-identifiers.js";
import { checkDigitFits } from "./component-checks.js";
import { dateOf, isDate } from "./dates.js";
import { readLink } from "./digital-link.js";
import { CodeError } from "./errors.js";

export const DOMAIN = "https://id.gs1.org";
const GS = "\x1d";
const MAX_CODE = 2048; // characters, as the gateway's: the longest element string of a pack has far fewer
/** Symbology identifiers (ISO/IEC 15424) that announce GS1 data; a plain DataMatrix, ]d1, never does. */
const GS1_DATA = new Set(["]d2", "]C1", "]Q3", "]e0"]);
const LINK = /^https?:\/\//i;
/** GS1's character set 82 (General Specifications, figure 7.11-1). */
const SET_82 = /^[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}$/;

/** @typedef {{gtin: string, serial: string, lot: string | null, expiry: string | null}} Pack expiry as YYYY-MM-DD */

/**
 * What carries a code that is given as scanned (symbology identifier first), in brackets, or as a Digital Link URI. With an
 * SSCC it is a logistic unit, whatever stands beside it; decided as by `packtrace.scan.identify` in Python, tested on the same
 * vectors.
 * @param {string} code @param {Date} today @returns {{sscc: string} | Pack}
 * @throws {CodeError} when it is neither a logistic unit nor one pack
 */
export function identify(code, today = new Date()) {
  const fields = fieldsOf(code, today);
  const [sscc, gtin, serial, lot, yymmdd] = ["00", "01", "21", "10", "17"].map((ai) => fields.get(ai) ?? null);
  if (sscc === null && gtin === null) throw new CodeError("code.noGtin");
  if (sscc === null && serial === null) throw new CodeError("code.noSerial");
  checkCompanions([...fields.keys()]);
  return sscc !== null ? { sscc } : checked({ gtin, serial, lot, expiry: yymmdd === null ? null : dateOf(yymmdd, today) });
}

/**
 * The pack that carries a code.
 * @param {string} code as for `identify` @param {Date} today @returns {Pack}
 * @throws {CodeError} as `identify`, and for a logistic unit
 */
export function readCode(code, today = new Date()) {
  const found = identify(code, today);
  if ("sscc" in found) throw new CodeError("code.logistic", found);
  return found;
}

/**
 * The pack in what a barcode reader read: what the symbology says counts, never what a text pretends; a link counts in any.
 * @param {{symbology: string, text: string}} reading @param {Date} today @returns as `readCode` @throws {CodeError} as it
 */
export function readReading({ symbology, text }, today = new Date()) {
  return readCode(LINK.test(text) ? text : symbology + text, today);
}

/** A scan whose parts keep GS1's rules. @throws {CodeError} naming the part that does not */
export function checked({ gtin, serial, lot, expiry }) {
  const digits = gtinOf(gtin);
  if (!/^\d{14}$/.test(digits) || !checkDigitFits(digits)) throw new CodeError("code.gtin", { value: gtin });
  if (!SET_82.test(serial)) throw new CodeError("code.serial", { value: serial });
  if (lot !== null && !SET_82.test(lot)) throw new CodeError("code.lot", { value: lot });
  if (expiry !== null && !isDate(expiry)) throw new CodeError("code.expiry", { value: expiry });
  return { gtin: digits, serial, lot, expiry };
}

/** A GTIN of 8, 12 or 13 digits with its leading zeros; anything else as it is. */
function gtinOf(text) {
  return /^(\d{8}|\d{12,13})$/.test(text) ? text.padStart(14, "0") : text;
}

/** @param {string} lot */
export function isLot(lot) {
  return SET_82.test(lot);
}

/** The canonical URI of a pack. */
export function sgtinUri(gtin, serial) {
  const escaped = serial.replace(/[^A-Za-z0-9\-._~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
  return `${DOMAIN}/01/${gtin}/21/${escaped}`;
}

/** The SSCC in a logistic unit's canonical URI; null for any other. @param {string} uri */
export function ssccOfUri(uri) {
  const sscc = /^https:\/\/id\.gs1\.org\/00\/(\d{18})$/.exec(uri)?.[1];
  return sscc && checkDigitFits(sscc) ? sscc : null;
}

/**
 * Whether a URI is the one canonical form of a pack or a logistic unit, the only things that a pack's way goes through.
 * @param {string} uri
 */
export function isCanonical(uri) {
  const [, gtin, serial] = /^https:\/\/id\.gs1\.org\/01\/(\d{14})\/21\/([^/?#]+)$/.exec(uri) ?? [];
  if (gtin === undefined) return ssccOfUri(uri) !== null;
  try {
    const plain = decodeURIComponent(serial);
    return checkDigitFits(gtin) && SET_82.test(plain) && sgtinUri(gtin, plain) === uri;
  } catch {
    return false;
  }
}

/** The serial number for people, from a pack's canonical URI. @param {string} uri */
export function serialOfUri(uri) {
  return decodeURIComponent(uri.slice(uri.lastIndexOf("/") + 1));
}

/** @returns {Map<string, string>} values by AI */
function fieldsOf(code, today) {
  if (code.length > MAX_CODE) throw new CodeError("code.long");
  if (code.startsWith("(")) return bracketed(code, today);
  if (LINK.test(code)) return new Map(readLink(code, today));
  const identifier = code.slice(0, 3);
  if (!GS1_DATA.has(identifier)) throw new CodeError("code.plain", { symbology: identifier });
  return elementString(code.slice(3), today);
}

function elementString(data, today) {
  const fields = new Map();
  for (let at = 0; at < data.length; ) {
    const start = data.slice(at, at + 2);
    const entry = entryOf(data.slice(at, at + (lengthOf(start) ?? 2)));
    if (!entry) throw new CodeError("code.unreadable");
    at += entry.ai.length;
    const separator = data.indexOf(GS, at);
    const end = entry.predefined ? at + entry.length : separator < 0 ? data.length : separator;
    const value = data.slice(at, end);
    if (end > data.length || !value || value.includes(GS)) throw new CodeError("code.unreadable");
    put(fields, entry, value, today);
    at = data[end] === GS ? end + 1 : end;
  }
  return fields;
}

function bracketed(text, today) {
  const fields = new Map();
  const field = /\((\d{2,4})\)((?:[^(\\]|\\\()*)/y;
  while (field.lastIndex < text.length) {
    const found = field.exec(text);
    const entry = found && entryOf(found[1]);
    if (!entry) throw new CodeError("code.brackets");
    const value = found[2].replaceAll("\\(", "(");
    put(fields, entry, value, today);
  }
  return fields;
}

function put(fields, entry, value, today) {
  entry.check(value, today);
  if (fields.has(entry.ai) && fields.get(entry.ai) !== value) throw new CodeError("code.twice", { ai: entry.ai });
  fields.set(entry.ai, value);
}
