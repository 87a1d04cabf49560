"""How good lists of items are: recall, nDCG and hits at k, of what is bought again and of the new.

Repeat and explore are apart because they are different problems, and the first is by far the easier
one (Li, Jullien, Ariannezhad and de Rijke 2023, "A Next Basket Recommendation Reality Check").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import sparse

from training.evaluate import Metric, ratio

# All that was ordered; what the customer had ordered before; what they had not.
KINDS = {
    "": pl.col("repeat").is_not_null(),
    "repeat_": pl.col("repeat"),
    "explore_": ~pl.col("repeat"),
}
MEASURES = ("recall", "ndcg", "phr")


def measured_lists(
    relevant: pl.DataFrame, lists: pl.DataFrame, *, key: Sequence[str], top: int
) -> pl.DataFrame:
    """One row per list (`key`) of whoever ordered anything: `recall`, `ndcg`, `phr` of each kind.

    `relevant` (key, item, repeat: ordered before) also holds what no list held; `lists` are key,
    item, rank (from 1, no rank twice), and ranks beyond `top` do not count. Recall is the share of
    the relevant items among the first; nDCG weighs them by 1 / log2(rank + 1) and divides by the
    best that any list could reach (Järvelin and Kekäläinen 2002); phr is 1 where one was hit, so
    that its mean is the share of customers with a hit. Null where nothing of the kind was ordered.
    """
    first = lists.filter(pl.col("rank") <= top).select(*key, "item", "rank")
    found = relevant.join(first, on=[*key, "item"], how="left")
    discount = (1 / (pl.col("rank") + 1).cast(pl.Float64).log(2)).fill_null(0.0)
    counted = found.group_by(key, maintain_order=True).agg(
        expression
        for kind, which in KINDS.items()
        for expression in (
            which.sum().alias(f"{kind}wanted"),
            pl.col("rank").filter(which).count().alias(f"{kind}hits"),
            discount.filter(which).sum().alias(f"{kind}gain"),
        )
    )
    best = np.concatenate([[np.nan], np.cumsum(1 / np.log2(np.arange(2, top + 2)))])
    for kind in KINDS:
        wanted, hits = pl.col(f"{kind}wanted"), pl.col(f"{kind}hits")
        reachable = best[counted.get_column(f"{kind}wanted").clip(0, top).to_numpy()]
        counted = counted.with_columns(
            pl.when(wanted > 0).then(measure).alias(f"{kind}{name}")
            for name, measure in (
                ("recall", hits / wanted),
                ("ndcg", pl.col(f"{kind}gain") / pl.Series(reachable)),
                ("phr", (hits > 0).cast(pl.Float64)),
            )
        )
    return counted.select(*key, *(f"{kind}{measure}" for measure in MEASURES for kind in KINDS))


def list_metrics(measured: pl.DataFrame, *, top: int) -> dict[str, Metric]:
    """The mean of each measure over the lists that have it, by name: `repeat_recall_at_10`.

    Where nobody ordered anything new, there is no recall of new items to speak of.
    """
    return {
        f"{kind}{measure}_at_{top}": mean_where_known(
            measured.get_column(f"{kind}{measure}"), least=0.0
        )
        for measure in MEASURES
        for kind in KINDS
        if measured.get_column(f"{kind}{measure}").is_not_null().any()
    }


def mean_where_known(values: pl.Series, *, least: float) -> Metric:
    """The mean of numbers from `least` to 1, nulls left out."""
    known = values.is_not_null().cast(pl.Float64).to_numpy()
    parts = sparse.csr_array(np.stack([values.fill_null(0.0).to_numpy(), known]))
    return Metric(parts, lambda sums: ratio(sums[0], sums[1]), least=least, most=1.0)
