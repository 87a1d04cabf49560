"""Train models on the lake and record them as challengers, or look for better settings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.models import ALL, TRAINERS, known_group
from pipelines.moments import moment

if TYPE_CHECKING:
    from pipelines.retrain import Retrained, Skipped


def train(
    name: Annotated[
        str,
        typer.Argument(
            parser=known_group,
            metavar="NAME",
            help=f"Which model, or which group of them: {', '.join([*TRAINERS, ALL])}.",
        ),
    ],
    promote: Annotated[
        bool, typer.Option("--promote", help="Make it champion at once, if the gate lets it pass.")
    ] = False,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune", help="Train nothing: look for better settings, and print what was found."
        ),
    ] = False,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --tune: how many settings to try; else [training.tuning] says."
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="MOMENT",
            help="Train as if this were now (UTC); else everything known counts.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Train models on the lake and record them as challengers.

    Each run is kept in MLflow with settings, lake version, inputs, metrics, intervals, baseline,
    plots and the model's card. With --tune nothing is trained or changed: settings are tried on
    earlier periods, never on the days by which models are judged; the best are printed as lines
    for onje.toml, beside those in force, and recorded.

    Examples:

      onje train all --promote

      onje train churn --as-of 2017-10-01

      onje train churn --tune --trials 40
    """
    from datetime import UTC

    from features.errors import SettingsError
    from pipelines.console import progress, show_rows
    from pipelines.installation import opened
    from pipelines.retrain import retrained
    from pipelines.tuning import row_of_tuned, tune_models
    from training.registry import Registry

    if trials is not None and not tune:
        raise SettingsError("--trials says how long to look for settings; add --tune")
    if promote and tune:
        raise SettingsError(
            "--tune trains nothing that could be promoted; put what it finds into onje.toml, "
            f"then type `onje train {name} --promote`"
        )
    names = list(TRAINERS) if name == ALL else [name]
    done: list[Retrained | Skipped] = []
    with ExitStack() as ending, opened() as onje, progress(quiet=as_json) as step:
        # What is done is told even where a fault of ours ends the rest; last, below the progress.
        ending.callback(lambda: _tell(done, as_json=as_json))
        registry = Registry(onje.places.home, onje.places.tracking_uri)
        known_until, now = as_of or onje.now(), datetime.now(UTC)
        if tune:
            tuned = tune_models(
                names, onje.lake, registry, known_until=known_until, at=now, trials=trials,
                settings=onje.settings, step=step,
            )  # fmt: skip
        else:
            for one in retrained(
                names, onje.lake, registry, known_until=known_until, trained_at=now,
                promote=promote, settings=onje.settings, step=step,
            ):  # fmt: skip
                done.append(one)
            return
    title = "Settings found: gain in log-loss over those in force, on days not searched"
    show_rows([row_of_tuned(found) for found in tuned], as_json=as_json, title=title)
    if not as_json:
        for found in tuned:
            print(f"\n{found.toml}")


def _tell(done: Sequence[Retrained | Skipped], *, as_json: bool) -> None:
    """A row for each model; nothing where none was trained, of which an error says why."""
    from pipelines.console import show_rows
    from pipelines.retrain import Retrained, row_of

    if any(isinstance(one, Retrained) for one in done):
        title = "New versions: log-loss, lower is better"
        show_rows([row_of(one) for one in done], as_json=as_json, title=title)


def add_to(app: typer.Typer) -> None:
    app.command("train")(train)
