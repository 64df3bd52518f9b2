/** The pack's way as people read it: one entry for each event, with its proof's state and what was said of it since. */

import { anchored, entryKey, takenBack } from "./evidence.js";

/** The entries, oldest first; without facts, none is more than its party's word (signed). */
export function timeline(evidence, facts) {
  const name = (party) => (party === null ? "" : (facts?.parties.get(party)?.name ?? ""));
  const believed = facts ? takenBack(evidence, facts) : evidence.declared;
  return evidence.steps.map(({ event, carrier }) => {
    const { core } = event;
    const receiver = core.receiver ?? null;
    return {
      time: core.eventTime,
      step: stepWord(event),
      disposition: core.disposition,
      party: event.party,
      partyName: name(event.party),
      receiver,
      receiverName: name(receiver),
      carrier,
      proof: proofOf(event, facts),
      digest: event.id,
      declared: believed.get(event.id)?.declares ?? null,
    };
  });
}

/** The business step, or what else the event says that was done. */
export function stepWord(event) {
  return event.core.bizStep ?? event.core.action;
}

/** How far the event's log entry has come: signed, anchored or final. */
function proofOf(event, facts) {
  if (!facts || !event.seal || !anchored(event, facts)) return "signed";
  return facts.entries.get(entryKey(event.seal)).time <= facts.finalTime ? "final" : "anchored";
}
