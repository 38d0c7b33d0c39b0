// Compile src/*.sol with the pinned solc, offline, and write one artefact for each contract that is deployed.
//
//   node compile.mjs           write ../src/lucid_tron/contracts/artifacts/*.json
//   node compile.mjs --check   compare instead of writing; exits 1 when one differs
//
// The EVM target is London: no PUSH0 and nothing younger, so the code runs on every TVM since 2022.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../src/lucid_tron/contracts/artifacts");
// The real token was compiled by an old solc: without the optimizer ours costs about as much energy as it does.
const deployed = { DevnetUSDT: { enabled: false } };

const names = readdirSync(join(here, "src")).filter((name) => name.endsWith(".sol")).sort();
const sources = Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(here, "src", name), "utf8") }]));
const settingsFor = (optimizer) => ({
  evmVersion: "london",
  optimizer,
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
});

function compile(optimizer) {
  const input = { language: "Solidity", sources, settings: settingsFor(optimizer) };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const complaints = output.errors ?? [];
  for (const each of complaints) process.stderr.write(each.formattedMessage);
  if (complaints.length) process.exit(1);
  return output.contracts;
}

const compiled = new Map();
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
let differing = 0;
mkdirSync(target, { recursive: true });
for (const [contract, optimizer] of Object.entries(deployed)) {
  const key = JSON.stringify(optimizer);
  if (!compiled.has(key)) compiled.set(key, compile(optimizer));
  const contracts = compiled.get(key);
  const file = names.find((name) => contract in (contracts[name] ?? {}));
  const { abi, evm } = contracts[file][contract];
  const { evmVersion, metadata } = settingsFor(optimizer);
  const artefact = {
    contract,
    source: `wallet/contracts/src/${file}`,
    compiler: solc.version(),
    settings: { evmVersion, optimizer, metadata },
    sources: Object.fromEntries(names.map((name) => [name, sha256(sources[name].content)])),
    bytecode_sha256: sha256(Buffer.from(evm.bytecode.object, "hex")),
    runtime_sha256: sha256(Buffer.from(evm.deployedBytecode.object, "hex")),
    abi,
    bytecode: evm.bytecode.object,
    runtime: evm.deployedBytecode.object,
  };
  const text = JSON.stringify(artefact, null, 1) + "\n";
  const path = join(target, `${contract}.json`);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    process.stderr.write(`${contract}: the artefact in the repository is not what ${file} compiles to\n`);
    differing += 1;
  }
  process.stdout.write(`${contract} ${artefact.bytecode_sha256}\n`);
}
process.exit(differing ? 1 : 0);
