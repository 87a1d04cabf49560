"""What customers do by themselves, the same whatever is mailed: visits, orders, carts, refunds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.simulator.arrays import DAY, NEVER, SECOND, Flags, Ints
from pipelines.simulator.clock import Clock
from pipelines.simulator.dice import generator
from pipelines.simulator.hours import hours_drawn
from pipelines.simulator.orders import Orders, orders_of
from pipelines.simulator.population import Population
from pipelines.simulator.rows import rows, together
from pipelines.simulator.season import Season
from pipelines.simulator.shelf import Shelf
from pipelines.simulator.visits import visits_of
from pipelines.simulator.worlds import WorldSettings

# Gaps between orders come from a gamma of this shape: more even than by pure chance.
GAP_SHAPE = 2
ORDERS_ON_SIGNING_UP = 0.3
MOST_LINES = 12
TWO_OF_IT = 0.2
PAYING = 2 * 60 * SECOND
REVIEWED = 0.08


@dataclass(frozen=True)
class Life:
    """`events` (rows.ROWS) are sorted by time; those of an order bear its number."""

    events: pl.DataFrame
    orders: Orders


def lived(
    population: Population,
    shelf: Shelf,
    clock: Clock,
    season: Season,
    settings: WorldSettings,
    *,
    begins: int,
    ends: int,
    seed: int,
) -> Life:
    """The own life of all customers from `begins` to `ends`; signing up earlier is told too."""
    random = generator("life", seed)
    orders, events = _orders(
        random, population, shelf, clock, season, settings.refunded, begins=begins, ends=ends
    )
    parts = [
        _signing_up(random, population),
        events,
        visits_of(random, population, shelf, clock, season, begins=begins, ends=ends),
    ]
    happened = together(parts).filter(pl.col("at") < ends).sort("at", maintain_order=True)
    happened = happened.with_columns(number=pl.int_range(pl.len(), dtype=pl.Int64))
    return Life(events=happened, orders=orders)


def _orders(
    random: np.random.Generator,
    population: Population,
    shelf: Shelf,
    clock: Clock,
    season: Season,
    refunded: float,
    *,
    begins: int,
    ends: int,
) -> tuple[Orders, pl.DataFrame]:
    customer, at, at_once = _order_times(random, population, season, ends=ends)
    drawn = hours_drawn(random, population, clock, customer, at)
    # Who orders on signing up takes some minutes; nobody orders before.
    signed_up = population.signed_up[customer]
    soon = signed_up + ((3 + 20 * random.random(len(at))) * 60 * SECOND).astype(np.int64)
    at = np.where(at_once, soon, np.maximum(drawn, soon))
    place = np.lexsort((at, customer))
    customer, at = customer[place], at[place]
    count = np.minimum(random.geometric(1 - population.more_lines[customer]), MOST_LINES)
    line_order = np.repeat(np.arange(len(at)), count)
    line_customer, line_at = customer[line_order], at[line_order]
    product = population.chosen(line_customer, line_at, random.random((5, len(line_at))), shelf)
    quantity = 1.0 + (random.random(len(line_at)) < TWO_OF_IT)
    cents = (shelf.cents[product] * quantity).astype(np.int64)
    total = np.bincount(line_order, cents, minlength=len(at)).astype(np.int64)
    later = random.random((2, len(at)))
    back = at + ((4 + 10 * later[0]) * DAY).astype(np.int64)
    told = at >= begins
    refunded_at = np.where(told & (later[1] < refunded), back, NEVER)
    orders = orders_of(customer, at, total, refunded_at, customers=population.size)
    line = told[line_order]
    lines = {
        "product": product[line],
        "quantity": quantity[line],
        "cents": cents[line],
        "order": line_order[line],
    }
    filled = line_at - PAYING - (random.random(len(line_at)) * 8 * 60 * SECOND).astype(np.int64)
    number = np.arange(len(at))
    looks = random.random((3, len(at)))
    reviews = told & (looks[0] < REVIEWED)
    first_line = np.concatenate([[0], np.cumsum(count)[:-1]])
    returns = refunded_at < NEVER
    began = at - ((10 + 15 * looks[1]) * 60 * SECOND).astype(np.int64)
    return orders, together(
        [
            rows("session", customer[told], began[told], seconds=(at - began)[told] / SECOND),
            rows("view", line_customer[line], filled[line] - 40 * SECOND, product=product[line],
                 seconds=10 + 60 * random.random(int(line.sum()))),
            rows("cart_add", line_customer[line], filled[line], **lines),
            rows("checkout", customer[told], (at - PAYING)[told], order=number[told]),
            rows("order", line_customer[line], line_at[line], **lines),
            rows("refund", customer[returns], refunded_at[returns], cents=total[returns],
                 order=number[returns]),
            rows("review", customer[reviews],
                 (at + ((5 + 12 * looks[2]) * DAY).astype(np.int64))[reviews],
                 product=product[first_line[reviews]], order=number[reviews]),
        ]
    )  # fmt: skip


def _order_times(
    random: np.random.Generator, population: Population, season: Season, *, ends: int
) -> tuple[Ints, Ints, Flags]:
    """Customer, day, and whether it is the order on signing up: one gap after another."""
    last = season.counted(np.minimum(population.leaves, ends))
    counted = season.counted(population.signed_up)
    at_once = random.random(population.size) < ORDERS_ON_SIGNING_UP
    going = np.arange(population.size)
    customers, times, flags = [going[at_once]], [counted[at_once]], [at_once[at_once]]
    while len(going):
        gap = random.gamma(GAP_SHAPE, population.gap_days[going] / GAP_SHAPE)
        counted = counted + gap
        goes_on = counted < last[going]
        going, counted = going[goes_on], counted[goes_on]
        customers.append(going)
        times.append(counted)
        flags.append(np.zeros(len(going), dtype=bool))
    return np.concatenate(customers), season.at(np.concatenate(times)), np.concatenate(flags)


def _signing_up(random: np.random.Generator, population: Population) -> pl.DataFrame:
    everyone, at = np.arange(population.size), population.signed_up
    tells = random.random(population.size) < 0.2
    later = ((1 + 8 * random.random(population.size)) * 60 * SECOND).astype(np.int64)
    said = np.where(population.consents, 0, 1)
    return together(
        [
            rows("signup", everyone, at),
            rows("consent", everyone, at, reason=said, by_mail=np.ones(len(at), dtype=bool)),
            rows("profile", everyone[tells], (at + later)[tells]),
        ]
    )
