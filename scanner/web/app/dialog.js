/** A question that a person answers before something is done that cannot simply be taken back. */

import { h } from "./dom.js";
import { t } from "./text.js";

/**
 * Whether the person says yes; what only closes the question does not.
 * @param {HTMLElement} within @param {string} title @param {string} line @param {string} yes the button's words
 * @returns {Promise<boolean>}
 */
export function ask(within, title, line, yes) {
  const dialog = h("dialog", { "aria-labelledby": "really" }, h("form", { method: "dialog", class: "sheet" },
    h("h2", { id: "really" }, title),
    h("p", {}, line),
    h("div", { class: "row" },
      h("button", { class: "main", value: "no", autofocus: true }, t("dispense.no")),
      h("button", { class: "quiet danger", value: "yes" }, yes))));
  const answered = new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "yes");
  }));
  within.append(dialog);
  dialog.showModal();
  return answered;
}
