/** The page's words, in the language of the person: one catalogue for each language, all with the same keys. */

export const LANGUAGES = Object.freeze({ de: "Deutsch", en: "English", zh: "中文" });
const DEFAULT = "en";

let catalogue = {};
let locale = DEFAULT;

/** Take a language's catalogue. @param {string} language */
export async function speak(language) {
  const known = language in LANGUAGES ? language : DEFAULT;
  const answer = await fetch(new URL(`../text/${known}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`the texts of ${known} are not there`);
  [catalogue, locale] = [await answer.json(), known];
  document.documentElement.lang = known === "zh" ? "zh-Hans" : known;
}

/** The first of the browser's languages that there is a catalogue for. */
export function preferredLanguage(languages = navigator.languages) {
  return languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES) ?? DEFAULT;
}

export function language() {
  return locale;
}

/**
 * A message with its gaps filled: `{name}` as it is, `{name:day}` and the like as that kind of thing is written.
 * @param {string} key @param {Record<string, any>} values another message ({key, values}) may stand in a gap
 */
export function t(key, values = {}) {
  const text = catalogue[key] ?? key;
  return text.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name, kind) => written(values[name], kind));
}

/** Whether there is such a message. */
export function known(key) {
  return key in catalogue;
}

/** A message as the library gives it. @param {{key: string, values: Record<string, any>}} words */
export function say({ key, values }) {
  return t(key, values);
}

export function day(value) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(dateOf(value));
}

export function moment(value) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(dateOf(value));
}

function written(value, kind) {
  if (value === null || value === undefined) return "?";
  if (Array.isArray(value)) return new Intl.ListFormat(locale).format(value.map((one) => written(one, kind)));
  if (typeof value === "object" && "key" in value) return say(value);
  if (kind === "day") return day(value);
  if (kind === "moment") return moment(value);
  if (kind === "step") return step(value);
  if (kind === "status") return t(`verdict.${value}`);
  if (kind === "act") return t(`act.${value}`);
  if (kind === "role") return known(`role.${value}`) ? t(`role.${value}`) : value;
  return typeof value === "number" ? new Intl.NumberFormat(locale, { useGrouping: false }).format(value) : String(value);
}

/** A business step of the CBV in words; its own word where there is no other. @param {string} name */
export function step(name) {
  return known(`step.${name}`) ? t(`step.${name}`) : name.replaceAll("_", " ");
}

/** @param {number | string} value unix time in seconds, or ISO 8601 */
function dateOf(value) {
  return typeof value === "number" ? new Date(value * 1000) : new Date(value);
}
