"""The figures of `pipelines.simulator.facts`, computed from the events of a world."""

from __future__ import annotations

import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_HUMAN
from features.localtime import local_of
from pipelines.simulator import facts
from pipelines.simulator.clock import SENDER

# What a scanner does and a person does not: so many links of a mail within so short a time.
BURST_LINKS, BURST_WITHIN = 3, pl.duration(seconds=2)
_MONTH = "30d"
# What is read of EVENTS.
MAIL_KINDS = ("send", "open", "click", "unsubscribe", "complaint")
MAIL_COLUMNS = ["customer_id", "message_id", "at", "kind", "channel", "link", "machine"]


def compared(events: pl.DataFrame) -> pl.DataFrame:
    """The world against real facts: fact, channels, real, low, high, world, within.

    `within` is null where the world has no mail of which the fact speaks.
    """
    stated = pl.DataFrame(
        [(f.name, f.channels, f.real, f.low, f.high) for f in facts.FACTS],
        schema={
            "fact": pl.String, "channels": pl.String, "real": pl.Float64, "low": pl.Float64,
            "high": pl.Float64,
        },
        orient="row",
    )  # fmt: skip
    found = measured(events)
    rows = stated.join(found, on="fact", how="left", maintain_order="left")
    return rows.with_columns(within=pl.col("world").is_between("low", "high"))


def measured(events: pl.DataFrame) -> pl.DataFrame:
    """`fact` and `world`, one row per fact, of the columns MAIL_COLUMNS of EVENTS.

    As a shop sees them: rates are per mail sent, hours and days are those of the sender's clock
    (as in the logs that the facts come from), an open counts unless the source marked it as a
    machine's, a click unless it belongs to three links followed within two seconds.
    """
    mails = _mails(events)
    clicked = mails.drop_nulls("clicked_after")
    rates = {
        facts.OPENED: pl.col("opened").mean(),
        facts.CLICKED: pl.col("clicked_after").is_not_null().mean(),
        facts.UNSUBSCRIBED: pl.col("unsubscribed").mean(),
        facts.COMPLAINED: pl.col("complained").mean(),
        facts.SENT_IN_THE_MORNING: pl.col("hour").is_in(facts.MORNING).mean(),
    }
    days = {
        facts.sent_on(name): (pl.col("weekday") == number).mean()
        for number, name in enumerate(facts.WEEKDAYS, start=1)
    }
    priors = {facts.opened_after(ends): _opened_given(*ends) for ends in facts.PRIOR_BINS}
    delays = {
        facts.clicked_within(hours): (
            pl.col("clicked_after") <= pl.duration(seconds=round(hours * 3600))
        ).mean()
        for hours in facts.CLICK_HOURS
    }
    few, *more = facts.PRESSURE_BINS
    pressure = {facts.pressed(ends): _opened_under(*ends) / _opened_under(*few) for ends in more}
    openers = mails.group_by("customer_id").agg(pl.col("opened").any())
    hours = mails.group_by("hour").agg(pl.col("opened").mean())
    night = hours.filter(pl.col("hour").is_in(facts.NIGHT))["opened"].mean()
    morning = hours.filter(pl.col("hour").is_in(facts.MORNING))["opened"].mean()
    figures = pl.concat(
        [
            mails.select(**rates, **days, **priors, **pressure),
            clicked.select(**delays),
            openers.select(pl.col("opened").mean().alias(facts.EVER_OPENED)),
            pl.select(_ratio(night, morning).alias(facts.NIGHT_OVER_MORNING)),
        ],
        how="horizontal",
    )
    found = figures.cast(pl.Float64).unpivot(variable_name="fact", value_name="world")
    return found.with_columns(pl.when(pl.col("world").is_finite()).then("world"))


def _mails(events: pl.DataFrame) -> pl.DataFrame:
    """One row per mail sent: who, when by the sender's clock, what came of it, what was before."""
    about = events.filter(IS_ABOUT_EMAIL, pl.col("kind").is_in(MAIL_KINDS)).select(MAIL_COLUMNS)
    kind = pl.col("kind")
    answers = (
        about.filter(kind != "send", IS_HUMAN, ~_is_scanned(about))
        .group_by("message_id")
        .agg(
            opened=(kind == "open").any(),
            clicked_at=pl.when(kind == "click").then("at").min(),
            unsubscribed=(kind == "unsubscribe").any(),
            complained=(kind == "complaint").any(),
        )
    )
    sent = about.filter(kind == "send").unique("message_id", keep="any")
    # Whoever got several mails at one instant is listed by message, the same way every time.
    answered = sent.join(answers, on="message_id", how="left").sort(
        "customer_id", "at", "message_id"
    )
    local = local_of(answered["at"], pl.Series([SENDER]))
    flags = pl.col("opened", "unsubscribed", "complained").fill_null(False)
    marked = answered.select(
        "customer_id",
        "at",
        flags,
        mail=pl.lit(1.0),
        clicked_after=pl.col("clicked_at") - pl.col("at"),
        hour=local.dt.hour(),
        weekday=local.dt.weekday(),
    )
    return marked.with_columns(mails_before=_of_month("mail"), opens_before=_of_month("opened"))


def _is_scanned(about: pl.DataFrame) -> pl.Expr:
    """Clicks of the burst with which a scanner goes through a mail."""
    first = pl.col("at").min().over("message_id")
    clicks = about.filter(pl.col("kind") == "click")
    bursts = (
        clicks.filter(pl.col("at") < first + BURST_WITHIN)
        .group_by("message_id")
        .agg(pl.col("link").n_unique(), pl.col("at").min())
        .filter(pl.col("link") >= BURST_LINKS)
    )
    ends = pl.col("message_id").replace_strict(
        bursts["message_id"], bursts["at"], default=None, return_dtype=bursts["at"].dtype
    )
    return ((pl.col("kind") == "click") & (pl.col("at") < ends + BURST_WITHIN)).fill_null(False)


def _of_month(what: str) -> pl.Expr:
    """How much of it the 30 days before each mail held, without the mail's own instant."""
    amount = pl.col(what).cast(pl.Float64)
    return amount.rolling_sum_by("at", _MONTH, closed="left").over("customer_id").fill_null(0.0)


def _opened_given(low: float, high: float) -> pl.Expr:
    """Open rate of mails to customers whose own rate of the month before lay there."""
    rate = pl.col("opens_before") / pl.col("mails_before")
    above = rate >= low if low == 0 else rate > low
    return pl.col("opened").filter(pl.col("mails_before") > 0, above, rate <= high).mean()


def _opened_under(low: int, high: int) -> pl.Expr:
    """Open rate of mails that came after so many in the month before."""
    return pl.col("opened").filter(pl.col("mails_before").is_between(low, high)).mean()


def _ratio(above: object, below: object) -> pl.Expr:
    return pl.lit(above, dtype=pl.Float64) / pl.lit(below, dtype=pl.Float64)
