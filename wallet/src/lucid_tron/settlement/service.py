"""Accepted statements, rate policies and payout addresses, kept durably."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, Index
from lucid_proof.trust import TrustPolicy
from lucid_tron.codec.address import Address
from lucid_tron.sending.atomic import atomically
from lucid_tron.settlement.bindings import Binding, SignedBinding
from lucid_tron.settlement.errors import (
    BindingRefused,
    NoRatePolicy,
    OverlappingStatement,
    RatePolicyRefused,
    SettlementNotFound,
    StatementReplayed,
    UntrustedChain,
)
from lucid_tron.settlement.rates import RatePolicy, SignedRatePolicy
from lucid_tron.settlement.settle import Intent, Settlement, settle
from lucid_tron.settlement.statement import Proven, Statement, read_statement

STATEMENTS = Collection("settlement_statements", Index("chain", "epoch", unique=True))
INTENTS = Collection("settlement_intents", Index("chain", "epoch"))
CHAINS = Collection("settlement_chains")
POLICIES = Collection("settlement_policies", Index("chain", "version", unique=True), Index("chain", "from"))
BINDINGS = Collection("settlement_bindings", Index("chain", "counts_from_ms"), Index("chain", "operator"))
HELD = Collection("settlement_held", Index("chain"))
REBIND_DELAY_MS = 24 * 3_600_000


class Payable(Protocol):
    """Who takes payouts: `PayoutProcessor`, or a client of its service."""

    async def submit_all(self, asked: Iterable[tuple[str, int, str, int]], who: str) -> int: ...


class Settlements:
    """What was proven, at which rate, and to whom it is paid. Usable concurrently.

    Parameters
    ----------
    trusted
        Trust policies of the chains whose operators are paid.
    authorities
        Ed25519 keys (32 bytes) that may set rates.
    forbidden
        Addresses that can never be a payout address: wallets of ours, the token, the router.
    """

    collections = (STATEMENTS, INTENTS, CHAINS, POLICIES, BINDINGS, HELD)

    def __init__(
        self,
        documents: Documents,
        clock: Clock,
        trusted: Sequence[TrustPolicy],
        authorities: frozenset[bytes],
        forbidden: frozenset[Address] = frozenset(),
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._trusted = tuple(trusted)
        self._authorities = authorities
        self._forbidden = forbidden

    async def prepare(self) -> None:
        """Make the collections and indexes."""
        await self._documents.ensure(*self.collections)

    # --- rates ---

    async def publish(self, data: bytes) -> RatePolicy:
        """Take a signed rate policy (docs/specs/settlement.md); publishing the same again does nothing.

        A later version counts only for epochs that begin after it was published: it must be dated in the
        future. Thus no change reaches an epoch that is under way.

        Raises
        ------
        MalformedRatePolicy, RatePolicyRefused
            If it is not in form, signed by an authority, the next version, or dated in the future.
        UntrustedChain
            If it is for a chain that is not paid for.
        """
        signed = SignedRatePolicy.read(data, self._authorities)
        policy = signed.policy
        self._require_chain(policy.origin)

        async def change(inside: Documents) -> RatePolicy:
            known = await inside.find(
                POLICIES.name, {"chain": policy.origin}, sort=[("version", -1)], limit=policy_window
            )
            for each in known:
                if each["version"] == policy.version and each["file"] == data.decode():
                    return policy
            newest = RatePolicy.from_json(known[0]["policy"]) if known else None
            if policy.version != (newest.version + 1 if newest else 1):
                after = newest.version if newest else 0
                raise RatePolicyRefused(f"Version {policy.version} does not follow version {after}")
            if newest and policy.from_ms <= max(newest.from_ms, self._clock.now_ms()):
                raise RatePolicyRefused("It is dated back, or not after the version before it")
            await inside.insert(
                POLICIES.name,
                {
                    "id": f"{policy.origin}#{policy.version}",
                    "chain": policy.origin,
                    "version": policy.version,
                    "from": policy.from_ms,
                    "policy": policy.to_json(),
                    "file": data.decode(),
                },
            )
            return policy

        policy_window = 100
        return await atomically(self._documents, change)

    async def policy_at(self, origin: str, began_ms: int) -> RatePolicy:
        """The rate policy for an epoch that began then: the newest dated no later.

        Raises
        ------
        NoRatePolicy
            If there is none for the chain.
        """
        return await self._policy_at(self._documents, origin, began_ms)

    async def _policy_at(self, inside: Documents, origin: str, began_ms: int) -> RatePolicy:
        where = {"chain": origin, "from": {"$lte": began_ms}}
        found = await inside.find(POLICIES.name, where, sort=[("from", -1)], limit=1)
        if not found:
            raise NoRatePolicy(f"No rate policy of {origin!r} was in force at {began_ms}")
        return RatePolicy.from_json(found[0]["policy"])

    # --- addresses ---

    async def bind(self, data: bytes) -> Binding:
        """Take a binding that both keys signed; taking the same again does nothing.

        The first counts at once. A later one counts a day later, and until then the earlier address is
        paid. A binding that comes meanwhile puts the waiting one aside: whose operator key was stolen has a
        day to bind their own address again.

        Raises
        ------
        MalformedBinding, BindingRefused, UntrustedChain
            If it is not in form, not rightly signed, expired, or has an old nonce or an unfit address.
        """
        signed = SignedBinding.read(data, self._clock.now_ms())
        binding = signed.binding
        self._require_chain(binding.origin)
        if binding.address in self._forbidden:
            raise BindingRefused(f"{binding.address} is one of the payer's own addresses")

        async def change(inside: Documents) -> Binding:
            where = {"chain": binding.origin, "operator": binding.operator.hex()}
            known = await inside.find(BINDINGS.name, where, sort=[("nonce", -1)], limit=1)
            if known and known[0]["file"] == data.decode():
                return binding
            if known and binding.nonce <= known[0]["nonce"]:
                raise BindingRefused(f"The nonce {binding.nonce} is not above {known[0]['nonce']}")
            now = self._clock.now_ms()
            # The newest word counts: one that was still waiting its day never comes to count.
            for each in await inside.find(BINDINGS.name, where | {"counts_from_ms": {"$gt": now}}):
                await inside.update(BINDINGS.name, each["id"], {"void": True})
            # The id makes two who bind with one nonce at once conflict, whichever engine keeps the documents.
            await inside.insert(
                BINDINGS.name,
                {
                    "id": f"{binding.origin}#{binding.operator.hex()}#{binding.nonce}",
                    **where,
                    "nonce": binding.nonce,
                    "address": str(binding.address),
                    "bound_ms": now,
                    "counts_from_ms": now + REBIND_DELAY_MS if known else now,
                    "void": False,
                    "file": data.decode(),
                },
            )
            return binding

        return await atomically(self._documents, change)

    async def addresses(self, origin: str) -> dict[bytes, Address]:
        """Operator → address that counts now."""
        return await self._addresses(self._documents, origin)

    async def _addresses(self, inside: Documents, origin: str) -> dict[bytes, Address]:
        now = self._clock.now_ms()
        where = {"chain": origin, "void": False, "counts_from_ms": {"$lte": now}}
        found = await inside.find(BINDINGS.name, where, sort=[("nonce", 1)])
        # In the order of their nonces, so that the newest of each operator stands at the end.
        bound = {bytes.fromhex(each["operator"]): Address.parse(each["address"]) for each in found}
        # An address may have become the payer's own since it was bound, as a new router's does: what is owed
        # to it is held, for a statement with a payout that is refused would hold up all others.
        return {operator: address for operator, address in bound.items() if address not in self._forbidden}

    # --- statements ---

    async def accept(self, data: bytes) -> Settlement:
        """Prove a statement, price it, and store it with its intents, all or nothing.

        Raises
        ------
        MalformedStatement, UntrustedChain, StatementAltered
            If it is not proven.
        StatementReplayed
            If this very statement was accepted before.
        OverlappingStatement
            If another covers its epoch or some of its blocks.
        NoRatePolicy, TooMuchOwed
            If it cannot be priced.
        """
        proven = read_statement(data, self._trusted)

        async def change(inside: Documents) -> Settlement:
            return await self._accept(inside, proven, data)

        return await atomically(self._documents, change)

    async def _accept(self, inside: Documents, proven: Proven, data: bytes) -> Settlement:
        statement = proven.statement
        await self._require_new(inside, proven)
        policy = await self._policy_at(inside, statement.origin, statement.began_ms)
        owed = {
            bytes.fromhex(each["operator"]): each["units"]
            for each in await self._held(inside, statement.origin)
        }
        result = settle(statement, policy, await self._addresses(inside, statement.origin), owed)
        await self._claim(inside, statement)
        await inside.insert(
            STATEMENTS.name,
            {
                "id": f"{statement.origin}#{statement.epoch:012d}",
                "chain": statement.origin,
                "epoch": statement.epoch,
                "first_block": statement.first_block,
                "last_block": statement.last_block,
                "leaf": proven.id,
                "policy_version": policy.version,
                "earned": result.earned,
                "brought": result.brought,
                "remainder": result.remainder,
                "held": {operator.hex(): units for operator, units in result.held.items()},
                "accepted_ms": self._clock.now_ms(),
                "file": data.decode(),
            },
        )
        for intent in result.intents:
            await inside.insert(INTENTS.name, _intent_document(statement, intent))
        await self._keep(inside, statement.origin, owed, result)
        return result

    async def _require_new(self, inside: Documents, proven: Proven) -> None:
        new = proven.statement
        for epochs, order in (({"$gte": new.epoch}, 1), ({"$lt": new.epoch}, -1)):
            where = {"chain": new.origin, "epoch": epochs}
            for each in await inside.find(STATEMENTS.name, where, sort=[("epoch", order)], limit=1):  # type: ignore[list-item]
                if each["leaf"] == proven.id:
                    raise StatementReplayed(f"Epoch {new.epoch} of {new.origin!r} was accepted already")
                earlier = each["epoch"] < new.epoch and each["last_block"] < new.first_block
                later = each["epoch"] > new.epoch and each["first_block"] > new.last_block
                if not (earlier or later):
                    raise OverlappingStatement(
                        f"Epoch {new.epoch} (blocks {new.first_block} to {new.last_block}) overlaps epoch"
                        f" {each['epoch']} (blocks {each['first_block']} to {each['last_block']})",
                        accepted_leaf=each["leaf"],
                        leaf=proven.id,
                    )

    async def _claim(self, inside: Documents, statement: Statement) -> None:
        """Write one document of the chain, so that two acceptances at once conflict and one runs again."""
        known = await inside.get(CHAINS.name, statement.origin)
        if known is None:
            await inside.insert(CHAINS.name, {"id": statement.origin, "statements": 1})
        else:
            await inside.update(CHAINS.name, statement.origin, {"statements": known["statements"] + 1})

    async def _held(self, inside: Documents, origin: str) -> list[dict[str, Any]]:
        return await inside.find(HELD.name, {"chain": origin})

    async def _keep(
        self, inside: Documents, origin: str, before: dict[bytes, int], result: Settlement
    ) -> None:
        for operator in before.keys() - result.held.keys():
            await inside.delete(HELD.name, f"{origin}#{operator.hex()}")
        for operator, units in result.held.items():
            document = {
                "id": f"{origin}#{operator.hex()}",
                "chain": origin,
                "operator": operator.hex(),
                "units": units,
            }
            if operator in before:
                await inside.replace(HELD.name, document)
            else:
                await inside.insert(HELD.name, document)

    async def intents(self, origin: str, epoch: int) -> list[Intent]:
        """The payouts of an accepted statement, as they were when it was accepted.

        Raises
        ------
        SettlementNotFound
            If there is none.
        """
        if await self._documents.get(STATEMENTS.name, f"{origin}#{epoch:012d}") is None:
            raise SettlementNotFound(f"No statement of epoch {epoch} of {origin!r} was accepted")
        found = await self._documents.find(INTENTS.name, {"chain": origin, "epoch": epoch}, sort=[("id", 1)])
        return [
            Intent(
                each["id"],
                each["epoch"],
                bytes.fromhex(each["operator"]),
                Address.parse(each["recipient"]),
                each["amount"],
            )
            for each in found
        ]

    async def held(self, origin: str) -> dict[bytes, int]:
        """Operator → units owed and not asked for yet."""
        found = await self._held(self._documents, origin)
        return {bytes.fromhex(each["operator"]): each["units"] for each in found}

    async def accepted(self, origin: str) -> list[dict[str, Any]]:
        """Accepted statements of a chain, oldest epoch first, each without its file."""
        found = await self._documents.find(STATEMENTS.name, {"chain": origin}, sort=[("epoch", 1)])
        return [{name: value for name, value in each.items() if name != "file"} for each in found]

    async def submit(self, origin: str, epoch: int, payouts: Payable, who: str) -> list[Intent]:
        """Ask for the payouts of an accepted statement; what they are. Asking again changes nothing.

        Raises
        ------
        SettlementNotFound
            If there is none. Else what `payouts` raises: then some may have been asked for and others not.
        """
        intents = await self.intents(origin, epoch)
        fault.point("settlement-accepted")
        # Ends here: the statement and its intents are stored; asking again asks for those that lack.
        asked = ((each.id, each.epoch, str(each.recipient), each.amount) for each in intents)
        await payouts.submit_all(asked, who)
        return intents

    def _require_chain(self, origin: str) -> None:
        if all(each.origin != origin for each in self._trusted):
            raise UntrustedChain(f"The chain {origin!r} is not among those that are paid for")


def _intent_document(statement: Statement, intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "chain": statement.origin,
        "epoch": intent.epoch,
        "operator": intent.operator.hex(),
        "recipient": str(intent.recipient),
        "amount": intent.amount,
    }
