"""`lucid session create`."""

import json
from pathlib import Path
from typing import Any

import click

from lucid.cli.main import Context, command
from lucid.cli.output import NewFile
from lucid.cli.session import session
from lucid_kit.files import write_atomic
from lucid_kit.ids import new_id


@command(session, "create")
@click.option("--name", help="What people see in lists.")
@click.option(
    "--size",
    "geometry",
    default="1280x800",
    show_default=True,
    metavar="WxH",
    help="The desktop's size in pixels.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["cut", "mark"]),
    default="cut",
    show_default=True,
    help="If recording fails: end the desktop, or let it go on marked as unrecorded.",
)
@click.option(
    "--rdp-file",
    type=NewFile(),
    help="Also write an .rdp file for RDP clients (holds no password).",
)
@click.option(
    "--receipt",
    type=NewFile(),
    help="Also write the receipt: the signed promise to anchor this session.",
)
def create(
    context: Context,
    name: str | None,
    geometry: str,
    on_failure: str,
    rdp_file: Path | None,
    receipt: Path | None,
) -> None:
    """Make a recorded desktop and say where to connect, with its one-time user and password.

    \b
    Example: lucid session create --rdp-file desktop.rdp --receipt receipt.json
    """
    width, height = _size(geometry)
    wanted: dict[str, Any] = {"width": width, "height": height, "on_failure": on_failure}
    if name is not None:
        wanted["name"] = name
    with context.out.waiting("starting the desktop …"):
        made = context.api.post("/sessions", wanted, key=new_id("req"))
    if rdp_file:
        write_atomic(rdp_file, rdp_document(made, width, height).encode("utf-8"), 0o644)
    if receipt:
        # Canonical bytes: a receipt is compared with the log to the letter.
        write_atomic(
            receipt,
            json.dumps(made["receipt"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(),
            0o644,
        )
    if context.out.as_json:
        context.out.facts(made, [])
        return
    context.out.result(made, f"Session {made['id']} is ready.")
    context.out.facts(
        made,
        [
            ("host", made["host"]),
            ("port", made["port"]),
            ("user", made["username"]),
            ("password", made["password"]),
        ],
    )
    context.out.result(
        made,
        "",
        "Connect with any RDP client, for example (it asks for the password):",
        f"  xfreerdp /v:{made['host']}:{made['port']} /u:{made['username']}"
        f" /size:{width}x{height} /bpp:32 /cert:tofu",
        "The password works for this session only and is not shown again.",
    )


def rdp_document(made: dict[str, Any], width: int, height: int) -> str:
    """An .rdp file as Microsoft's clients and FreeRDP read it. It holds no password."""
    lines = [
        f"full address:s:{made['host']}:{made['port']}",
        f"username:s:{made['username']}",
        f"desktopwidth:i:{width}",
        f"desktopheight:i:{height}",
        "session bpp:i:32",
        "screen mode id:i:1",
        "prompt for credentials:i:1",
        "redirectclipboard:i:1",
        "audiomode:i:2",
    ]
    return "\r\n".join(lines) + "\r\n"


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise click.BadParameter(f"{text!r} is not WIDTHxHEIGHT, such as 1280x800", param_hint="--size")
    return int(width), int(height)
