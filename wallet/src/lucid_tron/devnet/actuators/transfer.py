"""Sending TRX, and replacing an account's permissions."""

from __future__ import annotations

from dataclasses import replace

from lucid_tron.codec import contracts as c
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Permission
from lucid_tron.devnet.actuators.context import Context, Effect, Invalid
from lucid_tron.devnet.resources import Insufficient, burn

MAX_KEYS, MAX_ACTIVES, MAX_NAME = 5, 8, 32


def transfer(context: Context, order: c.TransferContract) -> Effect:
    """Move sun; a recipient that is not there is created for 1 TRX."""
    source = context.account(order.owner_address, "Validate TransferContract error, no OwnerAccount.")
    target = accounts.account(context.sheet, order.to_address)
    if order.to_address == order.owner_address:
        raise Invalid("Cannot transfer TRX to yourself.")
    if order.amount <= 0:
        raise Invalid("Amount must be greater than 0.")
    if target is not None and target.is_contract:
        raise Invalid("Cannot transfer TRX to a smartContract.")
    fee = 0 if target else context.parameters["getCreateNewAccountFeeInSystemContract"]
    if source.balance < order.amount + fee:
        raise Invalid("Validate TransferContract error, balance is not sufficient.")
    burn(context.sheet, order.owner_address, fee)
    accounts.credit(context.sheet, order.owner_address, -order.amount, context.now_ms)
    accounts.credit(context.sheet, order.to_address, order.amount, context.now_ms)
    return Effect(fee=fee)


def update_permissions(context: Context, order: c.AccountPermissionUpdateContract) -> Effect:
    """Replace the owner's and the active permissions for 100 TRX."""
    holder = context.account(order.owner_address, "ownerAddress account does not exist")
    if order.owner is None:
        raise Invalid("owner permission is missed")
    if order.witness is not None:
        raise Invalid("account isn't witness can't set witness permission")
    if not order.actives:
        raise Invalid("active permission is missed")
    if len(order.actives) > MAX_ACTIVES:
        raise Invalid("active permission is too many")
    owner = _checked(order.owner, c.PermissionType.Owner, 0)
    actives = tuple(
        _checked(each, c.PermissionType.Active, 2 + index) for index, each in enumerate(order.actives)
    )
    fee = context.parameters["getUpdateAccountPermissionFee"]
    try:
        burn(context.sheet, order.owner_address, fee)
    except Insufficient:
        raise Invalid(f"{order.owner_address.base58} insufficient balance") from None
    holder = context.owner(order.owner_address)
    context.put(replace(holder, owner_permission=owner, active_permissions=actives))
    return Effect(fee=fee)


def _checked(given: c.Permission, kind: c.PermissionType, number: int) -> Permission:
    name = kind.name.lower()
    if given.type is not kind:
        raise Invalid(f"{name} permission type is error")
    if not given.keys:
        raise Invalid("key's count should be greater than 0")
    if len(given.keys) > MAX_KEYS:
        raise Invalid(f"number of keys in permission should not be greater than {MAX_KEYS}")
    if given.threshold <= 0:
        raise Invalid("permission's threshold should be greater than 0")
    if len(given.permission_name.encode()) > MAX_NAME:
        raise Invalid("permission's name is too long")
    if given.parent_id != 0:
        raise Invalid("permission's parent should be owner")
    if len({key.address for key in given.keys}) != len(given.keys):
        raise Invalid(f"address should be distinct in permission {kind.name}")
    if any(key.weight <= 0 for key in given.keys):
        raise Invalid("key's weight should be greater than 0")
    if sum(key.weight for key in given.keys) < given.threshold:
        raise Invalid(f"sum of all key's weight should not be less than threshold in permission {kind.name}")
    if kind is c.PermissionType.Active and len(given.operations) != 32:
        raise Invalid("operations size must 32")
    if kind is c.PermissionType.Owner and given.operations:
        raise Invalid("Owner permission needn't operations")
    return Permission(
        int(kind),
        number,
        given.permission_name,
        given.threshold,
        tuple((bytes(key.address), key.weight) for key in given.keys),
        given.operations,
    )
