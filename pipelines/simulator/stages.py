"""Where a customer stands when a mail comes, and what that does to each kind of mail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.simulator.arrays import DAY, HOUR, NEVER, Flags, Floats, Ints
from pipelines.simulator.effects import TRIGGER_NUMBER
from pipelines.simulator.mails import Mails
from pipelines.simulator.population import Population

CART_HOURS, CART_FADES = 24, 9.0
WELCOME_DAYS, WELCOME_FADES = 14, 5.0
SILENT_DAYS = 45
JUST_ORDERED_DAYS, USING_DAYS = 3, 30
OUT_OF_PLACE = 0.12  # what is left of a mail that does not apply


@dataclass
class State:
    """Per customer, as of the run's present: times in microseconds, -NEVER where never."""

    last_order: Ints
    orders: Ints
    last_cart: Ints
    pressure: Floats  # mails, each decayed since it came, as of `pressed_at`
    pressed_at: Ints
    gone_at: Ints  # from then on nothing is delivered

    def copy(self) -> State:
        return replace(self, **{name: values.copy() for name, values in vars(self).items()})


def pressure_at(state: State, customer: Ints, at: Ints, *, recovery_days: float) -> Floats:
    """What is left at those times of the pressure that recent mails put on each customer."""
    days = np.maximum(at - state.pressed_at[customer], 0) / DAY
    left: Floats = state.pressure[customer] * np.exp(-days / recovery_days)
    return left


def nobody_mailed(size: int) -> State:
    long_ago = np.full(size, -NEVER)
    return State(
        last_order=long_ago,
        orders=np.zeros(size, dtype=np.int64),
        last_cart=long_ago.copy(),
        pressure=np.zeros(size),
        pressed_at=long_ago.copy(),
        gone_at=np.full(size, NEVER),
    )


def stage_factors(population: Population, state: State, mails: Mails) -> tuple[Floats, Floats]:
    """What the stage multiplies clicks by, and orders after a click.

    Reads the state as of the run's present and the hours that will have passed by `at`.
    """
    customer, at, trigger = mails.customer, mails.at, mails.trigger
    cart_hours = (at - state.last_cart[customer]) / HOUR
    is_open = (state.last_cart > state.last_order)[customer] & (cart_hours < CART_HOURS)
    since_order = (at - state.last_order[customer]) / DAY
    since_signup = np.maximum(at - population.signed_up[customer], 0) / DAY
    orders = state.orders[customer]
    cycles = np.maximum(since_order, 0.01) / population.gap_days[customer]
    due = np.exp(-(((np.log(cycles) - 0.1) / 0.6) ** 2))

    def fits(where: Flags, how_well: Floats | float) -> Floats:
        return np.where(where, np.maximum(how_well, OUT_OF_PLACE), OUT_OF_PLACE)

    by_trigger = {
        "cart_reminder": fits(is_open, np.exp(-np.maximum(cart_hours, 0) / CART_FADES)),
        "welcome": fits(
            (orders == 0) & (since_signup < WELCOME_DAYS), np.exp(-since_signup / WELCOME_FADES)
        ),
        "win_back": fits((orders > 0) & (since_order >= SILENT_DAYS), 1.0),
        "replenishment": fits(orders >= 2, due),
        "review_request": fits((since_order >= 3) & (since_order <= 30), 1.0),
        "recommendation": np.where(since_order < 3, 0.6, 1.0),
        "checkout_left": fits(is_open, np.exp(-np.maximum(cart_hours, 0) / CART_FADES)),
        "time_limited_offer": fits(is_open, 1.0),
        "payment_benefit": fits(is_open, 1.0),
        "first_purchase_nudge": fits(orders == 0, 1.0),
        "purchase_thanks": fits(since_order <= JUST_ORDERED_DAYS, 1.0),
        "usage_tips": fits((since_order >= 1) & (since_order <= USING_DAYS), 1.0),
        "related_products": fits((since_order >= 1) & (since_order <= USING_DAYS), 1.0),
    }
    click = np.ones(len(at))
    for name, factor in by_trigger.items():
        click = np.where(trigger == TRIGGER_NUMBER[name], factor, click)
    order = np.where(orders == 0, 0.6, 1.0) * np.where(is_open, 1.3, 1.0)
    welcome = trigger == TRIGGER_NUMBER["welcome"]
    reminder = trigger == TRIGGER_NUMBER["cart_reminder"]
    order = np.where(welcome, 1.0, order) * np.where(reminder & ~is_open, 0.3, 1.0)
    has_left = at >= population.leaves[customer]
    return click * np.where(has_left, 0.5, 1.0), order * np.where(has_left, 0.2, 1.0)
