"""From decisions and what follows them to what `onje experiments` says; all of it is synthetic."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.hashing import stable_share
from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.bandits import shares_learnt
from pipelines.cli import application
from pipelines.comparisons import _holdout_shares, comparisons, holdout_told
from pipelines.console import silently
from pipelines.effective import effective
from pipelines.exposures import (
    acts_from,
    acts_of,
    money_of_customers,
    units_of,
    units_of_variants,
    variants_as_experiment,
)
from pipelines.rescore import ONJE, rescore
from pipelines.settings import load_settings
from pipelines.simulator.mails import wording_of
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world
from serving.models import NO_MODELS
from serving.store.store import Store
from serving.valuation import OWN
from tests.pipelines.simulator.shop import everybody, in_days, mails
from tests.serving.api.service import SETTINGS_FILE
from tests.serving.drawn import moment
from tests.serving.histories import customers, drawn_events, shelf
from tests.serving.shop import NEW_YORK
from tests.serving.store.rows import record
from training.evaluable import NotEvaluable
from training.evaluate import Interval
from training.experiment import effect, mismatch

NAMES = [f"c{number}" for number in range(1_000)]
MONDAY = moment("2026-03-02T15:00")
LATER = MONDAY + timedelta(days=10)
CART = """
    {name} | consent  | 2025-01-01T00:00 | granted
    {name} | cart_add | 2026-03-02T12:30 | bun
"""
SUBJECT = {
    "email": "cart_reminder", "factor": "subject", "arms": ["plain", "question"],
    "split": "bandit", "shares": [], "metric": "click", "started_on": "2026-03-01",
    "ends_on": "2026-03-31", "outcome_days": 7, "share": 1.0, "seed": 1,
}  # fmt: skip
OFFER = {**SUBJECT, "factor": "incentive", "arms": ["0", "0.1"], "metric": "order"}
CHANCE = {"explore_emails": 0.0, "explore_emails_at_first": 0.0, "explore_hours": 0.0}
SETTINGS = load_settings(
    SETTINGS_FILE,
    [{"policy": CHANCE, "experiments": {"subject": SUBJECT, "offer": OFFER}}],
)
CLICKS = {"plain": 0.2, "question": 0.4}


def answer(row, kind, after, **more):
    at = row["send_at"] + after
    return {
        "event_id": f"{kind} {row['customer_id']}", "customer_id": row["customer_id"],
        "kind": kind, "channel": "email", "source": "test", "at": at, "known_at": at,
        "message_id": f"m {row['customer_id']}", **more,
    }  # fmt: skip


def arm_in(row, name):
    return next(one["arm"] for one in row["experiments"] if one["experiment"] == name)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A night's plans were sent, and of one arm twice as many clicked."""
    home = tmp_path_factory.mktemp("experiments")
    lake = Lake(home / "lake")
    store = Store.open(f"sqlite:///{home / 'store.db'}", patience_s=5)
    lake.append("customers", CUSTOMERS.check(customers(*NAMES, zone=NEW_YORK)))
    lake.append("products", PRODUCTS.check(shelf()))
    lines = "".join(CART.format(name=name) for name in NAMES)
    lake.merge_events(drawn_events(lines, prefix="before "))
    done = rescore(
        lake, store, NO_MODELS, as_of=MONDAY, out=home / "rescored", settings=SETTINGS,
        policy=ONJE, valuation=OWN, step=silently,
    )  # fmt: skip
    sent = pl.read_parquet(done.folder / "decisions.parquet").filter(pl.col("action") == "send")
    assert sent.height > 900
    events = []
    for row in sent.iter_rows(named=True):
        events.append(
            answer(row, "send", timedelta(0), email=row["email"], decision_id=row["decision_id"])
        )
        luck = stable_share(row["customer_id"], "a test")
        if luck < CLICKS[arm_in(row, "subject")]:
            # Its mail is known by its message alone.
            events.append(answer(row, "click", timedelta(hours=2)))
        elif luck > 0.98:  # machines answer both arms
            events.append(answer(row, "click", timedelta(hours=2), machine=True))
    lake.merge_events(EVENTS.check(EVENTS.shape(pl.DataFrame(events, infer_schema_length=None))))
    # Something happens later, so that it is known that no more clicks came.
    late = [{**events[0], "event_id": "late", "kind": "open", "at": LATER, "known_at": LATER}]
    lake.merge_events(EVENTS.check(EVENTS.shape(pl.DataFrame(late))))
    store.close()
    (home / "onje.toml").write_text(SETTINGS_FILE.read_text("utf-8"), "utf-8")
    return home


@pytest.fixture
def store(home):
    store = Store.open(f"sqlite:///{home / 'store.db'}", patience_s=5)
    yield store
    store.close()


def acts_in(lake):
    return acts_of(lake, versions=lake.versions(), now=LATER, settings=SETTINGS)


def told(home, store, *, now=LATER):
    found, _ = comparisons(Lake(home / "lake"), store, now=now, settings=SETTINGS)
    return {one.name: one for one in found}


def test_each_customer_counts_once_with_what_people_did(home, store):
    subject = told(home, store)["subject"]
    assert subject.state == "running"
    held_out = 1_000 - len(subject.units)
    assert 20 < held_out < 90  # who is held out is in no arm
    plain, question = subject.arms
    assert plain.mean == pytest.approx(0.2, abs=0.06)
    assert question.mean == pytest.approx(0.4, abs=0.06)
    assert isinstance(question.effect, Interval)
    assert 0 < question.effect.low < 0.2 < question.effect.high
    assert subject.verdict == "question brings more than plain"
    assert subject.mismatch is None


# How answers are counted: another value, and when it is asked.
COUNTED = {"metric": ("order", LATER), "outcome_days": (3, MONDAY + timedelta(days=5))}


@pytest.mark.parametrize("name", COUNTED)
def test_each_setting_of_what_counts_changes_what_is_counted(name, home, store):
    other, now = COUNTED[name]
    acts = acts_in(Lake(home / "lake"))
    exposures = store.exposures_since(MONDAY - timedelta(days=1))
    one = SETTINGS.experiments["subject"]
    answered = [
        int(units_of("subject", each, exposures, acts, now=now, settings=SETTINGS).outcome.sum())
        for each in (one, one.model_copy(update={name: other}))
    ]
    assert answered[0] != answered[1] and max(answered) > 100


def test_only_what_is_over_is_counted(home, store):
    soon = told(home, store, now=MONDAY + timedelta(days=5))["subject"]
    assert len(soon.units) == 0
    assert soon.verdict == "nobody's answer is known yet"


def test_an_offer_counts_everybody_whom_it_concerned_sent_or_not(home, store):
    offer = told(home, store)["offer"]
    assert {arm.arm for arm in offer.arms} == {"0", "0.1"}
    assert len(offer.units) >= len(told(home, store)["subject"].units)
    assert offer.verdict == "too few answers to say anything"


def test_a_lost_arm_rings(home, store):
    lake = Lake(home / "lake")
    acts = acts_in(lake)
    exposures = store.exposures_since(MONDAY - timedelta(days=1))
    one = SETTINGS.experiments["subject"]
    kept = exposures.filter(
        (pl.col("arm") == "plain") | (pl.col("customer_id").str.slice(-1) < "6")
    )
    units = units_of("subject", one, kept, acts, now=LATER, settings=SETTINGS)
    assert mismatch(units, SETTINGS.training.experiments) is not None


def test_the_night_gives_the_better_arm_more(home, store):
    lake = Lake(home / "lake")
    shares = partial(shares_learnt, lake, store, settings=SETTINGS)
    found = shares(versions=lake.versions(), now=LATER)
    assert found["subject"]["question"] == pytest.approx(0.95, abs=0.01)
    assert found["offer"]["0"] == pytest.approx(0.5, abs=0.05)
    assert shares(versions=lake.versions(), now=LATER + timedelta(days=60)) == {}
    assert set(store.conditions().shares) == {"subject", "offer"}  # kept by the night before
    # What came into the lake after it was looked at is not known.
    before = {**lake.versions(), "events": 0}
    assert shares(versions=before, now=LATER)["subject"] == {"plain": 0.5, "question": 0.5}


def test_mailing_at_all_is_judged_by_who_is_held_out(home, store):
    acts = acts_in(Lake(home / "lake"))
    nothing = holdout_told(acts, store, now=LATER, settings=SETTINGS)
    assert isinstance(nothing, NotEvaluable) and "no decision was made live" in nothing.reason


def launched(tmp_path, *live_under):
    """A store with a decision made live under each of these settings, and a plan under none."""
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", patience_s=5)
    for place, one in enumerate([*live_under, HELD_OUT_NEVER]):
        in_force = effective(one)
        store.keep_settings(in_force.fingerprint, in_force.to_json())
        made = record(
            f"r{place}", action="wait", receipt=f'{{"settings":"{in_force.fingerprint}"}}'
        )
        if one in live_under:
            store.record([made], at=LAUNCH)
        else:
            store.record_plans([made])
    return store


def holding_out(share):
    return load_settings(SETTINGS_FILE, [{"policy": {"holdout_share": share}}])


HELD_OUT_NEVER = holding_out(0)
LAUNCH = MONDAY + timedelta(days=5)  # when all have got their mail
OF_ALL = ("customer_id", "treated")


def test_who_was_held_out_for_a_part_of_the_time_counts_for_neither_side(home, tmp_path):
    acts = acts_in(Lake(home / "lake"))
    few, many = holding_out(0.1), holding_out(0.3)

    def counted(*shares, settings=few):
        return money_of_customers(
            acts, since=LAUNCH, until=LATER, holdout_shares=shares, settings=settings
        )

    of_few, of_many = (dict(counted(share).select(OF_ALL).iter_rows()) for share in (0.1, 0.3))
    both = dict(counted(0.3, 0.1).select(OF_ALL).iter_rows())
    assert both == {who: of_few[who] for who in of_few if of_few[who] == of_many[who]}
    assert 150 < len(of_few) - len(both) < 250
    store = launched(tmp_path, few, many)
    shares = _holdout_shares(store, many)
    assert shares == {0.1, 0.3}  # what only a plan was made under mailed nobody
    told = holdout_told(acts, store, now=LATER, settings=many)
    assert told == holdout_told(acts, store, now=LATER, settings=few)
    none = holdout_told(acts, store, now=LATER, settings=HELD_OUT_NEVER)
    assert isinstance(none, NotEvaluable)
    assert "holdout_share was 0, 0.1, 0.3 since the first live decision" in none.reason
    store.close()


def test_money_is_the_same_in_whatever_order_it_came():
    """Floats added in another order give another sum."""
    dice = np.random.default_rng(1)
    lines = "".join(f"ann | order | 2026-03-02T16:{n:02} | bread | {n}.13\n" for n in range(60))
    lines += "ann | view | 2026-03-01T12:00 | bread\nann | order | 2026-03-01T12:00 | bread | 1\n"
    acts = acts_from(drawn_events(lines, prefix="m"), shelf(), settings=SETTINGS)
    found = set()
    for _ in range(50):
        mixed = acts[dice.permutation(acts.height)]
        money = money_of_customers(
            mixed, since=MONDAY, until=LATER, holdout_shares=[0.0], settings=SETTINGS
        )  # fmt: skip
        found |= set(money["after"])
    assert len(found) == 1 and found != {0.0}


def onje(home, *words):
    environment = {"ONJE_HOME": str(home), "ONJE_SETTINGS": str(home / "onje.toml")}
    return CliRunner(env={**environment, "COLUMNS": "200"}).invoke(
        application("experiments"), ["experiments", *words]
    )


def test_the_command_tells_of_all_and_of_one(home, tmp_path):
    done = onje(home, "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    names = [row["experiment"] for row in rows]
    assert "example_subject" in names and "welcome.variants" in names and names[-1] == "holdout"
    assert rows[0]["state"] == "over" and rows[0]["verdict"] == "nobody's answer is known yet"
    picture = tmp_path / "one.png"
    one = onje(home, "example_subject", "--plot", str(picture), "--json")
    assert json.loads(one.stdout.splitlines()[-1])["experiment"] == "example_subject"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "example_subject" in onje(home).stdout
    wrong = onje(home, "exampel_subject")
    assert wrong.exit_code == 2 and "did you mean example_subject?" in wrong.stderr
    unwritable = onje(home, "example_subject", "--plot", str(tmp_path / "none" / "one.png"))
    assert unwritable.exit_code == 2 and "cannot be written" in unwritable.stderr


def test_the_command_tells_how_many_customers_are_needed(home):
    done = onje(home, "power", "--rate", "0.03", "--lift", "0.1", "--json")
    assert json.loads(done.stdout)["customers"] == 106_421
    half = onje(home, "power", "--rate", "0.03", "--lift", "0.1", "--share", "0.1", "--json")
    assert json.loads(half.stdout)["customers"] > 200_000
    impossible = onje(home, "power", "--rate", "0.9", "--lift", "0.5")
    assert impossible.exit_code == 2 and "--rate" in impossible.stderr


# In a simulated shop every wording has an effect that is known.

EMAIL = "recommendation"
PEOPLE = 4_000


def in_a_world(name: str, seed: int, *, metric: str):
    """Everybody is mailed once; the units of the wordings, and the true ratio of their clicks."""
    world = create(known_world(name), customers=PEOPLE, history_weeks=2, weeks=4, seed=seed)
    run = begin(world)
    run.pass_time(world.start)
    one = variants_as_experiment(SETTINGS, EMAIL, days=7).model_copy(update={"metric": metric})
    who = everybody(world, at=world.start).to_list()
    arm = np.array([stable_share(name, f"dealt {seed}") < 0.5 for name in who])
    at = [in_days(world, 0, hours=8 + place % 10) for place in range(len(who))]
    written = mails(world, who, at, trigger="recommendation").with_columns(
        variant=pl.Series(np.where(arm, *one.arms)),
        trigger=pl.lit("cart_reminder"),  # what is clicked often
    )
    run.send(written)
    acts = acts_from(run.events(world.ends), world.products, settings=SETTINGS)
    units = units_of_variants(EMAIL, one, acts, now=world.ends, settings=SETTINGS)
    wordings = [wording_of(EMAIL, name, seed=seed) for name in one.arms]
    return units, wordings[1] / wordings[0]


def test_the_interval_holds_the_planted_effect_of_a_wording():
    """Synthetic: worlds in which wordings differ by up to a quarter."""
    spoke = 0
    for seed in range(4):
        units, ratio = in_a_world("rich", seed, metric="click")
        assert len(units) > 0.6 * PEOPLE
        assert mismatch(units, SETTINGS.training.experiments) is None
        found = effect(units, 1, SETTINGS.training.experiments, comparisons=1)
        if isinstance(found, Interval):
            spoke += 1
            base = units.outcome[units.arm == 0].mean()
            assert found.low <= base * (ratio - 1) <= found.high
    assert spoke >= 3


def test_where_no_mail_does_anything_no_alarm_rings():
    """Synthetic: in null-everything wordings move no orders."""
    for seed in range(3):
        units, _ = in_a_world("null-everything", seed, metric="order")
        found = effect(units, 1, SETTINGS.training.experiments, comparisons=1)
        assert isinstance(found, Interval) and found.low <= 0 <= found.high
        assert mismatch(units, SETTINGS.training.experiments) is None
