"""The simulated shop's customers, with everything about them that no shop can see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betaincinv, gammaincinv, ndtr

from features.tables import CUSTOMERS
from pipelines.simulator.arrays import DAY, HOUR, Flags, Floats, Ints, Small
from pipelines.simulator.clock import ZONES
from pipelines.simulator.dice import generator
from pipelines.simulator.rhythm import rhythms
from pipelines.simulator.shelf import CATEGORIES, Shelf
from pipelines.simulator.worlds import WorldSettings

# Signed up before the history begins, over so many days.
LONG_STANDING, EARLIER_DAYS = 0.6, 730
# So many hardly ever open, their chance is at most the second figure; with the low end of the
# others, about 55 % of all people show no open in half a year.
NEVER_OPEN, HARDLY = 0.42, 0.03
OPENNESS = 0.2  # below 1: most of the others open seldom, a few nearly always
ORDER_SHAPE = 0.8  # of the gamma from which order rates come
LEAST_ORDERS = 0.1  # of the mean rate: nobody's rate is lower
LIKELINESS = 0.35  # correlation of visiting, ordering and answering mail
TASTE = 0.35  # of the Dirichlet from which tastes come: below 1, two or three categories rule
FAVOURITES, MOST_FAVOURED = 4, 0.6
PLACES = {
    "America/New_York": ("en-US", "US"),
    "America/Los_Angeles": ("en-US", "US"),
    "Europe/London": ("en-GB", "GB"),
    "Europe/Berlin": ("de-DE", "DE"),
    "America/Sao_Paulo": ("pt-BR", "BR"),
    "Australia/Sydney": ("en-AU", "AU"),
    "Asia/Tokyo": ("ja-JP", "JP"),
    "Asia/Kolkata": ("en-IN", "IN"),
    "Africa/Lagos": ("en-NG", "NG"),
}


@dataclass(frozen=True)
class Population:
    """One entry per customer; arrays with a leading `era` hold what was before and after a drift.

    Times are microseconds UTC. Rates of ordering and visiting are per day of an average season.
    """

    names: pl.Series
    zone: Ints
    signed_up: Ints
    leaves: Ints  # from then on, orders and visits nothing by itself
    consents: Flags
    rhythm: Small  # era x customer x (weekday, weekend) x local hour; mean 1 over the hours
    openness: Floats  # chance of opening a plain mail
    engagement: Floats  # pull of mail: mean 1
    frequency: Floats  # how often the shop mails: a standard normal number
    tastes: Small  # era x customer x category; sums to 1
    favourites: Ints  # customer x FAVOURITES products
    favoured: Floats  # share of what is bought that is one of these
    thrift: Floats  # 0 to 1: how much the price matters
    gap_days: Floats  # mean days between orders
    visits: Floats  # per day
    more_lines: Floats  # chance of one more line in an order, again and again
    line_price: Floats  # expected price of a product that is chosen; era x customer
    uses_app: Flags
    mpp: Flags
    gateway: Flags
    bounce_prone: Flags
    changes_at: int  # when the second era begins

    @property
    def size(self) -> int:
        return len(self.zone)

    def era(self, at: Ints) -> Ints:
        """The place of those times in arrays that begin with the era."""
        if len(self.rhythm) == 1:
            return np.zeros(len(at), dtype=np.int64)
        return (at >= self.changes_at).astype(np.int64)

    def chosen(self, customer: Ints, at: Ints, dice: Floats, shelf: Shelf) -> Ints:
        """A product of each one's own choice; `dice` holds five uniform numbers per row."""
        row = self.tastes[self.era(at), customer]
        category = (np.cumsum(row, axis=1)[:, :-1] < dice[0][:, None]).sum(axis=1)
        by_taste = shelf.drawn(category, dice[1], dice[2], dice[3] < self.thrift[customer])
        favourite = self.favourites[customer, (dice[1] * FAVOURITES).astype(np.int64)]
        return np.where(dice[4] < self.favoured[customer], favourite, by_taste)


def born(
    settings: WorldSettings,
    customers: int,
    shelf: Shelf,
    *,
    begins: int,
    start: int,
    ends: int,
    seed: int,
) -> Population:
    """Customers who sign up before `begins` or until `ends`; what drifts, drifts at `start`."""
    random = generator("population", seed)
    zone = random.choice(len(ZONES), customers, p=np.array(list(ZONES.values())))
    is_old = random.random(customers) < LONG_STANDING
    before = begins - random.random(customers) * EARLIER_DAYS * DAY
    since = begins + random.random(customers) * (ends - begins)
    signed_up = np.where(is_old, before, since).astype(np.int64)
    lifetime = random.exponential(settings.mean_lifetime_days, customers) * DAY
    liking = _likings(random, customers)
    openness = _openness(ndtr(liking[0]), settings.open_rate)
    engagement = openness * random.lognormal(0, 0.5, customers)
    rate = gammaincinv(ORDER_SHAPE, ndtr(liking[1])) / ORDER_SHAPE
    rate = settings.orders_per_week / 7 * (LEAST_ORDERS + (1 - LEAST_ORDERS) * rate)
    visits = settings.visits_per_week / 7 * np.exp(0.9 * liking[2] - 0.405)
    drifts = random.random(customers) < settings.drift
    eras = 2 if settings.drift else 1
    rhythm = np.stack([rhythms(random, customers) for _ in range(eras)])
    tastes = np.stack([random.dirichlet([TASTE] * len(CATEGORIES), customers) for _ in range(eras)])
    if eras == 2:
        rhythm[1] = np.where(drifts[:, None, None], rhythm[1], rhythm[0])
        tastes[1] = np.where(drifts[:, None], tastes[1], tastes[0])
    thrift = random.beta(2, 3, customers)
    favoured = random.random(customers) * MOST_FAVOURED
    favourites = _favourites(random, tastes[0], shelf)
    own = shelf.cents[favourites].mean(axis=1) / 100
    price = (1 - thrift) * (tastes @ shelf.dear) + thrift * (tastes @ shelf.cheap)
    return Population(
        names=pl.Series([f"c{number:06d}" for number in range(customers)]),
        zone=zone,
        signed_up=signed_up,
        leaves=signed_up + np.maximum(lifetime, HOUR).astype(np.int64),
        consents=random.random(customers) >= settings.never_consent,
        rhythm=rhythm.astype(np.float32),
        openness=openness,
        engagement=engagement / engagement.mean(),
        frequency=random.standard_normal(customers),
        tastes=tastes.astype(np.float32),
        favourites=favourites,
        favoured=favoured,
        thrift=thrift,
        gap_days=1 / rate,
        visits=visits,
        more_lines=random.beta(2.5, 3, customers),
        line_price=favoured * own + (1 - favoured) * price,
        uses_app=random.random(customers) < 0.3,
        mpp=random.random(customers) < settings.mpp_share,
        gateway=random.random(customers) < settings.gateway_share,
        bounce_prone=random.random(customers) < settings.bounce_prone,
        changes_at=start,
    )


def customers_of(population: Population, *, seed: int) -> pl.DataFrame:
    """The CUSTOMERS table: what the shop is told of each on signing up."""
    random = generator("what customers tell", seed)
    zones = list(ZONES)
    signed_up = pl.Series(population.signed_up).cast(pl.Datetime("us", "UTC"))
    days = np.datetime64("2023-01-01") + random.integers(0, 365, population.size)
    told = random.random((2, population.size))
    return CUSTOMERS.check(
        pl.DataFrame(
            {
                "customer_id": population.names,
                "known_at": signed_up,
                "timezone": [zones[zone] for zone in population.zone],
                "locale": [PLACES[zones[zone]][0] for zone in population.zone],
                "country": [PLACES[zones[zone]][1] for zone in population.zone],
                "birthday": pl.Series(days).dt.strftime("%m-%d"),
                "signed_up_at": signed_up,
            }
        ).with_columns(
            # Some tell neither birthday nor where they live.
            birthday=pl.when(pl.Series(told[0] < 0.7)).then("birthday"),
            timezone=pl.when(pl.Series(told[1] < 0.97)).then("timezone"),
        )
    )


def _likings(random: np.random.Generator, customers: int) -> Floats:
    """Three standard normal numbers per customer: who does one thing more, does all more."""
    common = random.standard_normal(customers)
    own = random.standard_normal((3, customers))
    liking: Floats = np.sqrt(LIKELINESS) * common + np.sqrt(1 - LIKELINESS) * own
    return liking


def _openness(rank: Floats, mean: float) -> Floats:
    """Chances of opening: half next to nothing, the others from a beta; `mean` over all."""
    of_others = (mean - NEVER_OPEN * HARDLY / 2) / (1 - NEVER_OPEN)
    place = np.clip((rank - NEVER_OPEN) / (1 - NEVER_OPEN), 1e-6, 1 - 1e-6)
    opens = betaincinv(OPENNESS, OPENNESS * (1 / of_others - 1), place)
    return np.where(rank < NEVER_OPEN, HARDLY * rank / NEVER_OPEN, opens)


def _favourites(random: np.random.Generator, tastes: Floats, shelf: Shelf) -> Ints:
    customers = len(tastes)
    bounds = np.cumsum(tastes, axis=1)[:, :-1]
    columns = []
    for _ in range(FAVOURITES):
        category = (bounds < random.random(customers)[:, None]).sum(axis=1)
        dice = random.random((2, customers))
        columns.append(shelf.drawn(category, dice[0], dice[1], np.zeros(customers, dtype=bool)))
    return np.stack(columns, axis=1)
