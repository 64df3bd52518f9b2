/** What a gateway gives to judge by: proofs that prove themselves, a signed answer, and hints that the node confirms. */

import { concat, fromBase64, fromHex, utf8 } from "./bytes.js";
import { canonicalJson } from "./canonical-json.js";
import { readPedigree, wellFormed } from "./disclosure.js";
import { EvidenceError } from "./errors.js";
import { keccak256 } from "./keccak.js";
import { recoverAddress } from "./secp256k1.js";

const PREFIX = "packtrace/locator/v1\n";
const MAX_TIME = 253_402_300_800; // the year 10000
const MAX_UNITS = 256; // IPackLedger.MAX_UNITS

/**
 * @param {object} plain as the gateway's /verify gives it @param {string} network of the deployment @param {object} scan
 * @returns {{disclosures: object[], answer: object | null, receipt: object | null}} nothing of it is believed yet
 * @throws {EvidenceError}
 */
export function readMaterial(plain, network, scan) {
  return wellFormed("material", () => {
    const receipt = plain.receipt ? readReceipt(plain.receipt) : null;
    if (!plain.answer) return { disclosures: readPedigree(plain.pedigree), answer: null, receipt };
    const answer = readAnswer(plain.answer, network, scan);
    return { disclosures: answer.disclosures, answer, receipt };
  });
}

/** The answer of a GTIN's marketing authorisation holder about a pack whose pedigree is not here; see `packtrace.locator`. */
export function readAnswer(plain, network, scan) {
  return wellFormed("locator", () => {
    const { kind, time } = plain;
    if (!["unit", "never", "differs"].includes(kind) || !Number.isSafeInteger(time) || time < 0 || time >= MAX_TIME) {
      throw new EvidenceError("the locator's answer is of no known kind or time", "locator");
    }
    const { gtin, serial, lot, expiry } = scan;
    const said = { network, kind, gtin, serial, lot, expiry, time };
    if (Object.keys(said).some((name) => plain[name] !== said[name])) throw new EvidenceError("the locator's answer is about another pack or network", "locator");
    if (!/^0x[0-9a-f]{130}$/.test(plain.signature)) throw new EvidenceError("the locator's answer is not signed", "locator");
    const signer = recoverAddress(personalMessage(utf8(PREFIX + canonicalJson(said))), fromHex(plain.signature));
    if (!signer) throw new EvidenceError("the locator's answer is signed by nobody", "locator");
    return { kind, time, signer, disclosures: kind === "unit" ? readPedigree(plain.pedigree) : [] };
  });
}

/** What is signed of a message by EIP-191, version 0x45. @param {Uint8Array} message */
function personalMessage(message) {
  return keccak256(concat(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message));
}

function readReceipt(plain) {
  const binary = Object.fromEntries(["id", "openings", "units", "outcomes"].map((name) => [name, fromBase64(plain[name])]));
  const { party, to, time } = plain;
  const numbers = [party, to, time].every((number) => Number.isSafeInteger(number) && number >= 0);
  const sound = numbers && party < 2 ** 32 && to < 9 && time < 2 ** 40 && binary.id.length === 32 && binary.openings.length === 32;
  if (!sound || binary.units.length !== 8 * binary.outcomes.length || binary.outcomes.length > MAX_UNITS) {
    throw new EvidenceError("the receipt is not of the contract's form", "receipt");
  }
  return { ...binary, party, to, time };
}
