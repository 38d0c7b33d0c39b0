"""Figures for Prometheus: one registry an app, names `lucid_<cluster>_<noun>_<unit>`."""

import re
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_NAME = re.compile("lucid(_[a-z0-9]+){2,}")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one app.

    Labels must come from small closed sets (a route's template, a state), never ids or addresses: each
    combination is a time series that Prometheus keeps.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        """A count that only grows, named `…_total`."""
        return Counter(_checked(name), help_text, labels, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        """A figure that goes up and down, named for its unit: `…_bytes`, `…_sessions`."""
        return Gauge(_checked(name), help_text, labels, registry=self.registry)

    def histogram(
        self, name: str, help_text: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        """A distribution, named for its unit; the default buckets are seconds from 1 ms to 30 s."""
        return Histogram(_checked(name), help_text, labels, registry=self.registry, buckets=buckets)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format (content type `CONTENT_TYPE`)."""
        return generate_latest(self.registry)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not lucid_<cluster>_<noun>_<unit>")
    return name
