"""Lists for the next basket on baskets whose answer is known."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from pipelines.baskets import peers
from pipelines.baskets.compare import ONJE, Contest, as_numbers, compared
from pipelines.baskets.ours import onje_lists
from pipelines.baskets.peers import best, coded, g_top, gp_top, item_knn, p_top
from pipelines.baskets.read import COLUMNS, Baskets, ordered_baskets
from pipelines.baskets.tifu import JUDGES, START, Tifu, _recall, tifu, tuned, weights_of
from pipelines.baskets.upcf import ASYMMETRY, LOCALITY, RECENCY, up_cf
from pipelines.cli import application
from pipelines.console import silently
from tests.features.text import SETTINGS as FEATURES
from tests.training.drawn import RESAMPLING
from tests.training.test_affinity import SETTINGS

PEOPLE, LENGTH = 60, 8


@cache
def baskets() -> Baskets:
    """Everybody buys an own staple every time, and a treat every other time, next time again."""
    random = np.random.default_rng(4)
    rows = []
    for person in range(PEOPLE):
        for number in range(1, LENGTH + 1):
            items = {f"s{person % 6}", f"noise{random.integers(60)}"}
            if number % 2 == LENGTH % 2:
                items.add(f"treat{person % 4}")
            rows += [(f"c{person}", number, item) for item in sorted(items)]
    table = pl.DataFrame(rows, schema=list(COLUMNS), orient="row")
    is_last = pl.col("basket") == LENGTH
    return ordered_baskets(table.filter(~is_last), table.filter(is_last))


@cache
def ours() -> pl.DataFrame:
    return onje_lists(
        baskets(), top=20, settings=SETTINGS.affinity, features=FEATURES, step=silently
    )


@cache
def contest() -> Contest:
    known = coded(baskets().history)
    everybody = np.arange(len(known.customers))
    lists = {ONJE: ours(), "P-Top": best(p_top(known), everybody, known, top=20)}
    return compared(baskets(), lists, RESAMPLING)


def test_what_always_comes_and_what_is_due_comes_first() -> None:
    first = ours().filter(pl.col("rank") <= 2)
    for customer, items in first.group_by("customer_id").agg("item").iter_rows():
        person = int(customer[1:])
        assert set(items) == {f"s{person % 6}", f"treat{person % 4}"}


def test_figures_are_those_of_the_literature() -> None:
    ours_, p_top_ = contest().metrics[ONJE], contest().metrics["P-Top"]
    # Of three items two can be foreseen; the noise of sixty is foreseen by chance.
    assert 2 / 3 < ours_["recall@10"].estimate < 0.85
    assert ours_["phr@10"].estimate == 1.0
    assert ours_["repeat_recall@10"].estimate > 0.9 > ours_["explore_recall@10"].estimate
    assert contest().gains["P-Top"]["ndcg@10"].estimate > 0
    assert p_top_["recall@20"].estimate >= p_top_["recall@10"].estimate


def test_numbers_for_machines() -> None:
    numbers = as_numbers(contest(), baskets(), {ONJE: 1.234, "P-Top": 0.1})
    assert numbers["recall@10"] == contest().metrics[ONJE]["recall@10"].estimate
    assert numbers["customers"] == PEOPLE and numbers["seconds"] == 1.23
    assert set(numbers["peers"]) == {"P-Top"}
    json.dumps(numbers)


def test_nothing_of_the_future_is_looked_at() -> None:
    read = baskets()
    other = Baskets(read.history, read.future.with_columns(item=pl.lit("s0")), ())
    again = onje_lists(other, top=20, settings=SETTINGS.affinity, features=FEATURES, step=silently)
    assert again.equals(ours())


def test_one_basket_each_is_not_enough() -> None:
    one = pl.DataFrame([("a", 1, "x"), ("b", 1, "y")], schema=list(COLUMNS), orient="row")
    read = ordered_baskets(one, one.with_columns(basket=pl.lit(2)))
    with pytest.raises(NotReadyError, match="two or more"):
        onje_lists(read, top=5, settings=SETTINGS.affinity, features=FEATURES, step=silently)


# a's baskets: {x, y}, {x}; b's: {y}, {y, z}, {z}; c's: {x}.
SMALL = ordered_baskets(
    pl.DataFrame(
        [
            ("a", 1, "x"), ("a", 1, "y"), ("a", 2, "x"), ("b", 1, "y"), ("b", 2, "y"),
            ("b", 2, "z"), ("b", 3, "z"), ("c", 1, "x"),
        ],
        schema=list(COLUMNS),
        orient="row",
    ),
    pl.DataFrame([("a", 9, "x")], schema=list(COLUMNS), orient="row"),
)  # fmt: skip


def test_tops() -> None:
    known = coded(SMALL.history)
    a = np.array([0])

    def items(score: peers.Scorer) -> list[str]:
        return best(score, a, known, top=3)["item"].to_list()

    assert items(p_top(known)) == ["x", "y"]
    assert items(gp_top(known)) == ["x", "y", "z"]
    assert set(items(g_top(known))) == {"x", "y", "z"}
    assert items(item_knn(known))[0] == "x"


def test_tifu_fades_in_groups() -> None:
    known = coded(SMALL.history)
    chosen = Tifu(alpha=0.5, groups=2, within=0.5, between=0.1, neighbours=1)
    weights = dict(
        zip(
            zip(known.customer.tolist(), known.back.tolist(), strict=True),
            weights_of(known, chosen).tolist(),
            strict=True,
        )
    )
    # Two groups of three baskets: one, then two; each of two baskets is a group of its own.
    assert weights[1, 3] == pytest.approx(0.5**2 * 0.1 / 2)
    assert weights[1, 2] == pytest.approx(0.5 / 2 / 2)
    assert weights[1, 1] == pytest.approx(1 / 2 / 2)
    assert weights[0, 2] == pytest.approx(0.5 * 0.1 / 2)
    assert weights[0, 1] == pytest.approx(1 / 2)
    # The nearest neighbour is oneself, as in the authors' code.
    scores = tifu(known, chosen)(np.array([0]))[0]
    assert scores[:2] == pytest.approx([0.5 + 0.025, 0.025])


def test_tuning_sees_only_what_came_before() -> None:
    known = coded(baskets().history)
    # The last known basket is what is foreseen: hyper-parameters that fail at it are not chosen.
    chosen, last = tuned(known, judges=JUDGES), known.back == 1
    judges = np.arange(len(known.customers))
    truth = known.matrix(last.astype(np.float64)) > 0
    earlier = known.before(1)
    assert _recall(tifu(earlier, chosen), judges, truth) >= _recall(
        tifu(earlier, START), judges, truth
    )
    assert earlier.back.min() == 1 and len(earlier.item) == (~last).sum()
    assert tuned(coded(SMALL.history), judges=JUDGES) is not None


@pytest.mark.skipif(
    find_spec("cornac") is None or find_spec("similaripy") is None,
    reason="cornac and similaripy are in the extra `peers`",
)
@pytest.mark.filterwarnings("ignore")
def test_up_cf_is_cornacs() -> None:
    from cornac.data import BasketDataset
    from cornac.models import UPCF

    known = coded(baskets().history)
    rows = [
        (f"{who:03}", f"{who:03}-{9 - back}", f"{item:03}")
        for who, back, item in zip(known.customer, known.back, known.item, strict=True)
    ]
    rows.sort()
    data = BasketDataset.build(rows, fmt="UBI", seed=1)
    learner = UPCF(recency=RECENCY, locality=LOCALITY, asymmetry=ASYMMETRY)
    learner.fit(data)
    mine = up_cf(known)(np.array([5]))[0]
    past = [[data.iid_map[item] for who, one, item in rows if who == "005" and one == basket]
            for basket in sorted({one for who, one, _ in rows if who == "005"})]  # fmt: skip
    theirs = learner.score(data.uid_map["005"], past)
    place = [data.iid_map[f"{item:03}"] for item in range(len(known.items))]
    # cornac counts the customer asked for twice: once as themselves, once as a neighbour.
    own = np.asarray(theirs)[place] - mine
    assert np.corrcoef(mine, np.asarray(theirs)[place])[0, 1] > 0.9 and (own > -1e-5).all()


def test_missing_peers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(NotReadyError, match=r"pip install 'onje\[peers\]'"):
        next(peers.peer_lists(SMALL, top=3, step=silently))


def test_the_command_prints_its_figures_last(tmp_path: Path) -> None:
    read = baskets()
    files = {"history": (read.history, -pl.col("back")), "future": (read.future, pl.lit(0))}
    for name, (rows, number) in files.items():
        rows.select("customer_id", "item", basket=number).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    words = ["evaluate", "baskets", str(tmp_path), "--json"]
    told = CliRunner().invoke(application("evaluate"), words)
    assert told.exit_code == 0, told.output
    numbers = json.loads(told.stdout.splitlines()[-1])
    assert {"recall@10", "ndcg@10", "phr@10", "recall@20", "repeat_recall@10"} <= set(numbers)
    assert numbers["customers"] == PEOPLE and numbers["recall@10"] > 0.6
