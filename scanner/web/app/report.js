/** Reporting a suspect pack: what was seen, and a photo, scaled down on the phone. */

import { h, icon } from "./dom.js";
import { wordsOf } from "./refusals.js";
import { queue } from "./store.js";
import { t } from "./text.js";

const REASONS = ["seal", "print", "content", "code"];
const LONGEST = 1600; // pixels of a photo's longer side
const MAX_BYTES = 900_000; // below the gateway's limit
const MAX_PHOTOS = 5;

/** @param {import("./app.js").App} app */
export function openReport(app, scan) {
  const photos = [];
  let item = null;
  const strip = h("div", { class: "photos" });
  const problem = h("p", { class: "problem", role: "alert" });
  const input = h("input", { type: "file", accept: "image/*", capture: "environment", class: "visually-hidden", tabindex: "-1", "aria-hidden": "true" });
  const camera = h("button", { class: "quiet", type: "button", onclick: () => input.click() }, icon("camera"), h("span", {}, t("report.photo")));
  const chips = REASONS.map((name) => h("label", { class: "chip" }, h("input", { type: "checkbox", name: "reason", value: t(`report.${name}`) }), h("span", {}, t(`report.${name}`))));
  const send = h("button", { class: "main danger", type: "submit" }, t("report.send"));
  const form = h("form", { method: "dialog", class: "sheet" },
    h("h2", { id: "report-title" }, t("report.title")),
    h("p", { class: "faint" }, t("report.intro")),
    h("fieldset", {}, h("legend", {}, t("report.what")), h("div", { class: "chips" }, chips), h("textarea", { name: "text", rows: 3, maxlength: 2000, "aria-label": t("report.what") })),
    strip, input, camera, problem,
    h("div", { class: "row" }, h("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, t("app.back")), send));
  const dialog = h("dialog", { "aria-labelledby": "report-title" }, form);
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    try {
      const photo = await smaller(file);
      photos.push(photo);
      const url = URL.createObjectURL(photo);
      strip.append(h("img", { src: url, alt: t("report.photoAlt"), onload: () => URL.revokeObjectURL(url) }));
      camera.lastChild.textContent = t("report.photoAgain");
      camera.hidden = photos.length >= MAX_PHOTOS;
    } catch (error) {
      problem.textContent = t("app.error", { what: error.message });
    }
    input.value = "";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const text = [...given.getAll("reason"), given.get("text").trim()].filter(Boolean).join(". ");
    if (!text) {
      problem.textContent = t("report.empty");
      return form.elements.text.focus();
    }
    send.disabled = true;
    send.textContent = t("report.sending");
    // pressed again after a refusal (of a photo, say), the same report has its name still
    if (item?.text !== text) item = { id: crypto.randomUUID(), time: Date.now(), action: "report", scan, text, photos };
    try {
      const number = await sendReport(app, item);
      finish(t("report.done", { number }), t("report.doneHint"));
    } catch (error) {
      if (error.name !== "Unreachable") return failed(error);
      try {
        await queue.put(item);
      } catch (trouble) {
        return failed(trouble);
      }
      await app.counted();
      finish(t("report.queued"), t("report.doneHint"));
    }
    return null;
  });
  const failed = (error) => {
    problem.textContent = wordsOf(error);
    send.disabled = false;
    send.textContent = t("report.send");
  };
  const finish = (title, hint) => {
    app.announce(`${title}. ${hint}`);
    const close = h("button", { class: "main", type: "button", onclick: () => dialog.close() }, t("app.close"));
    form.replaceChildren(h("p", { class: "done" }, icon("check")), h("h2", {}, title), h("p", {}, hint), close);
    close.focus();
  };
  dialog.addEventListener("close", () => dialog.remove());
  app.main.append(dialog);
  dialog.showModal();
}

/** Send a report and its photos; the same one again changes nothing. Its number at the gateway. */
export async function sendReport(app, { id, scan, text, photos }) {
  const { number } = await app.asking(() => app.gateway.report(scan, text, id));
  for (const photo of photos) await app.asking(() => app.gateway.photo(number, photo));
  return number;
}

/** A JPEG small enough to send, without what the camera wrote into it (place, time, owner). @param {Blob} file */
async function smaller(file) {
  const picture = await createImageBitmap(file);
  let scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  for (;;) {
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const photo = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.82 });
    if (photo.size <= MAX_BYTES) return photo;
    scale *= 0.75;
  }
}
