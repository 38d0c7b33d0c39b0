// Compile Lucid's contracts with the pinned solc, offline, and write one artefact for each.
//
//   node compile.mjs           write the artefacts (../src/lucid_tron/contracts/artifacts, tests)
//   node compile.mjs --check   compare instead of writing; exits 1 when one differs
//
// The EVM target is London: no PUSH0 and nothing younger, so the code runs on every TVM since 2022.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const shipped = "../src/lucid_tron/contracts/artifacts";
const small = { enabled: true, runs: 1000 };
const wanted = [
  // The real token was compiled by an old solc: without the optimizer ours costs about as much energy as it does.
  { contract: "DevnetUSDT", source: "src/DevnetUSDT.sol", optimizer: { enabled: false }, to: shipped },
  { contract: "PayoutRouter", source: "src/PayoutRouter.sol", optimizer: small, to: shipped },
  { contract: "KycPayoutRouter", source: "src/KycPayoutRouter.sol", optimizer: small, to: shipped },
  { contract: "HostileToken", source: "tests/HostileToken.sol", optimizer: small, to: "tests" },
];

const read = (name) => readFileSync(join(here, name), "utf8");
const imports = (name) => ({ contents: read(name) });
const settingsFor = (optimizer) => ({
  evmVersion: "london",
  optimizer,
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"] } },
});

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function compile({ contract, source, optimizer }) {
  const input = { language: "Solidity", sources: { [source]: { content: read(source) } }, settings: settingsFor(optimizer) };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: imports }));
  const complaints = output.errors ?? [];
  for (const each of complaints) process.stderr.write(each.formattedMessage);
  if (complaints.length) process.exit(1);
  const { abi, evm } = output.contracts[source][contract];
  const { evmVersion, metadata } = input.settings;
  return {
    contract,
    source: `wallet/contracts/${source}`,
    source_sha256: Object.fromEntries(Object.keys(output.sources).map((name) => [name, sha256(read(name))])),
    compiler: solc.version(),
    settings: { evmVersion, optimizer, metadata },
    bytecode_sha256: sha256(Buffer.from(evm.bytecode.object, "hex")),
    runtime_sha256: sha256(Buffer.from(evm.deployedBytecode.object, "hex")),
    // Where the constructor writes immutable values into the runtime code: [start, length] in bytes.
    immutables: Object.values(evm.deployedBytecode.immutableReferences ?? {})
      .flat()
      .map(({ start, length }) => [start, length])
      .sort((a, b) => a[0] - b[0]),
    abi,
    bytecode: evm.bytecode.object,
    runtime: evm.deployedBytecode.object,
  };
}

let differing = 0;
for (const each of wanted) {
  const artefact = compile(each);
  const text = JSON.stringify(artefact, null, 1) + "\n";
  const folder = join(here, each.to);
  const path = join(folder, `${each.contract}.json`);
  if (!process.argv.includes("--check")) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    process.stderr.write(`${each.contract}: the artefact in the repository is not what ${each.source} compiles to\n`);
    differing += 1;
  }
  process.stdout.write(`${each.contract} ${artefact.bytecode_sha256}\n`);
}
process.exit(differing ? 1 : 0);
