"""A chain's data directory: what `init` puts into it, and how it is opened.

genesis.json        what the chain began with (docs/specs/chain.md)
chain.db            everything, one SQLite database; may be backed up, see `anchor`
anchor/checkpoint   the newest checkpoint that was signed; never restore it from a backup
tlog/               the log as static files; follows from the database
keys/               log.pem, validator.pem; mode 0600
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_blocks.anchor import Anchor
from lucid_blocks.engine import Finalized
from lucid_blocks.faults import AlreadyInitialised, DataDamaged, KeyUnusable, NotInitialised
from lucid_blocks.genesis import Genesis, Validator, first_block
from lucid_blocks.keys import load_key, make_key
from lucid_blocks.ledger import ANCHOR, DATABASE, TLOG, Ledger
from lucid_blocks.mempool import Bounds
from lucid_blocks.models import Params
from lucid_blocks.solo import seal
from lucid_blocks.state import MemoryHistory
from lucid_blocks.store import Store
from lucid_blocks.tlog import Publisher
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import ValidationFailed
from lucid_kit.files import fsync_dir, make_dirs, write_atomic
from lucid_proof import ed25519
from lucid_proof.errors import ProofError
from lucid_proof.note import CosignerKey, SignerKey

GENESIS: Final = "genesis.json"
LOG_KEY: Final = "keys/log.pem"
VALIDATOR_KEY: Final = "keys/validator.pem"
_DOMAIN: Final = "lucid.local"


class BadName(ValidationFailed):
    """A chain's name is 1 to 200 characters of [a-z0-9./-]."""

    code = "LUCID_ERR_1200"
    advice = "Choose a name such as demo, or example.org/desks."


class BadRecorder(ValidationFailed):
    """A recorder is an Ed25519 public key in 64 lowercase hexadecimal digits."""

    code = "LUCID_ERR_1201"
    advice = "Use the public key that the recorder's key file names."


@dataclass(frozen=True, slots=True)
class Identity:
    """A validator's two keys under the names that its genesis gives them."""

    log: SignerKey
    validator: CosignerKey
    private: Ed25519PrivateKey  # the validator's, for transactions


def initialise(
    directory: Path, name: str, recorders: Sequence[str], clock: Clock, params: Params | None = None
) -> Genesis:
    """Make a new chain; the directory exists afterwards or is as it was before.

    Parameters
    ----------
    directory : Path
        Must not exist, or be empty.
    name : str
        The origin's beginning: `demo` gives `lucid.local/demo-3f9a01c2`, `example.org/x` gives
        `example.org/x-…`.
    recorders : sequence of str
        Public keys (hex) that may begin sessions from the start.

    Raises
    ------
    AlreadyInitialised
        If the directory holds anything.
    BadName, BadRecorder
        If an argument cannot be used.
    """
    if not 1 <= len(name) <= 200 or not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789./-"):
        raise BadName(f"{name[:80]!r} cannot name a chain.")
    keys = tuple(_recorder(each) for each in recorders)
    directory = directory.absolute()
    if directory.exists() and any(directory.iterdir()):
        raise AlreadyInitialised(f"{directory} is not empty.", directory=directory)
    make_dirs(directory.parent)
    # Everything is made beside the directory and moved there at once: half a chain never has its name.
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_dirs(partial / "keys")
    origin = f"{name if '/' in name else f'{_DOMAIN}/{name}'}-{secrets.token_hex(4)}"
    log = SignerKey(origin, make_key(partial / LOG_KEY))
    validator = CosignerKey(f"{origin}/validator-1", make_key(partial / VALIDATOR_KEY))
    genesis = Genesis(
        chain=origin,
        time_ms=clock.now_ms(),
        log=log.verifier,
        validators=(Validator(validator.verifier.public, validator.verifier),),
        recorders=keys,
        params=params or Params(),
    )
    write_atomic(partial / GENESIS, genesis.encode(), 0o644)
    block, state = first_block(genesis, MemoryHistory())
    checkpoint = seal(Finalized(block, state, state), log, validator)
    store = Store.create(partial / DATABASE, block, state, checkpoint)
    try:
        Anchor(partial / ANCHOR).create(checkpoint)
        Publisher(partial / TLOG, store).recover(checkpoint)
    finally:
        store.close()
    # Ends here: nothing has the directory's name yet; the next `init` removes what was made.
    fault.point("chain-init-prepared")
    partial.rename(directory)
    fsync_dir(directory.parent)
    return genesis


def load_genesis(directory: Path) -> Genesis:
    """Read what the directory's chain began with.

    Raises
    ------
    NotInitialised
        If there is no genesis.
    DataDamaged
        If it cannot be read.
    """
    path = directory / GENESIS
    try:
        return Genesis.parse(path.read_bytes())
    except OSError as error:
        raise NotInitialised(f"{path} cannot be read: {error.strerror}.", path=path) from error
    except (ProofError, ValueError, TypeError) as error:
        raise DataDamaged(f"{path} is no genesis: {error}", path=path) from error


def load_identity(directory: Path, genesis: Genesis) -> Identity:
    """Read the validator's keys.

    Raises
    ------
    KeyUnusable
        If one is missing, readable by others, or not the one that the genesis names.
    """
    log, validator = load_key(directory / LOG_KEY), load_key(directory / VALIDATOR_KEY)
    if ed25519.public_bytes(log) != genesis.log.public:
        raise KeyUnusable(f"{directory / LOG_KEY} is not the log key of the genesis.")
    mine = [one for one in genesis.validators if one.key == ed25519.public_bytes(validator)]
    if not mine:
        raise KeyUnusable(f"{directory / VALIDATOR_KEY} is not the key of a validator of the genesis.")
    return Identity(
        SignerKey(genesis.log.name, log), CosignerKey(mine[0].cosigner.name, validator), validator
    )


def open_ledger(directory: Path, clock: Clock, bounds: Bounds | None = None) -> Ledger:
    """The chain in a directory that the caller has locked; see `Ledger` for what it raises."""
    return Ledger(directory, load_genesis(directory), clock, bounds or Bounds())


def _recorder(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != ed25519.KEY_SIZE or key.hex() != text or ed25519.is_weak(key):
        raise BadRecorder(f"{text[:80]!r} is no recorder key.")
    return key
