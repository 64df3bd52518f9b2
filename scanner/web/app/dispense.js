/** Dispensing one pack, and undoing it: pending until the chain changed this very pack, and until our own node says so. */

import { h, icon } from "./dom.js";
import { Refused } from "./gateway.js";
import { refusalOf, wordsOf } from "./refusals.js";
import { t } from "./text.js";

const POLL = 400; // milliseconds between two looks at an operation
const PATIENCE = 120_000;
const CONFIRM_TRIES = 20;

/**
 * What a press of "dispense" does, in steps that the person sees.
 * @param {import("./app.js").App} app @param {object} scan @param {string | null} acknowledge a headline that a person overrides
 * @param {{state: (kind: "busy" | "go" | "care" | "stop", words: string, line: string, undo?: Node[]) => void, request: () => Promise<string>, keep: (known: object) => Promise<void>, changed: () => Promise<void>}} to
 *   `state` is shown large in the verdict's place; `request` is this pack's dispensing's own name, the same until it is
 *   known what became of it: sent again with it, nothing is done twice; `keep` remembers of the pack the operation that can be
 *   undone, its last verdict, and that the name is used up; `changed` is told when the pack's state may be another
 * @returns {{start: () => Promise<void>, undoOf: (id: number) => Node[]}} `undoOf` makes the button that undoes an operation
 */
export function dispenser(app, scan, acknowledge, to) {
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

  async function sent() {
    const request = await to.request();
    return app.asking(() => app.gateway.dispense(scan, acknowledge, request));
  }

  async function start() {
    to.state("busy", t("dispense.sending"), "");
    let operation = null;
    try {
      operation = await sent();
      if (operation.packs[0].undone) {
        // what a press before this one did, and somebody took back since
        await to.keep({ operation: null, request: null });
        operation = null;
        operation = await sent();
      }
      await to.keep({ operation: operation.id });
      to.state("busy", t("dispense.pending"), t("dispense.pendingHint"));
      operation = await settled(operation.id);
    } catch (error) {
      return operation === null && error instanceof Refused ? not("dispense.not", wordsOf(error)) : unknown("dispense.unknown", error);
    }
    const refusal = refusalOf(operation);
    if (operation.state === "pending") return open(refusal);
    if (refusal) {
      await to.keep({ operation: null, request: null });
      return not("dispense.not", refusal);
    }
    const { id } = operation;
    await to.keep({ request: null, key: "verdict.SUPPLIED", kind: "stop" }); // until the next verdict, should there be none now
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

  /** An answer that is lost says nothing of what was asked. @param {string} key of the message */
  function unknown(key, error) {
    to.state("care", t(key), t("dispense.unknownHint", { why: wordsOf(error) }));
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
      operation = await app.asking(() => app.gateway.reverse(id));
      operation = await settled(operation.id);
    } catch (error) {
      return operation === null && error instanceof Refused ? not("dispense.notUndone", wordsOf(error)) : unknown("dispense.undoUnknown", error);
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
