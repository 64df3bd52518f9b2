/**
 * Whose hands a pack went through, followed like a relay: only who has it ships it, and the next one has it when a shipment
 * names that party and that party receives it. An event of anybody else is a gap, and nothing that comes after closes it.
 * What was declared erroneous can only take away. (The Python library's `packtrace.custody` says more.)
 */

import { has } from "./disclosure.js";
import { anchored, takenBack } from "./evidence.js";
import { history } from "./history.js";
import { Role } from "./items.js";

const NOT_SHIPPED = "void_shipping";

/**
 * Where the pack is by the events.
 * @returns {{holder: number | null, why: Words, number: bigint | null}} `number` is the chain's, of what it lies or came in
 * @typedef {{key: string, values: Record<string, unknown>}} Words a message of the catalogues
 */
export function whereabouts(evidence, facts) {
  const found = followed(evidence.steps, evidence, facts);
  const declared = takenBack(evidence, facts);
  if (found.holder === null || declared.size === 0) return found;
  const left = history(evidence.uri, evidence.events.filter((event) => !declared.has(event.id)));
  const without = followed(left, evidence, facts);
  if (without.holder === found.holder) return found;
  return { holder: null, why: { key: "hands.without", values: { rest: without.why } }, number: found.number };
}

function followed(steps, evidence, facts) {
  const registered = new Map(evidence.logistic.map((link) => [link.id, link]));
  const numbers = new Map();
  const hands = new Hands();
  let number = null;
  let inside = [];
  for (const step of steps) {
    const done = deed(step, evidence.uri, inside);
    inside = step.inside;
    if (done) hands.follow(done, step.event, registered);
    const link = registered.get(step.event.id);
    if (done === "packed" && link) numbers.set(link.uri, link.number);
    const carrier = step.inside.find((uri) => numbers.has(uri));
    if (carrier !== undefined) number = numbers.get(carrier);
    const alone = step.carrier === evidence.uri && done === "opened" && has(step.event, Role.child);
    if (alone && anchored(step.event, facts)) number = null;
  }
  return { holder: hands.gap || hands.away ? null : hands.holder, why: hands.words(), number };
}

/** What the event does to the pack or its carrier, which lay in `inside`; null where it only looks at it. */
function deed({ event, carrier }, uri, inside) {
  const { type, action, bizStep } = event.core;
  if (type === "AggregationEvent") {
    if (action === "DELETE" && bizStep === NOT_SHIPPED) {
      return [...(event.items.get(Role.parent)?.keys() ?? [])].some((parent) => inside.includes(parent)) ? "missed" : null;
    }
    return { ADD: "packed", DELETE: "opened" }[action] ?? null;
  }
  if (action === "ADD") return carrier === uri ? "commissioned" : null;
  return { shipping: "shipped", receiving: "received", [NOT_SHIPPED]: "kept" }[bizStep ?? ""] ?? null;
}

/** Who has the goods, whom they were shipped to, and who received them before a shipment to them is seen. */
class Hands {
  holder = null;
  away = false;
  to = new Set();
  early = new Set();
  giver = null;
  gap = null;

  follow(done, event, registered) {
    if (this.gap) return;
    const { party } = event;
    if (done === "packed" && !registered.has(event.id)) {
      this.gap = { key: "hands.unregistered", values: { party } };
    } else if (done === "commissioned" && this.holder === null) {
      this.holder = party;
    } else if (done === "received") {
      this.#received(party);
    } else if (party === this.giver && (done === "kept" || done === "missed" || this.early.has(party))) {
      this.#giveBack(done === "missed" ? [] : [this.holder]);
      this.#act(done, event.core);
    } else if (done === "missed" && this.to.has(party)) {
      this.away = false;
      this.to.delete(party);
    } else if (party !== this.holder) {
      this.gap = { key: "hands.gap", values: { party, done: { key: `done.${done}`, values: {} }, time: event.core.eventTime } };
    } else if (done === "missed" && this.giver !== null) {
      this.#giveBack([]);
    } else {
      this.#act(done, event.core);
    }
  }

  #act(done, core) {
    this.giver = null;
    if (done === "shipped") this.#shipped(core.receiver ?? null);
    else if (done === "kept" || done === "missed") this.away = false;
  }

  /** The last receipt came to nothing: `early` has received it all the same, when it is shipped again. */
  #giveBack(early) {
    [this.holder, this.away, this.to, this.early, this.giver] = [this.giver, false, new Set(), new Set(early), null];
  }

  #received(party) {
    if (this.to.has(party)) this.#handOver(party);
    else if (party === this.holder) this.away = false;
    else this.early.add(party);
  }

  #shipped(receiver) {
    this.away = true;
    if (receiver === null) return;
    if (this.early.has(receiver)) this.#handOver(receiver);
    else this.to.add(receiver);
  }

  #handOver(party) {
    [this.giver, this.holder] = [this.holder, party];
    [this.away, this.to, this.early] = [false, new Set(), new Set()];
  }

  words() {
    if (this.gap) return this.gap;
    if (this.holder === null) return { key: "hands.nowhere", values: {} };
    return { key: this.away ? "hands.away" : "hands.has", values: { party: this.holder } };
  }
}
