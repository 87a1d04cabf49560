"""Make, list, rotate and revoke the keys that the service asks for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from serving.access.keys import Key
    from serving.access.scopes import Scope

EPILOG = """Examples:

  onje keys add --name shop --scopes decide,ingest

  onje keys list

  onje keys rotate 4f9k2m7c --overlap 24h

  onje keys revoke 4f9k2m7c"""
ALL = "all"
UNITS = {"m": "minutes", "h": "hours", "d": "days"}

keys = typer.Typer(rich_markup_mode=None, epilog=EPILOG, no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As onje keys list shows it.")]


@keys.callback()
def every_key() -> None:
    """Make, list, rotate and revoke the keys that the service asks for.

    A running service knows of a change within [service] reload_seconds.
    """


@keys.command("add")
def add(
    scopes: Annotated[
        str,
        typer.Option(
            help="What it may do: decide (ask what to send), ingest (tell events), read (look at "
            "customers, decisions, figures), admin (erase, export); with commas, or all."
        ),
    ],
    name: Annotated[str, typer.Option(help="Whose it is, for you to remember.")] = "",
    days: Annotated[
        int, typer.Option(min=0, max=3650, help="How long it holds; 0: until it is revoked.")
    ] = 365,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once: of its secret only a hash is kept.

    Examples:

      onje keys add --name shop --scopes decide,ingest

      export ONJE_KEY=$(onje keys add --scopes all --days 1 --json | jq -r .key)
    """
    from datetime import UTC, datetime

    from pipelines.console import say
    from pipelines.installation import opened
    from pipelines.keys import make_key

    wanted = _scopes(scopes)
    if len(name) > 255:
        raise typer.BadParameter("a name has 255 characters at most", param_hint="--name")
    if not name.isprintable():
        raise typer.BadParameter("a name has no control characters", param_hint="--name")
    now = datetime.now(UTC)
    lasts = timedelta(days=days) if days else None
    with opened() as onje:
        key, text = make_key(onje.store, name=name, scopes=wanted, lasts=lasts, now=now)
        at = onje.places
    _hand_out(key, text, now, as_json=as_json)
    if not as_json:
        say(
            "Keep it now: it cannot be shown again. A running service knows it within seconds:\n\n"
            f"  export ONJE_KEY={text}\n"
            f'  curl -s http://{at.host}:{at.port}/v1/... -H "Authorization: Bearer $ONJE_KEY"'
        )


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show all keys, also dead ones: what they may do, until when, and when they were last used.

    The last use is kept to ten minutes.

    Examples:

      onje keys list
    """
    from datetime import UTC, datetime

    from pipelines.console import show_rows
    from pipelines.installation import looked_at

    now = datetime.now(UTC)
    with looked_at() as onje:
        rows = [_row(key, now) for key in onje.store.all_keys()]
    show_rows(rows, as_json=as_json, title="Keys" if rows else "No keys; see onje keys add --help")


@keys.command("revoke")
def revoke_key(key_id: KeyId, as_json: AsJson = False) -> None:
    """Let a key open nothing more. This cannot be undone; make another one instead.

    Examples:

      onje keys revoke 4f9k2m7c
    """
    from datetime import UTC, datetime

    from pipelines.console import show
    from pipelines.installation import looked_at
    from pipelines.keys import revoke

    now = datetime.now(UTC)
    with looked_at() as onje:
        key = revoke(onje.store, key_id, now=now)
    show(_row(key, now), as_json=as_json, title="This key is dead within seconds")


@keys.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap: Annotated[
        str,
        typer.Option(help="How long the old secret counts beside the new one: 30m, 24h, 7d, 0m."),
    ] = "24h",
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret; the old one counts a while longer, so that nothing stands still.

    Rotated again within that time, the oldest secret is dead at once.

    Examples:

      onje keys rotate 4f9k2m7c

      onje keys rotate 4f9k2m7c --overlap 0m
    """
    from datetime import UTC, datetime

    from pipelines.console import say
    from pipelines.installation import looked_at
    from pipelines.keys import rotate

    now = datetime.now(UTC)
    lasts = _duration(overlap)
    with looked_at() as onje:
        key, text = rotate(onje.store, key_id, overlap=lasts, now=now)
    _hand_out(key, text, now, as_json=as_json)
    if not as_json:
        say(
            "Keep it now: it cannot be shown again. The old secret counts until "
            f"{_day(key.older_until)}."
        )


def _scopes(written: str) -> set[Scope]:
    from serving.access.scopes import Scope

    names = {name.strip() for name in written.split(",")} - {""}
    if names == {ALL}:
        return set(Scope)
    unknown = sorted(names - set(Scope))
    if unknown or not names:
        found = f"no scope is called {', '.join(unknown)}" if unknown else "no scope is named"
        raise typer.BadParameter(
            f"{found}; there are {', '.join(Scope)}, or all", param_hint="--scopes"
        )
    return {Scope(name) for name in names}


def _duration(written: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([mhd])", written.strip())
    if not found:
        raise typer.BadParameter(
            f"{written!r} is no length of time; write 30m, 24h or 7d", param_hint="--overlap"
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _hand_out(key: Key, text: str, now: datetime, *, as_json: bool) -> None:
    from pipelines.console import show

    show({"key": text, **_row(key, now)}, as_json=as_json, title="A key")


def _row(key: Key, now: datetime) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": key.state(now),
        "created": key.created_at,
        "expires": key.expires_at,
        "last_used": key.last_used_at,
    }


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"


def add_to(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys", help=every_key.__doc__)
