/** What waits for a connection, and what was scanned last. */

import { h, icon } from "./dom.js";
import { packs, queue } from "./store.js";
import { workThrough } from "./sync.js";
import { moment, t } from "./text.js";

const RECENT = 30;

/** @param {import("./app.js").App} app @param {{back: () => void, open: (scan: object) => void}} go */
export function queueView(app, go) {
  const list = h("div", {});
  const element = h("section", { class: "page" },
    h("header", { class: "top" },
      h("button", { class: "round small", type: "button", "aria-label": t("app.back"), onclick: go.back }, icon("back")),
      h("h1", { tabindex: "-1", "data-focus": true }, t("queue.title"))),
    list);

  async function fill() {
    const [waiting, recent] = await Promise.all([queue.all(), packs.recent(RECENT)]);
    const remove = async (id) => {
      await queue.remove(id);
      await app.counted();
      fill();
    };
    const entry = (scan, kind, lines, buttons) => h("li", { "data-kind": kind }, h("div", {}, h("p", {}, h("strong", {}, scan.serial)), lines.map((line) => h("p", { class: "faint" }, line))), h("div", { class: "buttons" }, buttons));
    const open = (scan) => h("button", { class: "quiet", type: "button", "aria-label": `${t("queue.open")}: ${scan.serial}`, onclick: () => go.open(scan) }, t("queue.open"));
    list.replaceChildren(
      h("h2", {}, t("queue.waiting")),
      waiting.length === 0 ? h("p", { class: "faint" }, t("queue.empty")) : "",
      h("ul", { class: "entries" }, waiting.map(({ id, scan, action, time, held }) => entry(scan, held ? "care" : "unknown",
        [`${t(`queue.${action}`)} · ${moment(time / 1000)}`, ...(held ? [t("queue.held", { words: held.key ? t(held.key) : held.words })] : [])],
        [open(scan), h("button", { class: "quiet", type: "button", "aria-label": `${t("queue.remove")}: ${scan.serial}`, onclick: () => remove(id) }, t("queue.remove"))]))),
      waiting.some(({ held }) => !held) ? h("button", { class: "main", type: "button", onclick: () => workThrough(app).then(fill) }, t("queue.send")) : "",
      h("h2", {}, t("queue.recent")),
      h("ul", { class: "entries" }, recent.map(({ scan, key, kind, time }) => entry(scan, kind, [`${t(key)} · ${moment(time)}`], [open(scan)]))),
    );
  }

  app.addEventListener("connection", fill);
  return { name: "queue", title: t("queue.title"), element, shown: fill, left: () => app.removeEventListener("connection", fill) };
}
