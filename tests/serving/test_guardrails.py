"""What forbids an e-mail. Everybody here has left a cart five hours ago, at 11:00 on a Tuesday."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from serving.guardrails import Guardrail
from serving.reasons import told
from tests.serving.drawn import drawn, moment
from tests.serving.shop import HOUR, NOW, SHELF, arm_of, caps, decision_for, reasons_of, shop

CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}
DAY = timedelta(days=1)

CUSTOMERS = {
    "consent": """
        email_consent | consent_since    | email         | because
        granted       | 2025-01-01T00:00 | cart_reminder | -
        denied        | 2025-06-03T00:00 | -             | they said no to e-mail, as we learned on 2025-06-03
        unknown       | -                | -             | nobody knows that they agreed to e-mail
        -             | -                | -             | nobody knows that they agreed to e-mail
        a new word    | -                | -             | nobody knows that they agreed to e-mail
    """,  # noqa: E501
    "suppression": """
        suppressed_by | suppressed_at    | email         | because
        -             | -                | cart_reminder | -
        unsubscribe   | 2026-03-01T00:00 | -             | they unsubscribed, as we learned on 2026-03-01
        complaint     | 2026-03-01T00:00 | -             | they reported our mail as spam, as we learned on 2026-03-01
        bounce        | 2026-03-01T00:00 | -             | our mail came back for good, as we learned on 2026-03-01
        erase         | 2026-03-01T00:00 | -             | they asked to be forgotten, as we learned on 2026-03-01
        a new word    | -                | -             | they were suppressed, as we learned on an unknown day
    """,  # noqa: E501
}


@pytest.mark.parametrize(
    ("guardrail", "row"),
    [(name, row) for name, spec in CUSTOMERS.items() for row in drawn(spec)],
    ids=str,
)
def test_who_may_be_mailed(guardrail, row):
    differs = {name: value for name, value in row.items() if name not in ("email", "because")}
    for name in ("consent_since", "suppressed_at"):
        if differs.get(name):
            differs[name] = moment(differs[name])
    decision = decision_for(**CART, **differs)
    assert decision["email"] == row["email"]
    assert reasons_of(decision).get(guardrail) == row["because"]


def test_a_customer_who_may_not_be_mailed_is_told_so_even_where_no_email_applies():
    assert set(reasons_of(decision_for(email_consent="unknown"))) == {"consent", "nothing_applies"}


# Mails of the past (ago) and promised ones (ahead, by a minus); the cart's window ends in 19 hours.
FREQUENCY = """
    hours_ago           | email         | code    | because
    -                   | cart_reminder | -       | -
    21                  | cart_reminder | moved   | moved from Tue 2026-03-03 11:00 to Tue 2026-03-03 14:30 by their clock, for the better minute was shut: 1 marketing e-mail in 24 hours is the most, sent and promised together
    4                   | -             | cap_24h | 1 marketing e-mail in 24 hours is the most, sent and promised together
    -10                 | -             | cap_24h | 1 marketing e-mail in 24 hours is the most, sent and promised together
    25                  | cart_reminder | -       | -
    30, 60, 90          | -             | cap_7d  | 3 marketing e-mails in 7 days is the most, sent and promised together
    30, 60, 169         | cart_reminder | -       | -
    30, 60, 160         | cart_reminder | moved   | moved from Tue 2026-03-03 11:00 to Tue 2026-03-03 19:30 by their clock, for the better minute was shut: 3 marketing e-mails in 7 days is the most, sent and promised together
"""  # noqa: E501


@pytest.mark.parametrize("row", drawn(FREQUENCY), ids=str)
def test_how_often_a_customer_is_mailed(row):
    ago = [float(hours) for hours in str(row["hours_ago"] or "").split(",") if hours]
    mails = [("newsletter", NOW - hours * HOUR) for hours in ago]
    decision = decision_for(**CART, mails=mails)
    assert decision["email"] == row["email"]
    if row["because"]:
        assert row["because"] in reasons_of(decision).values()
    else:
        assert set(reasons_of(decision)) == {"applies", "now"}


def test_thirty_days_have_a_cap_of_their_own():
    mails = [("newsletter", NOW - (2 + 3 * place) * DAY) for place in range(8)]
    assert "cap_30d" in reasons_of(decision_for(**CART, mails=mails))
    assert decision_for(**CART, mails=mails[:-1])["email"] == "cart_reminder"


def test_only_mails_that_fit_into_one_window_count_together():
    settings = shop(
        {},
        {},
        caps=caps(marketing={"per_24h": 2, "per_7d": 2, "min_gap_hours": 0}),
    )
    apart = [("newsletter", NOW - 160 * HOUR), ("newsletter", NOW + 20 * HOUR)]
    assert decision_for(settings, **CART, mails=apart)["send_at"] == NOW
    closer = [("newsletter", NOW - 140 * HOUR), ("newsletter", NOW + 20 * HOUR)]
    assert decision_for(settings, **CART, mails=closer)["action"] == "wait"


def test_two_mails_are_hours_of_peace_apart():
    settings = shop({}, {}, caps=caps(marketing={"per_24h": 3, "min_gap_hours": 26}))
    mails = [("newsletter", NOW - 5 * HOUR)]
    said = reasons_of(decision_for(settings, **CART, mails=mails))
    assert said["min_gap"] == (
        "a marketing e-mail left 5 hours ago, and 26 hours of peace lie between two of them"
    )
    ahead = reasons_of(decision_for(settings, **CART, mails=[("newsletter", NOW + 3 * HOUR)]))
    assert ahead["min_gap"] == (
        "a marketing e-mail is promised for in 3 hours, "
        "and 26 hours of peace lie between two of them"
    )


def test_the_same_email_does_not_come_again_so_soon():
    mails = [("cart_reminder", NOW - 2 * DAY)]
    said = reasons_of(decision_for(**CART, mails=mails))
    assert said["repeat"] == "it left 2 days ago, and comes again after 3 days"
    assert decision_for(**CART, mails=[("cart_reminder", NOW - 3 * DAY)])["action"] == "send"


def test_the_next_best_email_goes_where_the_best_one_may_not():
    decision = decision_for(**CART, days_since_order=5, mails=[("cart_reminder", NOW - 2 * DAY)])
    assert decision["email"] == "recommendation"
    assert reasons_of(decision)["instead_of"] == (
        "cart_reminder would have been worth more, but it left 2 days ago, "
        "and comes again after 3 days"
    )
    assert decision["unconstrained_best"]["email"] == "cart_reminder"
    assert "moved" not in reasons_of(decision)  # the rule is about cart reminders alone


QUIET = """
    now              | local_send_at    | codes
    2026-03-03T16:00 | 2026-03-03T11:00 | applies, now
    2026-03-04T03:00 | 2026-03-04T08:30 | applies, hour, moved
    2026-03-04T01:59 | 2026-03-03T20:59 | applies, now
    2026-03-04T13:00 | 2026-03-04T08:00 | applies, now
"""


@pytest.mark.parametrize("row", drawn(QUIET), ids=str)
def test_no_mail_leaves_in_quiet_hours(row):
    decision = decision_for(**CART, now=moment(row["now"]))
    assert decision["local_send_at"].isoformat(timespec="minutes") == row["local_send_at"]
    assert ", ".join(reasons_of(decision)) == row["codes"]


def test_a_mail_that_would_be_late_is_forbidden_and_the_reason_told():
    # The cart's worth ends at 06:00 by its owner's clock, in the quiet hours.
    decision = decision_for(cart_waiting_hours=16.0, cart_items=1.0, now=moment("2026-03-04T03:00"))
    assert decision["action"] == "wait"
    assert reasons_of(decision) == {
        "quiet_hours": "no mail leaves between 21:00 and 8:00 of their clock"
    }
    closed = decision_for(**CART, asked={"earliest": NOW + 20 * HOUR})
    assert reasons_of(closed)["too_late"] == "it would be worth nothing after 2026-03-04 11:00 UTC"


def test_a_switched_off_email_says_so():
    settings = shop({}, {"cart_reminder": {"enabled": False}})
    said = reasons_of(decision_for(settings, **CART))
    assert said == {"switched_off": "cart_reminder is switched off in onje.toml"}


def test_an_email_with_nothing_to_show_stays_at_home():
    assert "no_products" in reasons_of(decision_for(**CART, products={}))
    bought_all = decision_for(**CART, products={"cart": []})
    assert reasons_of(bought_all)["recently_bought"] == (
        "all 7 products that fit it were bought lately"
    )
    assert decision_for(**CART, products={"cart": ["mug"]})["products"] == ["mug"]


def test_an_email_shows_no_more_products_than_it_has_room_for():
    assert decision_for(**CART)["products"] == SHELF[:4]


def test_every_arm_of_the_receipt_tells_what_forbade_it():
    decision = decision_for(**CART, email_consent="denied", days_since_order=5)
    for email in ("cart_reminder", "recommendation"):
        assert [reason["code"] for reason in arm_of(decision, email)["forbidden_by"]] == ["consent"]
    assert arm_of(decision, "welcome")["forbidden_by"] == []  # it does not apply at all


def test_a_guardrail_that_cannot_be_decided_forbids():
    unsure = Guardrail("unsure", "", forbids=pl.lit(None, pl.Boolean), because=pl.lit(None))
    told_of = told(pl.DataFrame({"arm": [7]}), "arm", [unsure.reason])
    assert told_of.rows() == [(7, "unsure", "unsure")]
