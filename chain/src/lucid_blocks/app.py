"""Composition root: a data directory becomes a node, and a node an app. The only place that wires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from lucid_blocks.api import anchoring, blocks, chain, consensus, merkle, tlog, transactions
from lucid_blocks.figures import Figures
from lucid_blocks.home import load_genesis, load_identity
from lucid_blocks.intake import Intake
from lucid_blocks.ledger import Ledger
from lucid_blocks.mempool import Bounds
from lucid_blocks.node import Node
from lucid_blocks.solo import SoloEngine
from lucid_blocks.view import View
from lucid_kit.clock import Clock
from lucid_kit.http import create_app, serve

BODY_LIMIT = 1 << 20


def open_node(directory: Path, clock: Clock, bounds: Bounds | None = None) -> Node:
    """Open the chain in a directory that the caller has locked; see `Ledger` and `load_identity` for
    errors."""
    genesis = load_genesis(directory)
    identity = load_identity(directory, genesis)
    ledger = Ledger(directory, genesis, clock, bounds or Bounds())
    engine = SoloEngine(ledger, identity.log, identity.validator, clock)
    return Node(genesis, ledger, engine, Intake(ledger), View(ledger), clock)


def build_app(node: Node) -> FastAPI:
    """The HTTP app over a node. It does not start the engine."""

    async def database() -> None:
        await asyncio.to_thread(node.ledger.store.ping)

    app = create_app(
        "chain",
        version=version("lucid-blocks"),
        routers=[each.routes for each in (chain, blocks, transactions, anchoring, consensus, merkle, tlog)],
        verifier=None,
        ready={"database": database, "engine": node.check_engine},
        body_limit=BODY_LIMIT,
        clock=node.clock,
    )
    app.state.node = node
    figures = Figures(app.state.metrics, node)
    node.engine.watch(figures.lateness.observe, figures.making.observe)
    return app


async def run(node: Node, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve and decide blocks until SIGTERM or SIGINT, then end in order.

    If the engine fails the server ends too and the engine's error is raised: a chain without blocks must not
    look alive.
    """
    app = build_app(node)
    served = asyncio.create_task(serve(app, host=host, port=port, on_ready=on_ready))
    decided = asyncio.create_task(node.engine.run())
    try:
        await asyncio.wait((served, decided), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (served, decided):
            task.cancel()
        ended = await asyncio.gather(served, decided, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome
