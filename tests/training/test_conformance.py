"""What every model has to keep, whatever it answers; a model without its entry fails here.

One shop is planted (tests/training/checkerboard.py) whose answers are known in every cell. Each
model is trained on it once and asked through serving.scores, the one road of night and service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.errors import NotReadyError
from pipelines.models import MODELS
from pipelines.retrain import trainer_of
from pipelines.settings import Settings, load_settings
from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.responses import inputs_of_arms
from serving.scores import Models, Scores, scores_of
from serving.tables import KEY, MAIL
from tests.training.checkerboard import (
    ANNOYED,
    CLICKED_AT_HOME,
    CLICKED_ELSEWHERE,
    CLICKED_IF_LIKED,
    GAPS,
    HOURS,
    LEAVE,
    MAILS,
    PRESSED,
    UNTIL,
    Shop,
    planted,
)
from training.model import folder
from training.model.model import Model
from training.model.response import (
    answer_chances,
    bases,
    order_chances,
)
from training.model.sales import Expected, order_figures
from training.trained import About, Trained

ROOT = Path(__file__).parents[2]
ORIGIN = About(
    lake_versions={}, code_version="test", trained_at=datetime(2024, 8, 1, tzinfo=UTC),
    synthetic=True,
)  # fmt: skip
# For a shop of some hundred customers and half a year; whatever else there is, is as it ships.
SMALL: Mapping[str, Mapping[str, object]] = {
    "churn": {
        "horizon_days": 28, "every_days": 7, "train_snapshots": 8, "test_snapshots": 3,
        "rounds": 120, "learning_rate": 0.1, "rows_in_leaf": 20, "shrinkage": 0.5,
    },
    "dormancy": {
        "horizon_days": 28, "every_days": 14, "train_snapshots": 4, "test_snapshots": 2,
        "rows_in_leaf": 20,
    },
    "dormancy_date": {
        "dormant_days": 28, "weeks": 12, "test_weeks": 6, "every_days": 7, "train_snapshots": 10,
        "rows_in_leaf": 20,
    },
    "send_hour": {
        "train_snapshots": 3, "clicks_needed": 500, "rows_in_leaf": 200, "examples": 100_000,
    },
    "affinity": {
        "horizon_days": 21, "every_days": 14, "train_snapshots": 4, "rows_in_leaf": 20,
        "rounds": 60,
    },
    "response": {"answers_needed": 20, "rows_in_leaf": 50, "learning_rate": 0.1},
    "resampling": {"replicates": 200},
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """How a model of that name is asked, and what is known of the planted shop.

    `said` are its scores, KEY and more. `cells` tells people (with their truth, at UNTIL)
    apart: a column `cell` and what is `expected` there; `found` is what the model says. `off` is
    how far the mean of a cell may be from the truth.
    """

    said: Callable[[Scores, Model], pl.DataFrame]
    cells: Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], pl.DataFrame]
    off: float
    # Who a model has nothing to say of: somebody who never ordered has no date, who got no mail
    # cannot ignore it. They get a null, not a guess.
    silent_of: Literal["nobody", "unmailed"] | None = None


def leaving_cells(
    found: str,
) -> Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    """Who is silent for longer than their gap has left; of the others nobody can know more."""

    def cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
        left = pl.col("silent") > pl.col("gap")
        return (
            said.join(people, on="customer_id")
            .join(orders, on="customer_id")
            .select(
                cell=pl.format("{} {}", "gap", left),
                expected=pl.when(left).then(1.0).otherwise(LEAVE),
                found=found,
            )
        )

    return cells


def hour_cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """The likeliest of the two hours is that of the clock: 1 where it was found."""
    both = said.filter(pl.col("hour").is_in(HOURS)).join(people, on="customer_id")
    awake = pl.when(pl.col("weekend") != (pl.col("clock") == 1)).then(HOURS[1]).otherwise(HOURS[0])
    return (
        both.with_columns(is_home=pl.col("hour") == awake)
        .group_by("customer_id", "clock", "weekend")
        .agg(
            home=pl.col("probability").filter("is_home").first(),
            away=pl.col("probability").filter(~pl.col("is_home")).first(),
        )
        .select(
            cell=pl.format("{} {}", "clock", "weekend"),
            expected=pl.lit(1.0),
            found=(pl.col("home") > 1.5 * pl.col("away")).cast(pl.Float64),
        )
    )


def item_cells(share: float) -> Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    """Their own taste or nothing; of who is not overdue, all but LEAVE order within 21 days.

    `share`: of these, how many order the very item at least once, for a gap of 21 days.
    """

    def cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
        left = pl.col("silent") > pl.col("gap")
        is_own = pl.col("item").str.starts_with(pl.col("taste"))
        return (
            said.join(people, on="customer_id")
            .join(orders, on="customer_id")
            .filter(pl.col("gap") == 21)
            .select(
                cell=pl.format("{} {} {}", "taste", is_own, left),
                expected=pl.when(is_own & ~left).then((1 - LEAVE) * share).otherwise(0.0),
                found="probability",
            )
        )

    return cells


def of_mails(scores: Scores, model: Model) -> pl.DataFrame:
    """What is said of each mail that there is, to everybody; of orders, without a click."""
    people = scores.people.with_row_index("person")
    mails = people.select("person", *KEY).join(pl.DataFrame({"email": MAILS}), how="cross")
    emails = mails["email"].to_list()
    rows = inputs_of_arms(mails, people, scores.contacts)
    if model.name == "response-order":
        figures = dict.fromkeys(MAILS, Expected(0.1, bought_anyway=0.5, discount=0.0))
        chances = order_chances(model, rows, emails, order_figures(model, figures)).without
    else:
        chances = answer_chances(model, rows, emails, bases(model, {}))
    return mails.select(*KEY, item="email").with_columns(probability=pl.Series(chances))


def click_cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """By the kind of mail that they like; at which of 14 hours it comes is not asked."""
    liked = pl.col("item") == pl.col("mail")
    at_home = (CLICKED_AT_HOME + 13 * CLICKED_IF_LIKED) / 14
    # Who has left was mailed no more: what they would click nobody has seen.
    return (
        said.join(people, on="customer_id")
        .join(orders, on="customer_id")
        .filter(pl.col("silent") <= pl.col("gap"))
        .select(
            cell=pl.format("{} {}", "mail", "item"),
            expected=pl.when(liked).then(at_home).otherwise(CLICKED_ELSEWHERE),
            found="probability",
        )
    )


def order_cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Within 14 days: of the quick all who have not left, of the slow two thirds of them."""
    left = pl.col("silent") > pl.col("gap")
    share = pl.when(pl.col("gap") == GAPS[0]).then(1.0).otherwise(14 / GAPS[1])
    return (
        said.join(people, on="customer_id")
        .join(orders, on="customer_id")
        .select(
            cell=pl.format("{} {}", "gap", left),
            expected=pl.when(left).then(0.0).otherwise((1 - LEAVE) * share),
            found="probability",
        )
    )


def lost_cells(said: pl.DataFrame, people: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """Only who had many mails of late is lost to one more."""
    mails = of_kind(True).history.filter(pl.col("kind") == "send")
    lately = (UNTIL - pl.col("at")) <= timedelta(days=7)
    had = mails.group_by("customer_id").agg(had=lately.sum())
    pressed = pl.col("had") >= PRESSED
    return said.join(had, on="customer_id").select(
        cell=pl.format("{} {}", "item", pressed),
        expected=pl.when(pressed).then(ANNOYED).otherwise(0.0),
        found="probability",
    )


ENTRIES: Mapping[str, Entry] = {
    "churn": Entry(
        lambda scores, _: scores.people.select(*KEY, "churn"),
        leaving_cells("churn"),
        0.06,
        silent_of="nobody",
    ),
    "email-dormancy": Entry(
        lambda scores, _: scores.people.select(*KEY, "email_dormancy"),
        leaving_cells("email_dormancy"),
        0.12,
        silent_of="unmailed",
    ),
    "dormancy-date": Entry(
        lambda scores, _: scores.people.select(
            *KEY, "dormant_on", soon_dormancy=pl.col("dormant_within_30d")
        ),
        leaving_cells("soon_dormancy"),
        0.06,
        silent_of="nobody",
    ),
    "send-hour": Entry(lambda scores, _: scores.hours, hour_cells, 0.1),
    "affinity-category": Entry(lambda scores, _: scores.categories, item_cells(1.0), 0.1),
    "affinity-product": Entry(lambda scores, _: scores.products, item_cells(0.5), 0.2),
    "response-click": Entry(of_mails, click_cells, 0.1),
    "response-order": Entry(of_mails, order_cells, 0.15),
    "response-unsubscribe": Entry(of_mails, lost_cells, 0.03),
}
every_model = pytest.mark.parametrize("name", MODELS)


def test_every_model_has_its_entry() -> None:
    assert set(ENTRIES) == set(MODELS), "a new model is asked here, too: give it an Entry"


@cache
def settings() -> Settings:
    shipped = load_settings(ROOT / "onje.toml", patches=[])
    changed = {
        table: getattr(shipped.training, table).model_copy(update=values)
        for table, values in SMALL.items()
    }
    features = shipped.features.model_copy(update={"default_timezone": "UTC"})
    return shipped.model_copy(
        update={"training": shipped.training.model_copy(update=changed), "features": features}
    )


@cache
def shop(name: str) -> Shop:
    """That of the model; what mail does in itself is planted only where that is to be learnt."""
    return of_kind(name.startswith("response"))


@cache
def of_kind(matters: bool) -> Shop:
    return planted(480, seed=1, matters=matters)


def trained_on(name: str, given: Shop) -> Trained:
    return trainer_of(name)(
        given.history, given.customers, given.products, known_until=UNTIL,
        settings=settings().training, feature_settings=settings().features, about=ORIGIN,
    )  # fmt: skip


@cache
def trained(name: str) -> Trained:
    return trained_on(name, shop(name))


def alone(model: Model) -> Models:
    """This model and no other."""
    field = model.name.replace("-", "_")
    return replace(NO_MODELS, **{field: model})


def spine(*names: str) -> pl.DataFrame:
    whose = names or of_kind(False).people["customer_id"].to_list()
    return pl.DataFrame(
        {"customer_id": list(whose), "as_of": [UNTIL] * len(whose)},
        schema={"customer_id": pl.String, "as_of": pl.Datetime("us", "UTC")},
    )


def said(model: Model, asked: pl.DataFrame, given: Shop) -> pl.DataFrame:
    knowledge = Knowledge(
        history=given.history,
        customers=given.customers,
        products=given.products,
        mail=pl.DataFrame(schema=MAIL),
        conditions=NO_CONDITIONS,
        lake_versions={},
    )
    scores = scores_of(
        asked, knowledge, alone(model), settings=settings().serving,
        feature_settings=settings().features,
    )  # fmt: skip
    return ENTRIES[model.name].said(scores, model)


def sure(frame: pl.DataFrame) -> None:
    """No score is unknown, no probability is none."""
    numbers = frame.select(pl.col("^(churn|probability|.*dormancy)$"))
    assert numbers.width
    for column in numbers:
        assert column.is_finite().all() and column.null_count() == 0
        assert column.is_between(0, 1).all()


def same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Bit by bit, in whatever order."""
    order = [name for name in (*KEY, "weekend", "hour", "item") if name in found.columns]
    assert_frame_equal(found.sort(order), expected.sort(order), check_exact=True)


def shuffled(given: Shop) -> Shop:
    """Rows in another order, columns too, and one column more than anybody asked for."""
    frames = {}
    for name in ("history", "customers", "products"):
        frame = getattr(given, name).sample(fraction=1, shuffle=True, seed=7)
        frames[name] = frame.select(reversed(frame.columns)).with_columns(extra=pl.lit("?"))
    return Shop(**frames, people=given.people)


@every_model
def test_the_order_of_rows_and_columns_means_nothing(name: str) -> None:
    model = trained(name).model
    asked = spine().sample(fraction=1, shuffle=True, seed=3)
    same(said(model, asked, shuffled(shop(name))), said(model, spine(), shop(name)))


@every_model
def test_the_same_seed_gives_the_same_bytes_from_shuffled_tables(name: str, tmp_path: Path) -> None:
    given = shuffled(shop(name))
    tables = ("history", "customers", "products")
    bare = Shop(**{t: getattr(given, t).drop("extra") for t in tables}, people=given.people)
    for place, one in (("first", trained(name)), ("again", trained_on(name, bare))):
        folder.save(one.model, one.golden, tmp_path / place)
    first, again = (
        {
            file.relative_to(tmp_path / place): file.read_bytes()
            for file in (tmp_path / place).rglob("*")
            if file.is_file()
        }
        for place in ("first", "again")
    )
    assert first == again


@every_model
def test_a_model_is_the_same_after_it_was_saved(name: str, tmp_path: Path) -> None:
    one = trained(name)
    folder.save(one.model, one.golden, tmp_path / "1")
    back = folder.load(tmp_path / "1")
    same(said(back, spine(), shop(name)), said(one.model, spine(), shop(name)))


@every_model
def test_a_customer_alone_gets_what_they_get_in_the_crowd(name: str) -> None:
    model = trained(name).model
    crowd = said(model, spine(), shop(name))
    for customer in shop(name).people["customer_id"][::60]:
        theirs = Shop(
            shop(name).history.filter(pl.col("customer_id") == customer),
            shop(name).customers.filter(pl.col("customer_id") == customer),
            shop(name).products, shop(name).people,
        )  # fmt: skip
        found = said(model, spine(customer), theirs)
        same(found, crowd.filter(pl.col("customer_id") == customer))


@every_model
def test_other_inputs_than_those_learnt_from_are_refused_by_name(name: str) -> None:
    model, golden = trained(name).model, trained(name).golden
    first, *_, last = model.inputs
    for other, word in (
        (golden.drop(first), f"missing: {first}"),
        (golden.with_columns(more=1.0), "extra: more"),
        (golden.select(reversed(golden.columns)), f"found: {last}"),
        (golden.with_columns(pl.col(first).cast(pl.Float32)), rf"not Float64: {first}"),
    ):
        with pytest.raises(NotReadyError, match=word):
            model.raw(other)


@every_model
def test_somebody_of_whom_nothing_is_known_gets_a_score(name: str) -> None:
    found = said(trained(name).model, spine("nobody", "c0001"), shop(name))
    is_nobody = pl.col("customer_id") == "nobody"
    if ENTRIES[name].silent_of:
        unsaid = found.filter(is_nobody).drop(KEY)
        assert unsaid.height == 1 and not unsaid.drop_nulls().height
        sure(found.filter(~is_nobody))
    else:
        sure(found)
    assert set(found["customer_id"]) == {"nobody", "c0001"}


@every_model
def test_what_was_never_seen_in_training_does_no_harm(name: str) -> None:
    theirs = pl.col("customer_id") == "c0001"
    strange = pl.lit("never seen")
    columns = ("category", "product_id", "email", "link")
    odd = shop(name).history.with_columns(
        pl.when(theirs & pl.col(column).is_not_null()).then(strange).otherwise(column).alias(column)
        for column in columns
    )
    other = shop(name).customers.with_columns(
        locale=pl.lit("xx"), country=pl.lit("ZZ"), timezone=pl.lit("Mars/Olympus")
    )
    given = Shop(odd, other, shop(name).products, shop(name).people)
    sure(said(trained(name).model, spine("c0001"), given))


def cells_of(name: str) -> pl.DataFrame:
    newest = shop(name).history.filter(pl.col("kind") == "order").group_by("customer_id")
    day = timedelta(days=1).total_seconds()
    orders = newest.agg(silent=(UNTIL - pl.col("at").max()).dt.total_seconds() / day)
    found = said(trained(name).model, spine(), shop(name))
    if ENTRIES[name].silent_of == "unmailed":
        found = found.drop_nulls("email_dormancy")
        assert found.height > spine().height / 2
    sure(found)
    return (
        ENTRIES[name]
        .cells(found, shop(name).people, orders)
        .group_by("cell")
        .agg(pl.len(), pl.col("expected", "found").mean())
        .filter(pl.col("len") >= 10)
    )


@every_model
def test_the_planted_answers_come_out_and_are_calibrated(name: str) -> None:
    cells = cells_of(name)
    assert cells.height >= 4
    off = (cells["expected"] - cells["found"]).abs()
    assert off.max() <= ENTRIES[name].off, cells


@every_model
def test_a_report_has_the_trivial_baseline_and_beats_it(name: str) -> None:
    report = trained(name).report
    assert report.baseline in report.metrics
    assert {"model", report.baseline} <= report.metrics.keys()
    assert report.gain.low > 0
    assert trained(name).model.about["gain"] == report.gain.as_list()


@every_model
def test_nothing_that_leaves_with_a_model_names_a_customer(name: str) -> None:
    one, names = trained(name), set(shop(name).people["customer_id"])
    for frame in (one.examples, one.golden, *one.model.tables.values()):
        for column in frame.select(pl.selectors.string()):
            assert not names & set(column)


def test_hours_degrade_from_the_customer_to_the_segment_to_everyone() -> None:
    """The less is known of somebody the more others speak for them; the three sum to 1."""
    busiest = shop("send-hour").history["customer_id"].mode().sort()[0]
    found = said(trained("send-hour").model, spine("nobody", busiest), shop("send-hour"))
    speaks = found.select("customer", "segment", "everyone")
    assert (speaks.sum_horizontal() - 1).abs().max() < 1e-9
    own = dict(found.group_by("customer_id").agg(pl.col("customer").mean()).rows())
    assert own["nobody"] < 1e-9 and own[busiest] > 0.1
    stranger = found.filter(pl.col("customer_id") == "nobody")
    assert set(stranger["source"]) <= {"segment", "everyone"}


@pytest.mark.parametrize("name", ["affinity-category", "affinity-product"])
def test_lists_degrade_from_own_items_to_what_is_popular(name: str) -> None:
    found = said(trained(name).model, spine("nobody", "c0001"), shop(name))
    first = dict(found.filter(pl.col("rank") == 1).select("customer_id", "own").rows())
    assert first == {"nobody": False, "c0001": True}
