// Scans and Digital Links as the phone page reads them: the vectors that Python wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { TABLE } from "../../../scanner/web/lib/ai-table.js";
import { identify, readCode } from "../../../scanner/web/lib/codes.js";
import { CHECKS } from "../../../scanner/web/lib/component-checks.js";
import { dateOf } from "../../../scanner/web/lib/dates.js";
import { readLink } from "../../../scanner/web/lib/digital-link.js";
import { decompress, mayBeCompressed } from "../../../scanner/web/lib/link-compression.js";

const { texts, links, scans, labels } = JSON.parse(readFileSync(new URL("../../vectors/codes.json", import.meta.url), "utf8"));
const TODAY = new Date();

function agrees(read, text, pairs) {
  if (pairs === null) assert.throws(() => read(text, TODAY), { name: "CodeError" }, text);
  else assert.deepEqual(read(text, TODAY), pairs, text);
}

test("compressed texts are read and refused as in Python", () => {
  assert.ok(texts.length > 500);
  for (const [text, pairs] of texts) {
    agrees(decompress, text, pairs);
    if (pairs) assert.ok(mayBeCompressed(text), text);
  }
});

test("links are read and refused as in Python", () => {
  assert.ok(links.length > 600);
  for (const [uri, pairs] of links) agrees(readLink, uri, pairs);
});

test("a compressed link is the same pack as the one in the clear", () => {
  let packs = 0;
  for (const [uri, pairs] of links.filter(([, pairs]) => pairs?.some(([ai]) => ai === "21") && pairs.some(([ai]) => ai === "01"))) {
    const plain = `(01)${pairs.find(([ai]) => ai === "01")[1]}` + pairs.filter(([ai]) => ai !== "01").map(([ai, value]) => `(${ai})${value.replaceAll("(", "\\(")}`).join("");
    if (pairs.some(([ai]) => ai === "00")) continue;
    assert.deepEqual(readCode(uri, TODAY), readCode(plain, TODAY), uri);
    packs++;
  }
  assert.ok(packs > 200);
});

test("scans are read and refused as in Python", () => {
  let packs = 0;
  for (const [scan, pairs] of scans) {
    const values = new Map(pairs ?? []);
    const [gtin, serial, lot, expiry] = ["01", "21", "10", "17"].map((ai) => values.get(ai) ?? null);
    if (gtin === null || serial === null || values.has("00")) {
      assert.throws(() => readCode(scan, TODAY), { name: "CodeError" }, scan);
    } else {
      assert.deepEqual(readCode(scan, TODAY), { gtin, serial, lot, expiry: expiry && dateOf(expiry, TODAY) }, scan);
      packs++;
    }
  }
  assert.ok(packs > 150);
});

test("a label identifies a pack, a logistic unit or neither, as in Python", () => {
  let units = 0;
  for (const [code, identity] of labels) {
    agrees(identify, code, identity);
    if (identity?.sscc) {
      assert.throws(() => readCode(code, TODAY), { reason: "code.logistic", values: identity }, code);
      units++;
    } else agrees(readCode, code, identity);
  }
  assert.ok(units > 40 && labels.length - units > 40);
});

test("five checks are not made on a phone: in compressed data their AIs are refused", () => {
  const named = new Set(TABLE.split("\n").flatMap((line) => line.split(" ").filter((word) => /^\[?[NXYZ][0-9.]/.test(word)).flatMap((word) => word.replace("]", "").split(",").slice(1))));
  assert.deepEqual([...named].filter((name) => !(name in CHECKS)).sort(), ["couponcode", "couponposoffer", "iban", "iso3166alpha2", "packagetype"]);
  assert.deepEqual(Object.keys(CHECKS).filter((name) => !named.has(name)), []);
  // (00) with (4307), a country by letters: right, and refused here
  assert.throws(() => decompress("ABeRcNWtKMPEMHW8", TODAY), { reason: "code.notLink" });
  assert.equal(readCode("]d2" + "0109506000134352" + "21A\x1d8112" + "anything", TODAY).serial, "A");
});

test("long and strange texts end at once", () => {
  const started = process.cpuUsage().user;
  for (const text of ["D" + "B".repeat(2000), "8".repeat(2000), "\u{1f48a}".repeat(900), "DB" + "_".repeat(1900)]) assert.throws(() => readLink(`https://example.com/${text}`, TODAY), { name: "CodeError" });
  assert.ok(process.cpuUsage().user - started < 1_000_000);
});
