"""Yesterday's database sends nothing until it was reconciled; and one processor runs at a time."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import BOB
from test_batches import Plane, a_plane

from lucid_tron.payouts import ledger
from lucid_tron.payouts.errors import (
    BooksNotNewest,
    GuardMissing,
    LedgerBroken,
    PayoutsHalted,
    ProcessorRunning,
)
from lucid_tron.payouts.evidence import RouterPayments
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.recovery import Recovery


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that no backup of the database contains."""
    directory = tmp_path / "guard"
    directory.mkdir()
    Guard.create(directory)
    return directory


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    directory = tmp_path / "database"
    directory.mkdir()
    return directory


async def paid(inside: Path, outside: Path, count: int = 4) -> Plane:
    """Books of which a copy was made before the last payouts were paid."""
    with Guard(outside) as guard:
        plane = await a_plane(inside, guard=guard)
        await plane.approved(2)
        await plane.finish()
        await plane.documents.close()
        shutil.copytree(inside, inside.with_name("backup"))
        plane = await a_plane(inside, plane.tron, guard)
        await plane.approved(count, first=2)
        await plane.finish()
        await plane.documents.close()
    shutil.rmtree(inside)
    inside.with_name("backup").rename(inside)
    return plane


def a_recovery(plane: Plane, guard: Guard | None = None) -> Recovery:
    return Recovery(plane.book, plane.client, RouterPayments(plane.client, plane.books.payer), 60_000, guard)


async def test_the_head_is_kept_before_bytes_leave(inside: Path, outside: Path) -> None:
    with Guard(outside) as guard:
        plane = await a_plane(inside, guard=guard)
        assert guard.head.count == 0
        await plane.approved(1)
        await plane.processor.run_once()
        newest = await ledger.newest(plane.documents)
        assert guard.head == newest
        kinds = [entry["kind"] async for entry in ledger.entries(plane.documents)]
        assert kinds[newest.count - 1] == "broadcast"
        await plane.documents.close()
    assert Guard(outside).open().head == newest


async def test_yesterdays_database_is_found_out_at_start_and_sends_nothing(
    inside: Path, outside: Path
) -> None:
    before = await paid(inside, outside)
    sent = len(before.tron.executed)
    with Guard(outside) as guard:
        plane = await a_plane(inside, before.tron, guard)
        with pytest.raises(BooksNotNewest):
            await guard.check(plane.book)
        with pytest.raises(PayoutsHalted):
            await plane.processor.run_once()
        await plane.documents.close()
    assert len(before.tron.executed) == sent


async def test_yesterdays_database_that_went_on_is_found_out_before_it_sends(
    inside: Path, outside: Path
) -> None:
    before = await paid(inside, outside)
    with Guard(outside) as guard:
        plane = await a_plane(inside, before.tron, guard)
        await plane.approved(30, first=50)  # its ledger is now longer than the other was
        with pytest.raises(BooksNotNewest, match="another than it was"):
            await plane.processor.run_once()
        assert plane.tron.pending == {}
        await plane.documents.close()


async def test_a_restored_database_is_brought_up_to_the_chain_and_pays_the_rest(
    inside: Path, outside: Path
) -> None:
    before = await paid(inside, outside)
    before.tron.solidify()
    with Guard(outside) as guard:
        plane = await a_plane(inside, before.tron, guard)
        with pytest.raises(BooksNotNewest):
            await guard.check(plane.book)
        recovery = a_recovery(plane)
        blocks = (1, len(plane.tron.blocks) - 25)
        blind = await recovery.adopt(*blocks, "carla")
        assert (len(blind.payouts), len(blind.unknown)) == (0, 4)
        asked = await plane.approved(5, first=2)  # what came since is handed in again, and one more
        found = await recovery.adopt(*blocks, "carla")
        assert found.payouts == tuple(f"pay_{n:04}" for n in range(2, 6))
        assert (await recovery.adopt(*blocks, "carla")).payouts == ()
        assert (await plane.books.enforce(strict=True)).missing == 0
        await guard.accept(plane.book, "carla", "restored from the backup of the night")
        await plane.book.resume("carla", "reconciled")
        await guard.check(plane.book)
        await plane.finish()
        await plane.all_paid_once(asked)
        await plane.documents.close()


async def test_what_the_chain_paid_otherwise_is_named_and_entered_only_on_a_persons_word(
    inside: Path, outside: Path
) -> None:
    before = await paid(inside, outside)
    before.tron.solidify()
    plane = await a_plane(inside, before.tron)
    await plane.processor.submit("pay_0003", 1, str(BOB.address), 7, "service")
    blocks = (1, len(plane.tron.blocks) - 25)
    found = await a_recovery(plane).adopt(*blocks, "carla")
    assert (found.contradictions, len(found.unknown), found.payouts) == (("pay_0003",), 3, ())
    assert await plane.state("pay_0003") == "intent"
    await plane.processor.cancel("pay_0003", "carla")
    assert (await a_recovery(plane).adopt(*blocks, "carla")).payouts == ("pay_0003",)
    entered = await plane.book.get("pay_0003")
    assert (entered.state, entered.amount == 7, entered.recipient == BOB.address) == ("settled", False, False)
    await plane.documents.close()


async def test_another_database_with_the_same_guard_is_refused(
    inside: Path, outside: Path, tmp_path: Path
) -> None:
    before = await paid(inside, outside)
    other = tmp_path / "other"
    other.mkdir()
    with Guard(outside) as guard:
        plane = await a_plane(other, before.tron, guard)
        with pytest.raises(BooksNotNewest):
            await guard.check(plane.book)
        await plane.documents.close()


async def test_somebody_who_writes_the_head_file_is_noticed(inside: Path, outside: Path) -> None:
    with Guard(outside) as guard:
        plane = await a_plane(inside, guard=guard)
        await plane.approved(1)
        head = outside / "head.json"
        head.write_bytes(head.read_bytes().replace(b'"count":0', b'"count":1'))
        with pytest.raises(BooksNotNewest, match="Somebody else"):
            await plane.processor.run_once()
        assert plane.tron.pending == {}
        await plane.documents.close()


async def test_a_broken_ledger_is_not_accepted(inside: Path, outside: Path) -> None:
    with Guard(outside) as guard:
        plane = await a_plane(inside, guard=guard)
        await plane.documents.update(ledger.LEDGER.name, f"{1:015d}", {"at_ms": 1})
        for work in (guard.check(plane.book), guard.accept(plane.book, "carla", "why not")):
            with pytest.raises(LedgerBroken):
                await work
        await plane.documents.close()


def test_a_second_processor_is_refused_and_told_who_has_it(outside: Path) -> None:
    program = "import sys; from pathlib import Path; from lucid_tron.payouts.guard import Guard\n"
    program += "Guard(Path(sys.argv[1])).open(); print('open', flush=True); sys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(outside)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        with pytest.raises(ProcessorRunning, match=str(first.pid)):
            Guard(outside).open()
        first.kill()  # the kernel lets go of its lock
    with Guard(outside) as second:
        assert second.head.count == 0


@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b'{"count":-1,"format":"lucid-payout-head/1","hash":""}']
)
def test_without_a_readable_head_nothing_starts(outside: Path, content: Any) -> None:
    head = outside / "head.json"
    if content is None:
        head.unlink()
    else:
        head.write_bytes(content)
    with pytest.raises(GuardMissing):
        Guard(outside).open()
    with pytest.raises(GuardMissing):
        Guard(outside / "nowhere").open()


async def test_a_head_that_was_lost_is_made_anew_as_one_that_vouches_for_no_books(
    inside: Path, outside: Path
) -> None:
    before = await paid(inside, outside)
    before.tron.solidify()
    argv = [sys.executable, "-m", "lucid_tron.up", "head", "--data", str(outside.parent)]
    renewed = outside.parent / "head"
    for code, said in ((0, "A new head is in"), (1, "nothing was changed")):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: ASYNC221
        assert (done.returncode, said in done.stdout) == (code, True)
    with Guard(renewed) as guard:
        plane = await a_plane(inside, before.tron, guard)
        await plane.approved(4, first=2)
        with pytest.raises(BooksNotNewest):
            await plane.processor.run_once()
        assert plane.tron.pending == {}
        await a_recovery(plane).adopt(1, len(plane.tron.blocks) - 25, "carla")
        await guard.accept(plane.book, "carla", "recovered")
        await plane.book.resume("carla", "recovered")
        await plane.approved(1, first=6)
        await plane.finish()
        await plane.documents.close()


def test_making_a_head_again_keeps_what_is_there(outside: Path) -> None:
    before = (outside / "head.json").read_bytes()
    Guard.create(outside)
    assert (outside / "head.json").read_bytes() == before
