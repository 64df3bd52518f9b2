/** The first view: the camera, and nothing in its way. */

import { checked, readReading, sgtinUri } from "../lib/codes.js";
import { dateOf } from "../lib/dates.js";
import { CodeError } from "../lib/errors.js";
import { Camera } from "./camera.js";
import { h, icon } from "./dom.js";
import { t } from "./text.js";

const HINT_EVERY = 4000; // milliseconds: long enough to be read

/** @param {import("./app.js").App} app @param {{found: (scan: object) => void, settings: () => void, queue: () => void}} go */
export function scanView(app, go) {
  const video = h("video", { playsinline: true, muted: true, autoplay: true, "aria-label": t("scan.viewfinder") });
  const hint = h("p", { class: "hint", role: "status" }, t("scan.starting"));
  const badge = h("button", { class: "badge", type: "button", onclick: go.queue });
  const torch = h("button", { class: "round", type: "button", "aria-pressed": "false", hidden: true }, icon("light"), h("span", {}, t("scan.torch")));
  const zoom = h("input", { type: "range", "aria-label": t("scan.zoom"), hidden: true });
  const element = h("section", { class: "scan" },
    h("h1", { class: "visually-hidden", tabindex: "-1", "data-focus": true }, t("scan.title")),
    video,
    h("div", { class: "reticle", "aria-hidden": "true" }),
    h("header", { class: "bar" },
      h("p", { class: "where" }, app.config.name),
      badge,
      h("button", { class: "round small", type: "button", "aria-label": t("scan.settings"), onclick: go.settings }, icon("sliders")),
    ),
    h("footer", { class: "hand" },
      hint,
      zoom,
      h("div", { class: "row" },
        torch,
        h("button", { class: "round wide", type: "button", onclick: () => openTyping(app, go) }, icon("keyboard"), h("span", {}, t("scan.type"))),
      ),
    ),
  );
  let last = "";
  let hinted = 0;
  const tell = (text, now = false) => {
    if (text === last || (!now && performance.now() - hinted < HINT_EVERY)) return;
    [last, hinted] = [text, performance.now()];
    hint.textContent = text;
  };
  const camera = new Camera(video, {
    read(readings) {
      const scans = new Map();
      let wrong = null;
      for (const reading of readings) {
        try {
          const scan = readReading(reading);
          const uri = sgtinUri(scan.gtin, scan.serial);
          if (!scans.has(uri)) scans.set(uri, scan);
        } catch (error) {
          if (!(error instanceof CodeError)) throw error;
          wrong = error;
        }
      }
      // which of two packs is meant, their person knows
      if (scans.size !== 1) {
        tell(scans.size ? t("scan.several") : t(wrong.reason, wrong.values));
        return false;
      }
      navigator.vibrate?.(40);
      go.found(...scans.values());
      return true;
    },
    trouble: (error) => tell(/start|import|fetch|module/i.test(error.message) ? t("scan.noReader") : t("app.error", { what: error.message }), true),
    ended: () => tell(t("scan.noCamera"), true),
    waiting: () => tell(t(app.config.decoder && app.online ? "scan.gateway" : "scan.hintHarder")),
    help: app.config.decoder ? (picture) => (app.online ? app.gateway.decode(picture) : Promise.resolve([])) : undefined,
  });
  const dressed = () => {
    const { torch: light, zoom: range, focus } = camera.abilities;
    torch.hidden = !light;
    torch.onclick = () => {
      const on = torch.getAttribute("aria-pressed") !== "true";
      camera.torch(on).then(() => torch.setAttribute("aria-pressed", String(on)), () => null);
    };
    zoom.hidden = !range;
    if (range) Object.assign(zoom, { min: range.min, max: range.max, step: range.step || 0.1, value: range.value });
    zoom.oninput = () => camera.zoom(Number(zoom.value)).catch(() => null);
    video.onclick = ({ offsetX, offsetY }) => {
      if (focus) camera.focus(offsetX, offsetY).catch(() => null);
    };
  };
  const refresh = () => {
    badge.className = app.online ? "badge on" : "badge off";
    badge.textContent = app.queued ? t("net.queued", { count: app.queued }) : t(app.online ? "net.online" : "net.offline");
  };
  app.addEventListener("connection", refresh);
  refresh();
  const view = {
    name: "scan",
    title: t("scan.title"),
    element,
    camera,
    shown() {
      camera.start().then(
        () => {
          tell(t("scan.hint"), true);
          dressed();
        },
        (error) => tell(t(error.name === "NotAllowedError" ? "scan.denied" : "scan.noCamera"), true),
      );
    },
    left() {
      camera.stop();
      app.removeEventListener("connection", refresh);
    },
  };
  return view;
}

/** The last resort: what is printed beside the code, typed by hand. */
function openTyping(app, go) {
  const field = (name, attributes = {}) =>
    h("label", {}, h("span", {}, t(`type.${name}`)),
      h("input", { name, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", ...attributes }));
  const problem = h("p", { class: "problem", role: "alert" });
  const form = h("form", { method: "dialog", class: "sheet", novalidate: true },
    h("h2", {}, t("type.title")),
    h("p", {}, t("type.intro")),
    field("gtin", { inputmode: "numeric", required: true, maxlength: 14 }),
    field("serial", { required: true, maxlength: 20 }),
    field("lot", { maxlength: 20 }),
    field("expiry", { inputmode: "numeric", maxlength: 6, placeholder: t("type.expiryHint") }),
    problem,
    h("div", { class: "row" },
      h("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, t("app.back")),
      h("button", { class: "main", type: "submit" }, t("type.check"))),
  );
  const dialog = h("dialog", { "aria-label": t("type.title") }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const input of form.elements) input.removeAttribute("aria-invalid");
    const typed = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
    try {
      const { gtin, serial, lot } = typed;
      const expiry = typed.expiry ? dateOf(typed.expiry) : null;
      const scan = checked({ gtin, serial, lot: lot || null, expiry });
      dialog.close();
      go.found(scan);
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      problem.textContent = t(error.reason, error.values);
      const wrong = { "code.gtin": "gtin", "code.serial": "serial", "code.lot": "lot", "code.expiry": "expiry" }[error.reason] ?? "gtin";
      form.elements[wrong].setAttribute("aria-invalid", "true");
      form.elements[wrong].focus();
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  app.main.append(dialog);
  dialog.showModal();
  form.elements.gtin.focus();
}
