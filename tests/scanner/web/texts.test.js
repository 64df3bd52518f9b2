// The catalogues of the page's words: one for each language, all with the same keys and gaps, and none without use.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const web = new URL("../../../scanner/web/", import.meta.url);
const languages = readdirSync(new URL("text/", web)).map((name) => name.replace(".json", ""));
const catalogues = Object.fromEntries(languages.map((name) => [name, JSON.parse(readFileSync(new URL(`text/${name}.json`, web), "utf8"))]));
const sources = ["app", "lib"].flatMap((folder) => readdirSync(new URL(`${folder}/`, web)).map((name) => readFileSync(new URL(`${folder}/${name}`, web), "utf8")));
const SAME = ["scan.zoom", "check.status"]; // words that are German too
const code = sources.join("\n");

test("the page speaks the languages that it offers", () => {
  const offered = code.match(/LANGUAGES = Object\.freeze\(\{([^}]*)\}/)[1].match(/\b(\w\w):/g).map((tag) => tag.slice(0, 2));
  assert.deepEqual(offered.sort(), languages.sort());
});

for (const language of languages) {
  test(`catalogue: ${language}`, () => {
    const own = catalogues[language];
    assert.deepEqual(Object.keys(own), Object.keys(catalogues.en), "the same keys, in the same order");
    const gaps = (text) => text.match(/\{\w+(:\w+)?\}/g)?.sort() ?? [];
    for (const [key, text] of Object.entries(own)) {
      assert.ok(text.trim() === text && text.length > 0, key);
      assert.deepEqual(gaps(text), gaps(catalogues.en[key]), key);
      const words = text.replace(/\{[^}]*\}/g, "").replace(/[^\p{L}]/gu, "");
      if (language !== "en" && words && !SAME.includes(key)) assert.notEqual(text, catalogues.en[key], `${key} is not translated`);
    }
  });
}

test("every message that is asked for is there", () => {
  const asked = [...code.matchAll(/\b(?:t|say)\(\s*"([a-z]+\.[A-Za-z ]+)"/g)].map(([, key]) => key);
  assert.ok(asked.length > 120);
  for (const key of asked) assert.ok(key in catalogues.en, key);
  for (const [, key] of code.matchAll(/CodeError\("([\w.]+)"/g)) assert.ok(key in catalogues.en, key);
  const headlines = [...code.match(/GRAVITY = Object\.freeze\(\[([^\]]*)\]/)[1].matchAll(/"([^"]+)"/g)].map(([, word]) => word);
  for (const headline of headlines.filter((word) => word !== "already supplied")) assert.ok(`verdict.${headline}` in catalogues.en, headline);
  for (const [, status] of code.match(/STATUSES = Object\.freeze\(\[([^\]]*)\]/)[1].matchAll(/"(\w+)"/g)) assert.ok(`verdict.${status}` in catalogues.en, status);
  for (const [, name] of code.matchAll(/\bcheck\("([a-z ]+)"/g)) assert.ok(`check.${name}` in catalogues.en, name);
});

test("whatever does not hold has a name in every language", () => {
  const rules = new Set(["RFC 9162 multiproof"]);
  for (const found of code.matchAll(/(?:EvidenceError|refuse)\((?:"[^"]*"|`[^`]*`), "([^"]+)"\)|wellFormed\("([^"]+)"/g)) rules.add(found[1] ?? found[2]);
  assert.ok(rules.size > 10);
  for (const rule of rules) assert.ok(`rule.${rule}` in catalogues.en, rule);
  const named = Object.keys(catalogues.en).filter((key) => key.startsWith("rule.")).map((key) => key.slice("rule.".length));
  assert.deepEqual(named.filter((rule) => !rules.has(rule)), []);
  const [, same] = code.match(/const same = \{([^}]*)\}/s);
  const differences = [...same.matchAll(/^ {4}"?([a-z ]+)"?:/gm)].map(([, name]) => name);
  assert.equal(differences.length, 7);
  for (const name of differences) assert.ok(`difference.${name}` in catalogues.en, name);
  const troubles = [...code.matchAll(/new NodeError\("([\w.]+)"/g)].map(([, key]) => key);
  assert.ok(troubles.length >= 7);
  for (const key of troubles) assert.ok(key in catalogues.en, key);
});

test("no message is there without use", () => {
  const begun = [...code.matchAll(/`([a-z]+\.)\$\{/g)].map(([, start]) => start); // `do.${kind}`
  const unused = Object.keys(catalogues.en).filter((key) => !code.includes(`"${key}"`) && !begun.some((start) => key.startsWith(start)) && key !== "language");
  assert.deepEqual(unused, []);
});
