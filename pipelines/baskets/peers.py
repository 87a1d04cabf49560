"""The peers of next-basket recommendation, on the same baskets, with the whole universe of items.

G-Top: what is in most baskets. P-Top: what is in most of the customer's own, ties by popularity;
GP-Top fills its list up with G-Top. TIFU-KNN: Hu et al. 2020 (see tifu). UP-CF: Faggioli, Polato
and Aiolli 2020 (see upcf). item-kNN and ALS: the library implicit.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.errors import NotReadyError
from pipelines.baskets.read import Baskets
from pipelines.console import Step

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# The scores [customers, items] of some customers, by their numbers.
Scorer = Callable[[Ints], Floats]
# Numbers in one block of scores: 64 MB.
MOST_NUMBERS = 8_000_000
DOING = "peers"


@dataclass(frozen=True, eq=False)
class Coded:
    """Baskets as numbers: row by row whose (`customer`), how long ago (`back`, from 1), what."""

    customers: pl.Series
    items: pl.Series
    customer: Ints
    back: Ints
    item: Ints

    def matrix(self, weights: Floats) -> sparse.csr_matrix:
        """`weights` of the rows, summed [customers, items]."""
        shape = (len(self.customers), len(self.items))
        where = (self.customer.astype(np.int32), self.item.astype(np.int32))
        return sparse.csr_matrix((weights, where), shape=shape)

    def counts(self) -> sparse.csr_matrix:
        """In how many of each customer's baskets each item is."""
        return self.matrix(np.ones(len(self.item)))

    def popularity(self) -> Floats:
        """In which share of all rows each item is; below 1, so that it only breaks ties."""
        share: Floats = np.bincount(self.item, minlength=len(self.items)) / (len(self.item) + 1)
        return share

    def before(self, back: int) -> Coded:
        """Without each customer's last `back` baskets; customers and items keep their numbers."""
        kept = self.back > back
        return Coded(
            self.customers,
            self.items,
            self.customer[kept],
            self.back[kept] - back,
            self.item[kept],
        )


def coded(history: pl.DataFrame) -> Coded:
    """`history` of Baskets as numbers."""
    customers = history.get_column("customer_id").unique().sort()
    items = history.get_column("item").unique().sort()
    rows = history.join(
        pl.DataFrame({"customer_id": customers}).with_row_index("customer"), on="customer_id"
    ).join(pl.DataFrame({"item": items}).with_row_index("code"), on="item")
    return Coded(
        customers,
        items,
        *(
            rows.get_column(name).to_numpy().astype(np.int64)
            for name in ("customer", "back", "code")
        ),
    )


def peer_lists(
    baskets: Baskets, *, top: int, step: Step
) -> Iterator[tuple[str, pl.DataFrame, float]]:
    """Name, list (customer_id, item, rank) and seconds of each peer, tuning included."""
    if find_spec("cornac") is None:
        raise NotReadyError("the peers are not installed; type `pip install 'onje[peers]'`")
    from pipelines.baskets.tifu import tuned_tifu
    from pipelines.baskets.upcf import up_cf

    known = coded(baskets.history)
    asked = baskets.future.select("customer_id").unique().sort("customer_id")
    wanted = np.searchsorted(known.customers.to_numpy(), asked.get_column("customer_id").to_numpy())
    makers: dict[str, Callable[[Coded], Scorer]] = {
        "G-Top": g_top,
        "P-Top": p_top,
        "GP-Top": gp_top,
        "TIFU-KNN, tuned": tuned_tifu,
        "UP-CF": up_cf,
        "item-kNN": item_knn,
        "ALS": als,
    }
    for done, (name, made) in enumerate(makers.items()):
        step(DOING, done, len(makers))
        start = time.perf_counter()
        found = best(made(known), wanted.astype(np.int64), known, top=top)
        yield name, found, time.perf_counter() - start
    step(DOING, len(makers), len(makers))


def best(score: Scorer, customers: Ints, known: Coded, *, top: int) -> pl.DataFrame:
    """customer_id, item, rank: the `top` items by score, those above zero; ties by popularity."""
    at_a_time = max(1, MOST_NUMBERS // len(known.items))
    most = min(top, len(known.items))
    parts = []
    for start in range(0, len(customers), at_a_time):
        some = customers[start : start + at_a_time]
        scores = score(some)
        first = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(scores, first, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        first = np.take_along_axis(first, order, axis=1)
        values = np.take_along_axis(values, order, axis=1)
        who, rank = np.nonzero(values > 0)
        parts.append(
            pl.DataFrame(
                {
                    "customer_id": known.customers.gather(some[who]),
                    "item": known.items.gather(first[who, rank]),
                    "rank": rank + 1,
                }
            )
        )
    return pl.concat(parts)


def g_top(known: Coded) -> Scorer:
    popularity = known.popularity()
    return lambda some: np.tile(popularity, (len(some), 1))


def p_top(known: Coded) -> Scorer:
    counts, popularity = known.counts(), known.popularity()

    def score(some: Ints) -> Floats:
        own: Floats = counts[some].toarray()
        return np.where(own > 0, own + popularity, 0.0)

    return score


def gp_top(known: Coded) -> Scorer:
    counts, popularity = known.counts(), known.popularity()
    return lambda some: counts[some].toarray() + popularity


def item_knn(known: Coded) -> Scorer:
    """Cosine over counts, 100 neighbours; an item is its own neighbour, so own items may return."""
    from implicit.nearest_neighbours import CosineRecommender
    from implicit.utils import ParameterWarning

    counts = known.counts()
    learner = CosineRecommender(K=101, num_threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)
        learner.fit(counts, show_progress=False)
    near = sparse.csr_matrix(learner.similarity)
    return lambda some: (counts[some] @ near).toarray()


def als(known: Coded) -> Scorer:
    """64 factors, confidence 1 + 10 times the count; own items may return."""
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        learner = AlternatingLeastSquares(
            factors=64, alpha=10.0, iterations=15, num_threads=1, random_state=1
        )
        learner.fit(known.counts(), show_progress=False)

    def score(some: Ints) -> Floats:
        scores: Floats = (learner.user_factors[some] @ learner.item_factors.T).astype(np.float64)
        return scores

    return score
