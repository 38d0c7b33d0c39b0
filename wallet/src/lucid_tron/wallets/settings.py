"""What can be configured: environment variables LUCID_TRON_WALLETS_…, each with its default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_tron.plane import ServiceSettings


class WalletsSettings(ServiceSettings):
    """The wallets service's settings. It is told no node: it never speaks to the network."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_WALLETS_", hide_input_in_errors=True
    )

    passphrase_file: Path | None = Field(
        default=None,
        description="File with the passphrase of the keystore, mode 0600; else a key file is used.",
    )
    client_url: str = Field(default="", description="Base URL of the client service; empty: no TRX balances.")
    usdt_url: str = Field(default="", description="Base URL of the USDT service; empty: no USDT balances.")
    token_file: Path | None = Field(
        default=None, description="File with the token that this service shows to those two."
    )
