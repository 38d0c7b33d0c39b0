"""What one can do with USDT: ask, prepare what is to be signed, and judge what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import Receipt
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.usdt.errors import (
    InsufficientFunds,
    RecipientFrozen,
    SenderFrozen,
    TokenPaused,
    UnfitRecipient,
)
from lucid_tron.usdt.fees import Fee, FeePolicy, bandwidth_of, fee_for
from lucid_tron.usdt.transfers import Transfer, paid_by, transfers_in

UNIT = 1_000_000
"""USDT has six decimals: one dollar is a million units."""
_ZERO = Address.from_evm(bytes(20))
_TRANSFER, _APPROVE = "transfer(address,uint256)", "approve(address,uint256)"


@dataclass(frozen=True, slots=True)
class TokenState:
    """What the issuer has switched on; a transfer's fee is amount × rate / 10000, at most `maximum_fee`."""

    paused: bool
    fee_basis_points: int
    maximum_fee: int

    def arrives(self, amount: int) -> int:
        """What a recipient gets of `amount`, in units."""
        return amount - min(amount * self.fee_basis_points // 10_000, self.maximum_fee)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction to sign, and what it will cost and bring. Amounts in units, fees in sun."""

    raw: RawTransaction
    fee: Fee
    arrives: int


class UsdtManager:
    """The token of one network. Amounts are in its smallest unit (10^-6 USDT)."""

    def __init__(self, client: TronClient, token: Address, policy: FeePolicy | None = None) -> None:
        self._client = client
        self._policy = policy or FeePolicy()
        self.token = token

    # --- asking ---

    async def balance(self, address: Address) -> int:
        """Units an address holds, solid and agreed by a quorum."""
        return int(await self._read("balanceOf(address)", address))

    async def allowance(self, owner: Address, spender: Address) -> int:
        """Units that `spender` may still take from `owner`, solid and agreed."""
        return int(await self._read("allowance(address,address)", owner, spender))

    async def state(self) -> TokenState:
        """What the issuer has switched on, agreed."""
        return TokenState(
            bool(await self._read("paused()", kind="bool")),
            int(await self._read("basisPointsRate()")),
            int(await self._read("maximumFee()")),
        )

    async def is_frozen(self, address: Address) -> bool:
        """Whether the issuer has blacklisted an address, agreed."""
        return bool(await self._read("isBlackListed(address)", address, kind="bool"))

    async def history(self, address: Address, first_block: int, last_block: int) -> list[Transfer]:
        """Transfers from and to an address in these blocks, oldest first, both ends included."""
        found: list[Transfer] = []
        for number in range(first_block, last_block + 1):
            ask = {"num": number}
            answer = await self._client.pool.any("/wallet/gettransactioninfobyblocknum", ask, _receipts)
            for receipt in _receipts(answer):
                found += [
                    transfer
                    for transfer in transfers_in(receipt, self.token)
                    if address in (transfer.sender, transfer.recipient)
                ]
        return found

    # --- preparing ---

    async def prepare_transfer(
        self,
        sender: Address,
        recipient: Address,
        amount: int,
        *,
        memo: bytes = b"",
        permission_id: int = 0,
        lifetime_ms: int = 60_000,
    ) -> Prepared:
        """A transfer that is expected to succeed, ready to be signed.

        Raises
        ------
        UnfitRecipient, TokenPaused, SenderFrozen, RecipientFrozen, InsufficientFunds, FeeTooHigh
            If it would fail, be stuck, or cost too much.
        CallReverted
            If the token reverts it for another reason.
        """
        if amount <= 0:
            raise UnfitRecipient(f"{amount} units are nothing to send")
        if recipient in (sender, self.token, _ZERO):
            raise UnfitRecipient(f"{recipient} cannot receive from {sender}")
        state = await self.state()
        if state.paused:
            raise TokenPaused(f"{self.token} is paused")
        if await self.is_frozen(sender):
            raise SenderFrozen(f"{sender} is frozen")
        if await self.is_frozen(recipient):
            raise RecipientFrozen(f"{recipient} is frozen")
        held = await self.balance(sender)
        if held < amount:
            missing = amount - held
            raise InsufficientFunds(
                f"{sender} lacks {missing} units of USDT", missing_units=missing, held=held
            )
        raw, fee = await self._prepare(
            sender, _TRANSFER, (recipient, amount), memo, permission_id, lifetime_ms
        )
        return Prepared(raw, fee, state.arrives(amount))

    async def prepare_approve(
        self, owner: Address, spender: Address, amount: int, *, lifetime_ms: int = 60_000
    ) -> Prepared:
        """An approval; 0 takes it back.

        The token demands that an allowance is set to 0 before it is changed, so that a spender cannot take
        the old and the new one: this refuses with CallReverted as the token does.

        Raises
        ------
        CallReverted, FeeTooHigh, InsufficientFunds
            If it would fail or cost too much.
        """
        raw, fee = await self._prepare(owner, _APPROVE, (spender, amount), b"", 0, lifetime_ms)
        return Prepared(raw, fee, 0)

    async def _prepare(
        self,
        sender: Address,
        signature: str,
        values: tuple[Any, ...],
        memo: bytes,
        permission_id: int,
        lifetime_ms: int,
    ) -> tuple[RawTransaction, Fee]:
        data = abi.encode_call(signature, *values)
        # The output is not looked at: `transfer` says false when it succeeds. A revert raises.
        called = await self._client.call(sender, self.token, signature, data[4:])
        parameters = await self._client.parameters_agreed()
        resources = await self._client.resources(sender)
        fee = fee_for(called.energy, parameters, resources, self._policy)
        raw = await self._client.prepare(
            TriggerSmartContract(sender, self.token, data=data),
            lifetime_ms=lifetime_ms,
            fee_limit=fee.limit,
            memo=memo,
            permission_id=permission_id,
        )
        size = bandwidth_of(raw)
        burned = fee.burned + (size * parameters.bandwidth_price if size > resources.bandwidth else 0)
        burned += parameters.memo_fee if memo else 0
        trx = await self._client.balance_agreed(sender)
        if trx < burned:
            missing = burned - trx
            raise InsufficientFunds(
                f"{sender} lacks {missing} sun for fees", missing_sun=missing, held_sun=trx
            )
        return raw, Fee(fee.limit, fee.energy, burned)

    # --- judging ---

    async def paid(self, txid: bytes, sender: Address, recipient: Address, amount: int) -> Transfer | None:
        """What a transfer brought its recipient, once it is solid; None before.

        Raises
        ------
        NotPaid
            If it was mined and failed.
        UnclearPayment
            If it succeeded and moved something else.
        NodesDisagree, TooFewNodes
            If that cannot be said now.
        """
        receipt = await self._client.receipt_agreed(txid)
        return None if receipt is None else paid_by(receipt, self.token, sender, recipient, amount)

    async def _read(self, signature: str, *values: Any, kind: str = "uint256") -> Any:
        arguments = abi.encode_call(signature, *values)[4:]
        output = await self._client.call_agreed(self.token, self.token, signature, arguments)
        try:
            (value,) = abi.decode((kind,), output)
        except abi.AbiMismatch as error:
            raise MalformedAnswer(f"{signature} of {self.token}: {error.detail}") from error
        return value


def _receipts(answer: Mapping[str, Any]) -> list[Receipt]:
    items = answer.get("items", [])
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise MalformedAnswer("The receipts of a block are not a list of objects")
    return [Receipt.read(item) for item in items]
