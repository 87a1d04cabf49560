"""TIFU-KNN: a customer's item frequencies, fading in groups of baskets, and their neighbours' mean.

Hu, He, Gao and Zhang 2020, "Modeling Personalized Item Frequency Information for Next-basket
Recommendation", by the weights of the authors' code. (cornac 3.0.1 has the same weights, but takes
the neighbours' mean over items too: one number, which cannot change a list. So this is ours.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipelines.baskets.peers import Coded, Floats, Ints, Scorer

# Customers by whom hyper-parameters are chosen, and how long the lists are.
JUDGES, TOP = 1_000, 10
# What is tried of each, one after another, twice.
TRIED: dict[str, tuple[float, ...]] = {
    "alpha": (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9),
    "groups": (3, 7, 12, 17, 23),
    "within": (0.6, 0.8, 0.9, 0.95, 1.0),
    "between": (0.5, 0.7, 0.8, 0.9, 1.0),
    "neighbours": (50, 100, 300, 600),
}
ROUNDS = 2


@dataclass(frozen=True)
class Tifu:
    """Hyper-parameters: own share, groups of baskets, decay within and between them, neighbours."""

    alpha: float
    groups: float
    within: float
    between: float
    neighbours: float


# Where the search starts: what is best for TaFeng.
START = Tifu(alpha=0.1, groups=17, within=1.0, between=0.9, neighbours=300)


def tuned_tifu(known: Coded) -> Scorer:
    """TIFU-KNN with the hyper-parameters that foresee each customer's last known basket best."""
    return tifu(known, tuned(known, judges=JUDGES))


def tuned(known: Coded, *, judges: int) -> Tifu:
    """Coordinate search: recall@10 of the last basket of `judges` customers, from those before."""
    earlier = known.before(1)
    last = known.back == 1
    candidates = np.intersect1d(np.unique(earlier.customer), known.customer[last])
    random = np.random.default_rng(1)
    asked = np.sort(random.choice(candidates, min(judges, len(candidates)), replace=False))
    if not len(asked):
        return START
    truth = known.matrix(last.astype(np.float64))[asked] > 0
    seen: dict[Tifu, float] = {}
    best = START
    for _ in range(ROUNDS):
        before = best
        for name, values in TRIED.items():
            for value in values:
                trial = replace(best, **{name: value})
                if trial not in seen:
                    seen[trial] = _recall(tifu(earlier, trial), asked, truth)
            best = max(
                (replace(best, **{name: value}) for value in values), key=lambda one: seen[one]
            )
        if best == before:
            break
    return best


def tifu(known: Coded, chosen: Tifu) -> Scorer:
    """Scores by the given hyper-parameters; the smallest scores are popularity, to fill lists."""
    vectors = known.matrix(weights_of(known, chosen))
    squares = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    has_any = squares > 0
    popularity = known.popularity() * 1e-9
    most = min(int(chosen.neighbours), int(has_any.sum()))

    def score(some: Ints) -> Floats:
        own = vectors[some]
        distance = squares[None, :] - 2 * (own @ vectors.T).toarray()
        distance[:, ~has_any] = np.inf
        near = np.argpartition(distance, most - 1, axis=1)[:, :most]
        means = sparse.csr_matrix(
            (
                np.full(near.size, (1 - chosen.alpha) / most),
                (np.repeat(np.arange(len(some)), most), near.ravel()),
            ),
            shape=(len(some), vectors.shape[0]),
        )
        scores: Floats = (chosen.alpha * own + means @ vectors).toarray() + popularity
        return scores

    return score


def weights_of(known: Coded, chosen: Tifu) -> Floats:
    """What each row weighs: within^(baskets after it) x between^(groups after its own) / sizes.

    Baskets are cut into `groups` groups of nearly the same size, smaller ones first; where there
    are fewer baskets than groups, each is one.
    """
    groups = int(chosen.groups)
    baskets = np.zeros(len(known.customers), dtype=np.int64)
    np.maximum.at(baskets, known.customer, known.back)
    count = baskets[known.customer]
    place = count - known.back  # from 0, the oldest
    small = count // groups
    large = count - small * groups  # so many groups have one basket more
    in_small = (groups - large) * small
    is_small = place < in_small
    group = np.where(
        is_small,
        place // np.maximum(small, 1),
        (groups - large) + (place - in_small) // (small + 1),
    )
    size = np.where(is_small, small, small + 1)
    few = count < groups
    group, size = np.where(few, place, group), np.where(few, 1, size)
    weights: Floats = (
        chosen.within ** (known.back - 1)
        * chosen.between ** (groups - 1 - group)
        / size
        / np.minimum(count, groups)
    )
    return weights


def _recall(score: Scorer, judges: Ints, truth: sparse.csr_matrix) -> float:
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(judges), 250):
        wanted = truth[start : start + 250]
        scores = score(judges[start : start + 250])
        most = min(TOP, scores.shape[1])
        first = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        hits = np.take_along_axis(wanted.toarray(), first, axis=1).sum(axis=1)
        found.append(hits / np.asarray(wanted.sum(axis=1)).ravel())
    return float(np.concatenate(found).mean())
