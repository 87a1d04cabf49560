"""From histories to answers, without any model: events in, one decision per question out."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.errors import DataError
from serving.answer import answer
from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.tables import DECISIONS, MAIL
from serving.valuation import OWN
from tests.serving.drawn import moment
from tests.serving.histories import (
    FEATURES,
    NO_MAIL,
    NO_MODELS,
    answers,
    customers,
    history,
    requests,
    shelf,
)
from tests.serving.shop import HOUR, NEW_YORK, NOW, SHOP

ANN = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-01-20T15:00 | bread | 12
    ann | order   | 2026-01-20T15:00 | milk  | 3
    ann | order   | 2026-02-11T15:00 | bread | 12
    ann | order   | 2026-03-01T15:00 | soap  | 3
"""
CART = ANN + "ann | cart_add | 2026-03-03T14:00 | bun"
SILENT = """
    {name} | consent | 2025-01-01T00:00 | granted
    {name} | order   | 2025-11-20T15:00 | bread | 12
    {name} | order   | 2025-12-20T15:00 | soap  | 5
"""


def because(answer: pl.DataFrame) -> dict[str, str]:
    return {reason["code"]: reason["text"] for reason in answer["because"].item()}


def test_an_event_posted_now_changes_the_next_decision():
    before = answers(ANN, "ann")
    after = answers(CART, "ann")
    assert before["action"].item() == "wait"
    assert after["email"].item() == "cart_reminder"
    assert after["products"].item().to_list() == ["bun"]
    assert because(after)["applies"] == "a cart of 1 product has waited for 2 hours"


def test_a_cart_shows_what_lies_in_it_now():
    taken_out = (
        CART
        + """
        ann | cart_add    | 2026-03-03T14:10 | soap
        ann | cart_add    | 2026-03-03T14:20 | cheese
        ann | cart_remove | 2026-03-03T14:30 | bun
    """
    )
    assert answers(taken_out, "ann")["products"].item().to_list() == ["soap"]  # cheese is sold out
    ordered = CART + "\nann | order | 2026-03-03T15:00 | bun | 2"
    assert answers(ordered, "ann")["action"].item() == "wait"


def test_the_cart_that_is_counted_is_the_cart_that_is_shown():
    drawn = """
        ann | cart_remove | 2026-03-03T14:20 | milk
        ann | cart_add    | 2026-03-03T14:20 | milk
        ann | cart_add    | 2026-03-03T14:20 | soap
    """
    got = answers(CART + drawn, "ann")
    assert because(got)["applies"].startswith("a cart of 2 products")
    assert got["products"].item().to_list() == ["soap", "bun"]


def test_a_cart_forgotten_a_month_ago_is_not_counted_nor_shown():
    old = "\n ann | cart_add | 2026-02-15T14:00 | milk\n"
    forgotten = SILENT.format(name="ann") + "ann | cart_add | 2026-01-30T14:00 | soap" + old
    both = answers(forgotten + "ann | cart_add | 2026-03-03T14:00 | bun", "ann")
    assert because(both)["applies"] == "a cart of 2 products has waited for 2 hours"
    assert both["products"].item().to_list() == ["bun", "milk"]


def test_only_what_was_known_is_read():
    assert answers(CART, "ann", now=moment("2026-03-03T14:00"))["action"].item() == "wait"
    # A cart told late: it had been filled by then, but nobody knew; nor what else lies in it.
    is_told_late = (pl.col("kind") == "cart_add") & (pl.col("product_id") == "soap")
    late = history(CART + "\nann | cart_add | 2026-03-03T14:10 | soap").with_columns(
        known_at=pl.when(is_told_late).then(pl.lit(NOW + HOUR)).otherwise("known_at")
    )
    known = Knowledge(late, customers("ann", zone=NEW_YORK), shelf(), NO_MAIL, NO_CONDITIONS, {})
    got = answer(
        requests("ann"), known, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN
    )
    assert got["products"].item().to_list() == ["bun"]


def test_a_review_is_asked_for_what_the_newest_order_held():
    answer = answers(ANN, "ann", emails=["review_request"])
    assert answer["products"].item().to_list() == ["soap"]


def test_what_was_bought_lately_is_not_offered_again_unless_it_is_due():
    bought = """
        ann | consent | 2025-01-01T00:00 | granted
        ann | order   | 2026-02-28T15:00 | bread | 12
        ann | order   | 2026-02-22T15:00 | milk  | 12
        ann | order   | 2026-02-25T15:00 | milk  | 12
        ann | order   | 2026-02-28T15:00 | milk  | 12
    """
    answer = answers(bought, "ann", emails=["recommendation"])
    # Milk every three days is due again; bread is not; kefir is to be released, cheese sold out.
    assert answer["products"].item().to_list() == ["milk", "soap", "bun"]


def test_an_email_about_a_category_shows_that_category():
    answer = answers(ANN, "ann", emails=["coupon_by_category"])
    assert answer["products"].item().to_list() == ["bread", "bun"]
    slots = answer["slots"].item()
    told = ("category", "interest", "coupon", "discount", "tone")
    assert {name: slots[name] for name in told} == {
        "category": "BAKERY > BREAD", "interest": "BAKERY > BREAD", "coupon": "category",
        "discount": 0.05, "tone": "lively",
    }  # fmt: skip


def test_sends_of_the_history_and_reservations_count_in_the_caps():
    sent = CART + "\nann | send | 2026-03-03T15:30 | newsletter"
    assert "cap_24h" in because(answers(sent, "ann"))
    promised = pl.DataFrame([("ann", "another", "x", NOW + HOUR)], schema=MAIL, orient="row")
    assert "cap_24h" in because(answers(CART, "ann", mail=promised))


@pytest.mark.parametrize(("channel", "counts"), [("other", True), ("web", True), ("push", False)])
def test_a_send_counts_in_the_caps_unless_it_is_plainly_no_email(channel, counts):
    sent = history(CART + "\nann | send | 2026-03-03T15:30 | newsletter").with_columns(
        channel=pl.when(pl.col("kind") == "send").then(pl.lit(channel)).otherwise("channel")
    )
    known = Knowledge(sent, customers("ann", zone=NEW_YORK), shelf(), NO_MAIL, NO_CONDITIONS, {})
    got = answer(
        requests("ann"), known, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN
    )
    assert ("cap_24h" in because(got)) == counts


@pytest.mark.parametrize(("decision_id", "action"), [("d ann", "send"), ("another", "wait")])
def test_a_decision_does_not_stand_in_its_own_way(decision_id, action):
    mail = pl.DataFrame([("ann", decision_id, "x", NOW)], schema=MAIL, orient="row")
    assert answers(CART, "ann", mail=mail)["action"].item() == action


def test_a_send_told_twice_is_one_send():
    sent = history(ANN + "\nann | send | 2026-02-27T12:00 | newsletter")
    known = Knowledge(
        pl.concat([sent] * 4), customers("ann", zone=NEW_YORK), shelf(), NO_MAIL, NO_CONDITIONS, {}
    )
    asked = requests("ann", emails=["recommendation"])
    got = answer(asked, known, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN)
    assert got["action"].item() == "send"


def test_who_is_known_only_as_a_person_is_no_stranger():
    got = answers(ANN, "nobody")
    assert (got["action"].item(), got["known_customer"].item()) == ("wait", True)
    assert got["known_until"].item() == moment("2024-01-01T00:00")
    assert "unknown_customer" not in because(got)


def test_a_stranger_is_answered_and_marked():
    known = Knowledge(history(ANN), customers(zone=None), shelf(), NO_MAIL, NO_CONDITIONS, {})
    stranger = answer(
        requests("nobody"),
        known,
        NO_MODELS,
        settings=SHOP,
        feature_settings=FEATURES,
        valuation=OWN,
    )
    assert (stranger["known_customer"].item(), stranger["known_until"].item()) == (False, None)
    assert {"consent", "unknown_customer", "unknown_zone"} <= set(because(stranger))


def test_a_refused_model_is_told_from_one_that_is_not_there_yet():
    known = Knowledge(history(ANN), customers(zone=None), shelf(), NO_MAIL, NO_CONDITIONS, {})

    def said(models):
        got = answer(
            requests("ann"), known, models, settings=SHOP, feature_settings=FEATURES, valuation=OWN
        )
        return because(got)["degraded"]

    assert said(NO_MODELS).startswith("no model yet for churn, send-hour, ")
    told = said(replace(NO_MODELS, refused=("churn", "response-click")))
    assert told.startswith("no model for churn (refused; `onje doctor` says why), send-hour, ")
    assert "response-click (refused; `onje doctor` says why); rules stand in" in told


def test_without_models_the_answer_is_marked_degraded():
    got = answers(CART, "ann")
    assert got["degraded"].item()
    assert got["missing_models"].item().to_list() == [
        "churn", "send-hour", "affinity-category", "affinity-product",
    ]  # fmt: skip
    assert got["hour_source"].item() == "default"
    versions = json.loads(got["versions"].item())
    assert versions["policy"] == SHOP.policy_version
    assert set(versions["models"].values()) == {None}
    assert versions["synthetic"] == []


def test_the_receipt_holds_what_the_decision_was_made_from():
    got = answers(CART, "ann")
    assert dict(got.schema) == dict(DECISIONS)
    read = json.loads(got["features"].item())
    assert read["cart_waiting_hours"] == 2.0
    assert read["email_consent"] == "granted"
    assert [arm["email"] for arm in got["arms"].item()] == list(SHOP.emails)
    assert got["known_until"].item() == moment("2026-03-03T14:00")
    assert got["propensity"].item() == 1.0


def test_wait_has_neither_email_nor_time():
    got = answers(ANN, "ann")
    assert got["action"].item() == "wait"
    for name in ("email", "variant", "send_at", "local_send_at", "slots", "value", "hour_source"):
        assert got[name].item() is None, name
    assert got["products"].item().to_list() == []
    assert got["valid_until"].item() == NOW + 24 * HOUR


def test_an_unknown_email_is_refused_by_name():
    with pytest.raises(DataError, match="no e-mail is called wellcome; the catalogue"):
        answers(ANN, "ann", emails=["wellcome"])


CROWD = (
    CART
    + "".join(SILENT.format(name=name) for name in ("bob", "cem", "dee"))
    + """
    bob | send   | 2026-03-01T12:00 | win_back_1
    cem | unsubscribe | 2026-01-01T12:00 |
    eve | signup | 2026-03-02T12:00 |
    eve | consent | 2026-03-02T12:00 | granted
"""
)
NAMES = ["ann", "bob", "cem", "dee", "eve", "nobody"]


def test_a_customer_alone_is_answered_as_in_the_crowd():
    crowd = answers(CROWD, *NAMES)
    assert set(crowd["action"]) == {"send", "wait"}
    for place, name in enumerate(NAMES):
        alone = answers(CROWD, name)
        assert alone.drop("row").equals(crowd[place].drop("row")), name


def test_answers_follow_the_questions_and_the_same_one_twice_gets_the_same_answer():
    asked = requests("dee", "ann", "dee")
    known = Knowledge(
        history(CROWD), customers(*NAMES, zone=NEW_YORK), shelf(), NO_MAIL, NO_CONDITIONS, {}
    )
    got = answer(asked, known, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN)
    assert got["customer_id"].to_list() == ["dee", "ann", "dee"]
    assert got[0].drop("row").equals(got[2].drop("row"))
    shuffled = Knowledge(
        known.history.sample(fraction=1.0, shuffle=True, seed=3),
        known.customers.reverse(),
        known.products.reverse(),
        NO_MAIL,
        NO_CONDITIONS,
        {},
    )
    again = answer(
        asked, shuffled, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN
    )
    assert got.equals(again)


def test_nobody_asked_nothing_answered():
    got = answers(ANN)
    assert got.is_empty()
    assert dict(got.schema) == dict(DECISIONS)


DAYS = st.integers(0, 60)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cem", "dee"]),
        DAYS,
        st.sampled_from(["consent granted", "consent denied", "order", "cart_add", "send"]),
    ),
    max_size=12,
)
RESTRICTIONS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cem", "dee"]),
        DAYS,
        st.sampled_from(["consent denied", "unsubscribe", "complaint", "bounce hard", "erase"]),
    ),
    min_size=1,
    max_size=5,
)


def _told(acts: list[tuple[str, int, str]]) -> str:
    lines = []
    for place, (name, day, act) in enumerate(acts):
        kind, _, word = act.partition(" ")
        at = (NOW - (24 * day + 1 + place / 100) * HOUR).replace(tzinfo=None).isoformat()
        what = {"order": "bread | 9", "cart_add": "bun", "send": "newsletter"}.get(kind, word)
        lines.append(f"{name} | {kind} | {at} | {what}")
    return "\n".join(lines)


@given(acts=ACTS, restrictions=RESTRICTIONS)
@settings(max_examples=25, deadline=None)
def test_more_restrictions_never_mail_more(acts, restrictions):
    names = ["ann", "bob", "cem", "dee"]
    free = answers(_told(acts) + CART, *names)
    bound = answers(_told([*acts, *restrictions]) + CART, *names)
    for name, was, now in zip(names, free["action"], bound["action"], strict=True):
        assert (was, now) != ("wait", "send"), name


def test_two_questions_about_one_customer_are_answered_as_if_each_were_alone():
    """What one of them promised stands beside the other, in its caps and in its receipt."""
    first = requests("ann")
    second = first.with_columns(
        row=pl.lit(1, pl.UInt32), request_id=pl.lit("r2"), decision_id=pl.lit("d2")
    )
    mail = pl.DataFrame([["ann", "d ann", "cart_reminder", NOW]], schema=MAIL, orient="row")
    knowledge = Knowledge(
        history(CART), customers("ann", zone=NEW_YORK), shelf(), mail, NO_CONDITIONS, {}
    )

    def asked(questions):
        return answer(
            questions, knowledge, NO_MODELS, settings=SHOP, feature_settings=FEATURES, valuation=OWN
        )

    together = asked(pl.concat([first, second]))
    assert_frame_equal(together, pl.concat([asked(first), asked(second)]))
    assert together["action"].to_list() == ["send", "wait"]
    assert together["promised"].list.len().to_list() == [0, 1]
    assert_frame_equal(asked(pl.concat([second, first])), together.reverse())
