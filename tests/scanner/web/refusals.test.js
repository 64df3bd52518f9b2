// What is said where something was not done: in the person's language, the gateway's own words beside it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { Gateway, Refused, Unreachable } from "../../../scanner/web/app/gateway.js";
import { refusalOf, wordsOf } from "../../../scanner/web/app/refusals.js";
import { say, speak, step } from "../../../scanner/web/app/text.js";

const ENGLISH = "this pack is inside https://id.gs1.org/00/095060000000000015; unpack that first";

beforeEach(async () => {
  globalThis.document = { documentElement: {} };
  globalThis.fetch = async (url) => ({ ok: true, json: async () => JSON.parse(readFileSync(url, "utf8")) });
  await speak("de");
});

/** What the page says of a gateway's answer. */
async function wordsOfAnswer(status, body) {
  globalThis.fetch = async () => new Response(JSON.stringify(body), { status });
  return new Gateway("pt_key").place().then(assert.fail, wordsOf);
}

test("a known refusal has words of the person's own, with the gateway's beside", async () => {
  const said = await wordsOfAnswer(409, { type: "packtrace:packed", title: "Contradicts what is recorded", status: 409, detail: ENGLISH });
  assert.equal(said, `Nach den Aufzeichnungen ist diese Packung in einem geschlossenen Karton: erst diesen auspacken (${ENGLISH})`);
  assert.match(await wordsOfAnswer(400, { type: "epcisException:ValidationException", detail: "no" }), /^Das Gateway kann das Gesendete nicht lesen \(no\)$/);
  assert.equal(await wordsOfAnswer(401, { type: "epcisException:SecurityException", detail: "no" }), "Das Gateway kennt den Schlüssel dieses Telefons nicht mehr");
});

test("whose key has another role is told which it needs", async () => {
  const said = await wordsOfAnswer(403, { type: "epcisException:SecurityException", detail: "…", rule: "roles: dispenser, warehouse" });
  assert.equal(said, "Der Schlüssel dieses Telefons darf das nicht; er braucht eine dieser Rollen: Abgabestelle und Lager");
  assert.match(await wordsOfAnswer(403, { type: "epcisException:SecurityException", detail: "other" }), /^Der Schlüssel dieses Telefons darf das nicht \(other\)$/);
});

test("what is not known is still said, in the gateway's words", async () => {
  assert.equal(await wordsOfAnswer(418, { type: "about:blank", detail: "a teapot" }), "Das Gateway lehnt ab: a teapot");
  assert.equal(await wordsOfAnswer(418, {}), "Das Gateway lehnt ab: 418");
  assert.match(wordsOf(new TypeError("x is not a function")), /x is not a function$/);
});

test("a gateway that cannot answer now says why", async () => {
  assert.equal(await wordsOfAnswer(503, { type: "packtrace:restored" }), "Das Gateway wurde aus einer Sicherung wiederhergestellt und gleicht sich erst mit dem Register ab");
  assert.equal(await wordsOfAnswer(502, "<html>"), "Keine Verbindung");
  assert.equal(wordsOf(new Unreachable("down")), "Keine Verbindung");
  assert.ok(new Refused(400, { detail: "x" }) instanceof Error);
});

test("an operation that did not change the pack says why", () => {
  const operation = (state, refusal, found = null, error = null) => ({ state, error, packs: [{ refusal, found }] });
  assert.equal(refusalOf(operation("done", "none")), null);
  assert.equal(refusalOf(operation("done", "recalled")), "Die Charge ist zurückgerufen");
  assert.equal(refusalOf(operation("done", "wrong_status", "supplied")), "Der Status der Packung im Register lässt es nicht zu: Schon abgegeben");
  assert.equal(refusalOf(operation("done", "wrong_status")), "Der Status der Packung im Register lässt es nicht zu");
  assert.equal(refusalOf(operation("refused", "none", null, "KeyNotValid: the key is revoked")), "Das Register hat es abgewiesen (KeyNotValid: the key is revoked)");
  assert.match(refusalOf(operation("pending", "none")), /noch nicht bestätigt/);
});

test("evidence that does not hold is named in the person's language", () => {
  const key = "broken.link";
  const where = { key: "broken.event", values: { event: "0123456789ab" } };
  const rule = { key: "rule.item proof", values: {} };
  assert.equal(say({ key, values: { where, rule, detail: "there is no item" } }), "Ereignis 0123456789ab: der Nachweis seiner Packungen hält nicht (there is no item)");
  const what = ["lot", "expiry"].map((name) => ({ key: `difference.${name}`, values: {} }));
  assert.equal(say({ key: "batch.differs", values: { what } }), "Die Charge im Register ist anders in: Chargenbezeichnung und Verfalldatum");
  assert.match(say({ key: "batch.disbelieved", values: { act: "release", time: 1, since: 0 } }), /\(Freigabe\)/);
  assert.equal(step("picking"), "Kommissioniert");
});
