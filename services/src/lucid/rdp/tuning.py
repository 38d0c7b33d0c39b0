"""What can be changed while the manager runs, kept over its restarts; it holds for servers started later."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lucid.rdp.settings import RdpSettings
from lucid_kit.errors import SystemFault
from lucid_kit.files import write_atomic


class TuningUnreadable(SystemFault):
    """The file with what was changed while the manager ran cannot be read."""

    code = "LUCID_ERR_5745"
    advice = "Restore the file that is named, or remove it to go back to the settings."


class Limits(BaseModel):
    """What a session may use."""

    model_config = ConfigDict(extra="forbid")

    memory_bytes: int = Field(ge=64 << 20, le=1 << 50, description="of a session (cgroup v2) or each process")
    processes: int = Field(ge=16, le=1 << 22, description="of a session's user")
    open_files: int = Field(ge=64, le=1 << 20, description="of a process")
    home_bytes: int = Field(ge=1 << 20, le=1 << 50, description="of a session's home, in memory")
    temporary_bytes: int = Field(ge=1 << 20, le=1 << 50, description="of /tmp and of /dev/shm, each")


class XrdpConfig(BaseModel):
    """How servers treat their clients."""

    model_config = ConfigDict(extra="forbid")

    gate_timeout: float = Field(gt=0, le=86_400, description="seconds a logged-in user waits for the gate")
    handshake_timeout: float = Field(gt=0, le=3600, description="seconds a client may take to log in")
    wrong_passwords: int = Field(ge=1, le=1000, description="refused logins after which a server is locked")
    linger_ms: int = Field(ge=0, le=1 << 40, description="a desktop without client ends after this; 0: never")


class Tuning:
    """The settings as they are now: what was configured, and over it what was changed since."""

    def __init__(self, settings: RdpSettings) -> None:
        self._path = settings.data / "tuning.json"
        self.settings = settings

    def load(self) -> None:
        """Take over what was changed under an earlier manager.

        Raises
        ------
        TuningUnreadable
            If the file is damaged; it is written whole, so someone else wrote it.
        """
        try:
            changed = json.loads(self._path.read_bytes()) if self._path.exists() else {}
            limits = Limits(**(self.limits.model_dump() | changed.get("limits", {})))
            xrdp = XrdpConfig(**(self.xrdp.model_dump() | changed.get("xrdp", {})))
        except (OSError, ValueError, TypeError, AttributeError, ValidationError) as error:
            raise TuningUnreadable(f"{self._path} cannot be read: {error}", path=self._path) from error
        self._apply(limits.model_dump() | xrdp.model_dump())

    @property
    def limits(self) -> Limits:
        """What sessions may use."""
        return Limits(**self._now(Limits))

    @property
    def xrdp(self) -> XrdpConfig:
        """How servers treat clients."""
        return XrdpConfig(**self._now(XrdpConfig))

    def change(self, to: Limits | XrdpConfig) -> None:
        """Hold `to` from now on; durable once it returns."""
        parts = {"limits": self.limits, "xrdp": self.xrdp} | {
            "limits" if isinstance(to, Limits) else "xrdp": to
        }
        document = {name: part.model_dump() for name, part in parts.items()}
        write_atomic(self._path, json.dumps(document, indent=1).encode() + b"\n")
        self._apply(to.model_dump())

    def _now(self, kind: type[BaseModel]) -> dict[str, Any]:
        return {name: getattr(self.settings, name) for name in kind.model_fields}

    def _apply(self, values: dict[str, Any]) -> None:
        self.settings = self.settings.model_copy(update=values)
