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

const KEEP_AGAIN = 60_000; // milliseconds until a version of the page that did not come whole is asked for again
const PUT_DOWN = 60_000; // milliseconds out of sight: by then another pack may be in hand than the one that is shown as good

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
let away = Infinity; // since when, by the clock that goes on while the phone sleeps
document.addEventListener("visibilitychange", () => {
  // a camera that runs in a pocket costs the battery; some phones freeze it too
  if (app.viewName === "scan" && app.config) app.show(document.hidden ? resting() : views.scan());
  if (document.hidden) away = Date.now();
  else if (Date.now() - away > PUT_DOWN && saysGood()) open("scan");
});

/** Whether all that is shown is a good pack; not a warning, nor something under way. */
function saysGood() {
  return app.main.querySelector(".verdict[data-kind=go]") !== null && app.main.querySelector("dialog[open]") === null;
}

function resting() {
  return { name: "scan", title: t("scan.title"), element: h("section", { class: "scan" }, h("h1", { class: "visually-hidden" }, t("scan.title"))) };
}

/** Keep the page whole on this phone, and offer a new version once that is whole here. */
async function keepOffline() {
  if (!("serviceWorker" in navigator)) return null;
  const registration = await navigator.serviceWorker.register(scriptUrl("../sw.js"), { scope: "./", updateViaCache: "none" });
  registration.onupdatefound = () => watch(registration);
  watch(registration);
  // it came before, and its offer was not taken
  if (registration.waiting && navigator.serviceWorker.controller) offerUpdate(registration);
  return registration;
}

function watch(registration) {
  const fresh = registration.installing;
  if (!fresh) return;
  let whole = false;
  fresh.onstatechange = () => {
    if (fresh.state === "redundant" && !whole) return notKept(registration);
    whole = true;
    if (fresh.state !== "installed") return null;
    return navigator.serviceWorker.controller ? offerUpdate(registration) : unnote();
  };
}

/** A version that did not come whole is none: this page goes on as it is, and the version is asked for again. */
function notKept(registration) {
  note(t("app.notKept"));
  const again = async () => {
    clearTimeout(timer);
    window.removeEventListener("online", again);
    try {
      const found = await (registration.active ? registration.update() : keepOffline());
      if (!found.installing && !found.waiting) unnote(); // there is no such version any more
    } catch {
      notKept(registration);
    }
  };
  const timer = setTimeout(again, KEEP_AGAIN);
  window.addEventListener("online", again);
}

/** A new version is taken when the person says so: never in the middle of a dispense. */
function offerUpdate(registration) {
  note(t("app.update"), h("button", { class: "quiet", type: "button", onclick: () => {
    if (!registration.waiting) return location.reload(); // another tab went over
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    return registration.waiting.postMessage("go over");
  } }, t("app.reload")));
}

/** Something about the page itself, said once, in the place of what was said before. */
function note(text, ...buttons) {
  if (document.querySelector(".toast span")?.textContent === text) return;
  unnote();
  document.body.append(h("div", { class: "toast" }, h("span", {}, text), ...buttons));
  app.announce(text);
}

function unnote() {
  document.querySelector(".toast")?.remove();
}

begin().then(
  () => keepOffline().catch(() => null), // offline, or not allowed here: the page works without
  (error) => {
    document.getElementById("view").textContent = `packtrace: ${error.message}`;
  },
);
