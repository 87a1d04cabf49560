"""At which hours of the week a customer is about, hour by hour: what the send hour learns from.

What somebody does just after a mail of ours, or after a click on one, says when we wrote, not when
they are about. So an hour of a day that lies in such an echo tells nothing, neither by what was
done in it nor by what was not: acts in it are left out, and so is the hour itself from the days
that were looked at.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import DAY
from features.past import Past, past_of, portions
from features.settings import FeatureSettings

# What an act of this moment weighs. Sums of whole numbers are the same in any order.
_UNIT = 2**32
_SLOTS = 48  # weekdays and weekends, 24 hours each
# More than there are from 1970 on; and nobody's past is looked at further back than 30 years.
_MOST_HOURS = 2**24
_MOST_DAYS = 10_958


def hours_as_of(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    settings: FeatureSettings,
) -> pl.DataFrame:
    """Long: customer_id, as_of, weekend, hour, acts, echo; only hours with acts, sorted.

    `acts` are own acts by the customer's own clock, halved every `hours_half_life_days`. Whatever
    is done within one hour of one day is one act, be it an order of forty lines or a visit of
    twenty pages: the question is when somebody is about. `echo` is the share of the days, halved
    alike, on which this hour lay in the `mail_echo_hours` that begin with the hour of a mail, or of
    a click on one, however late.
    """
    portion_by_portion = [
        hours_of(
            past_of(
                history,
                portion,
                customers,
                default_timezone=settings.default_timezone,
                limit=settings.newest_events,
            ),
            settings,
        )
        for portion in portions(history, spine)
    ]
    return pl.concat(portion_by_portion)


def hours_of(past: Past, settings: FeatureSettings) -> pl.DataFrame:
    """`hours_as_of` for a past that is there already."""
    found = _acts_and_mails(past)
    row, place = (found.get_column(name).to_numpy() for name in ("row", "place"))
    count, reach = past.rows.height, settings.mail_echo_hours
    weight = _weights(found, settings.hours_half_life_days)
    is_own, is_mail = (found.get_column(name).to_numpy() for name in ("own", "mail"))

    # In one order of rows and hours: the newest mail up to each hour, and the next one after it.
    moment = row.astype(np.int64) * _MOST_HOURS + place
    newest = np.maximum.accumulate(np.where(is_mail, moment, -reach))
    counts = is_own & (moment - newest >= reach)
    mails = np.flatnonzero(is_mail)
    lasts = np.full(len(mails), reach)
    lasts[:-1] = np.minimum(np.diff(moment[mails]), reach)

    acts = np.bincount(_slot(row, place)[counts], weight[counts], minlength=count * _SLOTS)
    echo = np.zeros(count * _SLOTS)
    for later in range(reach):
        heard = mails[lasts > later]
        here = _slot(row[heard], place[heard] + later)
        echo += np.bincount(here, weight[heard], minlength=count * _SLOTS)
    some = np.flatnonzero(acts)
    whose, slot = some // _SLOTS, some % _SLOTS
    days = _days(settings.hours_half_life_days)[_days_seen(past)][whose]
    days *= np.where(slot >= 24, 2, 5)
    of_whom = past.rows.sort("row").select("customer_id", "as_of")
    return of_whom[whose].with_columns(
        weekend=pl.Series(slot >= 24),
        hour=pl.Series((slot % 24).astype(np.int8)),
        acts=pl.Series(acts[some] / _UNIT),
        echo=pl.Series(np.minimum(7 * echo[some] / days, 1.0)),
    )


def _acts_and_mails(past: Past) -> pl.DataFrame:
    """Each hour of a day with an own act, or a mail or a click on one: row, place, age.

    `place` counts hours by the local clock.
    """
    is_mail = pl.col("is_email") & pl.col("kind").is_in(["send", "deliver", "click"])
    return (
        past.lines.lazy()
        .select(
            "row", "age", own="is_own", mail=is_mail,
            place=pl.col("local_day").cast(pl.Int64) * 24 + pl.col("local_hour"),
        )
        .filter(pl.col("own") | pl.col("mail"))
        .group_by("row", "place")
        .agg(pl.col("age").min(), pl.col("own", "mail").any())
        .sort("row", "place")
        .collect(engine="in-memory")
    )  # fmt: skip


def _slot(row: NDArray[np.uint32], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place among 48 per row: hours of weekdays, then of weekends; day 0 was a Thursday."""
    is_weekend = (place // 24 + 3) % 7 >= 5
    slot: NDArray[np.int64] = row.astype(np.int64) * _SLOTS + 24 * is_weekend + place % 24
    return slot


def _weights(found: pl.DataFrame, half_life_days: int) -> NDArray[np.float64]:
    """Whole numbers, so that their sums are the same in any order."""
    ages = found.get_column("age").to_numpy() / (half_life_days * DAY)
    weights: NDArray[np.float64] = np.rint(np.exp2(-ages) * _UNIT)
    return weights


def _days_seen(past: Past) -> NDArray[np.int64]:
    """How many days of each row's past there are, by its oldest line."""
    oldest = np.zeros(past.rows.height, dtype=np.int64)
    np.maximum.at(oldest, past.lines["row"].to_numpy(), past.lines["age"].to_numpy())
    return np.minimum(oldest // DAY + 1, _MOST_DAYS)


@lru_cache(maxsize=8)
def _days(half_life_days: int) -> NDArray[np.float64]:
    """What so many days up to now weigh together, halved alike: whole numbers, by their number."""
    each = np.rint(np.exp2(-np.arange(_MOST_DAYS) / half_life_days) * _UNIT)
    return np.concatenate([[0.0], np.cumsum(each)])
