"""The tables of an affinity model: how items sell, what goes with what, and tastes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, ItemItemRecommender
from implicit.utils import ParameterWarning
from scipy import sparse
from sklearn.cluster import MiniBatchKMeans
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from features.items import popularity_as_of
from features.touched import Item
from training.model.known import FAVOURITES, UNIT, Floats, Ints
from training.settings import AffinitySettings

TREND_DAYS, WEEK_DAYS, YEAR_DAYS, HALF_LIFE_DAYS = 28, 7, 365, 120
DAY = timedelta(days=1)
# A taste is the mean of so many customers at least: nobody's own past can be read from it.
LEAST_OF_A_TASTE = 20
# Items that weigh less than this in a taste are left out; UNIT is the whole taste.
LEAST_WEIGHT = 1


def numbered_orders(history: pl.DataFrame, *, item: Item) -> pl.DataFrame:
    """The order lines of `history` as `tables_of` reads them: numbers in place of texts.

    Texts are compared letter by letter: for many dates it pays to number them once. Categories and
    products keep their names beside their numbers. What several lines say alike comes once; the
    lines of one item in one order stand together, the oldest first.
    """
    named = list(dict.fromkeys((item, "category")))
    orders = history.filter(pl.col("kind") == "order").select(
        "customer_id", "order_id", "at", "known_at", *named
    )
    return (
        orders.with_columns(
            *(_named(orders.get_column(name)) for name in named),
            # Orders without a number are one order of their customer.
            *(_number(orders.get_column(name)) for name in ("customer_id", "order_id")),
        )
        .unique()
        .sort("customer_id", "order_id", item, "at", "known_at", "category")
        .with_columns(kind=pl.lit("order"))
    )


def tables_as_of(
    history: pl.DataFrame, as_of: datetime, *, item: Item, settings: AffinitySettings
) -> dict[str, pl.DataFrame]:
    """`popular`, `links` and `tastes`, from what had happened and was known at `as_of`."""
    return tables_of(numbered_orders(history, item=item), as_of, item=item, settings=settings)


def tables_of(
    lines: pl.DataFrame, as_of: datetime, *, item: Item, settings: AffinitySettings
) -> dict[str, pl.DataFrame]:
    """`tables_as_of` for lines of `numbered_orders`, by the same `item`."""
    popular = popular_items(lines, as_of, item=item, settings=settings)
    found = _orders(lines, as_of, popular.get_column("item"), item=item)
    count = len(popular)
    liked = _matrix(found.weight, found.customer, found.code, count)
    baskets = _matrix(np.ones(len(found.code)), found.order, found.code, count)
    most = settings.neighbours + 1  # an item is its own nearest neighbour
    links = [
        _links(BM25Recommender(K=most, num_threads=1), liked, "liked"),
        _links(CosineRecommender(K=most, num_threads=1), baskets, "together"),
    ]
    return {
        "popular": popular.with_columns(pl.col("item", "category").cast(pl.String)),
        "links": pl.concat(links),
        "tastes": tastes_of(liked, most=settings.tastes, seed=settings.seed),
    }


@dataclass(frozen=True, eq=False)
class _Orders:
    """Each known item of each order, [rows]: whose, in which order, its code, how fresh."""

    customer: Ints
    order: Ints
    code: Ints
    weight: Floats


def _orders(lines: pl.DataFrame, as_of: datetime, known: pl.Series, *, item: Item) -> _Orders:
    """Of a year. Customers and orders are numbered from 0, as they come."""
    visible = _visible(lines, as_of, days=YEAR_DAYS).filter(pl.col(item).is_not_null())
    number, its_number = (
        names.to_physical().cast(pl.Int64).to_numpy() for names in (visible.get_column(item), known)
    )
    code_of = np.full(max(number.max(initial=-1), its_number.max(initial=-1)) + 1, -1)
    code_of[its_number] = np.arange(len(known))
    code = code_of[number]
    is_known = code >= 0
    age = (pl.lit(as_of) - pl.col("at")).dt.total_microseconds() / (DAY / timedelta(microseconds=1))
    fresh = visible.select(pl.lit(0.5).pow(age / HALF_LIFE_DAYS)).to_series().to_numpy()
    customer, order = (
        visible.get_column(name).to_numpy()[is_known] for name in ("customer_id", "order_id")
    )
    code, fresh = code[is_known], fresh[is_known]
    is_next_customer = np.diff(customer, prepend=-1) != 0
    is_next_order = is_next_customer | (np.diff(order, prepend=-1) != 0)
    is_next_item = is_next_order | (np.diff(code, prepend=-1) != 0)
    last = np.flatnonzero(np.append(is_next_item[1:], True))[: len(code)]
    customer, order = np.cumsum(is_next_customer) - 1, np.cumsum(is_next_order) - 1
    last = last[np.argsort(order[last] * len(known) + code[last])]
    return _Orders(customer[last], order[last], code[last], fresh[last])


def _named(texts: pl.Series) -> pl.Series:
    """The same texts as numbers in the order of the alphabet, which still know their names."""
    return texts.cast(pl.Enum(texts.drop_nulls().unique().sort()))


def _number(texts: pl.Series) -> pl.Series:
    """Whole numbers in the order of the alphabet; 0 for null."""
    return _named(texts).to_physical().cast(pl.Int64).fill_null(-1) + 1


def popular_items(
    history: pl.DataFrame, as_of: datetime, *, item: Item, settings: AffinitySettings
) -> pl.DataFrame:
    """The `known_items` most popular items, the first first: item, rank, category, hot, OF_ITEM.

    `popularity` is ln of the share of recent customers who ordered it; `trend` and `week_trend` ln
    of its buyers of 28 and 7 days over those of the whole recent period; `habit` its orders per
    buyer; `usual_gap` the mean days between two orders of it by one customer; `hot` its rank among
    what sold most within a week, null from FAVOURITES on.
    """
    days = settings.popular_days
    sold = popularity_as_of(history, as_of, item=item, days=days).head(settings.known_items)
    lately = popularity_as_of(history, as_of, item=item, days=TREND_DAYS)
    week = popularity_as_of(history, as_of, item=item, days=WEEK_DAYS)
    # Who has bought anything counts, so that a growing shop does not seem to like all its items.
    everyone = _visible(history, as_of, days=days).get_column("customer_id")
    customers = pl.col("customers").cast(pl.Float64)

    def trend(recent: str) -> pl.Expr:
        # In tenths: finer steps are chance, by which trees would tell one item from another.
        return ((pl.col(recent).fill_null(0) + 1).log() - (customers + 1).log()).round(1)

    return (
        sold.join(
            lately.select("item", recent="customers"), on="item", how="left", maintain_order="left"
        )
        .join(
            week.select("item", in_week="customers", hot="rank"),
            on="item",
            how="left",
            maintain_order="left",
        )
        .join(_usual(history, as_of, item=item), on="item", how="left", maintain_order="left")
        .select(
            "item",
            "rank",
            "category",
            hot=pl.when(pl.col("hot") <= FAVOURITES).then("hot"),
            popularity=customers.log() - pl.lit(max(1, everyone.n_unique())).log(),
            trend=trend("recent"),
            week_trend=trend("in_week"),
            habit=pl.col("orders") / customers,
            usual_gap="usual_gap",
        )
    )


def _usual(history: pl.DataFrame, as_of: datetime, *, item: Item) -> pl.DataFrame:
    """item, category, usual_gap (days from one order to the next by the same customer)."""
    days = pl.col("at").dt.epoch("d")
    return (
        _visible(history, as_of, days=YEAR_DAYS)
        .lazy()
        .filter(pl.col(item).is_not_null())
        .group_by("customer_id", pl.col(item).alias("item"))
        .agg(
            pl.col("category").max(),
            gaps=pl.col("order_id").n_unique() - 1,
            span=days.max() - days.min(),
        )
        .group_by("item")
        .agg(
            pl.col("category").max(),
            gaps=pl.col("gaps").cast(pl.Int64).sum(),
            span=pl.col("span").cast(pl.Int64).sum(),
        )
        .select(
            "item",
            category="category",
            usual_gap=pl.when(pl.col("gaps") > 0).then(pl.col("span") / pl.col("gaps")),
        )
        .collect()
    )


def tastes_of(liked: sparse.csr_matrix, *, most: int, seed: int) -> pl.DataFrame:
    """taste, code, weight: what customers of each taste order; the last taste is everybody's.

    `liked` [customers, items]. Tastes are the centres of k-means over customers' directions (Hu et
    al. 2020 take each customer's nearest neighbours instead: those would travel with the model).
    A taste that few share counts as everybody's.
    """
    if not liked.shape[0] or not liked.shape[1]:
        return _taste_table(np.zeros((1, liked.shape[1])))
    directions = normalize(liked)
    everybody = np.asarray(directions.mean(axis=0)).ravel()
    count = min(most, liked.shape[0] // (2 * LEAST_OF_A_TASTE))
    if count < 2:
        return _taste_table(everybody[None, :])
    softened = liked.copy()
    softened.data = np.log1p(softened.data)
    clusters = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=1024, max_iter=30)
    with threadpool_limits(1):  # threads that wait for each other on busy cores are slow
        label = clusters.fit_predict(normalize(softened))
    members = np.bincount(label, minlength=count)
    belongs = sparse.csr_matrix(
        (np.ones(len(label)), (label, np.arange(len(label)))), shape=(count, len(label))
    )
    centres = (belongs @ directions).toarray() / np.maximum(members, 1)[:, None]
    shared = centres[members >= LEAST_OF_A_TASTE]
    return _taste_table(np.vstack([shared, everybody[None, :]]))


def _taste_table(tastes: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> pl.DataFrame:
    # The last row is there even if it is empty, so that it can be told from the others.
    whole = np.rint(UNIT * UNIT * tastes).astype(np.int64)
    rows, codes = np.nonzero(whole >= LEAST_WEIGHT)
    if len(codes) and rows[-1] != len(tastes) - 1:
        rows, codes = np.r_[rows, len(tastes) - 1], np.r_[codes, 0]
    return pl.DataFrame(
        {"taste": rows, "code": codes, "weight": whole[rows, codes]},
        schema={"taste": pl.Int64, "code": pl.Int64, "weight": pl.Int64},
    )


def _links(learner: ItemItemRecommender, matrix: sparse.csr_matrix, kind: str) -> pl.DataFrame:
    """code, neighbour, weight, kind: the nearest items of each; weights add up to about UNIT."""
    schema = {"code": pl.Int64, "neighbour": pl.Int64, "weight": pl.Int64, "kind": pl.String}
    if not matrix.nnz:
        return pl.DataFrame(schema=schema)
    with warnings.catch_warnings():
        # implicit hands its own matrix to itself in another form and complains about it.
        warnings.simplefilter("ignore", ParameterWarning)
        learner.fit(matrix, show_progress=False)
    found = learner.similarity.tocoo()
    pairs = pl.DataFrame(
        {
            "code": found.row.astype(np.int64),
            "neighbour": found.col.astype(np.int64),
            "near": found.data.astype(np.float64),
        }
    ).filter(pl.col("code") != pl.col("neighbour"), pl.col("near") > 0)
    share = pl.col("near") / pl.col("near").sum().over("code")
    return (
        pairs.with_columns(weight=(UNIT * share).round().cast(pl.Int64), kind=pl.lit(kind))
        .filter(pl.col("weight") > 0)
        .sort("code", "weight", "neighbour", descending=[False, True, False])
        .select(list(schema))
    )


def _matrix(weights: Floats, rows: Ints, codes: Ints, items: int) -> sparse.csr_matrix:
    """`weights` summed [distinct rows, items]."""
    shape = (int(rows.max()) + 1 if len(rows) else 0, items)
    return sparse.csr_matrix((weights, (rows, codes)), shape=shape)


def _visible(history: pl.DataFrame, as_of: datetime, *, days: int) -> pl.DataFrame:
    return history.filter(
        pl.col("kind") == "order",
        pl.col("at") < as_of,
        pl.col("at") >= as_of - timedelta(days=days),
        pl.col("known_at") <= as_of,
    )
