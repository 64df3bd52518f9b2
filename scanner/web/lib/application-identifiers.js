/**
 * What each GS1 Application Identifier (AI) carries, and which others it needs or forbids beside it; as
 * `packtrace.gs1.application_identifiers` in Python, from the same table.
 */

import { TABLE } from "./ai-table.js";
import { CHECKS } from "./component-checks.js";
import { CodeError } from "./errors.js";

const SETS = { N: "[0-9]", X: "[!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z]", Y: "[#\\-/0-9A-Z]", Z: "[A-Za-z0-9_=-]" };
/** What a component looks like as a whole: base64url is padded at its end only. */
const AHEAD = { N: "", X: "", Y: "", Z: "(?=[A-Za-z0-9_-]+={0,2}$)" };
/** What a person calls the parts of a pack's code. */
const PARTS = { "01": "code.gtin", 21: "code.serial", 10: "code.lot", 17: "code.expiry" };

/** One AI. `form` is its components without their checks, `pattern` the same as a regular expression with a group for each. */
class Entry {
  #pattern = null;

  constructor(ai, flags, components, attributes) {
    const given = attributes.map((attribute) => attribute.split("="));
    const listed = (name) => given.filter(([found]) => found === name).map(([, list]) => list ?? "");
    this.ai = ai;
    this.predefined = flags.includes("*");
    this.attribute = flags.includes("?");
    this.components = components.map((component) => {
      const [form, ...checks] = component.replace(/[[\]]/g, "").split(",");
      const length = Number(form.slice(1).replace("..", ""));
      return { kind: form[0], length, varies: form.includes(".."), optional: component.startsWith("["), checks };
    });
    this.length = this.components.reduce((sum, { length }) => sum + length, 0);
    this.requires = listed("req").map((groups) => groups.split(",").map((group) => group.split("+").map(prefix)));
    this.excludes = listed("ex").flatMap((list) => list.split(",").map(prefix));
    const [key] = listed("dlpkey");
    this.qualifiers = key === undefined ? null : key.split("|").map((sequence) => (sequence ? sequence.split(",") : []));
  }

  get pattern() {
    this.#pattern ??= new RegExp(`^${this.components.map(({ kind, length, varies, optional }) => `(${AHEAD[kind]}${SETS[kind]}{${varies ? "1," : ""}${length}})${optional ? "?" : ""}`).join("")}$`);
    return this.#pattern;
  }

  /** Whether all of its checks are made here. */
  get checkable() {
    return this.components.every(({ checks }) => checks.every((name) => name in CHECKS));
  }

  /** @throws {CodeError} unless `value` keeps every rule that is checked here */
  check(value, today) {
    const [, ...parts] = this.pattern.exec(value) ?? [];
    const good = parts.length > 0 && this.components.every(({ checks }, i) => parts[i] === undefined || checks.every((name) => CHECKS[name]?.(parts[i], today) ?? true));
    if (!good) throw new CodeError(PARTS[this.ai] ?? "code.field", { ai: this.ai, value });
  }
}

/** A prefix of AIs: n stands for any digit. */
function prefix(text) {
  return text.replace(/n+$/, "");
}

/** @type {Map<string, Entry>} */
const ENTRIES = new Map();
for (const line of TABLE.trim().split("\n")) {
  const [ais, ...words] = line.split(" ");
  const flags = /^[*?]/.test(words[0]) ? words.shift() : "";
  const components = words.filter((word) => /^\[?[NXYZ][0-9.]/.test(word));
  const [first, last = first] = ais.split("-");
  for (let number = Number(first); number <= Number(last); number++) {
    const ai = String(number).padStart(first.length, "0");
    ENTRIES.set(ai, new Entry(ai, flags, components, words.slice(components.length)));
  }
}
/** The first two digits of an AI tell how many it has (General Specifications, 7.8). */
const LENGTHS = new Map([...ENTRIES.keys()].map((ai) => [ai.slice(0, 2), ai.length]));

/** @returns {Entry | undefined} undefined for what is no AI */
export function entryOf(ai) {
  return ENTRIES.get(ai);
}

/** How many digits an AI has that begins with these two; undefined where none does. */
export function lengthOf(start) {
  return LENGTHS.get(start);
}

/** AIs by which a thing is known: a Digital Link's path begins with one. */
export function isKey(ai) {
  return (ENTRIES.get(ai)?.qualifiers ?? null) !== null;
}

/**
 * That AIs which need another have it, and that none is beside one it excludes.
 * @param {string[]} ais all different AIs of one item @throws {CodeError} naming the AI that does not fit
 */
export function checkCompanions(ais) {
  const present = (start, beside) => ais.some((ai) => ai.startsWith(start) && ai !== beside);
  for (const ai of ais) {
    const { excludes, requires } = ENTRIES.get(ai);
    const alone = requires.some((demand) => !demand.some((group) => group.every((start) => present(start, ai))));
    if (alone || excludes.some((start) => present(start, ai))) throw new CodeError("code.companions", { ai });
  }
}
