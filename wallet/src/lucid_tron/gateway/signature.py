"""Webhooks are signed as Standard Webhooks says (https://www.standardwebhooks.com, specification 1.0).

    webhook-id: evt_…            webhook-timestamp: 1763800000 (seconds UTC)
    webhook-signature: v1,base64(HMAC-SHA256(secret, id ‖ "." ‖ timestamp ‖ "." ‖ body))

`verify` is what a receiver does; docs/payments.md has it in other languages.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from lucid_tron.gateway.errors import WebhookForged, WebhookReplayed

TOLERANCE_S = 300
_PREFIX = "whsec_"


def secret_from(text: str) -> bytes:
    """The key of a secret written as whsec_ and base64.

    Raises
    ------
    ValueError
        If it is not, or has fewer than 24 bytes.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base64") from error
    if len(key) < 24:
        raise ValueError("a webhook secret has at least 24 bytes")
    return key


def sign(secret: bytes, id_: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of a webhook."""
    mac = hmac.digest(secret, f"{id_}.{timestamp_s}.".encode() + body, "sha256")
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def verify(
    secret: bytes, headers: Mapping[str, str], body: bytes, now_s: int, *, tolerance_s: int = TOLERANCE_S
) -> str:
    """Check a webhook as its receiver; its id, which the receiver must not act on twice.

    Raises
    ------
    WebhookForged
        If no signature of the header fits.
    WebhookReplayed
        If it was signed longer ago, or further ahead, than the tolerance.
    """
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id_ or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise WebhookForged("The webhook has no id or no time")
    wanted = sign(secret, id_, int(stamp), body)["webhook-signature"]
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(wanted.encode(), each.encode()) for each in given):
        raise WebhookForged(f"The signature of webhook {id_[:64]!r} is wrong")
    if abs(now_s - int(stamp)) > tolerance_s:
        raise WebhookReplayed(f"Webhook {id_[:64]!r} was signed {now_s - int(stamp)} s ago")
    return id_
