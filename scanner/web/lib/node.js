/**
 * Facts from the node that the user names, never from the gateway that is checked. All facts of one verdict are of one
 * block: first the block is asked, then everything else at its hash (EIP-1898).
 */

import { encodeCall, Words } from "./abi.js";
import { equal, fromHex } from "./bytes.js";
import { entryKey, partiesOf } from "./evidence.js";
import { packedUnits, receiptHash } from "./ledger.js";
import { gtinHash } from "./product.js";

const TIMEOUT = 10_000; // milliseconds
const MAX_ANSWER = 8 << 20; // characters; a verdict's facts are a few kilobytes
const MAX_BATCH = 100; // calls in one HTTP request
const SECONDS_A_DAY = 86_400;
const REFUSED = 0x80;

/** The node could not be asked, or not about this deployment; `words` say why, as a message of the catalogues. */
export class NodeError extends Error {
  /** @param {string} key of the message @param {Record<string, unknown>} values */
  constructor(key, values = {}) {
    super(key);
    this.name = "NodeError";
    this.words = { key, values };
  }
}

/** One question: calls, and what their answers mean (null: it is not on chain). */
const entry = (seal) => question(["EventLog", "entryOf(uint32,uint64,uint64)", [seal.party, seal.lane, seal.sequence], 4], (w) =>
  w.number(1) ? { root: w.bytes(0), count: w.number(1), time: w.number(2), key: w.address(3) } : null);

const party = (number) =>
  question(["PartyRegistry", "partyOf(uint32)", [number], 5], ["PartyRegistry", "profileOf(uint32)", [number], 4], (own, profile) =>
    own.number(0) ? { company: own.number(0), roles: own.number(1), name: profile.text(1, 1) } : null);

const key = (address, block) => question(["PartyRegistry", "keyOf(address)", [fromHex(address)], 9], (w) => {
  if (!w.number(0)) return null;
  const valid = w.number(2) <= block.timestamp && block.timestamp < w.number(3) && !w.number(4) && !w.number(6);
  return { party: w.number(0), purposes: w.number(1), valid, compromisedSince: w.number(5) };
});

const logistic = (number) =>
  question(["CustodyLedger", "unitOf(uint64)", [number], 5], ["CustodyLedger", "contentOf(uint64)", [number], 1], (unit, content) =>
    unit.number(0) ? { state: unit.number(0), holder: unit.number(1), receiver: unit.number(2), content: content.bytes(0) } : null);

const unit = (number) => question(["PackLedger", "factsOf(uint64)", [number], 20], (w) => {
  if (!w.number(9)) return null;
  const signer = (at) => ({ key: w.address(at), compromisedSince: w.number(at + 1) });
  const batch = {
    itemRoot: w.bytes(1), lotKey: w.bytes(2), productNumber: w.number(3), mah: w.number(4), count: w.number(5),
    expiresAt: w.number(6) * SECONDS_A_DAY, proposedAt: w.number(7), releasedAt: w.number(8), state: w.number(9),
    proposer: signer(16), releaser: w.number(12) ? signer(18) : null,
  };
  return { status: w.number(0), batch, recall: w.number(13), recalledAt: w.number(14), twin: w.big(15) || null };
});

const productKeyOf = (number) => question(["PartyRegistry", "productKeyOf(uint32)", [number], 2], (w) => w.bytes(0));
const mahOf = (hash) => question(["PartyRegistry", "mahOfGtin(bytes32)", [hash], 1], (w) => w.number(0) || null);

/** The change that a receipt tells of, if the chain holds its hash and it was not taken back since. */
const change = (number, receipt) => {
  const wanted = packedUnits([number]);
  const positions = [...receipt.outcomes.keys()].filter((i) => receipt.outcomes[i] < REFUSED && equal(receipt.units.subarray(8 * i, 8 * i + 8), wanted));
  const calls = ["receiptHash(bytes32)", "reversedOf(bytes32)"].map((signature) => ["PackLedger", signature, [receipt.id], 1]);
  return question(...calls, (hash, reversed) => {
    const stands = equal(hash.bytes(0), receiptHash(receipt)) && positions.some((i) => !((reversed.big(0) >> BigInt(i)) & 1n));
    return stands ? { receipt: receipt.id, party: receipt.party, to: receipt.to, time: receipt.time } : null;
  });
};

function question(...parts) {
  return { calls: parts.slice(0, -1), meaning: parts.at(-1) };
}

/** A JSON-RPC node, asked about one deployment of the contracts. */
export class Node {
  /** @param {string} url @param {{chainId: number, contracts: Record<string, string>}} deployment */
  constructor(url, deployment) {
    this.url = url;
    this.deployment = deployment;
  }

  /** Whether it answers, and for the deployment's chain. @throws {NodeError} */
  async check() {
    const addresses = Object.values(this.deployment.contracts);
    const [chain, ...codes] = await this.#send([["eth_chainId", []], ...addresses.map((address) => ["eth_getCode", [address, "latest"]])]);
    if (Number(chain) !== this.deployment.chainId) throw new NodeError("node.chain", { chain: Number(chain), wanted: this.deployment.chainId });
    if (codes.includes("0x")) throw new NodeError("node.contracts");
  }

  /**
   * All facts that a verdict needs, as of one block.
   * @param {object} scan @param {object} evidence @param {object | null} answer @param {object | null} receipt a hint
   * @param {Promise<object>} view as of `view()`: it may be asked for while the evidence is still on its way
   * @throws {NodeError}
   */
  async gather(scan, evidence, answer, receipt, view = this.view()) {
    const { block, final } = await view;
    const ask = (questions) => this.#ask(questions, block.hash);
    const seals = new Map(evidence.events.filter((event) => event.seal).map((event) => [entryKey(event.seal), event.seal]));
    const named = partiesOf(evidence);
    const numbers = [...new Set(evidence.logistic.map((link) => link.number))];
    const own = evidence.unit;
    const [entries, parties, signer, units, unitFound, changed, mah] = await ask([
      [...seals.values()].map(entry),
      named.map(party),
      answer ? [key(answer.signer, block)] : [],
      numbers.map(logistic),
      own === null ? [] : [unit(own)],
      own === null || !receipt ? [] : [change(own, receipt)],
      [mahOf(await gtinHash(scan.gtin))],
    ]);
    const known = present([...seals.keys()], entries);
    const signers = [...new Set([...known.values()].map((one) => one.key))];
    const facts = unitFound[0] ?? null;
    const others = signer[0] && !named.includes(signer[0].party) ? [signer[0].party] : [];
    const [keys, products, asked] = await ask([
      signers.map((address) => key(address, block)),
      facts ? [productKeyOf(facts.batch.productNumber)] : [],
      others.map(party),
    ]);
    if (facts) facts.batch.productKey = products[0];
    return {
      block, finalTime: final.timestamp, entries: known,
      parties: present([...named, ...others], [...parties, ...asked]),
      keys: present([...(answer ? [answer.signer] : []), ...signers], [...signer, ...keys]),
      logistic: present(numbers, units),
      unit: facts, change: changed[0] ?? null, mahOfGtin: mah[0],
    };
  }

  /** The newest block, and the newest final one (of a young chain the first). @throws {NodeError} */
  async view() {
    const asked = ["latest", "finalized", "0x0"].map((block) => ["eth_getBlockByNumber", [block, false]]);
    const [latest, finalized, first] = await this.#send(asked, { lenient: true });
    if (!latest) throw new NodeError("node.block");
    return { block: header(latest), final: header(finalized ?? first ?? latest) };
  }

  async #ask(groups, hash) {
    const calls = groups.flat().flatMap((one) => one.calls);
    const requests = calls.map(([contract, signature, args]) => [
      "eth_call", [{ to: this.deployment.contracts[contract], data: encodeCall(signature, args) }, { blockHash: hash, requireCanonical: true }],
    ]);
    const answers = await this.#send(requests);
    let at = 0;
    try {
      return groups.map((group) => group.map((one) => one.meaning(...one.calls.map(([, , , words]) => new Words(answers[at++], words)))));
    } catch (error) {
      throw new NodeError("node.answer", { detail: error.message });
    }
  }

  /** Many requests, in order; in as few HTTP requests as nodes allow. With `lenient`, what is refused is null. */
  async #send(requests, { lenient = false } = {}) {
    const found = [];
    for (let at = 0; at < requests.length; at += MAX_BATCH) {
      const part = requests.slice(at, at + MAX_BATCH);
      const body = part.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
      const answers = await this.#post(body);
      if (!Array.isArray(answers) || answers.length !== part.length) throw new NodeError("node.protocol");
      const byId = new Map(answers.map((answer) => [answer?.id, answer]));
      part.forEach((_, id) => {
        const answer = byId.get(id);
        if (!answer || (answer.error && !lenient)) throw new NodeError("node.refused", { detail: answer?.error?.message ?? "–" });
        found.push(answer.result ?? null);
      });
    }
    return found;
  }

  async #post(body) {
    try {
      const answer = await fetch(this.url, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "omit",
        cache: "no-store", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(TIMEOUT),
      });
      const text = await answer.text();
      if (text.length > MAX_ANSWER) throw new TypeError("too long");
      return JSON.parse(text);
    } catch (error) {
      throw new NodeError("node.silent", { detail: error.message });
    }
  }
}

/** What a time is compared with must be one: what is no number is neither old nor expired. */
function header(block) {
  const { hash } = block;
  const [number, timestamp] = [block.number, block.timestamp].map((hex) => (/^0x[0-9a-f]{1,13}$/i.test(hex) ? Number(hex) : NaN));
  if (Number.isNaN(number + timestamp) || !/^0x[0-9a-f]{64}$/i.test(hash)) throw new NodeError("node.answer", { detail: "its newest block has no number, time or hash" });
  return { number, hash, timestamp };
}

function present(keys, answers) {
  return new Map(keys.map((one, i) => [one, answers[i]]).filter(([, answer]) => answer !== null && answer !== undefined));
}
