// What the phone page reads from a code, and what it refuses.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checked, isCanonical, readCode, readReading, sgtinUri, ssccOfUri } from "../../../scanner/web/lib/codes.js";
import { checkDigitFits } from "../../../scanner/web/lib/component-checks.js";
import { dateOf, expiresAt, isDate } from "../../../scanner/web/lib/dates.js";

const TODAY = new Date("2026-11-28T12:00:00Z");
const PACK = { gtin: "09506000134352", serial: "ABC123", lot: "L1", expiry: "2029-10-31" };
const read = (code) => readCode(code, TODAY);
const refused = (code, reason) => assert.throws(() => read(code), { name: "CodeError", reason }, code);

test("a pack is read from every form of code", () => {
  for (const code of [
    "]d2010950600013435217291031" + "10L1\x1d21ABC123",
    "]d201095060001343522" + "1ABC123\x1d10L1\x1d17291031",
    "]C1010950600013435217291031" + "10L1\x1d21ABC123\x1d",
    "]Q3010950600013435271003752864\x1d17291031" + "10L1\x1d21ABC123",
    "(01)09506000134352(21)ABC123(10)L1(17)291031",
    "https://id.gs1.org/01/09506000134352/10/L1/21/ABC123?17=291031",
    "https://example.com/some/path/01/9506000134352/21/ABC123?17=291031&10=L1&utm=x",
    "https://id.gs1.org/GhFKk4XBoMReqNV4JGjhrg",
    "http://example.com/p/GhFKk4XBoMReqNV4JGjhrg?linkType=all",
    "https://example.com/01/09506000134352/EGIvUXRw1yFGq8Ej",
  ]) {
    assert.deepEqual(read(code), PACK, code);
  }
  assert.deepEqual(read("]d2010950600013435221A/B%2F"), { ...PACK, serial: "A/B%2F", lot: null, expiry: null });
  assert.deepEqual(read("https://id.gs1.org/01/09506000134352/21/A%2FB").serial, "A/B");
});

test("a reading is what its symbology says: a plain QR Code that pretends is none", () => {
  const reading = (symbology, text) => readReading({ symbology, text }, TODAY);
  const data = "010950600013435217291031" + "10L1\x1d21ABC123";
  assert.deepEqual(reading("]d2", data), PACK);
  for (const symbology of ["]Q1", "]d1"]) assert.deepEqual(reading(symbology, "HTTPS://ID.GS1.ORG/01/09506000134352/10/L1/21/ABC123?17=291031"), PACK);
  for (const pretended of [`]d2${data}`, "(01)09506000134352(21)ABC123(10)L1(17)291031", "Hello"]) {
    assert.throws(() => reading("]Q1", pretended), { reason: "code.plain", values: { symbology: "]Q1" } }, pretended);
  }
});

test("what is no pack's code says why", () => {
  refused("]d1010950600013435221ABC", "code.plain");
  refused("010950600013435221ABC", "code.plain");
  refused("]d200095060000000001012", "code.logistic");
  refused("]C10109506000134352" + "21ABC\x1d00095060000000001012", "code.logistic");
  refused("]d2010950600013435217291031", "code.noSerial");
  refused("]d221ABC", "code.noGtin");
  refused("]d2010950600013435321ABC", "code.gtin");
  refused("]d20109506000134352", "code.noSerial");
  refused("]d2010950600013435", "code.unreadable");
  refused("]d2010950600013435221", "code.unreadable");
  refused("]d2010950600013435221\x1d10L1", "code.unreadable");
  refused("]d2010950600013435221ABC\x1d21DEF", "code.twice");
  refused("]d2010950600013435221" + "X".repeat(21), "code.serial");
  refused("]d2010950600013435221A C", "code.serial");
  refused("]d2010950600013435217291332" + "21ABC", "code.expiry");
  refused("]d2010950600013435217290230" + "21ABC", "code.expiry");
  refused("]d2010950600013435221ABC\x1d422000", "code.field");
  refused("]d2010950600013435221ABC\x1d992" + "x".repeat(91), "code.field");
  refused("]d2010950600013435221ABC\x1d3712", "code.companions");
  refused("]d2010950600013435221ABC\x1d235XYZ", "code.companions");
  refused("]d2010950600013435221ABC\x1d0512", "code.unreadable");
  refused("(01)09506000134352(x)ABC", "code.brackets");
  refused("(01)9506000134352(21)ABC", "code.gtin");
  refused("(01)09506000134352(21)ABC(05)1", "code.brackets");
  refused("https://example.com/", "code.notLink");
  refused("https://example.com/PG-2021-91074", "code.notLink");
  refused("https://example.com/01/09506000134352/21/%E0%A4%A", "code.notLink");
  refused("]d2" + "9".repeat(3000), "code.long");
});

test("dates: the century, the end of the month, leap years", () => {
  assert.equal(dateOf("291031", TODAY), "2029-10-31");
  assert.equal(dateOf("290200", TODAY), "2029-02-28");
  assert.equal(dateOf("280200", TODAY), "2028-02-29");
  assert.equal(dateOf("760101", TODAY), "2076-01-01");
  assert.equal(dateOf("770101", TODAY), "1977-01-01");
  assert.throws(() => dateOf("290229", TODAY), { reason: "code.expiry" });
  assert.ok(isDate("2028-02-29") && !isDate("2029-02-29") && !isDate("2029-2-3"));
  assert.equal(expiresAt("2028-06-30"), Date.parse("2028-07-01T00:00:00Z") / 1000);
});

test("one thing has one URI", () => {
  assert.equal(sgtinUri("09506000134352", "A/B %~"), "https://id.gs1.org/01/09506000134352/21/A%2FB%20%25~");
  for (const uri of ["https://id.gs1.org/01/09506000134352/21/A%2FB", "https://id.gs1.org/00/106141412345678908"]) assert.ok(isCanonical(uri), uri);
  for (const uri of [
    "https://id.gs1.org/01/09506000134352/21/A%2fB", "https://id.gs1.org/01/09506000134352/21/%41", "https://id.gs1.org/01/09506000134353/21/A",
    "http://id.gs1.org/01/09506000134352/21/A", "https://id.gs1.org/01/09506000134352/21/A?x", "https://id.gs1.org/01/09506000134352/21/",
    "https://id.gs1.org/00/106141412345678909", "urn:epc:id:sgtin:9506000.013435.A",
  ]) {
    assert.ok(!isCanonical(uri), uri);
  }
});

test("check digits", () => {
  assert.ok(checkDigitFits("09506000134352") && !checkDigitFits("09506000134353"));
  assert.equal(ssccOfUri("https://id.gs1.org/00/106141412345678908"), "106141412345678908");
  assert.equal(ssccOfUri("https://id.gs1.org/00/106141412345678909"), null);
  assert.throws(() => checked({ ...PACK, lot: "x".repeat(21) }), { reason: "code.lot" });
});
