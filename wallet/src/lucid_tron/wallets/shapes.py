"""What the routes of wallets take and give. Amounts are in sun and units."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MAX = (1 << 53) - 1
Amount = Annotated[int, Field(ge=0, le=MAX)]
Asset = Literal["TRX", "USDT"]


class CapIn(BaseModel):
    """The most in one transaction and in one UTC day, in the asset's smallest unit."""

    model_config = ConfigDict(extra="forbid")

    per_payment: Amount
    per_day: Amount
    family: bool = Field(default=False, description="Only to its parent and to wallets derived from it.")


Caps = Annotated[dict[str, CapIn], Field(max_length=32, description='By asset: "TRX" or a token\'s address.')]


Signers = Annotated[
    list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]],
    Field(max_length=8, description="Subjects that alone may have it sign; none: those with `tron:sign`."),
]


class NewWallet(BaseModel):
    """A wallet to make. `kind` says which of the other members are needed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    kind: Literal["new", "phrase", "key", "watch", "derived", "multisig"] = "new"
    caps: Caps = {}
    signers: Signers = []
    words: Literal[12, 15, 18, 21, 24] = 24
    phrase: SecretStr | None = Field(default=None, max_length=400)
    passphrase: SecretStr = SecretStr("")
    private_key: SecretStr | None = Field(default=None, max_length=66)
    address: str | None = Field(default=None, max_length=64)
    permission_id: int = Field(default=2, ge=0, le=9)
    parent: str | None = Field(default=None, max_length=64)
    account: int = Field(default=0, ge=0, lt=1 << 31)
    index: int = Field(default=0, ge=0, lt=1 << 31)


class Change(BaseModel):
    """What to change of a wallet. Caps are replaced as a whole; `fee_cap`: highest fee limit, sun."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=64)
    archived: bool | None = None
    caps: Caps | None = None
    fee_cap: Amount | None = None
    signers: Signers | None = None


class Reservation(BaseModel):
    """What a deposit address is wanted for. The same `reservation` is the same address for ever."""

    model_config = ConfigDict(extra="forbid")

    reservation: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,96}$")


class ToSign(BaseModel):
    """A transaction's raw bytes in hexadecimal, and the chain's time it is counted for (ms UTC)."""

    model_config = ConfigDict(extra="forbid")

    raw: str = Field(pattern=r"^([0-9a-f]{2})+$", max_length=131_072)
    now_ms: int | None = Field(default=None, ge=0, le=4_102_444_800_000)


class NewTransaction(BaseModel):
    """A transfer from the wallet. Its id names it for ever; sending it again does nothing twice."""

    model_config = ConfigDict(extra="forbid")

    operation_id: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,96}$")
    asset: Asset
    to: str = Field(max_length=64)
    amount: Annotated[int, Field(ge=1, le=MAX)]


class WalletOut(BaseModel):
    """A wallet, without any of its secrets."""

    id: str
    name: str
    kind: str
    address: str
    created: str
    caps: dict[str, CapIn]
    fee_cap: int
    permission_id: int
    parent: str | None
    path: str | None
    archived: bool
    signers: list[str]


class WalletMade(WalletOut):
    """A new wallet and, for kind `new` only, the one sight of its backup phrase."""

    backup_phrase: str | None = None


class WalletList(BaseModel):
    wallets: list[WalletOut]


class AddressOut(BaseModel):
    """A deposit address, and the wallet that signs for it."""

    reservation: str
    wallet: str
    address: str
    index: int


class AddressList(BaseModel):
    addresses: list[AddressOut]


class SignedOut(BaseModel):
    """The signed transaction, protobuf in hexadecimal."""

    txid: str
    envelope: str
