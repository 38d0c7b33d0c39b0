"""`lucid status`: what runs, and whether it is well."""

import time
from typing import Any

import httpx

from lucid.cli.main import Context, command, main
from lucid.instance import Running


@command(main, "status")
def status(context: Context) -> None:
    """Say what runs on this data directory and whether each part is ready.

    \b
    Example: lucid --data ./data status
    """
    running = Running.find(context.layout)
    services = {name: _look(url) for name, url in running.services.items()}
    chain = _json(f"{running.services['chain']}/chain/info") or {}
    latest = _json(f"{running.services['chain']}/blocks/latest") or {}
    sessions = _statistics(context)
    age = None
    if latest:
        age = round(time.time() - latest["header"]["time"] / 1000, 1)
    document = {
        "pid": running.pid,
        "api": running.api,
        "version": running.version,
        "up_seconds": round(time.time() - running.started / 1000),
        "services": services,
        "chain": {"id": chain.get("chain"), "height": chain.get("height"), "block_age_seconds": age},
        "sessions": sessions,
    }
    if context.out.as_json:
        context.out.facts(document, [])
        return
    well = all(each["ready"] for each in services.values())
    context.out.result(
        document,
        f"{'All is well' if well else 'Something is not ready'}: process {running.pid}, "
        f"up {document['up_seconds']} s, "
        f"chain {chain.get('chain')} at block {chain.get('height')} ({age} s ago)",
    )
    rows = [
        (name, "ready" if each["ready"] else "NOT READY", each["url"], each["detail"] or "")
        for name, each in services.items()
    ]
    context.out.table(document, ("service", "state", "address", "missing"), rows, empty="")
    if sessions:
        counts = sessions.get("sessions", {})
        context.out.result(
            {}, "sessions: " + (", ".join(f"{n} {state}" for state, n in counts.items()) or "none yet")
        )


def _look(url: str) -> dict[str, Any]:
    try:
        answer = httpx.get(f"{url}/ready", timeout=5)
    except httpx.HTTPError as error:
        return {"url": url, "ready": False, "detail": f"does not answer ({type(error).__name__})"}
    if answer.status_code == 200:
        return {"url": url, "ready": True, "detail": None}
    return {"url": url, "ready": False, "detail": answer.text[:200]}


def _json(url: str) -> Any:
    try:
        return httpx.get(url, timeout=5).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None


def _statistics(context: Context) -> Any:
    return context.api.get("/sessions/statistics")
