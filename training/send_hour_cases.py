"""What the send-hour model learns from: customers at a moment, and what then happened by hour.

A slot is an hour of a weekday or weekend day. Where there are clicks enough, a slot is seen when a
mail was sent in it ("clicks": was it clicked?); where not, all 48 are, on each day of the horizon
("activity": was the customer about in it?).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_OWN
from features.build import features_of
from features.past import past_of, portions
from features.profiles import hours_of
from features.settings import FeatureSettings
from training.model.habits import own_hours
from training.model.shrinkage import HOURS, KINDS_OF_DAY, SLOTS, Floats
from training.send_hour_labels import judged_acts_after, judged_sends_after, known_in
from training.settings import SendHourSettings

WEEKDAYS, WEEKEND_DAYS = 5, 2
ANSWERED = ("sends_90d", "opens_90d", "clicks_90d")

Evidence: TypeAlias = Literal["clicks", "activity"]


@dataclass(frozen=True, eq=False)
class Cases:
    """Customers at moments, and what followed.

    `people` has customer_id, as_of, segment and how mail was ANSWERED lately, `acts` [people, 2,
    24] what they had done by then, `following` what they did within the horizon. `seen` are slots
    with a known answer: row (of people), weekend, hour, and how often the answer was `yes` and `no`
    (of sends the `email`, too); `next_acts` the first act of each: row, weekend, hour.
    """

    people: pl.DataFrame
    acts: Floats
    following: Floats
    seen: pl.DataFrame
    next_acts: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Source:
    """The tables that cases are made from, and how."""

    history: pl.DataFrame
    customers: pl.DataFrame
    known_until: datetime
    settings: SendHourSettings
    features: FeatureSettings

    @cached_property
    def known(self) -> pl.DataFrame:
        """What was known until then, machines judged; asked for often, and dear."""
        return known_in(self.history, self.known_until)

    def sends(self, spine: pl.DataFrame) -> pl.DataFrame:
        """Sends within the horizon of each spine row, and whether they were clicked."""
        return judged_sends_after(
            self.known,
            spine,
            self.customers,
            horizon=timedelta(days=self.settings.horizon_days),
            click_window=timedelta(hours=self.settings.click_hours),
            known_until=self.known_until,
            default_timezone=self.features.default_timezone,
        )

    def acts(self, spine: pl.DataFrame) -> pl.DataFrame:
        """Own acts within the horizon of each spine row."""
        return judged_acts_after(
            self.known,
            spine,
            self.customers,
            horizon=timedelta(days=self.settings.horizon_days),
            known_until=self.known_until,
            default_timezone=self.features.default_timezone,
            echo=timedelta(hours=self.features.mail_echo_hours),
        )


def evidence_in(source: Source, dates: Iterable[datetime]) -> Evidence:
    """Clicks, where the sends after `dates` got enough of them."""
    clicked = source.sends(people_at(source, dates)).get_column("clicked").sum()
    return "clicks" if clicked >= source.settings.clicks_needed else "activity"


def cases_at(
    source: Source, groups: Sequence[Iterable[datetime]], *, evidence: Evidence
) -> list[Cases]:
    """The cases of each group of dates, no date in two: everybody who was known by then.

    Of each group a sample, if they are too many. Each customer's past is told once for all groups.
    """
    spines = [_sampled(source, dates, evidence) for dates in groups]
    everybody = pl.concat(spines)
    people, hours = _described(source, everybody)
    acts = source.acts(everybody)
    sent = source.sends(everybody) if evidence == "clicks" else None
    ends = np.cumsum([spine.height for spine in spines])
    return [
        _cases(people[int(end) - spine.height : int(end)], hours, acts, sent, source.settings)
        for spine, end in zip(spines, ends, strict=True)
    ]


def _sampled(source: Source, dates: Iterable[datetime], evidence: Evidence) -> pl.DataFrame:
    spine = people_at(source, dates)
    rows_each: float = SLOTS
    if evidence == "clicks":
        sent = source.sends(spine)
        spine = spine.join(sent, on=["customer_id", "as_of"], how="semi").sort(
            "as_of", "customer_id"
        )
        rows_each = sent.height / max(1, spine.height)
    most = int(source.settings.examples / rows_each)
    if spine.height > most:
        spine = spine.sample(most, seed=source.settings.seed).sort("as_of", "customer_id")
    return spine


def _cases(
    people: pl.DataFrame,
    hours: pl.DataFrame,
    acts: pl.DataFrame,
    sent: pl.DataFrame | None,
    settings: SendHourSettings,
) -> Cases:
    """The cases of `people`, who are among those of the other frames."""
    rows = people.select("customer_id", "as_of").with_row_index("row")
    acts = acts.join(rows, on=["customer_id", "as_of"], maintain_order="left")
    following = np.zeros((people.height, KINDS_OF_DAY, HOURS))
    slot = tuple(acts.select("row", "weekend", "hour").cast(pl.Int64).to_numpy().T)
    np.add.at(following, slot, 1.0)
    if sent is None:
        seen = _every_slot(following, weeks=settings.horizon_days / 7)
    else:
        sends = sent.join(rows, on=["customer_id", "as_of"])
        seen = sends.sort("row", "at", "email").select(
            "row", "weekend", "hour", "email", yes="clicked", no=1 - pl.col("clicked")
        )
    return Cases(
        people=people,
        acts=own_hours(hours, people),
        following=following,
        seen=seen,
        next_acts=acts.group_by("row", maintain_order=True)
        .first()
        .select("row", "weekend", "hour"),
    )


def people_at(source: Source, dates: Iterable[datetime]) -> pl.DataFrame:
    """`customer_id`, `as_of`: at each date everybody who had done something, or had been mailed.

    Mail goes to people who never ordered, too, and they have hours as others do.
    """
    is_seen = IS_OWN | (IS_ABOUT_EMAIL & (pl.col("kind") == "send"))
    seen = source.known.filter(is_seen).select("customer_id", "at", "known_at")
    return pl.concat(
        seen.filter(pl.col("at") < date, pl.col("known_at") <= date)
        .select(pl.col("customer_id").unique().sort())
        .with_columns(as_of=pl.lit(date).cast(pl.Datetime("us", "UTC")))
        for date in dates
    )


def _described(source: Source, spine: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The spine with `segment` and ANSWERED, and its hours: both from one look back."""
    segments, hours = [], []
    newest = spine.get_column("as_of").max()
    before = source.history.filter(pl.col("at") < newest, pl.col("known_at") <= newest)
    for portion in portions(before, spine):
        past = past_of(
            before,
            portion,
            source.customers,
            default_timezone=source.features.default_timezone,
            limit=source.features.newest_events,
        )
        described = features_of(past, settings=source.features)
        segments.append(described.select("customer_id", "as_of", "segment", *ANSWERED))
        hours.append(hours_of(past, source.features))
    people = spine.join(
        pl.concat(segments), on=["customer_id", "as_of"], how="left", maintain_order="left"
    )
    return people, pl.concat(hours)


def _every_slot(following: Floats, *, weeks: float) -> pl.DataFrame:
    """All slots in the order of `slot_inputs`: on how many days the customer was about, or not."""
    row, weekend, hour = (places.reshape(-1) for places in np.indices(following.shape))
    about = following.reshape(-1)
    days = weeks * np.array([WEEKDAYS, WEEKEND_DAYS])[weekend]
    # Where the clocks change, an hour may come once more than there are days.
    away = np.maximum(days - about, 0.0)
    return pl.DataFrame(
        {"row": row, "weekend": weekend > 0, "hour": hour, "yes": about, "no": away}
    )
