"""The catalogue in words: e-mails, triggers, tones, segments, and what conditions may ask for."""

from __future__ import annotations

from collections.abc import Iterator

from features.segments import SEGMENTS, STAGES
from serving.asked import OWN
from serving.settings import EmailSettings, ServingSettings
from serving.shelf_facts import MEANINGS
from serving.triggers import TRIGGERS, Picks

PICKS: dict[Picks, str] = {
    "ranked": "what they are likeliest to order",
    "category": "the likeliest of their favourite category",
    "due": "what they order again and again and is due",
    "cart": "what lies in their cart",
    "bought": "what their newest order held",
    "viewed": "what they looked at and did not order",
    "searched": "what has all words of their last search",
    "new_similar": "what is new where they look",
    "new_favourite": "what is new in their favourite category",
    "dropped": "what became cheaper since they saw it",
    "related": "what goes with their newest order",
    "premium": "the dearest quarter of their favourite category",
}


def told(name: str, email: EmailSettings) -> dict[str, object]:
    """An e-mail of the catalogue as people and machines want to know it."""
    trigger = TRIGGERS[email.trigger]
    return {
        "email": name,
        "trigger": email.trigger,
        "family": trigger.family,
        "meaning": trigger.meaning,
        "parameters": dict(email.parameters),
        "shows": PICKS[trigger.picks] if email.products else None,
        **email.model_dump(mode="json", exclude={"trigger", "parameters"}),
    }


def goes(email: EmailSettings) -> str:
    """When it goes: "at once, not within 1 h"."""
    when = "at once" if email.at_once else "at their hour"
    return f"{when}, not within {email.delay_hours:g} h" if email.delay_hours else when


def meant_for(email: EmailSettings) -> str:
    """For whom beside its trigger: stages, a condition, who writes."""
    parts = []
    if email.stages:
        parts.append(f"stage {' or '.join(email.stages)}")
    if email.when:
        parts.append(f"`{email.when}`")
    if email.by_human:
        parts.append(f"a person writes to {' and '.join(email.by_human)}")
    return "; ".join(parts) or "anybody"


def catalogue(settings: ServingSettings) -> Iterator[str]:
    """The e-mails in their order."""
    yield "## Catalogue\n"
    yield f"{len(settings.emails)} e-mails, in the order in which they win a tie.\n"
    yield (
        "| e-mail | trigger | class | for | goes | worth nothing after | again after | products "
        "| discount | coupon | tone |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for name, email in settings.emails.items():
        shown = f"{email.products}: {PICKS[TRIGGERS[email.trigger].picks]}"
        discount = f"{100 * email.discount:g} %" if email.discount else "none"
        if email.discount_most:
            discount += f" to {100 * email.discount_most:g} %"
        yield (
            f"| {name} | {email.trigger} | {email.mail_class} | {meant_for(email)} | {goes(email)} "
            f"| {email.deadline_hours:g} h | {email.repeat_days:g} days "
            f"| {shown if email.products else 'none'} | {discount} | {email.coupon or 'none'} "
            f"| {email.tone or 'of the stage'} |"
        )


def triggers() -> Iterator[str]:
    """The triggers, family by family."""
    yield "\n## Triggers\n"
    yield (
        "Each has a page of examples in `tests/spec/triggers`: for whom it is, what is said, for "
        "how long it is worth something, what it shows."
    )
    family = ""
    for trigger in TRIGGERS.values():
        if trigger.family != family:
            family = trigger.family
            yield f"\n### {family}\n"
        yield f"- **{trigger.name}**: {trigger.meaning} (shows {PICKS[trigger.picks]})"
        for name, meaning in trigger.parameters.items():
            yield f"  - `{name}`: {meaning}"


def journey(settings: ServingSettings) -> Iterator[str]:
    """Stages with their tones, and segments."""
    yield "\n## Stages and tones\n"
    yield (
        "The first stage that applies is the customer's. `stages` of an e-mail says for which it "
        "is; an e-mail whose `tone` is empty speaks as `[tones]` says for the stage.\n"
    )
    tones = settings.tones.model_dump()
    yield "| stage | meaning | tone |"
    yield "|---|---|---|"
    for stage in STAGES:
        yield f"| {stage.name} | {stage.meaning} | {tones[stage.name]} |"
    yield "\n## Segments\n"
    yield (
        "Each customer is of the first of Onje's segments that applies, and of any number of your "
        "own (`[segments.NAME]`). They are found anew for every decision, from all events known "
        "by then. `by_human` of an e-mail names those to whom a person writes: the answer then "
        'says `"by": "human"`.\n'
    )
    yield "| segment | whose | meaning |"
    yield "|---|---|---|"
    for segment in SEGMENTS:
        yield f"| {segment.name} | Onje's | {segment.meaning} |"
    for name, own in settings.segments.items():
        yield f"| {name} | yours: `{own.when}` | {own.meaning} |"


def conditions() -> Iterator[str]:
    """What `when` is."""
    yield "\n## Conditions\n"
    yield (
        "`when` of an e-mail, of a segment and of a workflow's step is a condition in SQL: "
        "comparisons with AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, CASE, COALESCE, ABS. It reads "
        "one customer at one moment: no sums over customers, no clock, no tables. What cannot be "
        "decided (a feature that is unknown) does not hold, and neither does its opposite; write "
        "`COALESCE(churn, 0) < 0.5` where unknown is to count as something. An unknown name or a "
        "fault stops the start with a hint, and so does a segment, stage or country that there is "
        "none of.\n"
    )
    yield (
        "It may ask for every feature of `docs/features.md`, for `segment`, `stage`, `timezone`, "
        "`country`, `region`, `email_consent`, `preferred_tone`, for the scores `churn`, "
        f"`email_dormancy`, `dormant_within_30d`, for `{OWN}NAME` of each segment of yours, and "
        "for what the shelf says:\n"
    )
    for name, meaning in MEANINGS.items():
        yield f"- `{name}`: {meaning}"
