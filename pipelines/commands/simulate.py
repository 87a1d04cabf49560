"""Make a simulated shop whose truth is known, and bring its past into the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table


def simulate(
    world: Annotated[str, typer.Option(help="Which world; --list shows them.")] = "default",
    customers: Annotated[
        int | None,
        typer.Option(help="How many, 100 to 100,000; the world's own number, if not given."),
    ] = None,
    weeks: Annotated[
        int | None,
        typer.Option(help="Weeks of history, 4 to 104; the world's own number, if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Which of all such worlds.")] = 1,
    as_list: Annotated[bool, typer.Option("--list", help="Show the worlds and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Make a simulated shop whose truth is known, and bring its past into the lake.

    Everything of it is SYNTHETIC. Its past ends on 2026-03-02, and the clock of ONJE_HOME is set to
    that day. What is hidden in it lies in ONJE_HOME/truth. The same again changes nothing; what was
    killed half-way can be typed again. A lake that holds other data is refused.

    Examples:

      onje simulate --list

      onje simulate --world strong-hour --customers 2000 --weeks 26 --seed 1
    """
    from pipelines.simulator.docs import lines
    from pipelines.simulator.size import sized

    if as_list:
        print("\n".join(lines()))
        return
    # Before the heavy imports: a wrong word is told at once.
    size = sized(world, customers=customers, weeks=weeks, seed=seed)

    import json
    import time
    from dataclasses import asdict
    from datetime import UTC, datetime

    from pipelines.console import progress
    from pipelines.installation import opened
    from pipelines.simulator.into_lake import mails_in, simulate
    from pipelines.simulator.measure import compared

    began = time.monotonic()
    with opened() as onje, progress(quiet=as_json) as step:
        stored = simulate(onje.places.home, onje.lake, size, step=step)
        now = datetime.now(UTC)
        onje.set_clock(max(0, (now - stored.start).days), who="simulate", at=now)
        mails = mails_in(onje.lake)
        facts = compared(mails)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        sent = mails.filter(mails["kind"] == "send").height
        said = {**asdict(size), "events": stored.events, "mails": sent, "seconds": seconds}
        print(json.dumps({**said, "synthetic": True, "facts": facts.to_dicts()}))
        return
    from rich.console import Console

    at = f"{stored.start:%Y-%m-%dT%H:%M:%S}"
    print(f"\nSYNTHETIC: the simulated world {size}")
    print(f"{stored.events:,} events, {stored.new_events:,} of them new, in {seconds:.0f} s\n")
    Console().print(_table(facts))
    print(_NEXT.format(at=at, world=world, seed=seed))


_NEXT = """
What next (the clock of this home is set to the day after this past):

  onje train all --promote
  onje publish
  onje rescore --as-of {at}
  onje evaluate policy --world {world} --seed {seed}
"""


def _table(facts: pl.DataFrame) -> Table:
    from rich.table import Table

    from pipelines.simulator.docs import figure, verdict

    headings = ("fact", "real", "bounds", "world", "within")
    table = Table(*headings, title="World (synthetic) against real facts", title_justify="left")
    for row in facts.iter_rows(named=True):
        bounds = f"{figure(row['low'])} to {figure(row['high'])}"
        within = verdict(row["within"]).strip("*")
        table.add_row(row["fact"], figure(row["real"]), bounds, figure(row["world"]), within)
    return table


def add_to(app: typer.Typer) -> None:
    app.command("simulate")(simulate)
