/** What a pack's code says: GS1 element strings and Digital Link URIs, read strictly, and the URIs of packs and units. */

/** A code that is no pack's. `reason` is a key of the message catalogues, `values` what stands in its gaps. */
export class CodeError extends Error {
  /** @param {string} reason @param {Record<string, string>} values */
  constructor(reason, values = {}) {
    super(reason);
    this.name = "CodeError";
    this.reason = reason;
    this.values = values;
  }
}

export const DOMAIN = "https://id.gs1.org";
const GS = "\x1d";
const MAX_CODE = 2048; // characters, as the gateway's: the longest element string of a pack has far fewer
/** Symbology identifiers (ISO/IEC 15424) that announce GS1 data; a plain DataMatrix, ]d1, never does. */
const GS1_DATA = new Set(["]d2", "]C1", "]Q3", "]e0"]);
/** Length of an AI by its first two digits (GS1 General Specifications, 7.8.1); two where nothing stands here. */
const AI_LENGTHS = new Map([
  ...["23", "24", "25", "40", "41", "42", "71"].map((start) => /** @type {const} */ ([start, 3])),
  ...["31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82"].map((start) => /** @type {const} */ ([start, 4])),
]);
/** Fields of predefined length (figure 7.8.5-2): the length of AI and value together. */
const PREDEFINED = new Map([
  ["00", 20], ["01", 16], ["02", 16], ["03", 16], ["04", 18], ["11", 8], ["12", 8], ["13", 8], ["14", 8], ["15", 8],
  ["16", 8], ["17", 8], ["18", 8], ["19", 8], ["20", 4], ["31", 10], ["32", 10], ["33", 10], ["34", 10], ["35", 10],
  ["36", 10], ["41", 16],
]);
/** GS1's character set 82 (General Specifications, figure 7.11-1). */
const SET_82 = /^[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}$/;

/**
 * The pack in a code as scanned (symbology identifier first), in brackets, or as a Digital Link URI.
 * @param {string} code @param {Date} today
 * @returns {{gtin: string, serial: string, lot: string | null, expiry: string | null}} expiry as YYYY-MM-DD
 * @throws {CodeError} when it names no single pack
 */
export function readCode(code, today = new Date()) {
  const fields = fieldsOf(code);
  if (fields.has("00")) throw new CodeError("code.logistic", { sscc: fields.get("00") });
  const [gtin, serial, lot, yymmdd] = ["01", "21", "10", "17"].map((ai) => fields.get(ai) ?? null);
  if (gtin === null) throw new CodeError("code.noGtin");
  if (serial === null) throw new CodeError("code.noSerial");
  return checked({ gtin, serial, lot, expiry: yymmdd === null ? null : dateOf(yymmdd, today) });
}

/** A scan whose parts keep GS1's rules. @throws {CodeError} naming the part that does not */
export function checked({ gtin, serial, lot, expiry }) {
  const digits = /^(\d{8}|\d{12,13})$/.test(gtin) ? gtin.padStart(14, "0") : gtin;
  if (!/^\d{14}$/.test(digits) || !checkDigitFits(digits)) throw new CodeError("code.gtin", { value: gtin });
  if (!SET_82.test(serial)) throw new CodeError("code.serial", { value: serial });
  if (lot !== null && !SET_82.test(lot)) throw new CodeError("code.lot", { value: lot });
  if (expiry !== null && !isDate(expiry)) throw new CodeError("code.expiry", { value: expiry });
  return { gtin: digits, serial, lot, expiry };
}

/** @param {string} lot */
export function isLot(lot) {
  return SET_82.test(lot);
}

/** Digits whose last is GS1's check digit (modulo 10, section 7.9). @param {string} digits */
export function checkDigitFits(digits) {
  const sum = [...digits].reverse().reduce((total, digit, i) => total + Number(digit) * (i % 2 ? 3 : 1), 0);
  return sum % 10 === 0;
}

/** YYYY-MM-DD of a day that there is. @param {string} text */
export function isDate(text) {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.valueOf()) && day.toISOString().slice(0, 10) === text;
}

/** Unix time from which a pack usable until that day is expired: 00:00 UTC of the day after. @param {string} expiry */
export function expiresAt(expiry) {
  return Date.parse(`${expiry}T00:00:00Z`) / 1000 + 86_400;
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
function fieldsOf(code) {
  if (code.length > MAX_CODE) throw new CodeError("code.long");
  if (code.startsWith("(")) return bracketed(code);
  if (/^https?:\/\//i.test(code)) return digitalLink(code);
  const identifier = code.slice(0, 3);
  if (!GS1_DATA.has(identifier)) throw new CodeError("code.plain", { symbology: identifier });
  return elementString(code.slice(3));
}

function elementString(data) {
  const fields = new Map();
  for (let at = 0; at < data.length; ) {
    const start = data.slice(at, at + 2);
    if (!/^\d\d$/.test(start)) throw new CodeError("code.unreadable");
    const length = AI_LENGTHS.get(start) ?? 2;
    const ai = data.slice(at, at + length);
    const fixed = PREDEFINED.get(start);
    const separator = data.indexOf(GS, at);
    const end = fixed ? at + fixed : separator < 0 ? data.length : separator;
    const value = data.slice(at + length, end);
    if (end > data.length || !/^\d+$/.test(ai) || !value || value.includes(GS)) throw new CodeError("code.unreadable");
    put(fields, ai, value);
    at = data[end] === GS ? end + 1 : end;
  }
  return fields;
}

function bracketed(text) {
  const fields = new Map();
  const field = /\((\d{2,4})\)((?:[^(\\]|\\\()*)/y;
  while (field.lastIndex < text.length) {
    const found = field.exec(text);
    if (!found) throw new CodeError("code.brackets");
    put(fields, found[1], found[2].replaceAll("\\(", "("));
  }
  return fields;
}

/** An uncompressed Digital Link URI of any domain: the key and its qualifiers end the path, the rest is in the query. */
function digitalLink(text) {
  const fields = new Map();
  let link;
  try {
    link = new URL(text);
    const segments = link.pathname.split("/").slice(1).map(decodeURIComponent);
    const start = segments.findIndex((segment, i) => ["00", "01"].includes(segment) && (segments.length - i) % 2 === 0);
    if (start < 0) throw new CodeError("code.notLink");
    for (let i = start; i < segments.length; i += 2) {
      const value = segments[i] === "01" ? segments[i + 1].padStart(14, "0") : segments[i + 1];
      put(fields, segments[i], value);
    }
    for (const [name, value] of link.searchParams) if (/^\d{2,4}$/.test(name)) put(fields, name, value);
  } catch (error) {
    throw error instanceof CodeError ? error : new CodeError("code.notLink");
  }
  return fields;
}

function put(fields, ai, value) {
  if (fields.has(ai) && fields.get(ai) !== value) throw new CodeError("code.twice", { ai });
  fields.set(ai, value);
}

/** AI (17): YYMMDD, day 00 for the month's last; the year is from 49 years back to 50 ahead (section 7.12). */
export function dateOf(yymmdd, today = new Date()) {
  const [, yy, month, day] = /^(\d\d)(\d\d)(\d\d)$/.exec(yymmdd) ?? [];
  if (yy === undefined) throw new CodeError("code.expiry", { value: yymmdd });
  const now = today.getUTCFullYear();
  const distance = Number(yy) - (now % 100);
  const year = now - (now % 100) + Number(yy) + (distance >= 51 ? -100 : distance <= -50 ? 100 : 0);
  const last = new Date(Date.UTC(year, Number(month), 0)).getUTCDate();
  const text = `${year}-${month}-${day === "00" ? String(last).padStart(2, "0") : day}`;
  if (!isDate(text)) throw new CodeError("code.expiry", { value: yymmdd });
  return text;
}
