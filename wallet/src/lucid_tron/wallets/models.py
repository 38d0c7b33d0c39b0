"""What a wallet is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lucid_tron.codec.address import Address
from lucid_tron.wallets.errors import BackupShown

Kind = Literal["hd", "key", "watch", "multisig", "deposit"]
TRX = "TRX"


@dataclass(frozen=True, slots=True)
class Cap:
    """The most of an asset, in its smallest unit, in one transaction and in one UTC day.

    With `family` it goes nowhere but to the wallet's parent and to wallets derived from it.
    """

    per_payment: int
    per_day: int
    family: bool = False


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account that Lucid knows.

    kind       hd        has a seed; more wallets can be derived from it
               key       has one key of its own (imported, or derived from an hd wallet)
               watch     has no key here
               multisig  its `permission_id` needs signatures of several; this one's key gives one of them
               deposit   takes payments; what it holds goes to the wallet it was derived from, nowhere else
    caps       by asset: "TRX" (sun) or the token's address (its units). An asset without a cap is not spent.
    fee_cap    the highest `fee_limit` it signs, in sun
    signers    subjects of tokens that alone may have it sign; none: whoever's token grants `tron:sign`
    """

    id: str
    name: str
    kind: Kind
    address: Address
    created_ms: int
    caps: Mapping[str, Cap] = field(default_factory=dict)
    fee_cap: int = 200_000_000
    permission_id: int = 0
    parent: str | None = None
    path: str | None = None
    archived: bool = False
    signers: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        document = asdict(self)
        document["address"] = str(self.address)
        document["signers"] = list(self.signers)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Wallet:
        """As it was stored; what else lies in the document (wrapped secrets) is left there."""
        fields = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        fields["address"] = Address.parse(document["address"])
        fields["signers"] = tuple(document.get("signers", ()))
        fields["caps"] = {asset: Cap(**cap) for asset, cap in document["caps"].items()}
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Account:
    """A wallet as those see it who have it sign: what it is asked by, and its address."""

    id: str
    address: Address


class BackupPhrase:
    """A phrase that can be looked at once. It does not show itself in logs or errors."""

    __slots__ = ("_words",)

    def __init__(self, words: str) -> None:
        self._words: str | None = words

    def show_once(self) -> str:
        """The phrase.

        Raises
        ------
        BackupShown
            The second time.
        """
        if self._words is None:
            raise BackupShown("This backup phrase was shown already")
        words, self._words = self._words, None
        return words

    def __repr__(self) -> str:
        return "BackupPhrase(hidden)"

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("A backup phrase is neither pickled nor copied")
