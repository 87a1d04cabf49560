"""The command line: one file per verb in `pipelines/commands`, imported only when it is called."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.metadata import version

import typer

from features.errors import OnjeError

VERBS = {
    "demo": "Run the whole loop on a year of groceries, up to a decision.",
    "doctor": "Check the installation and say what to do.",
    "simulate": "Make a simulated shop whose truth is known, and bring its past into the lake.",
    "ingest": "Bring events, customers and products into the lake.",
    "emails": "Show the catalogue of e-mails.",
    "workflows": "Show the workflows, or where a customer stands in them.",
    "features": "Show what Onje knows of a customer at a moment.",
    "train": "Train models on the lake and record them as challengers.",
    "evaluate": "Show champions and challengers against their baselines.",
    "experiments": "Show what came of experiments, or how many customers one needs.",
    "promote": "Make a challenger the champion, if the gate lets it pass.",
    "rollback": "Go back to the champion before this one.",
    "pull": "Bring the champions that MLflow names to this machine.",
    "publish": "Load recent histories from the lake into the store.",
    "compact": "Move events that came in online from the store to the lake.",
    "tidy": "Let go of what is kept for long enough.",
    "backup": "Write everything that an installation cannot do without to one place.",
    "restore": "Bring an installation back from a backup.",
    "rescore": "Decide for every customer and write plans and scores.",
    "serve": "Start the service.",
    "follow": "Decide unasked, and hand the decisions out.",
    "outbox": "See to what goes out: what waits, and what was given up.",
    "keys": "Make, list, rotate and revoke the keys that the service asks for.",
    "dead-letters": "See to what webhooks told and could not become an event.",
    "erase": "Erase customers from store, lake and files.",
    "export-customer": "Write everything about one customer into a file.",
    "replay": "Decide again what was decided, and say what differs.",
    "render": "Show the e-mail of a decision as a small block of HTML.",
}
EXAMPLES = """Examples:

  onje demo --once                 see the whole loop, on a year of groceries

  onje ingest table orders.csv --map my-shop.toml

  onje train all && onje publish && onje serve

Exit codes: 0 done, 1 a fault of Onje's own, 2 wrong call, 3 the gate refused,
10 the data must be mended, 11 the settings, 12 something must run first,
13 a file is damaged, 14 the store does not answer."""


def application(asked: str | None) -> typer.Typer:
    """The command line with the verb `asked` ready; the others are only listed.

    Importing every verb would make `onje --help` wait for what it does not need.
    """
    app = typer.Typer(
        name="onje", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False, epilog=EXAMPLES,
        help="What next for this customer? One decision, and why.",
    )  # fmt: skip
    app.callback()(_root)
    for verb, line in VERBS.items():
        if verb == asked:
            import_module(f"pipelines.commands.{verb.replace('-', '_')}").add_to(app)
        else:
            app.command(verb, help=line)(_not_loaded)
    return app


def main() -> None:
    """Run the verb; an error raised on purpose ends in its message and its exit code."""
    os.environ.setdefault("POLARS_VERBOSE", "0")
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        application(asked)()
    except OnjeError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        else:
            print(f"onje: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _print_version(asked: bool) -> None:
    if asked:
        print(version("onje"))
        raise typer.Exit


def _root(
    show_version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and stop.",
        # Before it is seen that no verb was named.
        is_eager=True,
        callback=_print_version,
    ),
) -> None:
    """Takes what stands before the verb."""


def _not_loaded() -> None:
    raise AssertionError("only the verb that was asked for is loaded, and only it is run")
