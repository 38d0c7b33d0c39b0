"""Run the plane until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import httpx

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import DomainError
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_kit.http import Client
from lucid_kit.supervisor import Supervisor
from lucid_tron.client.profiles import PROFILES
from lucid_tron.codec.address import Address
from lucid_tron.payouts.router import DEFAULT_FEES
from lucid_tron.up.directory import SERVICES, TOKEN_LIFE_S, Directory
from lucid_tron.up.processes import Network, devnet, service, url, urls
from lucid_tron.up.router import MOST_IN_EPOCH, MOST_IN_PAYOUT, router_on_devnet
from lucid_tron.up.settings import UpSettings
from lucid_tron.wallets.remote import token_from

_TRX = 1_000_000
# Caps on a devnet. What the treasury needs to sweep goes to its own deposit addresses alone.
_PAYOUTS = {"per_payment": 10**12, "per_day": 10**14}
_REFUNDS = {"per_payment": 10**9, "per_day": 10**10}
_FUNDING = {"per_payment": 100 * _TRX, "per_day": 5_000 * _TRX, "family": True}


class NoHotWallet(DomainError):
    """There is no wallet that a service could send from."""

    code = "LUCID_ERR_4852"
    advice = "Make it in the key ceremony (docs/tron-go-live.md), then start again."


class Up:
    """One wallet plane, from its start to its end."""

    def __init__(self, settings: UpSettings) -> None:
        self._settings = settings
        self._directory = Directory(settings.data.absolute())
        self._clock: Clock = SystemClock()

    async def run(self, on_ready: Callable[[dict[str, Any]], None]) -> None:
        """Start everything, call `on_ready` with what there is, go on until SIGTERM, end everything.

        Raises
        ------
        AlreadyRunning
            If another holds this directory.
        OtherNetwork, NoHotWallet
            If the directory is not fit.
        ProcessNotReady
            If a process doesn't start; what was started by then is ended.
        """
        make_dirs(self._directory.data)
        with DirectoryLock(self._directory.data, "a wallet plane"):
            self._directory.prepare(self._settings.network, self._clock)
            self._directory.mint(self._clock)
            supervisor = Supervisor(self._clock)
            stopped = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stopped.set)
            starting = asyncio.create_task(self._start(supervisor))
            waiting = asyncio.create_task(stopped.wait())
            try:
                await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    on_ready(starting.result())
                    await self._until(stopped)
            finally:
                starting.cancel()
                waiting.cancel()
                await asyncio.gather(starting, waiting, return_exceptions=True)
                await supervisor.stop_all()

    async def _until(self, stopped: asyncio.Event) -> None:
        """Wait for the end; renew tokens at half of their life meanwhile."""
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOKEN_LIFE_S / 2):
                    await stopped.wait()
                    return
            await asyncio.to_thread(self._directory.mint, self._clock)

    async def _start(self, supervisor: Supervisor) -> dict[str, Any]:
        settings, directory, ports = self._settings, self._directory, self._directory.ports()
        network, own = await self._network(supervisor, ports["devnet"])
        hot = router = issuer = ""
        senders = []
        for name in SERVICES:
            wallet = await self._wallet(name, url(ports, "wallets"), network, own)
            if name == "payouts":
                hot = wallet
                router, issuer = await self._router(url(ports, "wallets"), hot, own)
            process = service(name, directory, settings, network, ports, wallet, router, issuer)
            await supervisor.start(process)
            senders += [wallet] if wallet else []
        if own is not None:
            senders += [issuer] if issuer else []
            payer = router or await self._address(url(ports, "wallets"), hot)
            await self._fund(url(ports, "wallets"), url(ports, "payouts"), senders, payer, own)
        return {
            "ready": True,
            "pid": os.getpid(),
            "network": network.name,
            "usdt": network.usdt,
            "hot_wallet": hot,
            "router": router,
            "services": urls(ports),
            "devnet": own,
            "token_file": str(directory.token("operator")),
        }

    async def _network(self, supervisor: Supervisor, port: int) -> tuple[Network, dict[str, Any] | None]:
        """The network that is named, or else a devnet of our own, with what it says of itself."""
        settings = self._settings
        if settings.network == "devnet" and not settings.nodes:
            said = await supervisor.start(devnet(self._directory, settings, port))
            await self._solidify(said["url"])  # until then no solid block knows the token
            return Network("devnet", tuple(said["urls"]), str(said["usdt"]), 1), said
        profile = PROFILES[settings.network]
        token = settings.usdt or (str(profile.usdt) if profile.usdt else "")
        return Network(settings.network, settings.nodes or profile.nodes, token, settings.quorum), None

    def _ask(self, base: str) -> Client:
        return Client(base, token=token_from(self._directory.token("operator")), timeout_s=30)

    async def _wallet(self, name: str, wallets: str, network: Network, own: dict[str, Any] | None) -> str:
        """The id of the wallet a service sends from, "" if it has none; on our own devnet it is made.

        Raises
        ------
        NoHotWallet
            If there is none on a network of others.
        """
        wanted = {
            "payouts": {"name": self._settings.hot_wallet, "caps": {network.usdt: _PAYOUTS}},
            "staking": {"name": "stake", "caps": {}, "signers": ["staking"]},
            "gateway": {
                "name": "treasury",
                "caps": {network.usdt: _REFUNDS, "TRX": _FUNDING},
                "signers": ["gateway"],
            },
        }.get(name)
        if wanted is None:
            return ""
        async with self._ask(wallets) as client:
            for each in (await client.get("/wallets")).json()["wallets"]:
                if each["name"] == wanted["name"]:
                    return str(each["id"])
            if own is None:
                raise NoHotWallet(f"There is no wallet named {wanted['name']!r}, which {name} sends from")
            return str((await client.post("/wallets", json={"kind": "new", **wanted})).json()["id"])

    async def _solidify(self, node: str) -> None:
        """Seal so many blocks that what is in the newest now is solid."""
        async with httpx.AsyncClient(base_url=node, timeout=60, trust_env=False) as http:
            sealed = {"blocks": self._settings.solid_lag + 2}
            (await http.post("/admin/mine", json=sealed)).raise_for_status()

    async def _router(self, wallets: str, hot: str, own: dict[str, Any] | None) -> tuple[str, str]:
        """The router on our own devnet, through which alone the hot wallet may spend; "" without.

        With one that asks for attestations also the wallet that revokes them. A network of others has its
        router by its owner's hand: LUCID_TRON_PAYOUTS_ROUTER names it.
        """
        settings = self._settings
        if own is None or settings.router == "none":
            return "", ""
        async with self._ask(wallets) as client:
            operator = Address.parse(await self._address(wallets, hot))
            issuers, revoker = dict(settings.issuers), ""
            if settings.router == "kyc":
                made = (await client.post("/wallets", json={"name": "issuer"})).json()
                revoker, issuers = made["id"], issuers | {made["address"]: 0}
            record = self._directory.router
            router = await router_on_devnet(own, settings.router, operator, issuers, record)
            most = {"per_payment": MOST_IN_PAYOUT, "per_day": MOST_IN_EPOCH}
            rules = {"caps": {str(router): most}, "fee_cap": DEFAULT_FEES.cap}
            await client.request("PUT", f"/wallets/{hot}", json=rules)
        return str(router), revoker

    async def _address(self, wallets: str, wallet_id: str) -> str:
        async with self._ask(wallets) as client:
            return str((await client.get(f"/wallets/{wallet_id}")).json()["address"])

    async def _fund(
        self, wallets: str, payouts: str, senders: list[str], payer: str, own: dict[str, Any]
    ) -> None:
        """Give TRX for fees to who sends, worthless USDT to who pays, and enter that into the books."""
        found = [await self._address(wallets, each) for each in senders]
        async with httpx.AsyncClient(base_url=own["url"], timeout=60, trust_env=False) as node:
            for address in found:
                fees = {"address": address, "trx": 100_000 * _TRX}
                (await node.post("/admin/faucet", json=fees)).raise_for_status()
            funds = {"address": payer, "usdt": self._settings.funds}
            answer = (await node.post("/admin/faucet", json=funds)).raise_for_status().json()
        await self._solidify(own["url"])
        async with self._ask(payouts) as client:
            await client.post("/payouts/deposits", json={"txid": answer["transactions"][-1]})
