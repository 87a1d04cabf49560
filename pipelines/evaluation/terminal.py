"""A comparison for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.evaluation.compare import Comparison
from pipelines.evaluation.page import gain_text, share_text


def table_of(comparison: Comparison, currency: str) -> Group:
    """Two tables, what the holdout and the gate say; that all of it is synthetic comes first."""
    plan = comparison.plan
    title = (
        f"Synthetic world {plan.world}: {plan.customers:,} customers, {plan.weeks} weeks, "
        f"seeds {', '.join(map(str, plan.seeds))}"
    )
    parts: list[RenderableType] = [
        _totals(comparison, currency, title),
        _differences(comparison, currency),
        Text(f"uplift of onje per customer, told by the holdout: {gain_text(comparison.uplift)}"),
    ]
    if comparison.verdict is not None:
        says = "may" if comparison.verdict.promote else "may not"
        others = len(comparison.verdict.reasons) - 1
        parts += [
            Text(f"by its own log, onje's choice of e-mail {says} replace the rules':"),
            Text(f"  {comparison.verdict.reasons[0]}"),
            Text(f"  ... and {others} fixed arms it has to beat as well, see the report"),
        ]
    return Group(*parts)


def _totals(comparison: Comparison, currency: str, title: str) -> Table:
    table = Table(
        "policy", f"margin, {currency}", "orders", "unsubscribes", "complaints", "mails",
        title=title, title_justify="left",
    )  # fmt: skip
    for line in comparison.lines:
        totals = line.totals
        table.add_row(
            line.policy,
            f"{totals['margin']:,.0f}",
            f"{totals['orders']:,.0f}",
            f"{totals['unsubscribes']:,.1f}",
            f"{totals['complaints']:,.1f}",
            f"{totals['mails']:,.0f}",
        )
    return table


def _differences(comparison: Comparison, currency: str) -> Table:
    table = Table(
        "policy",
        f"over nobody, {currency} per customer",
        "of the oracle's gain over rules",
        caption="The gain is what mails were expected to earn, outside holdout and exploration.",
        caption_justify="left",
    )
    for line in comparison.lines:
        table.add_row(line.policy, gain_text(line.over_nobody), share_text(line.share))
    return table
