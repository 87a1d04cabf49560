"""What an hour is worth beyond the usual one, where the right answer is known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from tests.training.hours import EVEN, acts_at, by_hand
from training.evaluate import Floats
from training.model.hours import Usual, score_hours
from training.model.model import Model

NOW = datetime(2026, 3, 2, tzinfo=UTC)
USUAL = Usual(hour=10, pull=0.5, certainty=0.9)


def somebody(segment: str = "loyal") -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": ["ann"], "as_of": [NOW], "segment": [segment]},
        schema_overrides={"as_of": pl.Datetime("us", "UTC")},
    )


def scored(
    model: Model, *acts: tuple[int, float], usual: Usual = USUAL, segment: str = "loyal"
) -> pl.DataFrame:
    """Weekdays of somebody who did so."""
    hours = acts_at(*(acts or ((0, 0.0),)), customer="ann", as_of=NOW)
    return score_hours(model, hours, somebody(segment), usual).filter(~pl.col("weekend"))


def peaked(hour: int) -> Floats:
    shares = np.full((2, 24), 1.0)
    shares[:, hour] = 9.0
    return (shares / shares.sum(axis=-1, keepdims=True))[None]


def test_twice_as_often_about_means_two_to_the_power_of_the_pull() -> None:
    # 8 acts of the prior, a third each hour; and 1/3 more at 18.
    found = scored(by_hand(), (18, 1 / 3), usual=Usual(hour=10, pull=0.5, certainty=0.5))
    assert found["lift"][18] == pytest.approx(2**0.5, rel=0.01)
    assert found["lift"][10] == found["lift_low"][10] == 1


def test_the_lower_bound_rises_with_evidence_and_only_then_an_hour_counts() -> None:
    lows, lifts = [], []
    for times in (0.2, 1, 4, 16):
        found = scored(by_hand(), (18, float(times)))
        lows.append(found["lift_low"][18])
        lifts.append(found["lift"][18])
    assert lifts[0] == lows[0] == 1  # likelier than not, and not sure
    assert 1 < lows[2] < lows[3]
    assert all(low <= lift for low, lift in zip(lows, lifts, strict=True))


def test_who_is_unsure_gets_the_segments_hour_and_where_that_is_unsure_none() -> None:
    many = scored(by_hand(shares=peaked(18)))
    assert many["lift"][18] == pytest.approx(3, rel=0.01)  # nine times as often, to the power 1/2
    assert many["source"][18] == "segment"
    stranger = scored(by_hand(shares=peaked(18)), segment="prospect")
    assert stranger["source"][18] == "everyone"
    nobody = scored(by_hand(shares=peaked(18), heard=0.0))
    assert nobody["lift"].max() == 1


def test_clicks_that_do_not_follow_presence_move_nobody() -> None:
    for exponent, low in ((0.0, 0.0), (0.3, 0.0)):
        found = scored(by_hand(shares=peaked(18), exponent=exponent, low=low), (18, 50.0))
        assert found["lift"].max() == 1
    sure = scored(by_hand(shares=peaked(18), exponent=0.3, low=0.1), (18, 50.0))
    assert sure["lift"][18] > sure["lift_low"][18] > 1


def test_what_is_learnt_from_clicks_overrules_the_merchants_word() -> None:
    found = scored(by_hand(exponent=1.0, low=0.9), (18, 20.0))
    assert found["lift"][18] == pytest.approx((20 + 1 / 3) * 3, rel=0.01)


def test_clicks_and_the_merchants_word_are_weighed_by_how_sure_each_is() -> None:
    def lift_at_18(error: float, pull: float) -> float:
        told = by_hand(exponent=0.1, low=0.0, error=error)
        found = scored(told, (18, 20.0), usual=Usual(hour=10, pull=pull, certainty=0.9))
        return float(found["lift"][18])

    more = (20 + 1 / 3) * 3  # as often about at 18 as at 10
    # The word, .2 give or take .1, beside what clicks told, .1 give or take as much: .15 +- .07.
    assert lift_at_18(error=0.1, pull=0.2) == pytest.approx(more**0.15, rel=0.01)
    assert lift_at_18(error=0.05, pull=0.2) == pytest.approx(more**0.12, rel=0.01)
    # Neither is sure enough alone, nor are the two of them where clicks tell next to nothing.
    assert lift_at_18(error=0.1, pull=0.0) == 1
    assert lift_at_18(error=10.0, pull=0.2) == 1


def test_whose_evidence_it_is_adds_up_and_becomes_the_customers_with_acts() -> None:
    own = []
    for times in (0.0, 4.0, 40.0):
        found = scored(by_hand(), (18, times)).row(0, named=True)
        assert found["customer"] + found["segment"] + found["everyone"] == pytest.approx(1)
        own.append(found["customer"])
    assert own == pytest.approx([0, 4 / 12, 40 / 48])
    assert scored(by_hand())["source"].unique().to_list() == ["segment"]
    # 1,000 customers of the segment beside the weight of 64.
    assert scored(by_hand())["segment"][0] == pytest.approx(1000 / 1064)


def test_acts_tell_which_kind_of_people_somebody_is_of() -> None:
    kinds = np.concatenate([peaked(8), peaked(20)])
    found = scored(by_hand(shares=kinds, weight=1_000.0), (20, 4.0))
    # The prior is too heavy for four acts to move; but they say "of the late kind".
    assert found["probability"][20] > 5 * found["probability"][8]
    assert found["customer"][0] > 0.4


def test_an_hour_that_mails_nearly_always_covered_is_not_thought_empty() -> None:
    seen = acts_at((9, 2.0), (18, 2.0), customer="ann", as_of=NOW)
    covered = seen.with_columns(echo=pl.when(pl.col("hour") == 9).then(0.5).otherwise(0.0))
    found = score_hours(by_hand(), covered, somebody(), USUAL).filter(~pl.col("weekend"))
    # Half of the days of 9:00 were looked at, and it was done as often as at 18:00.
    ratio = (4 + 1 / 3) / (2 + 1 / 3)
    odds = (found["probability"] / (1 - found["probability"])).to_list()
    assert odds[9] / odds[18] == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize("shares", [EVEN, np.concatenate([peaked(8), peaked(20)])])
def test_nothing_known_at_all_is_no_error(shares: Floats) -> None:
    found = scored(by_hand(shares=shares))
    assert found.height == 24
    assert found["lift"].is_finite().all()
