/** Setting the phone up: the gateway's key, the network's contracts, and a node that its user trusts. */

import { Node } from "../lib/node.js";
import { ask } from "./dialog.js";
import { h, icon } from "./dom.js";
import { Gateway } from "./gateway.js";
import { forget, settings } from "./store.js";
import { language, LANGUAGES, t } from "./text.js";
import { fingerprint, readDeployment } from "./verifier.js";

/** @param {import("./app.js").App} app @param {{done: () => void, again: () => void}} go */
export function setupView(app, go) {
  const before = app.config;
  let deployment = before?.deployment ?? null;
  const shown = h("p", { class: "fingerprint" });
  const offered = h("div", { hidden: true });
  const problem = h("p", { class: "problem", role: "alert" });
  const key = h("input", { name: "key", type: "password", autocomplete: "off", required: true, value: before?.key ?? "", "aria-describedby": "key-hint" });
  const node = h("input", { name: "node", type: "url", inputmode: "url", required: true, placeholder: "https://", value: before?.node ?? "", "aria-describedby": "node-hint" });
  const file = h("input", { type: "file", accept: ".json,application/json", "aria-describedby": "network-hint" });
  const save = h("button", { class: "main", type: "submit" }, t("setup.save"));

  const take = async (found) => {
    deployment = found;
    shown.textContent = t("setup.fingerprint", { chain: found.chainId, fingerprint: await fingerprint(found) });
  };
  if (deployment) take(deployment);

  file.addEventListener("change", async () => {
    try {
      await take(readDeployment(await file.files[0].text()));
      problem.textContent = "";
    } catch {
      problem.textContent = t("setup.badFile");
    }
  });
  /** What the gateway names is offered with its fingerprint: taking it is the person's own word. */
  key.addEventListener("change", async () => {
    offered.hidden = true;
    const place = await new Gateway(key.value.trim()).place().catch(() => null);
    if (!place || deployment) return;
    const marks = t("setup.fingerprint", { chain: place.deployment.chainId, fingerprint: await fingerprint(place.deployment) });
    offered.replaceChildren(h("p", {}, t("setup.offered")), h("p", { class: "fingerprint" }, marks),
      h("button", { class: "quiet", type: "button", onclick: () => take(place.deployment).then(() => (offered.hidden = true)) }, t("setup.offer")));
    offered.hidden = false;
  });

  const form = h("form", { novalidate: true },
    h("fieldset", {}, h("legend", {}, t("setup.gateway")),
      h("label", {}, h("span", {}, t("setup.key")), key), h("p", { class: "faint", id: "key-hint" }, t("setup.keyHint"))),
    h("fieldset", {}, h("legend", {}, t("setup.network")),
      h("label", {}, h("span", {}, t("setup.file")), file), h("p", { class: "faint", id: "network-hint" }, t("setup.networkHint")), offered, shown),
    h("fieldset", {}, h("legend", {}, t("setup.node")),
      h("label", {}, h("span", {}, t("setup.nodeUrl")), node), h("p", { class: "faint", id: "node-hint" }, t("setup.nodeHint"))),
    problem, save);

  const refuse = (field, text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", "true");
    field.focus();
    save.disabled = false;
    save.textContent = t("setup.save");
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    for (const field of [key, node]) field.removeAttribute("aria-invalid");
    save.disabled = true;
    save.textContent = t("setup.checking");
    let place;
    try {
      place = await new Gateway(key.value.trim()).place();
    } catch (error) {
      return refuse(key, error.name === "Unreachable" ? t("setup.noGateway") : t("setup.badKey"));
    }
    if (!deployment) return refuse(file, t("setup.noNetwork"));
    if ((await fingerprint(place.deployment)) !== (await fingerprint(deployment))) return refuse(file, t("setup.differs"));
    try {
      await new Node(node.value.trim(), deployment).check();
    } catch (error) {
      return refuse(node, t("setup.badNode", { what: error.words ?? error.message }));
    }
    await app.configure({
      key: key.value.trim(), node: node.value.trim(), deployment,
      place: place.party, name: place.name, roles: place.key.roles, decoder: place.decoder,
    });
    app.connected(true);
    app.announce(`${t("setup.saved")}. ${t("setup.place", { name: place.name, party: place.party })}`);
    go.done();
    return null;
  });

  const languages = h("select", { "aria-label": t("setup.language"), onchange: async ({ target }) => {
    await settings.put("language", target.value);
    go.again();
  } }, Object.entries(LANGUAGES).map(([tag, name]) => h("option", { value: tag, selected: tag === language(), lang: tag }, name)));
  const element = h("section", { class: "page setup" },
    h("header", { class: "top" },
      before ? h("button", { class: "round small", type: "button", "aria-label": t("app.back"), onclick: go.done }, icon("back")) : "",
      h("h1", { tabindex: "-1", "data-focus": true }, t("setup.title")), languages),
    h("p", {}, before ? t("setup.place", { name: before.name, party: before.place }) : t("setup.intro")),
    form,
    before ? h("button", { class: "quiet danger", type: "button", onclick: async () => {
      const sure = await ask(element, t("setup.forgetReally"), t("setup.forgetHint", { count: app.queued }), t("setup.forgetYes"));
      if (!sure) return;
      await forget();
      location.reload();
    } }, t("setup.forget")) : "");
  return { name: "setup", title: t("setup.title"), element };
}
