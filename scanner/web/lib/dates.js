/** Dates as GS1 carries them, YYMMDD in codes, and as YYYY-MM-DD everywhere else. */

import { CodeError } from "./errors.js";

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

/** Whether six digits are a date that there is. */
export function isYymmdd(text, dayMayBeZero, today) {
  if (!dayMayBeZero && text.endsWith("00")) return false;
  try {
    return dateOf(text, today) !== "";
  } catch {
    return false;
  }
}
