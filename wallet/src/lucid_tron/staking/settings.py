"""What can be configured: environment variables LUCID_TRON_STAKING_…, each with unit and default."""

from pydantic_settings import SettingsConfigDict

from lucid_tron.own_wallet import OwnWalletSettings


class StakingSettings(OwnWalletSettings):
    """The staking service's settings: those of every service that sends from a wallet of its own."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_STAKING_", hide_input_in_errors=True
    )
