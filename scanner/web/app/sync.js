/** Working through the queue when there is a connection: each item once, oldest first; what needs a person waits for one. */

import { sgtinUri } from "../lib/codes.js";
import { refusalOf, wordsOf } from "./refusals.js";
import { sendReport } from "./report.js";
import { packs, queue } from "./store.js";
import { kindOf, wordsKey } from "./verifier.js";

const POLL = 1000;
const MOST_POLLS = 120;

let running = null;

/** @param {import("./app.js").App} app */
export function workThrough(app) {
  running ??= work(app).finally(() => (running = null));
  return running;
}

async function work(app) {
  for (const item of await queue.all()) {
    if (item.held) continue;
    try {
      const held = await done(app, item);
      if (held) await queue.put({ ...item, held });
      else await queue.remove(item.id);
    } catch (error) {
      if (error.name === "Unreachable") break; // the rest waits as well
      await queue.put({ ...item, held: { words: wordsOf(error) } });
    }
    await app.counted();
  }
}

/** Do one thing; what stands in its way where a person must look: `{key}` of a message, or `{words}`. */
async function done(app, item) {
  const { scan, action, id } = item;
  if (action === "report") {
    await sendReport(app, item);
    return null;
  }
  const { verdict } = await app.asking(() => app.verifier.verify(scan));
  const kind = kindOf(verdict.headline);
  const uri = sgtinUri(scan.gtin, scan.serial);
  const remember = async (found, more = {}) => packs.put({ ...(await packs.get(uri)), ...more, uri, scan, time: Math.floor(Date.now() / 1000), key: wordsKey(found), kind: kindOf(found.headline) });
  if (action === "verify") {
    await remember(verdict);
    return kind === "go" ? null : { key: wordsKey(verdict) };
  }
  // sent before, and the answer lost: the gateway knows it by its name, and what it set is no finding of ours
  const own = verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place && item.sent;
  if (kind !== "go" && !own) {
    await remember(verdict);
    return { key: wordsKey(verdict) };
  }
  await queue.put({ ...item, sent: true });
  let operation = await app.asking(() => app.gateway.dispense(scan, null, id));
  for (let polls = 0; operation.state === "pending" && polls < MOST_POLLS; polls++) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    operation = await app.asking(() => app.gateway.operation(operation.id));
  }
  const words = refusalOf(operation);
  const undone = Boolean(operation.packs[0].undone); // a press before did it, and somebody took it back: is it wanted still?
  const known = operation.state === "pending" ? {} : { operation: words || undone ? null : operation.id, request: null };
  const after = await app.verifier.verify(scan);
  await remember(after.verdict, known);
  if (undone) return { key: wordsKey(after.verdict) };
  return words && { words };
}
