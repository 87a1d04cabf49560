"""A contest of lists for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from pipelines.baskets.compare import ONJE, Contest
from pipelines.baskets.read import Baskets

SHOWN = ("recall@10", "ndcg@10", "phr@10", "recall@20", "ndcg@20")


def show_contest(contest: Contest, seconds: Mapping[str, float], baskets: Baskets) -> None:
    """One line per contestant; Onje's gain in recall@10 over each other with its interval."""
    customers = baskets.future.get_column("customer_id").n_unique()
    items = baskets.history.get_column("item").n_unique()
    title = f"Next baskets of {customers:,} customers out of {items:,} items"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    for name in ("", *SHOWN, *(["gain in recall@10"] if contest.gains else []), "s"):
        table.add_column(name, no_wrap=True)
    for name, metrics in contest.metrics.items():
        gain = contest.gains.get(name, {}).get("recall@10", "")
        table.add_row(
            name,
            *(f"{metrics[one].estimate:.4f}" if one in metrics else "–" for one in SHOWN),
            *([str(gain)] if contest.gains else []),
            f"{seconds[name]:.1f}",
        )
    Console().print(table)
    own = contest.metrics[ONJE]
    Console().print(f"recall@10 of {ONJE}: {own['recall@10']}, its interval by customer")
    for kind, meaning in (("repeat", "bought before"), ("explore", "new to the customer")):
        if f"{kind}_recall@10" in own:
            Console().print(f"  of what was {meaning}: {own[f'{kind}_recall@10']}")
