import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

// contracts/build.mjs, which writes the packaged artifacts, reads the same settings.
//
// runs: 10,000 would save 0.4 to 2 % (a dispense: 118,694 → 118,194 gas; a pallet of 100 cases: 1,123,301 → 1,103,381), but
// the largest contract, PackLedger, would be above EIP-170's limit. With 3,000 it has 245 bytes left, with 1,000 it has 1,581.
// viaIR would save 2 to 8 % (200 dispenses 1,491,520 → 1,376,412), but every budget is met without, and it makes a build
// four times as slow.
const compiler = JSON.parse(readFileSync(new URL("contracts/compiler.json", import.meta.url), "utf8"));

/** @type {import("hardhat/config").HardhatUserConfig} */
export default {
  solidity: {
    version: compiler.version,
    path: fileURLToPath(import.meta.resolve("solc/soljson.js")),
    settings: compiler.settings,
  },
  paths: {
    sources: "contracts",
    tests: { solidity: "contracts/test" },
  },
  test: {
    solidity: {
      fuzz: { runs: 256, seed: "0x7061636b7472616365" },
      invariant: { runs: 32, depth: 64, failOnRevert: true },
    },
  },
};
