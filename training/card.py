"""A model's card: what it answers, from what, how well, and where it must not be trusted.

Printed from what the model's folder says of itself, so that a card can neither promise more than
was measured nor name a customer. After Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

MOST_INPUTS = 12


@dataclass(frozen=True)
class Purpose:
    """The question that a model answers, what counts as the answer, and what it is not for."""

    question: str
    label: str
    limits: str


_CHURN = (
    "It ranks customers and times mail; it is no forecast of revenue, and says nothing of who "
    "never ordered. A change of assortment or season that is not in the data is not foreseen."
)
_RESPONSE = (
    "It compares e-mails for one customer. Without decisions made at random it says who answers, "
    "not who answers because of the mail; unsubscribes are so rare that small differences between "
    "customers mean nothing."
)
PURPOSES: Mapping[str, Purpose] = {
    "churn": Purpose(
        "How likely is it that a customer places no order within the horizon?",
        "1 where no order came in [t, t + horizon), among customers who had ordered before t",
        _CHURN,
    ),
    "email-dormancy": Purpose(
        "How likely is it that a customer who gets mail neither clicks nor comes by?",
        "1 where neither a person's click nor a visit came in [t, t + horizon); unknown where too "
        "few mails were delivered",
        "It speaks of who is mailed. Opens are no evidence, since apps open mail by themselves.",
    ),
    "dormancy-date": Purpose(
        "When will a customer turn dormant?",
        "the week in which the silence after the last order grew too long; who ordered again in "
        "time, or is not yet silent for so long, is counted only as far as was seen",
        _CHURN,
    ),
    "send-hour": Purpose(
        "In which hours of the customer's own clock does a mail find them?",
        "a person's click within `click hours` of the send; where clicks are too few, an own act "
        "in that hour (see `evidence`)",
        "An hour at which nothing was ever sent is judged by when people are about. It does not "
        "say whether to send, and machine clicks are left out as far as they are known.",
    ),
    "affinity-category": Purpose(
        "From which categories will a customer order next?",
        "1 where the category was ordered within the horizon, of the categories considered",
        "Only what is considered can be recommended; prices, stock and taste beyond own orders, "
        "views and carts are unknown to it.",
    ),
    "affinity-product": Purpose(
        "Which products will a customer order next?",
        "1 where the product was ordered within the horizon, of the products considered",
        "Only what is considered can be recommended. New products are known by their category "
        "alone; stock is looked at when the mail is decided, not here.",
    ),
    "response-click": Purpose(
        "How likely is a person's click on this e-mail, sent to this customer now?",
        "1 where a person clicked within the window after the send", _RESPONSE,
    ),
    "response-order": Purpose(
        "How likely is an order with this e-mail, and how likely without it?",
        "1 where an order came within the window after the send, or after a moment without one",
        _RESPONSE,
    ),
    "response-unsubscribe": Purpose(
        "How likely does this e-mail make the customer unsubscribe or complain?",
        "1 where an unsubscribe or a complaint followed within the window after the send",
        _RESPONSE,
    ),
}  # fmt: skip


def card(
    name: str, version: str, about: Mapping[str, Any], *, gate: str, contributions: pl.DataFrame,
    rows_are: str, judged_by: float | None,
) -> str:  # fmt: skip
    """The card as Markdown.

    `about` is that of the model's folder, `gate` what was said of its promotion, `contributions`
    those of training.explain, of the rows that `rows_are` names. `judged_by`: how many customers of
    equal weight the test rows are worth; None where that was not kept.
    """
    purpose = PURPOSES[name]
    return "\n".join([
        f"# {name}\n",
        *(["**Synthetic.** It was trained and judged on a simulated world: every figure on this "
           "page is of that world, none of a real shop.\n"] if about["synthetic"] else []),
        f"{purpose.question}\n",
        "| | |\n|---|---|",
        *(
            f"| {key} | {value} |"
            for key, value in _origin(version, about, gate, purpose, judged_by)
        ),
        "\n## How well\n",
        "On later customers and days than it learnt from. In brackets: the interval, customers "
        "drawn anew.\n",
        *_metrics(about),
        "\n## What moves it\n",
        f"Mean of what each input adds to or takes from the log-odds by its trees ({rows_are}). "
        "What the trees start from, where a model has such an offset, is not among it.\n",
        "| input | mean | share | meaning |\n|---|---|---|---|",
        *(
            f"| `{row['input']}` | {row['mean_abs']:.3f} | {row['share']:.0%} | {row['meaning']} |"
            for row in contributions.head(MOST_INPUTS).iter_rows(named=True)
        ),
        f"\n{len(contributions)} inputs in all.\n",
        "## Limits\n",
        f"{purpose.limits}\n",
    ])  # fmt: skip


def _origin(
    version: str, about: Mapping[str, Any], gate: str, purpose: Purpose, judged_by: float | None
) -> Iterator[tuple[str, str]]:
    facts, settings = about["facts"], about["settings"]
    yield "version", version
    yield "answer", purpose.label
    for key in sorted(k for k in settings if k.endswith(("_days", "_hours"))):
        yield key.replace("_", " "), str(settings[key])
    for use in ("train", "test"):
        rows, customers = facts.get(f"{use}_rows"), facts.get(f"{use}_customers")
        if rows is not None:
            whose = "" if customers is None else f" of {customers:,} customers"
            yield f"{use} rows", f"{rows:,}{whose}{_when(facts.get(f'{use}_dates'))}"
    if judged_by is not None:
        yield "judged by", f"{judged_by:,.0f} customers, each by its weight among the test rows"
    yield "trained at", about["trained_at"]
    tables = ", ".join(f"{name} {number}" for name, number in about["lake_versions"].items())
    yield "lake", tables or "not recorded"
    yield "code", about["code_version"]
    yield "gate", gate
    for key, value in facts.items():
        if not key.startswith(("train_", "test_")) and not isinstance(value, dict | list):
            shown = f"{value:.4g}" if isinstance(value, float) else value
            yield key.replace("_", " "), str(shown)


def _when(dates: Any) -> str:
    if not isinstance(dates, list) or not dates:
        return ""
    return f", as of {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else "")


def _metrics(about: Mapping[str, Any]) -> Iterator[str]:
    """A line per metric, a column per contestant: the model, its trivial baseline, the others."""
    found, baseline = about["metrics"], about["baseline"]
    contestants = ["model", baseline, *(n for n in found if n not in ("model", baseline))]
    titles = ["model", f"{baseline} (baseline)", *contestants[2:]]
    yield "| | " + " | ".join(titles) + " |"
    yield "|---" * (len(titles) + 1) + "|"
    for metric in dict.fromkeys(name for one in contestants for name in found[one]):
        cells = [_interval(found[one].get(metric)) for one in contestants]
        yield f"| {metric.replace('_', ' ')} | " + " | ".join(cells) + " |"
    low, _, high = about["gain"]
    sure = "better" if 0 < low < high else "worse" if high < 0 else "not surely different"
    yield f"\nGain in log-loss over `{baseline}`: {_interval(about['gain'])}, {sure}."


def _interval(found: Any) -> str:
    if found is None:
        return "–"
    low, estimate, high = found
    return f"{estimate:.4g} [{low:.4g}, {high:.4g}]"


def index(names: Mapping[str, Mapping[str, Any]]) -> str:
    """The page that lists the cards: `names` are the models' `about` by name."""
    return "\n".join([
        "# Models\n",
        "<!-- printed from recorded runs by `onje evaluate --cards` -->\n",
        "| model | answers | log-loss | gain over its baseline | data |\n|---|---|---|---|---|",
        *(
            f"| [{name}]({name}.md) | {PURPOSES[name].question} "
            f"| {_interval(about['metrics']['model'].get('log_loss'))} "
            f"| {_interval(about['gain'])} over `{about['baseline']}` "
            f"| {'synthetic' if about['synthetic'] else 'brought in'} |"
            for name, about in names.items()
        ),
        "",
    ])  # fmt: skip
