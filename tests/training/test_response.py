"""The response models on shops whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from features.contacts import MEANINGS as OF_CONTACT
from features.errors import NotReadyError
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.training.drawn import RESAMPLING
from tests.training.mailed import DAY, RESPONSE, START, Shop, event
from tests.training.test_churn import FEATURES, ORIGIN
from training.losses import LOSSES
from training.model.model import Model
from training.model.response import (
    OF_CUSTOMER,
    Orders,
    answer_chances,
    bases,
    doubts,
    order_chances,
    strength_of,
)
from training.model.sales import Expected, order_figures
from training.response import Outcome, train_response
from training.response_rows import mails_sent
from training.settings import ResponseSettings, TrainingSettings
from training.trained import Trained

SELLS = Shop()
# Carts convert by themselves; a click on the reminder changes nothing.
CARTS_CONVERT = Shop(click_sells=0.0, cart_buys=0.6, carts=0.3)


@cache
def history(shop: Shop) -> pl.DataFrame:
    return shop.history(seed=3)


@cache
def trained(shop: Shop, outcome: Outcome, settings: ResponseSettings = RESPONSE) -> Trained:
    return train(history(shop), shop, outcome, settings)


def train(
    told: pl.DataFrame, shop: Shop, outcome: Outcome, settings: ResponseSettings = RESPONSE
) -> Trained:
    return train_response(
        told,
        CUSTOMERS.schema.create_empty(),
        PRODUCTS.schema.create_empty(),
        outcome=outcome,
        known_until=START + timedelta(weeks=shop.weeks),
        settings=TrainingSettings.model_construct(resampling=RESAMPLING, response=settings),
        feature_settings=FEATURES,
        about=ORIGIN,
    )


def clickers(**differs: float) -> pl.DataFrame:
    """Somebody of whom little is known, but for what differs."""
    nothing = dict.fromkeys((*OF_CUSTOMER, *OF_CONTACT), 0.0)
    return pl.DataFrame({**nothing, **differs}, schema_overrides=dict.fromkeys(nothing, pl.Float64))


def orders_of(model: Model, rows: pl.DataFrame, email: str, *, anyway: float = 0.5) -> Orders:
    expected = {email: Expected(orders_per_click=0.3, bought_anyway=anyway, discount=0.0)}
    return order_chances(model, rows, [email] * rows.height, order_figures(model, expected))


def test_what_a_click_brings_is_found() -> None:
    model = trained(SELLS, "order").model
    # Orders of one's own: in either of two weeks, 4 % each.
    brought = 0.4 * (1 - 0.04) ** 2
    low, estimate, high = trained(SELLS, "order").report.facts["brought_by_a_click"]
    assert low < brought < high and high - low < 0.2
    chances = orders_of(model, clickers(days_since_send=7.0, sends_30d=4.0), "news")
    assert chances.brings[0] == pytest.approx(brought, abs=0.12)
    assert 0.05 < chances.without[0] < 0.25  # some of them after the click on another mail


def test_a_cart_that_converts_by_itself_is_no_credit_to_its_reminder() -> None:
    told = trained(CARTS_CONVERT, "order")
    facts = told.report.facts
    assert facts["orders_after_a_click"] > 0.35  # which is what attribution would credit
    low, estimate, high = facts["brought_by_a_click"]
    assert low < 0 < high and abs(estimate) < 0.08
    chances = orders_of(told.model, clickers(cart_waiting_hours=2.0, sends_30d=4.0), "cart")
    assert chances.without[0] > 0.35
    assert 0 <= chances.brings[0] < 0.15


def test_the_merchants_bought_anyway_holds_as_far_as_the_adjustment_is_not_believed() -> None:
    settings = RESPONSE.model_copy(update={"adjusted_weight": 0.0})
    model = trained(SELLS, "order", settings).model
    rows = clickers(sends_30d=4.0)
    for anyway in (0.0, 0.5, 1.0):
        chances = orders_of(model, rows, "news", anyway=anyway)
        # A click sold .4 orders, which is more than the .3 that the merchant expects: .3 it is.
        sells = chances.brings[0] / (1 - chances.without[0])
        assert sells == pytest.approx(0.3 * (1 - anyway))


def seen(*emails: tuple[str, float, float, float, float, float]) -> Model:
    """Of each e-mail: its clicks, what one of them sells with its error, orders after them, and
    how many of these were reduced.
    """
    names = ("email", "clicks", "brought", "error", "after", "reduced")
    told = pl.DataFrame(emails, names, orient="row").with_columns(
        sells="brought", sells_error="error", organic=0.0, redeemed=0.0
    )
    orders = trained(SELLS, "order").model.tables["orders"]
    tables = {"emails": told, "orders": orders.with_columns(adjusted_weight=1.0)}
    return replace(trained(SELLS, "order").model, tables=tables)


SAID = {
    name: Expected(orders_per_click=often, bought_anyway=0.5, discount=share)
    for name, often, share in (("news", 0.2, 0.0), ("tips", 0.04, 0.0), ("offer", 0.4, 0.1))
}


def test_what_a_click_sells_is_pulled_towards_what_the_merchant_expects_of_that_email() -> None:
    # Twice what is expected of it, which is .1, and almost sure; of the others nothing was seen.
    surely = order_figures(seen(("news", 900.0, 0.2, 0.001, 0.0, 0.0)), SAID)
    times = (4 * 1 + 4 * 2) / 8  # the merchant's word and what was seen, each give or take half
    assert surely["news"].sells == pytest.approx(0.2, abs=0.001)
    assert surely["tips"].sells == pytest.approx(times * 0.02, rel=0.01)
    assert surely["offer"].sells == pytest.approx(times * 0.2, rel=0.01)
    # What nobody has seen holds no noise; what was seen often holds as much as was seen of it.
    assert surely["offer"].error == 0
    assert surely["news"].error == pytest.approx(0.001, rel=0.01)
    # One click that sold says next to nothing, and so no noise of it gets through.
    hardly = order_figures(seen(("news", 1.0, 0.9, 9.0, 0.0, 0.0)), SAID)
    assert hardly["news"].sells == pytest.approx(0.1, rel=0.01)
    assert hardly["news"].error < 0.001


@pytest.mark.parametrize("error", [0.0, 1e-12, 1e-200, math.inf])
@pytest.mark.parametrize("other", [0.0, 0.05, 1e6, math.inf])
def test_one_email_of_which_all_is_sure_or_nothing_breaks_no_figures(
    error: float, other: float
) -> None:
    emails = (("news", 900.0, 0.2, error, 0.0, 0.0), ("tips", 9.0, 0.01, other, 0.0, 0.0))
    for told in (emails, emails[:1]):
        figures = order_figures(seen(*told), SAID)
        assert all(0 <= one.sells <= 0.9 and math.isfinite(one.error) for one in figures.values())
        if error < 1:
            assert figures["news"].sells == pytest.approx(0.2, abs=0.001)


def test_who_clicks_and_would_have_ordered_uses_the_coupon_as_often_as_was_seen() -> None:
    # Of 500 orders after 1,000 clicks the click sold 200, reduced themselves; of the other 300, 60.
    shares = {
        name: one.reduced
        for name, one in order_figures(
            seen(("offer", 1000.0, 0.2, 0.01, 500.0, 260.0)), SAID
        ).items()
    }
    common = (60 + 20) / (300 + 20)
    assert shares["offer"] == pytest.approx((60 + 20 * common) / (300 + 20))
    assert shares["news"] == pytest.approx(common)
    # Before anything was seen, who clicks uses what was promised.
    assert order_figures(seen(("news", 9.0, 0.1, 0.1, 3.0, 0.0)), SAID)["offer"].reduced == 1
    # Models of before say nothing of it.
    old = seen(("offer", 1000.0, 0.2, 0.01, 500.0, 260.0))
    emails = old.tables["emails"].drop("brought", "error", "after", "reduced")
    before = order_figures(replace(old, tables={**old.tables, "emails": emails}), SAID)
    assert before["offer"].reduced == 1
    assert before["offer"].sells == pytest.approx(0.2, abs=0.001)


def test_coupons_used_without_a_click_are_counted_beside_those_used_without_a_mail() -> None:
    told = seen(("offer", 10.0, 0.1, 0.1, 3.0, 1.0), ("news", 10.0, 0.1, 0.1, 3.0, 0.0))
    is_offer = pl.when(pl.col("email") == "offer")
    emails = told.tables["emails"].with_columns(
        organic=is_offer.then(100.0).otherwise(900.0),
        redeemed=is_offer.then(30.0).otherwise(9.0),
    )
    tables = {"emails": emails, "orders": told.tables["orders"].with_columns(used=0.01)}
    figures = order_figures(replace(told, tables=tables), SAID)
    # Of offers alone, for of them something can be used.
    assert figures["offer"].redeemed == pytest.approx((30 + 20 * 0.3) / (100 + 20) - 0.01)
    assert figures["news"].redeemed == pytest.approx((9 + 20 * 0.3) / (900 + 20) - 0.01)


def test_nothing_is_ever_brought_less_than_nothing() -> None:
    random = np.random.default_rng(5)
    rows = pl.DataFrame({name: random.uniform(0, 60, 500) for name in (*OF_CUSTOMER, *OF_CONTACT)})
    for shop in (SELLS, CARTS_CONVERT):
        chances = orders_of(trained(shop, "order").model, rows, "cart")
        assert chances.brings.min() >= 0


@pytest.mark.parametrize(
    ("outcome", "sign"), [("click", -1), ("unsubscribe", 1)], ids=["clicks", "unsubscribes"]
)
@pytest.mark.parametrize("pressure", ["sends_7d", "sends_30d", "unclicked_streak"])
def test_more_pressure_never_does_good(outcome: Outcome, sign: int, pressure: str) -> None:
    model = trained(SELLS, outcome).model
    random = np.random.default_rng(7)
    for _ in range(20):
        person = {name: float(random.uniform(0, 30)) for name in (*OF_CUSTOMER, *OF_CONTACT)}
        rows = pl.concat([clickers(**{**person, pressure: float(n)}) for n in range(0, 30, 3)])
        chances = answer_chances(model, rows, ["news"] * rows.height, bases(model, {}))
        assert (np.diff(chances) * sign >= 0).all()


def test_who_clicks_is_told_from_who_does_not() -> None:
    report = trained(SELLS, "click").report
    assert report.baseline == "email_rate"
    assert report.gain.low > 0
    assert report.metrics["model"]["auc"].estimate > 0.6
    assert report.metrics["model"]["observed_to_expected"].low < 1


def test_an_email_that_was_sent_once_is_like_the_others() -> None:
    model = trained(SELLS, "click").model
    once = pl.DataFrame({"email": ["once"], "sends": [1.0], "outcomes": [1.0], "usual": [0.08]})
    emails = pl.concat([model.tables["emails"], once])
    shrinkage = model.tables["shrinkage"].with_columns(strength=pl.lit(5.0))
    told = replace(model, tables={"emails": emails, "shrinkage": shrinkage})
    middle = shrinkage.item(0, "middle")
    # One click where .08 were to be expected is 12 times as many; 5 usual ones beside it say 1.2.
    assert bases(told, {})["once"] == pytest.approx(middle + np.log(6 / 5.08))
    often = once.with_columns(sends=100.0, outcomes=100.0, usual=8.0)
    tables = {"emails": pl.concat([model.tables["emails"], often]), "shrinkage": shrinkage}
    assert bases(replace(model, tables=tables), {})["once"] > middle + 2


def test_what_nobody_has_seen_stands_as_the_merchant_puts_it_beside_the_others() -> None:
    model = trained(SELLS, "click").model
    expected = {"news": 0.05, "cart": 0.2, "new": 0.2, "newest": 0.05}
    base = bases(model, expected)
    assert base["new"] - base["newest"] == pytest.approx(np.log(0.2 / 0.8) - np.log(0.05 / 0.95))
    # All half as high: what was seen puts them in their place.
    low = bases(model, {name: rate / 2 for name, rate in expected.items()})
    assert low["newest"] == pytest.approx(base["newest"], abs=0.1)


def test_the_merchants_word_counts_as_far_as_it_told_what_was_seen() -> None:
    model = trained(SELLS, "click").model
    rates = {"good": 0.2, "usual": 0.1, "poor": 0.05, "other": 0.1}
    seen_of = {"good": (200.0, 100.0), "usual": (100.0, 100.0), "poor": (50.0, 100.0)}
    told = [
        {"email": name, "sends": 1000.0, "outcomes": outcomes, "usual": usual}
        for name, (outcomes, usual) in seen_of.items()
    ]
    once = {"email": "other", "sends": 10.0, "outcomes": 4.0, "usual": 1.0}
    tables = {
        "emails": pl.DataFrame([*told, once]),
        "shrinkage": pl.DataFrame({"middle": [float(np.log(0.1 / 0.9))], "strength": [1.0]}),
    }
    right = replace(model, tables=tables)
    wrong_rates = {"good": 0.05, "usual": 0.1, "poor": 0.2, "other": 0.1}

    def told_of(expected: dict[str, float]) -> float:
        # How many times the usual is believed of what was seen to do four times as much, once.
        found = bases(right, expected)
        return float(np.exp(found["other"] - found["usual"]))

    assert told_of(rates) < 1.1 < 1.5 < told_of(wrong_rates)
    # Of what nobody has seen, no noise; of what was, the less the more it is pulled.
    assert doubts(right, {**rates, "new": 0.1})["new"] == 0
    assert doubts(right, rates)["other"] < 0.1 < doubts(right, wrong_rates)["other"]


def test_a_few_answers_that_fit_to_anything_do_not_make_the_merchant_sure() -> None:
    model = trained(SELLS, "click").model
    shrinkage = pl.DataFrame({"middle": [float(np.log(0.1 / 0.9))], "strength": [1.0]})

    def strength(times: float) -> float:
        told = pl.DataFrame(
            [
                {"email": name, "sends": 1.0, "outcomes": times, "usual": times}
                for name in ("one", "two", "three")
            ]
        )
        few = replace(model, tables={"emails": told, "shrinkage": shrinkage})
        doubt = doubts(few, dict.fromkeys(("one", "two", "three"), 0.1))["one"]
        return float(times**0.5 / doubt - times)  # doubt = sqrt(outcomes) / (outcomes + strength)

    # All exactly as expected: one answer each leaves much open, a thousand next to nothing.
    assert strength(1.0) < 6 < 60 < strength(1000.0) < 200


def test_emails_that_do_the_same_are_not_told_apart() -> None:
    random = np.random.default_rng(11)
    usual = np.full(20, 30.0)
    alike = strength_of(random.poisson(usual).astype(np.float64), usual)
    factors = random.gamma(2.0, 0.5, 20)
    apart = strength_of(random.poisson(usual * factors).astype(np.float64), usual)
    assert alike > 50 and 0.5 < apart < 8


def test_an_answer_counts_once_it_is_due_and_belongs_to_its_mail() -> None:
    shop = replace(SELLS, customers=2, weeks=3, news_clicked=0.0, carts=0.0, lost_per_mail=0.0,
                   buys=0.0)  # fmt: skip
    told = shop.history(seed=1)
    sends = told.filter(pl.col("kind") == "send").sort("customer_id", "at")
    second = sends.row(1, named=True)
    click = {"kind": "click", "event_id": "click", "at": second["at"] + 2 * DAY}
    late = {"kind": "unsubscribe", "event_id": "late", "at": second["at"] + 4 * DAY}
    more = pl.concat(
        [told]
        + [
            sends[1:2].with_columns(
                kind=pl.lit(one["kind"]).cast(told.schema["kind"]),
                event_id=pl.lit(one["event_id"]),
                at=pl.lit(one["at"]).cast(told.schema["at"]),
                known_at=pl.lit(one["at"]).cast(told.schema["at"]),
            )
            for one in (click, late)
        ]
    )
    last = sends["at"].max()
    assert last is not None
    until = last + 6 * DAY
    mails = mails_sent(more, known_until=until, settings=RESPONSE)
    of_one = mails.filter(pl.col("customer_id") == "c0").sort("as_of")
    assert of_one["click"].to_list() == [0.0, 1.0, None]
    assert of_one["unsubscribe"].to_list() == [0.0, 1.0, None]
    before = mails_sent(more, known_until=second["at"] + 3 * DAY, settings=RESPONSE)
    assert before.filter(pl.col("customer_id") == "c0")["click"].to_list() == [0.0, None]


def test_an_answer_that_names_its_message_is_none_to_a_newer_mail() -> None:
    shop = replace(SELLS, customers=1, weeks=3, news_clicked=0.0, carts=0.0, lost_per_mail=0.0,
                   buys=0.0)  # fmt: skip
    told = shop.history(seed=1).sort("at").with_columns(message_id=pl.format("m{}", "event_id"))
    first, second = told.row(0, named=True), told.row(1, named=True)
    at = pl.lit(second["at"] + DAY).cast(told.schema["at"])
    kind = pl.lit("click").cast(told.schema["kind"])
    click = told[:1].with_columns(kind=kind, at=at, known_at=at, event_id=pl.lit("click"))
    longer = RESPONSE.model_copy(update={"click_days": 14})
    for message, clicked in ((first["message_id"], [1.0, 0.0]), (None, [0.0, 1.0])):
        named = click.with_columns(message_id=pl.lit(message, pl.String))
        mails = mails_sent(
            pl.concat([told, named]), known_until=second["at"] + 20 * DAY, settings=longer
        )
        assert mails.sort("as_of")["click"].to_list()[:2] == clicked


def test_a_machines_click_is_no_answer() -> None:
    told = history(SELLS).with_columns(machine=pl.when(pl.col("kind") == "click").then(True))
    with pytest.raises(NotReadyError, match=r"needs 10 clicks by a person .* found 0"):
        train(told, SELLS, "click")


def test_without_mails_it_says_what_would_help() -> None:
    told = history(SELLS).filter(pl.col("kind") == "order")
    outcomes: tuple[Outcome, ...] = ("click", "order", "unsubscribe")
    for outcome in outcomes:
        with pytest.raises(NotReadyError, match="found 0 send events .* `onje ingest`"):
            train(told, SELLS, outcome)


def mailed_on(*days: int) -> pl.DataFrame:
    """HISTORY of one customer who got mail on these days after START."""
    rows = [event(1, "send", START + day * DAY, email="news") for day in days]
    known = [{"event_id": str(n), "known_at": row["at"], **row} for n, row in enumerate(rows)]
    return HISTORY.shape(pl.DataFrame(known))


@pytest.mark.parametrize(
    ("outcome", "sent", "now", "wait"),
    [
        # Mailing on, on day 42 the mail of day 35 is the newest whose clicks are known; the 28 days
        # before it judge, and the clicks of day 0 were known by then.
        ("click", (0, 7, 14), 21, 21),
        ("unsubscribe", (0, 7, 14), 21, 21),
        ("order", (0, 7, 14), 28, 28),
        # No answer is due yet.
        ("click", (0, 2), 5, 37),
        ("order", (0, 2), 5, 51),
    ],
)
def test_where_all_mails_are_new_it_says_how_long_to_wait(
    outcome: Outcome, sent: tuple[int, ...], now: int, wait: int
) -> None:
    shop = replace(SELLS, weeks=now / 7)  # type: ignore[arg-type]
    with pytest.raises(NotReadyError, match=f"wait {wait} days, .* or lower test_days") as told:
        train(mailed_on(*sent), shop, outcome)
    assert f"the oldest of all {len(sent)} is of {START:%Y-%m-%d}" in str(told.value)


def test_where_an_order_follows_every_mail_the_window_is_too_long() -> None:
    keen = [
        event(number, "order", START + day * DAY)
        for number in range(SELLS.customers)
        for day in range(0, 7 * SELLS.weeks, 6)
    ]
    numbered = [{"event_id": f"keen-{n}", "known_at": e["at"], **e} for n, e in enumerate(keen)]
    told = pl.concat([history(SELLS), HISTORY.shape(pl.DataFrame(numbered))])
    with pytest.raises(NotReadyError, match="rows that were not; lower order_days") as refusal:
        train(told, SELLS, "order")
    assert "followed by an order within 14 days" in str(refusal.value)


def test_without_clicks_unsubscribes_are_learnt_all_the_same() -> None:
    told = history(SELLS).filter(pl.col("kind") != "click")
    assert train(told, SELLS, "unsubscribe").model.name == "response-unsubscribe"
    for outcome in ("click", "order"):
        with pytest.raises(NotReadyError, match="answers_needed"):
            train(told, SELLS, outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", ["click", "order", "unsubscribe"])
def test_the_gate_scores_a_model_as_its_report_did(outcome: Outcome) -> None:
    found = trained(SELLS, outcome)
    losses = LOSSES[found.model.name](found.model, found.examples)
    assert losses.mean() == pytest.approx(found.report.metrics["model"]["log_loss"].estimate)
    assert not {"customer_id", "as_of"} & set(found.examples.columns)


def test_settings_change_what_is_learnt() -> None:
    few = replace(SELLS, customers=120)

    def emails(**change: float) -> list[dict[str, float]]:
        settings = RESPONSE.model_copy(update=change)
        return trained(few, "click", settings).report.facts["emails"]

    plain = emails()
    # Answers that are due sooner are known of more mails.
    assert sum(one["sends"] for one in emails(click_days=1)) > sum(one["sends"] for one in plain)
    assert emails(test_days=56) != plain
    assert sum(one["sends"] for one in emails(examples=1000)) == 1000
    longer = RESPONSE.model_copy(update={"order_days": 28})
    facts = [trained(few, "order", some).report.facts for some in (RESPONSE, longer)]
    assert facts[0]["orders_without_it"] < facts[1]["orders_without_it"]
    with pytest.raises(NotReadyError, match="needs 100000 unsubscribes"):
        trained(few, "unsubscribe", RESPONSE.model_copy(update={"answers_needed": 100_000}))
