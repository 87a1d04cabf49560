"""Other ways of choosing the hour of a mail, each as its source has it; only a shop's own data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.hours_world import Shop, with_slots
from features.acts import IS_EMAIL, IS_OWN
from training.evaluate import Floats
from training.model.shrinkage import smoothed
from training.send_hour_labels import sends_after

Hours = NDArray[np.int64]
DEFAULT = 10
ALLOWED = np.arange(8, 21)  # by the quiet hours that the project ships
# As if everyone's click rate had been seen so often at each hour.
SENDS_OF_AN_HOUR = 500.0


def best_allowed(score: Floats) -> Hours:
    """The best allowed hour of `score` [people, 2, 24], the default hour where all are equal."""
    better = score + 1e-12 * (np.arange(24) == DEFAULT)
    hours: Hours = ALLOWED[better[..., ALLOWED].argmax(axis=-1)]
    return hours


def merchants_default(shop: Shop) -> Hours:
    return np.full((shop.people.height, 2), DEFAULT)


def best_hour_of_all(shop: Shop) -> Hours:
    """The hour with the highest click rate of all mails, as it is."""
    sends, clicks = _sent(shop)
    rate = np.divide(clicks, sends, out=np.zeros_like(clicks), where=sends > 0)
    return best_allowed(np.broadcast_to(rate, (shop.people.height, 2, 24)))


def best_smoothed_hour_of_all(shop: Shop) -> Hours:
    """The same, smoothed over the clock and shrunk to everyone's rate."""
    sends, clicks = _sent(shop)
    average = clicks.sum() / sends.sum()
    rate = (smoothed(clicks, 1.5) + SENDS_OF_AN_HOUR * average) / (
        smoothed(sends, 1.5) + SENDS_OF_AN_HOUR
    )
    return best_allowed(np.broadcast_to(rate, (shop.people.height, 2, 24)))


def modal_click_hour(shop: Shop) -> Hours:
    """The hour at which each customer clicked most often."""
    clicks = _counted(shop, IS_EMAIL & (pl.col("kind") == "click"))
    return best_allowed(np.broadcast_to(clicks.sum(axis=1, keepdims=True), clicks.shape))


def own_busiest_hour(shop: Shop) -> Hours:
    """The hour of most own acts of each customer and kind of day, raw."""
    return best_allowed(_counted(shop, IS_OWN))


def mautics_median(shop: Shop) -> Hours:
    """Mautic's PeakInteractionTimer (app/bundles/LeadBundle/Services, commit a604c3dd).

    The median hour of the e-mails read, pages hit and forms sent within 60 days, of at most 50 of a
    kind; with fewer than five the window from 9 to 12. It sends from an hour before the median.
    Its reads are opens whoever made them, as Mautic knows no better.
    """
    recent = pl.col("at") >= shop.now - timedelta(days=60)
    kinds = ["open", "session", "view"]
    seen = with_slots(shop, shop.history.filter(recent, pl.col("kind").is_in(kinds)))
    medians = (
        seen.sort("at", descending=True)
        .group_by("person", "kind", maintain_order=True)
        .head(50)
        .group_by("person")
        .agg(pl.col("hour").median(), pl.len())
        .filter(pl.col("len") >= 5)
    )
    hours = np.full((shop.people.height, 2), 9)
    start = np.floor(medians["hour"].to_numpy()).astype(np.int64) - 1
    # Outside of the allowed hours a mail waits for the first allowed one.
    allowed = np.where((start < ALLOWED[0]) | (start > ALLOWED[-1]), ALLOWED[0], start)
    hours[medians["person"].to_numpy()] = allowed[:, None]
    return hours


def raw_hour_lightgbm(shop: Shop) -> Hours:
    """LightGBM on hour, kind of day and how active somebody is: P(click), tried at each hour."""
    numbers = _counted(shop, IS_OWN).sum(axis=(1, 2))
    opens = _counted(shop, IS_EMAIL & (pl.col("kind") == "open")).sum(axis=(1, 2))
    sends = _sends(shop)
    who, weekend, hour = (sends[name].to_numpy() for name in ("person", "weekend", "hour"))
    rows = np.column_stack([hour, weekend, numbers[who], opens[who]])
    params = {
        "objective": "binary", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 100,
        "num_threads": 1, "seed": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
    }  # fmt: skip
    trees = lgb.train(params, lgb.Dataset(rows, label=sends["clicked"].to_numpy()), 60)
    place = np.indices((shop.people.height, 2, 24)).reshape(3, -1)
    asked = np.column_stack([place[2], place[1], numbers[place[0]], opens[place[0]]])
    return best_allowed(np.asarray(trees.predict(asked)).reshape(-1, 2, 24))


PEERS: Mapping[str, Callable[[Shop], Hours]] = {
    "merchant's default hour": merchants_default,
    "best hour of all": best_hour_of_all,
    "best hour of all, smoothed": best_smoothed_hour_of_all,
    "modal click hour": modal_click_hour,
    "own busiest hour": own_busiest_hour,
    "LightGBM on the raw hour": raw_hour_lightgbm,
    "Mautic's median": mautics_median,
}


def _sends(shop: Shop) -> pl.DataFrame:
    """All sends of the history: person, weekend, hour, clicked."""
    begins = shop.history.get_column("at").min()
    spine = shop.people.select("customer_id").with_columns(
        as_of=pl.lit(begins).cast(pl.Datetime("us", "UTC"))
    )
    found = sends_after(
        shop.history,
        spine,
        shop.customers,
        horizon=timedelta(days=10_000),
        click_window=timedelta(hours=24),
        known_until=shop.now,
        default_timezone="America/New_York",
    )
    numbered = shop.people.select("customer_id").with_row_index("person")
    return found.join(numbered, on="customer_id").select(
        "person", pl.col("weekend", "hour").cast(pl.Int64), "clicked"
    )


def _sent(shop: Shop) -> tuple[Floats, Floats]:
    """Sends and clicks by kind of day and local hour, each [2, 24]."""
    sends, clicks = np.zeros((2, 24)), np.zeros((2, 24))
    found = _sends(shop)
    slot = (found["weekend"].to_numpy(), found["hour"].to_numpy())
    np.add.at(sends, slot, 1.0)
    np.add.at(clicks, slot, found["clicked"].to_numpy())
    return sends, clicks


def _counted(shop: Shop, what: pl.Expr) -> Floats:
    """Hours of days in which somebody did so: [people, 2, 24]."""
    found = with_slots(shop, shop.history.filter(what)).unique(["person", "day", "hour"])
    counts = np.zeros((shop.people.height, 2, 24))
    slot = tuple(found.select("person", "weekend", "hour").to_numpy().T)
    np.add.at(counts, slot, 1.0)
    return counts
