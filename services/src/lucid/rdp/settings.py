"""What can be configured, by LUCID_RDP_… in the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_kit.settings import Settings

MAX_PORT = 59_535
"""A session's display has its port's number, and X knows no higher one (6000 + display is a port again)."""


class RdpSettings(Settings):
    """Settings of the server manager."""

    model_config = SettingsConfigDict(env_prefix="LUCID_RDP_")

    data: Path = Field(description="directory of the manager's own records; hidden from every session")
    masked: list[Path] = Field(
        default=[], description="further paths no session may see: Lucid's whole data directory"
    )
    listen_host: str = Field(default="127.0.0.1", description="address of the HTTP API")
    listen_port: int = Field(default=0, ge=0, le=65535, description="port of the HTTP API; 0: any free one")
    jwks: str = Field(
        default="", description="file or URL with the keys that sign tokens; empty: every request is refused"
    )
    issuer: str = Field(default="lucid", description="who must have issued a token")
    audience: str = Field(default="lucid", description="whom a token must be for")

    host: str = Field(default="127.0.0.1", description="address RDP clients connect to")
    first_port: int = Field(default=13389, ge=1024, le=MAX_PORT, description="first port for sessions")
    last_port: int = Field(default=14389, ge=1024, le=MAX_PORT, description="last port for sessions")
    first_uid: int = Field(
        default=1_900_000_000,
        ge=1000,
        description="user ids of a session: this, plus twice its port, and the next",
    )

    desktop_command: list[str] = Field(
        default=["openbox", "--startup", "xterm"], description="the desktop; its end is the session's end"
    )
    home_bytes: int = Field(default=512 << 20, description="size of a session's home, in memory")
    temporary_bytes: int = Field(
        default=256 << 20, description="size of a session's /tmp and of its /dev/shm, each"
    )
    memory_bytes: int = Field(
        default=2 << 30, description="memory a session may use (cgroup v2), or each of its processes"
    )
    processes: int = Field(default=512, ge=16, description="processes a session's user may have")
    open_files: int = Field(default=4096, ge=64, description="files a process may have open")

    start_timeout: float = Field(
        default=10.0, gt=0, description="seconds until the TLS handshake must succeed"
    )
    gate_timeout: float = Field(
        default=60.0, gt=0, description="seconds a logged-in user waits for the gate at most"
    )
    handshake_timeout: float = Field(default=15.0, gt=0, description="seconds a client may take to log in")
    wrong_passwords: int = Field(
        default=5, ge=1, description="refused logins after which a server stops accepting"
    )
    refusal_delay: float = Field(
        default=1.0, ge=0, description="seconds a refused login waits for its answer"
    )
    linger_ms: int = Field(
        default=0, ge=0, description="a disconnected desktop ends after this; 0: only when asked"
    )
    usage_interval: float = Field(
        default=30.0, gt=0, description="seconds between two measurements of each server"
    )
    log_level: str = Field(default="info", description="debug, info, warning or error")
