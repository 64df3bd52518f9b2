/** The way of one pack through events: its own, and those of the logistic units that carried it. */

import { has } from "./disclosure.js";
import { Role } from "./items.js";

const MAX_LEVELS = 16;

/**
 * The steps of a pack, in the order of recording, each with what the pack is inside of after it, innermost first.
 * @param {string} uri
 * @returns {{event: object, carrier: string, inside: string[]}[]} `carrier` is the pack itself or the unit that carried it
 */
export function history(uri, events) {
  const parents = new Map();
  const steps = [];
  for (const event of [...events].sort(byRecordTime)) {
    const carrier = carrierIn(event, chain(parents, uri));
    follow(parents, event);
    if (carrier !== null) steps.push({ event, carrier, inside: chain(parents, uri).slice(1) });
  }
  return steps;
}

/** Stable: events of one millisecond stay in the order given. */
function byRecordTime(left, right) {
  const [a, b] = [left.core.recordTime, right.core.recordTime];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A DELETE without children empties its parent (EPCIS 2.0, section 7.4.3). */
function follow(parents, event) {
  if (event.core.type !== "AggregationEvent") return;
  const children = [...(event.items.get(Role.child)?.keys() ?? [])];
  for (const parent of event.items.get(Role.parent)?.keys() ?? []) {
    if (event.core.action === "ADD") {
      for (const child of children) parents.set(child, parent);
    } else if (event.core.action === "DELETE") {
      const taken = has(event, Role.child) ? children : [...parents.keys()];
      for (const child of taken) if (parents.get(child) === parent) parents.delete(child);
    }
  }
}

/** The pack and all that it is inside of. A circle, which no honest event makes, ends it. */
function chain(parents, uri) {
  const found = [uri];
  for (let next = parents.get(uri); next !== undefined && !found.includes(next) && found.length < MAX_LEVELS; next = parents.get(next)) {
    found.push(next);
  }
  return found;
}

/** Which link of the chain the event is about, if any. */
function carrierIn(event, links) {
  const named = (role, uri) => event.items.get(role)?.has(uri) ?? false;
  const own = links.find((uri) => named(Role.epc, uri) || named(Role.child, uri));
  if (own !== undefined) return own;
  const empties = event.core.action === "DELETE" && !has(event, Role.child);
  return (empties && links.slice(1).find((uri) => named(Role.parent, uri))) || null;
}
