/** A proof, digest or document that is not what it should be. `rule` names what it breaks, as in the Python library. */
export class EvidenceError extends Error {
  /** @param {string} message @param {string} rule */
  constructor(message, rule) {
    super(message);
    this.name = "EvidenceError";
    this.rule = rule;
  }
}
