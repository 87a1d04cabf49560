"""Who turns deaf to e-mail, in a shop where half stop answering for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from features.build import features_as_of
from features.errors import NotReadyError
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.training.drawn import DORMANCY, RESAMPLING, history, moment, spine
from tests.training.test_churn import FEATURES, ORIGIN
from training.dormancy import train_email_dormancy
from training.gate import judge
from training.labels import email_dormant
from training.model.dormancy import score_email_dormancy
from training.settings import DormancySettings, TrainingSettings
from training.trained import Trained

START = datetime(2024, 1, 1, 8, tzinfo=UTC)
WEEKS = 30
NOW = START + timedelta(weeks=WEEKS)
NOBODY = CUSTOMERS.schema.create_empty()


@cache
def shop() -> pl.DataFrame:
    """All get a mail a week; even ones answer it one time in three, odd ones stop at some week."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(240):
        stops = WEEKS if number % 2 == 0 else random.integers(2, WEEKS)
        for week in range(WEEKS):
            sent = START + timedelta(weeks=week, hours=number % 12)
            rows.append((f"customer-{number}", "deliver", sent))
            if week < stops and random.random() < 1 / 3:
                rows.append((f"customer-{number}", "click", sent + timedelta(hours=3)))
    return HISTORY.shape(
        pl.DataFrame(rows, schema=["customer_id", "kind", "at"], orient="row")
        .with_row_index("line")
        .select(
            "customer_id",
            "kind",
            event_id=pl.col("line").cast(pl.String),
            at=pl.col("at").cast(pl.Datetime("us", "UTC")),
            known_at=pl.col("at").cast(pl.Datetime("us", "UTC")),
            channel=pl.lit("email"),
            email=pl.lit("newsletter"),
        )
    )


def train(settings: DormancySettings, told: pl.DataFrame) -> Trained:
    return train_email_dormancy(
        told,
        NOBODY,
        PRODUCTS.schema.create_empty(),
        known_until=NOW,
        settings=TrainingSettings.model_construct(resampling=RESAMPLING, dormancy=settings),
        feature_settings=FEATURES,
        about=ORIGIN,
    )


@cache
def trained() -> Trained:
    return train(DORMANCY, shop())


def people(now: datetime = NOW) -> pl.DataFrame:
    asked = pl.DataFrame({"customer_id": [f"customer-{n}" for n in range(240)]})
    found: pl.DataFrame = features_as_of(
        shop(), asked.with_columns(as_of=pl.lit(now)), NOBODY, settings=FEATURES
    )
    return found


def test_the_silent_score_above_those_who_answer() -> None:
    now = people()
    scores = score_email_dormancy(trained().model, now)
    lately = now["days_since_click"].fill_null(999)
    assert scores.name == "email_dormancy"
    assert scores.filter(lately > 60).min() > 0.5 > scores.filter(lately < 10).max()


def test_it_is_judged_beside_the_rule_and_passes_the_gate() -> None:
    report = trained().report
    assert report.baseline == "silent_60d"
    assert set(report.metrics) == {"model", "silent_60d", "base_rate"}
    assert report.gain.low > 0
    assert judge(trained().model, None, trained().examples, settings=RESAMPLING).promote
    assert "customer_id" not in trained().examples.columns


def test_who_got_no_mail_has_no_chance() -> None:
    much_later = people(NOW + timedelta(days=90))
    assert score_email_dormancy(trained().model, much_later).null_count() == 240


def test_the_label_asks_for_mail_and_for_people() -> None:
    told = history(
        """
        ann | deliver | 2024-03-01
        ann | deliver | 2024-03-08
        bob | deliver | 2024-03-01
        bob | deliver | 2024-03-08
        bob | click   | 2024-03-09
        cat | deliver | 2024-03-01
        dan | deliver | 2024-03-01
        dan | deliver | 2024-03-08
        dan | open    | 2024-03-09
        dan | click   | 2024-04-20
        eve | deliver | 2024-03-01
        eve | deliver | 2024-03-08
        eve | session | 2024-03-20
        fay | deliver | 2024-03-01
        fay | deliver | 2024-03-08
        fay | click   | 2024-03-08T09:00
        """
    ).with_columns(machine=pl.col("customer_id") == "fay")
    names = ["ann", "bob", "cat", "dan", "eve", "fay"]
    asked = spine(*((name, "2024-03-01") for name in names))

    def labels(known_until: str, least: int) -> dict[str, bool | None]:
        found = email_dormant(
            told,
            asked,
            horizon=timedelta(days=30),
            least_delivered=least,
            known_until=moment(known_until),
        )
        return dict(zip(names, found["email_dormant"], strict=True))

    # An open is no answer (machines open), nor is a machine's click, nor one after the horizon.
    assert labels("2024-05-01", 2) == {
        "ann": True, "bob": False, "cat": None, "dan": True, "eve": False, "fay": True
    }  # fmt: skip
    assert labels("2024-05-01", 1)["cat"] is True
    assert set(labels("2024-03-30", 2).values()) == {None}


@pytest.mark.parametrize(
    "changed",
    [
        {"horizon_days": 21},
        {"least_delivered": 5},
        {"every_days": 7},
        {"train_snapshots": 2},
        {"test_snapshots": 1},
    ],
)
def test_each_setting_changes_something(changed: dict[str, int]) -> None:
    settings = DORMANCY.model_copy(update=changed)
    if "least_delivered" in changed:
        # Everybody gets a mail a week: four within the horizon, and never five.
        with pytest.raises(NotReadyError, match="no row has a known outcome within 28 days"):
            train(settings, shop())
        return
    other = train(settings, shop())
    before, after = (one.report.metrics["model"]["log_loss"] for one in (trained(), other))
    assert before != after


@pytest.mark.parametrize("missing", ["deliver", "click"])
def test_what_is_missing_is_said_with_what_would_help(missing: str) -> None:
    with pytest.raises(NotReadyError, match=f"found .*\\b0 {missing[:4]}.* mail sender"):
        train(DORMANCY, shop().filter(pl.col("kind") != missing))
