"""Visits without an order: what is looked at, searched for, put into a cart and left there."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.simulator.arrays import SECOND, Flags, Ints
from pipelines.simulator.clock import Clock
from pipelines.simulator.hours import hours_drawn
from pipelines.simulator.population import Population
from pipelines.simulator.rows import rows, together
from pipelines.simulator.season import Season
from pipelines.simulator.shelf import Shelf, category_of

ONE_MORE_VIEW = 0.5  # chance, again and again
MOST_VIEWS = 15
SEARCHES = 0.2
FILLS_A_CART, TAKES_OUT, CHECKS_OUT = 0.10, 0.12, 0.3


def visits_of(
    random: np.random.Generator,
    population: Population,
    shelf: Shelf,
    clock: Clock,
    season: Season,
    *,
    begins: int,
    ends: int,
) -> pl.DataFrame:
    """Rows of all visits from `begins` to `ends`, as a Poisson process in average days."""
    since = season.counted(np.maximum(population.signed_up, begins))
    until = season.counted(np.minimum(population.leaves, ends))
    length = np.maximum(until - since, 0)
    count = random.poisson(population.visits * length)
    customer = np.repeat(np.arange(population.size), count)
    counted = since[customer] + length[customer] * random.random(len(customer))
    at = hours_drawn(random, population, clock, customer, season.at(counted))
    is_in = (at >= population.signed_up[customer]) & (at >= begins)
    customer, at = customer[is_in], at[is_in]
    views = np.minimum(random.geometric(1 - ONE_MORE_VIEW, len(at)), MOST_VIEWS)
    seconds = views * random.uniform(20, 60, len(at))
    visit = np.repeat(np.arange(len(at)), views)
    # The n-th view of a visit begins after the n-th part of it.
    number = np.arange(len(visit)) - np.repeat(np.cumsum(views) - views, views)
    part = (seconds / views)[visit]
    viewed_at = at[visit] + (SECOND * (1 + number * part)).astype(np.int64)
    product = population.chosen(customer[visit], viewed_at, random.random((5, len(visit))), shelf)
    last = np.cumsum(views) - 1
    ended = viewed_at[last] + (SECOND * seconds / views * 0.9).astype(np.int64)
    return together(
        [
            rows("session", customer, at, seconds=seconds),
            rows("view", customer[visit], viewed_at, product=product, seconds=part * 0.8),
            _searches(random, customer, at, product[last]),
            _carts(random, shelf, customer, ended, product[last]),
        ]
    )


def _searches(random: np.random.Generator, customer: Ints, at: Ints, product: Ints) -> pl.DataFrame:
    found: Flags = random.random(len(at)) < SEARCHES
    word = category_of(product[found])
    return rows("search", customer[found], at[found] + SECOND // 2, word=word)


def _carts(
    random: np.random.Generator, shelf: Shelf, customer: Ints, at: Ints, product: Ints
) -> pl.DataFrame:
    dice = random.random((3, len(at)))
    fills = dice[0] < FILLS_A_CART
    takes_out = fills & (dice[1] < TAKES_OUT)
    checks_out = fills & ~takes_out & (dice[2] < CHECKS_OUT)

    def of(which: Flags) -> dict[str, Ints]:
        ones = np.ones(int(which.sum()), dtype=np.int64)
        return {"product": product[which], "quantity": ones, "cents": shelf.cents[product[which]]}

    return together(
        [
            rows("cart_add", customer[fills], at[fills], **of(fills)),
            rows("cart_remove", customer[takes_out], at[takes_out] + 90 * SECOND, **of(takes_out)),
            rows("checkout", customer[checks_out], at[checks_out] + 60 * SECOND),
        ]
    )
