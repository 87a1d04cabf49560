"""At which hours people are about, and how much of that an hour of sending is worth."""

from __future__ import annotations

import numpy as np

from pipelines.simulator.arrays import Floats, Small

# Peaks (local hour, weight) of the kinds of people there are, on weekdays; shares of the kinds.
KINDS_OF_PEOPLE = (
    (0.22, ((7.5, 1.0), (18.5, 0.7))),  # on the way to work and back
    (0.24, ((10.5, 0.7), (14.5, 1.0))),  # at the desk
    (0.26, ((20.5, 1.0), (12.5, 0.35))),  # after supper
    (0.12, ((23.0, 1.0), (16.0, 0.4))),  # late
    (0.16, ((12.5, 1.0), (17.0, 0.6))),  # at lunch
)
PERSONAL_SPREAD = 1.1  # hours by which a person differs from the kind
SHARPNESS = (2.0, 9.0)  # of the peaks on the clock face; higher is narrower
ALWAYS = 0.12  # some chance at any hour
AT_NIGHT = (1, 6, 0.25)  # from, until, share that is left of it: most people sleep
WEEKEND_LATER = 1.7  # hours
# A mail may leave from 08:00 to 20:59, by the guardrails that the project ships.
ALLOWED = slice(8, 21)
WEEKDAYS_WEEKENDS = np.array([5 / 7, 2 / 7])


def rhythms(random: np.random.Generator, customers: int) -> Floats:
    """customer x (weekday, weekend) x 24 local hours, mean 1 over the hours."""
    shares = np.array([share for share, _ in KINDS_OF_PEOPLE])
    kind = random.choice(len(shares), customers, p=shares)
    peaks = np.array([[hour for hour, _ in of_kind] for _, of_kind in KINDS_OF_PEOPLE])[kind]
    weights = np.array([[weight for _, weight in of_kind] for _, of_kind in KINDS_OF_PEOPLE])[kind]
    peaks = peaks + random.normal(0, PERSONAL_SPREAD, (customers, 2))
    weights = weights * random.lognormal(0, 0.4, (customers, 2))
    later = np.stack([np.zeros(customers), random.normal(WEEKEND_LATER, 0.7, customers)], axis=1)
    sharpness = random.uniform(*SHARPNESS, customers)
    hours = np.arange(24) + 0.5
    centre = peaks[:, None, :, None] + later[:, :, None, None]
    angle = (hours - centre) * (2 * np.pi / 24)
    bumps = np.exp(sharpness[:, None, None, None] * (np.cos(angle) - 1))
    profile = ALWAYS + (weights[:, None, :, None] * bumps).sum(axis=2)
    from_hour, until_hour, left = AT_NIGHT
    profile[..., from_hour:until_hour] *= left
    normal: Floats = profile / profile.mean(axis=-1, keepdims=True)
    return normal


def hour_factors(rhythm: Small, engagement: Floats, *, gain: float) -> Small:
    """What an hour of sending multiplies clicks by: rhythm^strength, mean 1 over the hours.

    Shape as `rhythm` (era first). `strength` is solved by bisection in the first era, so that
    `oracle_gain` is `gain`; no gain means that all hours are 1.
    """
    if gain == 0:
        return np.ones_like(rhythm)
    low, high = 0.0, 4.0
    for _ in range(22):
        middle = (low + high) / 2
        reached = oracle_gain(_powered(rhythm[0], middle), engagement)
        low, high = (middle, high) if reached < gain else (low, middle)
    return np.stack([_powered(era, low) for era in rhythm])


def oracle_gain(factor: Small, engagement: Floats) -> float:
    """How much more clicks each one's best allowed hours get than the best single hour for all.

    `factor` is customer x (weekday, weekend) x hour; weighted by engagement and days of the week.
    """
    allowed = factor[..., ALLOWED]
    own = engagement @ (allowed.max(axis=-1) @ WEEKDAYS_WEEKENDS)
    everyones = engagement @ np.einsum("cwh,w->ch", allowed, WEEKDAYS_WEEKENDS)
    return float(own / everyones.max() - 1)


def _powered(rhythm: Small, strength: float) -> Small:
    powered = rhythm**strength
    normal: Small = powered / powered.mean(axis=-1, keepdims=True)
    return normal
