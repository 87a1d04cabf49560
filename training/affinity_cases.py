"""What the affinity models learn from: candidates of customers at moments, ordered or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.items import items_as_of
from features.settings import FeatureSettings
from features.touched import Item
from training.affinity_labels import ordered_after
from training.affinity_tables import numbered_orders, tables_of
from training.evaluate import Floats
from training.model.candidates import Candidates, Limits, candidates_of
from training.model.items import INPUTS, KEY, listed
from training.model.known import known_from
from training.settings import AffinitySettings
from training.snapshots import spine_of

# Customers whose candidates are in memory at the same time.
AT_A_TIME = 500
PAIR = [*KEY, "item"]


@dataclass(frozen=True, eq=False)
class Moment:
    """Customers at one date, what was known then, and what they ordered afterwards.

    `ordered` (KEY, item, `repeat`: ordered before) also holds what was no candidate.
    """

    spine: pl.DataFrame
    items: pl.DataFrame
    shelf: pl.DataFrame | None
    tables: Mapping[str, pl.DataFrame]
    ordered: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Cases:
    """Listed candidates with `label` (1.0 = ordered within the horizon), and all that was ordered.

    `candidates` has KEY, item, label, `quick` (probability by quick score), `scored` (whether trees
    look at it), `own` and INPUTS. `recall` is the share of what was ordered that each source found,
    by source, and by all of them ("all"); empty unless asked for.
    """

    candidates: pl.DataFrame
    ordered: pl.DataFrame
    recall: Mapping[str, float]


def limits_of(settings: AffinitySettings, features: FeatureSettings) -> Limits:
    """How many candidates there are of each kind, as the model will carry it."""
    return Limits(
        own=settings.own_candidates,
        popular=settings.popular_candidates,
        scored=settings.scored_candidates,
        listed=settings.listed_candidates,
        depth=features.category_depth,
    )


def moments_of(
    history: pl.DataFrame,
    products: pl.DataFrame,
    dates: Iterable[datetime],
    *,
    item: Item,
    known_until: datetime,
    settings: AffinitySettings,
    feature_settings: FeatureSettings,
) -> list[Moment]:
    """Everybody who had ordered by each date, or a sample of them if they are too many."""
    return moments_at(
        history,
        products,
        customers_at(history, dates, settings),
        lines=numbered_orders(history, item=item),
        item=item,
        known_until=known_until,
        settings=settings,
        feature_settings=feature_settings,
    )


def customers_at(
    history: pl.DataFrame, dates: Iterable[datetime], settings: AffinitySettings
) -> pl.DataFrame:
    """The spine of `moments_of`: no more rows than what is learnt from may come from."""
    spine = spine_of(history, dates)
    most = max(1, settings.examples // settings.scored_candidates)
    if spine.height > most:
        spine = spine.sample(most, seed=settings.seed).sort("as_of", "customer_id")
    return spine


def moments_at(
    history: pl.DataFrame,
    products: pl.DataFrame,
    spine: pl.DataFrame,
    *,
    lines: pl.DataFrame,
    item: Item,
    known_until: datetime,
    settings: AffinitySettings,
    feature_settings: FeatureSettings,
) -> list[Moment]:
    """The moments of a spine, the earliest first; `lines` are the `numbered_orders` of `history`.

    Each customer's past is told once, whatever the number of dates.
    """
    newest = spine.get_column("as_of").max()
    seen = history.filter(pl.col("at") < newest, pl.col("known_at") <= newest)
    of_all = items_as_of(seen, spine, item=item, settings=feature_settings)
    of_date = of_all.partition_by("as_of", as_dict=True, maintain_order=True)
    ordered = ordered_after(
        history,
        spine,
        item=item,
        horizon=timedelta(days=settings.horizon_days),
        known_until=known_until,
    )
    moments = []
    for (as_of,), some in spine.sort("as_of", maintain_order=True).group_by(
        "as_of", maintain_order=True
    ):
        assert isinstance(as_of, datetime)
        items = of_date.get((as_of,), of_all.clear())
        before = items.select(*PAIR, repeat=pl.col("days_since_order").is_not_null())
        moments.append(
            Moment(
                spine=some,
                items=items,
                shelf=products if item == "product_id" else None,
                tables=tables_of(lines, as_of, item=item, settings=settings),
                ordered=ordered.filter(pl.col("as_of") == as_of)
                .join(before, on=PAIR, how="left", maintain_order="left")
                .with_columns(pl.col("repeat").fill_null(False)),
            )
        )
    return moments


def labelled(
    moments: Iterable[Moment], limits: Limits, *, most: int, seed: int
) -> Iterator[tuple[Moment, pl.DataFrame, Candidates, Floats]]:
    """All candidates of up to `most` customers of each moment: their spine, themselves, labels."""
    for moment in moments:
        spine, known = moment.spine, known_from(moment.tables)
        if spine.height > most:
            spine = spine.sample(most, seed=seed).sort("customer_id")
        for start in range(0, spine.height, AT_A_TIME):
            some = spine[start : start + AT_A_TIME]
            found = candidates_of(moment.items, some, known, shelf=moment.shelf, limits=limits)
            yield moment, some, found, _labels(found, some, moment.ordered)


def cases_of(
    moments: list[Moment], quick: pl.DataFrame, limits: Limits, *, with_recall: bool
) -> Cases:
    """The listed candidates of all customers, chosen by the quick score as in service."""
    parts, found_by = [], []
    everybody = max((moment.spine.height for moment in moments), default=0)
    for moment, some, found, labels in labelled(moments, limits, most=max(1, everybody), seed=0):
        if with_recall:
            found_by.append(_found_by(found, some, moment.ordered, labels))
        chosen, probability, standing = listed(found, {"quick": quick}, limits)
        numbers = pl.DataFrame(chosen.inputs(), schema=list(INPUTS), orient="row")
        rows = np.searchsorted(found.keys, chosen.keys)
        parts.append(
            some.select(KEY)[chosen.place].with_columns(
                numbers,
                item=chosen.names.gather(chosen.code),
                label=pl.Series(labels[rows], dtype=pl.Float64),
                quick=pl.Series(probability, dtype=pl.Float64),
                scored=pl.Series(standing < limits.scored, dtype=pl.Boolean),
                own=pl.Series(chosen.mine >= 0, dtype=pl.Boolean),
            )
        )
    return Cases(
        candidates=pl.concat(parts),
        ordered=pl.concat(moment.ordered for moment in moments),
        recall=_mean_recall(found_by) if found_by else {},
    )


def _labels(found: Candidates, spine: pl.DataFrame, ordered: pl.DataFrame) -> Floats:
    """1.0 for each candidate that was ordered."""
    rows = spine.select(KEY)[found.place].with_columns(item=found.names.gather(found.code))
    truth = ordered.select(*PAIR, label=pl.lit(1.0))
    joined = rows.join(truth, on=PAIR, how="left", maintain_order="left")
    return joined.get_column("label").fill_null(0.0).to_numpy()


def _found_by(
    found: Candidates, spine: pl.DataFrame, ordered: pl.DataFrame, labels: Floats
) -> pl.DataFrame:
    """Per customer who ordered: how many items in all, and how many of them each source found."""
    wanted = spine.select(KEY).with_row_index("place").join(ordered, on=KEY).group_by("place").len()
    places = wanted.get_column("place").to_numpy()

    def count(hits: Floats) -> Floats:
        counted: Floats = np.bincount(found.place, hits, spine.height)[places]
        return counted

    return wanted.with_columns(
        pl.Series("all", count(labels)),
        *(
            pl.Series(name, count(labels * np.isin(found.keys, keys)))
            for name, keys in found.sources.items()
        ),
    )


def _mean_recall(parts: list[pl.DataFrame]) -> dict[str, float]:
    counted = pl.concat(parts)
    if counted.is_empty():
        return {}
    names = [name for name in counted.columns if name not in ("place", "len")]
    return counted.select(pl.col(names) / pl.col("len")).mean().row(0, named=True)
