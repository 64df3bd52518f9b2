/** Working through the queue when there is a connection: each item once, oldest first; what needs a person waits for one. */

import { sgtinUri } from "../lib/codes.js";
import { keptOf } from "./dispense.js";
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
  const tried = new Set();
  for (;;) {
    // asked each time: a person may take something out, or put something in
    const item = (await queue.all()).find(({ id, held }) => !held && !tried.has(id));
    if (!item) return;
    tried.add(item.id);
    try {
      const held = await done(app, item);
      if (!held) await queue.remove(item.id);
      else if (await queue.has(item.id)) await queue.put({ ...item, held });
    } catch (error) {
      if (error.name === "Unreachable") return; // the rest waits as well
      if (await queue.has(item.id)) await queue.put({ ...item, held: { words: wordsOf(error) } });
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
  const remember = (found, more = {}) => packs.update(uri, (before) => (
    { ...before, ...more, uri, scan, time: Math.floor(Date.now() / 1000), key: wordsKey(found), kind: kindOf(found.headline) }));
  if (action === "verify") {
    await remember(verdict);
    return kind === "go" ? null : { key: wordsKey(verdict) };
  }
  // sent before (and the answer lost, or another tab did it): the gateway knows it by its name, and it is no finding of ours
  const own = verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place;
  let operation = own ? await sentBefore(app, id) : null;
  if (kind !== "go" && !operation) {
    await remember(verdict);
    return { key: wordsKey(verdict) };
  }
  if (!(await queue.has(id))) return null; // taken out while it was checked
  operation ??= await app.asking(() => app.gateway.dispense(scan, null, id));
  for (let polls = 0; operation.state === "pending" && polls < MOST_POLLS; polls++) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    operation = await app.asking(() => app.gateway.operation(operation.id));
  }
  const words = refusalOf(operation);
  const undone = Boolean(operation.packs[0].undone); // a press before did it, and somebody took it back: is it wanted still?
  const after = await app.verifier.verify(scan);
  await remember(after.verdict, keptOf(operation));
  if (undone) return { key: wordsKey(after.verdict) };
  return words && { words };
}

/** The operation of this name, if the gateway has one: to ask for it changes nothing. */
async function sentBefore(app, name) {
  try {
    return await app.asking(() => app.gateway.named(name));
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
