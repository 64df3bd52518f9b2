/** The page as a whole: its settings, its connection, which view is shown, and what is said to screen readers. */

import { Gateway, Refused, Unreachable } from "./gateway.js";
import { queue, settings } from "./store.js";
import { LANGUAGES, preferredLanguage, speak, t } from "./text.js";
import { Verifier } from "./verifier.js";

const LOOK_EVERY = 20_000; // milliseconds between two looks whether the gateway is there, while it is not

export class App extends EventTarget {
  online = true;
  queued = 0;
  #view = null;

  constructor() {
    super();
    this.main = document.getElementById("view");
    window.addEventListener("online", () => this.look());
    window.addEventListener("offline", () => this.connected(false));
  }

  /** Language, settings, connection; whether the phone is set up. */
  async load() {
    const language = await settings.get("language");
    await speak(language in LANGUAGES ? language : preferredLanguage());
    this.config = (await settings.get("config")) ?? null;
    this.#compose();
    await this.counted();
    return this.config !== null;
  }

  async configure(config) {
    await settings.put("config", config);
    this.config = config;
    this.#compose();
  }

  #compose() {
    if (!this.config) return;
    this.gateway = new Gateway(this.config.key);
    this.verifier = new Verifier(this.gateway, this.config);
  }

  /** Show a view: `{name, title, element, shown?, left?}`. Its heading gets the focus, so that screen readers begin there. */
  show(view) {
    this.#view?.left?.();
    this.#view = view;
    this.#hush();
    document.title = `${view.title} – packtrace`;
    document.body.dataset.view = view.name;
    this.main.replaceChildren(view.element);
    window.scrollTo(0, 0);
    (view.element.querySelector("[data-focus]") ?? this.main).focus({ preventScroll: true });
    view.shown?.();
  }

  get viewName() {
    return this.#view?.name ?? null;
  }

  /** Say something to screen readers; at once where it is grave. */
  announce(text, { grave = false } = {}) {
    this.#hush();
    requestAnimationFrame(() => (document.getElementById(grave ? "alert" : "status").textContent = text));
  }

  /** What was said of one pack does not stay to be found beside another. */
  #hush() {
    for (const region of ["status", "alert"]) document.getElementById(region).textContent = "";
  }

  /** Run a question to the gateway, and know by it whether there is a connection. */
  async asking(work) {
    try {
      const answer = await work();
      this.connected(true);
      return answer;
    } catch (error) {
      if (error instanceof Unreachable) this.connected(false);
      else if (error instanceof Refused) this.connected(true);
      throw error;
    }
  }

  connected(online) {
    if (online === this.online) return;
    this.online = online;
    clearInterval(this.looking);
    if (!online) this.looking = setInterval(() => this.look(), LOOK_EVERY);
    this.dispatchEvent(new Event("connection"));
    this.announce(t(online ? "net.online" : "net.offline"));
  }

  /** Whether the gateway is there (again). */
  async look() {
    if (!this.gateway) return;
    const place = await this.asking(() => this.gateway.place()).catch(() => null);
    // what the gateway may say of itself; where the phone is, and which contracts count, its user has said
    if (place) Object.assign(this.config, { roles: place.key.roles, decoder: place.decoder });
  }

  async counted() {
    this.queued = (await queue.all()).length;
    this.dispatchEvent(new Event("connection"));
  }
}
