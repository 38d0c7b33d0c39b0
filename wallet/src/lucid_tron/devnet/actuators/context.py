"""What a contract's rules are given, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Account
from lucid_tron.devnet.evm.host import BlockContext
from lucid_tron.devnet.evm.machine import Log
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.state import Sheet


class Invalid(Exception):
    """The chain's rules forbid this contract: CONTRACT_VALIDATE_ERROR. The text is java-tron's."""


@dataclass(frozen=True, slots=True)
class Context:
    """One contract's surroundings. `now_ms` and `slot` are the newest sealed block's, as in java-tron."""

    sheet: Sheet
    parameters: Parameters
    block: BlockContext
    now_ms: int
    slot: int
    txid: bytes
    fee_limit: int = 0

    def account(self, address: bytes, complaint: str) -> Account:
        """Return an account.

        Raises
        ------
        Invalid
            With this complaint if there is none.
        """
        found = accounts.account(self.sheet, address)
        if found is None:
            raise Invalid(complaint)
        return found

    def owner(self, address: bytes) -> Account:
        """Return the account that signs, which always exists: it has paid for bandwidth."""
        return self.account(address, f"Account[{address.hex()}] does not exist")

    def put(self, account: Account) -> None:
        accounts.put_account(self.sheet, account)


@dataclass(frozen=True, slots=True)
class Effect:
    """What happened besides the change of state. Amounts in sun, energy in units.

    `vm` is False for contracts that run no code; their `result` stays SUCCESS. `extra` are the receipt's
    fields of one contract type, such as ``withdraw_expire_amount``.
    """

    fee: int = 0
    vm: bool = False
    result: str = "SUCCESS"
    reason: str = ""
    output: bytes = b""
    logs: tuple[Log, ...] = ()
    contract_address: bytes | None = None
    energy_total: int = 0
    energy_staked: int = 0
    energy_origin: int = 0
    energy_fee: int = 0
    energy_penalty: int = 0
    extra: dict[str, object] = field(default_factory=dict)
