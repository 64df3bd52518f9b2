/**
 * The verdict on one pack: one pure function of the scan, the evidence, the chain's facts, the place and the time; the same as
 * `packtrace.verdict` in Python, tested on the same vectors. Every check is reported, made or not; the headline is the
 * gravest finding. A check that could not be made is never shown as passed.
 */

import { toHex } from "./bytes.js";
import { whereabouts } from "./custody.js";
import { expiresAt } from "./dates.js";
import { anchored, batchDifferences, disbelieved, disbelievedBatch, partiesOf, say, takenBack } from "./evidence.js";
import { STATUSES } from "./ledger.js";
import { stepWord, timeline } from "./timeline.js";

/** What the pack is, gravest first. */
export const GRAVITY = Object.freeze([
  "evidence broken", "not this product's data", "unknown serial", "recalled", "already supplied", "not released", "expired",
  "custody gap", "not verified", "authentic, available",
]);
const [BROKEN, WRONG_DATA, UNKNOWN, RECALLED, NOT_ACTIVE, NOT_RELEASED, EXPIRED, GAP, NOT_VERIFIED, AUTHENTIC] = GRAVITY;
const PURPOSE_OPERATE = 1;
const [NONE, , RELEASED, WITHDRAWN] = [0, 1, 2, 3]; // BatchState; of a recall NONE, WITHDRAWN, RECALLED
const IN_TRANSIT = 2; // CustodyState
const ACTIVE = 0;
// Seconds; see the Python library.
const MAX_ANSWER_AGE = 3600;
const MAX_UNANCHORED = 3600;
export const MAX_BLOCK_AGE = 900;

/**
 * @param {object} scan as of `readCode`
 * @param {object} evidence as of `examine`
 * @param {object | null} answer the holder's, as of `readAnswer`, where there was no pedigree here
 * @param {object | null} facts as of `gather`; null when no node could be asked
 * @param {{party: number} | null} place where the pack is
 * @param {number} now unix time
 */
export async function judge(scan, evidence, answer, facts, place, now) {
  const checks = [];
  for await (const check of allChecks(scan, evidence, answer, facts, place, now)) checks.push(check);
  const findings = checks.filter((check) => check.passed === false).map((check) => check.finding);
  if (checks.some((check) => check.passed === null)) findings.push(NOT_VERIFIED);
  const headline = GRAVITY.find((word) => findings.includes(word)) ?? AUTHENTIC;
  const change = changeOf(facts);
  const unit = facts?.unit ?? null;
  const failed = checks.filter((check) => check.passed === false);
  const { product } = evidence;
  return {
    scan,
    headline,
    status: unit ? STATUSES[unit.status] : null,
    case: change ? caseNumber(change.receipt) : null,
    changed: change ? { time: change.time, party: change.party } : null,
    checks,
    reasons: failed.length ? failed : checks.filter((check) => check.passed === null),
    history: timeline(evidence, facts),
    block: facts && { number: facts.block.number, hash: facts.block.hash, age: Math.max(0, now - facts.block.timestamp) },
    unit: evidence.unit,
    product: product && { gtin: product.gtin, lot: product.lot, expiry: product.expiry },
  };
}

/** A short number for people to quote: the first 48 bits of the receipt's id. @param {Uint8Array} receipt */
export function caseNumber(receipt) {
  return toHex(receipt.subarray(0, 6)).toUpperCase().match(/.{4}/g).join("-");
}

/** `words` say why, `finding` is the headline that a failure asks for; `passed` is null when it could not be made. */
function check(name, passed, finding, ...words) {
  return { name, passed, finding, words };
}

async function* allChecks(scan, evidence, answer, facts, place, now) {
  if (evidence.broken.length) {
    yield check("proofs", false, BROKEN, ...evidence.broken.map((what) => say("proofs.broken", { what })));
  } else if (evidence.events.length) { // where nothing was shown there was nothing to check
    yield check("proofs", true, BROKEN, say("proofs.good", { count: evidence.events.length }));
  }
  if (answer) yield* answerChecks(answer, facts, now);
  if (!evidence.commissioned) {
    if (!answer || answer.kind === "unit") yield check("pedigree", null, NOT_VERIFIED, say("pedigree.none"));
    if (!facts) yield check("chain", null, NOT_VERIFIED, say("chain.none"));
    return;
  }
  yield* printedData(scan, evidence);
  if (!facts) {
    yield check("chain", null, NOT_VERIFIED, say("chain.none"));
    return;
  }
  const age = now - facts.block.timestamp;
  yield age > MAX_BLOCK_AGE
    ? check("chain", null, NOT_VERIFIED, say("chain.old", { seconds: age }))
    : check("chain", true, NOT_VERIFIED, say("chain.good", { seconds: Math.max(0, age) }));
  yield logCheck(evidence, facts, place, now);
  yield* corrections(evidence, facts);
  yield await batchCheck(evidence, facts);
  yield* unitChecks(evidence, facts, now);
  yield* custodyChecks(evidence, facts, place, answer !== null);
}

/** The holder's signed answer: who signed it, and what it says. An old one is no answer. */
function* answerChecks(answer, facts, now) {
  if (Math.abs(now - answer.time) > MAX_ANSWER_AGE) {
    yield check("locator", null, NOT_VERIFIED, say("locator.old", { time: answer.time }));
    return;
  }
  let signed = null;
  if (facts) {
    const key = facts.keys.get(answer.signer);
    const company = key && facts.parties.get(key.party)?.company;
    const may = key?.valid && (key.purposes & PURPOSE_OPERATE) !== 0;
    signed = Boolean(may && company !== undefined && company === facts.mahOfGtin);
  }
  const word = signed === null ? "locator.unknown" : signed ? "locator.good" : "locator.wrong";
  yield check("locator", signed, BROKEN, say(word, { signer: answer.signer }));
  const bad = signed ? false : null; // only the holder's word counts
  if (answer.kind === "never") yield check("serial", bad, UNKNOWN, say(signed ? "serial.never" : "serial.neverSomebody"));
  if (answer.kind === "differs") yield check("printed data", bad, WRONG_DATA, say(signed ? "printed.differs" : "printed.differsSomebody"));
}

function* printedData(scan, { product }) {
  if (!product) return;
  const wrong = [];
  for (const part of ["lot", "expiry"]) {
    if (scan[part] !== null && scan[part] !== product[part]) wrong.push(say(`printed.${part}`, { printed: scan[part], made: product[part] }));
  }
  if (wrong.length) yield check("printed data", false, WRONG_DATA, ...wrong);
  else if (scan.lot === null || scan.expiry === null) yield check("printed data", null, WRONG_DATA, say("printed.notRead", { lot: product.lot, expiry: product.expiry }));
  else yield check("printed data", true, WRONG_DATA, say("printed.good"));
}

/** Every event is in its party's log on chain, anchored by a key that is to be believed; fresh ones of this place may wait. */
function logCheck(evidence, facts, place, now) {
  const fresh = new Date((now - MAX_UNANCHORED) * 1000).toISOString();
  const [missing, wrong] = [[], []];
  let own = 0;
  for (const event of evidence.events) {
    const state = anchored(event, facts);
    const named = { event: event.id.slice(0, 12), party: event.party };
    if (state === false) wrong.push(say("log.other", named));
    else if (state === null && place && event.party === place.party && event.core.recordTime >= fresh) own++;
    else if (state === null) missing.push(say("log.missing", named));
    else {
      const doubt = event.items.size ? disbelieved(event, facts) : null; // what shows nothing of the pack breaks nothing
      if (doubt) wrong.push(say("log.disbelieved", { ...named, ...doubt }));
    }
  }
  if (wrong.length) return check("log", false, BROKEN, ...wrong);
  if (missing.length) return check("log", null, NOT_VERIFIED, ...missing);
  return check("log", true, BROKEN, own ? say("log.goodButOwn", { count: own }) : say("log.good"));
}

/** What was declared erroneous of the pack's way. */
function* corrections(evidence, facts) {
  const counted = takenBack(evidence, facts);
  const said = [];
  for (const { event } of evidence.steps) {
    const told = evidence.declared.get(event.id)?.declares;
    if (!told) continue;
    const named = { step: stepWord(event), time: event.core.eventTime, party: event.party, since: told.time, reason: told.reason };
    if (!counted.has(event.id)) said.push(say("corrections.uncounted", named));
    else if (event.id === evidence.commissioned.id) yield check("corrections", null, NOT_VERIFIED, say("corrections.commissioning", named));
    else said.push(say("corrections.declared", named));
  }
  if (said.length) yield check("corrections", true, GAP, ...said);
}

/** The commissioned batch on chain is this event's, and those who signed for it are to be believed. */
async function batchCheck(evidence, facts) {
  const { commissioned, product, batch } = evidence;
  if (!product || batch === null || !facts.unit) return check("batch", null, NOT_VERIFIED, say("batch.none"));
  const wrong = await batchDifferences(commissioned, product, batch, facts.unit.batch, facts.mahOfGtin);
  if (wrong.length) return check("batch", false, BROKEN, say("batch.differs", { what: wrong.map((name) => say(`difference.${name}`)) }));
  const doubts = disbelievedBatch(facts.unit.batch);
  if (doubts.length) return check("batch", false, BROKEN, ...doubts.map((doubt) => say("batch.disbelieved", doubt)));
  return check("batch", true, BROKEN, say("batch.good"));
}

function* unitChecks({ product }, facts, now) {
  const { unit } = facts;
  if (!unit || !product) return;
  yield unit.recall === NONE
    ? check("recall", true, RECALLED, say("recall.none"))
    : check("recall", false, RECALLED, say(unit.recall === 2 ? "recall.recalled" : "recall.withdrawn", { time: unit.recalledAt }));
  const change = changeOf(facts);
  const values = { status: STATUSES[unit.status], time: change?.time, case: change && caseNumber(change.receipt) };
  yield unit.status === ACTIVE
    ? check("status", true, NOT_ACTIVE, say("status.active"))
    : check("status", false, NOT_ACTIVE, say(change ? "status.since" : "status.is", values));
  yield unit.twin === null
    ? check("duplicate", true, NOT_ACTIVE, say("duplicate.none"))
    : check("duplicate", false, NOT_ACTIVE, say("duplicate.twin", { unit: String(unit.twin) }));
  yield unit.batch.state === RELEASED
    ? check("release", true, NOT_RELEASED, say("release.good", { time: unit.batch.releasedAt }))
    : check("release", false, NOT_RELEASED, say(unit.batch.state === WITHDRAWN ? "release.withdrawn" : "release.proposed"));
  const expired = Math.max(now, facts.block.timestamp) >= expiresAt(product.expiry); // a clock here that is slow makes none good
  yield check("expiry", !expired, EXPIRED, say(expired ? "expiry.expired" : "expiry.good", { date: product.expiry }));
}

/** The call that gave the unit its status. One that gave it another before tells nothing. */
function changeOf(facts) {
  return facts?.change && facts.unit && facts.change.to === facts.unit.status ? facts.change : null;
}

/** The hands it came through: registered contents on chain, and whether it came to this place. */
function* custodyChecks(evidence, facts, place, located) {
  for (const link of evidence.logistic) {
    const known = facts.logistic.get(link.number);
    const named = { sscc: link.uri.slice(-18), event: link.id.slice(0, 12) };
    if (!known) yield check("content", null, NOT_VERIFIED, say("content.none", named));
    else if (toHex(known.content) !== toHex(link.content)) yield check("content", false, BROKEN, say("content.differs", named));
  }
  if (!place) {
    yield check("custody", null, NOT_VERIFIED, say("custody.noPlace"));
    return;
  }
  const { holder, why, number } = whereabouts(evidence, facts);
  const known = number === null ? null : (facts.logistic.get(number) ?? null);
  if (located) yield check("custody", false, GAP, say("custody.located"));
  else if (holder !== place.party) yield check("custody", false, GAP, say("custody.gap", { why }));
  else if (number !== null && !known) yield check("custody", null, NOT_VERIFIED, say("custody.notOnChain", { why }));
  else if (known && (known.state === IN_TRANSIT || known.holder !== holder)) yield check("custody", false, GAP, say("custody.other", { why, party: known.holder }));
  else yield check("custody", true, GAP, say("custody.good", { count: partiesOf(evidence).length }));
}
