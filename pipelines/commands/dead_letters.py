"""See to what webhooks told and could not become an event."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.store import DeadLetter

EPILOG = """Examples:

  onje dead-letters list --source generic

  onje dead-letters show 17

  onje dead-letters replay 17 18

  onje dead-letters drop 17 --to kept.jsonl"""
# A glimpse of a body in a list.
GLIMPSE = 60

dead_letters = typer.Typer(rich_markup_mode=None, epilog=EPILOG, no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]
Source = Annotated[str | None, typer.Option(help="Only those of this source.")]
Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[NUMBER]...", help="As `list` shows them.")
]
All = Annotated[bool, typer.Option("--all", help="All of them (of --source, where given).")]


@dead_letters.callback()
def every_letter() -> None:
    """See to what webhooks told and could not become an event.

    Bodies hold what the source sent, personal data included; erasing a customer drops theirs.
    """


@dead_letters.command("list")
def list_letters(source: Source = None, as_json: AsJson = False) -> None:
    """Show all dead letters, oldest first, and why each is one.

    Example:

      onje dead-letters list --source generic
    """
    from pipelines.console import say, show_rows
    from pipelines.installation import looked_at

    with looked_at() as onje:
        found = onje.store.dead_letters(numbers=None, source=source)
    if not found and not as_json:
        say("no dead letters: whatever webhooks told became events")
        return
    show_rows([_row(one) for one in found], as_json=as_json, title="Dead letters")


@dead_letters.command("show")
def show_letter(
    number: Annotated[int, typer.Argument(help="As `list` shows it.")], as_json: AsJson = False
) -> None:
    """Show one with its whole body.

    Example:

      onje dead-letters show 17
    """
    from pipelines.console import show
    from pipelines.installation import looked_at

    with looked_at() as onje:
        [letter] = _found([number], onje.store.dead_letters(numbers=[number], source=None))
    told = _row(letter) | {"headers": dict(letter.delivery.headers), "body": _text(letter)}
    show(told, as_json=as_json, title=f"Dead letter {number}")


@dead_letters.command("replay")
def replay(
    numbers: Numbers = None,
    every: All = False,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Try them again, after a new release or setting can read them.

    A running service parses them within seconds; what still cannot be read comes back under a new
    number. Without a running service they wait for the next one.

    Examples:

      onje dead-letters replay 17 18

      onje dead-letters replay --all --source generic
    """
    from pipelines.console import show
    from pipelines.installation import looked_at

    with looked_at() as onje:
        asked = _asked(numbers, every)
        found = _found(asked, onje.store.dead_letters(numbers=asked, source=source))
        revived = onje.store.revive(found)
    show({"replayed": revived}, as_json=as_json, title="Waiting to be parsed again")


@dead_letters.command("drop")
def drop(
    numbers: Numbers = None,
    every: All = False,
    source: Source = None,
    to: Annotated[
        Path | None, typer.Option(help="Append them to this file first, a JSON line each.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let them go for good. With --to they are kept in a file, from which nothing is lost.

    Examples:

      onje dead-letters drop 17 --to kept.jsonl

      onje dead-letters drop --all --yes
    """
    import json

    from pipelines.console import plain, show
    from pipelines.installation import looked_at

    with looked_at() as onje:
        asked = _asked(numbers, every)
        found = _found(asked, onje.store.dead_letters(numbers=asked, source=source))
        if to is not None:
            with open(to, "a", encoding="utf-8", opener=_closed_to_others) as kept:
                for one in found:
                    kept.write(json.dumps(_row(one) | {"body": _text(one)}, default=plain) + "\n")
        elif found and not yes:
            typer.confirm(f"Drop {len(found)} for good, without --to FILE?", abort=True, err=True)
        dropped = onje.store.drop_dead_letters([one.number for one in found])
    show({"dropped": dropped, "kept_in": to and str(to)}, as_json=as_json, title="Dropped")


def _closed_to_others(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def _asked(numbers: list[int] | None, every: bool) -> list[int] | None:
    if bool(numbers) == every:
        raise typer.BadParameter("say which by number, or all of them by --all")
    return numbers


def _found(asked: list[int] | None, found: list[DeadLetter]) -> list[DeadLetter]:
    from features.errors import DataError

    missing = set(asked or ()) - {one.number for one in found}
    if missing:
        raise DataError(
            f"no dead letter {', '.join(map(str, sorted(missing)))}; see `onje dead-letters list`"
        )
    return found


def _row(letter: DeadLetter) -> dict[str, Any]:
    body = _text(letter)
    return {
        "number": letter.number,
        "source": letter.delivery.source,
        "received_at": letter.delivery.received_at,
        "reason": letter.reason,
        "body": body if len(body) <= GLIMPSE else f"{body[:GLIMPSE]} ...",
    }


def _text(letter: DeadLetter) -> str:
    return letter.delivery.body.decode(errors="replace")


def add_to(app: typer.Typer) -> None:
    app.add_typer(dead_letters, name="dead-letters")
