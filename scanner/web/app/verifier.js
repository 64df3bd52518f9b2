/** From a scanned pack to a verdict of our own: proofs from the gateway, facts from the user's node, judged here. */

import { canonicalJson } from "../lib/canonical-json.js";
import { utf8, toHex } from "../lib/bytes.js";
import { EvidenceError } from "../lib/errors.js";
import { brokenLink, examine, say } from "../lib/evidence.js";
import { sha256 } from "../lib/hashing.js";
import { readMaterial } from "../lib/material.js";
import { Node, NodeError } from "../lib/node.js";
import { judge } from "../lib/verdict.js";

const CONTRACTS = ["PartyRegistry", "RecallBoard", "PackLedger", "CustodyLedger", "EventLog"];

export class Verifier {
  /**
   * @param {import("./gateway.js").Gateway} gateway
   * @param {{node: string, deployment: object, place: number}} settings
   */
  constructor(gateway, { node, deployment, place }) {
    this.gateway = gateway;
    this.node = new Node(node, deployment);
    this.network = networkOf(deployment);
    this.place = place;
  }

  /**
   * The verdict on a pack, and who could not be asked. The gateway's own verdict is not looked at.
   * @throws {Unreachable} when the gateway gives no answer @throws {Refused} when it refuses
   */
  async verify(scan) {
    const view = this.node.view();
    view.catch(() => null); // who is not there is noticed where the facts are asked
    const plain = await this.gateway.material(scan);
    let [disclosures, answer, receipt, unreadable] = [[], null, null, null];
    try {
      ({ disclosures, answer, receipt } = readMaterial(plain, this.network, scan));
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      unreadable = brokenLink(say("broken.given"), error);
    }
    const evidence = await examine(scan, disclosures);
    if (unreadable) evidence.broken.push(unreadable);
    let [facts, trouble] = [null, null];
    try {
      facts = await this.node.gather(scan, evidence, answer, receipt, view);
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      trouble = error.words;
    }
    const verdict = await judge(scan, evidence, answer, facts, { party: this.place }, Math.floor(Date.now() / 1000));
    return { verdict, trouble };
  }
}

/** What a locator's answer names the network by (`Deployment.network` in Python). */
function networkOf({ chainId, contracts }) {
  return `${chainId}:${contracts.PartyRegistry}`;
}

/** A deployment file's content. @throws {TypeError} when it is none */
export function readDeployment(text) {
  const { chainId, block, contracts } = JSON.parse(text);
  const sound = Number.isSafeInteger(chainId) && CONTRACTS.every((name) => /^0x[0-9a-fA-F]{40}$/.test(contracts[name]));
  if (!sound) throw new TypeError("not a deployment");
  return { chainId, block, contracts };
}

/** A short fingerprint of the contracts of a network, to compare by eye. */
export async function fingerprint({ chainId, contracts }) {
  const named = Object.fromEntries(CONTRACTS.map((name) => [name, contracts[name].toLowerCase()]));
  const digest = toHex(await sha256(utf8(canonicalJson({ chainId, contracts: named }))));
  return digest.slice(0, 16).toUpperCase().match(/.{4}/g).join("-");
}

/** How a verdict looks: what shape and colour it has, and what to do. */
export function kindOf(headline) {
  if (headline === "authentic, available") return "go";
  return { "custody gap": "care", "not verified": "unknown" }[headline] ?? "stop";
}

/** The key of the verdict's words: the status where the pack is not available. */
export function wordsKey({ headline, status }) {
  return `verdict.${headline === "already supplied" && status ? status : headline}`;
}
