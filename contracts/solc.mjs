#!/usr/bin/env node
// npm's compiler with the command line of the native one, as far as forge and slither use it: `--version`, and
// `--standard-json` from standard input to standard output. (npm's own `solcjs` writes a line of its own before the JSON.)

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (process.argv.includes("--standard-json")) {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  console.error("contracts/solc.mjs knows --version and --standard-json");
  process.exitCode = 2;
}
