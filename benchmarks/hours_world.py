"""A simulated shop at the end of its history, and what each hour of sending would bring there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.history import to_history
from features.localtime import local_of
from features.permissions import permissions_as_of
from pipelines.settings import Settings
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import Run, begin
from pipelines.simulator.world import START, World, create
from pipelines.simulator.worlds import WorldSettings
from training.evaluate import Floats

# A weekday and a weekend day of the week that begins with START, a Monday.
DAYS = (START + timedelta(days=1), START + timedelta(days=5))
DAYS_OF_WEEK = np.array([5 / 7, 2 / 7])


@dataclass(frozen=True, eq=False)
class Shop:
    """What a shop knows at `now`, and the truth beside it.

    `people` has customer_id, as_of and timezone of whoever may be mailed; `clicks` [people, 2, 24]
    are the expected clicks of one newsletter at each local hour of a weekday and a weekend day.
    """

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    now: datetime
    people: pl.DataFrame
    clicks: Floats

    def value(self, hours: np.ndarray) -> Floats:
        """Clicks of each customer per mail at `hours` [people, 2], on the days as they come."""
        got = np.take_along_axis(self.clicks, hours[..., None], axis=-1)[..., 0]
        value: Floats = (got * DAYS_OF_WEEK).sum(axis=1)
        return value


def shop_of(settings: WorldSettings, *, customers: int, seed: int, chosen: Settings) -> Shop:
    """A world lived up to START; synthetic."""
    weeks = settings.history_weeks
    world = create(settings, customers=customers, history_weeks=weeks, weeks=2, seed=seed)
    run = begin(world)
    send_history(world, run)
    history = to_history(run.events(world.start), world.products, settings=chosen.features)
    zones = world.customers.unique("customer_id", keep="last", maintain_order=True).select(
        "customer_id", pl.col("timezone").fill_null(chosen.features.default_timezone)
    )
    people, clicks = _truth(world, run, zones)
    allowed = permissions_as_of(history, people.select("customer_id", "as_of"))
    may = (allowed["email_consent"] == "granted") & allowed["suppressed_by"].is_null()
    mailable = people.select("customer_id").join(
        allowed.filter(may).select("customer_id", may=True), on="customer_id", how="left",
        maintain_order="left",
    ).get_column("may").fill_null(False)  # fmt: skip
    return Shop(
        history, world.customers, world.products, world.start, people.filter(mailable),
        clicks[mailable.to_numpy()],
    )  # fmt: skip


def _truth(world: World, run: Run, zones: pl.DataFrame) -> tuple[pl.DataFrame, Floats]:
    """Who is there, and the clicks of a newsletter to them by hour, without sending it."""
    slots = []
    for zone in zones.get_column("timezone").unique():
        for weekend, day in enumerate(DAYS):
            for hour in range(24):
                naive = day.replace(tzinfo=None) + timedelta(hours=hour, minutes=30)
                at = pl.Series([naive]).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
                slots.append((zone, weekend, hour, at.item()))
    by_zone = pl.DataFrame(slots, schema=["timezone", "weekend", "hour", "at"], orient="row")
    mails = (
        zones.join(by_zone, on="timezone", maintain_order="left_right")
        .sort("customer_id", "weekend", "hour")
        .with_columns(
            email=pl.lit("recommendation"), trigger=pl.lit("recommendation"),
            variant=pl.lit("plain"), discount=pl.lit(0.0), send_cost=pl.lit(0.0),
            products=pl.lit([], pl.List(pl.String)),
        )
    )  # fmt: skip
    click = run.chances(mails).get_column("click").to_numpy().reshape(-1, 2, 24)
    is_there = ~np.isnan(click.sum(axis=(1, 2)))
    people = (
        mails.select("customer_id", "timezone")
        .unique(maintain_order=True)
        .filter(pl.Series(is_there))
        .with_columns(as_of=pl.lit(world.start).cast(pl.Datetime("us", "UTC")))
    )
    return people, click[is_there]


def with_slots(shop: Shop, events: pl.DataFrame) -> pl.DataFrame:
    """Events of the people with `person`, `weekend` (0 or 1) and `hour` by their own clock."""
    numbered = shop.people.select("customer_id", "timezone").with_row_index("person")
    found = events.join(numbered, on="customer_id")
    local = local_of(found.get_column("at"), found.get_column("timezone"))
    return found.with_columns(
        day=local.dt.date(),
        hour=local.dt.hour().cast(pl.Int64),
        weekend=(local.dt.weekday() >= 6).cast(pl.Int64),
    )
