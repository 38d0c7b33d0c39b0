"""Yesterday's backup under a payout service: it sends nothing, says why, and in the end all are paid once."""

import contextlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.plane import Person, Plane, until
from lucid_tron.keys.signing import PrivateKey

pytestmark = pytest.mark.real

UNIT = 1_000_000
LIFETIME_S = 30


def payee(number: int) -> str:
    return str(PrivateKey((9_000 + number).to_bytes(32, "big")).address)


@pytest.fixture(params=["v0", "none"])
def plane(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plane]:
    """A plane that pays through a router, and one whose hot wallet pays itself."""
    with Plane(
        tmp_path / "data",
        tmp_path / "up.log",
        LUCID_TRON_UP_ROUTER=request.param,
        LUCID_TRON_UP_BLOCK_S="0.4",
        LUCID_TRON_UP_SOLID_LAG="2",
        LUCID_TRON_PAYOUTS_LIFETIME_MS=str(LIFETIME_S * 1000),
        LUCID_TRON_PAYOUTS_TICK_S="0.2",
    ) as started:
        yield started


class Desk:
    """The people who pay, and the chain that shows what they paid."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.operator = plane.operator
        self.carla: Person = plane.person("carla", "tron:approve", "tron:read")
        hot = self.operator.get("wallets", f"/wallets/{plane.hot}")["address"]
        self.payer = plane.router or hot

    def ask(self, *numbers: int) -> None:
        """Ask for payouts and approve them; asking again does nothing twice."""
        for number in numbers:
            wanted = {"payout_id": f"pay-{number}", "epoch": 1, "recipient": payee(number)}
            self.operator.post("payouts", "/payouts/initiate", wanted | {"amount": number * UNIT})
            if self.state(number) == "intent":
                self.carla.post("payouts", f"/payouts/pay-{number}/approve")

    def state(self, number: int) -> str:
        return str(self.operator.get("payouts", f"/payouts/pay-{number}")["state"])

    def paid(self, *numbers: int) -> None:
        until(lambda: all(self.state(number) == "settled" for number in numbers) or None, within=120)

    def transfers(self) -> dict[str, list[int]]:
        """Who got how much from the payer, in all solid blocks."""
        last = self.operator.get("client", "/tron/network/height")["solid"]
        found: dict[str, list[int]] = {}
        for first in range(0, last + 1, 200):
            path = f"/usdt/transactions/{self.payer}?first_block={first}&last_block={min(last, first + 199)}"
            for each in self.operator.get("usdt", path)["transfers"]:
                if each["from"] == self.payer:
                    found.setdefault(each["to"], []).append(each["units"])
        return found

    def once(self, *numbers: int) -> dict[str, list[int]]:
        return {payee(number): [number * UNIT] for number in numbers}

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.get("payouts", "/payouts/reconciliation")
        return found

    def recovered(self) -> dict[str, Any]:
        """Begin a recovery, let time pass, and wait for its end."""
        self.operator.post("payouts", "/payouts/recovery", {})
        httpx.post(f"{self.plane.node}/admin/advance", json={"seconds": LIFETIME_S + 60}).raise_for_status()

        def finished() -> dict[str, Any] | None:
            found: dict[str, Any] = self.operator.get("payouts", "/payouts/recovery")
            return found if found["finished"] else None

        return until(finished, within=120)


def back_up(plane: Plane, to: Path) -> None:
    source = plane.data / "payouts" / "payouts.db"
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(to)) as copy:
        live.backup(copy)


def kill_and_restore(plane: Plane, backup: Path) -> None:
    """kill -9, then put the copy in the database's place before anything is started again."""
    before = plane.pid("payouts")
    os.kill(plane.supervisor, signal.SIGSTOP)
    try:
        plane.kill("payouts")
        for old in (plane.data / "payouts").glob("payouts.db*"):
            old.unlink()
        shutil.copy(backup, plane.data / "payouts" / "payouts.db")
    finally:
        os.kill(plane.supervisor, signal.SIGCONT)
    until(lambda: plane.pid("payouts") != before or None)


def test_a_restored_backup_sends_nothing_until_it_was_brought_up_to_the_chain(
    plane: Plane, tmp_path: Path
) -> None:
    desk = Desk(plane)
    desk.ask(1, 2)
    desk.paid(1, 2)
    back_up(plane, tmp_path / "yesterday.db")
    desk.ask(3, 4, 5)
    desk.paid(3, 4, 5)
    kill_and_restore(plane, tmp_path / "yesterday.db")

    # It refuses and says why, also when somebody resumes it without a look.
    assert "when something was last sent" in desk.books()["halted"]
    desk.ask(3, 6)  # 3 was paid, which these books do not know
    desk.operator.post("payouts", "/payouts/resume", {"why": "it looks all right to me"})
    until(lambda: desk.books()["halted"])
    refused = desk.operator.ask("POST", "payouts", "/payouts/books/accept", json={"why": "never mind"})
    assert (refused.status_code, refused.json()["code"]) == (409, "LUCID_ERR_4836")
    assert (desk.state(3), desk.state(6)) == ("approved", "approved")

    # Recovery: what was asked for since is handed in again, and the chain says what of it was paid.
    blind = desk.recovered()
    assert (blind["entered"], len(blind["unknown"])) == (1, 2)
    desk.ask(4, 5)
    found = desk.recovered()
    assert (found["entered"], found["unknown"], found["contradictions"], found["again"]) == (2, [], [], [])
    assert desk.transfers() == desk.once(1, 2, 3, 4, 5)

    balance = desk.operator.post("payouts", "/payouts/reconciliation")
    assert (balance["missing"], balance["surplus"]) == (0, 0)
    desk.operator.post("payouts", "/payouts/books/accept", {"why": "recovered to the newest block"})
    desk.operator.post("payouts", "/payouts/resume", {"why": "the books balance"})
    desk.paid(1, 2, 3, 4, 5, 6)
    assert desk.transfers() == desk.once(1, 2, 3, 4, 5, 6)
    balance = desk.operator.post("payouts", "/payouts/reconciliation")
    assert (balance["missing"], balance["surplus"]) == (0, 0)
    assert desk.books()["halted"] is None
