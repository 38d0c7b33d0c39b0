"""What can be configured: environment variables LUCID_TRON_PAYOUTS_…, each with unit and default."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_tron.payouts.payer import RouterKind
from lucid_tron.plane import NetworkSettings


class PayoutsSettings(NetworkSettings):
    """The payout service's settings. Amounts are in units of USDT (10⁻⁶)."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_PAYOUTS_", hide_input_in_errors=True
    )

    wallets_url: str = Field(description="Base URL of the wallets service, which signs.")
    token_file: Path = Field(description="File with the token that this service shows to it.")
    wallet: str = Field(description="Id of the hot wallet, as the wallets service knows it.")
    gateway_url: str = Field(
        default="", description="Base URL of the payment gateway, asked before anything is paid; or none."
    )
    router: str = Field(
        default="",
        description="Address of the payout router, whose operator the hot wallet is; empty: it pays itself.",
    )
    router_kind: RouterKind = Field(default="v0", description="v0, or kyc: pays only who is attested.")
    issuers: dict[str, Annotated[int, Field(ge=0, le=255)]] = Field(
        default={},
        description="Router kyc: who may attest, address → highest level. The router has its own list.",
    )
    issuer_wallet: str = Field(
        default="",
        description="Router kyc: id of a wallet that the router lists as an issuer, to bring revocations.",
    )
    head: Path | None = Field(
        default=None,
        description="Directory of the ledger's head, in no backup of the database; older books send nothing.",
    )
    per_payout: int = Field(default=1_000_000_000, gt=0, description="Most units in one payout.")
    per_epoch: int = Field(default=50_000_000_000, gt=0, description="Most units in one epoch.")
    two_person_above: int = Field(
        default=100_000_000, ge=0, description="Units above which two people must approve, not the submitter."
    )
    auto_approve: int = Field(
        default=0,
        ge=0,
        description="A proven statement's payouts up to so many units need no person; 0: all do.",
    )
    lifetime_ms: int = Field(
        default=120_000,
        ge=30_000,
        le=3_600_000,
        description="Milliseconds a signed payment may wait for a block.",
    )
    reconcile_s: int = Field(default=86_400, ge=1, description="Seconds between strict reconciliations.")
    trust: tuple[Path, ...] = Field(
        default=(), description="Trust policies of the chains whose operators are paid; empty: no statements."
    )
    rate_authorities: tuple[str, ...] = Field(
        default=(), description="Ed25519 public keys (hexadecimal) that may set rates."
    )
