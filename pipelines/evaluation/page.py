"""A comparison as a page for people, with its figures inside: one file, no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from pipelines.evaluation.compare import Comparison, Line
from pipelines.evaluation.names import POLICIES
from training.evaluable import NotEvaluable
from training.evaluate import Interval
from training.plots import regret_plot

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
.note { color: #555 } .warning { border-left: 4px solid #b45309; padding-left: .8rem }
img { max-width: 100% } .wide { overflow-x: auto }
"""


def page_of(comparison: Comparison, currency: str) -> str:
    """The whole page as HTML."""
    plan = comparison.plan
    seeds = ", ".join(map(str, plan.seeds))
    return "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width'>",
            f"<title>Policies in the simulated world {escape(plan.world)}</title>",
            f"<style>{STYLE}</style></head><body>",
            f"<h1>Policies in the world <em>{escape(plan.world)}</em></h1>",
            "<p class='warning'><strong>Synthetic.</strong> Customers, mails and money below are "
            "simulated. What is said here holds in that world; no real customer was asked.</p>",
            f"<p>{plan.customers:,} customers, {plan.history_weeks} weeks of history, then "
            f"{plan.weeks} weeks with a decision every {_days(plan.every_days)}; "
            f"seeds {escape(seeds)}. All policies meet the same customers with the same luck, obey "
            "the same guardrails and leave the same holdout alone.</p>",
            _table(comparison, currency),
            f"<h2>What the holdout says</h2><p>Uplift of <em>onje</em> over no mail, per customer "
            f"in {plan.weeks} weeks, measured from the holdout and not from the truth: "
            f"<strong>{_money(comparison.uplift, currency)}</strong>.</p>",
            _gate(comparison),
            _regret(comparison.regret, currency),
            "<h2>The policies</h2><dl>",
            *(
                f"<dt>{escape(line.policy)}</dt><dd>{escape(POLICIES[line.policy])}"
                f"{_which(line)}</dd>"
                for line in comparison.lines
            ),
            "</dl></body></html>",
        ]
    )


def _table(comparison: Comparison, currency: str) -> str:
    head = (
        "policy", f"margin, {currency}", "orders", "unsubscribes", "complaints",
        "mails per customer", "margin over nobody, per customer", "share of the oracle's gain",
    )  # fmt: skip
    rows = [
        [
            escape(line.policy),
            _total(line, "margin", ",.0f"),
            _total(line, "orders", ",.0f"),
            _total(line, "unsubscribes", ",.1f"),
            _total(line, "complaints", ",.1f"),
            f"{line.mails_per_customer:.2f}",
            _money(line.over_nobody, currency),
            share_text(line.share),
        ]
        for line in comparison.lines
    ]
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return (
        f"<div class='wide'><table><tr>{titles}</tr>{cells}</table></div>"
        "<p class='note'>Totals are means over seeds. Share of the oracle's gain: how much of the "
        "way from <em>rules</em> to <em>oracle</em>, of what mails were expected to earn, outside "
        "holdout and exploration. Brackets hold the 95&nbsp;% interval: over seeds from three "
        "seeds on, else over customers.</p>"
    )


def _total(line: Line, name: str, form: str) -> str:
    text = f"{line.totals[name]:{form}}"
    found = line.over_seeds.get(name)
    return f"{text} [{found.low:{form}}, {found.high:{form}}]" if found else text


def share_text(share: Interval | NotEvaluable) -> str:
    """A share in percent with its interval; a dash where there is none."""
    if isinstance(share, NotEvaluable):
        return "–"
    return f"{share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]"


def gain_text(gain: Interval | NotEvaluable) -> str:
    """A difference in money with sign and interval, or why there is none."""
    if isinstance(gain, NotEvaluable):
        return str(gain)
    return f"{gain.estimate:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def _money(gain: Interval | NotEvaluable, currency: str) -> str:
    unit = "" if isinstance(gain, NotEvaluable) else f" {currency}"
    return escape(gain_text(gain) + unit)


def _gate(comparison: Comparison) -> str:
    if comparison.verdict is None:
        return ""
    says = "may" if comparison.verdict.promote else "may not"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in comparison.verdict.reasons)
    return (
        f"<h2>What the gate says</h2><p>By the log of <em>onje</em>'s own decisions with their "
        f"propensities, its choice of e-mail <strong>{says}</strong> replace the rules':</p>"
        f"<ul>{reasons}</ul>"
    )


def _regret(regret: Mapping[str, tuple[float, ...]], currency: str) -> str:
    if not regret:
        return ""
    image = b64encode(regret_plot(regret, currency)).decode()
    return (
        "<h2>Cumulative regret</h2><p>What each policy's mails were expected to earn less than the "
        f"oracle's, summed up week by week.</p><img alt='cumulative regret by week' "
        f"src='data:image/png;base64,{image}'>"
    )


def _which(line: Line) -> str:
    return f" (here {escape(line.fixed)})" if line.fixed else ""


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count} days"
