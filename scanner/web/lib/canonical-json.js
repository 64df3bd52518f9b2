/** Canonical JSON (RFC 8785): no white space, members sorted by UTF-16 code units, numbers and texts as ECMAScript has them. */

/** @param {unknown} value as of JSON.parse @returns {string} */
export function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.keys(value).sort().map((name) => `${canonicalJson(name)}:${canonicalJson(value[name])}`);
    return `{${members.join(",")}}`;
  }
  if (typeof value === "string" && !value.isWellFormed()) throw new TypeError("a text has half of a character");
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${value} is not a number of JSON`);
  const written = JSON.stringify(value);
  if (written === undefined) throw new TypeError(`${typeof value} is not JSON`);
  return written;
}
