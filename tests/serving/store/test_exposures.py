"""The arms that decisions were made under are kept beside them, as their receipts tell them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import create_engine, text

from serving.conditions import NO_CONDITIONS
from serving.effective import Effective
from serving.receipts import no_links, record_of, rows_of
from serving.schemas.decisions import DecisionRequest
from serving.store import Store
from serving.store.connections import address_of
from serving.store.exposures import EXPOSURES
from tests.serving.histories import FEATURES, answers
from tests.serving.shop import NOW, SHOP
from tests.spec.experiments.dealing import experiment, shop_with

CART = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | cart_add | 2026-03-03T14:00 | bun
"""
LEARNT = {"test": {"plain": 0.2, "loud": 0.8}}
TRIED = shop_with(
    {"holdout_share": 0},
    test=experiment(arms=("plain", "loud"), split="bandit", shares=()),
    button=experiment(factor="cta", arms=("buy", "look"), shares=(0.5, 0.5)),
)


def kept(settings, request_id):
    """What the service would keep of an answer to Ann, who left a cart."""
    conditions = replace(NO_CONDITIONS, shares=LEARNT)
    row = next(rows_of(answers(CART, "ann", settings=settings, conditions=conditions)))
    asked = DecisionRequest(request_id=request_id, customer_id="ann")
    in_force = Effective(FEATURES, settings, timedelta(0), "0" * 64)
    row["decision_id"] = str(UUID(int=int(request_id[1:])))
    return record_of(row, asked, in_force, online=(), revision=0, links=no_links)


def test_a_decision_is_kept_with_the_arms_of_its_receipt(store):
    live, silent = kept(TRIED, "r1"), kept(SHOP, "r2")
    store.record([live], at=NOW)
    store.record([replace(silent, revision=1)], at=NOW)
    found = store.exposures_since(NOW - timedelta(days=1))
    assert found.schema == EXPOSURES
    receipt = json.loads(live.receipt)
    told = [(one["experiment"], one["arm"]) for one in receipt["experiments"]]
    assert len(told) == 2
    assert found.select("experiment", "arm").rows() == told
    learnt = dict(found.select("experiment", "learnt").iter_rows())
    assert (json.loads(learnt["test"]), learnt["button"]) == (LEARNT["test"], None)
    row = found.row(0, named=True)
    assert (row["decision_id"], row["customer_id"]) == (str(UUID(int=1)), "ann")
    assert (row["as_of"], row["email"], row["applies"]) == (
        NOW, "cart_reminder", ["cart_reminder"]
    )  # fmt: skip
    assert store.exposures_since(NOW + timedelta(days=1)).is_empty()


def test_the_same_plans_again_are_noted_once(store):
    for _ in range(2):
        store.record_plans([kept(TRIED, "r1")])
    assert store.exposures_since(NOW).height == 2


def test_who_is_no_longer_in_time_is_in_no_arm(store):
    store.record([replace(kept(TRIED, "r1"), revision=7)], at=NOW)  # outrun by somebody else
    assert store.exposures_since(NOW).is_empty()


def test_a_store_of_a_release_that_did_not_note_arms_has_them_from_its_receipts(store, url):
    store.record([kept(TRIED, "r1")], at=NOW)
    noted = store.exposures_since(NOW)
    store.close()
    engine = create_engine(address_of(url))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE exposures"))
        connection.execute(text("DROP TABLE alembic_version"))  # that release had none
    engine.dispose()
    again = Store.open(url, patience_s=5.0)
    assert again.exposures_since(NOW).equals(noted)
    again.close()
