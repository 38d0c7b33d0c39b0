"""Make a data directory ready: keys, chain, trust policy. Every step may be repeated, so an interrupted first start just goes on."""

import secrets
import subprocess
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid.auth.issuer import SCOPES, Issuer
from lucid.instance import Damaged, Layout
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import SystemFault
from lucid_kit.files import make_dirs, write_atomic


class ChainNotMade(SystemFault):
    """The chain of this instance could not be made."""

    code = "LUCID_ERR_5021"
    advice = "Mend what the message names and start again; what was made so far is kept."


def prepare(layout: Layout, name: str, clock: Clock) -> None:
    """Bring `layout` to where the processes can start.

    Raises
    ------
    ChainNotMade
        If the chain's own command refuses.
    Damaged
        If a key file is not what it must be.
    """
    for directory in (layout.data, layout.keys, layout.auth, layout.sessions, layout.rdp, layout.logs):
        make_dirs(directory)
    recorder = recorder_public_key(layout)
    # Ends here: keys without a chain; the next start makes the chain with these keys.
    fault.point("up-keys-made")
    _make_chain(layout, name, recorder)
    # Ends here: a chain without a trust policy beside it; the next start writes it.
    fault.point("up-chain-made")
    write_atomic(layout.trust, _chain_command(layout, "trust"), 0o644)
    mint_tokens(layout, Issuer(layout.auth, clock))


def mint_tokens(layout: Layout, issuer: Issuer) -> None:
    """Write the key set, the operator's token and each service's, replacing what was there."""
    issuer.publish(layout.jwks)
    for subject in SCOPES:
        issuer.mint(subject, layout.operator_token if subject == "operator" else layout.service_token(subject))


def recorder_public_key(layout: Layout) -> str:
    """The public half, in hex, of the key that signs session records; the key (32-byte seed in hex) is made on first use."""
    path = layout.recorder_key
    if not path.exists():
        write_atomic(path, secrets.token_bytes(32).hex().encode("ascii") + b"\n", 0o600)
    try:
        seed = bytes.fromhex(path.read_text("ascii").strip())
        return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()
    except ValueError:
        raise Damaged(f"{path} is not a 32-byte key in hexadecimal") from None


def _make_chain(layout: Layout, name: str, recorder: str) -> None:
    if (layout.chain / "genesis.json").exists():
        return
    make_dirs(layout.chain)
    _chain_command(layout, "init", "--name", name, "--recorder", recorder)


def _chain_command(layout: Layout, command: str, *arguments: str) -> bytes:
    # The chain plane is another room: only its own command knows its data directory.
    argv = [sys.executable, "-m", "lucid_blocks", command, "--data", str(layout.chain), *arguments]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        raise ChainNotMade(done.stderr.decode("utf-8", "replace").strip() or f"{argv[2:]} ended with {done.returncode}")
    return done.stdout
