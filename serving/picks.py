"""What there is to show of each kind of pick: product, rank, and whether it has rested long enough.

A kind that nobody wants costs nothing. Each offer is a frame: list (the number of the list it is
for), item, probability (of an order, null where no model says one), rank, rested; and `place`,
where the item stands in the stock, if that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from features.cart import CART_DAYS, is_in_cart
from features.feature import DAY
from features.intent import SEARCH_DAYS
from serving.pick_sources import Sources
from serving.shelf_facts import NEW_DAYS, dropped
from serving.stock import NOWHERE
from serving.tables import KEY
from serving.triggers import Picks
from training.model.model import Model

OFFERED = ("list", "item", "probability", "rank", "rested")
# What was viewed longer ago is not what they are choosing among now; triggers look as far back.
VIEWED_DAYS = 30
WORD = r"[\p{L}\p{N}]{2,}"
DEAREST = 0.75  # the premium range of a category begins at this quantile of its prices


Pick = Callable[[pl.DataFrame, Sources], pl.LazyFrame]


def _ranked(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    return sources.scored(lists)


def _due(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    return sources.scored_now(lists).filter("due").lazy()


def _category(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    scored, stock = sources.scored_now(lists), sources.stock
    place = scored.get_column("place").to_numpy()
    category = stock.products.get_column("category")[np.maximum(place, 0)]
    is_about = category.eq(scored.get_column("about")).fill_null(False).to_numpy()
    return scored.filter(is_about & (place != NOWHERE)).lazy()


def _cart(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What lies in the cart: their own choice, which is never too recent; the newest first."""
    return _chosen(
        sources.past(lists, "cart_add", "cart_remove", "order")
        # Older lines are of no open cart, and end none.
        .filter(pl.col("age") <= pl.duration(days=CART_DAYS))
        .with_columns(age=pl.col("age").dt.total_microseconds())
        .filter(is_in_cart("list"))
        .sort("at", "event_id")
        .unique(["list", "product_id"], keep="last", maintain_order=True)
    )


def _bought(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    return _chosen(_newest_order(lists, sources))


def _newest_order(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """The lines of the newest order, each product once."""
    orders = (
        sources.past(lists, "order")
        .select("list", "at", "order_id", "product_id")
        .collect(engine="in-memory")
    )
    newest = (
        orders.filter(pl.col("at") == pl.col("at").max().over("list"))
        .group_by("list")
        .agg(pl.col("order_id").min())
    )
    lines = orders.lazy().join(newest.lazy(), on=["list", "order_id"])
    return lines.group_by("list", "product_id").agg(pl.col("at").max())


def _chosen(lines: pl.LazyFrame) -> pl.LazyFrame:
    # A model of what they usually order says nothing of what they have just chosen.
    return _in_order(
        lines.drop_nulls("product_id").sort(
            "list", "at", "product_id", descending=[False, True, False]
        )
    ).with_columns(rested=pl.lit(True))


def _in_order(offers: pl.LazyFrame) -> pl.LazyFrame:
    """Offers as sorted, `rank` from 1 in each list, without a chance of an order."""
    return offers.select(
        "list",
        item="product_id",
        probability=pl.lit(None, pl.Float64),
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("list"),
    )


def _not_lately(offers: pl.LazyFrame, lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """The offers with `rested`: not ordered within the days for which one does not offer again."""
    age = pl.duration(microseconds=round(DAY * sources.recently_bought_days))
    lately = (
        sources.past(lists, "order")
        .filter(pl.col("age") < age)
        .select("list", item="product_id", rested=pl.lit(False))
        .unique()
    )
    return offers.join(lately, on=["list", "item"], how="left").with_columns(
        pl.col("rested").fill_null(True)
    )


def _viewed(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What they looked at and did not order: the most often, then the latest."""
    past = sources.past(lists, "view", "order").filter(
        pl.col("age") <= pl.duration(days=VIEWED_DAYS)
    )
    views = (
        past.drop_nulls("product_id")
        .group_by("list", "product_id")
        .agg(
            views=(pl.col("kind") == "view").sum(),
            orders=(pl.col("kind") == "order").sum(),
            age=pl.col("age").min(),
        )
        .filter(pl.col("views") > 0, pl.col("orders") == 0)
        .sort("list", "views", "age", "product_id", descending=[False, True, False, False])
    )
    return _in_order(views).with_columns(rested=pl.lit(True))


def _searched(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What holds all words of their last search in its title or category."""
    words = (
        sources.past(lists, "search")
        .filter(pl.col("age") <= pl.duration(days=SEARCH_DAYS), pl.col("query").is_not_null())
        .sort("list", "at", "event_id")
        .unique("list", keep="last", maintain_order=True)
        .select("list", word=pl.col("query").str.to_lowercase().str.extract_all(WORD))
        .explode("word", empty_as_null=False)
        .drop_nulls("word")
        .unique()
        .with_columns(wanted=pl.len().over("list"))
        .collect()
    )
    asked = words.get_column("word").unique().to_list()
    if not asked:
        return _nothing()
    text = pl.concat_str(["title", "category"], separator=" ", ignore_nulls=True).str.to_lowercase()
    found = (
        sources.shelf.lazy()
        .filter("available")
        .select("product_id", word=text.str.extract_many(asked, overlapping=True))
        .filter(pl.col("word").list.len() > 0)
        .explode("word", empty_as_null=False)
        .unique()
        .join(words.lazy(), on="word")
        .group_by("list", "product_id")
        .agg(found=pl.len(), wanted=pl.col("wanted").first())
        .filter(pl.col("found") == pl.col("wanted"))
    )
    offers = _by_affinity(found, lists, sources, then=["product_id"], descending=[False])
    return _not_lately(offers, lists, sources)


def _new(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What came out lately in the category the e-mail is about, the newest first."""
    age = pl.col("as_of") - pl.col("released_at")
    new = (
        sources.on_shelf(lists.get_column("about"))
        .filter(pl.col("released_at").is_not_null())
        .join(lists.lazy(), left_on="category", right_on="about")
        .filter(age >= pl.duration(), age <= pl.duration(days=NEW_DAYS))
        .sort("list", "released_at", "product_id", descending=[False, True, False])
    )
    return _not_lately(_in_order(new), lists, sources)


def _dropped(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What is cheaper than when they saw it, the biggest drop first."""
    seen = sources.seen.join(lists.select(*KEY, "list"), on=KEY)
    cheaper = dropped(seen, sources.shelf, currency=sources.currency).lazy()
    return _not_lately(_in_order(cheaper.sort("list", "rank")), lists, sources)


def _related(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """What goes with their newest order; where nobody knows, the same category."""
    bought = _newest_order(lists, sources).select("list", item="product_id").collect()
    known = _nothing().collect()
    if sources.affinity is not None:
        with_them = (
            _links(sources.affinity)
            .of(bought)
            .lazy()
            .join(bought.lazy(), left_on=["list", "other"], right_on=["list", "item"], how="anti")
            .group_by("list", product_id="other")
            # Models count in whole numbers; fractions would sum to another last bit in each order.
            .agg(pl.col("weight").sum().round(9))
            .sort("list", "weight", "product_id", descending=[False, True, False])
        )
        known = _not_lately(_in_order(with_them), lists, sources).select(OFFERED).collect()
    others = lists.join(known, on="list", how="anti")
    if others.is_empty():
        return known.lazy()
    alike = (
        sources.on_shelf(others.get_column("about"))
        .join(others.lazy(), left_on="category", right_on="about")
        .join(bought.lazy(), left_on=["list", "product_id"], right_on=["list", "item"], how="anti")
        .select("list", "product_id")
    )
    offers = _by_affinity(alike, others, sources, then=["product_id"], descending=[False])
    return pl.concat([known.lazy(), _not_lately(offers, others, sources).select(OFFERED)])


@dataclass(frozen=True, eq=False)
class _Links:
    """What is ordered together: `others` (other, weight), of each item those of its span."""

    others: pl.DataFrame
    spans: Mapping[str, tuple[int, int]]

    def of(self, bought: pl.DataFrame) -> pl.DataFrame:
        """list, other, weight of what goes with each of `bought` (list, item)."""
        found = [self.spans.get(item, (0, 0)) for item in bought.get_column("item").to_list()]
        first, length = np.array(found, dtype=np.int64).reshape(-1, 2).T
        whose = np.repeat(np.arange(len(found)), length)
        row = np.arange(len(whose)) - np.repeat(np.cumsum(length) - length - first, length)
        return bought.select("list")[whose].hstack(self.others[row].get_columns())


@lru_cache(maxsize=4)
def _links(affinity: Model) -> _Links:
    names = affinity.tables["popular"].get_column("item")
    links = (
        affinity.tables["links"]
        .filter(pl.col("kind") == "together", pl.col("weight") > 0)
        .sort("code", maintain_order=True)
    )
    spans = links.group_by("code", maintain_order=True).len()
    length = spans.get_column("len").to_numpy().astype(np.int64)
    first = np.cumsum(length) - length
    items = names.gather(spans.get_column("code")).to_list()
    return _Links(
        pl.DataFrame(
            {
                "other": names.gather(links.get_column("neighbour")),
                "weight": links.get_column("weight"),
            }
        ),
        dict(zip(items, zip(first.tolist(), length.tolist(), strict=True), strict=True)),
    )


def _premium(lists: pl.DataFrame, sources: Sources) -> pl.LazyFrame:
    """The dearest quarter of the category the e-mail is about."""
    price = pl.col("price").cast(pl.Float64)
    dearest = (
        sources.on_shelf(lists.get_column("about"))
        .filter(
            pl.col("price").is_not_null(),
            (pl.col("currency") == sources.currency).fill_null(False),
        )
        .with_columns(price=price)
        .filter(pl.col("price") >= pl.col("price").quantile(DEAREST).over("category"))
        .join(lists.lazy(), left_on="category", right_on="about")
        .select("list", "product_id", "price")
    )
    offers = _by_affinity(
        dearest, lists, sources, then=["price", "product_id"], descending=[True, False]
    )
    return _not_lately(offers, lists, sources)


def _by_affinity(
    offers: pl.LazyFrame,
    lists: pl.DataFrame,
    sources: Sources,
    *,
    then: list[str],
    descending: list[bool],
) -> pl.LazyFrame:
    """Offers (list, product_id, ...) ranked by the chance of an order, then by other columns."""
    chances = sources.scored(lists).select("list", "probability", product_id="item")
    return (
        offers.join(chances, on=["list", "product_id"], how="left")
        .sort(
            "list", "probability", *then,
            descending=[False, True, *descending], nulls_last=True,
        )
        .select(
            "list",
            item="product_id",
            probability="probability",
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("list"),
        )
    )  # fmt: skip


def _nothing() -> pl.LazyFrame:
    return pl.LazyFrame(
        schema={
            "list": pl.UInt32, "item": pl.String, "probability": pl.Float64, "rank": pl.UInt32,
            "rested": pl.Boolean,
        }
    )  # fmt: skip


PICKS: Mapping[Picks, Pick] = {
    "ranked": _ranked,
    "category": _category,
    "due": _due,
    "cart": _cart,
    "bought": _bought,
    "viewed": _viewed,
    "searched": _searched,
    "new_similar": _new,
    "new_favourite": _new,
    "dropped": _dropped,
    "related": _related,
    "premium": _premium,
}
