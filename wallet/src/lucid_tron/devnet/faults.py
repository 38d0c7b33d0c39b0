"""What a node does wrong on request. Each of a chain's nodes has its own set.

A count of 0 is off, a positive one is used up request by request, -1 stays on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

ALWAYS = -1
LIES = frozenset({"txid", "balance", "receipt"})


class UnknownFault(ValueError):
    """There is no such knob, or it does not take that value."""


@dataclass(slots=True)
class Faults:
    """The knobs of one node."""

    busy: int = 0  # broadcasts answered SERVER_BUSY, nothing taken
    lose: int = 0  # broadcasts answered with success and forgotten
    duplicate: int = 0  # broadcasts taken, and answered DUP_TRANSACTION_ERROR
    mute: int = 0  # broadcasts taken, and the connection cut before the answer
    throttle: int = 0  # requests answered 429
    broken: int = 0  # requests answered 503 with an HTML page, as a proxy does
    slow_ms: int = 0  # every answer waits this long
    solid_lag: int = 0  # blocks by which this node's solid head is behind the others'
    lie: list[str] = field(default_factory=list)  # of LIES
    lost: dict[bytes, object] = field(default_factory=dict)  # what `lose` forgot, by txID

    def take(self, name: str) -> bool:
        """Return whether the fault strikes now, and use one of its count up."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0

    def change(self, knobs: dict[str, object]) -> None:
        """Turn knobs by name; all or none.

        Raises
        ------
        UnknownFault
            If a name or a value makes no sense.
        """
        known = {each.name for each in fields(self)} - {"lost"}
        for name, value in knobs.items():
            if name not in known:
                raise UnknownFault(f"There is no fault {name!r}; there are {', '.join(sorted(known))}")
            if name == "lie":
                if not isinstance(value, list) or not set(value) <= LIES:
                    raise UnknownFault(f"lie is a list of {', '.join(sorted(LIES))}, not {value!r}")
            elif type(value) is not int or value < ALWAYS:
                raise UnknownFault(f"{name} is a number from -1 up, not {value!r}")
        for name, value in knobs.items():
            setattr(self, name, value)

    def shown(self) -> dict[str, object]:
        """Every knob as it stands."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "lost"}
