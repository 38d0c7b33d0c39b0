"""C2SP tlog-proof: written and read as the page says."""

import pytest

from lucid_proof.checkpoint import Checkpoint
from lucid_proof.domains import digest, leaf_hash
from lucid_proof.errors import BadProof, MalformedNote
from lucid_proof.merkle import MemoryTree
from lucid_proof.tlogproof import TlogProof

NOTE = b"example.com/log\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 example.com/log AAAAAAAA\n"


def test_the_published_forms_are_written_and_read_alike(vectors):
    for case in vectors("tlog-proof.json")["proofs"]:
        path = [bytes.fromhex(each) for each in case["path"]]
        proof = TlogProof(case["index"], tuple(path), case["checkpoint"].encode(), case["extra"].encode())
        assert proof.encode() == case["text"].encode()
        assert TlogProof.parse(case["text"].encode()) == proof


def test_the_published_errors_are_refused(vectors):
    for text in vectors("tlog-proof.json")["refused"]:
        with pytest.raises(MalformedNote):
            TlogProof.parse(text.encode())


HEAD = b"c2sp.org/tlog-proof@v1\nindex 0\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\n",
        HEAD.replace(b"index 0", b"index 00") + b"\n" + NOTE,
        HEAD.replace(b"index 0", b"index") + b"\n" + NOTE,
        HEAD.replace(b"index 0\n", b"extra \nindex 0\n") + b"\n" + NOTE,
        HEAD.replace(b"index 0", b"index 9223372036854775808") + b"\n" + NOTE,
        HEAD + b"A" * 43 + b"=\r\n\n" + NOTE,
        HEAD + (b"A" * 43 + b"=\n") * 64 + b"\n" + NOTE,
        HEAD + b"\xff\n\n" + NOTE,
        b"x" * 400_000,
    ],
)
def test_what_is_no_tlog_proof_is_refused(data):
    with pytest.raises(MalformedNote):
        TlogProof.parse(data)


def test_a_proof_leads_from_its_leaf_to_its_checkpoint_only():
    tree = MemoryTree(leaf_hash(b"%d" % number) for number in range(9))
    head = Checkpoint("x", 9, tree.root())
    proof = TlogProof(4, tuple(tree.inclusion(4)), NOTE)
    proof.verify(leaf_hash(b"4"), head)
    for leaf, other in [(leaf_hash(b"5"), head), (leaf_hash(b"4"), Checkpoint("x", 9, digest(b"")))]:
        with pytest.raises(BadProof):
            proof.verify(leaf, other)
