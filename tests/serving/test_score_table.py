from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.score_table import SCORES, score_table
from serving.scores import scores_of
from tests.serving.histories import FEATURES, NO_MAIL, NO_MODELS, customers, history, shelf
from tests.serving.shop import NEW_YORK, NOW, SHOP

ANN = "ann | order | 2026-02-01T12:00 | bread | 9"


class SendHour:
    """As much of a model as the table reads."""

    version = "7"

    def __init__(self, evidence):
        self.about = {"evidence": evidence}


@pytest.fixture(scope="module")
def found():
    spine = pl.DataFrame(
        {"customer_id": ["ann"], "as_of": [NOW]},
        schema_overrides={"as_of": pl.Datetime("us", "UTC")},
    )
    known = Knowledge(
        history(ANN), customers("ann", zone=NEW_YORK), shelf(), NO_MAIL, NO_CONDITIONS, {}
    )
    return scores_of(spine, known, NO_MODELS, settings=SHOP, feature_settings=FEATURES)


def test_the_source_of_the_hours_is_told_of_each_hour(found):
    whose = pl.when("weekend").then(pl.lit("everyone")).otherwise(pl.lit("customer"))
    table = score_table(replace(found, hours=found.hours.with_columns(source=whose)), NO_MODELS)
    assert dict(table.schema) == SCORES
    hours = pl.DataFrame(table["hours"].item().to_list())
    told = hours.group_by("weekend").agg(pl.col("source").unique()).sort("weekend").rows()
    assert told == [(False, ["customer"]), (True, ["everyone"])]


@pytest.mark.parametrize("evidence", ["clicks", "activity"])
def test_what_the_hours_were_learnt_from_is_told(found, evidence):
    models = replace(NO_MODELS, send_hour=SendHour(evidence))
    assert score_table(found, models)["hour_evidence"].item() == evidence
    assert score_table(found, NO_MODELS)["hour_evidence"].item() is None
