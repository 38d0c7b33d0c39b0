"""A wallet plane as it starts: one process has keys, and each service sends from its own wallet."""

from collections.abc import Iterator

import httpx
import pytest

from demo.plane import Person, Plane, until

pytestmark = pytest.mark.real

UNIT = SUN = 1_000_000


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    directory = tmp_path_factory.mktemp("plane")
    quick = {f"LUCID_TRON_{name}_TICK_S": "0.2" for name in ("PAYOUTS", "STAKING", "GATEWAY")}
    settings = {"LUCID_TRON_UP_BLOCK_S": "0.4", "LUCID_TRON_UP_SOLID_LAG": "2"}
    with Plane(directory / "data", directory / "up.log", **settings, **quick) as started:
        yield started


def wallet(plane: Plane, name: str) -> dict[str, object]:
    found = plane.operator.get("wallets", "/wallets")["wallets"]
    return next(each for each in found if each["name"] == name)


def test_only_the_wallets_service_has_a_key(plane: Plane) -> None:
    kept = {path.relative_to(plane.data) for path in plane.data.rglob("*") if path.is_file()}
    secret = {str(path) for path in kept if path.suffix == ".key" or "phrase" in path.name}
    assert secret == {"issuer/signing.key", "wallets/wallets.key"}


def test_the_treasury_and_the_stake_sign_for_their_services_alone(plane: Plane) -> None:
    treasury, stake = wallet(plane, "treasury"), wallet(plane, "stake")
    assert (treasury["signers"], stake["signers"], stake["caps"]) == (["gateway"], ["staking"], {})
    caps = treasury["caps"]
    assert isinstance(caps, dict)
    assert {asset: cap["family"] for asset, cap in caps.items()} == {plane.usdt: False, "TRX": True}
    for thief, own in (("gateway", treasury), ("staking", stake)):
        token = Person(plane, plane.data / "tokens" / f"{thief}.token")
        others = {"hot": plane.hot, "treasury": treasury["id"], "stake": stake["id"]}
        for name, id_ in others.items():
            answer = token.ask("POST", "wallets", f"/wallets/{id_}/signatures", json={"raw": "0a00"})
            mine = id_ == own["id"]
            assert answer.json()["code"].endswith("2751") != mine, (thief, name)


def test_the_services_work_with_them(plane: Plane) -> None:
    operator, treasury, stake = plane.operator, wallet(plane, "treasury"), wallet(plane, "stake")
    for address in (treasury["address"], stake["address"]):
        body = {"address": address, "trx": 1_000 * SUN}
        httpx.post(f"{plane.node}/admin/faucet", json=body, timeout=60).raise_for_status()
    asked = {"operation_id": "stake-1", "amount": 100 * SUN}
    until(lambda: operator.ask("POST", "staking", "/staking/stake", json=asked).is_success or None)
    payment = operator.post("gateway", "/payments/process", {"amount": 20 * UNIT})
    reserved = operator.get("wallets", f"/wallets/{treasury['id']}/addresses")["addresses"]
    assert payment["address"] in [each["address"] for each in reserved]
    body = {"address": payment["address"], "usdt": 20 * UNIT}
    httpx.post(f"{plane.node}/admin/faucet", json=body, timeout=60).raise_for_status()

    def swept() -> bool | None:
        found = operator.get("usdt", f"/usdt/balance/{treasury['address']}")
        return found["units"] == 20 * UNIT or None

    until(swept, within=120)
    staked = f"/staking/status/{stake['address']}"
    until(lambda: operator.get("staking", staked)["staked"].get("ENERGY") == 100 * SUN or None, within=120)
    books = operator.get("gateway", "/payments/reconciliation")
    assert (books["halted"], books["report"]["balances"]) == (None, True)
    for service in ("gateway", "payouts"):
        assert httpx.get(f"{plane.services[service]}/ready").json()["status"] == "ready"
