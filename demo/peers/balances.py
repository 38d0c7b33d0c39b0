"""USDT balances as unmodified tronpy reads them.

Arguments: node, token, addresses…; writes {address: "units"}.
"""

import json
import sys

from tronpy import Tron
from tronpy.providers import HTTPProvider

if __name__ == "__main__":
    node, token, *addresses = sys.argv[1:]
    usdt = Tron(HTTPProvider(node)).get_contract(token)
    print(json.dumps({address: str(usdt.functions.balanceOf(address)) for address in addresses}))
