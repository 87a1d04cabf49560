"""A comparison for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipelines.evaluation.compare import Comparison
from pipelines.evaluation.page import share_text
from training.evaluable import NotEvaluable
from training.evaluate import Interval


def table_of(comparison: Comparison, currency: str) -> Group:
    """A table, what the holdout says, and the warning that all of it is synthetic."""
    plan = comparison.plan
    table = Table(
        "policy", "margin", "orders", "unsub.", "compl.", "mails", "over nobody", "of the oracle",
        title=f"Synthetic world {plan.world}: {plan.customers:,} customers, {plan.weeks} weeks",
        title_justify="left",
    )  # fmt: skip
    for line in comparison.lines:
        table.add_row(
            line.policy,
            f"{line.totals['margin']:,.0f}",
            f"{line.totals['orders']:,.0f}",
            f"{line.totals['unsubscribes']:,.1f}",
            f"{line.totals['complaints']:,.1f}",
            f"{line.mails_per_customer:.2f}",
            _interval(line.over_nobody),
            share_text(line.share),
        )
    return Group(
        table,
        Text(
            f"margin in {currency}, of all customers; over nobody: {currency} per customer; mails "
            "per customer;\nof the oracle: share of its gain over the rules, outside holdout and "
            "exploration"
        ),
        *_gate(comparison),
        Text(f"uplift of onje per customer, told by the holdout: {_interval(comparison.uplift)}"),
    )


def _gate(comparison: Comparison) -> list[Text]:
    verdict = comparison.verdict
    if verdict is None:
        return []
    says = "may" if verdict.promote else "may not"
    return [
        Text(f"by its own log, onje's choice of e-mail {says} replace the rules':"),
        *(Text(f"  {reason}") for reason in verdict.reasons),
    ]


def _interval(found: Interval | NotEvaluable) -> str:
    if isinstance(found, NotEvaluable):
        return str(found)
    return f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
