// What a node answers is either what was asked for, or no answer.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Node } from "../../../scanner/web/lib/node.js";

const BLOCK = { number: "0x10", hash: `0x${"ab".repeat(32)}`, timestamp: "0x6553f100" };

function nodeWhoseBlockIs(latest) {
  globalThis.fetch = async (url, { body }) => new Response(JSON.stringify(JSON.parse(body).map(({ id }) => ({ jsonrpc: "2.0", id, result: latest }))));
  return new Node("https://node.example", { chainId: 1, contracts: {} });
}

test("the newest block has a number, a time and a hash", async () => {
  const { block } = await nodeWhoseBlockIs(BLOCK).view();
  assert.deepEqual(block, { number: 16, hash: BLOCK.hash, timestamp: 0x6553f100 });
});

for (const [name, values] of Object.entries({ number: [undefined, "", "latest", "0x"], timestamp: [undefined, null, "", "soon", "0x", "-1", {}], hash: [undefined, "", "0xab", 5] })) {
  test(`a block without a sound ${name} is no answer`, async () => {
    for (const value of values) {
      await assert.rejects(nodeWhoseBlockIs({ ...BLOCK, [name]: value }).view(), (error) => error.words.key === "node.answer", String(value));
    }
  });
}
