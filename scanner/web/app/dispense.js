/** Dispensing one pack, and undoing it: pending until the chain changed this very pack, and until our own node says so. */

import { h, icon } from "./dom.js";
import { t } from "./text.js";

const POLL = 400; // milliseconds between two looks at an operation
const PATIENCE = 120_000;
const CONFIRM_TRIES = 20;

/**
 * The box in which a dispense goes on; `start` is what its button does.
 * @param {import("./app.js").App} app @param {object} scan @param {string | null} acknowledge a headline that a person overrides
 * @param {{changed: () => void}} to told when the pack's state has changed
 */
export function dispenser(app, scan, acknowledge, to) {
  const request = crypto.randomUUID(); // one press: sent again after a lost answer, nothing is done twice
  const box = h("div", { class: "progress", hidden: true });
  let operation = null;

  const show = (state, title, hint, ...more) => {
    box.hidden = false;
    box.dataset.state = state;
    box.replaceChildren(
      h("p", { class: "progress-title" }, state === "busy" ? h("span", { class: "spinner", "aria-hidden": "true" }) : icon({ good: "check", bad: "cross" }[state] ?? "question"), h("strong", {}, title)),
      hint ? h("p", {}, hint) : "",
      ...more,
    );
    app.announce(hint ? `${title}. ${hint}` : title, { grave: state === "bad" });
  };

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
    show("busy", t("dispense.sending"));
    try {
      operation = await app.asking(() => app.gateway.dispense(scan, acknowledge, request));
      show("busy", t("dispense.pending"), t("dispense.pendingHint"));
      operation = await settled(operation.id);
      const outcome = operation.packs[0]?.outcome ?? "";
      if (operation.state !== "done" || outcome.startsWith("refused")) {
        show("bad", t("dispense.refused", { what: outcome.replace(/^refused: /, "") || operation.state }));
        return to.changed();
      }
      const seen = await confirmed((verdict) => verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place);
      const undo = h("button", { class: "main undo", type: "button", onclick: reverse }, icon("undo"), h("span", {}, t("dispense.undo")));
      if (seen) show("good", t("dispense.done"), t("dispense.doneHint", { case: seen.case }), undo, h("p", { class: "faint" }, t("dispense.undoHint")));
      else show("care", t("dispense.unconfirmed"), null, undo);
      undo.focus({ preventScroll: true });
    } catch (error) {
      show("bad", t("dispense.refused", { what: app.wordsOf(error) }));
    }
    return to.changed();
  }

  async function reverse() {
    show("busy", t("dispense.undoing"));
    try {
      const asked = await app.asking(() => app.gateway.reverse(operation.id));
      const found = await settled(asked.id);
      const outcome = found.packs[0]?.outcome ?? "";
      if (found.state === "done" && !outcome.startsWith("refused") && (await confirmed((verdict) => verdict.status === "ACTIVE"))) {
        show("good", t("dispense.undone"));
      } else {
        show("bad", t("dispense.undoRefused", { what: outcome.replace(/^refused: /, "") || found.state }));
      }
    } catch (error) {
      show("bad", t("dispense.undoRefused", { what: app.wordsOf(error) }));
    }
    return to.changed();
  }

  return { box, start };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
