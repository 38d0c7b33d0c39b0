"""Who pays: the hot wallet itself, or a router contract whose operator the hot wallet is."""

from __future__ import annotations

from typing import Final, Literal

from lucid_kit.errors import DomainError, LucidError
from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact
from lucid_tron.contracts.deployment import verify
from lucid_tron.kyc.attestation import Attestation
from lucid_tron.kyc.router import KycRouter

RouterKind = Literal["v0", "kyc"]
CONTRACTS: Final[dict[RouterKind, str]] = {"v0": "PayoutRouter", "kyc": "KycPayoutRouter"}
"""Kind of router → the contract of ours it must be."""


class RouterRefused(DomainError):
    """The router is not one that this service may pay through."""

    code = "LUCID_ERR_4832"
    advice = (
        "Do not fund that address. Compare it with the protocol of its deployment"
        " (`python -m lucid_tron.contracts verify`), correct LUCID_TRON_PAYOUTS_ROUTER, and start again."
    )


class OtherPayer(DomainError):
    """The books are of another payer."""

    code = "LUCID_ERR_4833"
    advice = "Set the payer back that `detail` names first; a new payer needs a payout directory of its own."


async def require_router(
    client: TronClient, router: Address, kind: RouterKind, token: Address, operator: Address
) -> None:
    """See that what stands at an address is our contract, pays our token, and takes our orders.

    Everything is asked of a quorum of nodes. Before this nothing may be signed for the router.

    Raises
    ------
    RouterRefused
        If it has other code, another token, or another operator.
    NodesDisagree, TooFewNodes
        If that cannot be said now.
    """
    try:
        found = await verify(client, router, artefact(CONTRACTS[kind]))
    except DomainError as error:
        raise RouterRefused(f"{error.detail} (router: {router})") from error
    # The token is immutable, so the constructor's word holds; the operator may have been changed since.
    if found.arguments["token"] != token:
        raise RouterRefused(f"The router {router} pays {found.arguments['token']}, not {token}")
    output = await client.call_agreed(router, router, "operator()", b"")
    try:
        (appointed,) = abi.decode(("address",), output)
    except LucidError as error:
        raise RouterRefused(f"The router {router} names no operator: {error.detail}") from error
    if appointed != operator:
        raise RouterRefused(
            f"The operator of the router {router} is {appointed}, and the hot wallet is {operator}"
        )


async def chain_id_of(client: TronClient) -> int:
    """What contracts call the chain: the last four bytes of the id of its block 0, by a quorum."""
    return int.from_bytes((await client.block_id_agreed(0))[-4:], "big")


async def require_same_digest(router: KycRouter, chain_id: int) -> None:
    """See that the router takes what is signed for it on this chain: domain, chain and address agree.

    Raises
    ------
    RouterRefused
        If it computes another digest than issuers sign.
    """
    sample = Attestation(router.address, 1, 1, 1, chain_id, router.address)
    if await router.digest(sample) != sample.typed().digest():
        raise RouterRefused(f"The router {router.address} takes other attestations than are signed for it")
