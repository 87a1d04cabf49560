"""Any policy is a valuation of instants: it ranks, and guardrails, products and chance stay."""

from __future__ import annotations

import polars as pl
import pytest

from serving.valuation import OWN
from tests.serving.histories import answers
from tests.serving.shop import NOW, arm_of, curve, decision_for, reasons_of, shop

CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}
TEMPTED = {**CART, "days_since_order": 5.0}  # a cart reminder and a recommendation apply
NEVER = pl.lit(None, pl.Float64)
# What whoever writes a valuation may count on.
PROMISED = {
    "row", "arm", "customer_id", "as_of", "email", "trigger", "variant", "place", "products",
    "discount_share", "send_cost", "at", "local_at", "hour", "slot", "leaves_now", "value",
    "pull", "shut_by", "only_time", "at_once",
}  # fmt: skip


def worth(expression):
    return lambda instants: instants.with_columns(worth=expression).get_column("worth")


LATE = worth(1.0 + pl.col("hour"))


def test_a_valuation_sees_every_instant_open_or_shut_of_what_competes():
    seen = []

    def watching(instants):
        seen.append(instants)
        return OWN(instants)

    got = decision_for(**TEMPTED, valuation=watching)
    (instants,) = seen
    assert set(instants.columns) >= PROMISED
    assert set(instants["email"]) == {"cart_reminder", "recommendation"}
    assert set(instants["trigger"]) == {"cart_reminder", "recommendation"}
    assert instants["hour"].n_unique() == 24  # the quiet ones too
    assert instants.filter(pl.col("shut_by").is_null())["hour"].n_unique() == 13
    chosen = instants.filter(at=got["send_at"], email=got["email"])
    assert chosen["value"].item() == got["value"]
    assert chosen["products"].item().to_list() == got["products"]


def test_the_instant_of_highest_worth_wins_whatever_it_is_worth_to_onje():
    late = decision_for(**TEMPTED, valuation=LATE)
    assert (late["email"], late["local_send_at"].hour) == ("cart_reminder", 20)
    other = worth(pl.when(pl.col("email") == "recommendation").then(1.0).otherwise(0.5))
    decision = decision_for(**TEMPTED, valuation=other)
    assert decision["email"] == "recommendation"
    # The receipt keeps Onje's own value.
    assert decision["value"] == arm_of(decision, "recommendation")["value"]
    assert decision["value"] < arm_of(decision, "cart_reminder")["value"]


def test_of_equal_worth_the_hour_that_draws_more_wins():
    hours = curve({10: 0.1, 15: 0.2, 17: 0.9})
    alike = decision_for(days_since_order=5.0, valuation=worth(pl.lit(1.0)), hours=hours)
    assert alike["local_send_at"].hour == 17


@pytest.mark.parametrize("nothing", [0.0, -1.0])
def test_what_is_worth_nothing_to_the_policy_waits(nothing):
    decision = decision_for(**TEMPTED, valuation=worth(pl.lit(nothing)))
    assert decision["action"] == "wait"
    assert set(reasons_of(decision)) == {"not_worth_it"}


def test_never_means_not_even_by_chance():
    by_chance = shop({"explore_emails": 1, "explore_hours": 1}, {})
    nobody = decision_for(by_chance, **TEMPTED, valuation=worth(NEVER))
    assert (nobody["action"], nobody["wait_propensity"]) == ("wait", 1.0)
    assert reasons_of(nobody) == {
        "not_worth_it": "the policy in force sends none of the e-mails that apply"
    }
    at_noon = worth(pl.when(pl.col("hour") == 12).then(1.0))
    decision = decision_for(by_chance, **CART, valuation=at_noon)
    arm = arm_of(decision, "cart_reminder")
    assert (arm["hours"], arm["send_at"].hour) == (1, 17)  # 12:30 in New York


def test_what_is_shut_is_told_also_where_the_policy_looks_only_at_what_is_open():
    open_only = worth(pl.when(pl.col("shut_by").is_null()).then(1.0))
    capped = decision_for(**CART, mails=[("newsletter", NOW)], valuation=open_only)
    codes = [reason["code"] for reason in arm_of(capped, "cart_reminder")["forbidden_by"]]
    assert codes == ["cap_24h"]
    assert set(reasons_of(capped)) == {"cap_24h"}


def test_no_worth_passes_a_guardrail():
    eager = worth(pl.lit(1e9))
    assert decision_for(**TEMPTED, valuation=eager, email_consent="denied")["action"] == "wait"
    shut = decision_for(**CART, valuation=worth(pl.when(pl.col("hour") == 23).then(9.0)))
    assert shut["action"] == "wait"
    assert "quiet_hours" in reasons_of(shut)


def test_a_pure_question_of_time_gets_the_best_hour_even_where_the_mail_earns_nothing():
    loss = shop({}, {"recommendation": {"discount": 0.9}})
    asked = {"emails": ["recommendation"]}
    decision = decision_for(loss, asked=asked, hours=curve({10: 0.1, 17: 0.9}))
    assert decision["value"] < 0
    assert decision["local_send_at"].hour == 17


@pytest.mark.parametrize(
    "broken",
    [
        lambda instants: instants["value"].head(1),
        lambda instants: instants["hour"],
        worth(pl.lit(float("nan"))),
    ],
    ids=["too short", "not money", "no number"],
)
def test_a_valuation_that_is_none_is_refused(broken):
    with pytest.raises(ValueError, match="a valuation gives one Float64"):
        decision_for(**CART, valuation=broken)


def test_a_valuation_reaches_the_answer():
    told = """
        ann | consent  | 2025-01-01T00:00 | granted
        ann | cart_add | 2026-03-03T14:00 | bun
    """
    assert answers(told, "ann", valuation=OWN)["send_at"].item() == NOW
    late = answers(told, "ann", valuation=LATE)
    assert late["local_send_at"].item().hour == 20
