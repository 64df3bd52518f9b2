/** Dispensing one pack, and undoing it: pending until the chain changed this very pack, and until our own node says so. */

import { h, icon } from "./dom.js";
import { refusalOf, wordsOf } from "./refusals.js";
import { t } from "./text.js";

const POLL = 400; // milliseconds between two looks at an operation
const PATIENCE = 120_000;
const CONFIRM_TRIES = 20;

/**
 * What a press of "dispense" does, in steps that the person sees.
 * @param {import("./app.js").App} app @param {object} scan @param {string | null} acknowledge a headline that a person overrides
 * @param {{state: (kind: "busy" | "go" | "care" | "stop", words: string, line: string, undo?: Node[]) => void, changed: (undoable: number | null) => void}} to
 *   `state` is shown large in the verdict's place; `changed` is told when the pack's state is another, with the operation
 *   that can be undone
 * @returns {{start: () => Promise<void>, undoOf: (id: number) => Node[]}} `undoOf` makes the button that undoes an operation
 */
export function dispenser(app, scan, acknowledge, to) {
  const request = crypto.randomUUID(); // one press: sent again after a lost answer, nothing is done twice
  const settled = async (id) => {
    const limit = performance.now() + PATIENCE;
    for (;;) {
      const found = await app.gateway.operation(id);
      if (found.state !== "pending" || performance.now() > limit) return found;
      await pause(POLL);
    }
  };

  /** What the gateway says is done counts once our node shows it. */
  const confirmed = async (wanted) => {
    for (let tries = 0; tries < CONFIRM_TRIES; tries++) {
      const { verdict } = await app.verifier.verify(scan);
      if (wanted(verdict)) return verdict;
      await pause(POLL);
    }
    return null;
  };

  async function start() {
    to.state("busy", t("dispense.sending"), "");
    let done = null;
    try {
      const { id } = await app.asking(() => app.gateway.dispense(scan, acknowledge, request));
      to.state("busy", t("dispense.pending"), t("dispense.pendingHint"));
      const operation = await settled(id);
      const refusal = refusalOf(operation);
      if (refusal) {
        to.state("stop", t("dispense.not"), refusal);
        return to.changed(null);
      }
      done = id;
      const seen = await confirmed((verdict) => verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place);
      if (seen) to.state("go", t("dispense.done"), t("dispense.doneHint", { case: unbroken(seen.case) }), undoOf(id));
      else to.state("care", t("dispense.done"), t("dispense.unconfirmed"), undoOf(id));
    } catch (error) {
      to.state("stop", t("dispense.not"), wordsOf(error));
    }
    return to.changed(done);
  }

  function undoOf(id) {
    return [
      h("button", { class: "main undo", type: "button", onclick: () => reverse(id) }, icon("undo"), h("span", {}, t("dispense.undo"))),
      h("p", { class: "faint" }, t("dispense.undoHint")),
    ];
  }

  async function reverse(id) {
    to.state("busy", t("dispense.undoing"), "");
    try {
      const asked = await app.asking(() => app.gateway.reverse(id));
      const refusal = refusalOf(await settled(asked.id));
      if (refusal) to.state("stop", t("dispense.notUndone"), refusal);
      else if (await confirmed((verdict) => verdict.status === "ACTIVE")) to.state("go", t("dispense.undone"), t("dispense.undoneHint"));
      else to.state("care", t("dispense.undone"), t("dispense.unconfirmed"));
    } catch (error) {
      to.state("stop", t("dispense.notUndone"), wordsOf(error));
    }
    return to.changed(null);
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
