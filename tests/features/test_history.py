"""From EVENTS to HISTORY: once, in one currency, under a category, not too much of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import polars as pl

from features.build import features_as_of
from features.history import newest, to_history
from features.once import content_id, settle_clock, unique_events
from features.tables import EVENTS, HISTORY, PRODUCTS
from tests.features.text import SETTINGS, customers, history, spine, when, world

AT = when("2024-05-01T09:00")


def _orders(*lines: dict[str, object]) -> pl.DataFrame:
    line = {"customer_id": "ann", "at": AT, "known_at": AT, "kind": "order", "channel": "web"}
    line |= {"order_id": "o", "source": "test", "amount": Decimal(5), "currency": "USD"}
    return EVENTS.check(
        pl.DataFrame([{"event_id": f"e{n}"} | line | said for n, said in enumerate(lines)])
    )


def test_money_in_another_currency_is_left_out() -> None:
    events = _orders({"currency": "USD"}, {"currency": "EUR"})
    told = to_history(events, PRODUCTS.schema.create_empty(), settings=SETTINGS)
    assert told["amount"].to_list() == [Decimal(5), None]
    assert HISTORY.check(told).equals(told)


def test_the_category_is_the_beginning_of_the_path() -> None:
    products = PRODUCTS.shape(
        pl.DataFrame(
            {
                "product_id": ["mug", "pen", "ink"],
                "category": ["HOME > KITCHEN > MUGS", "DESK", None],
                "available": [True] * 3,
            }
        )
    )
    events = _orders(*({"product_id": p} for p in ("mug", "pen", "ink", "unheard of")))
    told = to_history(events, products, settings=SETTINGS)
    assert told["category"].to_list() == ["HOME > KITCHEN", "DESK", None, None]


def test_the_newest_events_and_all_permissions_are_kept() -> None:
    told = history("""
        ann | 2024-01-01 | unsubscribe
        ann | 2024-01-02 | view
        ann | 2024-01-03 | view
        ann | 2024-01-03 | view
        bob | 2023-01-01 | view
    """)
    assert newest(told, 1)["event_id"].to_list() == ["e000", "e003", "e004"]
    assert newest(told, 9).equals(told)


def test_a_mail_of_today_is_kept_however_busy_the_customer_has_been_since() -> None:
    views = "\n".join(f"ann | 2024-05-01T09:{minute:02} | view" for minute in range(60))
    busy = history(f"ann | 2024-05-01T07:00 | send | email=news\n{views}")
    few = SETTINGS.model_copy(update={"newest_events": 50})
    kept = newest(busy, few.newest_events)
    assert kept["kind"].value_counts(sort=True).rows() == [("view", 50), ("send", 1)]
    told = features_as_of(busy, spine(("ann", "2024-05-01T10:00")), customers(), settings=few)
    assert told.select("views_7d", "sends_7d", "days_since_send").row(0) == (50, 1, 3 / 24)


def test_cutting_twice_is_cutting_once() -> None:
    told, _ = world(people=3, events=600, seed=3)
    early, late = told[:400], told[400:]
    twice = newest(pl.concat([newest(early, 50), late]), 50)
    assert twice.sort("event_id").equals(newest(told, 50).sort("event_id"))


def test_an_event_comes_once_and_the_earliest_known_copy_wins() -> None:
    first = _orders({}, {"event_id": "e0", "known_at": AT + timedelta(days=1)}, {})
    assert unique_events(first).equals(first[[0, 2]])
    assert unique_events(first.reverse()).sort("event_id").equals(first[[0, 2]])
    assert unique_events(unique_events(first)).equals(unique_events(first))


def test_copies_known_at_once_are_told_apart_by_what_they_say() -> None:
    copies = _orders(
        {"event_id": "e", "amount": Decimal(2)}, {"event_id": "e", "amount": Decimal(1)}
    )
    assert unique_events(copies).equals(unique_events(copies.reverse()))


def test_a_clock_may_be_five_minutes_fast() -> None:
    slips = [timedelta(0), timedelta(minutes=5), timedelta(minutes=5, microseconds=1)]
    events = pl.DataFrame({"at": [AT + slip for slip in slips], "known_at": [AT] * 3})
    assert settle_clock(events)["at"].to_list() == [AT, AT, AT + slips[2]]


def test_a_content_id_tells_apart_what_is_not_the_same() -> None:
    frame = pl.DataFrame({"a": ["x", "x", "x,", None, ""], "b": ["y", "y", "", "x", None]})
    ids = content_id(frame, ["a", "b"])
    assert ids[0] == ids[1]
    assert ids.n_unique() == 4
    # The same for ever, and on every machine.
    assert ids[0] == "6a5ac73975a5a7793cb8ef4ffd021406"
