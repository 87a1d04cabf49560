"""What there is to show of each kind of pick: product, rank, and whether it has rested long enough.

A kind that nobody wants costs nothing. Offers are numbers, the place of the list that they are for
and where the product stands in the stock: of most lists there are hundreds, and few are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.cart import CART_DAYS, is_in_cart
from features.intent import SEARCH_DAYS
from serving.pick_sources import Flags, Floats, Sources
from serving.related import newest_order, ordered_with
from serving.shelf_facts import NEW_DAYS, dropped
from serving.stock import NOWHERE, Places, prices_in
from serving.tables import KEY
from serving.triggers import Picks

# What was viewed longer ago is not what they are choosing among now; triggers look as far back.
VIEWED_DAYS = 30
WORD = r"[\p{L}\p{N}]{2,}"
DEAREST = 0.75  # the premium range of a category begins at this quantile of its prices


@dataclass(frozen=True, eq=False)
class Offers:
    """What there is to show, of each list the best first.

    `whose` is the place of the list, `place` where the product stands in the stock (NOWHERE: it is
    not available), `chance` that of an order (NaN: no model says one), and `rested` whether it may
    be offered, however lately it was ordered.
    """

    whose: Places
    place: Places
    chance: Floats
    rested: Flags


Pick = Callable[[pl.DataFrame, Sources], Offers]


def _ranked(lists: pl.DataFrame, sources: Sources) -> Offers:
    return _scored(*sources.scored.of(lists), sources)


def _due(lists: pl.DataFrame, sources: Sources) -> Offers:
    whose, row = sources.scored.of(lists)
    is_due = sources.scored.due[row]
    return _scored(whose[is_due], row[is_due], sources)


def _category(lists: pl.DataFrame, sources: Sources) -> Offers:
    whose, row = sources.scored.of(lists)
    place = sources.scored.place[row]
    about = sources.stock.category_of(lists.get_column("about").to_list())
    is_about = (place != NOWHERE) & (sources.stock.category[place] == about[whose])
    return _scored(whose[is_about], row[is_about], sources)


def _scored(whose: Places, row: Places, sources: Sources) -> Offers:
    """These rows of the scored products, by their rank."""
    scored = sources.scored
    order = np.lexsort((scored.rank[row], whose))
    row = row[order]
    return Offers(whose[order], scored.place[row], scored.chance[row], scored.rested[row])


def _cart(lists: pl.DataFrame, sources: Sources) -> Offers:
    """What lies in the cart: their own choice, which is never too recent; the newest first."""
    lines = (
        sources.past(lists, "cart_add", "cart_remove", "order")
        # Older lines are of no open cart, and end none.
        .filter(pl.col("age") <= pl.duration(days=CART_DAYS))
        .with_columns(age=pl.col("age").dt.total_microseconds())
        .filter(is_in_cart("list"))
        .sort("at", "event_id")
        .unique(["list", "product_id"], keep="last", maintain_order=True)
        .drop_nulls("product_id")
        .sort("list", "at", "product_id", descending=[False, True, False])
    )
    return _chosen(*_found(lines, sources))


def _bought(lists: pl.DataFrame, sources: Sources) -> Offers:
    """The products of the newest order, the last line first."""
    whose, products, at = newest_order(lists, sources)
    place = sources.stock.places_of(products.to_list())
    latest = np.lexsort((sources.stock.by_name[place], -at, whose))
    _, once = np.unique(sources.keys(whose, place)[latest], return_index=True)
    kept = latest[np.sort(once)]
    return _chosen(whose[kept], place[kept])


def _chosen(whose: Places, place: Places) -> Offers:
    # A model of what they usually order says nothing of what they have just chosen.
    return Offers(whose, place, np.full(len(place), np.nan), np.ones(len(place), dtype=np.bool_))


def _unscored(whose: Places, place: Places, lists: pl.DataFrame, sources: Sources) -> Offers:
    """Offers of which no model says how likely an order is."""
    rested = sources.has_rested(lists, whose, place)
    return Offers(whose, place, np.full(len(place), np.nan), rested)


def _found(products: pl.LazyFrame, sources: Sources) -> tuple[Places, Places]:
    """The place of the list and in the stock, of rows with list and product_id."""
    rows = products.select("list", "product_id").collect(engine="in-memory")
    whose = rows.get_column("list").cast(pl.Int64).to_numpy()
    return whose, sources.stock.places_of(rows.get_column("product_id").to_list())


def _viewed(lists: pl.DataFrame, sources: Sources) -> Offers:
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
    return _chosen(*_found(views, sources))


def _searched(lists: pl.DataFrame, sources: Sources) -> Offers:
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
        nowhere = np.zeros(0, dtype=np.int64)
        return _chosen(nowhere, nowhere)
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
    whose, place = _found(found, sources)
    return _by_affinity(whose, place, (sources.stock.by_name[place],), lists, sources)


def _new(lists: pl.DataFrame, sources: Sources) -> Offers:
    """What came out lately in the category the e-mail is about, the newest first."""
    age = pl.col("as_of") - pl.col("released_at")
    new = (
        sources.on_shelf(lists.get_column("about"))
        .filter(pl.col("released_at").is_not_null())
        .join(lists.lazy(), left_on="category", right_on="about")
        .filter(age >= pl.duration(), age <= pl.duration(days=NEW_DAYS))
        .sort("list", "released_at", "product_id", descending=[False, True, False])
    )
    return _unscored(*_found(new, sources), lists, sources)


def _dropped(lists: pl.DataFrame, sources: Sources) -> Offers:
    """What is cheaper than when they saw it, the biggest drop first."""
    seen = sources.seen.join(lists.select(*KEY, "list"), on=KEY)
    cheaper = dropped(seen, sources.shelf, currency=sources.currency).lazy().sort("list", "rank")
    return _unscored(*_found(cheaper, sources), lists, sources)


def _related(lists: pl.DataFrame, sources: Sources) -> Offers:
    """What goes with their newest order; where nobody knows, the same category."""
    stock = sources.stock
    whose, bought, _ = newest_order(lists, sources)
    of_known, known = np.zeros((2, 0), dtype=np.int64)
    if sources.affinity is not None:
        of_known, known = ordered_with(sources.affinity, whose, bought, stock)
    offers = _unscored(of_known, known, lists, sources)
    others = np.setdiff1d(np.arange(lists.height), of_known)
    if not len(others):
        return offers
    about = lists.get_column("about")[others].to_list()
    found = [stock.of_category.get(name, _EMPTY) if name else _EMPTY for name in about]
    of_alike = np.repeat(others, [len(places) for places in found])
    alike = np.concatenate(found)
    own = sources.keys(whose, stock.places_of(bought.to_list()))
    is_new = ~np.isin(sources.keys(of_alike, alike), own)
    of_alike, alike = of_alike[is_new], alike[is_new]
    rest = _by_affinity(of_alike, alike, (stock.by_name[alike],), lists, sources)
    return Offers(
        np.concatenate([offers.whose, rest.whose]),
        np.concatenate([offers.place, rest.place]),
        np.concatenate([offers.chance, rest.chance]),
        np.concatenate([offers.rested, rest.rested]),
    )


_EMPTY = np.zeros(0, dtype=np.int64)


def _premium(lists: pl.DataFrame, sources: Sources) -> Offers:
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
    )
    whose, place = _found(dearest, sources)
    prices = prices_in(sources.stock, sources.currency)[place].to_numpy()
    return _by_affinity(whose, place, (sources.stock.by_name[place], -prices), lists, sources)


def _by_affinity(
    whose: Places,
    place: Places,
    then: tuple[Places | Floats, ...],
    lists: pl.DataFrame,
    sources: Sources,
) -> Offers:
    """Offers by the chance of an order, those without one last; of equals by the last of `then`."""
    scored = sources.scored
    of_scored, row = scored.of(lists)
    keys = sources.keys(of_scored, scored.place[row])
    by_key = np.argsort(keys)
    keys, row = np.append(keys[by_key], np.iinfo(np.int64).max), row[by_key]
    wanted = sources.keys(whose, place)
    at = np.searchsorted(keys, wanted)
    is_scored = keys[at] == wanted
    chance = np.full(len(place), np.nan)
    chance[is_scored] = scored.chance[row[at[is_scored]]]
    order = np.lexsort((*then, -chance, whose))  # what is not a number comes last
    whose, place = whose[order], place[order]
    return Offers(whose, place, chance[order], sources.has_rested(lists, whose, place))


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
