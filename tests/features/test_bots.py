"""Machines are known by what no person does; what a person may do is never held against them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.bots import RULES, judged
from features.build import features_as_of
from features.permissions import permissions_as_of
from features.profiles import hours_as_of
from tests.features.text import SETTINGS, customers, history, spine, when, world
from training.send_hour_labels import known_in

MAIL = """
    ann | 2024-05-01T09:00:00 | send    | message_id=m1 | email=news
    ann | 2024-05-01T09:00:30 | deliver | message_id=m1 | email=news
"""


def reasons(drawn: str) -> list[str | None]:
    """The verdicts of a day's opens, clicks and unsubscribes after MAIL, in the order drawn."""
    told = judged(history(MAIL + drawn))
    return told.filter(pl.col("kind").is_in(["open", "click", "unsubscribe"]))["bot"].to_list()


@pytest.mark.parametrize(
    ("at", "kind", "reason"),
    [
        ("09:00:32", "click", "at_once"),
        ("09:00:35", "open", "at_once"),
        ("09:00:36", "click", None),
        ("09:00:01", "click", "at_once"),  # the gateway reads what it has not yet taken in
        ("09:05:00", "open", None),
        ("10:00:00", "click", None),
    ],
)
def test_nobody_answers_within_seconds_of_delivery(at: str, kind: str, reason: str | None) -> None:
    assert reasons(f"ann | 2024-05-01T{at} | {kind} | message_id=m1 | link=hero") == [reason]


def test_a_click_in_a_mail_that_came_an_hour_late_is_a_persons() -> None:
    late = """
        bob | 2024-05-01T09:00:00 | send    | message_id=m2
        bob | 2024-05-01T10:00:07 | deliver | message_id=m2
        bob | 2024-05-01T10:00:50 | click   | message_id=m2 | link=hero
        bob | 2024-05-01T09:40:03 | click   | message_id=m2 | link=hero
    """
    # The last one came before what the source calls delivery, as it does if delivery is told late.
    assert reasons(late) == [None, None]


def test_links_by_the_dozen_are_followed_by_machines_and_one_link_twice_by_people() -> None:
    assert reasons("""
        ann | 2024-05-01T09:20:00.000 | click | message_id=m1 | link=hero
        ann | 2024-05-01T09:20:00.200 | click | message_id=m1 | link=hero
        ann | 2024-05-01T09:20:00.900 | click | message_id=m1 | link=footer
        ann | 2024-05-01T09:30:00.000 | click | message_id=m1 | link=hero
        ann | 2024-05-01T09:30:01.000 | click | message_id=m1 | link=sale
        ann | 2024-05-01T09:30:02.000 | click | message_id=m1 | link=imprint
        ann | 2024-05-01T09:30:02.500 | click | message_id=m1 | link=hero
        ann | 2024-05-01T09:30:09.000 | click | message_id=m1 | link=hero
        bob | 2024-05-01T09:30:01.000 | click | link=sale
        eve | 2024-05-01T09:40:00.000 | click | link=hero
        eve | 2024-05-01T09:40:01.500 | click | link=sale
        eve | 2024-05-01T09:40:03.000 | click | link=imprint
    """) == [
        None, None, None,
        "burst", "burst", "burst", "burst", None,
        None,
        None, None, None,
    ]  # fmt: skip


def test_who_tells_whole_minutes_tells_nothing_of_seconds() -> None:
    coarse = """
        bob | 2024-05-01T09:00 | deliver | message_id=m2
        bob | 2024-05-01T09:00 | open    | message_id=m2
        bob | 2024-05-01T09:07 | click   | message_id=m2 | link=hero
        bob | 2024-05-01T09:07 | click   | message_id=m2 | link=sale
        bob | 2024-05-01T09:07 | click   | message_id=m2 | link=imprint
    """
    assert reasons(coarse) == [None] * 4


def mails(soon: int, of: int) -> str:
    """Mails a day apart, the first `soon` of them opened twenty minutes after delivery, odd ones
    twice; one is opened by hand hours later."""
    lines = []
    for day in range(1, of + 1):
        lines.append(f"cat | 2024-04-{day:02}T09:00:10 | deliver | message_id=c{day}")
        if day <= soon:
            lines.append(f"cat | 2024-04-{day:02}T09:20:20 | open | message_id=c{day}")
        if day <= soon and day % 2:
            lines.append(f"cat | 2024-04-{day:02}T09:25:20 | open | message_id=c{day}")
    return "\n".join([*lines, "cat | 2024-04-20T19:00:20 | open | message_id=c1"])


@pytest.mark.parametrize(
    ("soon", "of", "app"), [(4, 5, True), (6, 8, True), (5, 8, False), (4, 4, False)]
)
def test_an_app_opens_nearly_all_mail_soon_and_people_do_not(soon: int, of: int, app: bool) -> None:
    found = reasons(mails(soon, of))
    assert set(found[:-1]) == {"fetched" if app else None}
    assert found[-1] is None


def test_an_answer_without_a_message_goes_with_the_nearest_mail_that_may_be_its() -> None:
    assert reasons("""
        ann | 2024-05-01T09:00:33 | click | email=news | link=hero
        ann | 2024-05-01T09:00:33 | open  | email=birthday
        ann | 2024-05-01T09:00:33 | click | link=hero
        bob | 2024-05-01T09:00:33 | click | link=hero
        ann | 2024-05-01T09:00:33 | click | message_id=other | link=hero
    """) == ["at_once", None, "at_once", None, None]


def test_the_source_has_the_first_word() -> None:
    assert reasons("ann | 2024-05-01T09:00:33 | click | message_id=m1 | machine=yes") == ["flagged"]


def test_every_rule_gives_its_reason_somewhere() -> None:
    code = Path(__file__).read_text()
    assert all(f'"{rule.reason}"' in code for rule in RULES)


SCANNED = MAIL + """
    ann | 2024-05-01T09:00:33.1 | click       | message_id=m1 | link=hero
    ann | 2024-05-01T09:00:33.2 | click       | message_id=m1 | link=sale
    ann | 2024-05-01T09:00:33.3 | click       | message_id=m1 | link=imprint
    ann | 2024-05-01T09:00:33.4 | unsubscribe | message_id=m1
    ann | 2024-05-02T18:30:00   | click       | message_id=m1 | link=hero
    ann | 2024-05-02T18:31:00   | session
"""  # fmt: skip


def test_features_and_hours_never_hear_of_machines() -> None:
    asked, nobody = spine(("ann", "2024-05-03")), customers()
    told = history(SCANNED)
    is_scan = pl.col("at").is_between(when("2024-05-01T09:00:33"), when("2024-05-01T09:00:34"))
    clean = told.filter(~is_scan | (pl.col("kind") == "unsubscribe"))
    for described in (features_as_of, hours_as_of):
        found, expected = (
            described(one, asked, nobody, settings=SETTINGS) for one in (told, clean)
        )
        assert_frame_equal(found, expected)
        by_source = told.with_columns(machine=is_scan & (pl.col("kind") == "click"))
        assert_frame_equal(described(by_source, asked, nobody, settings=SETTINGS), expected)
    assert features_as_of(told, asked, nobody, settings=SETTINGS)["clicks_30d"].item() == 1


def test_an_unsubscribe_counts_whoever_clicked_it() -> None:
    found = permissions_as_of(history(SCANNED), spine(("ann", "2024-05-03")))
    assert found["suppressed_by"].to_list() == ["unsubscribe"]


def test_a_verdict_needs_what_was_known_by_then() -> None:
    drawn = """
        ann | 2024-05-01T09:00:30 | deliver | message_id=m1 | known_at=2024-05-02
        ann | 2024-05-01T09:00:32 | click   | message_id=m1 | link=hero
    """
    asked = spine(("ann", "2024-05-01T12:00"), ("ann", "2024-05-02T12:00"))
    found = features_as_of(history(drawn), asked, customers(), settings=SETTINGS)
    assert found["clicks_30d"].to_list() == [1, 0]


def test_beyond_the_newest_events_there_is_no_evidence() -> None:
    visits = "\n".join(f"ann | 2024-05-02T10:{minute:02} | session" for minute in range(50))
    drawn = history(
        MAIL + "ann | 2024-05-01T09:00:33 | click | message_id=m1 | link=hero\n" + visits
    )
    no_send = drawn.filter(pl.col("kind") != "send")
    asked, few = spine(("ann", "2024-05-03")), SETTINGS.model_copy(update={"newest_events": 51})
    # As for the live request, whose blob was cut before: delivery is gone, the click is there.
    found = features_as_of(no_send, asked, customers(), settings=few)
    assert found["clicks_30d"].to_list() == [1]
    all_of_it = few.model_copy(update={"newest_events": 52})
    found = features_as_of(no_send, asked, customers(), settings=all_of_it)
    assert found["clicks_30d"].to_list() == [0]


def test_order_and_company_change_no_verdict() -> None:
    told, _ = world(people=12, events=1_500, seed=3)
    jittered = told.with_columns(
        at=pl.col("at") + pl.int_range(pl.len()) % 7 * timedelta(seconds=1)
    ).with_columns(known_at=pl.max_horizontal("at", "known_at"))
    verdicts = judged(jittered).select("event_id", "bot").sort("event_id", "bot")
    shuffled = judged(jittered.sample(fraction=1, shuffle=True, seed=5))
    assert_frame_equal(shuffled.select("event_id", "bot").sort("event_id", "bot"), verdicts)
    alone = [judged(part) for part in jittered.partition_by("customer_id")]
    assert_frame_equal(pl.concat(alone).select("event_id", "bot").sort("event_id", "bot"), verdicts)


def test_nothing_is_judged_where_nothing_happened() -> None:
    told = judged(history(MAIL).clear())
    assert told.is_empty() and {"bot", "machine"} <= set(told.columns)


# What judges a history, and what does so on the way to something else.
JUDGES = {"judged": judged, "known_in": lambda told: known_in(told, when("2030-01-01"))}


@pytest.mark.parametrize("name", JUDGES)
def test_what_is_said_to_judge_does(name: str) -> None:
    scanned = MAIL + "ann | 2024-05-01T09:00:32 | click | message_id=m1 | link=hero"
    told = JUDGES[name](history(scanned)).filter(pl.col("kind") == "click")
    assert told.select("bot", "machine").rows() == [("at_once", True)]


def test_whoever_asks_for_people_has_judged_before() -> None:
    """An expression cannot look at other events: whoever uses it on raw ones forgets the bots."""
    root = Path(__file__).parents[2]
    calls = re.compile(rf"(?<!def )\b({'|'.join(JUDGES)})\(")
    # The simulator measures what arrives, machines and all, and tells scans apart by itself; peers
    # know no verdicts.
    by_hand = {
        "features/acts.py", "features/past.py", "pipelines/simulator/measure.py",
        "benchmarks/hours_peers.py",
    }  # fmt: skip
    for package in ("features", "training", "serving", "pipelines", "benchmarks"):
        for file in (root / package).rglob("*.py"):
            code, name = file.read_text(), file.relative_to(root).as_posix()
            if any(word in code for word in ("IS_HUMAN", "IS_OWN", "IS_EMAIL")):
                assert name in by_hand or calls.search(code), f"{name} asks without judging"
