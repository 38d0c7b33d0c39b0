"""Deploying and calling contracts: the run, and who pays for its energy.

Energy comes from stakes first, the deployer's for its share, then from burnt TRX; `fee_limit` caps both
together, because java-tron turns it into energy before it looks at stakes (VMActuator.getTotalEnergyLimit).
A run that fails keeps its bill and undoes everything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Contract
from lucid_tron.devnet.actuators.context import Context, Effect, Invalid
from lucid_tron.devnet.evm import machine
from lucid_tron.devnet.resources import burn, energy_left, use

MAX_NAME = 32


def create(context: Context, order: c.CreateSmartContract) -> Effect:
    """Deploy a contract at keccak(txID ‖ owner)."""
    new = order.new_contract
    owner = order.owner_address
    if new.origin_address != owner:
        raise Invalid("OwnerAddress is not equals OriginAddress")
    if len(new.name.encode()) > MAX_NAME:
        raise Invalid("contractName's length cannot be greater than 32")
    if not 0 <= new.consume_user_resource_percent <= 100:
        raise Invalid("percent must be >= 0 and <= 100")
    if new.origin_energy_limit <= 0:
        raise Invalid("The originEnergyLimit must be > 0")
    _check_call(context, owner, new.call_value)
    address = Address.of_contract(context.txid, owner)
    if accounts.account(context.sheet, address) is not None:
        raise Invalid("Trying to create a contract with existing contract address: " + address.hex())
    energy = _caller_energy(context, owner, new.call_value)
    outcome = machine.create(
        context.sheet,
        context.block,
        txid=context.txid,
        caller=owner,
        address=address,
        code=new.bytecode,
        value=new.call_value,
        energy=energy,
    )
    if outcome.succeeded:
        context.sheet.put(
            ("contract", address),
            Contract(
                address,
                owner,
                new.name,
                new.abi,
                new.bytecode,
                new.consume_user_resource_percent,
                new.origin_energy_limit,
                context.txid,
            ),
        )
    return _effect(context, outcome, owner, _Shares(0, 0, owner), address)


def trigger(context: Context, order: c.TriggerSmartContract) -> Effect:
    """Call a contract."""
    deployed = accounts.contract(context.sheet, order.contract_address)
    if deployed is None:
        raise Invalid("No contract or not a smart contract")
    if order.call_token_value or order.token_id:
        raise Invalid("TRC-10 tokens are not part of this development network")
    caller = order.owner_address
    _check_call(context, caller, order.call_value)
    own = _caller_energy(context, caller, order.call_value)
    shares = _origin_share(context, deployed, caller, own)
    outcome = machine.call(
        context.sheet,
        context.block,
        txid=context.txid,
        caller=caller,
        address=order.contract_address,
        data=order.data,
        value=order.call_value,
        energy=own + shares.limit,
    )
    return _effect(context, outcome, caller, shares, order.contract_address)


def _check_call(context: Context, owner: Address, value: int) -> None:
    highest = context.parameters["getMaxFeeLimit"]
    if not 0 <= context.fee_limit <= highest:
        raise Invalid(f"feeLimit must be >= 0 and <= {highest}")
    if value < 0:
        raise Invalid("callValue must be >= 0")
    if context.owner(owner).balance < value:
        raise Invalid("Validate InternalTransfer error, balance is not sufficient.")


def _caller_energy(context: Context, owner: bytes, value: int) -> int:
    holder = context.owner(owner)
    price = context.parameters["getEnergyFee"]
    have = energy_left(context.sheet, context.parameters, holder, context.slot)
    return min(have + max(0, holder.balance - value) // price, context.fee_limit // price)


@dataclass(frozen=True, slots=True)
class _Shares:
    """What the deployer contributes: `percent` of the total, at most `limit` energy."""

    percent: int
    limit: int
    origin: bytes


def _origin_share(context: Context, deployed: Contract, caller: bytes, own: int) -> _Shares:
    percent = deployed.caller_percent
    origin = accounts.account(context.sheet, deployed.origin)
    if origin is None or deployed.origin == caller or percent >= 100:
        return _Shares(0, 0, deployed.origin)
    have = energy_left(context.sheet, context.parameters, origin, context.slot)
    most = min(have, deployed.origin_energy_limit)
    if percent > 0:
        most = min(own * (100 - percent) // percent, most)
    return _Shares(100 - percent, most, deployed.origin)


def _effect(
    context: Context, outcome: machine.Outcome, caller: bytes, shares: _Shares, address: bytes
) -> Effect:
    origin_part = min(outcome.energy * shares.percent // 100, shares.limit)
    caller_part = outcome.energy - origin_part
    if origin_part:
        origin = context.owner(shares.origin)
        context.put(replace(origin, energy=use(origin.energy, origin_part, context.slot)))
    payer = context.owner(caller)
    staked = min(caller_part, energy_left(context.sheet, context.parameters, payer, context.slot))
    if staked:
        context.put(replace(payer, energy=use(payer.energy, staked, context.slot)))
    fee = (caller_part - staked) * context.parameters["getEnergyFee"]
    burn(context.sheet, caller, fee)
    return Effect(
        fee=fee,
        vm=True,
        result=outcome.result,
        reason=outcome.reason,
        output=outcome.output,
        logs=outcome.logs if outcome.succeeded else (),
        contract_address=address,
        energy_total=outcome.energy,
        energy_staked=staked,
        energy_origin=origin_part,
        energy_fee=fee,
        energy_penalty=outcome.penalty,
    )
