/** The gateway as this page asks it. What it says about a pack is checked, never believed. */

const TIMEOUT = 12_000; // milliseconds; the gateway may have to ask the marketing authorisation holder's first

/** No answer: offline, or the gateway is not there, or cannot answer now; then `kind` is its problem's type. */
export class Unreachable extends Error {
  name = "Unreachable";

  constructor(message, kind = null) {
    super(message);
    this.kind = kind;
  }
}

/** The gateway refused: `status` is HTTP's, `kind` the problem's type, `detail` its own words, `rule` what was broken. */
export class Refused extends Error {
  constructor(status, { kind = null, detail, rule = null }) {
    super(detail);
    this.name = "Refused";
    Object.assign(this, { status, kind, detail, rule });
  }
}

/** The last part of a problem's type (RFC 7807), as packtrace:lifecycle. */
function kindOf({ type }) {
  return typeof type === "string" ? type.slice(type.lastIndexOf(":") + 1) : null;
}

export class Gateway {
  #key;

  /** @param {string} key API key */
  constructor(key) {
    this.#key = key;
  }

  place() {
    return this.#ask("GET", "/place");
  }

  /** What there is to judge a pack by. */
  async material(scan) {
    return (await this.#ask("POST", "/verify?material=true", scan)).material ?? {};
  }

  /** @param {string} request this press's own name: sent again with it, nothing is done twice */
  dispense(scan, acknowledge, request) {
    return this.#ask("POST", "/dispense", { packs: [scan], request, ...(acknowledge ? { acknowledge } : {}) });
  }

  operation(id) {
    return this.#ask("GET", `/operations/${id}`);
  }

  /** The operation that was asked for under this name; to ask for it changes nothing. */
  named(request) {
    return this.#ask("GET", `/operations/named/${request}`);
  }

  reverse(id) {
    return this.#ask("POST", `/operations/${id}/reverse`);
  }

  report(scan, text, request) {
    return this.#ask("POST", "/reports", { pack: scan, text, request });
  }

  /** @param {Blob} photo JPEG */
  photo(report, photo) {
    return this.#ask("POST", `/reports/${report}/photos`, photo);
  }

  /** Codes in a picture. @param {Blob} picture JPEG */
  async decode(picture) {
    return (await this.#ask("POST", "/decode", picture)).readings;
  }

  async #ask(method, path, body) {
    const headers = { Authorization: `Bearer ${this.#key}` };
    const blob = body instanceof Blob;
    if (body !== undefined) headers["Content-Type"] = blob ? body.type : "application/json";
    let answer;
    let said;
    try {
      answer = await fetch(path, {
        method, headers, body: blob || body === undefined ? body : JSON.stringify(body),
        cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT),
      });
      said = await answer.text();
    } catch (error) {
      throw new Unreachable(error.message);
    }
    let plain = {};
    try {
      plain = said ? JSON.parse(said) : {};
    } catch {
      if (answer.status < 500) throw new Refused(answer.status, { detail: "no JSON" });
    }
    if (answer.status >= 500) throw new Unreachable(`${answer.status}`, kindOf(plain));
    if (!answer.ok) throw new Refused(answer.status, { kind: kindOf(plain), detail: String(plain.detail ?? plain.title ?? answer.status), rule: plain.rule });
    return plain;
  }
}
