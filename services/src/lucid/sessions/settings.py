"""What can be configured: environment variables LUCID_SESSIONS_…, each with unit and default."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from lucid_kit.settings import Settings as Base


class Settings(Base):
    """The session service's settings. Files with keys must have mode 0600."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_SESSIONS_", hide_input_in_errors=True
    )

    data: Path = Field(description="Directory of this instance; the spool is in sessions/spool below it.")
    documents_url: str = Field(
        default="", description="sqlite:///… or mongodb://…; empty: sessions/sessions.db below data."
    )
    keys_url: str = Field(
        default="", description="Wrapped session keys, a database of their own; empty: sessions/keys.db."
    )
    blobs_url: str = Field(default="", description="file:///… or s3://…; empty: blobs below data.")
    chain_url: str = Field(description="Base URL of lucid_blocks.")
    rdp_url: str = Field(description="Base URL of lucid.rdp.")
    jwks: str = Field(description="File or URL of the keys that tokens are checked with.")
    issuer: str = Field(default="lucid", description="Who must have issued a token.")
    audience: str = Field(default="lucid", description="Whom a token must be for.")
    token_file: Path = Field(description="File with the token that this service shows to the others.")
    recorder_key: Path = Field(description="Ed25519 private key (PEM, PKCS 8) that signs session records.")
    kms_key: Path = Field(description="Key-encryption key that wraps session keys.")
    trust: Path = Field(description="Trust policy: names the log that records are for.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")

    recorder_command: tuple[str, ...] = Field(
        default=(), description="Starts a recorder; empty: this Python, -m lucid.recorder."
    )
    interim_s: float = Field(
        default=60.0, gt=0, description="Seconds between interim records of a running session."
    )
    anchor_within_ms: int = Field(
        default=300_000,
        gt=0,
        description="Milliseconds within which the receipt promises the begin record in the log.",
    )
    linger_s: float = Field(
        default=30.0,
        ge=0,
        description="Seconds a desktop waits for its client to come back; 0 closes at once.",
    )
    connect_within_s: float = Field(
        default=900.0, gt=0, description="Seconds until a desktop that nobody came to is closed."
    )
    attach_within_s: float = Field(
        default=10.0, gt=0, description="Seconds the recorder has for its first keyframe."
    )
    seal_within_s: float = Field(
        default=15.0, gt=0, description="Seconds the recorder has to seal its last chunk."
    )
    fps: int = Field(default=10, ge=1, le=60, description="Frames a second at most.")
    chunk_ms: int = Field(default=10_000, gt=0, description="Milliseconds of recording in a chunk at most.")
    chunk_bytes: int = Field(
        default=8 << 20,
        ge=1 << 16,
        le=9 << 20,
        description="Bytes of a chunk before compression at which it is cut.",
    )
    keyframe_ms: int = Field(default=60_000, gt=0, description="Milliseconds between keyframes at most.")
    spool_bytes: int = Field(
        default=2 << 30,
        gt=0,
        description="Bytes one session may leave in the spool; beyond it recording fails closed.",
    )
    head_poll_s: float = Field(default=1.0, gt=0, description="Seconds between looks at the newest block.")
    submit_within_s: float = Field(
        default=0.75,
        gt=0,
        description="Seconds a create request waits for the chain to take the begin record.",
    )
    upload_workers: int = Field(default=4, ge=1, le=64, description="Uploads at once.")
    upload_attempts: int = Field(
        default=8,
        ge=1,
        description="Attempts for one chunk before it is a dead letter. The store's own faults don't count.",
    )
    retry_first_s: float = Field(
        default=0.5,
        gt=0,
        description="Seconds before the second attempt; doubles, with jitter, up to retry_last_s.",
    )
    retry_last_s: float = Field(default=30.0, gt=0, description="Longest wait between two attempts, seconds.")
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    @property
    def home(self) -> Path:
        return self.data / "sessions"

    @property
    def spool(self) -> Path:
        return self.home / "spool"
