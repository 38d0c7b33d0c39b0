"""The wallets service, asked from another process: where keys are is the only place that signs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucid_kit.errors import DomainError, SystemFault, Unavailable
from lucid_kit.http import Client, RemoteProblem
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.wallets.deposits import Reserved

_PAGE = 500


class SignatureRefused(DomainError):
    """The wallets service does not sign this: a cap, an archived wallet, a call it cannot read."""

    code = "LUCID_ERR_4850"
    advice = "`facts` hold the wallets service's own code and advice; follow those. Nothing was signed."


class SignatureUnusable(SystemFault):
    """The wallets service signed something else than it was asked to."""

    code = "LUCID_ERR_5850"
    advice = (
        "Stop: whatever answers at the address of the wallets service is not to be trusted. Nothing was sent."
    )


class WalletsFailed(Unavailable):
    """The wallets service could not answer."""

    code = "LUCID_ERR_5851"
    advice = "Look at the wallets service: it runs and failed. What asked it tries again by itself."


@dataclass(frozen=True, slots=True)
class RemoteWallet:
    """A wallet as the service shows it."""

    id: str
    name: str
    kind: str
    address: Address
    archived: bool


class RemoteWallets:
    """A `Signer` behind HTTP. Usable concurrently; asking again for the same bytes counts nothing twice.

    Every method raises RemoteUnavailable or WalletsFailed while the service does not answer.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str, token_file: Path) -> RemoteWallets:
        """The service at `url`; the token is read anew for each request, for it is renewed in place."""
        return cls(Client(url, token=token_from(token_file), timeout_s=30))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def get(self, wallet_id: str) -> RemoteWallet:
        """A wallet.

        Raises
        ------
        SignatureRefused
            If there is none with the id, or this service may not see it.
        """
        found = await self._ask(lambda: self._client.get(f"/wallets/{wallet_id}"))
        address = Address.parse(found["address"])
        return RemoteWallet(found["id"], found["name"], found["kind"], address, found["archived"])

    async def sign(
        self, wallet_id: str, raw: RawTransaction, *, now_ms: int | None = None
    ) -> SignedTransaction:
        """Have a transaction signed within the wallet's caps, and check that it is that very one.

        Raises
        ------
        SignatureRefused
            If the wallets service refuses, with its own code among the facts.
        SignatureUnusable
            If it signed anything else.
        """
        encoded = transaction.encode(raw)
        body = {"raw": encoded.hex(), "now_ms": now_ms}
        found = await self._ask(lambda: self._client.post(f"/wallets/{wallet_id}/signatures", json=body))
        try:
            signed = transaction.decode_signed(bytes.fromhex(found["envelope"]))
        except (CodecError, ValueError, KeyError, TypeError) as error:
            raise SignatureUnusable("The answer of the wallets service is no signed transaction") from error
        if signed.raw != encoded or not signed.signatures:
            raise SignatureUnusable("The wallets service signed another transaction than it was asked to")
        return signed

    async def reserve(self, wallet_id: str, reservation: str) -> Reserved:
        """The deposit address of a reservation; the same one each time it is asked for.

        Raises
        ------
        SignatureRefused
            If the wallet takes no deposits, or does not sign for this service.
        """
        body, path = {"reservation": reservation}, f"/wallets/{wallet_id}/addresses"
        return _reserved(await self._ask(lambda: self._client.post(path, json=body)))

    async def reserved(self, wallet_id: str, after: int = -1) -> list[Reserved]:
        """All deposit addresses of a wallet behind an index, in the order they were reserved."""
        found: list[Reserved] = []
        while True:
            params = {"after": found[-1].index if found else after, "limit": _PAGE}
            path = f"/wallets/{wallet_id}/addresses"
            answer = await self._ask(lambda: self._client.get(path, params=params))  # noqa: B023 -- awaited here
            found += [_reserved(each) for each in answer["addresses"]]
            if len(answer["addresses"]) < _PAGE:
                return found

    async def _ask(self, request: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = (await request()).json()
        except RemoteProblem as problem:
            facts = {name: value for name, value in problem.facts.items() if value is not None}
            if problem.remote_status >= 500:
                raise WalletsFailed(problem.detail, **facts) from problem
            raise SignatureRefused(problem.detail, **facts) from problem
        return answer


def _reserved(said: dict[str, Any]) -> Reserved:
    return Reserved(said["reservation"], said["wallet"], Address.parse(said["address"]), said["index"])


def token_from(file: Path) -> Callable[[], str]:
    """A token provider that reads a file each time."""
    return lambda: file.read_text("ascii").strip()
