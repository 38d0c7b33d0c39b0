"""Make a data directory ready: keys, chain, trust policy. An interrupted first start just goes on."""

import subprocess
import sys

from lucid.auth.issuer import SCOPES, Issuer
from lucid.instance import Layout
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import SystemFault
from lucid_kit.files import make_dirs, write_atomic
from lucid_kit.keyfile import load_or_make


class ChainNotMade(SystemFault):
    """The chain of this instance could not be made."""

    code = "LUCID_ERR_5021"
    advice = "Mend what the message names and start again; what was made so far is kept."


def prepare(layout: Layout, name: str, clock: Clock) -> Issuer:
    """Bring `layout` to where the processes can start; gives the issuer of its tokens.

    Raises
    ------
    ChainNotMade
        If the chain's own command refuses.
    KeyFileUnusable
        If a key file is not what it must be.
    """
    for directory in (layout.data, layout.keys, layout.auth, layout.sessions, layout.rdp, layout.logs):
        make_dirs(directory)
    recorder = load_or_make(layout.recorder_key).public_key().public_bytes_raw().hex()
    # Ends here: keys without a chain; the next start makes the chain with these keys.
    fault.point("up-keys-made")
    if not layout.trust.exists():
        _make_chain(layout, name, recorder)
        # Ends here: a chain without a trust policy beside it; the next start writes it.
        fault.point("up-chain-made")
        write_atomic(layout.trust, _chain_command(layout, "trust"), 0o644)
    issuer = Issuer(layout.auth, clock)
    mint_tokens(layout, issuer)
    return issuer


def mint_tokens(layout: Layout, issuer: Issuer) -> None:
    """Write the key set, the operator's token and each service's, replacing what was there."""
    issuer.publish(layout.jwks)
    for subject in SCOPES:
        target = layout.operator_token if subject == "operator" else layout.service_token(subject)
        issuer.mint(subject, target)


def _make_chain(layout: Layout, name: str, recorder: str) -> None:
    try:
        _chain_command(layout, "trust")
    except ChainNotMade:
        _chain_command(layout, "init", "--name", name, "--recorder", recorder)


def _chain_command(layout: Layout, command: str, *arguments: str) -> bytes:
    # The chain plane is another room: only its own command knows its data directory.
    argv = [sys.executable, "-m", "lucid_blocks", command, "--data", str(layout.chain), *arguments]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ChainNotMade(said or f"`lucid-blocks {command}` ended with {done.returncode}")
    return done.stdout
