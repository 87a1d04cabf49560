"""See to what goes out: what waits, and what was given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.store.outbox import Waiting

EPILOG = """Examples:

  onje outbox list

  onje outbox list --state dead --output sender

  onje outbox replay --all --output sender

  onje outbox secret sender"""

outbox = typer.Typer(rich_markup_mode=None, epilog=EPILOG, no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]
Output = Annotated[str | None, typer.Option(help="Only what goes to this output.")]
Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[NUMBER]...", help="As `list` shows them.")
]
Name = Annotated[str, typer.Argument(help="An output of onje.toml.")]
STATES = ("waiting", "dead", "delivered", "withdrawn")


@outbox.callback()
def every_parcel() -> None:
    """See to decisions that go out: what waits, and what was given up."""


@outbox.command("list")
def list_parcels(
    state: Annotated[
        str, typer.Option(help="waiting, dead, delivered or withdrawn.", metavar="STATE")
    ] = "dead",
    output: Output = None,
    most: Annotated[int, typer.Option(help="So many, the oldest first.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what was given up (or waits, or went), oldest first, and how it last went.

    Examples:

      onje outbox list

      onje outbox list --state waiting --output sender
    """
    from pipelines.console import say, show_rows
    from pipelines.installation import looked_at

    if state not in STATES:
        raise typer.BadParameter(f"--state is one of {', '.join(STATES)}; found {state}")
    with looked_at() as onje:
        found = onje.store.outbox.listed(state, output=output, limit=most)  # type: ignore[arg-type]
    if not found and not as_json:
        say(f"nothing is {state}")
        return
    show_rows([_row(one) for one in found], as_json=as_json, title=f"Outbox: {state}")


@outbox.command("replay")
def replay(
    numbers: Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All (of --output, where given).")] = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Hand out once more what was given up, after the other side can take it.

    What does not hold any more is withdrawn, not sent.

    Examples:

      onje outbox replay 17 18

      onje outbox replay --all --output sender
    """
    from pipelines.console import show
    from pipelines.installation import looked_at

    _which(numbers, every)
    with looked_at() as onje:
        revived = onje.store.outbox.revive(
            None if every else numbers, output=output, now=onje.now()
        )
    show({"replayed": revived}, as_json=as_json, title="Waiting to be handed out again")


@outbox.command("drop")
def drop(
    numbers: Annotated[
        list[int], typer.Argument(metavar="NUMBER...", help="As `list` shows them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let what was given up go for good.

    Example:

      onje outbox drop 17
    """
    from pipelines.console import show
    from pipelines.installation import looked_at

    with looked_at() as onje:
        dropped = onje.store.outbox.drop(numbers)
    show({"dropped": dropped}, as_json=as_json, title="Dropped")


@outbox.command("resume")
def resume(name: Name, as_json: AsJson = False) -> None:
    """Call an output again that wanted no more (410); what waited for it goes.

    Example:

      onje outbox resume sender
    """
    from pipelines.console import show
    from pipelines.installation import looked_at

    with looked_at() as onje:
        _known(name, onje.settings.outputs)
        was_stopped = onje.store.outbox.resume(name)
    show({"output": name, "was_stopped": was_stopped}, as_json=as_json, title="Called again")


@outbox.command("secret")
def secret(name: Name) -> None:
    """Print the secret that an output's letters are signed with, for whoever checks them.

    It follows from the root secret, unless ONJE_OUTPUT_<NAME>_SECRET holds another.

    Example:

      onje outbox secret sender
    """
    import os

    from pipelines.installation import looked_at
    from pipelines.outputs.opening import secret_of, shown
    from pipelines.root_secret import root_secret

    with looked_at() as onje:
        _known(name, onje.settings.outputs)
        print(shown(secret_of(name, os.environ, root_secret(onje.places))))


def _which(numbers: list[int] | None, every: bool) -> None:
    if bool(numbers) == every:
        raise typer.BadParameter("say which by number, or all of them by --all")


def _known(name: str, outputs: Any) -> None:
    from features.errors import SettingsError
    from features.nearest import nearest

    if name not in outputs:
        hint = nearest(name, outputs, otherwise="write a table [outputs.NAME] into onje.toml")
        raise SettingsError(f"no output is called {name}; {hint}")


def _row(one: Waiting) -> dict[str, Any]:
    return {
        "number": one.number,
        "output": one.parcel.output,
        "kind": one.parcel.kind,
        "decision_id": one.parcel.decision_id,
        "attempts": one.attempts,
        "status": one.status,
        "since": one.parcel.since,
    }


def add_to(app: typer.Typer) -> None:
    app.add_typer(outbox, name="outbox")
