"""The send-hour model: in which local hours a mail finds a customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.evaluate import Floats, intervals, log_losses, mean
from training.model.booster import Booster
from training.model.habits import INPUTS, LOGISTIC, MEANINGS, habits_in, log_odds, slot_inputs
from training.model.hours import STEPS_BELOW
from training.model.model import UNRECORDED, Model, sigmoid
from training.model.shrinkage import HOURS, SLOTS, Kinds, Shrinkage
from training.send_hour_cases import Cases, Evidence, Source, cases_at, evidence_in
from training.send_hour_judged import judged_by
from training.send_hour_pull import (
    Logistic,
    click_rates,
    email_log_odds,
    fit_logistic,
    readiness,
)
from training.send_hour_shrinkage import fit_shrinkage
from training.settings import TrainingSettings
from training.snapshots import snapshot_dates
from training.trained import About, Fit, Trained, described, trainer
from training.trees import grow

NAME = "send-hour"
# More of any other input must never make a slot less likely. A new customer has done little
# without being less active, and weekends may be better or worse.
EITHER_WAY = ("is_weekend", "acts")
# How much the weights of shrinkage are fitted on: they are five numbers.
MOST_FITTED = 3_000


def prepare_send_hour(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Fit:
    """Acts, habits and their regression; what grows trees beside it and judges all of it.

    Learn from older snapshots, judge by the newest; what is judged is what will be served.

    Raises NotReadyError where history or outcomes do not suffice.
    """
    chosen = settings.send_hour
    dates = snapshot_dates(
        history,
        known_until=known_until,
        horizon=timedelta(days=chosen.horizon_days),
        every=timedelta(days=chosen.every_days),
        train=chosen.train_snapshots,
        test=1,
    )
    source = Source(history, customers, known_until, chosen, feature_settings)
    evidence = evidence_in(source, dates.train)
    train, test = cases_at(source, (dates.train, dates.test), evidence=evidence)
    _refuse_one_answer(train, "training", settings)
    _refuse_one_answer(test, "test", settings)
    habits = _learnt(train, evidence, settings)
    return lambda chosen: _fitted(
        train, test, habits, settings=chosen, feature_settings=feature_settings, origin=about
    )


train_send_hour = trainer(prepare_send_hour)


def _fitted(
    train: Cases,
    test: Cases,
    habits: _Habits,
    *,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from `train`, judged by `test`, whose moments come after it."""
    model = _model(habits, settings)
    judged = judged_by(model, train, test, settings=settings)
    about = described(
        origin,
        judged.report,
        settings=settings.send_hour.model_dump(mode="json"),
        # Each segment has hours of its own, so that where segments end matters here too.
        feature_settings=feature_settings.model_dump(mode="json"),
        meanings=MEANINGS,
    )
    return Trained(
        model=replace(model, about={**about, **model.about}),
        report=judged.report,
        examples=judged.examples,
        golden=judged.golden,
        figures=judged.figures,
    )


@dataclass(frozen=True, eq=False)
class _Habits:
    """Slots as numbers, the regression of them, and the tables of the model: all but its trees."""

    rows: _Rows
    coefficients: Floats
    tables: Mapping[str, pl.DataFrame]
    evidence: Evidence


def _learnt(train: Cases, evidence: Evidence, settings: TrainingSettings) -> _Habits:
    chosen = settings.send_hour
    segments = train.people.get_column("segment")
    some = _newest(train, MOST_FITTED)
    shrinkage, kinds = fit_shrinkage(
        train.acts[some], segments[some], train.following[some], kinds=chosen.kinds,
        seed=chosen.seed,
    )  # fmt: skip
    rows = _Rows(train, kinds, shrinkage)
    coefficients, exponent, low, error = rows.logistic(evidence)
    tables = {
        "shrinkage": pl.DataFrame([asdict(shrinkage)]),
        **kinds.to_tables(),
        "logistic": pl.DataFrame({"input": [*LOGISTIC, ""], "coefficient": coefficients}),
        "pull": pl.DataFrame(
            {"exponent": [exponent], "low": [low], "error": [error]},
            schema={"exponent": pl.Float64, "low": pl.Float64, "error": pl.Float64},
        ),
    }
    return _Habits(rows, coefficients, tables, evidence)


def _model(habits: _Habits, settings: TrainingSettings) -> Model:
    booster = habits.rows.trees(habits.coefficients, settings)
    return Model(
        name=NAME,
        version=UNRECORDED,
        inputs=booster.inputs,
        booster=booster,
        tables=habits.tables,
        about={"evidence": habits.evidence},
    )


class _Rows:
    """The slots whose answers are known, as numbers."""

    def __init__(self, cases: Cases, kinds: Kinds, shrinkage: Shrinkage) -> None:
        seen, people = cases.seen, cases.people
        habits = habits_in(cases.acts, people.get_column("segment"), kinds, shrinkage)
        self.inputs = slot_inputs(habits, kinds.everyone)[_place(seen)]
        self.seen, self.people = seen, people
        self.yes, self.no = (seen[name].cast(pl.Float64).to_numpy() for name in ("yes", "no"))
        row = seen["row"].cast(pl.Int64).to_numpy()
        self.customers = people["customer_id"].rank("dense").cast(pl.Int64).to_numpy()[row] - 1
        self.dates = people["as_of"].to_physical().to_numpy()[row]
        self.emails, self.offset = np.zeros(seen.height, dtype=np.int64), np.zeros(seen.height)
        if "email" in seen.columns:
            self.emails = seen["email"].rank("dense").cast(pl.Int64).to_numpy() - 1
            self.offset = email_log_odds(seen, seen)

    def logistic(
        self, evidence: Evidence
    ) -> tuple[Floats, float | None, float | None, float | None]:
        """The coefficients; of clicks also the exponent of presence, its lower end and its error.

        The exponent is learnt beside the readiness of everybody to click at all; the rest of the
        coefficients then without it, since what a mail's chance is made of is not known of others.
        """
        columns = self.inputs[:, [INPUTS.index(name) for name in LOGISTIC]]
        nothing = np.zeros(len(columns))
        if evidence == "activity":
            found = self._fitted(columns, nothing)
            return found.coefficients, None, None, None
        expected = click_rates(self.seen, self.seen, by_hour=False)
        ready = readiness(self.seen, self.people, expected)
        found = self._fitted(np.column_stack([columns, ready]), nothing)
        share = LOGISTIC.index("share")
        exponent = max(0.0, float(found.coefficients[share]))
        spread = float(np.sqrt(found.covariance[share, share]))
        low = max(0.0, exponent - STEPS_BELOW * spread)
        presence = exponent * columns[:, share]
        others = fit_logistic(
            np.delete(columns, share, axis=1), self.yes, self.no, np.zeros_like(self.emails),
            self.customers, offset=self.offset + presence,
        )  # fmt: skip
        return np.insert(others.coefficients, share, exponent), exponent, low, spread

    def _fitted(self, inputs: Floats, offset: Floats) -> Logistic:
        return fit_logistic(inputs, self.yes, self.no, self.emails, self.customers, offset=offset)

    def trees(self, coefficients: Floats, settings: TrainingSettings) -> Booster:
        """What the regression leaves over; a stump that says nothing where trees do not pay.

        Tried on the newest date, with trees grown from the others.
        """
        newest = self.dates == self.dates.max()
        offset = self.offset + log_odds(self.inputs, coefficients)
        if newest.all():
            return self._grown(offset, newest, settings, rounds=0)
        tried = self._grown(offset, ~newest, settings, rounds=settings.send_hour.rounds)
        later = self.inputs[newest]
        plain, better = offset[newest], offset[newest] + tried.raw(later)
        gain = self._losses(plain, newest) - self._losses(better, newest)
        found = intervals(
            {"gain": mean(gain)}, self.customers[newest], settings=settings.resampling
        )["gain"]
        rounds = settings.send_hour.rounds if found.low > 0 else 0
        return self._grown(offset, np.ones_like(newest), settings, rounds=rounds)

    def _losses(self, odds: Floats, which: NDArray[np.bool_]) -> Floats:
        chances = sigmoid(odds)
        ones, zeros = np.ones_like(chances), np.zeros_like(chances)
        losses: Floats = self.yes[which] * log_losses(ones, chances) + self.no[which] * log_losses(
            zeros, chances
        )
        return losses

    def _grown(
        self, offset: Floats, which: NDArray[np.bool_], settings: TrainingSettings, *, rounds: int
    ) -> Booster:
        """Trees of the rows `which`; each row with label 1 as often as yes, with 0 as often as no.

        Without rounds, one tree of one leaf.
        """
        yes, no = (np.flatnonzero(which & (times > 0)) for times in (self.yes, self.no))
        place = np.concatenate([yes, no])
        chosen = settings.send_hour
        if rounds == 0:
            chosen = chosen.model_copy(
                update={"rounds": 1, "leaves": 2, "rows_in_leaf": len(place) + 1}
            )
        return grow(
            self.inputs[place],
            np.repeat([1.0, 0.0], [len(yes), len(no)]),
            names=INPUTS,
            monotone=[int(name not in EITHER_WAY) for name in INPUTS],
            offset=offset[place],
            weights=np.concatenate([self.yes[yes], self.no[no]]),
            settings=chosen,
        )


def _newest(cases: Cases, most: int) -> NDArray[np.int64]:
    """Places of at most so many people, the newest moments first."""
    order = cases.people.select(pl.col("as_of").arg_sort(descending=True)).to_series()
    chosen: NDArray[np.int64] = np.sort(order.head(most).cast(pl.Int64).to_numpy())
    return chosen


def _place(seen: pl.DataFrame) -> NDArray[np.int64]:
    """Where the slots of `seen` stand among the rows of `slot_inputs`."""
    row, day, hour = seen.select("row", "weekend", "hour").cast(pl.Int64).to_numpy().T
    place: NDArray[np.int64] = row * SLOTS + day * HOURS + hour
    return place


def _refuse_one_answer(cases: Cases, use: str, settings: TrainingSettings) -> None:
    answers = cases.seen.select(pl.col("yes", "no").sum()).row(0) if cases.seen.height else (0, 0)
    if min(answers) == 0 or cases.next_acts.is_empty():
        raise NotReadyError(
            f"the {cases.seen.height} {use} rows of the send-hour model all say the same: nobody "
            f"acted within {settings.send_hour.horizon_days} days, or nobody clicked; choose "
            "another horizon_days or clicks_needed under [training.send_hour] in onje.toml, or "
            "bring more events in with `onje ingest`"
        )
