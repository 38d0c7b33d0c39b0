"""Our own formats, frozen: these bytes never change, or every recording made before is lost.

`python proof/tests/test_vectors.py` writes them for a new version of a format; never for the sake of a test.
"""

import json
from pathlib import Path

from lucid_proof import Verdict, domains, verify
from lucid_proof.canonical import decode
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.receipt import Receipt
from lucid_proof.records import ChunkRecord, Header, Seen, Transaction
from lucid_proof.testing import SESSION, a_session
from lucid_proof.tlogproof import TlogProof
from lucid_proof.trust import TrustPolicy

VECTORS = Path(__file__).parents[2] / "docs" / "specs" / "vectors"
SOURCE = "Lucid; made by proof/tests/test_vectors.py from the keys and times of lucid_proof.testing"


def a_frozen_session():
    return a_session().with_chunks(2, size=600).paused().closed()


def lucid() -> dict:
    """One example of each hash, record and signed document."""
    session = a_frozen_session()
    header, key = session.log.headers[1], bytes(range(32))
    chunk, ciphertext = session.chunks[1]
    state, seen = {"height": 1, "open": {}}, Seen(7, b"\x07" * 32)
    begin, index = session.records[0]
    return {
        "source": SOURCE,
        "hashes": {
            "leaf_hash": {"data": "4c75636964", "hash": domains.leaf_hash(b"Lucid").hex()},
            "node_hash": {
                "left": "00" * 32,
                "right": "11" * 32,
                "hash": domains.node_hash(bytes(32), b"\x11" * 32).hex(),
            },
            "empty_root": {"hash": domains.EMPTY_ROOT.hex()},
            "key_commitment": {"key": key.hex(), "hash": domains.key_commitment(key).hex()},
            "state_root": {"state": state, "hash": domains.state_root(state).hex()},
            "genesis_hash": {"genesis": state, "hash": domains.genesis_hash(state).hex()},
        },
        "chunk_encryption": {
            "session": SESSION,
            "index": 258,
            "seen": seen.to_json(),
            "nonce": domains.chunk_nonce(258).hex(),
            "authenticated_data": domains.chunk_aad(SESSION, 258, seen).decode(),
        },
        "chunk_record": {
            "ciphertext": ciphertext.hex(),
            "record": chunk.bytes().decode(),
            "leaf_hash": chunk.leaf_hash().hex(),
        },
        "transactions": [
            {"leaf": record.bytes().decode(), "id": record.id(), "log_index": place}
            for record, place in session.records
        ],
        "signed_message": domains.transaction_message(
            {name: value for name, value in begin.to_json().items() if name != "sig"}
        ).decode(),
        "header": {"leaf": header.bytes().decode(), "hash": header.hash().hex()},
        "trust": session.policy.to_json(),
        "checkpoint": session.log.checkpoint().decode(),
        "tlog_proof": TlogProof(index, session.log.path(index), session.log.checkpoint()).encode().decode(),
        "receipt": Receipt(begin, session.log.log_key.verifier).bytes().decode(),
    }


def test_every_example_comes_out_as_it_was_frozen(vectors):
    assert lucid() == vectors("lucid.json")


def test_every_frozen_example_is_read_and_verified(vectors):
    frozen = vectors("lucid.json")
    policy = TrustPolicy.parse(json.dumps(frozen["trust"]))
    head = open_checkpoint(frozen["checkpoint"].encode(), policy).checkpoint
    for each in frozen["transactions"]:
        record = Transaction.parse(each["leaf"].encode())
        record.verify()
        assert record.id() == each["id"]
    proof = TlogProof.parse(frozen["tlog_proof"].encode())
    proof.verify(domains.leaf_hash(frozen["transactions"][0]["leaf"].encode()), head)
    assert Header.parse(frozen["header"]["leaf"].encode()).hash().hex() == frozen["header"]["hash"]
    chunk = ChunkRecord.parse(frozen["chunk_record"]["record"].encode())
    content = bytes.fromhex(frozen["chunk_record"]["ciphertext"])
    assert chunk == ChunkRecord.of(chunk.session, 1, content, chunk.from_ms, chunk.to_ms, chunk.seen)
    assert Receipt.parse(frozen["receipt"].encode()).record.session == SESSION
    assert decode(frozen["signed_message"].split("\n", 1)[1].encode())


def test_the_frozen_bundle_is_complete_and_comes_out_again(vectors, tmp_path):
    frozen = VECTORS / "complete.lucid"
    policy = TrustPolicy.parse(json.dumps(vectors("lucid.json")["trust"]))
    report = verify(frozen, policy)
    assert (report.verdict, report.findings, report.chunks) == (Verdict.COMPLETE, (), 2)
    assert a_frozen_session().write(tmp_path / "again.lucid").read_bytes() == frozen.read_bytes()


if __name__ == "__main__":
    (VECTORS / "lucid.json").write_text(json.dumps(lucid(), indent=1) + "\n")
    a_frozen_session().write(VECTORS / "complete.lucid")
