"""The page of all e-mails, triggers and guardrails: `python -m serving.docs` writes it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from serving.catalogue_docs import catalogue, conditions, journey, triggers
from serving.email_defaults import with_email_defaults
from serving.guardrails import GUARDRAILS
from serving.settings import ServingSettings
from serving.workflow_docs import workflows

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "emails.md"

_INTRO = """# E-mails

<!-- printed from code by `python -m serving.docs`; edit the code, not this page -->

For every customer and every moment Onje looks at each e-mail of the catalogue and at no mail at
all. An e-mail competes if its *trigger* applies; *guardrails* forbid e-mails or hours, whatever
they are worth; of what remains the one of the highest *value* goes, at its best allowed minute, if
it is worth more than no mail. A tie goes to the e-mail listed first in `onje.toml`. Every decision
tells its reasons: a code for machines, a sentence with the customer's own figures for people.

A question that names exactly one e-mail asks only for its time: its trigger need not apply and its
value need not be positive, but guardrails hold.
"""

_VALUE = """
## Value

```
value = pull x (margin of the orders it brings - discount on them)
        - pull x stays x discount on the orders that come anyway
        - still x (cost of sending + unsubscribes x worth of a customer who can be mailed)
        - prices of budgets

pull  = lift of the hour x freshness                (a factor)
stays = 1/2 ^ (hours it waits / settles_hours)      (a share of those who order anyway)
still = 1 - P(they order anyway) x (1 - stays)      (a chance)
```

Money is in the base currency, per customer and e-mail; counts are expectations of one customer.

- clicks = `click_rate` x fit; fit grows with the chance that one of the products shown is ordered
  (`fit_weight`), where no model of clicks stands: what one has learnt holds their usual fit;
  orders = clicks x `orders_per_click`
- of these orders a share would have come anyway: `bought_anyway` of a customer who stays, less of
  one who is likely to leave (churn); only the others bring margin
- an order that an e-mail brings is worth a usual basket in which one of `products_per_order`
  products is one that the e-mail shows, at the mean price of these
- the lift of an hour is what it multiplies clicks by, the `default_hour` of the same kind of day
  being 1; above 1 only where the lower bound of the gain is above 0 (`hour_certainty`), by the
  customer's own hours, else by the segment's, else by everyone's (`hour_pull`; what clicks tell
  and `hour_pull`, give or take half of it, are weighed by how sure each is)
- freshness halves with every `half_life_hours` of waiting
- whoever orders while an e-mail waits gets none: of those who order without it, half have done so
  after `settles_hours`. Waiting saves what would have been given away to them, and the costs;
  freshness and the hour are what it costs. All of it is weighed for each minute of the window, now
  among them, so an e-mail is never dropped for being late
- the chance of an unsubscribe grows with every e-mail of the last 7 days (`fatigue`)
- a receipt's margin, less discount, costs and prices, is its value to a millionth

The rates are those that the response models say of the customer; where there is no such model,
those that `onje.toml` expects.

## Budgets

`[budget]` says how many e-mails, coupons and unsubscribes the plans of a night may cost. Where one
binds, the night finds its price: the dual of the linear program that gives each customer at most
one e-mail and earns most within the budgets (HiGHS). Every decision pays it, by night and live, so
both agree. `onje rescore` tells the prices and how much of each budget is used. What is over by
ties or by chance becomes a wait with the reason `budget`, the least worth first; an e-mail that the
price alone keeps at home is told by `budget_price`. Prices are found anew each night and are not
smoothed. More than 20,000 customers are represented by a fair sample of them. Transactional e-mail
uses no budget and pays no price. Live decisions pay the price too, and are
counted as they are promised: once the day on which a mail leaves (or the week of a coupon or an
expected unsubscribe) is full, `budget_spent` shuts it, and the mail goes later or not at all. Plans
and live decisions are held to a budget each by themselves, so whoever sends by both may send twice
as much; a mail that was cancelled does not give its place back. A price counts
only while its budget is set: one that is taken away costs nothing from the next decision on.

## Evidence

Each receipt tells the stage of evidence: A, no response model stands, and the merchant's figures
decide; B, response models stand; C, learnt person by person, which no model is yet. In B the
reference is the e-mail that is worth most at the usual rates of clicks and unsubscribes. Another
one goes only if the lower bound of what it is worth beyond the reference is above 0, at the level
`gain_certainty`, by what noise may have done to the clicks, orders and unsubscribes that were seen
of both. What nobody has seen yet is as the merchant puts it: no noise is in that. Where the bound
held a better-looking one back, `thin_evidence` tells both values.

What was seen of an e-mail is pulled towards its figures in `onje.toml`, in relation to those of the
other e-mails: the less was seen of it the harder, and the better these figures told what was seen
of all the harder.

## Chance

- `holdout_share` of the customers get no e-mail at all, always the same ones; what e-mail earns is
  measured against them. Their answer is `wait` with the reason `holdout`.
- In `explore_emails` of the decisions the e-mail is drawn by chance among those that may go and no
  e-mail, all alike, also where it is worth less than none; of `explore_hours` of the e-mails the
  hour is drawn among those open to it. The reasons `explored_email` and `explored_hour` say so.
- For `first_days` after the first live decision it is `explore_emails_at_first` of the decisions,
  unless `explore_emails` is 0: then nothing is explored in those days either.
  The receipt says which share held (`explore_share`).
- An experiment (`[experiments.NAME]`) deals its customers to arms by a stable hash, for good; who
  is held out is in none. Arms of `send_hour` shut the other hours of an e-mail where theirs is
  open, those of `incentive` are its discount, all others come out as the slot `elements`. See
  `docs/experiments.md`.
- Chance never passes a guardrail. It is drawn once per customer and UTC day: asking again does not
  draw anew. A question of time alone (one e-mail named) is not held out and explores only hours.
- Every receipt holds the chance of what was chosen, of each other e-mail and of none, so that
  another policy can be judged by what this one did (`docs/adr/0009`).

## Hours

Each local hour of an e-mail's window offers one minute, which is the customer's own, so that a
million e-mails do not leave on the hour; for an e-mail that may leave `at_once`, now is one too.
The window runs from now (or `earliest`, or `delay_hours` after what happened) to `deadline_hours`
after what happened (or `deadline`). A clock change never makes an hour that does not exist.
"""


def page() -> str:
    """`docs/emails.md` as the catalogue of onje.toml, the triggers and the guardrails have it."""
    shop = _shop()
    parts = (
        catalogue(shop), triggers(), workflows(shop), journey(shop), conditions(), _guardrails(),
    )  # fmt: skip
    lines = [line for part in parts for line in part]
    return "\n".join([_INTRO, *lines, _VALUE.rstrip(), ""])


def _shop() -> ServingSettings:
    """What onje.toml says for the serving layer."""
    file = with_email_defaults(tomllib.loads((ROOT / "onje.toml").read_text("utf-8")))
    return ServingSettings.model_validate(
        {name: file[name] for name in ServingSettings.model_fields}
    )


def _guardrails() -> Iterator[str]:
    yield "\n## Guardrails\n"
    for name, meaning in GUARDRAILS.items():
        yield f"- **{name}**: {meaning}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
