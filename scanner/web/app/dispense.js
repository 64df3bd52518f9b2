/** Dispensing one pack, and undoing it: pending until the chain changed this very pack, and until our own node says so. */

import { sgtinUri } from "../lib/codes.js";
import { h, icon } from "./dom.js";
import { Refused } from "./gateway.js";
import { refusalOf, wordsOf } from "./refusals.js";
import { t } from "./text.js";

const POLL = 400; // milliseconds between two looks at an operation
const PATIENCE = 120_000;
const CONFIRM_TRIES = 20;
const ASK_AGAIN = 3000; // milliseconds between two questions what became of a press whose answer was lost
const NEVER_CAME = 120_000; // from the press on: what the gateway does not know then did not reach it

/**
 * What is to be remembered of a pack of which an operation is known: which one can be undone, and that its name is used up
 * once its end is known.
 * @param {{id: number, state: string, packs: object[]}} operation
 */
export function keptOf(operation) {
  if (operation.state === "pending") return { operation: operation.id };
  const stands = refusalOf(operation) === null && !operation.packs[0].undone;
  return { operation: stands ? operation.id : null, request: null };
}

/**
 * What a press of "dispense" does, in steps that the person sees.
 * @param {import("./app.js").App} app @param {object} scan @param {string | null} acknowledge a headline that a person overrides
 * @param {{state: (kind: "busy" | "go" | "care" | "stop", words: string, line: string, undo?: Node[]) => void, request: () => Promise<string>, left: () => boolean, keep: (known: object) => Promise<void>, changed: () => Promise<void>}} to
 *   `state` is shown large in the verdict's place; `request` is this pack's dispensing's own name, the same until it is
 *   known what became of it: sent again with it, nothing is done twice; `left` tells whether the person went on; `keep`
 *   remembers of the pack the operation that can be undone, its last verdict, and that the name is used up; `changed` is told
 *   when the pack's state may be another
 * @returns {{start: () => Promise<void>, undoOf: (id: number) => Node[]}} `undoOf` makes the button that undoes an operation
 */
export function dispenser(app, scan, acknowledge, to) {
  const uri = sgtinUri(scan.gtin, scan.serial);
  const settled = async (id) => {
    const limit = performance.now() + PATIENCE;
    for (;;) {
      const found = await app.gateway.operation(id);
      if (found.state !== "pending" || performance.now() > limit) return found;
      await pause(POLL);
    }
  };

  /** What the gateway says is done counts once our node shows it; null where that cannot be seen. */
  const confirmed = async (wanted) => {
    for (let tries = 0; tries < CONFIRM_TRIES; tries++) {
      const found = await app.verifier.verify(scan).catch(() => null);
      if (!found || wanted(found.verdict)) return found?.verdict ?? null;
      await pause(POLL);
    }
    return null;
  };

  function sent(request) {
    return app.asking(() => app.gateway.dispense(scan, acknowledge, request));
  }

  async function start() {
    const began = performance.now();
    to.state("busy", t("dispense.sending"), "");
    let request = await to.request();
    let operation;
    try {
      operation = await sent(request);
      if (operation.packs[0].undone) {
        // what a press before this one did, and somebody took back since
        await to.keep({ operation: null, request: null });
        request = await to.request();
        operation = await sent(request);
      }
    } catch (error) {
      if (error instanceof Refused) return not("dispense.not", wordsOf(error));
      await lost(error);
      operation = await found(() => app.gateway.named(request), began + NEVER_CAME);
      if (operation === null) return not("dispense.not", t("dispense.notReached"));
    }
    return operation && follow(operation);
  }

  /** To its end, however often the connection is lost. */
  async function follow(operation) {
    const { id } = operation;
    await to.keep({ operation: id });
    while (operation?.state === "pending") {
      to.state("busy", t("dispense.pending"), t("dispense.pendingHint"));
      try {
        operation = await settled(id);
        break;
      } catch (error) {
        await lost(error);
        operation = await found(() => app.gateway.operation(id));
      }
    }
    return operation && ended(operation);
  }

  /**
   * The operation, as soon as the gateway is there again; it is only asked for: nothing is done by it. Null where the gateway
   * does not know it after `limit`, undefined when the person went on.
   */
  async function found(ask, limit = Infinity) {
    for (;;) {
      await pause(ASK_AGAIN);
      if (to.left()) return undefined;
      try {
        return await app.asking(ask);
      } catch (error) {
        if (error instanceof Refused && error.status === 404 && performance.now() > limit) return null;
      }
    }
  }

  async function ended(operation) {
    const refusal = refusalOf(operation);
    if (operation.state === "pending") return open(refusal);
    await to.keep(keptOf(operation));
    if (refusal) return not("dispense.not", refusal);
    if (operation.packs[0].undone) {
      to.state("care", t("dispense.undone"), t("dispense.undoneHint"));
      return to.changed();
    }
    const { id } = operation;
    await to.keep({ key: "verdict.SUPPLIED", kind: "stop" }); // until the next verdict, should there be none now
    const seen = await confirmed((verdict) => verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place);
    if (seen) to.state("go", t("dispense.done"), t("dispense.doneHint", { case: unbroken(seen.case) }), undoOf(id));
    else to.state("care", t("dispense.done"), t("dispense.unconfirmed"), undoOf(id));
    return to.changed();
  }

  function not(key, words) {
    to.state("stop", t(key), words);
    return to.changed();
  }

  function open(words) {
    to.state("care", t("dispense.pending"), words);
    return to.changed();
  }

  /** An answer that is lost says nothing of what was asked. */
  async function lost(error) {
    to.state("care", t("dispense.unknown"), t("dispense.lostHint", { why: wordsOf(error) }));
    await to.keep({ key: "dispense.unknown", kind: "care" }); // until a verdict, or the operation, says more
    return to.changed();
  }

  function notKnownUndone(error) {
    to.state("care", t("dispense.undoUnknown"), t("dispense.unknownHint", { why: wordsOf(error) }));
    return to.changed();
  }

  function undoOf(id) {
    return [
      h("button", { class: "main undo", type: "button", onclick: () => reverse(id) }, icon("undo"), h("span", {}, t("dispense.undo"))),
      h("p", { class: "faint" }, t("dispense.undoHint")),
    ];
  }

  async function reverse(id) {
    to.state("busy", t("dispense.undoing"), "");
    let operation = null;
    try {
      // a gateway that was restored from a backup, or set up anew, may have given the number to another pack's operation
      const { packs } = await app.asking(() => app.gateway.operation(id));
      if (packs.length !== 1 || packs[0].uri !== uri) return not("dispense.notUndone", t("refusal.not_changed_here"));
      operation = await app.asking(() => app.gateway.reverse(id));
      operation = await settled(operation.id);
    } catch (error) {
      return operation === null && error instanceof Refused ? not("dispense.notUndone", wordsOf(error)) : notKnownUndone(error);
    }
    const refusal = refusalOf(operation);
    if (operation.state === "pending") return open(refusal);
    if (refusal) return not("dispense.notUndone", refusal);
    await to.keep({ operation: null, request: null });
    if (await confirmed((verdict) => verdict.status === "ACTIVE")) to.state("go", t("dispense.undone"), t("dispense.undoneHint"));
    else to.state("care", t("dispense.undone"), t("dispense.unconfirmed"));
    return to.changed();
  }

  return { start, undoOf };
}

/** A case number that no line break cuts. */
function unbroken(text) {
  return text.replaceAll("-", "\u2011");
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
