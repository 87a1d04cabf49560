"""A merchant's own workflow, and what holds for every workflow there is."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from features.tables import CUSTOMERS, EVENTS
from serving.settings import ServingSettings
from serving.store import Store
from serving.tables import MAIL
from serving.workflow_docs import workflows
from serving.workflow_steps import steps_of
from tests.serving.histories import FEATURES, shelf
from tests.serving.shop import reasons_of
from tests.spec.workflows.lives import (
    FIRST,
    NOBODY,
    SHOP,
    decided,
    events,
    known,
    moment,
    promised,
    renamed,
    series,
    stands,
)

# A course of four lessons; the third is for bakers who spend a lot.
COURSE: Mapping[str, Any] = {
    "meaning": "a course in baking",
    "steps": [
        {"emails": ["lesson_1"], "after_days": 0},
        {"emails": ["lesson_2"], "after_days": 2},
        {"emails": ["lesson_3"], "after_days": 4, "when": "spend_365d >= 100 AND is_baker"},
        {"emails": ["lesson_4", "lesson_4_short"], "after_days": 6},
    ],
    "ends_on": ["survey", "click"],
    "unanswered": 0,
    "runs_days": 10,
    "again_days": 60,
    "sunset_days": 0,
}
LESSONS: Mapping[str, Any] = {
    "lesson_1": {"trigger": "recommendation", "parameters": {"orders": 1, "silent_days": 1}},
    **dict.fromkeys(
        ("lesson_2", "lesson_3", "lesson_4", "lesson_4_short"), {"trigger": "workflow_step"}
    ),
}
BAKERS = {"baker": {"meaning": "has ordered more than once", "when": "orders >= 2"}}


def school(**changes: Any) -> ServingSettings:
    return series(LESSONS, BAKERS, course={**COURSE, **changes})


@pytest.mark.parametrize(("spent", "third"), [(30, 2), (300, 3)])
def test_a_workflow_of_ones_own_takes_no_line_of_code(spent, third):
    life = events(f"day | what\n-2 | order {spent}\n-1 | order {spent}\n0 | lesson_1")
    people, contacts = known(life, [("ann", moment(day)) for day in (0, 2, 4, 6, 10)])

    def due(is_baker: bool | None) -> list[int | None]:
        asked = people.with_columns(is_baker=pl.lit(is_baker, pl.Boolean))
        return steps_of(asked, contacts, NOBODY, school()).get_column("due_course").to_list()

    assert due(True) == [None, 2, third, 4, None]
    # A condition that cannot be decided does not hold.
    assert due(None) == [None, 2, 2, 4, None]


def test_it_is_decided_like_any_other_mail():
    life = "day | what\n-60 | agree\n-50 | order 300\n-40 | order 300\n0 | lesson_1"
    third = decided(life, 4, school())
    assert third["email"] == "lesson_3"
    assert third["own_segments"] == ["baker"]
    assert reasons_of(third)["workflow_step"] == (
        "step 3 of course: 4 days after lesson_1 without an answer"
    )
    assert decided(f"{life}\n3 | survey", 4, school())["email"] != "lesson_3"


STEP = {"emails": ["lesson_1"], "after_days": 0}
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    (
        {"steps": [STEP, {"emails": ["lesson_5"], "after_days": 1}]},
        "[workflows.course] no e-mail is called lesson_5; did you mean lesson_4",
    ),
    (
        {"steps": [STEP, {"emails": ["brand_story"], "after_days": 1}]},
        "brand_story is a step of welcome_series already",
    ),
    (
        {"steps": [STEP, {"emails": ["lesson_2"], "after_days": 0}]},
        "step 2 has after_days = 0, step 1 has 0",
    ),
    ({"steps": [{**STEP, "after_days": 1}, *COURSE["steps"][1:]]}, "the first step has after_days"),
    ({"steps": [{**STEP, "when": "orders > 1"}, *COURSE["steps"][1:]]}, "and no `when`"),
    ({"steps": [STEP]}, "at least 2 items"),
    ({"steps": [STEP, {**STEP, "after_days": 2}]}, "lesson_1 stands in it twice"),
    (
        {"steps": [{"emails": ["lesson_2"], "after_days": 0}, *COURSE["steps"][2:]]},
        "begins with lesson_2, which waits for a step before it",
    ),
    ({"steps": COURSE["steps"][:2]}, "[emails.lesson_3] has the trigger workflow_step and is a"),
    ({"steps": [*COURSE["steps"][:3], {**COURSE["steps"][3], "when": "ordrs > 1"}]},
     "[workflows.course] step 4: nothing is called ordrs; did you mean orders"),
    ({"runs_days": 6}, "runs_days = 6 leaves no time for the last step, after 6 days"),
    ({"ends_on": ["clik"]}, "nothing called clik ends a workflow; did you mean click"),
    ({"ends_on": []}, "at least 1 item"),
    ({"unanswered": -1}, "greater than or equal to 0"),
    ({"weeks": 3}, "Extra inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), IMPOSSIBLE, ids=[said for _, said in IMPOSSIBLE])
def test_what_cannot_be_is_refused_in_words(change, said):
    with pytest.raises(ValidationError) as refused:
        school(**change)
    assert said in str(refused.value)


# Setting -> another value, what happened, and the day on which somebody then stands elsewhere.
SETTINGS: Mapping[str, tuple[Any, str, float]] = {
    "steps": (COURSE["steps"][:2] + [{"emails": ["lesson_3", "lesson_4", "lesson_4_short"],
                                      "after_days": 9}], "0 | lesson_1", 6),
    "ends_on": (["open"], "0 | lesson_1\n1 | survey", 3),
    "unanswered": (2, "-1 | newsletter\n0 | lesson_1", 1),
    "runs_days": (7, "0 | lesson_1", 8),
    "again_days": (20, "0 | lesson_1\n1 | survey", 30),
    "sunset_days": (1, "0 | lesson_1\n1 | lesson_4", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_changes_where_somebody_stands(name):
    other, life, day = SETTINGS[name]
    told = events(f"day | what\n{life}")
    people, contacts = known(told, [("ann", moment(day))])
    people = people.with_columns(is_baker=pl.lit(False))
    before = steps_of(people, contacts, NOBODY, school())
    assert not before.equals(steps_of(people, contacts, NOBODY, school(**{name: other})))


# The same of the second step.
OF_STEP: Mapping[str, tuple[Any, str, float]] = {
    "emails": (["lesson_2", "newsletter"], "0 | lesson_1\n2 | newsletter", 3),
    "after_days": (1, "0 | lesson_1", 1),
    "when": ("orders > 5", "0 | lesson_1", 3),
}


@pytest.mark.parametrize("name", OF_STEP)
def test_each_setting_of_a_step_changes_where_somebody_stands(name):
    other, life, day = OF_STEP[name]
    first, second, *rest = COURSE["steps"]
    changed = school(steps=[first, {**second, name: other}, *rest])
    people, contacts = known(events(f"day | what\n{life}"), [("ann", moment(day))])
    people = people.with_columns(is_baker=pl.lit(False))
    before = steps_of(people, contacts, NOBODY, school())
    assert not before.equals(steps_of(people, contacts, NOBODY, changed))


# What is only said.
WORDS = {"meaning": "how to bake"}


@pytest.mark.parametrize("name", WORDS)
def test_the_page_of_workflows_says_it(name):
    assert WORDS[name].capitalize() in "".join(workflows(school(**WORDS)))


def test_a_machine_s_visit_is_no_visit():
    looked = school(ends_on=["visit"])
    for what, ended_by in (("machine visit", None), ("visit", "visit")):
        life = events(f"day | what\n0 | lesson_1\n1 | {what}")
        people, contacts = known(life, [("ann", moment(2))])
        people = people.with_columns(is_baker=pl.lit(False))
        found = steps_of(people, contacts, NOBODY, looked)
        assert found["ended_by_course"].item() == ended_by


def test_any_sign_of_life_prevents_a_sunset_also_one_that_ends_nothing():
    closing = series({}, welcome_series={"sunset_days": 5})
    life = "day | what\n0 | welcome\n7 | nudge"
    assert stands(events(life), [13], closing)["sunset"].item()
    assert not stands(events(f"{life}\n8 | visit"), [13], closing)["sunset"].item()


def test_a_click_on_a_mail_that_nobody_knows_was_sent_hides_no_step():
    life = "day | what\n0 | lesson_1\n6 | lesson_4\n6.1 | click lesson_4_short"
    people, contacts = known(events(life), [("ann", moment(7))])
    people = people.with_columns(is_baker=pl.lit(False))
    found = steps_of(people, contacts, NOBODY, school(ends_on=["survey"]))
    assert found["state_course"].item() == "done"


def test_of_two_first_emails_only_one_is_promised():
    first = {"emails": ["lesson_1", "newsletter"], "after_days": 0}
    both = school(steps=[first, *COURSE["steps"][1:]])
    people, contacts = known(events("day | what\n-3 | visit"), [("ann", moment(0))])
    people = people.with_columns(is_baker=pl.lit(False))
    assert steps_of(people, contacts, NOBODY, both)["may_begin_course"].item()
    waits = promised("newsletter", 0)
    assert not steps_of(people, contacts, waits, both)["may_begin_course"].item()


# --- for every workflow: nothing is stored, so whoever tells the past again gets the same step


KINDS = (
    "win_back_1", "win_back_2", "feedback_request", "opt_in_renewal", "welcome", "brand_story",
    "nudge", "thanks", "usage_tips", "review_request", "newsletter", "newsletter",
    "click win_back_1", "machine click win_back_1", "open welcome", "visit", "machine visit",
    "view", "cart", "order", "review", "survey", "redeem", "confirm",
)  # fmt: skip


def drawn_life(seed: int) -> tuple[str, list[float]]:
    """A life of 200 days in which all sorts of things happen, and the moments to look at it."""
    dice = random.Random(seed)
    days = sorted(round(dice.uniform(0, 200), 3) for _ in range(24))
    life = "\n".join(f"{day} | {dice.choice(KINDS)}" for day in days)
    looks = sorted({round(dice.uniform(0, 260), 2) for _ in range(40)} | set(days))
    return f"day | what\n{life}", looks


@pytest.mark.parametrize("seed", range(4))
def test_the_step_is_that_of_somebody_who_kept_a_diary(seed):
    """An independent account: walk through the life once, and write down where they stand."""
    life, looks = drawn_life(seed)
    found = stands(events(life), looks)
    for row, day in zip(found.rows(named=True), looks, strict=True):
        for name in SHOP.workflows:
            expected = diary(life, moment(day), name)
            assert {key: row[f"{key}_{name}"] for key in expected} == expected, (day, name)


def diary(life: str, now: datetime, name: str) -> dict[str, Any]:
    workflow = SHOP.workflows[name]
    place = {e: n for n, step in enumerate(workflow.steps, 1) for e in step.emails}
    mine = {"order"} if workflow.ends_on == ("order",) else {
        "click win_back_1", "visit", "view", "cart", "order", "review", "survey", "redeem",
        "confirm",
    }  # fmt: skip
    started, step, ended, unanswered, reviewed = None, 0, False, 0, False
    for line in life.splitlines()[1:]:
        day, what = (part.strip() for part in line.split("|"))
        at = FIRST + timedelta(days=float(day))
        if at >= now:
            break
        if place.get(what) == 1:
            started, step, ended = at, 1, False
        elif what in place and started:
            step = max(step, place[what])
        elif what in mine and started:
            ended = True
        unanswered = 0 if what == "click win_back_1" else unanswered + (what in SHOP.emails)
        reviewed = reviewed or what == "review"
    last = len(workflow.steps)
    since = (now - started) / timedelta(days=1) if started else None
    state = (
        "not_begun" if since is None
        else "ended" if ended
        else "done" if step == last
        else "lapsed" if since > workflow.runs_days
        else "running"
    )  # fmt: skip
    due = None
    if state == "running" and since is not None:
        for number, one in enumerate(workflow.steps, 1):
            is_time = since >= one.after_days or (
                number == last and 0 < workflow.unanswered <= unanswered
            )
            if number > step and is_time and not (one.when and reviewed):
                due = number
    return {"state": state, "due": due, "at_step": step or None}


@pytest.mark.parametrize("seed", range(2))
def test_told_in_any_order_twice_alone_or_in_a_crowd_the_step_is_the_same(seed):
    life, looks = drawn_life(seed)
    told = events(life)
    expected = stands(told, looks)
    shuffled = pl.concat([told, told]).sample(fraction=1.0, shuffle=True, seed=seed)
    assert stands(shuffled, looks).equals(expected)

    others = [renamed(events(drawn_life(seed + n)[0], f"bob {n}"), f"bob {n}") for n in (10, 11)]
    crowd = pl.concat([told, *others])
    rows = [(name, moment(day)) for day in looks for name in ("bob 10", "ann", "bob 11")]
    people, contacts = known(crowd, rows)
    in_crowd = steps_of(people, contacts, NOBODY, SHOP).filter(pl.col("customer_id") == "ann")
    assert in_crowd.equals(expected)

    for day, row in zip(looks[::7], expected[::7].iter_slices(1), strict=True):
        # One moment alone, knowing only what had happened by then.
        so_far = told.filter(pl.col("known_at") <= moment(day))
        assert stands(so_far, [day]).equals(row)


def test_the_store_gives_the_same_step_event_by_event_and_after_a_rebuild(tmp_path):
    life, looks = drawn_life(3)
    told = events(life)
    expected = {day: stands(told, [day]) for day in looks[::9]}
    shaped = EVENTS.shape(
        told.drop("category").with_columns(source=pl.lit("test"), currency=pl.lit("USD"))
    )
    live = Store.open(f"sqlite:///{tmp_path / 'live.db'}", patience_s=5.0)
    taken = FIRST - timedelta(days=1)
    for day, there in expected.items():
        live.append_events(
            shaped.filter(pl.col("at").is_between(taken, moment(day), closed="right"))
        )
        taken = moment(day)
        assert from_store(live, day).equals(there), day
    live.close()

    rebuilt = Store.open(f"sqlite:///{tmp_path / 'rebuilt.db'}", patience_s=5.0)
    nobody = CUSTOMERS.schema.create_empty()
    rebuilt.publish(
        told, nobody, shelf(), newest_events=FEATURES.newest_events, compaction=0, about={}
    )
    for day, there in expected.items():
        assert from_store(rebuilt, day).equals(there), day
    rebuilt.close()


def from_store(store: Store, day: float) -> pl.DataFrame:
    view = store.view_of(["ann"], now=moment(day), settings=FEATURES)
    return stands(view.knowledge.history, [day])


def test_two_workflows_at_once_share_the_caps():
    """Ann is welcomed and thanked in the same days: both are due, one goes, the other waits."""
    life = "day | what\n-30 | agree\n-20 | order\n0 | win_back_1\n0.1 | welcome"
    both = stands(events(life), [7.2])
    assert both.select("due_re_engagement", "due_welcome_series").row(0) == (2, 3)
    first = decided(life, 7.2)
    due = {"win_back_2", "feedback_request", "nudge"}
    assert first["email"] in due
    # Once it has left, the other's step comes after twenty hours of peace.
    gap = timedelta(hours=SHOP.caps.marketing.min_gap_hours)
    left = moment(7.2)
    second = decided(f"{life}\n7.241 | {first['email']}", 7.3)
    assert second["email"] in due - {first["email"]}
    assert second["send_at"] >= left + gap - timedelta(minutes=5)
    # So it does where it is only promised.
    elsewhere = pl.DataFrame(
        {
            "customer_id": ["ann"], "decision_id": ["other"], "email": [first["email"]],
            "at": [first["send_at"]],
        },
        schema=MAIL,
    )  # fmt: skip
    waits = decided(life, 7.2, mail=elsewhere)
    assert waits["email"] in due - {first["email"]}
    assert abs(waits["send_at"] - first["send_at"]) >= gap


def lived(days: Iterable[int], start: str, settings: ServingSettings) -> list[tuple[int, str]]:
    """Live with the machine: it is asked on these days, and what it decides is sent."""
    life, sent = start, []
    for day in days:
        decision = decided(life, day, settings)
        if decision["action"] == "send":
            left = (decision["send_at"] - FIRST) / timedelta(days=1)
            life += f"\n{left} | {decision['email']}"
            sent.append((day, decision["email"]))
    return sent


def test_a_life_with_the_machine_from_the_last_order_to_the_sunset():
    quiet = "day | what\n-60 | agree\n-50 | order\n-21 | order"
    patient = series({}, re_engagement={"unanswered": 0})
    sent = lived(range(66, 132, 3), quiet, patient)
    steps = [email for _, email in sent if email != "newsletter"]
    assert steps[0] == "win_back_1"
    assert steps[1] in ("win_back_2", "feedback_request")
    assert steps[2:] == ["opt_in_renewal"]
    days = {email: day for day, email in sent}
    assert days[steps[1]] - days["win_back_1"] >= 7
    assert days["opt_in_renewal"] - days["win_back_1"] >= 14
    # The last mail of all comes before the address is closed.
    assert max(day for day, _ in sent) <= days["opt_in_renewal"] + 30
