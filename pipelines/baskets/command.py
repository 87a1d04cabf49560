"""Score lists for the next basket on any basket data, by the protocol of the literature."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def baskets(
    folder: Annotated[
        Path, typer.Argument(help="Holds history.parquet and future.parquet.", metavar="DIR")
    ],
    peers: Annotated[
        bool, typer.Option("--peers", help="Run the peers side by side; takes minutes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")] = False,
) -> None:
    """Foresee each customer's next basket and say how much of it was on the list.

    DIR holds history.parquet and future.parquet with the columns customer_id, basket (whole
    numbers in order) and item; no dates. Everything is learnt from the history; the future is each
    customer's next basket, and all items of the history may be on a list. With --peers: what
    everybody buys (G-Top), what the customer buys (P-Top, GP-Top), TIFU-KNN tuned on the history,
    UP-CF, item-kNN and ALS, with Onje's paired gain over each.

    Examples:

      onje evaluate baskets ./tafeng

      onje evaluate baskets ./tafeng --peers --json
    """
    from pipelines.baskets.read import read_baskets

    read = read_baskets(folder)

    import json
    import os

    from pipelines.baskets.compare import LONGEST, ONJE, as_numbers, compared
    from pipelines.baskets.ours import onje_lists
    from pipelines.baskets.table import show_contest
    from pipelines.console import progress, say
    from pipelines.places import places
    from pipelines.settings import load_settings

    settings = load_settings(places(os.environ).settings_file, patches=[])
    lists, seconds = {}, {}
    with progress(quiet=as_json) as step:
        start = time.perf_counter()
        lists[ONJE] = onje_lists(
            read,
            top=LONGEST,
            settings=settings.training.affinity,
            features=settings.features,
            step=step,
        )
        seconds[ONJE] = time.perf_counter() - start
        if peers:
            from pipelines.baskets.peers import peer_lists

            for name, found, took in peer_lists(read, top=LONGEST, step=step):
                lists[name], seconds[name] = found, took
        contest = compared(read, lists, settings.training.resampling)
    if as_json:
        print(json.dumps(as_numbers(contest, read, seconds)))
        return
    for note in read.notes:
        say(note)
    show_contest(contest, seconds, read)
