"""Bot verdicts against the truth of simulated worlds (synthetic), which they cannot see."""

import polars as pl
import pytest

from features.bots import judged
from features.build import features_as_of
from features.history import to_history
from features.once import unique_events
from features.profiles import hours_as_of
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import altered, known_world
from tests.features.text import SETTINGS

SETTINGS = SETTINGS.model_copy(update={"newest_events": 2000, "category_depth": 1})
CUSTOMERS, WEEKS = 500, 20
CLEAN = dict.fromkeys(
    ("mpp_share", "scanned_share", "soft_bounce_share", "duplicate_share", "late_share"), 0.0
)


def lived(settings):
    world = create(settings, customers=CUSTOMERS, history_weeks=WEEKS, weeks=0, seed=1)
    run = begin(world)
    send_history(world, run)
    events = unique_events(run.events(world.start))
    return world, to_history(events, world.products, settings=SETTINGS)


@pytest.fixture(scope="module")
def worlds():
    # Ten times the scans, so that there are enough to tell shares of them.
    flood = altered(known_world("bot-flood"), scanned_share=0.12)
    mpp = known_world("mpp")
    clean = lived(altered(mpp, **CLEAN))
    return {"bot-flood": (lived(flood), clean), "mpp": (lived(mpp), clean)}


def precision_and_recall(history, kind):
    """Of what is called a machine's, and of what is one; the ids of events that dirt made tell."""
    answers = judged(history).filter(pl.col("kind") == kind)
    called = answers["bot"].is_not_null()
    is_one = answers["event_id"].str.contains(":(fetch$|scan:)")
    both = (called & is_one).sum()
    assert is_one.sum() > 50
    return both / called.sum(), both / is_one.sum()


@pytest.mark.parametrize(("name", "kind"), [("bot-flood", "click"), ("mpp", "open")])
def test_nearly_all_machines_are_found_and_hardly_anybody_else(worlds, name, kind):
    precision, recall = precision_and_recall(worlds[name][0][1], kind)
    assert precision >= 0.95
    assert recall >= 0.9


def both_ways(worlds, name, described):
    """What is described in a dirty world and in the clean one of the same seed."""
    found = []
    for world, history in worlds[name]:
        people = pl.DataFrame({"customer_id": world.truth.population.names})
        start = pl.lit(world.start).cast(pl.Datetime("us", "UTC"))
        spine = people.with_columns(as_of=start)
        found.append(described(history, spine, world.customers, settings=SETTINGS).drop("as_of"))
    return found


@pytest.mark.parametrize("name", ["bot-flood", "mpp"])
def test_click_features_are_those_of_the_clean_world(worlds, name):
    columns = ["clicks_30d", "clicks_90d", "preferred_link"]
    dirty, clean = both_ways(worlds, name, features_as_of)
    for column in columns:
        assert dirty[column].ne_missing(clean[column]).mean() < 0.005
    raw = worlds[name][0][1].filter(pl.col("kind") == "click").height
    if name == "bot-flood":
        assert raw > 1.5 * worlds[name][1][1].filter(pl.col("kind") == "click").height


@pytest.mark.parametrize("name", ["bot-flood", "mpp"])
def test_hours_are_those_of_the_clean_world(worlds, name):
    dirty, clean = both_ways(worlds, name, hours_as_of)
    slots = ["customer_id", "weekend", "hour"]
    both = clean.join(dirty, on=slots, how="full", coalesce=True).fill_null(0.0)
    for column in set(clean.columns) - set(slots):
        # What is heard of only later is missing on the dirty side: a few of a hundred.
        moved = (both[column] - both[f"{column}_right"]).abs().sum()
        assert moved / both[column].sum() < 0.04


def test_the_share_of_openers_by_hand_survives_the_apps(worlds):
    (world, dirty), (_, clean) = worlds["mpp"]
    whose = pl.DataFrame(
        {"customer_id": world.truth.population.names, "mpp": world.truth.population.mpp}
    )
    others = whose.filter(~pl.col("mpp")).select("customer_id")
    opens = [
        judged(history).join(others, on="customer_id", how="semi")
        .filter(pl.col("kind") == "open", ~pl.col("machine")).height
        for history in (dirty, clean)
    ]  # fmt: skip
    assert abs(opens[0] / opens[1] - 1) < 0.05
