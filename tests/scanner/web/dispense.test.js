// Dispensing and undoing as a person sees it: what is not known is never said to be so or not so.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { dispenser } from "../../../scanner/web/app/dispense.js";
import { Gateway } from "../../../scanner/web/app/gateway.js";
import { speak } from "../../../scanner/web/app/text.js";

const SCAN = { gtin: "09506000134352", serial: "A", lot: null, expiry: null };
const DOWN = new TypeError("down");
const PLACE = 7;
const URI = "https://id.gs1.org/01/09506000134352/21/A";
const operation = (state, refusal = "none", found = null) => ({ id: 5, state, error: null, packs: [{ uri: URI, refusal, found, undone: null }] });

beforeEach(async () => {
  const element = () => ({ setAttribute: () => null, append: () => null, addEventListener(name, does) { this[name] = does; } });
  globalThis.document = { documentElement: {}, createElement: element, createElementNS: element };
  globalThis.fetch = async (url) => ({ ok: true, json: async () => JSON.parse(readFileSync(url, "utf8")) });
  await speak("en");
});

/** A phone whose gateway answers in turn (an Error: the connection fails), and whose node shows these verdicts in turn. */
function phone(answers, verdicts = []) {
  const seen = { states: [], kept: {}, told: [], sent: [], changes: 0 };
  globalThis.fetch = async (path, { body }) => {
    seen.sent.push(`${path} ${body ?? ""}`);
    const [status, said] = answers.shift() ?? assert.fail(path);
    if (status instanceof Error) throw status;
    return new Response(JSON.stringify(said), { status });
  };
  const verify = async () => {
    const verdict = verdicts.shift() ?? assert.fail("nobody asks again");
    if (verdict instanceof Error) throw verdict;
    return { verdict };
  };
  const app = { config: { place: PLACE }, asking: (work) => work(), gateway: new Gateway("pt_key"), verifier: { verify } };
  const hands = dispenser(app, SCAN, null, {
    state: (kind, title, line) => seen.states.push([kind, title, line]),
    request: async () => "this-press-s-own-name",
    left: () => answers.length === 0, // the person waits for all that is answered here
    keep: async (known) => Object.assign(seen.kept, known) && seen.told.push(known),
    changed: async () => seen.changes++,
  });
  const last = () => seen.states.at(-1);
  return { ...hands, seen, last, undo: () => hands.undoOf(5)[0].click() };
}

const SUPPLIED = { status: "SUPPLIED", changed: { party: PLACE }, case: "AB-CD" };

test("what the node shows is dispensed, and can be undone", async () => {
  const { start, seen, last } = phone([[202, operation("pending")], [200, operation("done")]], [SUPPLIED]);
  await start();
  assert.deepEqual(last(), ["go", "Dispensed", "Your node confirms it. Case AB\u2011CD"]);
  assert.deepEqual(seen.kept, { operation: 5, request: null, key: "verdict.SUPPLIED", kind: "stop" });
  assert.match(seen.sent[0], /^\/dispense .*"request":"this-press-s-own-name"/);
  assert.equal(seen.changes, 1);
});

/** Time that passes at once. */
function quickly(context) {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  context.mock.method(globalThis, "setTimeout", (work, milliseconds) => {
    now += milliseconds;
    queueMicrotask(work);
  });
}

const LOST = [DOWN];
const NONE = [404, { type: "epcisException:NoSuchResourceException", detail: "none" }];

test("a lost answer is no refusal: whether it was dispensed is not known", async (context) => {
  quickly(context);
  const { start, seen, last } = phone([LOST]);
  await start();
  assert.deepEqual(last().slice(0, 2), ["care", "Not known whether dispensed"]);
  assert.match(last()[2], /^No connection\. What became of it is asked here as soon as the gateway answers again/);
  assert.deepEqual(seen.kept, { key: "dispense.unknown", kind: "care" }, "the name stays, for the next press");
});

test("what became of a press is asked for by its name as soon as the gateway is there, and nothing is sent twice", async (context) => {
  quickly(context);
  const { start, seen, last } = phone([LOST, LOST, LOST, [200, operation("pending")], LOST, LOST, [200, operation("done")]], [SUPPLIED]);
  await start();
  assert.deepEqual(last().slice(0, 2), ["go", "Dispensed"]);
  assert.deepEqual(seen.sent.map((one) => one.split(" ")[0]), [
    "/dispense", ...Array(3).fill("/operations/named/this-press-s-own-name"), ...Array(3).fill("/operations/5")]);
  assert.deepEqual(seen.kept, { operation: 5, request: null, key: "verdict.SUPPLIED", kind: "stop" });
});

test("a press that never came to the gateway is not dispensed; that is said only when it cannot come any more", async (context) => {
  quickly(context);
  const { start, seen, last } = phone([LOST, ...Array(60).fill(NONE)]);
  await start();
  assert.deepEqual(last(), ["stop", "Not dispensed", "It did not reach the gateway. Scan the pack again to dispense it."]);
  assert.ok(performance.now() > 120_000);
  assert.equal(seen.sent.filter((one) => one.startsWith("/dispense ")).length, 1);
  assert.ok(!("request" in seen.kept), "should it come after all, it has its name");
});

test("what somebody took back meanwhile is not said to be dispensed", async (context) => {
  quickly(context);
  const before = operation("done");
  before.packs[0].undone = { kind: "reversed" };
  const { start, seen, last } = phone([LOST, [200, before]]);
  await start();
  assert.deepEqual(last().slice(0, 2), ["care", "Taken back"]);
  assert.deepEqual([seen.kept.operation, seen.kept.request], [null, null]);
});

test("a connection that is lost while the ledger is waited for says nothing of the pack", async (context) => {
  quickly(context);
  for (const lost of [[DOWN], [503, { type: "packtrace:busy" }], [401, { type: "epcisException:SecurityException", detail: "no" }]]) {
    const { start, seen, last } = phone([[202, operation("pending")], lost]);
    await start();
    assert.deepEqual(last().slice(0, 2), ["care", "Not known whether dispensed"]);
    assert.deepEqual(seen.kept, { operation: 5, key: "dispense.unknown", kind: "care" }, "to be undone, should it be done");
  }
});

test("what an earlier press did, and somebody took back, is no dispensing of now", async () => {
  const before = operation("done");
  before.packs[0].undone = { kind: "reversed" };
  const { start, seen, last } = phone([[202, before], [202, operation("pending")], [200, operation("done")]], [SUPPLIED]);
  await start();
  assert.equal(last()[0], "go");
  assert.deepEqual(seen.told, [{ operation: null, request: null }, { operation: 5 }, { operation: 5, request: null }, { key: "verdict.SUPPLIED", kind: "stop" }]);
  assert.equal(seen.sent.filter((one) => one.startsWith("/dispense ")).length, 2);
});

test("what is done is done, though the phone cannot see it", async () => {
  const { start, seen, last } = phone([[202, operation("pending")], [200, operation("done")]], [DOWN]);
  await start();
  assert.deepEqual(last(), ["care", "Dispensed", "The gateway says so; your node does not see it yet."]);
  assert.deepEqual(seen.kept, { operation: 5, request: null, key: "verdict.SUPPLIED", kind: "stop" });
});

test("a refusal is one: by the gateway, or by the ledger", async () => {
  const gateway = phone([[409, { type: "packtrace:packed", detail: "unpack" }]]);
  await gateway.start();
  assert.deepEqual(gateway.last().slice(0, 2), ["stop", "Not dispensed"]);
  const ledger = phone([[202, operation("pending")], [200, operation("done", "recalled")]]);
  await ledger.start();
  assert.deepEqual(ledger.last(), ["stop", "Not dispensed", "The lot is recalled"]);
  assert.deepEqual(ledger.seen.kept, { operation: null, request: null });
});

test("what the ledger has not confirmed for long is pending, neither dispensed nor refused", async (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => (now += 200_000));
  const { start, undo, seen, last } = phone([[202, operation("pending")], [200, operation("pending")], [200, operation("done")], [202, operation("pending")], [200, operation("pending")]]);
  await start();
  assert.deepEqual(last().slice(0, 2), ["care", "Pending"]);
  assert.deepEqual(seen.kept, { operation: 5 });
  await undo();
  assert.deepEqual(last().slice(0, 2), ["care", "Pending"]);
});

test("undoing is told the same way", async () => {
  const said = async (answers, verdicts) => {
    const { undo, last } = phone([[200, operation("done")], ...answers], verdicts);
    await undo();
    return last().slice(0, 2);
  };
  assert.deepEqual(await said([[202, operation("pending")], [200, operation("done")]], [{ status: "ACTIVE" }]), ["go", "Taken back"]);
  assert.deepEqual(await said([[202, operation("pending")], [200, operation("done")]], [DOWN]), ["care", "Taken back"]);
  assert.deepEqual(await said([[DOWN]]), ["care", "Not known whether taken back"]);
  assert.deepEqual(await said([[202, operation("pending")], [DOWN]]), ["care", "Not known whether taken back"]);
  assert.deepEqual(await said([[409, { type: "packtrace:not-reversible", detail: "late" }]]), ["stop", "Not taken back"]);
  assert.deepEqual(await said([[202, operation("pending")], [200, operation("done", "already_reversed")]]), ["stop", "Not taken back"]);
});

test("a number that the gateway has given to another pack's operation is not undone", async () => {
  const other = operation("done");
  other.packs[0].uri = "https://id.gs1.org/01/09506000134352/21/B";
  const { undo, seen, last } = phone([[200, other]]);
  await undo();
  assert.deepEqual(last(), ["stop", "Not taken back", "This pack was not changed by what is to be taken back"]);
  assert.equal(seen.sent.length, 1, "nothing is reversed");
});
