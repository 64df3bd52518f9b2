/** Where the page begins: which view is shown when. */

import { App } from "./app.js";
import { prepareReaders, scriptUrl } from "./camera.js";
import { h } from "./dom.js";
import { queueView } from "./queue-view.js";
import { scanView } from "./scan-view.js";
import { setupView } from "./setup-view.js";
import { workThrough } from "./sync.js";
import { t } from "./text.js";
import { verdictView } from "./verdict-view.js";

const app = new App();

const views = {
  scan: () => scanView(app, { found: (scan) => open("verdict", scan), settings: () => open("setup"), queue: () => open("queue") }),
  verdict: (scan) => verdictView(app, scan, { next: () => open("scan") }),
  queue: () => queueView(app, { back: () => open("scan"), open: (scan) => open("verdict", scan) }),
  setup: () => setupView(app, { done: () => open("scan"), again: () => begin("setup") }),
};

/** Show a view, as a step that the phone's own "back" takes back. */
function open(name, scan = null) {
  history.pushState({ name, scan }, "");
  app.show(views[name](scan));
}

window.addEventListener("popstate", ({ state }) => app.show(views[state?.name ?? "scan"](state?.scan ?? null)));

async function begin(wanted = null) {
  const ready = await app.load();
  const name = wanted ?? (ready ? "scan" : "setup");
  history.replaceState({ name, scan: null }, "");
  app.show(views[name](null));
  prepareReaders();
  if (ready) app.look().then(() => workThrough(app));
}

app.addEventListener("connection", () => {
  if (app.online && app.queued) workThrough(app);
});
document.addEventListener("visibilitychange", () => {
  // a camera that runs in a pocket costs the battery; some phones freeze it too
  if (app.viewName === "scan" && app.config) app.show(document.hidden ? resting() : views.scan());
});

function resting() {
  return { name: "scan", title: t("scan.title"), element: h("section", { class: "scan" }, h("h1", { class: "visually-hidden" }, t("scan.title"))) };
}

async function keepOffline() {
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.register(scriptUrl("sw.js"), { scope: "./", updateViaCache: "none" });
  // it came before, and its offer was not taken
  if (registration.waiting && navigator.serviceWorker.controller) offerUpdate(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const fresh = registration.installing;
    fresh?.addEventListener("statechange", () => {
      if (fresh.state === "installed" && navigator.serviceWorker.controller) offerUpdate(fresh);
    });
  });
}

/** A new version is taken when the person says so: never in the middle of a dispense. */
function offerUpdate(worker) {
  const note = h("div", { class: "toast", role: "status" }, h("span", {}, t("app.update")),
    h("button", { class: "quiet", type: "button", onclick: () => {
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      worker.postMessage("go over");
    } }, t("app.reload")));
  document.body.append(note);
}

begin().then(keepOffline, (error) => {
  document.getElementById("view").textContent = `packtrace: ${error.message}`;
});
