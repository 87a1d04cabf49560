"""Show champions and challengers against their baselines, or policies in simulated worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipelines.baskets.command import baskets
from pipelines.models import MODELS, known_model

EPILOG = """Examples:

  onje evaluate

  onje evaluate churn --json

  onje evaluate churn --card > churn.md

  onje evaluate policy --world strong-hour --weeks 8"""


class _Commands(TyperGroup):
    """Whatever is no command was meant as the name of a model."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or known_model(cmd_name)


evaluate = typer.Typer(cls=_Commands, rich_markup_mode=None, epilog=EPILOG)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]


@evaluate.callback(invoke_without_command=True)
def all_models(
    context: typer.Context,
    cards: Annotated[
        Path | None,
        typer.Option(
            "--cards", metavar="DIR", help="Write the card of every recorded model there."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show champions and challengers against their baselines, or policies in simulated worlds.

    One line per recorded version: what it is now, its metrics on later data than it was trained
    on, the trivial baseline's, the gain with its interval, and what the gate said.
    """
    if context.invoked_subcommand is not None:
        return
    if cards is not None:
        _write_cards(cards, as_json=as_json)
    else:
        _show_models(MODELS, as_json=as_json)


def _one_model(name: str) -> None:
    def show(
        card: Annotated[
            bool,
            typer.Option("--card", help="Print the model's card (Markdown): what it is good for."),
        ] = False,
        version: Annotated[
            str | None, typer.Option(help="With --card: which version; the champion, if not given.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        from features.errors import SettingsError

        if version is not None and not card:
            raise SettingsError("--version says whose card to print; add --card")
        if card:
            _show_card(name, version, as_json=as_json)
        else:
            _show_models((name,), as_json=as_json)

    evaluate.command(name, help=f"Show recorded versions of the model {name}.")(show)


for _name in MODELS:
    _one_model(_name)


def _show_card(name: str, version: str | None, *, as_json: bool) -> None:
    import json

    from pipelines.installation import opened
    from training.registry import Registry

    with opened() as onje:
        card = Registry(onje.places.home, onje.places.tracking_uri).card(name, version)
    print(json.dumps({"model": name, "card": card.text}) if as_json else card.text)


def _write_cards(folder: Path, *, as_json: bool) -> None:
    from features.errors import NotReadyError
    from pipelines.console import show
    from pipelines.installation import opened
    from training.card import index
    from training.registry import Registry

    with opened() as onje:
        registry = Registry(onje.places.home, onje.places.tracking_uri)
        recorded = [name for name in MODELS if registry.versions(name)]
        if not recorded:
            raise NotReadyError("no model is recorded yet; type `onje train all`")
        cards = {name: registry.card(name, None) for name in recorded}
    folder.mkdir(parents=True, exist_ok=True)
    for name, card in cards.items():
        (folder / f"{name}.md").write_text(card.text, "utf-8")
    (folder / "README.md").write_text(index({n: c.about for n, c in cards.items()}), "utf-8")
    written = [f"{name}.md" for name in (*cards, "README")]
    show({"folder": str(folder), "written": written}, as_json=as_json, title="Model cards")


def _show_models(names: tuple[str, ...], *, as_json: bool) -> None:
    from features.errors import NotReadyError
    from pipelines.console import show_rows
    from pipelines.installation import opened
    from pipelines.retrain import with_interval
    from training.registry import Registry

    with opened() as onje:
        registry = Registry(onje.places.home, onje.places.tracking_uri)
        rows = [
            {
                "model": one.name,
                "version": one.version,
                "is": ", ".join(one.aliases) or "recorded",
                "recorded_at": one.recorded_at.isoformat(timespec="seconds"),
                "log_loss": with_interval(one.metrics, "model/log_loss"),
                "baseline": one.baseline,
                "its_log_loss": with_interval(one.metrics, f"{one.baseline}/log_loss"),
                "gain": with_interval(one.metrics, "gain"),
                "synthetic": one.synthetic,
                "gate": one.gate,
            }
            for name in names
            for one in registry.versions(name)
        ]
    if not rows:
        raise NotReadyError(f"no version of {' or '.join(names)} yet; type `onje train all`")
    show_rows(rows, as_json=as_json, title="Recorded models")


@evaluate.command("policy")
def policy(
    world: Annotated[
        str, typer.Option(help="Which simulated world; see onje simulate --list.")
    ] = "default",
    policies: Annotated[
        str, typer.Option(help="Which policies, with commas between.")
    ] = "nobody,everybody-best-fixed,rules,random-eligible,onje,oracle",
    weeks: Annotated[int, typer.Option(help="How long they are compared, 1 to 104.")] = 8,
    customers: Annotated[
        int | None,
        typer.Option(help="How many customers, 100 to 100,000; 2,000, or all of a smaller world."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The first world's seed.")] = 1,
    seeds: Annotated[int, typer.Option(help="How many worlds, 1 to 100, from --seed upwards.")] = 1,
    history_weeks: Annotated[
        int | None,
        typer.Option(help="Weeks lived and learnt from before, 8 to 104; 26, or all of the world."),
    ] = None,
    every_days: Annotated[
        int, typer.Option(help="Days from one decision to the next, 1 to 7; 1 is slow and real.")
    ] = 7,
    retrain_weeks: Annotated[
        int, typer.Option(help="Weeks from one training to the next, 1 to 104.")
    ] = 4,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an earlier run has finished.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Where runs and pages are kept; $ONJE_HOME/evaluations, if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let policies decide in a simulated world, whose truth is known, and compare them.

    Everything is synthetic. Each policy decides by the same road as `onje rescore`, under the same
    guardrails, for the same customers with the same luck; events flow back through the ingest, and
    models are trained again on schedule. A run that was killed goes on where it stood.

    Examples:

      onje evaluate policy --world strong-hour --weeks 8

      onje evaluate policy --world default --policies rules,onje,oracle --seeds 3 --json
    """
    from pipelines.evaluation.plan import planned

    # Before the heavy imports: what cannot be compared is told at once.
    plan = planned(
        world=world,
        customers=customers,
        history_weeks=history_weeks,
        weeks=weeks,
        every_days=every_days,
        retrain_weeks=retrain_weeks,
        first_seed=seed,
        seeds=seeds,
        policies=policies,
    )

    import json

    from pipelines.console import progress, say
    from pipelines.evaluation.contest import contest, folder_of
    from pipelines.evaluation.terminal import table_of
    from pipelines.installation import opened

    with opened() as onje, progress(quiet=as_json) as step:
        settings = onje.settings
        root = (out or onje.places.home / "evaluations").resolve()
        folder = folder_of(plan, root, settings)
        comparison = contest(plan, folder, restart=restart, settings=settings, step=step)
    page = folder / "report.html"
    if as_json:
        print(json.dumps({**comparison.as_dict(), "report": str(page)}))
        return
    from rich.console import Console

    Console().print(table_of(comparison, settings.features.base_currency))
    say(f"report: {page}")


evaluate.command("baskets")(baskets)


def add_to(app: typer.Typer) -> None:
    app.add_typer(evaluate, name="evaluate", help=all_models.__doc__)
