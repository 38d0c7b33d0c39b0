"""What can be configured: environment variables LUCID_TRON_UP_…; each service's own reach it alone."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_kit.settings import Settings
from lucid_tron.payouts.payer import RouterKind


class UpSettings(Settings):
    """Settings of the whole plane. `LUCID_TRON_PAYOUTS_PER_EPOCH=…` goes to the payout service, and so on."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_TRON_UP_", hide_input_in_errors=True
    )

    data: Path = Field(description="Directory of the plane.")
    network: Literal["mainnet", "nile", "shasta", "devnet"] = Field(
        default="devnet", description="Which TRON network; devnet: one that is run here."
    )
    nodes: tuple[str, ...] = Field(default=(), description="Base URLs of nodes; empty: the network's own.")
    usdt: str = Field(default="", description="Address of the token; empty: the network's own.")
    quorum: int = Field(default=0, ge=0, le=16, description="Nodes that must agree; 0: 2, on a devnet 1.")
    api_key_file: Path | None = Field(default=None, description="File with the API key of the nodes.")
    hot_wallet: str = Field(default="hot", description="Name of the wallet that payouts are paid from.")
    router: RouterKind | Literal["none"] = Field(
        default="v0",
        description="Devnet: which payout router payments go through, v0 or kyc; none: the hot wallet pays.",
    )
    issuers: dict[str, Annotated[int, Field(ge=0, le=255)]] = Field(
        default={}, description="Devnet, router kyc: issuers' addresses and the highest level of each."
    )
    block_s: float = Field(default=3.0, gt=0, description="Devnet: seconds between blocks.")
    solid_lag: int = Field(default=19, ge=0, description="Devnet: blocks until one is irreversible.")
    funds: int = Field(
        default=100_000_000_000, ge=0, description="Devnet: units of USDT that the payer begins with."
    )
    log_level: str = Field(default="warning", description="debug, info, warning or error.")
