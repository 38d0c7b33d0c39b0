"""Pay 50 operators once in USDT, whatever dies meanwhile. `--out DIR` is where logs go.

A settlement statement, proven by a log that the payers trust, comes in; small payouts go by themselves, large
ones wait for two people; all are paid in batches through a router contract; the payout and wallet services
are killed with SIGKILL in the middle; then books, chain, tronweb and tronpy must agree to the last unit.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from demo.plane import Person, Plane, until
from demo.table import Findings
from lucid_proof.testing import TestLog
from lucid_tron.settlement import testing as fixture

ORIGIN = "lucid.local/demo"
OPERATORS = {f"operator-{number:02}": 1_000 + 137 * number for number in range(50)}
"""Name → credits."""
LARGE = ("operator-07", "operator-23", "operator-41")
CREDITS = OPERATORS | dict.fromkeys(LARGE, 200_000)
UNITS = 1_000  # of USDT (10⁻⁶) for a credit
TWO_PERSON_ABOVE = 100_000_000
MOST_IN_BATCH = 30
FUNDS = 1_000_000_000
PEERS = Path(__file__).parent / "peers"
NPM = Path(__file__).parents[1] / "wallet" / "tests" / "peers"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo-payout", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("out"))
    out: Path = parser.parse_args().out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="lucid-payout-"))
    found = Findings("Fifty operators, paid once")
    log = TestLog(ORIGIN)
    trust = data / "trust.json"
    trust.write_text(json.dumps(log.policy().to_json()))
    environment = {
        "LUCID_TRON_UP_BLOCK_S": "1",
        "LUCID_TRON_UP_SOLID_LAG": "3",
        "LUCID_TRON_UP_FUNDS": str(FUNDS),
        "LUCID_TRON_PAYOUTS_TRUST": json.dumps([str(trust)]),
        "LUCID_TRON_PAYOUTS_RATE_AUTHORITIES": json.dumps([fixture.AUTHORITY.hex()]),
        "LUCID_TRON_PAYOUTS_TWO_PERSON_ABOVE": str(TWO_PERSON_ABOVE),
        "LUCID_TRON_PAYOUTS_AUTO_APPROVE": str(TWO_PERSON_ABOVE),
        "LUCID_TRON_PAYOUTS_TICK_S": "0.5",
    }
    try:
        began = time.monotonic()
        say("starting a devnet and the six services")
        with Plane(data / "wallet", out / "wallet-plane.log", **environment) as plane:
            found.measured("devnet and six services up", f"{time.monotonic() - began:.0f} s")
            run(plane, log, found)
    finally:
        if not found.well:
            shutil.copytree(data / "wallet" / "logs", out / "wallet-logs", dirs_exist_ok=True)
        shutil.rmtree(data, ignore_errors=True)
    found.show()
    say("All is as it must be." if found.well else "Something is NOT as it must be: see the table.")
    return 0 if found.well else 1


def run(plane: Plane, log: TestLog, found: Findings) -> None:
    """One statement, from its proof to the last unit."""
    operator = plane.operator
    statement = settle(operator, log, found)
    began = time.monotonic()
    kill(plane, operator, found, "payouts")  # some have left, and some of those that left are not stored so
    approve(plane, operator, found)
    kill(plane, operator, found, "wallets")  # what was approved last needs a signature still
    payouts = until(lambda: all_settled(operator))
    found.measured("all settled after", f"{time.monotonic() - began:.0f} s")
    again = operator.ask("POST", "payouts", "/payouts/statements", content=statement)
    code = again.json().get("code")
    found.expect("the same statement again", f"refused, {again.status_code} {code}", again.status_code == 409)
    judge(plane, operator, payouts, found)


def settle(operator: Person, log: TestLog, found: Findings) -> bytes:
    """The rate, the operators' addresses, and the statement; its file."""
    operator.post("payouts", "/payouts/rates", content=fixture.a_policy(log, units=UNITS))
    now = int(time.time() * 1000)
    for name in CREDITS:
        operator.post("payouts", "/payouts/bindings", content=fixture.a_binding(log, name, now))
    statement = fixture.a_statement(log, 1, CREDITS)
    answer = operator.post("payouts", "/payouts/statements", content=statement)
    owed = sum(CREDITS.values()) * UNITS
    found.expect(
        "statement proven, payouts it entitles",
        f"{answer['payouts']}, {usdt(answer['earned'])}",
        (answer["payouts"], answer["earned"]) == (len(CREDITS), owed),
    )
    found.expect(
        "approved by the statement alone", f"{answer['approved']}", answer["approved"] == len(CREDITS) - 3
    )
    say(f"{answer['payouts']} payouts; {len(LARGE)} are above {usdt(TWO_PERSON_ABOVE)} and need two people")
    return statement


def approve(plane: Plane, operator: Person, found: Findings) -> None:
    """Two people approve what is large; one of them cannot do so alone."""
    carla, bob = (plane.person(name, "tron:approve", "tron:read") for name in ("carla", "bob"))
    waiting = operator.get("payouts", "/payouts/history?state=intent")["payouts"]
    alone = []
    for each in waiting:
        path = f"/payouts/{each['payout_id']}/approve"
        carla.post("payouts", path)
        alone.append(carla.ask("POST", "payouts", path).status_code)
        bob.post("payouts", path)
    found.expect(
        "approving twice alone",
        f"refused {alone.count(409)} of {len(alone)} times",
        alone == [409] * len(LARGE),
    )


def kill(plane: Plane, operator: Person, found: Findings, service: str) -> None:
    """SIGKILL to a service while payments are under way."""
    counts = until(lambda: under_way(operator))
    before = plane.pid(service)
    plane.kill(service)
    say(f"killed the {service} service with SIGKILL: {counts}")
    until(lambda: plane.pid(service) != before or None)
    found.measured(f"kill -9 of the {service} service", f"in the middle: {counts}")


def under_way(operator: Person) -> str | None:
    """How many payouts are in which state, once some have left and before all are settled."""
    states = [each["state"] for each in history(operator)]
    left = [state for state in states if state in ("broadcast", "solid", "settled")]
    if not left or set(states) == {"settled"}:
        return None
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))


def history(operator: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.get("payouts", "/payouts/history?limit=500")["payouts"]
    return found


def all_settled(operator: Person) -> list[dict[str, Any]] | None:
    payouts = history(operator)
    return payouts if all(each["state"] == "settled" for each in payouts) else None


def judge(plane: Plane, operator: Person, payouts: list[dict[str, Any]], found: Findings) -> None:
    """What the books, the services and other people's libraries say."""
    owed = {str(fixture.tron_key(name).address): earned * UNITS for name, earned in CREDITS.items()}
    paid = {each["recipient"]: each["credited"] for each in payouts}
    found.expect(
        "operators paid what they earned",
        f"{sum(paid.get(who) == units for who, units in owed.items())} of {len(owed)}",
        paid == owed,
    )
    batches = {each["txids"][-1] for each in payouts}
    transfers, transactions = mined(operator, plane.router)
    found.expect(
        "transfers that left the router",
        f"{len(transfers)}, in {len(transactions)} transactions of at most {MOST_IN_BATCH}",
        len(transfers) == len(owed) and transactions == batches and len(batches) < len(owed) / 5,
    )
    books = operator.post("payouts", "/payouts/reconciliation")
    found.expect(
        "reconciliation: missing, too much",
        f"{books['missing']}, {books['surplus']} units",
        (books["missing"], books["surplus"], books["in_flight"]) == (0, 0, 0),
    )
    total = sum(owed.values())
    found.expect("left in the router", usdt(books["held"]), books["held"] == FUNDS - total)
    head = operator.get("payouts", "/payouts/reconciliation")
    found.measured("ledger", f"{head['ledger_entries']} entries, head {head['ledger_hash'][:16]}…")
    for name, argv, cwd in (
        ("tronweb", ["node", "balances.mjs"], with_tronweb()),
        ("tronpy", [sys.executable, "balances.py"], PEERS),
    ):
        balances = read_by(argv, cwd, plane, [*owed, plane.router])
        right = sum(
            balances.get(who) == units for who, units in (owed | {plane.router: FUNDS - total}).items()
        )
        found.expect(f"balances read by {name}", f"{right} of {len(owed) + 1} right", right == len(owed) + 1)


def mined(operator: Person, payer: str) -> tuple[list[str], set[str]]:
    """Who got transfers from the payer in solid blocks, and in which transactions, as the token logs them."""
    last = operator.get("client", "/tron/network/height")["solid"]
    found = []
    for first in range(0, last + 1, 200):
        path = f"/usdt/transactions/{payer}?first_block={first}&last_block={min(last, first + 199)}"
        found += [each for each in operator.get("usdt", path)["transfers"] if each["from"] == payer]
    return [each["to"] for each in found], {each["txid"] for each in found}


def with_tronweb() -> Path:
    """A directory with the pinned tronweb and the script; installed once."""
    version = sha256((NPM / "package-lock.json").read_bytes()).hexdigest()[:16]
    where = NPM.parents[2] / ".cache" / f"demo-tronweb-{version}"
    where.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, where)
    shutil.copy(PEERS / "balances.mjs", where)
    if not (where / "node_modules" / "tronweb").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
    return where


def read_by(argv: list[str], cwd: Path, plane: Plane, addresses: list[str]) -> dict[str, int]:
    """Balances that somebody else's library reads."""
    done = subprocess.run(
        [*argv, plane.node, plane.usdt, *addresses], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        say(f"{argv[-1]}: {done.stderr.strip()[-500:]}")
        return {}
    return {address: int(units) for address, units in json.loads(done.stdout).items()}


def usdt(units: int) -> str:
    return f"{units / 1_000_000:,.6f} USDT"


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
