"""A shop whose answers are known: chances per customer and arm, and a policy that logs in it.

Everything is synthetic. Customers are drawn from a population with replacement, so that a log is
a sample of it and the mean over the population is exactly what an estimator is after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluate import Floats
from training.offpolicy.logged import Bools, Ints, Logged, Target, choosing

EPSILON = 0.1
ARMS = 6
# The share of a chance that a customer's mood of these weeks takes away or adds: all rows of the
# customer share it, and its mean is nothing, so the truth stays what it is.
MOOD = 0.8


@dataclass(frozen=True)
class World:
    """A population of decisions: `chances` [customers, arms] of a reward of 1 are the truth.

    Each customer is asked about `rows` [customers] times; `possible` [customers, most rows, arms]
    says among which arms, `known` [customers, arms] is what one can know of the chances.
    """

    chances: Floats
    known: Floats
    rows: Ints
    possible: Bools

    @property
    def is_asked(self) -> Bools:
        """Which cells of [customers, most rows] are decisions at all."""
        asked: Bools = np.arange(self.possible.shape[1]) < self.rows[:, None]
        return asked


def world_of(chances: Floats, *, most_rows: int, seed: int) -> World:
    """A world of given chances [customers, arms], such as a simulator's."""
    random = np.random.default_rng([seed, 1])
    customers, arms = chances.shape
    possible = random.random((customers, most_rows, arms)) < 0.7
    # At least two arms; waiting, the first of them, is always possible.
    possible[..., 0] = True
    lacking = possible.sum(axis=2) < 2
    possible[lacking, random.integers(1, arms, size=int(lacking.sum()))] = True
    noise = random.normal(size=chances.shape)
    return World(
        chances=chances,
        known=np.log(chances) + 0.5 * noise,
        rows=random.integers(1, most_rows + 1, size=customers),
        possible=possible,
    )


def drawn_chances(customers: int, *, base: float, effect: float, seed: int) -> Floats:
    """Chances [customers, arms] around `base`: heavy-tailed customers, and arms that suit some.

    With no `effect` all arms are equal for everybody.
    """
    random = np.random.default_rng([seed, 2])
    engagement = base * random.gamma(0.7, 1 / 0.7, size=(customers, 1))
    suits = effect * random.normal(size=(customers, ARMS))
    return np.clip(engagement * np.exp(suits - effect**2 / 2), 1e-4, 0.5)


def best_known(world: World, *, of: Floats) -> Ints:
    """The possible arm with the highest number of `of` [customers, arms], row by row."""
    scores = np.where(world.possible, of[:, None, :], -np.inf)
    return scores.argmax(axis=2).astype(np.int64)


def truth(world: World, choice: Ints) -> float:
    """The reward per decision that a policy would bring, over the whole population."""
    of_choice = np.take_along_axis(world.chances, choice, axis=1)
    return float(of_choice[world.is_asked].mean())


@dataclass(frozen=True)
class Sample:
    """A log drawn from a world; `customer` and `row` [rows] say which cell each row is."""

    log: Logged
    customer: Ints
    row: Ints

    def target(self, name: str, choice: Ints) -> Target:
        """A policy of the world on the rows of this log."""
        return choosing(name, choice[self.customer, self.row], arms=self.log.arms)


def sampled(world: World, logging: Ints, *, customers: int, seed: tuple[int, ...]) -> Sample:
    """`customers` drawn from the world, asked by `logging`, which explores with chance EPSILON."""
    random = np.random.default_rng([3, *seed])
    who = random.integers(len(world.rows), size=customers)
    drawn, row = np.nonzero(world.is_asked[who])
    customer = who[drawn]
    possible = world.possible[customer, row]
    greedy = logging[customer, row]
    floor = EPSILON / possible.sum(axis=1)
    at_random = np.where(possible, random.random(possible.shape), -1.0).argmax(axis=1)
    chosen = np.where(random.random(len(row)) < EPSILON, at_random, greedy)
    mood = 1 + MOOD * random.choice([-1.0, 1.0], size=customers)
    reward = random.random(len(row)) < world.chances[customer, chosen] * mood[drawn]
    log = Logged(
        customer=drawn.astype(np.int64),
        chosen=chosen.astype(np.int64),
        reward=reward.astype(np.float64),
        propensity=floor + (1 - EPSILON) * (chosen == greedy),
        possible=possible,
    )
    return Sample(log, customer, row)


@dataclass(frozen=True)
class Contest:
    """Two policies in a world: the arms that each would choose [customers, most rows]."""

    world: World
    in_force: Ints
    challenger: Ints

    @property
    def gain(self) -> float:
        """By how much the challenger is better, in reward per decision: the truth."""
        return truth(self.world, self.challenger) - truth(self.world, self.in_force)


def contest_in(chances: Floats, *, blur: float, most_rows: int, seed: int) -> Contest:
    """A challenger that knows something of the chances, against one that knows it blurred.

    The policy in force knows best whom it has often seen answer, as policies do. So the two agree
    about the engaged more than about the silent, which is what misleads the naive mean.
    """
    world = world_of(chances, most_rows=most_rows, seed=seed)
    rank = chances.mean(axis=1).argsort().argsort() / len(chances)
    spread = 2 * blur * (1 - rank)
    noise = spread[:, None] * np.random.default_rng([seed, 4]).normal(size=chances.shape)
    return Contest(
        world,
        in_force=best_known(world, of=world.known + noise),
        challenger=best_known(world, of=world.known),
    )


def as_good_as_the_best_arm(customers: int, *, base: float, most_rows: int, seed: int) -> Contest:
    """The hardest case for a gate: a challenger that beats all fixed arms but one, and equals that.

    Arm 1 is best for everybody and in force. For half of the customers arm 2 is as good, for the
    others it is as bad as the rest; the challenger chooses it for just that half.
    """
    chances = drawn_chances(customers, base=base, effect=0.0, seed=seed)
    half = np.random.default_rng([seed, 5]).random(customers) < 0.5
    chances[:, [0, 3, 4, 5]] *= 0.3
    chances[~half, 2] *= 0.3
    world = world_of(chances, most_rows=most_rows, seed=seed)
    ranks = np.tile([1.0, 2.0, 0.0, 0.0, 0.0, 0.0], (customers, 1))
    in_force = best_known(world, of=ranks)
    swapped = world.possible[..., 1] & world.possible[..., 2] & half[:, None]
    return Contest(world, in_force=in_force, challenger=np.where(swapped, 2, in_force))
