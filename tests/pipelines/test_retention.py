"""What was kept for long enough goes, a day earlier nothing does, and what still counts stays."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from pipelines.console import silently
from pipelines.retention import RetentionSettings, tidy
from serving.store import Kept, Store
from serving.store.exposures import Exposure
from serving.store.tables import dead_letters, metadata
from tests.serving.store.rows import NOW, event, events, record

LONG = {
    "decisions_days": 730,
    "plans_days": 90,
    "exposures_days": 730,
    "requests_days": 30,
    "dead_letters_days": 90,
}
DAY = timedelta(days=1)
ARM = (Exposure("hours", "late", None, ("welcome",)),)
SETTLED = {"send_at": NOW, "held_until": NOW + DAY}


@pytest.fixture
def store(store_url):
    store = Store.open(store_url, patience_s=5.0)
    yield store
    store.close()


@pytest.fixture
def filled(store):
    """One row of each kind, all of the same moment."""
    store.record([record("r1", "d1", exposures=ARM, **SETTLED)], at=NOW)
    store.record_plans([record("p1", "plan", "bob")])
    store.append_events(events(event("e1")))
    letter = {"source": "shop", "received_at": NOW, "headers": "{}", "body": b"?"}
    with store._connections.writing() as connection:
        connection.execute(dead_letters.insert().values(**letter, reason="odd", died_at=NOW))
    return store


def rows(store):
    with store._connections.reading() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in metadata.tables.items()
        }


def tidied(store, now, *, dry_run=False, **other):
    settings = RetentionSettings(**LONG | other)
    return asdict(tidy(store, settings, now=now, dry_run=dry_run, step=silently))


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("decisions_days", {"decisions": 1, "reservations": 1, "requests": 1}),
        ("plans_days", {"decisions": 1}),
        ("exposures_days", {"exposures": 1}),
        ("requests_days", {"requests": 1}),
        ("dead_letters_days", {"dead_letters": 1}),
    ],
)
def test_each_setting_says_how_long_its_kind_is_kept(filled, name, gone):
    before = rows(filled)
    kept_for = {other: 9_999 for other in LONG} | {name: 40}
    kept_for["requests_days"] = min(kept_for["requests_days"], kept_for["decisions_days"])
    named = {name, "requests_days"} if name == "decisions_days" else {name}
    assert sum(tidied(filled, NOW + 40 * DAY, **kept_for).values()) == 0
    assert rows(filled) == before
    later = NOW + 40 * DAY + timedelta(microseconds=1)
    would = tidied(filled, later, dry_run=True, **kept_for)
    assert would.pop("dry_run") is True
    assert rows(filled) == before
    done = tidied(filled, later, **kept_for)
    assert done.pop("dry_run") is False
    assert done == would == {kind: int(f"{kind}_days" in named) for kind in done}
    assert rows(filled) == before | {table: before[table] - few for table, few in gone.items()}


def test_a_request_is_remembered_for_thirty_days_whoever_tidies(filled):
    tidied(filled, NOW + 30 * DAY)
    again = record("r1", "d2", revision=9)
    assert filled.record([again], at=NOW + 30 * DAY) == [Kept(b"answer of d1")]
    with pytest.raises(ValidationError, match="requests_days"):
        RetentionSettings(**LONG | {"requests_days": 29})


def test_an_answer_is_not_kept_for_longer_than_its_decision():
    """By whose receipt it is found when its customer is erased."""
    with pytest.raises(ValidationError, match="requests_days is 41 and decisions_days 40"):
        RetentionSettings(**LONG | {"decisions_days": 40, "requests_days": 41})
    RetentionSettings(**LONG | {"decisions_days": 40, "requests_days": 40})


def test_a_mail_that_is_still_promised_keeps_its_decision(store):
    store.record([record("r1", "d1", held_until=NOW + 100 * DAY)], at=NOW)
    tidied(store, NOW + 99 * DAY, decisions_days=30)
    assert store.decision("d1") is not None
    assert store.promised(now=NOW + 99 * DAY).height == 1
    tidied(store, NOW + 101 * DAY, decisions_days=30)
    assert store.decision("d1") is None


def test_many_rows_go_all(store):
    plans = [record(f"p{n}", f"p{n}", f"c{n}", exposures=ARM) for n in range(1_203)]
    store.record_plans(plans)
    done = tidied(store, NOW + 1_000 * DAY)
    assert (done["plans"], done["exposures"]) == (1_203, 1_203)
    assert rows(store)["decisions"] == rows(store)["exposures"] == 0
