"""What can be configured: environment variables LUCID_TRON_CLIENT_…, each with its default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_tron.plane import NetworkSettings


class ClientSettings(NetworkSettings):
    """The TRON client service's settings."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_CLIENT_", hide_input_in_errors=True
    )

    wallets_url: str = Field(description="Base URL of the wallets service, which signs.")
    token_file: Path = Field(description="File with the token that this service shows to it.")
