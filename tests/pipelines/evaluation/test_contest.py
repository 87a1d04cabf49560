"""A whole comparison in a small world: same again, goes on where it was killed, breaks no rule."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError, SettingsError
from pipelines.cli import application
from pipelines.console import silently
from pipelines.evaluation.contest import contest, folder_of
from pipelines.evaluation.names import FIXED, NOBODY, ONJE, ORACLE, POLICIES, RANDOM, RULES
from pipelines.evaluation.page import page_of
from pipelines.evaluation.plan import planned
from pipelines.evaluation.result import load
from pipelines.settings import load_settings
from pipelines.simulator.world import START
from serving.guardrail_settings import CAPPED

ROOT = Path(__file__).parents[3]


def plan_of(**other):
    figures = {
        "world": "rich", "customers": 250, "history_weeks": 26, "weeks": 1, "every_days": 2,
        "retrain_weeks": 1, "first_seed": 3, "seeds": 1, "policies": ",".join(POLICIES),
    }  # fmt: skip
    return planned(**(figures | other))


@pytest.fixture(scope="module")
def settings():
    """The shop's own, but for how often customers are drawn anew: here nothing is judged by it."""
    return load_settings(ROOT / "onje.toml", [{"training": {"resampling": {"replicates": 200}}}])


@pytest.fixture(scope="module")
def played(settings, tmp_path_factory):
    """A comparison of all policies, and the folder it was made in."""
    folder = tmp_path_factory.mktemp("contest") / "rich"
    return contest(plan_of(), folder, restart=False, settings=settings, step=silently), folder


def test_every_policy_is_told_of(played):
    comparison, _ = played
    told = comparison.as_dict()
    assert [line["policy"] for line in told["policies"]] == list(POLICIES)
    assert {"margin", "orders", "unsubscribes", "complaints", "mails"} <= told["policies"][0].keys()
    assert {"low", "estimate", "high"} <= told["uplift"].keys()
    assert json.loads(json.dumps(told)) == told and told["synthetic"] is True


def test_nobody_gets_mail_from_nobody_and_the_others_send(played):
    lines = {line.policy: line for line in played[0].lines}
    assert lines[NOBODY].totals["mails"] == 0
    assert all(lines[name].totals["mails"] > 0 for name in (FIXED, RULES, RANDOM, ONJE, ORACLE))


def test_the_oracle_is_the_best_by_its_own_truth(played):
    lines = {line.policy: line for line in played[0].lines}
    others = [line.totals["gain"] for name, line in lines.items() if name != ORACLE]
    assert lines[ORACLE].totals["gain"] > max(others)


def test_onje_decided_with_models_it_had_trained(played):
    _, folder = played
    models = load(folder / "seed-3" / ONJE).figures.models
    assert models["affinity-category"] is not None


def test_models_are_trained_anew_on_the_first_night_after_so_many_weeks():
    plan = plan_of(weeks=5, every_days=2, retrain_weeks=2)
    days = [(now - START).days for now in plan.moments(START) if plan.trains_anew(START, now)]
    assert days == [14, 28]
    weekly = plan_of(weeks=3, every_days=5, retrain_weeks=1)
    days = [(now - START).days for now in weekly.moments(START) if weekly.trains_anew(START, now)]
    assert days == [10, 15]


def test_nobody_in_the_holdout_gets_mail(played):
    _, folder = played
    for policy in POLICIES:
        customers = load(folder / "seed-3" / policy).customers
        held_out = customers.filter("holdout")
        assert 0 < held_out.height < 40
        assert held_out.get_column("mails").sum() == 0
    # What happens to them is the same under every policy.
    margins = [
        load(folder / "seed-3" / policy).customers.filter("holdout").select("customer_id", "margin")
        for policy in (NOBODY, ORACLE)
    ]
    assert margins[0].equals(margins[1])


def test_frequency_caps_hold_from_one_night_to_the_next(played, settings):
    """At most so many mails within any window, whatever night decided them and whatever policy.

    Each class of mails has windows of its own, and between the classes there is a shorter peace.
    """
    _, folder = played
    classes = {name: email.mail_class for name, email in settings.emails.items()}
    rules = [(CAPPED, 1, settings.caps.all.min_gap_hours)]
    for name in CAPPED:
        limits = getattr(settings.caps, name)
        rules += [
            ((name,), limits.per_24h, 24), ((name,), limits.per_7d, 7 * 24),
            ((name,), limits.per_30d, 30 * 24), ((name,), 1, limits.min_gap_hours),
        ]  # fmt: skip
    met = {}  # pairs of mails that a rule was tried on
    for name in (RULES, RANDOM, ONJE, ORACLE):
        mails = load(folder / "seed-3" / name).mails.sort("customer_id", "at")
        mails = mails.with_columns(mail_class=pl.col("email").replace_strict(classes))
        for of, cap, hours in rules:
            earlier = pl.col("at").shift(cap).over("customer_id")
            apart = (
                mails.filter(pl.col("mail_class").is_in(list(of)))
                .select((pl.col("at") - earlier).dt.total_seconds() / 3600)
                .drop_nulls()
                .to_series()
            )
            assert (apart >= hours).all(), (name, of, cap, hours)
            met[of, cap, hours] = met.get((of, cap, hours), 0) + apart.len()
    assert all(met[of, cap, hours] for of, cap, hours in rules if cap == 1)


def test_only_onje_logs_and_its_log_can_judge(played):
    comparison, folder = played
    assert load(folder / "seed-3" / RULES).log.is_empty()
    log = load(folder / "seed-3" / ONJE).log
    assert log.height > 100 and log["reward"].null_count() == 0
    chance = log.filter(pl.col("arm") != pl.col("usual"))
    assert 0 < chance.height < log.height / 5
    assert comparison.verdict is not None and not comparison.verdict.promote
    assert "not evaluable" in comparison.verdict.reasons[0]


def test_a_killed_run_goes_on_and_comes_to_the_same(played, settings):
    """One policy's result is gone, as if it had been killed in the middle of its work."""
    comparison, folder = played
    before = load(folder / "seed-3" / RANDOM)
    shutil.rmtree(folder / "seed-3" / RANDOM)
    (folder / "seed-3" / "work").mkdir()
    (folder / "seed-3" / "work" / "half").touch()
    untouched = (folder / "seed-3" / RULES / "figures.json").stat().st_mtime_ns
    again = contest(plan_of(), folder, restart=False, settings=settings, step=silently)
    assert load(folder / "seed-3" / RANDOM).figures == before.figures
    assert again.as_dict() == comparison.as_dict()
    assert (folder / "seed-3" / RULES / "figures.json").stat().st_mtime_ns == untouched
    assert not (folder / "seed-3" / "work").exists()


def test_the_page_says_synthetic_and_shows_every_policy(played):
    page = page_of(played[0], "USD")
    assert "Synthetic" in page and "data:image/png;base64" in page
    assert all(policy in page for policy in POLICIES)
    assert "http" not in page


def test_another_plan_or_other_settings_are_another_folder(settings):
    plan = plan_of()
    other = settings.model_copy(
        update={"policy": settings.policy.model_copy(update={"margin": 0.3})}
    )
    folders = {
        folder_of(plan, Path("x"), settings),
        folder_of(plan, Path("x"), other),
        folder_of(plan_of(weeks=3), Path("x"), settings),
    }
    assert len(folders) == 3
    # Seeds and policies are added to what is there.
    assert folder_of(plan_of(first_seed=4, policies=RULES), Path("x"), settings) in folders


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"world": "flat"}, "default"),
        ({"policies": "onje,chance"}, "no policy is called chance; there are nobody"),
        ({"weeks": 0}, "--weeks"),
        ({"customers": 10}, "--customers is 10; give a number from 100 to 100,000"),
        ({"every_days": 8}, "--every-days is 8; give a number from 1 to 7"),
        ({"seeds": 0}, "--seeds: give a number from 1 to 100"),
        ({"first_seed": 2**31 - 1, "seeds": 2}, "between 0 and 2,147,483,647"),
        ({"first_seed": -1}, "between 0 and"),
        ({"policies": ","}, "--policies"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_can(wrong, says):
    with pytest.raises(SettingsError, match=says):
        plan_of(**wrong)


def test_the_command_prints_json_last(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    words = (
        "evaluate policy --world null-everything --customers 150 --history-weeks 8 --weeks 1 "
        "--every-days 5 --policies nobody,rules,oracle --json"
    )
    shown = CliRunner().invoke(application("evaluate"), words.split(), catch_exceptions=False)
    told = json.loads(shown.stdout.strip().splitlines()[-1])
    policies = {line["policy"]: line for line in told["policies"]}
    # Mail changes nothing there but what it costs to send it, and who knows that sends none.
    rules = policies["rules"]
    assert rules["mails"] > 0 and policies["oracle"]["mails"] == 0
    assert rules["margin"] == pytest.approx(
        policies["nobody"]["margin"] - 0.001 * rules["mails"], abs=1e-6
    )
    assert rules["share_of_oracle"]["estimate"] is None
    assert Path(told["report"]).exists()
    # The second night has two days left, and nothing is sent after them.
    assert len(told["regret"]["rules"]) == 1
    sent = load(Path(told["report"]).parent / "seed-1" / RULES)
    assert sent.mails.get_column("at").max() < START + timedelta(days=7)
    assert sent.mails.height == sent.figures.mails


@pytest.mark.parametrize("below", ["a file/x", "a file"])
def test_a_folder_that_cannot_be_is_told(tmp_path, settings, below):
    (tmp_path / "a file").touch()
    with pytest.raises(NotReadyError, match="cannot be written"):
        contest(
            plan_of(policies=NOBODY), tmp_path / below, restart=False, settings=settings,
            step=silently,
        )  # fmt: skip


def test_what_chance_did_not_choose_stands_for_what_it_might_have(played, settings):
    """Each mail that was kept counts as 1 / (the chance that it was kept)."""
    _, folder = played
    kept = load(folder / "seed-3" / ONJE)
    # The whole week lies in the first days of the shop, in which more is left to chance.
    policy = settings.policy
    assert policy.first_days > 7 and policy.explore_emails_at_first != policy.explore_emails
    of_email = 1 - policy.explore_emails_at_first
    chances = set(kept.mails.get_column("kept").round(6).unique())
    both = round(of_email * (1 - policy.explore_hours), 6)
    assert both in chances and chances <= {both, round(of_email, 6)}
    mails = kept.mails.filter(~pl.col("explored"))
    expected = mails.select((pl.col("gain") / pl.col("kept")).sum()).item()
    assert kept.customers.get_column("gain").sum() == pytest.approx(expected)
    assert load(folder / "seed-3" / RULES).mails.get_column("kept").unique().to_list() == [1.0]
