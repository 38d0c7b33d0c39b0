"""Keys sign what they should, show nothing, and refuse what is not a signature."""

import copy
import pickle

import pytest
from builders import ALICE, BOB, CAROL, a_transaction, digests, keys, transactions
from hypothesis import given
from hypothesis import strategies as st

from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction, decode, txid
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import ExtendedKey, account_path, derive, parse_path
from lucid_tron.keys.errors import (
    HighS,
    InvalidMnemonic,
    InvalidPath,
    InvalidPrivateKey,
    InvalidSignature,
    InvalidTypedData,
)
from lucid_tron.keys.messages import message_signer, sign_message
from lucid_tron.keys.signing import HALF_ORDER, ORDER, PrivateKey, keccak256, recover, signers
from lucid_tron.keys.typed_data import TypedData, encode_type

# --- signatures ---


@given(transactions(), keys)
def test_a_signed_transaction_is_the_one_that_was_given_and_names_its_signer(
    raw: RawTransaction, key: PrivateKey
) -> None:
    signed = key.sign(raw)
    assert decode(signed.raw) == raw
    assert signed.txid == txid(signed.raw)
    assert signers(signed) == (key.address,)


@given(digests, keys)
def test_every_signature_is_low_s_and_says_27_or_28(digest: bytes, key: PrivateKey) -> None:
    signature = key.sign_digest(digest)
    assert len(signature) == 65
    assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
    assert signature[64] in (27, 28)
    assert key.sign_digest(digest) == signature


@given(digests, keys)
def test_the_mirror_of_a_signature_is_refused(digest: bytes, key: PrivateKey) -> None:
    good = key.sign_digest(digest)
    mirrored = (ORDER - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(HighS):
        recover(digest, good[:32] + mirrored + bytes((55 - good[64],)))


@given(digests, keys)
def test_both_ways_to_write_a_recovery_id_are_read(digest: bytes, key: PrivateKey) -> None:
    good = key.sign_digest(digest)
    assert recover(digest, good) == recover(digest, good[:64] + bytes((good[64] - 27,))) == key.address


@given(digests, keys, st.integers(0, 64), st.integers(1, 255))
def test_a_changed_signature_never_belongs_to_the_signer(
    digest: bytes, key: PrivateKey, place: int, change: int
) -> None:
    bad = bytearray(key.sign_digest(digest))
    bad[place] ^= change
    try:
        found = recover(digest, bytes(bad))
    except InvalidSignature:
        return
    # The one harmless change: 27 and 28 written as 0 and 1.
    assert (found == key.address) == (place == 64 and bad[64] in (0, 1))


@pytest.mark.parametrize("v", [2, 3, 26, 29, 30, 35, 255])
def test_other_recovery_ids_are_refused(v: int) -> None:
    with pytest.raises(InvalidSignature):
        recover(bytes(32), ALICE.sign_digest(bytes(32))[:64] + bytes((v,)))


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), bytes(65), bytes(66), b"\xff" * 32 + bytes(31) + b"\x01\x1b"]
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        recover(bytes(32), signature)


def test_two_people_sign_one_transaction_once_each() -> None:
    signed = ALICE.sign(a_transaction(permission_id=2))
    both = BOB.cosign(signed)
    assert BOB.cosign(both) == both
    assert signers(both) == (ALICE.address, BOB.address)


def test_bytes_that_do_not_decode_are_not_cosigned() -> None:
    with pytest.raises(CodecError):
        BOB.cosign(SignedTransaction(b"\x00" * 40))


# --- a key keeps its secret ---

SECRET = bytes.fromhex("c0ffee" * 10 + "c0fe")


def test_a_key_shows_its_address_and_nothing_else() -> None:
    key = PrivateKey(SECRET)
    for shown in (repr(key), str(key), f"{key}", repr([key]), repr(vars(type(key)))):
        assert SECRET.hex() not in shown
        assert "coffee" not in shown
    assert str(key.address) in repr(key)


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_not_carried_out_of_the_process(carry: object) -> None:
    with pytest.raises(TypeError):
        carry(PrivateKey(SECRET))  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", [SECRET.hex() + "00", SECRET.hex()[:-1] + "g", "00" * 32, f"{ORDER:064x}", "ff" * 32]
)
def test_a_bad_key_is_not_repeated_in_the_error(text: str) -> None:
    with pytest.raises(InvalidPrivateKey) as caught:
        PrivateKey.from_hex(text)
    assert text[:16] not in str(caught.value)
    assert text[:16] not in repr(caught.value.facts)
    assert caught.value.__cause__ is None


def test_keys_are_equal_by_their_secret() -> None:
    assert PrivateKey(SECRET) == PrivateKey.from_hex("0x" + SECRET.hex())
    assert PrivateKey(SECRET) != ALICE
    assert ALICE.address != ALICE
    assert len({PrivateKey(SECRET), PrivateKey(SECRET), ALICE}) == 2
    assert PrivateKey.generate() != PrivateKey.generate()


def test_an_extended_key_shows_nothing() -> None:
    master = ExtendedKey.master(bytes(range(16)))
    assert master.secret.hex() not in repr(master)
    assert str(master.secret) not in repr(master)


# --- BIP 39 (vectors: trezor/python-mnemonic vectors.json, passphrase TREZOR) ---

BIP39 = [
    (
        "00000000000000000000000000000000",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
    ),
    (
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607",
    ),
    (
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "zoo " * 23 + "vote",
        "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
    ),
]


@pytest.mark.parametrize(("entropy", "phrase", "seed"), BIP39)
def test_phrases_agree_with_the_vectors_of_bip_39(entropy: str, phrase: str, seed: str) -> None:
    assert mnemonic.from_entropy(bytes.fromhex(entropy)) == phrase
    assert mnemonic.seed(phrase, "TREZOR").hex() == seed


@given(st.sampled_from((16, 20, 24, 28, 32)).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_every_phrase_we_make_is_one_we_accept(entropy: bytes) -> None:
    phrase = mnemonic.from_entropy(entropy)
    assert mnemonic.check("  " + phrase.upper().replace(" ", "\n")) == phrase


@given(st.binary(min_size=32, max_size=32), st.integers(0, 23), st.integers(0, 2047))
def test_a_wrong_word_in_a_long_phrase_is_never_taken_for_the_right_one(
    entropy: bytes, place: int, number: int
) -> None:
    good = mnemonic.from_entropy(entropy).split()
    bad = [*good]
    bad[place] = mnemonic.words()[number]
    try:
        normal = mnemonic.check(" ".join(bad))
    except InvalidMnemonic as error:
        said = error.detail
    else:
        assert normal.split() == bad
        return
    assert said == "The checksum is wrong: a word is mistyped or two are swapped"


@pytest.mark.parametrize("phrase", ["", "abandon", "abandon " * 12, "zoo " * 11 + "secretword", "zoo " * 13])
def test_what_is_no_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(InvalidMnemonic) as caught:
        mnemonic.check(phrase)
    assert "secretword" not in str(caught.value)


def test_generated_phrases_differ_and_have_as_many_words_as_asked() -> None:
    assert [len(mnemonic.generate(n).split()) for n in (12, 15, 18, 21, 24)] == [12, 15, 18, 21, 24]
    assert mnemonic.generate() != mnemonic.generate()
    for count in (0, 13, 25):
        with pytest.raises(InvalidMnemonic):
            mnemonic.generate(count)
    with pytest.raises(InvalidMnemonic):
        mnemonic.from_entropy(bytes(17))


# --- BIP 32 (test vectors 1 and 3 of the document) ---


@pytest.mark.parametrize(
    ("seed", "path", "secret"),
    [
        (
            "000102030405060708090a0b0c0d0e0f",
            "m",
            "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "m/0'/1/2'/2/1000000000",
            "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8",
        ),
        (  # vector 3: a leading zero that must be kept
            "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac"
            "ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be",
            "m",
            "00ddb80b067e0d4993197fe10f2657a844a384589847602d56f0c629c81aae32",
        ),
    ],
)
def test_derivation_agrees_with_the_vectors_of_bip_32(seed: str, path: str, secret: str) -> None:
    assert ExtendedKey.master(bytes.fromhex(seed)).at(path).secret.hex() == secret


@pytest.mark.parametrize(
    ("phrase", "account", "index", "address"),
    [  # trezor-firmware common/tests/fixtures/tron/get_address.json; Ledger's app-tron
        ("abandon " * 11 + "about", 0, 0, "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"),
        ("all " * 12, 0, 0, "TY72iA3SBtrds3QLYsS7LwYfkzXwAXCRWT"),
        ("all " * 12, 0, 1, "TFz2CJn9CJb8C4i1Gke3jmZX2fRMJxniH2"),
        ("all " * 12, 1, 0, "TNPgkSKfz2xS39fcyfrouz7QPbkkJaDLYv"),
    ],
)
def test_addresses_are_those_of_hardware_wallets(phrase: str, account: int, index: int, address: str) -> None:
    assert str(derive(mnemonic.seed(phrase), account, index).address) == address


@pytest.mark.parametrize(
    "path",
    ["", "0/1", "m/", "m/x", "m/-1", "m/1h", "m/2147483648", "m/²", "m" + "/0" * 256, "m/" + "1" * 5000],
)
def test_a_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        parse_path(path)


def test_indexes_and_seeds_out_of_range_are_refused() -> None:
    master = ExtendedKey.master(bytes(16))
    for index in (-1, 1 << 32):
        with pytest.raises(InvalidPath):
            master.child(index)
    for length in (15, 65):
        with pytest.raises(InvalidPath):
            ExtendedKey.master(bytes(length))
    with pytest.raises(InvalidPath):
        derive(bytes(16), account=1 << 31)
    assert account_path(3, 4) == "m/44'/195'/3'/0/4"


def test_an_index_without_a_key_is_refused() -> None:
    with pytest.raises(InvalidPath):
        ExtendedKey._of(ORDER.to_bytes(32, "big") + bytes(32), 0)
    with pytest.raises(InvalidPath):
        ExtendedKey._of((ORDER - 5).to_bytes(32, "big") + bytes(32), 5)


# --- signed text ---


def test_a_signed_message_names_its_signer_as_tronweb_does() -> None:
    # tronweb, test/lib/trx.test.ts: key 0…01 over "hello world"
    signature = sign_message(ALICE, "hello world")
    assert str(message_signer("hello world", signature)) == "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC"
    assert message_signer(b"hello world", signature) == ALICE.address


@given(st.text(), st.text())
def test_a_signature_over_one_text_is_none_over_another(first: str, second: str) -> None:
    signature = sign_message(ALICE, first)
    assert (message_signer(second, signature) == ALICE.address) == (first == second)


# --- typed data ---

# The mail of EIP 712, whose digest is in the document.
MAIL = TypedData(
    domain={
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": Address.from_evm(bytes.fromhex("CcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")),
    },
    types={
        "Person": [("name", "string"), ("wallet", "address")],
        "Mail": [("from", "Person"), ("to", "Person"), ("contents", "string")],
    },
    primary="Mail",
    message={
        "from": {
            "name": "Cow",
            "wallet": Address.from_evm(bytes.fromhex("CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")),
        },
        "to": {
            "name": "Bob",
            "wallet": Address.from_evm(bytes.fromhex("bBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")),
        },
        "contents": "Hello, Bob!",
    },
)


def test_typed_data_has_the_digest_of_eip_712() -> None:
    assert MAIL.digest().hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    key = PrivateKey(keccak256(b"cow"))
    assert MAIL.signer(MAIL.sign(key)) == key.address


def test_a_type_is_written_with_those_it_refers_to_in_alphabetical_order() -> None:
    types = {"Z": [("b", "B[]"), ("a", "A")], "B": [("x", "trcToken")], "A": [("y", "B")], "C": []}
    assert encode_type(types, "Z") == "Z(B[] b,A a)A(B y)B(trcToken x)"


def of(kind: str, value: object) -> TypedData:
    return TypedData({"name": "x"}, {"T": [("v", kind)]}, "T", {"v": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("int8", 128),
        ("uint256", True),
        ("uint256", "1"),
        ("uint12", 1),
        ("uint264", 1),
        ("uint0", 0),
        ("bytes4", b"abc"),
        ("bytes33", bytes(33)),
        ("bytes", "00"),
        ("string", b"x"),
        ("bool", 1),
        ("address", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"),
        ("address", 7),
        ("trcToken", -1),
        ("uint8[2]", [1]),
        ("uint8[]", 1),
        ("uint8[]", b"ab"),
        ("Unknown", {}),
        ("T", {"v": {}}),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_not_hashed(kind: str, value: object) -> None:
    with pytest.raises(InvalidTypedData):
        of(kind, value).digest()


@pytest.mark.parametrize("message", [{}, {"v": 1, "w": 2}, 5])
def test_a_struct_has_exactly_its_fields(message: dict) -> None:
    with pytest.raises(InvalidTypedData):
        TypedData({}, {"T": [("v", "uint8")]}, "T", message).digest()


def test_unknown_domains_and_doubled_fields_are_refused() -> None:
    with pytest.raises(InvalidTypedData):
        TypedData({"nonce": 1}, {"T": []}, "T", {}).digest()
    with pytest.raises(InvalidTypedData):
        TypedData({}, {"T": [("v", "uint8"), ("v", "uint8")]}, "T", {"v": 1}).digest()
    with pytest.raises(InvalidTypedData):
        TypedData({}, {}, "T", {}).digest()


def test_an_address_is_the_same_in_each_of_its_forms() -> None:
    assert of("address", CAROL.address).digest() == of("address", str(CAROL.address)).digest()
