// Compiles the contracts and writes trace/packtrace/chain/artifacts/ (or the folder given as the first argument).
// The same sources give the same files, byte for byte, on every machine: the compiler and its settings are fixed, and
// nothing about the machine or the time is written.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const OUTPUT = resolve(process.argv[2] ?? join(ROOT, "trace/packtrace/chain/artifacts"));
const CONTRACTS = {
  PartyRegistry: "contracts/PartyRegistry.sol",
  PackLedger: "contracts/PackLedger.sol",
  CustodyLedger: "contracts/CustodyLedger.sol",
  RecallBoard: "contracts/RecallBoard.sol",
  EventLog: "contracts/EventLog.sol",
  AccessManager: "@openzeppelin/contracts/access/manager/AccessManager.sol",
};

const require = createRequire(import.meta.url);
const solc = require("solc");
const compiler = JSON.parse(readFileSync(join(ROOT, "contracts/compiler.json"), "utf8"));
if (!solc.version().startsWith(`${compiler.version}+`)) {
  throw new Error(`solc ${solc.version()} is installed, ${compiler.version} is wanted: run npm ci`);
}

const sources = {};
for (const unit of Object.values(CONTRACTS)) collect(unit);
const input = {
  language: "Solidity",
  sources: sorted(sources),
  settings: {
    ...compiler.settings,
    outputSelection: {
      "*": { "*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"] },
    },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if (output.errors?.length) process.exit(1); // a warning too: none is left unread

mkdirSync(OUTPUT, { recursive: true });
for (const name of readdirSync(OUTPUT)) if (name.endsWith(".json")) rmSync(join(OUTPUT, name));
write("standard-input.json", input);
for (const [contractName, unit] of Object.entries(CONTRACTS)) {
  const { abi, evm, metadata } = output.contracts[unit][contractName];
  const used = Object.keys(JSON.parse(metadata).sources).sort();
  write(`${contractName}.json`, {
    contractName,
    sourceName: unit,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    immutableReferences: evm.deployedBytecode.immutableReferences,
    sources: used.map((path) => ({ path, sha256: createHash("sha256").update(sources[path].content).digest("hex") })),
    compiler: solc.version(),
    settings: compiler.settings,
  });
}

/** Read a source unit and, first to last, everything that it imports. */
function collect(unit) {
  if (sources[unit]) return;
  const path = unit.startsWith("@") ? join(ROOT, "node_modules", unit) : join(ROOT, unit);
  const content = readFileSync(path, "utf8");
  sources[unit] = { content };
  for (const [, imported] of content.matchAll(/^import[^"]*"([^"]+)";/gm)) {
    collect(imported.startsWith(".") ? join(dirname(unit), imported) : imported);
  }
}

function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function write(name, value) {
  writeFileSync(join(OUTPUT, name), `${JSON.stringify(value, null, 2)}\n`);
}
