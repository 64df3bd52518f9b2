/**
 * The checks that the table of Application Identifiers names: rules on one component of a value that already has the
 * right length and characters; as `packtrace.gs1.component_checks` in Python. Five are not made here, whose lists a phone
 * need not fetch: coupons, bank accounts, package types and countries by letter, which no pack carries.
 */

import { COUNTRIES, CURRENCIES } from "./ai-table.js";
import { isDate, isYymmdd } from "./dates.js";

const SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const SET_32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83];

/** Digits whose last is GS1's check digit (modulo 10, section 7.9). @param {string} digits */
export function checkDigitFits(digits) {
  const sum = [...digits].reverse().reduce((total, digit, i) => total + Number(digit) * (i % 2 ? 3 : 1), 0);
  return sum % 10 === 0;
}

/** By name: `(text, today) => boolean`. @type {Record<string, (text: string, today: Date) => boolean>} */
export const CHECKS = {
  csum: checkDigitFits,
  csumalpha: checkPairFits,
  gcppos1: (text) => /^\d{4}/.test(text),
  gcppos2: () => true, // of a number of digits only there is nothing to see
  hasnondigit: (text) => /\D/.test(text),
  hh: (text) => text < "24",
  hhmi: (text) => text.slice(0, 2) < "24" && text.slice(2) < "60",
  hyphen: (text) => text === "-",
  importeridx: (text) => /^[-0-9A-Z_a-z]$/.test(text),
  iso3166: isIn(COUNTRIES),
  iso3166999: (text) => text === "999" || CHECKS.iso3166(text),
  iso4217: isIn(CURRENCIES),
  iso5218: (text) => "0129".includes(text),
  latitude: (text) => text <= "1800000000",
  longitude: (text) => text <= "3600000000",
  mediatype: (text) => (text >= "01" && text <= "10") || text >= "80",
  mi: (text) => text < "60",
  nonzero: (text) => /[1-9]/.test(text),
  nozeroprefix: (text) => /^(0|[1-9]\d*)$/.test(text),
  pcenc: (text) => !/%(?![0-9A-Fa-f]{2})/.test(text),
  pieceoftotal: (text) => Number(text.slice(0, 2)) > 0 && Number(text.slice(0, 2)) <= Number(text.slice(2)),
  posinseqslash: (text) => {
    const [, position, count] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(text) ?? [];
    return position !== undefined && Number(position) <= Number(count);
  },
  ss: (text) => text < "60",
  winding: (text) => "019".includes(text),
  yesno: (text) => "01".includes(text),
  yymmd0: (text, today) => isYymmdd(text, true, today),
  yymmdd: (text, today) => isYymmdd(text, false, today),
  yyyymmdd: (text) => !text.startsWith("0000") && isDate(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`),
  zero: (text) => text === "0",
};

/** A list of three digits each, in one text. */
function isIn(list) {
  const known = new Set(list.match(/\d{3}/g));
  return (text) => known.has(text);
}

/** The check character pair of an alphanumeric key (section 7.9). */
function checkPairFits(text) {
  const key = text.slice(0, -2);
  const values = [...key].map((character) => SET_82.indexOf(character));
  if (key.length === 0 || key.length > PRIMES.length || values.includes(-1)) return false;
  const sum = values.reduce((total, value, i) => total + value * PRIMES[key.length - 1 - i], 0) % 1021;
  return text.slice(-2) === SET_32[sum >> 5] + SET_32[sum & 31];
}
