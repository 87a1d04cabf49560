"""Workflows in words: the section of docs/emails.md, and what `onje workflows` tells."""

from __future__ import annotations

from collections.abc import Iterator

from serving.settings import ServingSettings
from serving.workflow_settings import StepSettings, WorkflowSettings

_RULES = """
## Workflows

A workflow is e-mails in steps, a table of `onje.toml`. What it sends is decided like any other
mail: its steps compete by their value and keep to all guardrails and caps.

- It begins when an e-mail of its first step is sent; that goes by its own trigger. The days of the
  other steps count from then.
- Due is the latest step whose days have passed, if its `when` holds for the customer and neither it
  nor a later one was sent or promised since the start. What could not go (a cap, quiet hours) stays
  due; what was missed is left out once a later step is due. Of several e-mails in a step the best
  one goes.
- It ends with whatever `ends_on` names, done by a person after the start; what machines do ends
  nothing. It also ends with its last step and after `runs_days`, and does not begin anew within
  `again_days`.
- So many e-mails in a row without a click as `unanswered` says lead straight to the last step.
- `sunset_days` after the last step without an act of their own no marketing leaves any more (the
  guardrail `sunset`), until they do something or confirm that they want our mail.
- While it runs, its e-mails go at their step and not by triggers of their own.

Where somebody stands is derived from their events and from nothing else, so asking again, replaying
and rebuilding the store give the same step. `onje workflows --customer ID` tells it; the reason
`workflow_step` and the receipt's `workflow` name it.
"""

_INCENTIVE = """
## Discounts that grow

An e-mail with a `discount_most` gives more, the longer somebody is silent and the more they were
worth before it:

```
discount = `discount` + (`discount_most` - `discount`) x silence x worth,
           rounded down to steps of {step:g}
silence  = the way from {from_days:g} to {full_days:g} days without an order, averaged with that
           from {from_cycles:g} to {full_cycles:g} cycles of their own rhythm where they have one
worth    = {least_worth:g} + {more:g} x spend_active_year / {full_spend:g}, at most 1
```

`spend_active_year` is what they spent in the year up to their last order. It does not shrink while
they are silent, nor does their rhythm change, so the discount never falls while the silence lasts.
It is the one that the value counts, the slot `discount` tells and the receipt keeps.
"""


def workflows(settings: ServingSettings) -> Iterator[str]:
    """The section of workflows, and of the discounts they like to give."""
    yield _RULES.rstrip()
    for name, workflow in settings.workflows.items():
        yield f"\n### {name}\n\n{workflow.meaning[0].upper()}{workflow.meaning[1:]}.\n"
        yield "| step | e-mails | goes | for |\n|---|---|---|---|"
        for number, step in enumerate(workflow.steps, start=1):
            whom = f"`{step.when}`" if step.when else "anybody"
            yield f"| {number} | {' or '.join(step.emails)} | {goes(step)} | {whom} |"
        yield f"\n{ends(workflow)}"
    incentive = settings.incentive
    yield _INCENTIVE.format(**incentive.model_dump(), more=1 - incentive.least_worth).rstrip()


def goes(step: StepSettings) -> str:
    """When a step goes: "7 days after step 1"."""
    if not step.after_days:
        return "by its trigger"
    return f"{step.after_days:g} {'day' if step.after_days == 1 else 'days'} after step 1"


def ends(workflow: WorkflowSettings) -> str:
    """What ends it, and what then."""
    said = [f"Ends on: {', '.join(workflow.ends_on)}; after {workflow.runs_days:g} days."]
    if workflow.unanswered:
        said.append(f"{workflow.unanswered} unanswered e-mails lead to the last step.")
    if workflow.again_days:
        said.append(f"Not again within {workflow.again_days:g} days.")
    if workflow.sunset_days:
        said.append(f"{workflow.sunset_days:g} days of silence after its last step: sunset.")
    return " ".join(said)
