from __future__ import annotations

from datetime import timedelta

import pytest

from features.permissions import permissions_as_of
from tests.serving.store.rows import NOW, event, events, history
from tests.serving.store.test_published import publish

GRANT = event("c", kind="consent", reason="granted", channel="email", hours_ago=999)


def later(**more):
    """When it was known, by a clock that was ahead of the present one."""
    return {"known_at": NOW + timedelta(**more), "at": NOW, "channel": "email"}


def permission(view):
    known = view("ann")
    spine = history(event("x")).select("customer_id", as_of=known.present["ann"])
    [row] = permissions_as_of(known.knowledge.history, spine).rows(named=True)
    return row["email_consent"], row["suppressed_by"]


@pytest.mark.parametrize("ahead", [{"hours": 1}, {"days": 30}])
@pytest.mark.parametrize(
    ("kind", "reason", "found"),
    [
        ("unsubscribe", None, ("granted", "unsubscribe")),
        ("complaint", None, ("granted", "complaint")),
        ("bounce", "hard", ("granted", "bounce")),
        ("erase", None, ("granted", "erase")),
        ("consent", "denied", ("denied", None)),
    ],
)
def test_what_forbids_mail_counts_though_the_clock_stepped_back(
    store, view, kind, reason, found, ahead
):
    publish(store, GRANT, event("no", kind=kind, reason=reason) | later(**ahead))
    assert permission(view) == found


def test_a_consent_of_a_time_far_ahead_is_not_there_yet(store, view):
    publish(store, GRANT | later(days=30))
    assert permission(view) == ("unknown", None)


def test_the_present_is_never_before_what_is_known_and_does_not_live_in_a_far_future(store, view):
    publish(
        store,
        event("e1"),
        event("e2", "bob") | later(hours=47),
        event("e3", "bob") | later(hours=49),
        event("e4", "cem") | later(days=400),
    )
    store.append_events(events(event("e5", "dee") | later(days=9)))
    assert view("ann", "bob", "cem", "dee", "eve").present == {
        "ann": NOW,
        "bob": NOW + timedelta(hours=47),
        "cem": NOW,
        "dee": NOW + timedelta(days=9),
        "eve": NOW,
    }


def test_an_unsubscribe_told_after_the_clock_stepped_back_is_newer_than_the_consent(store, view):
    at_noon = {"channel": "email", "hours_ago": 0.0}
    store.append_events(events(event("c", kind="consent", reason="granted", **at_noon)))
    an_hour_before = {"channel": "email", "hours_ago": 1.0}
    store.append_events(events(event("no", kind="unsubscribe", **an_hour_before)))
    assert permission(view) == ("granted", "unsubscribe")
    # So is a consent after that, though the clock is still behind.
    again = event("c2", kind="consent", reason="granted", channel="email", hours_ago=0.9)
    store.append_events(events(again))
    assert permission(view) == ("granted", None)
