"""What can be configured: environment variables LUCID_TRON_GATEWAY_…, each with unit and default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_tron.own_wallet import OwnWalletSettings


class GatewaySettings(OwnWalletSettings):
    """The payment gateway's settings, besides those of every service that sends from a wallet of its own.

    Its wallet is the treasury: deposits are swept to it, refunds leave from it.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_GATEWAY_", hide_input_in_errors=True
    )

    payouts_url: str = Field(
        default="",
        description="Base URL of the payout service, which books that do not balance stop; or none.",
    )
    halt_token_file: Path | None = Field(
        default=None, description="File with a token for nothing but that: scope tron:halt."
    )
    webhook_secret_file: Path = Field(
        description="File with whsec_ and base64: signs webhooks. Made when there is none."
    )
    refund_most: int = Field(default=1_000_000_000, gt=0, description="Most units in one refund.")
    refund_day: int = Field(default=10_000_000_000, gt=0, description="Most units of refunds in a UTC day.")
    refund_two_person: int = Field(
        default=100_000_000, ge=0, description="Units above which two others must ask for the same refund."
    )
    sweep_least: int = Field(default=10_000_000, gt=0, description="Units an address holds to be swept.")
    reuse_after_s: int = Field(
        default=90 * 86_400, ge=86_400, description="Seconds after a payment's end that its address is kept."
    )
    reconcile_s: int = Field(default=3_600, ge=60, description="Seconds between reconciliations.")
    reconcile_full_s: int = Field(
        default=86_400, ge=60, description="Seconds between those that ask the chain about every address."
    )
    memory: int = Field(default=64, ge=1, le=1_000, description="Ids of recent blocks that are kept.")
