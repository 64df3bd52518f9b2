/** The verdict on one pack: large, in colour and words and shape; then what to do; then all that it rests on. */

import { sgtinUri } from "../lib/codes.js";
import { ask } from "./dialog.js";
import { dispenser, keptOf } from "./dispense.js";
import { h, icon, shape } from "./dom.js";
import { handsMap, nameOf } from "./hands.js";
import { wordsOf } from "./refusals.js";
import { openReport } from "./report.js";
import { packs, queue } from "./store.js";
import { day, moment, say, step, t } from "./text.js";
import { kindOf, wordsKey } from "./verifier.js";

const POLL = 1000; // milliseconds between two looks at an operation
const MOST_RECALL = 60_000; // that the ledger's word on an earlier press is waited for
const MARKS = { true: ["check", "passed"], false: ["cross", "failed"], null: ["question", "open"] };

/** @param {import("./app.js").App} app @param {object} scan @param {{next: () => void}} go */
export function verdictView(app, scan, go) {
  const head = h("header", { class: "verdict", "data-kind": "busy" });
  const actions = h("footer", { class: "hand actions" });
  const box = h("div", { class: "box", hidden: true });
  const body = h("div", { class: "body" });
  const here = { party: app.config.place, name: app.config.name };
  const element = h("article", { class: "result" }, head, box, body, actions);
  const uri = sgtinUri(scan.gtin, scan.serial);
  let left = false; // what comes to light of this pack then is kept, and not said: another one may be in hand

  const next = (main) => h("button", { class: main ? "main" : "quiet", type: "button", onclick: go.next }, icon("camera"), h("span", {}, t("next.do")));
  const report = () => h("button", { class: "quiet danger", type: "button", onclick: () => openReport(app, scan) }, icon("flag"), h("span", {}, t("report.do")));

  const crown = (kind, words, line, more = null) => {
    if (left) return;
    const busy = kind === "busy";
    head.dataset.kind = kind;
    head.replaceChildren(
      busy ? h("div", { class: "spinner large", "aria-hidden": "true" }) : shape(kind),
      h("h1", { tabindex: "-1", "data-focus": true }, busy ? "" : h("span", { class: "visually-hidden" }, `${t(`shape.${kind}`)}: `), words),
      h("p", { class: "do" }, line),
      more ?? "",
    );
    document.title = `${words} – packtrace`;
    head.querySelector("h1").focus({ preventScroll: true });
    app.announce([busy ? "" : t(`shape.${kind}`), words, line].filter(Boolean).map((one) => `${one.replace(/[.。]$/, "")}.`).join(" "), { grave: !busy && kind !== "go" });
    window.scrollTo({ top: 0 });
  };

  /**
   * What is known of the pack stays on the phone: the last verdict, the operation that this phone could undo, and the name
   * of a dispensing whose end it did not see.
   */
  async function remember(known) {
    const time = Math.floor(Date.now() / 1000);
    await packs.update(uri, (before) => ({ ...before, ...known, uri, scan, time })).catch(() => null);
  }

  /** This pack's dispensing's own name: of the press, of the queue, and of another tab's press the same. */
  async function request() {
    const fresh = crypto.randomUUID();
    const time = Math.floor(Date.now() / 1000);
    const known = await packs.update(uri, (before) => ({ ...before, request: before?.request ?? fresh, uri, scan, time })).catch(() => null);
    return known?.request ?? fresh;
  }

  /** What became of a press before this scan whose answer was lost; the ledger's last word on it is waited for. */
  async function recall() {
    const kept = await packs.get(uri).catch(() => null);
    if (!kept?.request || !app.config.roles.includes("dispenser")) return;
    try {
      let operation = await app.asking(() => app.gateway.named(kept.request));
      const limit = performance.now() + MOST_RECALL;
      while (operation.state === "pending" && performance.now() < limit && !left) {
        crown("busy", t("dispense.pending"), t("dispense.pendingHint"));
        actions.replaceChildren(next(true));
        await new Promise((resolve) => setTimeout(resolve, POLL));
        operation = await app.asking(() => app.gateway.operation(operation.id));
      }
      await remember(keptOf(operation));
    } catch (error) {
      if (error.name === "Unreachable") throw error; // else the gateway does not know it: the name stays, for the next press
    }
  }

  function checking() {
    crown("busy", t("verdict.checking"), "");
    body.replaceChildren(packCard(scan, null));
    actions.replaceChildren();
  }

  async function check() {
    checking();
    try {
      await recall();
      const { verdict, trouble } = await app.asking(() => app.verifier.verify(scan));
      show(verdict, trouble);
    } catch (error) {
      if (error.name === "Unreachable") return offline(error);
      crown("unknown", t("verdict.not verified"), wordsOf(error));
      actions.replaceChildren(next(true));
    }
    return null;
  }

  function show(verdict, trouble, { keepActions = false } = {}) {
    const kind = kindOf(verdict.headline);
    const words = t(wordsKey(verdict));
    if (!keepActions) {
      const reasons = kind === "go" ? [] : reasonsOf(verdict).slice(0, 3).flatMap((check) => check.words.slice(0, 2).map(say));
      crown(kind, words, t(`do.${kind}`), reasons.length ? h("ul", { class: "why" }, reasons.map((reason) => h("li", {}, reason))) : null);
      performance.mark("packtrace: verdict");
      dress(kind, verdict, words);
    }
    body.replaceChildren(
      packCard(scan, verdict),
      section("hands", t("hands.title"), handsMap(verdict.history, here)),
      section("history", t("history.title"), historyList(verdict.history, here)),
      section("checks", t("checks.title"), checkList(verdict, trouble, app.config.node)),
    );
    remember({ key: wordsKey(verdict), kind });
  }

  /** One action at a time: the one that the verdict asks for is large. */
  function dress(kind, verdict, words) {
    const can = app.config.roles.includes("dispenser");
    const acknowledge = kind === "go" ? null : verdict.headline;
    const { start, undoOf } = dispenser(app, scan, acknowledge, {
      state(now, title, line, undo = []) {
        box.replaceChildren(...undo);
        box.hidden = undo.length === 0;
        crown(now, title, line);
        undo[0]?.focus({ preventScroll: true });
      },
      request,
      left: () => left,
      keep: remember,
      changed: async () => {
        actions.replaceChildren(next(true));
        const found = await app.verifier.verify(scan).catch(() => null);
        if (found) show(found.verdict, found.trouble, { keepActions: true });
      },
    });
    if (kind === "stop" || !can) {
      actions.replaceChildren(kind === "stop" ? report() : "", next(true));
      if (can && verdict.status === "SUPPLIED" && verdict.changed?.party === app.config.place) offerUndo(undoOf);
      return;
    }
    const press = () => {
      actions.replaceChildren();
      start();
    };
    const button = h("button", { class: kind === "go" ? "main" : "quiet", type: "button", onclick: kind === "go" ? press : () => really(words, press) }, h("span", {}, t(kind === "go" ? "dispense.do" : "dispense.anyway")));
    actions.replaceChildren(...(kind === "go" ? [button, h("div", { class: "row" }, report(), next(false))] : [next(true), h("div", { class: "row" }, report(), button)]));
  }

  /** What this phone dispensed before can be taken back when the pack is scanned again. */
  async function offerUndo(undoOf) {
    const known = await packs.get(uri).catch(() => null);
    if (!known?.operation) return;
    box.replaceChildren(...undoOf(known.operation));
    box.hidden = false;
  }

  async function really(words, press) {
    if (await ask(element, t("dispense.really", { words }), t("dispense.answer"), t("dispense.yes"))) press();
  }

  /** Without a connection: what the code says itself, what was known, and what nobody here can know. */
  async function offline(error) {
    const kept = await packs.get(uri).catch(() => null);
    const last = kept?.key ? kept : null;
    const today = new Date().toISOString().slice(0, 10);
    const expired = scan.expiry !== null && scan.expiry < today;
    const stopped = expired || last?.kind === "stop";
    const button = (name, className, onclick) => h("button", { class: className, type: "button", onclick }, h("span", {}, t(`offline.${name}`)));
    const words = expired ? t("verdict.expired") : last?.kind === "stop" ? t(last.key) : t("verdict.offline");
    crown(stopped ? "stop" : "unknown", words, t(stopped ? "do.stop" : "do.unknown"));
    body.replaceChildren(
      h("section", { class: "card offline" },
        error.kind ? h("p", {}, wordsOf(error)) : null,
        h("p", {}, t("offline.intro")),
        h("p", { class: "last" }, last ? t("offline.last", { words: t(last.key), time: last.time }) : t("offline.never")),
        expired ? h("p", {}, t("offline.printedExpired")) : null,
        button("retry", "quiet", check),
        h("h2", {}, t("offline.unknown")),
        h("ul", {}, ["dispensed", "recalled", "genuine"].map((what) => h("li", {}, t(`offline.${what}`))))),
      packCard(scan, null),
      report(),
    );
    async function keep(action) {
      const id = action === "dispense" ? await request() : crypto.randomUUID(); // a press whose answer was lost has its name still
      try {
        await queue.put({ id, time: Date.now(), action, scan });
      } catch (trouble) {
        crown("care", t("offline.notKept"), t("app.error", { what: trouble.message }));
        return;
      }
      await app.counted();
      app.announce(t("offline.kept"));
      actions.replaceChildren(h("p", { class: "kept" }, icon("check"), t("offline.kept")), next(true));
    }
    actions.replaceChildren(
      button("keep", "main", () => keep("verify")),
      h("div", { class: "row" }, !stopped && app.config.roles.includes("dispenser") ? button("dispense", "quiet", () => keep("dispense")) : "", next(false)),
    );
  }

  return { name: "verdict", title: t("verdict.checking"), element, shown: check, left: () => (left = true) };
}

/** What the headline rests on; all that failed stands in the list of checks. */
function reasonsOf({ headline, reasons }) {
  const grave = reasons.filter((check) => check.finding === headline);
  return grave.length ? grave : reasons;
}

function section(name, title, content) {
  return h("section", { class: `card ${name}`, "aria-labelledby": `title-${name}` }, h("h2", { id: `title-${name}` }, title), content);
}

function packCard(scan, verdict) {
  const row = (name, value) => h("div", {}, h("dt", {}, t(`pack.${name}`)), h("dd", {}, value ?? h("em", {}, t("pack.unread"))));
  return h("section", { class: "card pack", "aria-label": t("pack.title") }, h("dl", {},
    row("serial", scan.serial),
    row("lot", scan.lot),
    row("expiry", scan.expiry && day(scan.expiry)),
    row("gtin", scan.gtin),
    verdict?.case ? row("case", verdict.case) : null));
}

function historyList(history, here) {
  return h("ol", { class: "timeline" }, history.map((entry) => {
    const name = nameOf({ party: entry.party, name: entry.partyName }, here);
    const inside = /\/00\/(\d+)$/.exec(entry.carrier)?.[1];
    return h("li", { class: `${entry.proof}${entry.declared ? " declared" : ""}` },
      h("p", {}, h("strong", {}, step(entry.step)), ` · ${name}`),
      h("p", { class: "faint" }, h("time", { datetime: entry.time }, moment(entry.time)), inside ? ` · ${t("history.in", { sscc: inside.slice(-6) })}` : "", ` · ${t(`proof.${entry.proof}`)}`),
      entry.declared ? h("p", { class: "wrong" }, t("history.declared", { time: entry.declared.time })) : null);
  }));
}

function checkList(verdict, trouble, node) {
  const passed = verdict.checks.filter((check) => check.passed).length;
  const list = h("ul", { class: "checklist" }, verdict.checks.map((check) => {
    const [mark, word] = MARKS[String(check.passed)];
    return h("li", { class: word },
      h("span", { class: "mark" }, icon(mark), h("span", { class: "visually-hidden" }, t(`checks.${word}`))),
      h("div", {}, h("p", {}, h("strong", {}, t(`check.${check.name}`))), check.words.map((words) => h("p", { class: "detail" }, say(words)))));
  }));
  const { block } = verdict;
  return h("div", {},
    h("p", { class: "faint" }, t("checks.summary", { passed, count: verdict.checks.length })),
    list,
    h("p", { class: "faint" }, block ? t("checks.where", { node: new URL(node).host, block: block.number, seconds: block.age }) : t("checks.noNode")),
    trouble ? h("p", { class: "faint" }, say(trouble)) : null,
    h("p", { class: "faint" }, t("checks.clone")),
    h("p", { class: "faint" }, t("checks.host")));
}
