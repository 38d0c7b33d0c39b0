"""What can be configured about auth."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from lucid_kit.settings import Settings


class AuthSettings(Settings):
    """Environment variables with the prefix `LUCID_AUTH_`."""

    model_config = SettingsConfigDict(env_prefix="LUCID_AUTH_")

    jwks: Path
    """The public key set that `lucid up` wrote."""
    host: str = "127.0.0.1"
    port: int = 0
    """TCP port; 0 lets the system choose."""
