// Reads a JSON list of questions on standard input and writes the list of tronweb's answers.
import { readFileSync } from 'node:fs';
import { TronWeb, Trx, utils } from 'tronweb';

const answers = {
  transaction({ transaction, key }) {
    const pb = utils.transaction.txJsonToPb(transaction);
    const txID = utils.transaction.txPbToTxID(pb).replace(/^0x/, '');
    const signed = utils.crypto.signTransaction(key, { txID });
    return { raw: utils.transaction.txPbToRawDataHex(pb).toLowerCase(), txid: txID, signature: signed.signature[0] };
  },
  message({ message, key }) {
    const signature = Trx.signMessageV2(message, key);
    return { signature, signer: utils.message.verifyMessage(message, signature) };
  },
  bytes({ message, key }) {
    return { signature: Trx.signMessageV2([...Buffer.from(message, 'hex')], key) };
  },
  typed({ domain, types, message, key }) {
    return {
      digest: utils.typedData.TypedDataEncoder.hash(domain, types, message),
      signature: Trx._signTypedData(domain, types, message, key),
    };
  },
  mnemonic({ phrase, account, index }) {
    const found = TronWeb.fromMnemonic(phrase, `m/44'/195'/${account}'/0/${index}`);
    return { address: found.address };
  },
};

const questions = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(
  JSON.stringify(
    questions.map((question) => {
      try {
        return answers[question.ask](question);
      } catch (error) {
        return { error: String(error) };
      }
    }),
  ),
);
