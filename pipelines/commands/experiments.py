"""Show what came of experiments, or how many customers one needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pipelines.comparisons import Comparison
    from pipelines.settings import Settings
    from training.evaluable import NotEvaluable
    from training.evaluate import Interval

EPILOG = """Examples:

  onje experiments

  onje experiments example_subject --plot example.png

  onje experiments power --rate 0.03 --lift 0.1"""


class _Commands(TyperGroup):
    """Whatever is no command was meant as the name of an experiment."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _command_of(cmd_name)


experiments = typer.Typer(cls=_Commands, rich_markup_mode=None, epilog=EPILOG)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]


@experiments.callback(invoke_without_command=True)
def all_experiments(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what came of experiments; or of one NAME; or how many customers one needs.

    Effects are against the first arm, per customer; each customer counts once, when the days are
    over in which an answer counts. The interval holds however often you look. What came in online
    counts after `onje compact`.
    """
    if context.invoked_subcommand is not None:
        return
    import json

    from pipelines.comparisons import HOLDOUT
    from pipelines.console import plain, show_rows
    from training.evaluate import Interval

    told, held, settings, is_synthetic = _told()
    if as_json:
        rows = [{**one.as_dict(), "synthetic": is_synthetic} for one in told]
        effect = held.as_list() if isinstance(held, Interval) else held.reason
        of_holdout = {
            "experiment": HOLDOUT, "metric": "margin", "effect": effect, "synthetic": is_synthetic
        }  # fmt: skip
        print(json.dumps([*rows, of_holdout], default=plain))
        return
    lines = [line for one in told for line in _lines(one, is_synthetic)]
    lines.append(
        {
            "experiment": HOLDOUT, "state": "running", "metric": "margin",
            "arm": "mailed against held out", "share": 1 - settings.policy.holdout_share,
            "customers": None, "mean": None, "effect": str(held), "verdict": "",
            "synthetic": is_synthetic,
        }
    )  # fmt: skip
    show_rows(lines, as_json=False, title="Experiments")


@experiments.command("power")
def power(
    rate: Annotated[float, typer.Option(help="What the first arm brings, 0 to 1: 0.03 = 3 %.")],
    lift: Annotated[float, typer.Option(help="The change to find, as a share of it: 0.1 = 10 %.")],
    share: Annotated[
        float, typer.Option(help="Which share of customers gets the other arm.")
    ] = 0.5,
    as_json: AsJson = False,
) -> None:
    """How many customers, both arms together, find a change of so much.

    Examples:

      onje experiments power --rate 0.03 --lift 0.1
    """
    from pipelines.console import show
    from pipelines.installation import opened
    from training.power import Design, recipients_needed

    with opened() as onje:
        how = onje.settings.training.experiments
    other = rate * (1 + lift)
    try:
        design = Design(treated_share=share, level=how.level, power=how.power)
        needed = recipients_needed(rate, other, design=design)
    except ValueError as impossible:
        raise typer.BadParameter(
            f"{impossible}; give other --rate, --lift or --share", param_hint="--rate"
        ) from impossible
    result = {
        "customers": needed, "rate": rate, "other_rate": round(other, 9), "share": share,
        "level": how.level, "power": how.power,
    }  # fmt: skip
    show(result, as_json=as_json, title="Customers needed, both arms together")


def _command_of(name: str) -> Any:
    one = typer.Typer(rich_markup_mode=None)

    @one.command(name, help=f"Show what came of the experiment {name}.")
    def show_one(
        plot: Annotated[
            Path | None, typer.Option(help="Draw how the effects came to be into this PNG file.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        _show_one(name, plot, as_json=as_json)

    return typer.main.get_command(one)


def _show_one(name: str, plot: Path | None, *, as_json: bool) -> None:
    import json

    from features.nearest import nearest
    from pipelines.console import plain, say, show_rows

    told, _, settings, is_synthetic = _told()
    known = {one.name: one for one in told}
    if name not in known:
        hint = nearest(name, known, otherwise=f"there are {', '.join(known) or 'none'}")
        raise typer.BadParameter(f"no experiment is called {name}; {hint}", param_hint="NAME")
    one = known[name]
    if plot is not None:
        from training.plots_experiment import effects_plot

        how = settings.training.experiments
        drawn = effects_plot(one.units, one.one.arms, how, synthetic=is_synthetic)
        try:
            plot.write_bytes(drawn)
        except OSError as problem:
            raise typer.BadParameter(
                f"{plot} cannot be written: {problem.strerror}", param_hint="--plot"
            ) from problem
        say(f"drawn: {plot}")
    if as_json:
        print(json.dumps({**one.as_dict(), "synthetic": is_synthetic}, default=plain))
    else:
        show_rows(_lines(one, is_synthetic), as_json=False, title=f"Experiment {name}")


def _lines(one: Comparison, is_synthetic: bool) -> list[dict[str, Any]]:
    """One per arm, for people."""
    return [
        {
            "experiment": one.name, "state": one.state, "metric": one.one.metric, "arm": arm.arm,
            "share": one.shares[arm.arm], "customers": arm.customers, "mean": arm.mean,
            "effect": None if arm.effect is None else str(arm.effect),
            "verdict": one.verdict if place == 0 else "", "synthetic": is_synthetic,
        }
        for place, arm in enumerate(one.arms)
    ]  # fmt: skip


def _told() -> tuple[list[Comparison], Interval | NotEvaluable, Settings, bool]:
    """All experiments, what mailing brings at all, the settings, and whether data is synthetic."""
    from features.errors import NotReadyError
    from pipelines.comparisons import comparisons, holdout_told
    from pipelines.installation import opened

    with opened() as onje:
        if not onje.lake.exists("events"):
            raise NotReadyError("the lake is empty; type `onje ingest --help`")
        now, settings = onje.now(), onje.settings
        told, acts = comparisons(onje.lake, onje.store, now=now, settings=settings)
        held = holdout_told(acts, onje.store, now=now, settings=settings)
        return told, held, settings, onje.lake.is_synthetic()


def add_to(app: typer.Typer) -> None:
    app.add_typer(experiments, name="experiments", help=all_experiments.__doc__)
