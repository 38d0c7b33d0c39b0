"""An instance of Lucid on this machine: one data directory, and where everything in it lies.

The only place that knows file names below `--data DIR`. Commands find a running instance, its addresses and
its token here.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lucid_kit.errors import DomainError, NotFound
from lucid_kit.files import write_atomic


class NotRunning(DomainError):
    """Nothing runs on this data directory."""

    code = "LUCID_ERR_4020"
    advice = "Start it with `lucid --data DIR up`."


class NoInstance(NotFound):
    """There is no instance in this directory."""

    code = "LUCID_ERR_4021"
    advice = (
        "Name the right directory with --data or LUCID_DATA, or make an instance with `lucid --data DIR up`."
    )


class Damaged(DomainError):
    """A file of the instance cannot be read."""

    code = "LUCID_ERR_4022"
    advice = "Restore the file that is named from a backup; nothing was changed."


def default_data() -> Path:
    """Where an instance lives when nobody says: `LUCID_DATA`, else `~/.local/share/lucid`."""
    return Path(os.environ.get("LUCID_DATA") or Path.home() / ".local/share/lucid").absolute()


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one data directory."""

    data: Path

    @property
    def running(self) -> Path:
        """Who runs here, there only while `lucid up` is ready."""
        return self.data / "instance.json"

    @property
    def operator_token(self) -> Path:
        return self.data / "operator.token"

    @property
    def trust(self) -> Path:
        return self.data / "trust.json"

    @property
    def auth(self) -> Path:
        return self.data / "auth"

    @property
    def jwks(self) -> Path:
        return self.auth / "jwks.json"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def recorder_key(self) -> Path:
        return self.keys / "recorder.key"

    @property
    def custody_key(self) -> Path:
        return self.keys / "key-encryption.key"

    @property
    def chain(self) -> Path:
        return self.data / "chain"

    @property
    def sessions(self) -> Path:
        return self.data / "sessions"

    @property
    def rdp(self) -> Path:
        return self.data / "rdp"

    @property
    def wallet(self) -> Path:
        """The wallet plane's own; only its processes look inside."""
        return self.data / "wallet"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def service_token(self, service: str) -> Path:
        return self.auth / f"{service}.token"


@dataclass(frozen=True, slots=True)
class Running:
    """A running instance: addresses are base URLs, `started` is milliseconds since 1970."""

    pid: int
    api: str
    services: Mapping[str, str]
    started: int
    version: str

    def write(self, layout: Layout) -> None:
        write_atomic(layout.running, json.dumps(asdict(self), indent=2, default=dict).encode(), 0o600)

    @classmethod
    def find(cls, layout: Layout) -> "Running":
        """The instance that runs on this data directory.

        Raises
        ------
        NoInstance
            If the directory holds no instance at all.
        NotRunning
            If it holds one that is not running, or not ready yet.
        Damaged
            If `instance.json` cannot be read.
        """
        if not layout.data.is_dir() or not layout.keys.is_dir():
            raise NoInstance(f"{layout.data} holds no instance of Lucid", data=layout.data)
        try:
            found = cls(**json.loads(layout.running.read_bytes()))
        except FileNotFoundError:
            raise NotRunning(f"No instance is running on {layout.data}", data=layout.data) from None
        except (ValueError, TypeError) as error:
            raise Damaged(f"{layout.running} is not what `lucid up` wrote: {error}") from error
        if not _alive(found.pid):
            raise NotRunning(
                f"The instance on {layout.data} ended without saying so (it was process {found.pid})",
                data=layout.data,
            )
        return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
