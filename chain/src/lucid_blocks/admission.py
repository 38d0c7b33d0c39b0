"""Letting recorders in and out, signed with the validator's key that lies in the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from lucid_blocks.home import BadRecorder, load_genesis, load_identity
from lucid_kit.errors import DomainError, Unavailable
from lucid_proof import records
from lucid_proof.canonical import JSON
from lucid_proof.errors import MalformedRecord


class NotAccepted(DomainError):
    """The chain did not accept the transaction."""

    code = "LUCID_ERR_4241"
    advice = "Mend what the answer names, and run the command again."


def submit(directory: Path, url: str, kind: str, recorder: str, name: str) -> dict[str, Any]:
    """Sign a `recorder.admit` or `recorder.revoke` and post it; gives the chain's answer.

    Raises
    ------
    NotInitialised, KeyUnusable
        If the directory does not hold this chain's validator key.
    BadRecorder
        If `recorder` is no public key, or the name cannot be one.
    NotAccepted, Unavailable
        What the chain answered, or that it did not.
    """
    genesis = load_genesis(directory)
    identity = load_identity(directory, genesis)
    key = identity.validator.verifier.public.hex()
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            info = client.get("/chain/info").raise_for_status().json()
            nonces = {each["key"]: each["nonce"] for each in info["validators"]}
            body: dict[str, JSON] = {"nonce": nonces.get(key, 0), "recorder": recorder}
            if kind == records.ADMIT:
                body["name"] = name
            tx = records.build_transaction(kind, body, genesis.chain, identity.private)
            answer = client.post(
                "/transactions", content=tx.bytes(), headers={"Content-Type": "application/json"}
            )
    except MalformedRecord as error:
        raise BadRecorder(str(error)) from error
    except httpx.HTTPError as error:
        raise Unavailable(f"{url} does not answer: {error}.") from error
    document: dict[str, Any] = answer.json()
    if answer.status_code != httpx.codes.ACCEPTED:
        raise NotAccepted(f"{document.get('detail')} ({document.get('code')})")
    return document
