/** The map of hands: the chain of parties that a pack went through, drawn; and the same as a list for screen readers. */

import { h, svg } from "./dom.js";
import { day, step, t } from "./text.js";

const ROW = 76; // units of the drawing a party
const LEFT = 26;
const WIDTH = 340;

/** Parties in the order in which the pack came to them: `{party, name, since, steps, proof}`. */
export function handsOf(history) {
  const hands = [];
  for (const entry of history) {
    if (hands.at(-1)?.party !== entry.party) hands.push({ party: entry.party, name: entry.partyName, since: entry.time, steps: [], proofs: [] });
    hands.at(-1).steps.push(entry.step);
    hands.at(-1).proofs.push(entry.proof);
  }
  return hands;
}

/** @param {object[]} history as of `timeline` @param {{party: number, name: string}} here this place */
export function handsMap(history, here) {
  const hands = handsOf(history);
  if (hands.length === 0) return h("p", { class: "faint" }, t("hands.none"));
  const names = hands.map((hand) => nameOf(hand, here));
  const height = hands.length * ROW - 12;
  const drawing = svg("svg", { class: "hands", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
    "aria-label": t("hands.list", { first: names[0], last: names.at(-1), count: hands.length }) });
  hands.forEach((hand, i) => {
    const y = 26 + i * ROW;
    const weak = hand.proofs.includes("signed");
    if (i > 0) drawing.append(svg("path", { class: weak ? "way weak" : "way", d: `M${LEFT} ${y - ROW + 20}V${y - 20}` }), svg("path", { class: "tip", d: `M${LEFT - 5} ${y - 26}l5 6 5-6` }));
    const last = i === hands.length - 1;
    drawing.append(svg("circle", { class: hand.party === here.party ? "hand here" : "hand", cx: LEFT, cy: y, r: 17 }));
    drawing.append(drawn(i === 0 ? "factory" : hand.party === here.party ? "pharmacy" : "lorry", LEFT, y));
    drawing.append(svg("text", { class: "name", x: 58, y: y - 2 }, fitted(names[i])));
    const did = [...new Set(hand.steps)].map(step).join(", ");
    drawing.append(svg("text", { class: "did", x: 58, y: y + 17 }, fitted(`${day(hand.since)} · ${did}`, 46)));
    if (last && hand.party === here.party) drawing.append(svg("circle", { class: "pulse", cx: LEFT, cy: y, r: 21 }));
  });
  return drawing;
}

/** A party's name; dispensers have none in public, but know their own. */
export function nameOf({ party, name }, here) {
  if (party === here.party) return `${name || here.name} (${t("hands.here")})`;
  return name || t("hands.party", { party });
}

const PICTURES = {
  factory: "M-8 7V-2l5 3v-3l5 3v-8h4V7z",
  lorry: "M-9-5H2V4H-9zM2-1h4l3 3v2H2zM-5.5 6.5v.1M5 6.5v.1",
  pharmacy: "M-2.5-8h5v5.5H8v5H2.5V8h-5V2.5H-8v-5h5.5z",
};

function drawn(name, x, y) {
  return svg("path", { class: `picture ${name}`, d: PICTURES[name], transform: `translate(${x} ${y})` });
}

/** SVG does not break lines. */
function fitted(text, most = 34) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
