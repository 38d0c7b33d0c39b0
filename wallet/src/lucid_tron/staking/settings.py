"""What can be configured: environment variables LUCID_TRON_STAKING_…, each with unit and default."""

from pydantic_settings import SettingsConfigDict

from lucid_tron.plane import PlaneSettings


class StakingSettings(PlaneSettings):
    """The staking service's settings: those every service of the plane has."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_STAKING_", hide_input_in_errors=True
    )
