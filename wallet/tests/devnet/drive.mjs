// Drives a devnet with unmodified tronweb. Reads the devnet's facts (JSON) as its argument and writes what
// happened as JSON.
import { TronWeb } from "tronweb";

const facts = JSON.parse(process.argv[2]);
const { address: faucet, private_key: key } = facts.faucet;
const tron = new TronWeb({ fullHost: facts.url, privateKey: key });
const keys = ["07", "08", "09"].map((each) => each.repeat(32));
const [ann, ben, cai] = keys.map((each) => TronWeb.address.fromPrivateKey(each));
const seen = {};

const send = async (transaction, ...signers) => {
  let signed = transaction;
  for (const each of signers.length ? signers : [key]) signed = await tron.trx.multiSign(signed, each, transaction.raw_data.contract[0].Permission_id ?? 0);
  const answer = await tron.trx.sendRawTransaction(signed);
  return { answer, info: await tron.trx.getTransactionInfo(transaction.txID), txID: transaction.txID };
};
const admin = async (path, body) => (await fetch(`${facts.url}/admin/${path}`, { method: "POST", body: JSON.stringify(body) })).json();
const build = tron.transactionBuilder;

seen.connected = await tron.isConnected();
seen.sent = (await tron.trx.sendTransaction(ann, 5_000e6)).result;
seen.balance = await tron.trx.getBalance(ann);
seen.unconfirmed = await tron.trx.getUnconfirmedBalance(ann);
seen.block = (await tron.trx.getCurrentBlock()).block_header.raw_data.number;
seen.range = (await tron.trx.getBlockRange(0, 1)).length;

const usdt = await tron.contract().at(facts.usdt);
seen.symbol = await usdt.symbol().call();
seen.transfer = await usdt.transfer(ann, 1_000).send({ feeLimit: 100e6, shouldPollResponse: true, rawResponse: true });
seen.held = (await usdt.balanceOf(ann).call()).toString();
await usdt.approve(ann, 77).send({ feeLimit: 100e6 });
seen.allowance = (await usdt.allowance(faucet, ann).call()).toString();
tron.setPrivateKey(keys[0]);
seen.transferFrom = await usdt.transferFrom(faucet, ben, 70).send({ feeLimit: 100e6, shouldPollResponse: true });
tron.setPrivateKey(key);
seen.left = (await usdt.allowance(faucet, ann).call()).toString();

const parameters = [{ type: "address", value: ann }, { type: "uint256", value: 1 }];
seen.energy = (await build.estimateEnergy(facts.usdt, "transfer(address,uint256)", {}, parameters, faucet)).energy_required;
seen.constant = (await build.triggerConstantContract(facts.usdt, "transfer(address,uint256)", {}, parameters, faucet)).energy_used;

seen.freeze = (await send(await build.freezeBalanceV2(3_000e6, "ENERGY", faucet))).answer.result;
seen.lend = (await send(await build.delegateResource(1_000e6, ann, "ENERGY", faucet))).answer.result;
seen.loan = (await tron.trx.getDelegatedResourceV2(faucet, ann)).delegatedResource[0].frozen_balance_for_energy;
seen.lendable = (await tron.trx.getCanDelegatedMaxSize(faucet, "ENERGY")).max_size;
seen.takenBack = (await send(await build.undelegateResource(1_000e6, ann, "ENERGY", faucet))).answer.result;
const votes = { [(await tron.trx.listSuperRepresentatives())[0].address]: 1_000 };
seen.vote = (await send(await build.vote(votes, faucet))).answer.result;
seen.unfreeze = (await send(await build.unfreezeBalanceV2(500e6, "ENERGY", faucet))).info.unfreeze_amount;
seen.cancel = (await send(await build.cancelUnfreezeBalanceV2(faucet))).answer.result;
await send(await build.unfreezeBalanceV2(500e6, "ENERGY", faucet));
await admin("advance", { seconds: 31 });
seen.withdrawable = (await tron.trx.getCanWithdrawUnfreezeAmount(faucet, Date.now() + 60_000)).amount;
seen.withdraw = (await send(await build.withdrawExpireUnfreeze(faucet))).info.withdraw_expire_amount;
seen.unfreezeCount = (await tron.trx.getAvailableUnfreezeCount(faucet)).count;
seen.resources = await tron.trx.getAccountResources(faucet);

const memo = await build.addUpdateData(await build.sendTrx(ann, 1, faucet), "for tea", "utf8");
seen.memo = Buffer.from((await tron.trx.getTransaction((await send(memo)).txID)).raw_data.data, "hex").toString();

const shared = (permission_name, type, extra) => ({ type, permission_name, threshold: type ? 2 : 1, keys: type ? [ben, cai].map((address) => ({ address, weight: 1 })) : [{ address: ann, weight: 1 }], ...extra });
const operations = "7fff1fc0033e0000000000000000000000000000000000000000000000000000";
const update = await build.updateAccountPermissions(ann, shared("owner", 0), null, [shared("payouts", 2, { operations })]);
seen.permission = (await send(update, keys[0])).answer.result;
const together = await build.sendTrx(faucet, 5, ann, { permissionId: 2 });
const half = await tron.trx.multiSign(together, keys[1], 2);
seen.weight = (await tron.trx.getSignWeight(half, 2)).current_weight;
seen.approved = (await tron.trx.getApprovedList(half)).approved_list.length;
const both = await tron.trx.multiSign(half, keys[2], 2);
seen.multisig = (await tron.trx.sendRawTransaction(both)).result;

const coin = await build.createSmartContract({ abi: facts.abi, bytecode: facts.bytecode, feeLimit: 1_000e6, parameters: [5, "Coin", "C", 2], name: "Coin" }, faucet);
const deployed = await send(coin);
const at = await tron.contract().at(deployed.info.contract_address);
seen.deployed = [deployed.info.receipt.result, (await at.totalSupply().call()).toString(), (await tron.trx.getContract(deployed.info.contract_address)).name];

seen.events = (await tron.event.getEventsByContractAddress(facts.usdt, { eventName: "Transfer", limit: 2 })).data.map((each) => each.result.value);
seen.eventsOfTransaction = (await tron.event.getEventsByTransactionID((await tron.event.getEventsByContractAddress(facts.usdt, { eventName: "Transfer" })).data[0].transaction_id)).data.length;
seen.eventsOfBlock = (await tron.event.getEventsByBlockNumber(1)).data.length;

const code = async (transaction, signer = key) => {
  try {
    return (await tron.trx.sendRawTransaction(await tron.trx.sign(transaction, signer))).code;
  } catch (error) {
    return error.message ?? String(error);
  }
};
const again = await tron.trx.sign(await build.sendTrx(ann, 2, faucet));
await tron.trx.sendRawTransaction(again);
seen.duplicate = (await tron.trx.sendRawTransaction(again)).code;
seen.tapos = await code(await build.sendTrx(ann, 3, faucet, { blockHeader: { ref_block_bytes: "0000", ref_block_hash: "00".repeat(8), expiration: Date.now() + 100_000, timestamp: Date.now() } }));
const old = await build.sendTrx(ann, 4, faucet);
await admin("advance", { seconds: 120 });
seen.expired = await code(old);
seen.poor = await code(await build.sendTrx(ann, 9e15, faucet));
const foreign = await build.sendTrx(ann, 6, faucet);
foreign.signature = [tron.utils.crypto.signTransaction(keys[2], { txID: foreign.txID }).signature[0]];
seen.foreign = (await tron.trx.sendRawTransaction(foreign)).code;
await admin("faults", { busy: 1 });
seen.busy = await code(await build.sendTrx(ann, 7, faucet));
const low = await usdt.transfer(cai, 1).send({ feeLimit: 1e6 });
seen.outOfEnergy = (await tron.trx.getTransactionInfo(low)).receipt;
tron.setPrivateKey(keys[1]);
await admin("faucet", { address: ben, trx: 50_000_000 });
const reverted = await usdt.pause().send({ feeLimit: 10e6 });
seen.reverted = (await tron.trx.getTransactionInfo(reverted)).receipt.result;
process.stdout.write(JSON.stringify(seen));
