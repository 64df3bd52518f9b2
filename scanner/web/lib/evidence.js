/** From a pedigree to what it proves, as far as can be told without the chain; every broken link is kept, by name. */

import { equal, fromHex } from "./bytes.js";
import { checked, isLot, sgtinUri, ssccOfUri } from "./codes.js";
import { expiresAt, isDate } from "./dates.js";
import { verify, wellFormed } from "./disclosure.js";
import { EvidenceError } from "./errors.js";
import { history } from "./history.js";
import { Role } from "./items.js";
import { contentHash, unitNumber } from "./ledger.js";
import { lotKey, productKey, ssccCommitment } from "./product.js";

const MAX_BATCH = 2 ** 44;
const LOGISTIC_BITS = 42n;

/** Check every disclosure and follow the pack through them. @param {object[]} disclosures as of `readPedigree` */
export async function examine(scan, disclosures) {
  const uri = sgtinUri(scan.gtin, scan.serial);
  const broken = [];
  const events = [];
  const tried = await Promise.all(disclosures.map((one) => verify(one).catch((error) => error)));
  tried.forEach((event, number) => {
    const where = say("broken.disclosure", { number });
    if (event instanceof EvidenceError) broken.push(brokenLink(where, event));
    else if (event instanceof Error) throw event;
    else if (events.some((known) => known.id === event.id)) broken.push(say("broken.twice", { where }));
    else events.push(event);
  });
  const attempt = async (event, read) => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      broken.push(brokenLink(say("broken.event", { event: event.id.slice(0, 12) }), error));
      return null;
    }
  };
  const made = events.filter((event) => event.core.action === "ADD" && event.core.type === "ObjectEvent" && event.items.get(Role.epc)?.has(uri));
  if (made.length > 1) broken.push(say("broken.commissionings"));
  const commissioned = made[0] ?? null;
  const found = commissioned && (await attempt(commissioned, () => commissionedBatch(commissioned)));
  if (found && found.product.gtin !== scan.gtin) broken.push(say("broken.product", { event: commissioned.id.slice(0, 12), made: found.product.gtin, printed: scan.gtin }));
  const links = [];
  for (const event of events) {
    const link = await attempt(event, () => logisticLink(event));
    if (link) links.push(link);
  }
  const { declared, forged } = declarations(events);
  return {
    uri,
    events,
    broken: [...broken, ...forged],
    steps: history(uri, events),
    product: found?.product ?? null,
    batch: found?.batch ?? null,
    unit: found ? unitNumber(found.batch, commissioned.items.get(Role.epc).get(uri)) : null,
    commissioned,
    logistic: links,
    declared,
  };
}

/** @param {string} key of a message @param {Record<string, unknown>} values for its gaps, messages among them */
export function say(key, values = {}) {
  return { key, values };
}

/** A link that does not hold: where, what kind of thing it is, and what exactly was found, in English. */
export function brokenLink(where, { rule, message }) {
  return say("broken.link", { where, rule: say(`rule.${rule}`), detail: message });
}

/** The parties named in the history. */
export function partiesOf(evidence) {
  const named = evidence.steps.flatMap(({ event }) => [event.party, event.core.receiver]);
  return [...new Set(named.filter((party) => typeof party === "number"))].sort((a, b) => a - b);
}

/** The error declarations among events, by what each declares erroneous; only who recorded an event can take it back. */
function declarations(events) {
  const known = new Map(events.map((event) => [event.id, event]));
  const declared = new Map();
  const forged = [];
  for (const event of events) {
    const erroneous = event.declares && known.get(event.declares.event);
    if (!erroneous) continue;
    if (erroneous.party !== event.party) forged.push(say("broken.declaration", { event: event.id.slice(0, 12), party: event.party, other: erroneous.party }));
    else if (erroneous.declares) forged.push(say("broken.declarations", { event: event.id.slice(0, 12) }));
    else if (!declared.has(erroneous.id)) declared.set(erroneous.id, event);
  }
  return { declared, forged };
}

function commissionedBatch(event) {
  return wellFormed("product", () => {
    const { gtin, lot, expiry, secret, batch } = event.core.product;
    const sound = /^\d{14}$/.test(gtin) && isLot(lot) && isDate(expiry) && /^[0-9a-f]{64}$/.test(secret);
    if (!sound) throw new TypeError("the product data are not complete");
    checked({ gtin, serial: "0", lot, expiry });
    if (!Number.isSafeInteger(batch) || batch <= 0 || batch >= MAX_BATCH) throw new EvidenceError("the batch has no number on chain", "product.batch");
    return { product: { gtin, lot, expiry, secret: fromHex(secret) }, batch };
  });
}

/** An aggregation that fills a logistic unit names its number on chain and opens its SSCC's commitment. */
async function logisticLink(event) {
  const { custody, type, action } = event.core;
  if (custody === undefined || custody === null || event.items.size === 0) return null;
  if (type !== "AggregationEvent" || action !== "ADD") throw new EvidenceError("only filling a logistic unit has custody data", "custody");
  const [parent, ...others] = event.items.get(Role.parent)?.keys() ?? [];
  const sscc = parent === undefined || others.length ? null : ssccOfUri(parent);
  const sound = sscc && /^[1-9]\d{0,19}$/.test(custody.number) && /^[0-9a-f]{32}$/.test(custody.salt) && BigInt(custody.number) < 1n << 64n;
  if (!sound) throw new EvidenceError("the logistic unit has no SSCC, no number on chain or no salt of 16 bytes", "custody");
  const number = BigInt(custody.number);
  if (number >> LOGISTIC_BITS !== BigInt(event.party)) throw new EvidenceError("it gives a logistic unit a number that is another party's", "custody");
  const content = contentHash(await ssccCommitment(fromHex(custody.salt), sscc), event.header.itemRoot, event.header.size);
  return { number, uri: parent, content, id: event.id };
}

/** In what a commissioned batch differs from the chain's, by name. */
export async function batchDifferences(event, product, batch, chain, mah) {
  const same = {
    items: equal(chain.itemRoot, event.header.itemRoot),
    count: chain.count === event.header.size,
    product: equal(chain.productKey, await productKey(product.secret, product.gtin)),
    lot: equal(chain.lotKey, await lotKey(product.secret, product.gtin, product.lot)),
    expiry: chain.expiresAt === expiresAt(product.expiry),
    proposer: Number(BigInt(batch) >> 22n) === event.party,
    "marketing authorisation holder": chain.mah === mah,
  };
  return Object.keys(same).filter((name) => !same[name]);
}

/** The key of a log entry in `facts.entries`. */
export function entryKey({ party, lane, sequence }) {
  return `${party}/${lane}/${sequence}`;
}

/** Whether the event's log entry is on chain as claimed; null where there is none (yet), or its signer is not known. */
export function anchored(event, facts) {
  const entry = event.seal && facts.entries.get(entryKey(event.seal));
  if (!entry || !facts.keys.has(entry.key)) return null;
  return equal(entry.root, event.sealRoot) && entry.count === event.seal.count;
}

/** The declarations that count: those of a key that is not to be believed do not. */
export function takenBack(evidence, facts) {
  return new Map([...evidence.declared].filter(([, event]) => !anchored(event, facts) || !disbelieved(event, facts)));
}

/** Why an anchored event is not to be believed: what a leaked key anchored from then on may be anybody's. */
export function disbelieved(event, facts) {
  const entry = facts.entries.get(entryKey(event.seal));
  const { compromisedSince } = facts.keys.get(entry.key);
  return believed(compromisedSince, entry.time) ? null : { key: entry.key, time: entry.time, since: compromisedSince };
}

/** Which of a batch's signatures on chain are not to be believed. */
export function disbelievedBatch(batch) {
  const signed = [["proposal", batch.proposer, batch.proposedAt]];
  if (batch.releaser) signed.push(["release", batch.releaser, batch.releasedAt]);
  return signed
    .filter(([, signer, time]) => !believed(signer.compromisedSince, time))
    .map(([act, signer, time]) => ({ act, key: signer.key, time, since: signer.compromisedSince }));
}

function believed(compromisedSince, time) {
  return !compromisedSince || time < compromisedSince;
}
