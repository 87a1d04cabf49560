"""Lists against scikit-learn's nDCG and counts by hand, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import ndcg_score

from tests.training.drawn import RESAMPLING
from training.evaluate import intervals
from training.ranking import list_metrics, measured_lists

KEY = ["customer"]


def relevant(*rows: tuple[str, str, bool]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["customer", "item", "repeat"], orient="row")


def listed(**lists: str) -> pl.DataFrame:
    """`ann="tea milk"`: what was shown to her, the first item first."""
    return pl.DataFrame(
        [(name, item, rank) for name, items in lists.items()
         for rank, item in enumerate(items.split(), 1)],
        schema=["customer", "item", "rank"], orient="row",
    )  # fmt: skip


def test_lists_are_measured_by_repeat_and_explore() -> None:
    wanted = relevant(
        ("ann", "tea", True), ("ann", "ink", False), ("ann", "jam", False), ("bob", "tea", True)
    )
    lists = listed(ann="milk tea ink jam", bob="milk ink bread tea", eve="tea")
    ann, bob = measured_lists(wanted, lists, key=KEY, top=3).iter_rows(named=True)
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    assert ann == pytest.approx(
        {
            "customer": "ann",
            "recall": 2 / 3, "repeat_recall": 1, "explore_recall": 1 / 2,
            "ndcg": (second + third) / (1 + second + third), "repeat_ndcg": second,
            "explore_ndcg": third / (1 + second),
            "phr": 1, "repeat_phr": 1, "explore_phr": 1,
        }
    )  # fmt: skip
    # Her tea stands fourth, and nothing new was ordered.
    assert [bob[name] for name in ("recall", "ndcg", "phr", "repeat_phr")] == [0, 0, 0, 0]
    assert [bob[f"explore_{name}"] for name in ("recall", "ndcg", "phr")] == [None] * 3


def test_ndcg_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    people, items, top = 40, 25, 10
    scores = random.permuted(np.tile(np.arange(items, dtype=float), (people, 1)), axis=1)
    ordered = random.random((people, items)) < 0.2
    ordered[:, 0] = True
    wanted = relevant(
        *((f"c{c:02}", f"i{i}", True) for c, i in zip(*ordered.nonzero(), strict=True))
    )
    lists = listed(
        **{f"c{c:02}": " ".join(f"i{i}" for i in np.argsort(-scores[c])) for c in range(people)}
    )
    mine = measured_lists(wanted, lists, key=KEY, top=top)
    assert mine["ndcg"].mean() == pytest.approx(ndcg_score(ordered, scores, k=top))
    assert mine["explore_ndcg"].null_count() == people
    assert list(list_metrics(mine, top=top)) == [
        "recall_at_10", "repeat_recall_at_10", "ndcg_at_10", "repeat_ndcg_at_10", "phr_at_10",
        "repeat_phr_at_10",
    ]  # fmt: skip


def test_a_longer_list_finds_no_less() -> None:
    wanted = relevant(*(("ann", item, False) for item in "abcdef"))
    lists = listed(ann="x a y b z c d e f g")
    recall = [measured_lists(wanted, lists, key=KEY, top=top)["recall"][0] for top in (1, 2, 6, 99)]
    assert recall == pytest.approx([0, 1 / 6, 3 / 6, 1])
    # Two relevant of a list of two are the best there is, however many more there were.
    best = measured_lists(wanted, listed(ann="a b"), key=KEY, top=2)
    assert best["ndcg"][0] == pytest.approx(1) and best["recall"][0] == pytest.approx(2 / 6)


def test_the_interval_of_recall_holds_the_truth() -> None:
    held = []
    for seed in range(400):
        random = np.random.default_rng([2, seed])
        # 100 customers with three lists each; who is well known is so in all of them.
        taste = random.beta(0.5, 2.0, 100).repeat(3)
        wanted = 1 + random.poisson(2.0, 300)
        recall = pl.Series(random.binomial(wanted, taste) / wanted)
        nulls = {f"{kind}{m}": recall for kind in ("", "repeat_", "explore_")
                 for m in ("recall", "ndcg", "phr")}  # fmt: skip
        found = intervals(
            list_metrics(pl.DataFrame(nulls), top=10),
            np.arange(100).repeat(3),
            settings=RESAMPLING.model_copy(update={"replicates": 200}),
        )["recall_at_10"]
        held.append(found.low <= 0.2 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98
