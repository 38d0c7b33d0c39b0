"""What can be configured: environment variables LUCID_TRON_USDT_…, each with its default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_tron.plane import NetworkSettings


class UsdtSettings(NetworkSettings):
    """The USDT service's settings."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_USDT_", hide_input_in_errors=True
    )

    wallets_url: str = Field(description="Base URL of the wallets service, which signs.")
    token_file: Path = Field(description="File with the token that this service shows to it.")
