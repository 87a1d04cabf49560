"""The named worlds: what a simulated shop is like, figure by figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from features.errors import SettingsError

Share = Annotated[float, Field(ge=0, le=1)]
# No world is larger or longer.
MOST_CUSTOMERS, MOST_WEEKS = 1_000_000, 260


class WorldSettings(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """One simulated shop; rates are chances per mail unless they say otherwise."""

    name: str
    # How large it is if nobody says how large.
    customers: Annotated[int, Field(ge=1, le=MOST_CUSTOMERS)]
    history_weeks: Annotated[int, Field(ge=1, le=MOST_WEEKS)]

    # Customers.
    never_consent: Share
    mean_lifetime_days: Annotated[float, Field(ge=30, le=10_000)]
    orders_per_week: Annotated[float, Field(gt=0, le=5)]
    visits_per_week: Annotated[float, Field(gt=0, le=20)]
    refunded: Share  # of orders
    margin: Share  # of list prices
    drift: Share  # of customers whose rhythm and tastes change when the evaluation starts

    # What mail does.
    mail_works: bool  # false: no mail changes anything that anybody does of value
    hour_gain: Annotated[float, Field(ge=0, le=0.5)]  # own best hours against everybody's best
    open_rate: Annotated[float, Field(gt=0, le=0.5)]  # mean chance that a person opens
    click_factor: Annotated[float, Field(gt=0, le=20)]
    fatigue: Annotated[float, Field(ge=0, le=3)]  # clicks fall by exp(-fatigue x recent mails)
    annoyance: Annotated[float, Field(ge=0, le=10)]  # unsubscribes: 1 + annoyance x recent mails
    recovery_days: Annotated[float, Field(gt=0, le=60)]  # a mail's pressure decays so
    unsubscribe_rate: Share
    complaint_rate: Share
    mailable_weeks: Annotated[float, Field(ge=0, le=260)]  # of mail lost with an unsubscribe

    # The historic logging policy.
    bulk_per_week: Annotated[float, Field(ge=0, le=7)]  # newsletters to the average customer
    night_mails: Annotated[float, Field(ge=0, le=10)]  # how much is sent by night to the engaged

    # Dirt.
    mpp_share: Share  # of customers: their programme opens every mail on delivery
    machine_flagged_share: Share  # of these opens: the sender notices and says so
    gateway_share: Share  # of customers: a gateway reads their mail first ...
    scanned_share: Share  # ... and follows the links of this share of it
    bounce_prone: Share  # of customers: an address that stops working
    soft_bounce_share: Share  # of mails
    duplicate_share: Share  # of events
    late_share: Share  # of events


DEFAULT = WorldSettings(
    name="default",
    customers=20_000,
    history_weeks=26,
    never_consent=0.10,
    mean_lifetime_days=500,
    orders_per_week=0.14,
    visits_per_week=0.8,
    refunded=0.04,
    margin=0.25,
    drift=0.0,
    mail_works=True,
    hour_gain=0.12,
    open_rate=0.125,
    click_factor=1.0,
    fatigue=0.08,
    annoyance=0.3,
    recovery_days=5,
    unsubscribe_rate=0.0022,
    complaint_rate=0.00035,
    mailable_weeks=26,
    bulk_per_week=1.2,
    night_mails=1.0,
    mpp_share=0.04,
    machine_flagged_share=0.5,
    gateway_share=0.03,
    scanned_share=0.015,
    bounce_prone=0.01,
    soft_bounce_share=0.003,
    duplicate_share=0.003,
    late_share=0.03,
)


def altered(settings: WorldSettings, **changes: object) -> WorldSettings:
    """The world with other figures; SettingsError names each impossible one and its range."""
    try:
        return WorldSettings.model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))} is {changes.get(str(fault['loc'][0]))!r}: "
            f"{_in_words(fault['msg'], str(fault['loc'][0]))}"
            for fault in error.errors()
        )
        raise SettingsError(f"no such world can be: {faults}") from None


def _in_words(message: str, field: str) -> str:
    known = WorldSettings.model_fields.get(field)
    if known is None:
        return f"no such figure; known are {', '.join(WorldSettings.model_fields)}"
    return f"{message[0].lower()}{message[1:]}{_range_of(known.metadata)}"


def _range_of(rules: list[object]) -> str:
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    said = [
        f"{words} {getattr(rule, sign)}"
        for rule in rules
        for sign, words in signs.items()
        if getattr(rule, sign, None) is not None
    ]
    return f" (give {', '.join(said)})" if said else ""


WORLDS: Mapping[str, WorldSettings] = {
    world.name: world
    for world in (
        DEFAULT,
        altered(DEFAULT, name="null-hour", hour_gain=0.0),
        altered(DEFAULT, name="small-hour", hour_gain=0.05),
        altered(DEFAULT, name="strong-hour", hour_gain=0.25),
        altered(DEFAULT, name="null-everything", mail_works=False),
        altered(DEFAULT, name="bot-flood", gateway_share=0.10, scanned_share=0.0114),
        altered(DEFAULT, name="mpp", mpp_share=0.20),
        altered(DEFAULT, name="confounded", night_mails=4.0),
        altered(DEFAULT, name="tiny", customers=500, history_weeks=8),
        altered(DEFAULT, name="drift", drift=0.5),
        altered(DEFAULT, name="fatigue", fatigue=0.35, annoyance=1.5),
        altered(DEFAULT, name="rich", click_factor=10.0),
    )
}


def known_world(name: str) -> WorldSettings:
    """The world of that name; SettingsError lists the known ones."""
    if name not in WORLDS:
        raise SettingsError(f"there is no world {name!r}; known are {', '.join(WORLDS)}")
    return WORLDS[name]
