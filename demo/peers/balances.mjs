// USDT balances as unmodified tronweb reads them. Arguments: node, token, addresses…; writes {address: "units"}.
import { TronWeb } from "tronweb";

const [fullHost, token, ...addresses] = process.argv.slice(2);
const tron = new TronWeb({ fullHost, privateKey: "01".repeat(32) });
const usdt = await tron.contract().at(token);
const held = {};
for (const address of addresses) held[address] = (await usdt.balanceOf(address).call()).toString();
console.log(JSON.stringify(held));
