"""Addresses of former times, when the gateway had a phrase of its own, become the wallets service's.

The phrase is imported there by a person; then the same path gives the same addresses. Each is compared: a
gateway that would go on with other addresses than it gave to payers does not start.
"""

from __future__ import annotations

from lucid_kit.documents import Documents
from lucid_tron.gateway.addresses import ADDRESSES, DepositSigner
from lucid_tron.own_wallet import OtherWallet, hand_over
from lucid_tron.wallets.models import Account


async def move_addresses(documents: Documents, wallets: DepositSigner, treasury: Account) -> int:
    """Reserve every address that has no reservation, in order; how many. Again does no harm.

    Raises
    ------
    OtherWallet
        If the wallets service derives another address at its place.
    """
    known = await documents.find(ADDRESSES.name, sort=[("index", 1)])
    old = [each for each in known if "reservation" not in each]
    for each in old:
        reservation = f"moved:{each['index']}"
        found = await wallets.reserve(treasury.id, reservation)
        if (str(found.address), found.index) != (each["id"], each["index"]):
            raise OtherWallet(
                f"Deposit {each['index']} is {each['id']} here and {found.address} ({found.index}) there"
            )
        await hand_over(documents, each["wallet"], found.wallet)
        change = {"wallet": found.wallet, "reservation": reservation}
        await documents.update(ADDRESSES.name, each["id"], change)
    return len(old)
