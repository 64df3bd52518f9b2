/** What this library refuses: evidence that does not hold, and codes that are no pack's. */

/** A proof, digest or document that is not what it should be. `rule` names what it breaks, as in the Python library. */
export class EvidenceError extends Error {
  /** @param {string} message @param {string} rule */
  constructor(message, rule) {
    super(message);
    this.name = "EvidenceError";
    this.rule = rule;
  }
}

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
