"""RFC 6962 trees: published vectors, and the laws that tie roots, ranges and proofs together."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid_proof import merkle
from lucid_proof.domains import EMPTY_ROOT, digest, leaf_hash, leaf_hashes, node_hash
from lucid_proof.errors import BadProof


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"leaf %d" % number) for number in range(count)]


def textbook_root(hashes: list[bytes]) -> bytes:
    """MTH exactly as RFC 6962 § 2.1 defines it."""
    if not hashes:
        return digest(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(textbook_root(hashes[:split]), textbook_root(hashes[split:]))


def b64(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def test_published_roots(vectors):
    published = vectors("merkle.json")
    hashes = [leaf_hash(bytes.fromhex(each)) for each in published["leaves"]]
    for size, expected in enumerate(published["roots"]):
        assert merkle.root(hashes[:size]).hex() == expected
        assert merkle.MemoryTree(hashes).root(size).hex() == expected


def test_published_inclusion_proofs_and_their_corruptions(vectors):
    for case in vectors("merkle.json")["inclusion"]:
        root, leaf = b64([case["root"] or "", case["leafHash"] or ""])
        arguments = (leaf, case["leafIdx"], case["treeSize"], b64(case["proof"]), root)
        if case["wantErr"]:
            with pytest.raises(BadProof):
                merkle.verify_inclusion(*arguments)
        else:
            merkle.verify_inclusion(*arguments)


def test_published_consistency_proofs_and_their_corruptions(vectors):
    for case in vectors("merkle.json")["consistency"]:
        roots = b64([case["root1"] or "", case["root2"] or ""])
        arguments = (case["size1"], case["size2"], b64(case["proof"]), *roots)
        # Stricter than the source: some of its valid cases have roots that are no hashes ("don't care").
        if case["wantErr"] or any(len(root) != 32 for root in roots):
            with pytest.raises(BadProof):
                merkle.verify_consistency(*arguments)
        else:
            merkle.verify_consistency(*arguments)


@given(st.integers(0, 70))
def test_every_root_is_that_of_the_textbook(size):
    assert merkle.root(leaves(size)) == textbook_root(leaves(size))


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_compact_range_goes_on_from_where_it_was_stored(first, second):
    whole = leaves(first + second)
    left = merkle.CompactRange()
    left.extend(whole[:first])
    stored = merkle.CompactRange.from_hashes(left.size, left.hashes)
    stored.extend(whole[first:])
    assert (stored.size, stored.root()) == (first + second, merkle.root(whole))


def test_many_leaves_are_hashed_as_one():
    assert leaf_hashes([b"", b"x", b"y" * 5000]) == [leaf_hash(b""), leaf_hash(b"x"), leaf_hash(b"y" * 5000)]


@pytest.mark.parametrize("start", [0, 1, 4095, 4096, 4097])
@pytest.mark.parametrize("count", [0, 1, 4096, 9000])
def test_extending_in_batches_is_appending_one_by_one(start, count):
    whole = leaves(start + count)
    batched, single = merkle.CompactRange(), merkle.CompactRange()
    batched.extend(whole[:start])
    batched.extend(iter(whole[start:]))
    for each in whole:
        single.append(each)
    assert (batched.size, batched.hashes) == (single.size, single.hashes)


@pytest.mark.parametrize(("size", "hashes"), [(1, []), (2, [b"x" * 32] * 2), (1, [b"short"]), (-1, [])])
def test_a_compact_range_that_does_not_fit_its_size_is_refused(size, hashes):
    with pytest.raises(ValueError, match="compact range"):
        merkle.CompactRange.from_hashes(size, hashes)


@given(st.integers(1, 130), st.data())
def test_each_leaf_proves_its_place_and_no_other(size, data):
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = merkle.inclusion_path(hashes, index), merkle.root(hashes)
    merkle.verify_inclusion(hashes[index], index, size, path, root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda each: each != index))
    with pytest.raises(BadProof):
        merkle.verify_inclusion(hashes[index], other, size, path, root)


@given(st.integers(0, 130), st.integers(0, 130))
def test_a_tree_is_consistent_with_each_of_its_beginnings(old, more):
    hashes = leaves(old + more)
    path = merkle.consistency_path(hashes, old)
    roots = merkle.root(hashes[:old]), merkle.root(hashes)
    merkle.verify_consistency(old, old + more, path, *roots)
    if old and more:
        forked = merkle.root([*hashes[: old - 1], leaf_hash(b"another"), *hashes[old:]])
        with pytest.raises(BadProof):
            merkle.verify_consistency(old, old + more, path, roots[0], forked)
        with pytest.raises(BadProof):
            merkle.verify_consistency(old, old + more, [*path, roots[0]], *roots)


def test_the_empty_tree_is_the_beginning_of_every_tree_and_nothing_else_is_its():
    some = merkle.root(leaves(3))
    merkle.verify_consistency(0, 3, [], EMPTY_ROOT, some)
    merkle.verify_consistency(3, 3, [], some, some)
    false = [
        (0, 3, [some], EMPTY_ROOT, some),
        (0, 3, [], some, some),
        (0, 0, [], some, some),
        (3, 3, [], EMPTY_ROOT, some),
        (4, 3, [], some, some),
        (3, 3, [some], some, some),
        (-1, 3, [], some, some),
    ]
    for arguments in false:
        with pytest.raises(BadProof):
            merkle.verify_consistency(*arguments)


@given(st.integers(0, 40_000))
def test_the_piece_root_is_the_tree_over_4096_byte_pieces(size):
    data = bytes(range(256)) * 160
    data = data[:size]
    pieces = [leaf_hash(data[at : at + 4096]) for at in range(0, size, 4096)]
    assert merkle.piece_root(data) == merkle.root(pieces)
    assert merkle.piece_root(memoryview(bytearray(data))) == merkle.root(pieces)


def test_a_memory_tree_proves_for_every_size_it_ever_had():
    tree = merkle.MemoryTree()
    hashes = leaves(20)
    assert [tree.append(each) for each in hashes] == list(range(20))
    for size in range(21):
        assert tree.root(size) == textbook_root(hashes[:size])
        for index in range(size):
            merkle.verify_inclusion(hashes[index], index, size, tree.inclusion(index, size), tree.root(size))
        for old in range(size + 1):
            merkle.verify_consistency(old, size, tree.consistency(old, size), tree.root(old), tree.root(size))
    assert tree.root() == tree.root(20)


def test_proofs_of_what_a_tree_does_not_hold_are_refused():
    tree = merkle.MemoryTree(leaves(3))
    impossible = [
        lambda: tree.root(4),
        lambda: tree.root(-1),
        lambda: tree.inclusion(3),
        lambda: tree.inclusion(-1),
        lambda: tree.inclusion(2, 2),
        lambda: tree.consistency(3, 2),
        lambda: tree.consistency(-1),
    ]
    for ask in impossible:
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            ask()
