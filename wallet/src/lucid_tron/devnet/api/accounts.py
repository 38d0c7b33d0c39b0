"""Accounts, their resources, stakes, loans, votes and rewards."""

from __future__ import annotations

from lucid_tron.codec.address import Address
from lucid_tron.devnet import accounts, resources
from lucid_tron.devnet.accounts import SUN, Account, Permission, Resource, Usage
from lucid_tron.devnet.actuators import delegation, staking
from lucid_tron.devnet.api import lies
from lucid_tron.devnet.api.view import Handler, Json, View, address_in, int_in, without_defaults
from lucid_tron.devnet.blocks import BLOCK_MS

NAMES = ("bandwidth", "energy", "tron_power")


def permission_shape(view: View, each: Permission) -> Json:
    """A permission; the owner's has no type and no id."""
    return without_defaults(
        {
            "type": ("", "Witness", "Active")[each.kind],
            "id": each.id,
            "permission_name": each.name,
            "threshold": each.threshold,
            "operations": each.operations.hex(),
            "keys": [{"address": view.show(address), "weight": weight} for address, weight in each.keys],
        }
    )


def _time_of(view: View, usage: Usage) -> int:
    return view.ledger.blocks[0].timestamp // BLOCK_MS + usage.slot if usage.slot else 0


def account_shape(view: View, holder: Account) -> Json:
    """What getaccount answers."""
    frozen: list[Json] = [
        without_defaults({"type": "" if each == 0 else each.name, "amount": holder.staked[each]})
        for each in Resource
    ]
    return without_defaults(
        {
            "account_name": view.text(holder.name),
            "type": "Contract" if holder.is_contract else "",
            "address": view.show(holder.address),
            "balance": lies.balance(view, holder.balance),
            "create_time": holder.created_ms,
            "allowance": holder.allowance,
            "latest_withdraw_time": holder.withdrawn_ms,
            "votes": [{"vote_address": view.show(who), "vote_count": count} for who, count in holder.votes],
            "net_usage": holder.net.used,
            "latest_consume_time": _time_of(view, holder.net),
            "net_window_size": holder.net.window,
            "net_window_optimized": True,
            "free_net_usage": holder.free_net.used,
            "latest_consume_free_time": _time_of(view, holder.free_net),
            "delegated_frozenV2_balance_for_bandwidth": holder.lent[0],
            "acquired_delegated_frozenV2_balance_for_bandwidth": holder.borrowed[0],
            "account_resource": without_defaults(
                {
                    "energy_usage": holder.energy.used,
                    "latest_consume_time_for_energy": _time_of(view, holder.energy),
                    "energy_window_size": holder.energy.window,
                    "energy_window_optimized": True,
                    "delegated_frozenV2_balance_for_energy": holder.lent[1],
                    "acquired_delegated_frozenV2_balance_for_energy": holder.borrowed[1],
                }
            ),
            "owner_permission": permission_shape(view, holder.owner()),
            "active_permission": [permission_shape(view, each) for each in holder.actives()],
            "frozenV2": frozen,
            "unfrozenV2": [
                without_defaults(
                    {
                        "type": "" if each.resource == 0 else each.resource.name,
                        "unfreeze_amount": each.amount,
                        "unfreeze_expire_time": each.expires_ms,
                    }
                )
                for each in holder.unfreezing
            ],
        }
    )


def get_account(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "address"))
    return account_shape(view, holder) if holder else {}


def get_account_balance(view: View, body: Json) -> Json:
    identifier = body.get("account_identifier") or body
    holder = accounts.account(view.state, address_in(identifier, "address"))
    return {"balance": lies.balance(view, holder.balance) if holder else 0}


def get_resource(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "address"))
    if holder is None:
        return {}
    state, parameters, slot = view.state, view.ledger.parameters, view.slot
    return without_defaults(
        {
            "freeNetUsed": resources.used(holder.free_net, slot),
            "freeNetLimit": parameters["getFreeNetLimit"],
            "NetUsed": resources.used(holder.net, slot),
            "NetLimit": resources.limit(state, parameters, holder, Resource.BANDWIDTH),
            "TotalNetLimit": parameters["getTotalNetLimit"],
            "TotalNetWeight": resources.total_weight(state, parameters, Resource.BANDWIDTH),
            "tronPowerUsed": sum(count for _, count in holder.votes),
            "tronPowerLimit": holder.tron_power(),
            "EnergyUsed": resources.used(holder.energy, slot),
            "EnergyLimit": resources.limit(state, parameters, holder, Resource.ENERGY),
            "TotalEnergyLimit": parameters["getTotalEnergyCurrentLimit"],
            "TotalEnergyWeight": resources.total_weight(state, parameters, Resource.ENERGY),
        }
    )


def get_net(view: View, body: Json) -> Json:
    return {
        key: value
        for key, value in get_resource(view, body).items()
        if "nergy" not in key and "Power" not in key
    }


def get_loans(view: View, body: Json) -> Json:
    """Loans from one account to another: what can be taken back, and what is still locked, one entry each."""
    source, target = address_in(body, "fromAddress"), address_in(body, "toAddress")
    now = view.head.timestamp
    loans = [accounts.loan(view.state, source, target, each).at(now) for each in (Resource(0), Resource(1))]
    parties = {"from": view.show(source), "to": view.show(target)}
    found: list[Json] = []
    if any(each.free for each in loans):
        free = {f"frozen_balance_for_{NAMES[i]}": each.free for i, each in enumerate(loans)}
        found.append(parties | without_defaults(free))
    if any(each.locked for each in loans):
        locked: Json = {f"frozen_balance_for_{NAMES[i]}": each.locked for i, each in enumerate(loans)}
        locked |= {f"expire_time_for_{NAMES[i]}": each.until_ms for i, each in enumerate(loans)}
        found.append(parties | without_defaults(locked))
    return {"delegatedResource": found} if found else {}


def get_loan_index(view: View, body: Json) -> Json:
    holder = address_in(body, "value")
    return without_defaults(
        {
            "account": view.show(holder),
            "fromAccounts": [view.show(each) for each in view.state.get(("lent-by", bytes(holder))) or ()],
            "toAccounts": [view.show(each) for each in view.state.get(("lent-to", bytes(holder))) or ()],
        }
    )


def get_lendable(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "owner_address"))
    if holder is None:
        return {}
    resource = Resource.ENERGY if int_in(body, "type", 0) == 1 else Resource.BANDWIDTH
    most = delegation.available(view.state, view.ledger.parameters, holder, resource, view.slot)
    return without_defaults({"max_size": most if most >= SUN else 0})


def get_unfreeze_count(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "owner_address", "ownerAddress"))
    if holder is None:
        return {}
    waiting = sum(1 for each in holder.unfreezing if each.expires_ms > view.head.timestamp)
    return without_defaults({"count": staking.MAX_UNFREEZING - waiting})


def get_withdrawable(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "owner_address", "ownerAddress"))
    when = int_in(body, "timestamp", view.head.timestamp) or view.head.timestamp
    return without_defaults({"amount": staking.withdrawable(holder, when) if holder else 0})


def get_reward(view: View, body: Json) -> Json:
    holder = accounts.account(view.state, address_in(body, "address"))
    return {"reward": staking.earned(holder, view.slot) if holder else 0}


def get_brokerage(_view: View, body: Json) -> Json:
    address_in(body, "address")
    return {"brokerage": 20}


def list_witnesses(view: View, _: Json) -> Json:
    found = [accounts.witness(view.state, each) for each in view.state.get(("witnesses",))]
    ranked = sorted((each for each in found if each), key=lambda each: -each.votes)
    return {
        "witnesses": [
            {"address": view.show(each.address), "voteCount": each.votes, "url": each.url, "isJobs": True}
            for each in ranked
        ]
    }


def validate_address(_view: View, body: Json) -> Json:
    text = str(body.get("address", ""))
    try:
        Address.parse(text)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it is the answer
        return {"result": False, "message": str(getattr(error, "detail", error))}
    return {"result": True, "message": "Base58check format" if text.startswith("T") else "Hex string format"}


BOTH: dict[str, Handler] = {
    "getaccount": get_account,
    "getaccountbalance": get_account_balance,
    "getaccountresource": get_resource,
    "getaccountnet": get_net,
    "getdelegatedresourcev2": get_loans,
    "getdelegatedresourceaccountindexv2": get_loan_index,
    "getcandelegatedmaxsize": get_lendable,
    "getavailableunfreezecount": get_unfreeze_count,
    "getcanwithdrawunfreezeamount": get_withdrawable,
    "getReward": get_reward,
    "getreward": get_reward,
    "getBrokerage": get_brokerage,
    "getbrokerage": get_brokerage,
    "listwitnesses": list_witnesses,
}
FULL: dict[str, Handler] = {"validateaddress": validate_address}
