"""Figures of the chain for Prometheus."""

from __future__ import annotations

from lucid_blocks.node import Node
from lucid_kit.metrics import Metrics


class Figures:
    """The chain's figures in one registry. Gauges are read when they are asked for."""

    def __init__(self, metrics: Metrics, node: Node) -> None:
        view, ledger = node.view, node.ledger
        gauges = {
            ("lucid_chain_height_blocks", "Height of the newest anchored block"): lambda: (
                view.head().header.height
            ),
            ("lucid_chain_log_leaves", "Leaves under the newest checkpoint"): view.size,
            ("lucid_chain_head_timestamp_seconds", "Time of the newest block"): lambda: (
                view.head().header.time_ms / 1000
            ),
            ("lucid_chain_late_seconds", "By how much the next block is overdue"): lambda: (
                node.delay_ms() / 1000
            ),
            ("lucid_chain_pending_transactions", "Transactions that wait"): lambda: ledger.waiting_size()[0],
            ("lucid_chain_pending_bytes", "Their bytes"): lambda: ledger.waiting_size()[1],
            ("lucid_chain_open_sessions", "Open sessions"): lambda: len(ledger.state.open),
            ("lucid_chain_closed_sessions", "Closed sessions"): lambda: ledger.state.closed.size,
        }
        for (name, text), read in gauges.items():
            metrics.gauge(name, text).set_function(read)
        self.lateness = metrics.histogram(
            "lucid_chain_lateness_seconds", "How late after its slot a block was begun"
        )
        self.making = metrics.histogram(
            "lucid_chain_block_seconds", "From a block's begin to its publication"
        )
