"""What the gateway and the wallets service know of deposit addresses is made one and the same at each start.

An address that only our books have was given to a payer, and the wallets service must sign for it: it comes
from the time when the gateway had a phrase of its own (which a person has imported there by now), or the
wallets service was set back to an older copy. The same path gives the same address. Each is compared: a
gateway that would go on with other addresses than it gave to payers does not start.
"""

from __future__ import annotations

from lucid_kit.documents import Documents
from lucid_tron.gateway.addresses import ADDRESSES, DepositSigner
from lucid_tron.own_wallet import OtherWallet, hand_over
from lucid_tron.wallets.models import Account


async def announce_addresses(documents: Documents, wallets: DepositSigner, treasury: Account) -> int:
    """Reserve every address that the wallets service lacks, in order; how many. Again does no harm.

    Raises
    ------
    OtherWallet
        If the wallets service derives another address at its place.
    """
    there = {each.index: each for each in await wallets.reserved(treasury.id, -1)}
    announced = 0
    for each in await documents.find(ADDRESSES.name, sort=[("index", 1)]):
        reservation = each.get("reservation") or f"moved:{each['index']}"
        found = there.get(each["index"])
        if found is None:
            found = await wallets.reserve(treasury.id, reservation)
            announced += 1
        if (str(found.address), found.index) != (each["id"], each["index"]):
            raise OtherWallet(
                f"Deposit {each['index']} is {each['id']} here and {found.address} ({found.index}) there"
            )
        if (each["wallet"], each.get("reservation")) != (found.wallet, found.reservation):
            await hand_over(documents, each["wallet"], found.wallet)
            change = {"wallet": found.wallet, "reservation": found.reservation}
            await documents.update(ADDRESSES.name, each["id"], change)
    return announced
